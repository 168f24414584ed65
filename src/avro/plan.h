/* How to read an order out of records written with one schema: the writer schema, compiled once, run on every record.
 *
 * A plan is a flat list of steps over the body of a record (avro/framing.h: what follows the schema id). It takes three
 * top-level fields and passes over all others:
 *
 *     role      types of the field                  becomes
 *     value     int, long, float, double            a double
 *     group     string, bytes, int, long            bytes, numbers as decimal text
 *     id        string, bytes, int, long            bytes, numbers as decimal text
 *
 * One field may have several roles. The record must be flat: null, boolean, int, long, float, double, bytes, string,
 * enum and fixed; nested records, arrays, maps and unions are refused when the plan is compiled.
 *
 * Bodies are hostile: no length is believed before it is compared with what is left, nothing is allocated, and bytes
 * behind the last field are an error. A bad body is a bad record, told by an enum of_decode_result; a schema that gives
 * no plan is OF_POISON with a text (cause unresolvable_schema).
 *
 * Owner: whoever compiles it destroys it. Threads: a plan does not change, so any number may decode with it at once.
 * Cost: of_plan_decode takes some 5 ns for two strings and a float; it neither allocates nor locks. */
#ifndef OF_AVRO_PLAN_H
#define OF_AVRO_PLAN_H

#include <stdio.h>

#include "core/error.h"
#include "core/slice.h"

struct of_plan;

/* Names of top-level fields; none may be NULL. Read only while the plan is compiled. */
struct of_plan_fields {
    const char *value;
    const char *group_by;
    const char *id;
};

enum { OF_DECODED_SCRATCH_BYTES = 24 }; /* the longest 64-bit number, its sign and a NUL fit */

/* One order. group and id point into the body, or, where the field is a number, into scratch: such a struct must stay
 * where it was decoded to. */
struct of_decoded {
    double value;
    struct of_slice group;
    struct of_slice id;
    char scratch[2][OF_DECODED_SCRATCH_BYTES];
};

enum of_decode_result {
    OF_DECODE_OK = 0,
    OF_DECODE_TRUNCATED,       /* the body ends inside a field, or a length reaches behind its end */
    OF_DECODE_OVERLONG_VARINT, /* a variable-length number goes on for longer than its type can */
    OF_DECODE_INT_RANGE,       /* an int does not fit in 32 bits */
    OF_DECODE_NEGATIVE_LENGTH,
    OF_DECODE_FIELD_TOO_LARGE, /* a string or bytes beyond max_field_bytes */
    OF_DECODE_BAD_BOOLEAN,     /* neither 0 nor 1 */
    OF_DECODE_BAD_ENUM,        /* an index that the enum does not have */
    OF_DECODE_INEXACT_VALUE,   /* a long that no double holds exactly */
    OF_DECODE_TRAILING_BYTES,
    OF_DECODE_RESULT_COUNT,
};

/* Compiles schema_json for those fields. max_field_bytes bounds every string and bytes field, taken or passed over.
 * OF_POISON, *out NULL: the text is no schema, the record is not flat, or a field is missing or of a wrong type. */
OF_MUST_USE enum of_status of_plan_compile(struct of_slice schema_json, const struct of_plan_fields *fields,
                                           size_t max_field_bytes, struct of_plan **out, struct of_error *err);

/* Clears the caller's pointer; NULL inside is fine. */
void of_plan_destroy(struct of_plan **plan);

/* Reads one body. Unless the result is OF_DECODE_OK, *out is half written and means nothing. */
OF_MUST_USE enum of_decode_result of_plan_decode(const struct of_plan *plan, struct of_slice body,
                                                 struct of_decoded *out);

/* One sentence for people, without a full stop. Never NULL. */
const char *of_decode_result_text(enum of_decode_result result);

/* For people: the steps, one a line, with the fields that each covers. */
void of_plan_print(const struct of_plan *plan, FILE *out);

#endif
