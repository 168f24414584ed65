/* What a plan is made of, between the files that compile it (plan.c, emit.c), run it (decode.c) and print it. */
#ifndef OF_AVRO_PLAN_PRIVATE_H
#define OF_AVRO_PLAN_PRIVATE_H

#include "avro/plan.h"

/* Steps. X(kind, name in print) */
#define OF_PLAN_OPS(X)                                                                                              \
    X(SKIP, "skip")            /* `count` bytes whose content does not matter */                                    \
    X(BOOLEAN, "boolean")      /* one byte, 0 or 1 */                                                               \
    X(INT, "int")                                                                                                   \
    X(LONG, "long")                                                                                                 \
    X(ENUM, "enum")            /* an int below `count`; with roles, or `to` not 0, the symbol texts[to + index] */  \
    X(FLOAT, "float")                                                                                               \
    X(DOUBLE, "double")                                                                                             \
    X(BYTES, "bytes")          /* also strings: a length, then so many bytes */                                     \
    X(DECIMAL, "decimal")      /* the same, a two's complement number */                                            \
    X(FIXED_DECIMAL, "decimal") /* the same of `count` bytes */                                                     \
    X(UUID, "uuid")            /* 16 bytes, given as text */                                                        \
    X(CONSTANT, "constant")    /* nothing is read: the default constants[to] */                                     \
    X(UNION, "union")          /* an index below `count`; goes on at targets[to + index] */                         \
    X(JUMP, "jump")            /* goes on at `to` */                                                                \
    X(CALL, "call")            /* runs from `to` to the next return */                                              \
    X(RETURN, "return")                                                                                             \
    X(ITEMS, "items")          /* an array whose items all have `count` bytes that do not matter */                 \
    X(TEXTS, "texts")          /* an array of strings or bytes */                                                   \
    X(OPTION, "option")        /* a union of nothing, which is branch `count`, and a string or bytes */             \
    X(LOOP, "loop")            /* an array or map begins: a block of items follows */                               \
    X(BLOCK, "block")          /* how many items of at least `count` bytes follow; none: goes on at `to` */         \
    X(NEXT, "next")            /* the item ends: on at `to` + 1 for the next, at `to` for the next block */         \
    X(NULL_FIELD, "null")      /* a wanted field is null: the record is bad */                                      \
    X(UNFIT, "unfit")          /* the same: what comes here has no place; texts[to] says why */                     \
    X(END, "end")

enum of_op_kind {
#define X(kind, name) OF_OP_##kind,
    OF_PLAN_OPS(X)
#undef X
};

/* What a field is wanted for. Bits, as one field may serve several. */
enum of_op_role {
    OF_ROLE_VALUE = 1,
    OF_ROLE_GROUP = 2,
    OF_ROLE_ID = 4,
};
enum { OF_PLAN_ROLES = 3 };

/* What a number becomes as a value. */
enum of_op_as {
    OF_AS_DOUBLE,
    OF_AS_FLOAT,  /* rounded to a float first, as the reader's schema says float */
    OF_AS_SCALED, /* with `scale` decimals */
};

struct of_op {
    uint8_t kind;  /* enum of_op_kind */
    uint8_t roles; /* enum of_op_role; 0: check and pass over */
    uint8_t as;    /* enum of_op_as; of a block not 0: it may be passed over by its size */
    uint8_t scale;
    uint32_t count;
    uint32_t to;
    uint32_t field; /* index of the field that it belongs to, for people */
};

/* What becomes of a field, for people. */
struct of_plan_field {
    char *path;
    char *type;
    char *note;     /* "value", "passed over", ...; NULL: only steps point here, it is not listed */
};

/* A default. */
struct of_plan_constant {
    struct of_slice bytes; /* of group and id */
    of_int128 scaled;
    double value;
    uint8_t kind, scale;
    char *text; /* owned: what bytes points to */
};

/* Plans that decode.c has straight code for. */
enum of_plan_shape {
    OF_SHAPE_ANY,
    OF_SHAPE_ID_GROUP_FLOAT, /* id and group as bytes, value as float, nothing else: the classic order */
};

struct of_plan {
    enum of_plan_shape shape;
    size_t max_field_bytes;
    uint32_t op_count, op_room;
    uint32_t field_count, field_room;
    uint32_t target_count, target_room;
    uint32_t text_count, text_room;
    uint32_t constant_count, constant_room;
    struct of_op *ops;
    struct of_plan_field *fields;
    uint32_t *targets;
    char **texts; /* texts[0] is not used; NULL: the reader has no such symbol */
    struct of_plan_constant *constants;
    char *name; /* of the record */
};

extern const struct of_plan_role {
    uint8_t role;
    const char *name;
    const char *option;
    const char *types;
} of_plan_roles[OF_PLAN_ROLES];

/* Where and why a body is bad. */
struct of_decode_fault {
    const struct of_op *op;
    size_t offset; /* in the body, where what the step reads begins */
};

/* The contract of of_plan_decode, step by step whatever the shape; says where it failed. */
enum of_decode_result of_plan_decode_steps(const struct of_plan *plan, struct of_slice body, struct of_decoded *out,
                                           struct of_decode_fault *fault);

/* A two's complement number, the highest byte first. False: no bytes, or more than 127 bits. */
bool of_decode_decimal(struct of_slice bytes, of_int128 *out);

/* Sixteen bytes as 36 characters and a NUL. */
void of_decode_uuid(const uint8_t bytes[16], char text[OF_DECODED_SCRATCH_BYTES]);

#endif
