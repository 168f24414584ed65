/* Avro schemas as trees: everything that resolution and plans need to know, aliases, defaults and logical types too.
 *
 * A tree takes any number of schema texts; later ones may name the types that earlier ones define, which is how schema
 * references work. A type that is named twice is one node, so recursive schemas are graphs. Read as Apache Avro reads
 * them (specification 1.12): a logical type that does not fit its type is ignored, unknown attributes are, too.
 *
 * Bounds: OF_AVRO_TEXT_MAX bytes of text each, OF_AVRO_NESTING_MAX types within each other.
 * Owner: the tree owns the nodes and all that they point to. Threads: one while texts are added; then any may read.
 * Errors: OF_POISON, with what is wrong where. Private to src/avro. */
#ifndef OF_AVRO_SCHEMA_TREE_H
#define OF_AVRO_SCHEMA_TREE_H

#include "core/error.h"
#include "core/slice.h"

enum {
    OF_AVRO_TEXT_MAX = 4 << 20,
    OF_AVRO_NESTING_MAX = 200,
    OF_AVRO_NAME_BYTES = 200, /* of a type as text for people, with its NUL; longer ones are cut */
};

enum of_avro_type {
    OF_AVRO_NULL,
    OF_AVRO_BOOLEAN,
    OF_AVRO_INT,
    OF_AVRO_LONG,
    OF_AVRO_FLOAT,
    OF_AVRO_DOUBLE,
    OF_AVRO_BYTES,
    OF_AVRO_STRING,
    OF_AVRO_RECORD,
    OF_AVRO_ENUM,
    OF_AVRO_FIXED,
    OF_AVRO_ARRAY,
    OF_AVRO_MAP,
    OF_AVRO_UNION,
};

enum of_avro_logical {
    OF_AVRO_PLAIN,
    OF_AVRO_DECIMAL,
    OF_AVRO_UUID,
    OF_AVRO_TIME, /* a date, time or timestamp of any kind: a number in a unit of its own */
};

struct json_t;

struct of_avro_field {
    const char *name;
    const char **aliases;
    uint32_t alias_count;
    const struct json_t *initial; /* the default; NULL: none */
    struct of_avro_schema *type;
};

struct of_avro_schema {
    enum of_avro_type type;
    enum of_avro_logical logical;
    const char *logical_name;  /* NULL where plain */
    uint32_t precision, scale; /* of a decimal */
    const char *name;          /* full; NULL unless record, enum, fixed */
    const char **aliases;      /* full names */
    uint32_t alias_count;
    uint32_t count; /* fields, symbols or branches */
    union {
        struct of_avro_field *fields;
        const char **symbols;
        struct of_avro_schema **branches;
        struct of_avro_schema *items; /* of an array; the values of a map */
    };
    const char *symbol_default; /* NULL: none */
    uint32_t size;              /* fixed */

    /* measured */
    enum { OF_AVRO_UNMEASURED, OF_AVRO_MEASURING, OF_AVRO_MEASURED } state;
    bool constant;      /* every value has min_bytes, whose content does not matter */
    uint64_t min_bytes; /* of a value, at least 1 unless constant */
    uint32_t weight;    /* steps that passing over it takes, written out flat; OF_AVRO_HEAVY: many, or endless */
    uint32_t nesting;   /* types within it, itself included */
};

enum { OF_AVRO_HEAVY = 1 << 20 };

struct of_avro_tree;

struct of_avro_tree *of_avro_tree_create(void);
void of_avro_tree_destroy(struct of_avro_tree **tree);

/* Adds one text. *out is its outermost type, valid as long as the tree. */
OF_MUST_USE enum of_status of_avro_tree_add(struct of_avro_tree *tree, struct of_slice json,
                                            const struct of_avro_schema **out, struct of_error *err);

/* The part of a full name behind the last dot. */
const char *of_avro_unqualified(const char *name);

/* The field of that name in a record, or NULL. */
const struct of_avro_field *of_avro_find_field(const struct of_avro_schema *record, const char *name, size_t length);

/* For people: "string", "record com.x.Order", "decimal(9,2) as bytes", "union of null and long". Returns text. */
const char *of_avro_describe(const struct of_avro_schema *schema, char text[OF_AVRO_NAME_BYTES]);

/* "record", "union", ... */
const char *of_avro_type_name(enum of_avro_type type);

#endif
