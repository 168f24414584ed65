/* The prefix that names the schema of a value: a zero byte, then the schema id, four bytes, big-endian.
 *
 * Errors: a value without that prefix is a bad record (bad_framing), told by a bool. Threads: any. */
#ifndef OF_AVRO_FRAMING_H
#define OF_AVRO_FRAMING_H

#include "core/slice.h"

enum { OF_FRAMING_BYTES = 5, OF_FRAMING_MAGIC = 0 };

/* Reads the prefix of `value`: the id, and where the body begins, in bytes. False, and nothing written, when the value
 * is absent, shorter than the prefix, or starts with another byte. The body may be empty. */
static inline bool
of_framing_parse(struct of_slice value, uint32_t *schema_id, size_t *body_at)
{
    const uint8_t *p = value.data;
    if (p == NULL || value.length < OF_FRAMING_BYTES || p[0] != OF_FRAMING_MAGIC)
        return false;
    *schema_id = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    *body_at = OF_FRAMING_BYTES;
    return true;
}

/* Writes the prefix into the first OF_FRAMING_BYTES of `out`. */
static inline void
of_framing_write(uint8_t *out, uint32_t schema_id)
{
    out[0] = OF_FRAMING_MAGIC;
    out[1] = (uint8_t)(schema_id >> 24);
    out[2] = (uint8_t)(schema_id >> 16);
    out[3] = (uint8_t)(schema_id >> 8);
    out[4] = (uint8_t)schema_id;
}

#endif
