/* What a plan is made of, between the file that compiles it (plan.c) and the one that runs it (decode.c). */
#ifndef OF_AVRO_PLAN_PRIVATE_H
#define OF_AVRO_PLAN_PRIVATE_H

#include "avro/plan.h"

enum of_op_kind {
    OF_OP_SKIP,    /* `count` bytes whose content does not matter */
    OF_OP_BOOLEAN, /* one byte, 0 or 1 */
    OF_OP_INT,
    OF_OP_LONG,
    OF_OP_ENUM, /* an int below `count` */
    OF_OP_FLOAT,
    OF_OP_DOUBLE,
    OF_OP_BYTES, /* also strings: a length, then so many bytes */
};

/* What a field is wanted for. Bits, as one field may serve several. */
enum of_op_role {
    OF_ROLE_VALUE = 1,
    OF_ROLE_GROUP = 2,
    OF_ROLE_ID = 4,
};

struct of_op {
    uint8_t kind;  /* enum of_op_kind */
    uint8_t roles; /* enum of_op_role; 0: check and pass over */
    uint32_t count;
};

/* A field of the schema, for of_plan_print. */
struct of_plan_field {
    char *name;
    const char *type;
    uint32_t op; /* the step that reads it; if it has no bytes, the one before */
};

/* Plans that decode.c has straight code for. */
enum of_plan_shape {
    OF_SHAPE_ANY,
    OF_SHAPE_ID_GROUP_FLOAT, /* id and group as bytes, value as float, nothing else: the classic order */
};

struct of_plan {
    enum of_plan_shape shape;
    size_t max_field_bytes;
    uint32_t op_count;
    uint32_t field_count;
    struct of_op *ops;
    struct of_plan_field *fields;
};

#endif
