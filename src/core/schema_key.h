/* What names the schema of a value: a registry's number, or a GUID. The two are kept apart everywhere: nothing says
 * that a number and a GUID are the same schema.
 *
 * Threads: any; a plain value. */
#ifndef OF_CORE_SCHEMA_KEY_H
#define OF_CORE_SCHEMA_KEY_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/big_endian.h"

enum { OF_SCHEMA_GUID_BYTES = 16, OF_SCHEMA_KEY_TEXT_BYTES = 37 };

/* Compare with of_schema_key_equal: there is padding. */
struct of_schema_key {
    uint64_t high; /* of a GUID; 0 of a number */
    uint64_t low;
    bool is_guid;
};

static inline struct of_schema_key
of_schema_key_id(uint32_t id)
{
    return (struct of_schema_key) { .low = id };
}

/* bytes: OF_SCHEMA_GUID_BYTES, in the order in which the GUID is written. */
static inline struct of_schema_key
of_schema_key_guid(const uint8_t *bytes)
{
    return (struct of_schema_key) {
        .high = of_big_endian_u64(bytes),
        .low = of_big_endian_u64(bytes + 8),
        .is_guid = true,
    };
}

static inline bool
of_schema_key_equal(struct of_schema_key a, struct of_schema_key b)
{
    return a.low == b.low && a.high == b.high && a.is_guid == b.is_guid;
}

/* Numbers before GUIDs, each in ascending order. */
static inline bool
of_schema_key_before(struct of_schema_key a, struct of_schema_key b)
{
    if (a.is_guid != b.is_guid)
        return b.is_guid;
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

/* "17", or "15493172-f555-8a51-942a-7a656898617d". Returns out. */
static inline const char *
of_schema_key_print(struct of_schema_key key, char out[OF_SCHEMA_KEY_TEXT_BYTES])
{
    if (key.is_guid)
        snprintf(out, OF_SCHEMA_KEY_TEXT_BYTES, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                 key.high >> 32, key.high >> 16 & 0xffff, key.high & 0xffff, key.low >> 48,
                 key.low & UINT64_C(0xffffffffffff));
    else
        snprintf(out, OF_SCHEMA_KEY_TEXT_BYTES, "%" PRIu64, key.low);
    return out;
}

#endif
