/* The primitive types of the Kafka protocol, read from bytes that nobody has checked and written into a buffer that
 * grows.
 *
 * Source: the Kafka protocol guide, "Protocol Primitive Types". Numbers are big-endian; VARINT and VARLONG are zigzag,
 * UNSIGNED_VARINT is not.
 *
 * Errors: a reader that is asked for more than there is, or finds a number that cannot be, turns bad, stays bad, and
 * from then on gives zeros: it is asked once, at the end. A writer cannot fail.
 * Threads: a reader or writer belongs to one. Owner: a reader borrows its bytes; a writer's are freed by fini. */
#ifndef OF_KAFKA_DIRECT_WIRE_H
#define OF_KAFKA_DIRECT_WIRE_H

#include "core/big_endian.h"
#include "core/slice.h"

struct of_wire_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

struct of_wire_writer {
    uint8_t *data;
    size_t length;
    size_t room;
};

/* ---- reading ---- */

static inline struct of_wire_reader
of_wire_read(struct of_slice bytes)
{
    return (struct of_wire_reader) { bytes.data, bytes.data + bytes.length, false };
}

static inline size_t
of_wire_left(const struct of_wire_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* The next `count` bytes; NULL, and bad, when there are not as many. */
static inline const uint8_t *
of_wire_take(struct of_wire_reader *reader, size_t count)
{
    if (reader->bad || count > of_wire_left(reader)) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *taken = reader->at;
    reader->at += count;
    return taken;
}

static inline int8_t
of_wire_i8(struct of_wire_reader *reader)
{
    const uint8_t *p = of_wire_take(reader, 1);
    return p != NULL ? (int8_t)*p : 0;
}

static inline int16_t
of_wire_i16(struct of_wire_reader *reader)
{
    const uint8_t *p = of_wire_take(reader, 2);
    return p != NULL ? (int16_t)of_big_endian_u16(p) : 0;
}

static inline int32_t
of_wire_i32(struct of_wire_reader *reader)
{
    const uint8_t *p = of_wire_take(reader, 4);
    return p != NULL ? (int32_t)of_big_endian_u32(p) : 0;
}

static inline int64_t
of_wire_i64(struct of_wire_reader *reader)
{
    const uint8_t *p = of_wire_take(reader, 8);
    return p != NULL ? (int64_t)of_big_endian_u64(p) : 0;
}

/* Up to five bytes for 32 bits, up to ten for 64; more, or bits beyond them, are bad. */
uint64_t of_wire_unsigned(struct of_wire_reader *reader, unsigned bits);

static inline uint32_t
of_wire_uvarint(struct of_wire_reader *reader)
{
    if (!reader->bad && reader->at < reader->end && *reader->at < 0x80)
        return *reader->at++;
    return (uint32_t)of_wire_unsigned(reader, 32);
}

static inline int32_t
of_wire_varint(struct of_wire_reader *reader)
{
    uint32_t raw = of_wire_uvarint(reader);
    return (int32_t)(raw >> 1 ^ (0 - (raw & 1)));
}

static inline int64_t
of_wire_varlong(struct of_wire_reader *reader)
{
    uint64_t raw = !reader->bad && reader->at < reader->end && *reader->at < 0x80 ? *reader->at++
                                                                                   : of_wire_unsigned(reader, 64);
    return (int64_t)(raw >> 1 ^ (0 - (raw & 1)));
}

/* ---- writing ---- */

void of_wire_writer_fini(struct of_wire_writer *writer);

/* Room for `count` more bytes, which count as written. Valid until the next call for this writer. */
uint8_t *of_wire_extend(struct of_wire_writer *writer, size_t count);

void of_wire_write_i8(struct of_wire_writer *writer, int8_t value);
void of_wire_write_i16(struct of_wire_writer *writer, int16_t value);
void of_wire_write_i32(struct of_wire_writer *writer, int32_t value);
void of_wire_write_i64(struct of_wire_writer *writer, int64_t value);
void of_wire_write_uvarint(struct of_wire_writer *writer, uint64_t value);
void of_wire_write_varlong(struct of_wire_writer *writer, int64_t value);
void of_wire_write_bytes(struct of_wire_writer *writer, struct of_slice bytes);

#endif
