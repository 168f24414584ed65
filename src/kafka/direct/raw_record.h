/* The records in the unpacked bytes of a batch of message format 2.
 *
 * Source: the Kafka documentation, "Message Format". All here is inline, of_raw_record_read by force, so that what it
 * reads stays in registers: a slice whose halves have just been stored one by one cannot be forwarded to a load of the
 * whole, and the processor waits.
 *
 * of_raw_record_read trusts no byte. The functions below it are only given records that it has accepted. Owner:
 * everything given is a view of the caller's bytes. Threads: pure functions, any. */
#ifndef OF_KAFKA_DIRECT_RAW_RECORD_H
#define OF_KAFKA_DIRECT_RAW_RECORD_H

#include "core/assert.h"
#include "kafka/direct/wire.h"

struct of_raw_record {
    int64_t timestamp_delta_ms;
    int32_t offset_delta;
    struct of_slice key;   /* data NULL: null */
    struct of_slice value; /* data NULL: null */
    const uint8_t *headers; /* their count and they; well formed */
    const uint8_t *end;
};

/* A VARINT or VARLONG, for numbers that nearly always take one byte or two, and without a reader in memory: this
 * is done six times for every record that is read. */
static inline bool
of_raw_varlong(const uint8_t **at, const uint8_t *end, unsigned bits, int64_t *value)
{
    const uint8_t *p = *at;
    uint64_t raw;
    if (end > p && p[0] < 0x80) {
        raw = p[0];
        *at = p + 1;
    } else if (end - p >= 2 && p[1] < 0x80) {
        raw = (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7;
        *at = p + 2;
    } else {
        struct of_wire_reader reader = { p, end, false };
        raw = of_wire_unsigned(&reader, bits);
        if (reader.bad)
            return false;
        *at = reader.at;
    }
    *value = (int64_t)(raw >> 1 ^ (0 - (raw & 1)));
    return true;
}

static inline bool
of_raw_field(const uint8_t **at, const uint8_t *end, struct of_slice *field)
{
    int64_t length;
    if (!of_raw_varlong(at, end, 32, &length) || length < -1 || length > end - *at)
        return false;
    *field = length < 0 ? of_slice_of(NULL, 0) : of_slice_of(*at, (size_t)length);
    *at += length < 0 ? 0 : length;
    return true;
}

static inline bool
of_raw_headers_end(const uint8_t *at, const uint8_t *end, int64_t count)
{
    struct of_slice name, value;
    for (int64_t i = 0; i < count; i++)
        if (!of_raw_field(&at, end, &name) || name.data == NULL || !of_raw_field(&at, end, &value))
            return false;
    return at == end;
}

/* The record at `at`, before `end`. False: there is no whole and well-formed one. */
static inline __attribute__((always_inline)) bool
of_raw_record_read(const uint8_t *at, const uint8_t *end, struct of_raw_record *record)
{
    int64_t length, offset_delta, headers;
    if (!of_raw_varlong(&at, end, 32, &length) || length < 1 || length > end - at)
        return false;
    end = record->end = at + length;
    at++; /* attributes, none of which is in use */
    if (!of_raw_varlong(&at, end, 64, &record->timestamp_delta_ms) || !of_raw_varlong(&at, end, 32, &offset_delta) ||
        !of_raw_field(&at, end, &record->key) || !of_raw_field(&at, end, &record->value))
        return false;
    record->offset_delta = (int32_t)offset_delta;
    record->headers = at;
    return of_raw_varlong(&at, end, 32, &headers) && headers >= 0 && of_raw_headers_end(at, end, headers);
}

/* ---- what is known to be well formed ---- */

static inline int64_t
of_raw_known_number(const uint8_t **at)
{
    enum { BYTES_MOST = 5 }; /* of 32 bits */
    int64_t number = 0;
    bool read = of_raw_varlong(at, *at + BYTES_MOST, 32, &number);
    OF_ASSERT(read);
    return number;
}

static inline struct of_slice
of_raw_known_field(const uint8_t **at)
{
    int64_t length = of_raw_known_number(at);
    const uint8_t *data = *at;
    if (length < 0)
        return of_slice_of(NULL, 0);
    *at += length;
    return of_slice_of(data, (size_t)length);
}

/* Reads an accepted record once more. */
static inline void
of_raw_record_again(const uint8_t *at, struct of_raw_record *record)
{
    const uint8_t *behind = at;
    int64_t length = of_raw_known_number(&behind);
    bool read = of_raw_record_read(at, behind + length, record);
    OF_ASSERT(read);
}

/* How many headers an accepted record has, from its `headers` on, and one after the other. A null value has data NULL. */
static inline uint32_t
of_raw_header_count(const uint8_t **at)
{
    return (uint32_t)of_raw_known_number(at);
}

static inline void
of_raw_header(const uint8_t **at, struct of_slice *name, struct of_slice *value)
{
    *name = of_raw_known_field(at);
    *value = of_raw_known_field(at);
}

#endif
