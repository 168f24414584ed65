/* How to read an order out of records written with one schema: the writer schema, compiled once, run on every record.
 *
 * A plan is a flat list of steps over the body of a record (avro/framing.h: what follows the schema id). It takes three
 * fields, named by dotted paths into nested records ("customer.address.city"), and passes over everything else, of any
 * type:
 *
 *     role      types of the field                              becomes
 *     value     int, float, double                              a double
 *               long, decimal, dates and times                  a scaled integer (core/value.h)
 *     group     string, bytes, enum, int, long, uuid            bytes; numbers as decimal text, enums as their symbol
 *     id        string, bytes, enum, int, long, uuid            the same
 *
 * or a union of such, with null, too; a record with null in one of the three is bad. One field may have several roles.
 * Without a reader schema fields are found by the writer's names and read as the writer typed them. With one, the names
 * are the reader's, and Avro's schema resolution applies (avro/resolve.h): promotions, defaults, aliases, and its
 * errors.
 *
 * Bodies are hostile: no length is believed before it is compared with what is left, work is bounded by the bytes
 * given, nothing is allocated, nesting is bounded (OF_PLAN_DEPTH), and bytes behind the last field are an error. A bad
 * body is a bad record, told by an enum of_decode_result; a schema that gives no plan is OF_POISON with a text that
 * names fields and types (cause unresolvable_schema).
 *
 * Owner: whoever compiles it destroys it. Threads: a plan does not change, so any number may decode with it at once.
 * Cost: of_plan_decode takes some 5 ns for two strings and a float; it neither allocates nor locks. */
#ifndef OF_AVRO_PLAN_H
#define OF_AVRO_PLAN_H

#include <stdio.h>

#include "core/error.h"
#include "core/slice.h"
#include "core/value.h"

struct of_plan;

/* What is wanted. Read only while the plan is compiled. */
struct of_plan_fields {
    const char *value; /* dotted paths; none may be NULL */
    const char *group_by;
    const char *id;
    const char *reader_schema; /* JSON; NULL: none */
};

enum {
    OF_PLAN_DEPTH = 128,           /* arrays, maps and recursive records within each other, in a body */
    OF_DECODED_SCRATCH_BYTES = 40, /* a uuid or the longest 64-bit number, its sign and a NUL fit */
};

/* One order. group and id point into the body, into the plan, or into scratch: such a struct must stay where it was
 * decoded to. */
struct of_decoded {
    union {
        double value;       /* OF_VALUE_BINARY */
        of_int128 scaled;   /* OF_VALUE_SCALED: the value times 10^scale */
    };
    uint8_t kind; /* enum of_value_kind */
    uint8_t scale;
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
    OF_DECODE_BAD_BRANCH,      /* an index that the union does not have */
    OF_DECODE_BAD_COUNT,       /* an array or map of more items than the bytes left could hold */
    OF_DECODE_TOO_DEEP,
    OF_DECODE_NULL_FIELD,      /* one of the three fields is null */
    OF_DECODE_UNFIT,           /* a branch or symbol that the reader's schema, or a field's role, has no place for */
    OF_DECODE_BAD_DECIMAL,     /* of no bytes, or of more digits than 127 bits hold */
    OF_DECODE_TRAILING_BYTES,
    OF_DECODE_RESULT_COUNT,
};

/* Compiles schema_json for those fields. max_field_bytes bounds every string and bytes field, taken or passed over.
 * OF_POISON, *out NULL: the text is no schema, the reader's cannot be made of it, or a field is missing or of a wrong
 * type. */
OF_MUST_USE enum of_status of_plan_compile(struct of_slice schema_json, const struct of_plan_fields *fields,
                                           size_t max_field_bytes, struct of_plan **out, struct of_error *err);

/* The same for a schema that refers to others: their texts in an order in which each comes after those it needs. */
OF_MUST_USE enum of_status of_plan_compile_referring(struct of_slice schema_json, const char *const *references,
                                                     size_t reference_count, const struct of_plan_fields *fields,
                                                     size_t max_field_bytes, struct of_plan **out,
                                                     struct of_error *err);

/* OF_POISON: the text is no schema. */
OF_MUST_USE enum of_status of_plan_check_schema(struct of_slice schema_json, struct of_error *err);

/* Clears the caller's pointer; NULL inside is fine. */
void of_plan_destroy(struct of_plan **plan);

/* Reads one body. Unless the result is OF_DECODE_OK, *out is half written and means nothing. */
OF_MUST_USE enum of_decode_result of_plan_decode(const struct of_plan *plan, struct of_slice body,
                                                 struct of_decoded *out);

/* One sentence for people, without a full stop. Never NULL. */
const char *of_decode_result_text(enum of_decode_result result);

/* Reads a bad body once more to say what is wrong with it, and where: 'field "customer.name" (string), byte 17: a
 * length reaches ...'. Bytes are counted from the start of the body. Returns text. */
const char *of_plan_explain(const struct of_plan *plan, struct of_slice body, char *text, size_t size);

/* For people: what becomes of each field, then the steps, one a line. */
void of_plan_print_fields(const struct of_plan *plan, FILE *out);
void of_plan_print(const struct of_plan *plan, FILE *out);

#endif
