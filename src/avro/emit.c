#include "avro/emitter.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/memory.h"

/* By role: what is left of its path below this type. "": it is this type; NULL: it is not in it. */
struct wants {
    const char *rest[OF_PLAN_ROLES];
};

static enum of_status emit(struct of_emitter *emitter, const struct of_avro_schema *writer,
                           const struct of_avro_schema *reader, const struct wants *wants, uint32_t field);

/* ---- what is wanted ---- */

static unsigned
roles_of(const struct wants *wants)
{
    unsigned roles = 0;
    for (int i = 0; i < OF_PLAN_ROLES; i++)
        if (wants->rest[i] != NULL)
            roles |= of_plan_roles[i].role;
    return roles;
}

static bool
leads_further(const struct wants *wants)
{
    for (int i = 0; i < OF_PLAN_ROLES; i++)
        if (wants->rest[i] != NULL && *wants->rest[i] != '\0')
            return true;
    return false;
}

/* What of it lies in the field of that name; NULL: a field that only the writer has. */
static struct wants
within(const struct wants *wants, const char *name)
{
    struct wants inner = { { NULL } };
    size_t length = name != NULL ? strlen(name) : 0;
    for (int i = 0; i < OF_PLAN_ROLES && name != NULL; i++) {
        const char *rest = wants->rest[i];
        if (rest == NULL || strncmp(rest, name, length) != 0 || (rest[length] != '\0' && rest[length] != '.'))
            continue;
        inner.rest[i] = rest + length + (rest[length] == '.');
    }
    return inner;
}

static void
note_roles(struct of_emitter *emitter, uint32_t field, unsigned roles, const char *how)
{
    char text[OF_AVRO_NAME_BYTES + 80];
    size_t length = 0;
    for (int i = 0; i < OF_PLAN_ROLES; i++)
        if (roles & of_plan_roles[i].role)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length > 0 ? ", " : "",
                                       of_plan_roles[i].name);
    snprintf(text + length, sizeof text - length, "%s", how);
    of_emit_note(emitter, field, text);
}

/* ---- roles and types ---- */

static bool
can_have(const struct of_avro_schema *type, unsigned role)
{
    bool value = role == OF_ROLE_VALUE;
    switch (type->type) {
    case OF_AVRO_INT:
    case OF_AVRO_LONG: return true;
    case OF_AVRO_FLOAT:
    case OF_AVRO_DOUBLE: return value;
    case OF_AVRO_STRING:
    case OF_AVRO_ENUM: return !value;
    case OF_AVRO_BYTES: return !value || type->logical == OF_AVRO_DECIMAL;
    case OF_AVRO_FIXED: return type->logical == (value ? OF_AVRO_DECIMAL : OF_AVRO_UUID);
    default: return false;
    }
}

/* type: what the field is; as: what it is to be read as. */
static enum of_status
check_roles(struct of_emitter *emitter, const struct of_avro_schema *as, const struct wants *wants, uint32_t field)
{
    char text[OF_AVRO_NAME_BYTES];
    const char *path = emitter->plan->fields[field].path;
    for (int i = 0; i < OF_PLAN_ROLES; i++) {
        if (wants->rest[i] == NULL)
            continue;
        if (*wants->rest[i] != '\0')
            return of_error_set(emitter->err, OF_POISON,
                                "the field \"%.200s\" is of type %s: there is no \"%.200s\" in it", path,
                                of_avro_describe(as, text), wants->rest[i]);
        if (!can_have(as, of_plan_roles[i].role))
            return of_error_set(emitter->err, OF_POISON, "the %s field \"%.200s\" is of type %s; it must be %s",
                                of_plan_roles[i].name, path, of_avro_describe(as, text), of_plan_roles[i].types);
    }
    if (as->logical == OF_AVRO_DECIMAL && as->scale > OF_SCALE_MAX)
        return of_error_set(emitter->err, OF_POISON,
                            "the field \"%.200s\" is of type %s; at most %d decimals can be read", path,
                            of_avro_describe(as, text), OF_SCALE_MAX);
    return OF_OK;
}

static enum of_op_kind
kind_of(const struct of_avro_schema *writer, const struct of_avro_schema *as, unsigned roles)
{
    bool decimal = as->logical == OF_AVRO_DECIMAL && (roles & OF_ROLE_VALUE);
    switch (writer->type) {
    case OF_AVRO_INT: return OF_OP_INT;
    case OF_AVRO_LONG: return OF_OP_LONG;
    case OF_AVRO_FLOAT: return OF_OP_FLOAT;
    case OF_AVRO_DOUBLE: return OF_OP_DOUBLE;
    case OF_AVRO_ENUM: return OF_OP_ENUM;
    case OF_AVRO_FIXED: return decimal ? OF_OP_FIXED_DECIMAL : OF_OP_UUID;
    default: return decimal ? OF_OP_DECIMAL : OF_OP_BYTES;
    }
}

static enum of_op_as
as_of(enum of_avro_type type)
{
    return type == OF_AVRO_FLOAT ? OF_AS_FLOAT : type == OF_AVRO_LONG ? OF_AS_SCALED : OF_AS_DOUBLE;
}

/* ---- wanted fields ---- */

static enum of_status
read_leaf(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
          const struct wants *wants, uint32_t field)
{
    const struct of_avro_schema *as = reader != NULL ? reader : writer;
    unsigned roles = roles_of(wants);
    enum of_status status = check_roles(emitter, as, wants, field);
    if (status != OF_OK)
        return status;
    enum of_op_kind kind = kind_of(writer, as, roles);
    uint32_t count = writer->type == OF_AVRO_ENUM ? writer->count : writer->type == OF_AVRO_FIXED ? writer->size : 0;
    uint32_t symbols = kind == OF_OP_ENUM ? of_emit_symbols(emitter, writer, reader) : 0;
    struct of_op *op = of_emit_op(emitter, kind, count, field);
    op->roles = (uint8_t)roles;
    op->to = symbols;
    if (kind == OF_OP_INT || kind == OF_OP_LONG)
        op->as = (uint8_t)as_of(as->type);
    op->scale = as->logical == OF_AVRO_DECIMAL ? (uint8_t)as->scale : 0;
    char how[OF_AVRO_NAME_BYTES + 16] = "", type[OF_AVRO_NAME_BYTES];
    if (as->type != writer->type || as->logical != writer->logical)
        snprintf(how, sizeof how, ", read as %s", of_avro_describe(as, type));
    if (emitter->plan->fields[field].note == NULL)
        note_roles(emitter, field, roles, how);
    return OF_OK;
}

static enum of_status
missing(struct of_emitter *emitter, const struct of_avro_schema *record, int role, const char *rest)
{
    return of_error_set(emitter->err, OF_POISON,
                        "the record %.200s has no field \"%.*s\" to take the %s from; set --%s", record->name,
                        (int)strcspn(rest, "."), rest, of_plan_roles[role].name,
                        of_plan_roles[role].option);
}

static enum of_status
read_default(struct of_emitter *emitter, const struct of_avro_schema *type, const json_t *initial,
             const struct wants *wants, uint32_t field)
{
    struct of_plan *plan = emitter->plan;
    if (type->type == OF_AVRO_UNION) {
        for (uint32_t i = 0; i < type->count; i++)
            if (of_plan_default_fits(type->branches[i], initial))
                return read_default(emitter, type->branches[i], initial, wants, field);
    } else if (type->type == OF_AVRO_RECORD && leads_further(wants)) {
        for (uint32_t i = 0; i < type->count; i++) {
            struct wants inner = within(wants, type->fields[i].name);
            if (roles_of(&inner) == 0)
                continue;
            const json_t *part = json_object_get(initial, type->fields[i].name);
            uint32_t at = of_emit_field(emitter, plan->fields[field].path, type->fields[i].name, type->fields[i].type);
            enum of_status status = read_default(emitter, type->fields[i].type,
                                                 part != NULL ? part : type->fields[i].initial, &inner, at);
            if (status != OF_OK)
                return status;
        }
        return OF_OK;
    }
    if (type->type == OF_AVRO_NULL)
        return of_error_set(emitter->err, OF_POISON,
                            "the field \"%.200s\" is not in the writer's schema, and its default is null",
                            plan->fields[field].path);
    enum of_status status = check_roles(emitter, type, wants, field);
    struct of_plan_constant constant;
    if (status == OF_OK && !of_plan_make_constant(type, initial, roles_of(wants), &constant))
        status = of_error_set(emitter->err, OF_POISON, "the default of the field \"%.200s\" does not fit its type %s",
                              plan->fields[field].path, plan->fields[field].type);
    if (status != OF_OK)
        return status;
    if (plan->constant_count == plan->constant_room) {
        plan->constant_room = plan->constant_room ? 2 * plan->constant_room : 4;
        plan->constants = of_realloc_array(plan->constants, plan->constant_room, sizeof *plan->constants);
    }
    plan->constants[plan->constant_count] = constant;
    struct of_op *op = of_emit_op(emitter, OF_OP_CONSTANT, 0, field);
    op->roles = (uint8_t)roles_of(wants);
    op->to = plan->constant_count++;
    note_roles(emitter, field, roles_of(wants), ", the default of the reader's schema");
    return OF_OK;
}

static enum of_status
read_missing(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
             const struct wants *wants, uint32_t field)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        const struct of_avro_field *missed = &reader->fields[i];
        struct wants inner = within(wants, missed->name);
        if (roles_of(&inner) == 0 || of_resolution_source(writer, reader, missed) != NULL)
            continue;
        uint32_t at = of_emit_field(emitter, emitter->plan->fields[field].path, missed->name, missed->type);
        enum of_status status = read_default(emitter, missed->type, missed->initial, &inner, at);
        if (status != OF_OK)
            return status;
    }
    return OF_OK;
}

static enum of_status
check_all_there(struct of_emitter *emitter, const struct of_avro_schema *record, const struct wants *wants)
{
    for (int i = 0; i < OF_PLAN_ROLES; i++) {
        const char *rest = wants->rest[i];
        if (rest != NULL && of_avro_find_field(record, rest, strcspn(rest, ".")) == NULL)
            return missing(emitter, record, i, rest);
    }
    return OF_OK;
}

static enum of_status
read_record(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
            const struct wants *wants, uint32_t field)
{
    enum of_status status = check_all_there(emitter, reader != NULL ? reader : writer, wants);
    for (uint32_t i = 0; i < writer->count && status == OF_OK; i++) {
        const struct of_avro_field *from = &writer->fields[i];
        const char *name;
        const struct of_avro_schema *to = of_emit_reader(from, reader, &name);
        struct wants inner = within(wants, name);
        uint32_t at = of_emit_field(emitter, emitter->plan->fields[field].path, from->name, from->type);
        if (roles_of(&inner) != 0) {
            status = emit(emitter, from->type, to, &inner, at);
        } else {
            of_emit_note(emitter, at, "passed over");
            status = of_emit_pass_over(emitter, from->type, to, at);
        }
    }
    if (status == OF_OK && reader != NULL)
        status = read_missing(emitter, writer, reader, wants, field);
    return status;
}

static enum of_status
no_branch(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct wants *wants, uint32_t field,
          const struct of_error *first)
{
    if (leads_further(wants) && first->text[0] != '\0')
        return of_error_set(emitter->err, OF_POISON, "%s", first->text);
    return check_roles(emitter, writer, wants, field);
}

/* One branch; what cannot be read of it is an error only for the records that have it. */
static bool
read_branch(struct of_emitter *emitter, const struct of_avro_schema *branch, const struct of_avro_schema *reader,
            const struct wants *wants, uint32_t field, struct of_error *first)
{
    struct of_error err = { 0 };
    struct of_emitter attempt = *emitter;
    attempt.err = &err;
    uint32_t start = emitter->plan->op_count, known = emitter->plan->field_count;
    enum of_status status = OF_OK;
    if (reader != NULL && of_resolution_fit(emitter->resolution, branch, reader) == OF_FIT_NEVER)
        status = of_resolution_explain(emitter->resolution, branch, reader, &err);
    else if (branch->type == OF_AVRO_NULL)
        of_emit_op(&attempt, OF_OP_NULL_FIELD, 0, field);
    else
        status = emit(&attempt, branch, reader, wants, field);
    attempt.err = emitter->err;
    *emitter = attempt;
    if (status == OF_OK)
        return branch->type != OF_AVRO_NULL;
    emitter->plan->op_count = start;
    emitter->label = start;
    of_emit_drop_fields(emitter, known);
    of_emit_unfit(emitter, err.text, field);
    if (first->text[0] == '\0')
        *first = err;
    return false;
}

static enum of_status
read_union(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
           const struct wants *wants, uint32_t field)
{
    struct of_error first = { 0 };
    uint32_t start = emitter->plan->op_count, good = 0, targets = of_emit_targets(emitter, writer->count);
    of_emit_op(emitter, OF_OP_UNION, writer->count, field)->to = targets;
    of_emit_note(emitter, field, ""); /* its parts have notes of their own; as a leaf it is set below */
    for (uint32_t i = 0; i < writer->count; i++) {
        emitter->plan->targets[targets + i] = of_emit_label(emitter);
        good += read_branch(emitter, writer->branches[i], reader, wants, field, &first);
        if (i + 1 < writer->count)
            of_emit_op(emitter, OF_OP_JUMP, 0, field)->to = OF_EMIT_UNKNOWN;
    }
    of_emit_land(emitter, start);
    if (good == 0)
        return no_branch(emitter, writer, wants, field, &first);
    if (leads_further(wants))
        of_emit_note(emitter, field, "looked into");
    else
        note_roles(emitter, field, roles_of(wants), good < writer->count ? ", unless it is of another branch" : "");
    return OF_OK;
}

static enum of_status
emit(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
     const struct wants *wants, uint32_t field)
{
    if (writer->type == OF_AVRO_UNION)
        return read_union(emitter, writer, reader, wants, field);
    if (reader != NULL && reader->type == OF_AVRO_UNION)
        reader = of_resolution_branch(emitter->resolution, writer, reader);
    if (writer->type == OF_AVRO_RECORD && leads_further(wants)) {
        if (field > 0)
            of_emit_note(emitter, field, "looked into");
        return read_record(emitter, writer, reader, wants, field);
    }
    return read_leaf(emitter, writer, reader, wants, field);
}

/* ---- the whole plan ---- */

/* A branch of nothing, null mostly, goes on where its jump leads. */
static void
thread_branches(struct of_plan *plan)
{
    for (uint32_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i] < plan->op_count && plan->ops[plan->targets[i]].kind == OF_OP_JUMP)
            plan->targets[i] = plan->ops[plan->targets[i]].to;
}

enum of_status
of_plan_emit(struct of_plan *plan, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
             const struct of_resolution *resolution, const struct of_plan_fields *fields, struct of_error *err)
{
    struct of_error own;
    struct of_emitter emitter = { .plan = plan, .resolution = resolution, .err = err != NULL ? err : &own };
    const struct wants wants = { { fields->value, fields->group_by, fields->id } };
    uint32_t field = of_emit_field(&emitter, "", "", writer);
    if (reader != NULL && reader->type == OF_AVRO_UNION)
        reader = of_resolution_branch(resolution, writer, reader);
    enum of_status status = read_record(&emitter, writer, reader, &wants, field);
    of_emit_op(&emitter, OF_OP_END, 0, field);
    if (status == OF_OK)
        status = of_emit_routines(&emitter);
    if (status == OF_OK)
        thread_branches(plan);
    free(emitter.routines);
    return status;
}
