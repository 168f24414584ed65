/* What the schema of a flat record says about writing it: private to the encoder (avro/encode.h).
 *
 * Owner: the caller's memory, init to fini; the JSON stays with it, as names point into it. Threads: one at a time while
 * it is read, then any. Errors: OF_POISON with the field in question. */
#ifndef OF_AVRO_ENCODE_SCHEMA_H
#define OF_AVRO_ENCODE_SCHEMA_H

#include <jansson.h>

#include "core/cell.h"

enum of_flat_type {
    OF_FLAT_NULL,
    OF_FLAT_BOOLEAN,
    OF_FLAT_INT,
    OF_FLAT_LONG,
    OF_FLAT_FLOAT,
    OF_FLAT_DOUBLE,
    OF_FLAT_BYTES,
    OF_FLAT_STRING,
    OF_FLAT_ENUM,
    OF_FLAT_FIXED,
};

enum { OF_FLAT_DECIMAL_DIGITS_MAX = 38 };

struct of_flat_field {
    const char *name;
    enum of_flat_type type;  /* of the branch that is not null */
    bool nullable, in_union; /* nullable implies in_union */
    uint8_t branch, null_branch;
    bool decimal;
    uint32_t precision, scale;
    size_t size;           /* fixed */
    const json_t *symbols; /* enum */
    bool has_initial;
    struct of_cell initial; /* the default */
};

struct of_flat_record {
    json_t *json;
    struct of_flat_field *fields;
    size_t field_count;
};

OF_MUST_USE enum of_status of_flat_record_init(struct of_flat_record *record, struct of_slice schema_json,
                                               struct of_error *err);
void of_flat_record_fini(struct of_flat_record *record);

#endif
