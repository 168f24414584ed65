#include "kafka/direct/record_batch.h"

#include "core/assert.h"
#include "kafka/direct/crc32c.h"
#include "kafka/direct/wire.h"

/* Where the fields of a batch's head lie. */
enum {
    AT_BASE_OFFSET = 0,
    AT_LENGTH = 8, /* of what follows it */
    AT_LEADER_EPOCH = 12,
    AT_MAGIC = 16,
    AT_CRC = 17,
    AT_ATTRIBUTES = 21, /* the CRC's first byte */
    AT_LAST_DELTA = 23,
    AT_BASE_TIMESTAMP = 27,
    AT_MAX_TIMESTAMP = 35,
    AT_PRODUCER_ID = 43,
    AT_COUNT = 57,
    LENGTH_END = AT_LENGTH + 4,
    FORMAT = 2,
};

enum { CODEC_BITS = 0x07, APPEND_TIME_BIT = 0x08, TRANSACTIONAL_BIT = 0x10, CONTROL_BIT = 0x20 };

enum of_batch_look
of_record_batch_look(struct of_slice bytes, struct of_record_batch *batch)
{
    const uint8_t *p = bytes.data;
    if (bytes.length < OF_BATCH_LEAST_BYTES)
        return OF_BATCH_CUT_OFF;
    uint32_t length = of_wire_get_u32(p + AT_LENGTH);
    if (p[AT_MAGIC] < FORMAT)
        return OF_BATCH_OLD;
    if (p[AT_MAGIC] > FORMAT || length > INT32_MAX || length < OF_BATCH_HEAD_BYTES - LENGTH_END)
        return OF_BATCH_MALFORMED;
    if (length > bytes.length - LENGTH_END)
        return OF_BATCH_CUT_OFF;
    size_t size = LENGTH_END + (size_t)length;
    uint16_t attributes = of_wire_get_u16(p + AT_ATTRIBUTES);
    int32_t last_delta = (int32_t)of_wire_get_u32(p + AT_LAST_DELTA);
    *batch = (struct of_record_batch) {
        .bytes = of_slice_of(p, size),
        .records = of_slice_of(p + OF_BATCH_HEAD_BYTES, size - OF_BATCH_HEAD_BYTES),
        .base_offset = (int64_t)of_wire_get_u64(p + AT_BASE_OFFSET),
        .leader_epoch = (int32_t)of_wire_get_u32(p + AT_LEADER_EPOCH),
        .crc = of_wire_get_u32(p + AT_CRC),
        .codec = attributes & CODEC_BITS,
        .append_time = attributes & APPEND_TIME_BIT,
        .transactional = attributes & TRANSACTIONAL_BIT,
        .control = attributes & CONTROL_BIT,
        .base_timestamp_ms = (int64_t)of_wire_get_u64(p + AT_BASE_TIMESTAMP),
        .max_timestamp_ms = (int64_t)of_wire_get_u64(p + AT_MAX_TIMESTAMP),
        .producer_id = (int64_t)of_wire_get_u64(p + AT_PRODUCER_ID),
        .count = (int32_t)of_wire_get_u32(p + AT_COUNT),
    };
    if (batch->base_offset < 0 || last_delta < 0 || batch->base_offset > INT64_MAX - last_delta - 1 || batch->count < 0)
        return OF_BATCH_MALFORMED;
    batch->last_offset = batch->base_offset + last_delta;
    return OF_BATCH_WHOLE;
}

bool
of_record_batch_intact(const struct of_record_batch *batch)
{
    const struct of_slice bytes = batch->bytes;
    return of_crc32c(of_slice_of(bytes.data + AT_ATTRIBUTES, bytes.length - AT_ATTRIBUTES)) == batch->crc;
}

/* ---- records ---- */

/* A VARINT or VARLONG, for numbers that nearly always take one byte or two, and without a reader in memory: this
 * is done six times for every record that is read. */
static inline bool
get_varlong(const uint8_t **at, const uint8_t *end, unsigned bits, int64_t *value)
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
get_field(const uint8_t **at, const uint8_t *end, struct of_slice *field)
{
    int64_t length;
    if (!get_varlong(at, end, 32, &length) || length < -1 || length > end - *at)
        return false;
    *field = length < 0 ? of_slice_of(NULL, 0) : of_slice_of(*at, (size_t)length);
    *at += length < 0 ? 0 : length;
    return true;
}

static bool
headers_end(const uint8_t *at, const uint8_t *end, int64_t count)
{
    struct of_slice name, value;
    for (int64_t i = 0; i < count; i++)
        if (!get_field(&at, end, &name) || name.data == NULL || !get_field(&at, end, &value))
            return false;
    return at == end;
}

bool
of_raw_record_read(const uint8_t *at, const uint8_t *end, struct of_raw_record *record)
{
    int64_t length, offset_delta, headers;
    if (!get_varlong(&at, end, 32, &length) || length < 1 || length > end - at)
        return false;
    end = record->end = at + length;
    at++; /* attributes, none of which is in use */
    if (!get_varlong(&at, end, 64, &record->timestamp_delta_ms) || !get_varlong(&at, end, 32, &offset_delta) ||
        !get_field(&at, end, &record->key) || !get_field(&at, end, &record->value))
        return false;
    record->offset_delta = (int32_t)offset_delta;
    record->headers = at;
    return get_varlong(&at, end, 32, &headers) && headers >= 0 && headers_end(at, end, headers);
}

/* ---- what is known to be well formed ---- */

enum { NUMBER_BYTES_MOST = 5 }; /* of 32 bits */

static int64_t
known_number(const uint8_t **at)
{
    int64_t number = 0;
    bool read = get_varlong(at, *at + NUMBER_BYTES_MOST, 32, &number);
    OF_ASSERT(read);
    return number;
}

static struct of_slice
known_field(const uint8_t **at)
{
    int64_t length = known_number(at);
    const uint8_t *data = *at;
    if (length < 0)
        return of_slice_of(NULL, 0);
    *at += length;
    return of_slice_of(data, (size_t)length);
}

void
of_raw_record_again(const uint8_t *at, struct of_raw_record *record)
{
    const uint8_t *behind = at;
    int64_t length = known_number(&behind);
    bool read = of_raw_record_read(at, behind + length, record);
    OF_ASSERT(read);
}

uint32_t
of_raw_header_count(const uint8_t **at)
{
    return (uint32_t)known_number(at);
}

void
of_raw_header(const uint8_t **at, struct of_slice *name, struct of_slice *value)
{
    *name = known_field(at);
    *value = known_field(at);
}

/* The key of a marker: version and type, two bytes each. */
enum of_marker
of_record_batch_marker(const struct of_record_batch *batch)
{
    enum { ABORT = 0, COMMIT = 1 };
    struct of_raw_record record;
    const struct of_slice records = batch->records;
    if (batch->codec != 0 || !of_raw_record_read(records.data, records.data + records.length, &record) ||
        record.key.length < 4)
        return OF_MARKER_OTHER;
    switch (of_wire_get_u16(record.key.data + 2)) {
    case ABORT: return OF_MARKER_ABORT;
    case COMMIT: return OF_MARKER_COMMIT;
    default: return OF_MARKER_OTHER;
    }
}
