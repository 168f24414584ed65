#include <inttypes.h>
#include <stdlib.h>

#include "avro/plan_private.h"
#include "avro/schema_text.h"
#include "core/memory.h"

/* How each type of libavro is read; types without a row make a record that is not flat. */
static const struct type_row {
    avro_type_t type;
    const char *name;
    bool no_bytes;
    uint8_t kind; /* when the field is wanted */
    uint8_t roles; /* that it can have */
    uint8_t fixed_bytes; /* unwanted, it is only so many bytes; 0: its content must be looked at */
} types[] = {
    { AVRO_NULL, "null", .no_bytes = true },
    { AVRO_BOOLEAN, "boolean", .kind = OF_OP_BOOLEAN },
    { AVRO_INT32, "int", .kind = OF_OP_INT, .roles = OF_ROLE_VALUE | OF_ROLE_GROUP | OF_ROLE_ID },
    { AVRO_INT64, "long", .kind = OF_OP_LONG, .roles = OF_ROLE_VALUE | OF_ROLE_GROUP | OF_ROLE_ID },
    { AVRO_FLOAT, "float", .kind = OF_OP_FLOAT, .roles = OF_ROLE_VALUE, .fixed_bytes = 4 },
    { AVRO_DOUBLE, "double", .kind = OF_OP_DOUBLE, .roles = OF_ROLE_VALUE, .fixed_bytes = 8 },
    { AVRO_BYTES, "bytes", .kind = OF_OP_BYTES, .roles = OF_ROLE_GROUP | OF_ROLE_ID },
    { AVRO_STRING, "string", .kind = OF_OP_BYTES, .roles = OF_ROLE_GROUP | OF_ROLE_ID },
    { AVRO_ENUM, "enum", .kind = OF_OP_ENUM },
    { AVRO_FIXED, "fixed", .kind = OF_OP_SKIP },
};

static const struct role_row {
    uint8_t role;
    const char *name;
    const char *option;
    const char *types;
} roles[] = {
    { OF_ROLE_VALUE, "value", "value-field", "int, long, float or double" },
    { OF_ROLE_GROUP, "group", "group-by-field", "string, bytes, int or long" },
    { OF_ROLE_ID, "id", "id-field", "string, bytes, int or long" },
};

enum { ROLE_COUNT = sizeof roles / sizeof *roles };

static const char *
wanted_name(const struct of_plan_fields *fields, uint8_t role)
{
    return role == OF_ROLE_VALUE ? fields->value : role == OF_ROLE_GROUP ? fields->group_by : fields->id;
}

static const struct type_row *
row_of(avro_type_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return &types[i];
    return NULL;
}

static const char *
type_name(avro_type_t type)
{
    const struct type_row *row = row_of(type);
    if (row != NULL)
        return row->name;
    switch (type) {
    case AVRO_RECORD: return "record";
    case AVRO_ARRAY: return "array";
    case AVRO_MAP: return "map";
    case AVRO_UNION: return "union";
    case AVRO_LINK: return "reference to a type above it";
    default: return "unknown type";
    }
}

/* Which roles the field of that name has; refuses a type that one of them cannot have. */
static enum of_status
roles_of(const char *name, const struct type_row *row, const struct of_plan_fields *fields, uint8_t *out,
         struct of_error *err)
{
    *out = 0;
    for (int i = 0; i < ROLE_COUNT; i++) {
        if (strcmp(name, wanted_name(fields, roles[i].role)) != 0)
            continue;
        if ((row->roles & roles[i].role) == 0)
            return of_error_set(err, OF_POISON, "the %s field \"%s\" is of type %s; it must be %s", roles[i].name, name,
                                row->name, roles[i].types);
        *out |= roles[i].role;
    }
    return OF_OK;
}

/* Adds a step, or makes the one before longer when both only pass over a known number of bytes. */
static void
add_op(struct of_plan *plan, uint8_t kind, uint8_t wanted, uint32_t count)
{
    struct of_op *last = plan->op_count > 0 ? &plan->ops[plan->op_count - 1] : NULL;
    if (kind == OF_OP_SKIP && last != NULL && last->kind == OF_OP_SKIP && last->count <= UINT32_MAX - count)
        last->count += count;
    else
        plan->ops[plan->op_count++] = (struct of_op) { kind, wanted, count };
}

static enum of_status
count_of(avro_schema_t type, const char *name, uint32_t *out, struct of_error *err)
{
    int64_t count = 0;
    if (avro_typeof(type) == AVRO_ENUM)
        count = avro_schema_enum_number_of_symbols(type);
    else if (avro_typeof(type) == AVRO_FIXED)
        count = avro_schema_fixed_size(type);
    if (count < 0 || count > INT32_MAX)
        return of_error_set(err, OF_POISON, "the field \"%s\" has an impossible size", name);
    *out = (uint32_t)count;
    return OF_OK;
}

static enum of_status
add_field(struct of_plan *plan, const char *name, avro_schema_t type, const struct of_plan_fields *fields,
          uint8_t *found, struct of_error *err)
{
    const struct type_row *row = row_of(avro_typeof(type));
    if (row == NULL)
        return of_error_set(err, OF_POISON, "the field \"%s\" is of type %s; only flat records can be read", name,
                            type_name(avro_typeof(type)));
    uint8_t wanted;
    enum of_status status = roles_of(name, row, fields, &wanted, err);
    if (status != OF_OK)
        return status;
    if (*found & wanted)
        return of_error_set(err, OF_POISON, "the schema has the field \"%s\" twice", name);
    *found |= wanted;
    uint32_t count = 0;
    status = count_of(type, name, &count, err);
    if (status != OF_OK)
        return status;
    if (!wanted && row->fixed_bytes > 0)
        add_op(plan, OF_OP_SKIP, 0, row->fixed_bytes);
    else if (!row->no_bytes)
        add_op(plan, row->kind, wanted, count);
    uint32_t op = plan->op_count > 0 ? plan->op_count - 1 : 0;
    plan->fields[plan->field_count++] = (struct of_plan_field) { of_strdup(name), row->name, op };
    return OF_OK;
}

static enum of_status
check_found(avro_schema_t schema, const struct of_plan_fields *fields, uint8_t found, struct of_error *err)
{
    for (int i = 0; i < ROLE_COUNT; i++)
        if ((found & roles[i].role) == 0)
            return of_error_set(err, OF_POISON, "the record %s has no field \"%s\" to take the %s from; set --%s",
                                avro_schema_name(schema), wanted_name(fields, roles[i].role), roles[i].name,
                                roles[i].option);
    return OF_OK;
}

static enum of_status
add_record(struct of_plan *plan, avro_schema_t schema, const struct of_plan_fields *fields, struct of_error *err)
{
    if (avro_typeof(schema) != AVRO_RECORD)
        return of_error_set(err, OF_POISON, "the schema is of type %s; it must be a record",
                            type_name(avro_typeof(schema)));
    size_t count = avro_schema_record_size(schema);
    plan->ops = of_alloc_array(count, sizeof *plan->ops);
    plan->fields = of_alloc_array(count, sizeof *plan->fields);
    uint8_t found = 0;
    for (size_t i = 0; i < count; i++) {
        enum of_status status =
            add_field(plan, avro_schema_record_field_name(schema, (int)i),
                      avro_schema_record_field_get_by_index(schema, (int)i), fields, &found, err);
        if (status != OF_OK)
            return status;
    }
    return check_found(schema, fields, found, err);
}

static bool
op_is(const struct of_op *op, uint8_t kind, uint8_t wanted)
{
    return op->kind == kind && op->roles == wanted;
}

static enum of_plan_shape
shape_of(const struct of_plan *plan)
{
    const struct of_op *ops = plan->ops;
    if (plan->op_count == 3 && op_is(&ops[0], OF_OP_BYTES, OF_ROLE_ID) && op_is(&ops[1], OF_OP_BYTES, OF_ROLE_GROUP) &&
        op_is(&ops[2], OF_OP_FLOAT, OF_ROLE_VALUE))
        return OF_SHAPE_ID_GROUP_FLOAT;
    return OF_SHAPE_ANY;
}

enum of_status
of_plan_compile(struct of_slice schema_json, const struct of_plan_fields *fields, size_t max_field_bytes,
                struct of_plan **out, struct of_error *err)
{
    *out = NULL;
    avro_schema_t schema;
    enum of_status status = of_schema_parse(schema_json, &schema, err);
    if (status != OF_OK)
        return status;
    struct of_plan *plan = of_alloc(sizeof *plan);
    plan->max_field_bytes = max_field_bytes;
    status = add_record(plan, schema, fields, err);
    if (status == OF_OK)
        plan->shape = shape_of(plan);
    else
        of_plan_destroy(&plan);
    avro_schema_decref(schema);
    *out = plan;
    return status;
}

void
of_plan_destroy(struct of_plan **plan)
{
    struct of_plan *p = *plan;
    *plan = NULL;
    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->field_count; i++)
        free(p->fields[i].name);
    free(p->fields);
    free(p->ops);
    free(p);
}

static void
print_op(const struct of_op *op, FILE *out)
{
    static const char *const names[] = {
        [OF_OP_SKIP] = "skip", [OF_OP_BOOLEAN] = "boolean", [OF_OP_INT] = "int",       [OF_OP_LONG] = "long",
        [OF_OP_ENUM] = "enum", [OF_OP_FLOAT] = "float",     [OF_OP_DOUBLE] = "double", [OF_OP_BYTES] = "bytes",
    };
    fprintf(out, "%-8s", names[op->kind]);
    if (op->kind == OF_OP_SKIP)
        fprintf(out, " %" PRIu32 " bytes", op->count);
    for (int i = 0; i < ROLE_COUNT; i++)
        if (op->roles & roles[i].role)
            fprintf(out, " -> %s", roles[i].name);
    if (op->roles == 0 && op->kind != OF_OP_SKIP)
        fprintf(out, " passed over");
}

void
of_plan_print(const struct of_plan *plan, FILE *out)
{
    uint32_t field = 0;
    for (uint32_t i = 0; i < plan->op_count; i++) {
        fprintf(out, "%3" PRIu32 "  ", i);
        print_op(&plan->ops[i], out);
        const char *separator = "   # ";
        for (; field < plan->field_count && plan->fields[field].op <= i; field++) {
            fprintf(out, "%s%s: %s", separator, plan->fields[field].name, plan->fields[field].type);
            separator = ", ";
        }
        fputc('\n', out);
    }
}
