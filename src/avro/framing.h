/* What says which schema a value was written with, after Confluent's serializers:
 *
 *     in the value                         0x00, schema id in four bytes, big-endian;  then the body
 *                                          0x01, GUID in sixteen bytes;                then the body
 *     in the header __value_schema_id      the same five or seventeen bytes; the whole value is the body
 *
 * The header wins over the value, as a bare body may begin with any byte; of several such headers the last one that is
 * not empty counts.
 *
 * Errors: a value without any of these is a bad record (bad_framing), told by a bool. So is one whose header is there
 * and holds something else: nobody can say what its bytes are. Threads: any. */
#ifndef OF_AVRO_FRAMING_H
#define OF_AVRO_FRAMING_H

#include "core/big_endian.h"
#include "core/flow.h"
#include "core/schema_key.h"
#include "core/slice.h"

#define OF_FRAMING_HEADER "__value_schema_id"

enum {
    OF_FRAMING_BYTES = 5,
    OF_FRAMING_MAGIC = 0,
    OF_FRAMING_GUID_BYTES = 1 + OF_SCHEMA_GUID_BYTES,
    OF_FRAMING_GUID_MAGIC = 1,
};

/* Where the schema of a value is named, and where its body begins. */
struct of_framing {
    struct of_schema_key key;
    uint8_t body_at; /* bytes: 0, OF_FRAMING_BYTES or OF_FRAMING_GUID_BYTES */
};

/* Reads an id prefix of `value`: the id, and where the body begins, in bytes. False, and nothing written, when the value
 * is absent, shorter than the prefix, or starts with another byte. The body may be empty. */
static inline bool
of_framing_parse(struct of_slice value, uint32_t *schema_id, size_t *body_at)
{
    const uint8_t *p = value.data;
    if (p == NULL || value.length < OF_FRAMING_BYTES || p[0] != OF_FRAMING_MAGIC)
        return false;
    *schema_id = of_big_endian_u32(p + 1);
    *body_at = OF_FRAMING_BYTES;
    return true;
}

/* Reads either prefix. False, and nothing written: there is none. */
static inline bool
of_framing_read(struct of_slice value, struct of_framing *framing)
{
    uint32_t id;
    size_t body_at;
    if (of_framing_parse(value, &id, &body_at)) {
        *framing = (struct of_framing) { of_schema_key_id(id), OF_FRAMING_BYTES };
        return true;
    }
    if (value.data == NULL || value.length < OF_FRAMING_GUID_BYTES || value.data[0] != OF_FRAMING_GUID_MAGIC)
        return false;
    *framing = (struct of_framing) { of_schema_key_guid(value.data + 1), OF_FRAMING_GUID_BYTES };
    return true;
}

/* The same for a record that has headers. */
bool of_framing_search(const struct of_chunk_ops *ops, const struct of_record *record, struct of_framing *framing);

/* Reads what header and value of a record say. False: nothing that can be used. Costs a look at the headers, which with
 * librdkafka allocates, even where there are none; most records have none, so the rest is not inlined. */
static inline bool
of_framing_find(const struct of_chunk_ops *ops, const struct of_record *record, struct of_framing *framing)
{
    struct of_slice name, value;
    struct of_header_walk walk = { 0 };
    if (__builtin_expect(ops->header(record, &walk, &name, &value), 0))
        return of_framing_search(ops, record, framing);
    return of_framing_read(record->value, framing);
}

/* Writes the prefix into the first OF_FRAMING_BYTES of `out`. */
static inline void
of_framing_write(uint8_t *out, uint32_t schema_id)
{
    out[0] = OF_FRAMING_MAGIC;
    of_big_endian_put_u32(out + 1, schema_id);
}

#endif
