#include "avro/emit.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"

enum {
    INLINE_WEIGHT = 48,     /* steps up to which a record that is passed over is written out in line */
    INLINE_OPS_MAX = 4096,  /* none in plans that are longer than that anyway */
    OPS_MAX = 1 << 21,
    ROUTINES_MAX = 10000,
};

static const uint32_t unknown = UINT32_MAX; /* where a jump leads, or a routine begins, that is not known yet */

/* A record that is passed over by a call. */
struct routine {
    const struct of_avro_schema *writer, *reader;
    uint32_t start;
};

struct emitter {
    struct of_plan *plan;
    const struct of_resolution *resolution;
    struct of_error *err;
    struct routine *routines;
    uint32_t routine_count, routine_room;
    uint32_t label; /* something jumps to this step, or to one before it: nothing may be merged across */
};

/* By role: what is left of its path below this type. "": it is this type; NULL: it is not in it. */
struct wants {
    const char *rest[OF_PLAN_ROLES];
};

static enum of_status emit(struct emitter *emitter, const struct of_avro_schema *writer,
                           const struct of_avro_schema *reader, const struct wants *wants, uint32_t field);
static enum of_status pass_over(struct emitter *emitter, const struct of_avro_schema *writer,
                                const struct of_avro_schema *reader, uint32_t field);

/* ---- pieces of the plan ---- */

static struct of_op *
add_op(struct emitter *emitter, enum of_op_kind kind, uint32_t count, uint32_t field)
{
    struct of_plan *plan = emitter->plan;
    if (plan->op_count == plan->op_room) {
        plan->op_room = plan->op_room ? 2 * plan->op_room : 16;
        plan->ops = of_realloc_array(plan->ops, plan->op_room, sizeof *plan->ops);
    }
    struct of_op *op = &plan->ops[plan->op_count++];
    *op = (struct of_op) { .kind = (uint8_t)kind, .count = count, .field = field };
    return op;
}

/* What comes next can be jumped to. */
static uint32_t
label(struct emitter *emitter)
{
    return emitter->label = emitter->plan->op_count;
}

/* Passes over bytes, in one step with those before. */
static void
skip_bytes(struct emitter *emitter, uint64_t bytes, uint32_t field)
{
    struct of_plan *plan = emitter->plan;
    if (bytes == 0)
        return;
    struct of_op *last = plan->op_count > emitter->label ? &plan->ops[plan->op_count - 1] : NULL;
    if (last != NULL && last->kind == OF_OP_SKIP && last->count <= UINT32_MAX - bytes)
        last->count += (uint32_t)bytes;
    else
        add_op(emitter, OF_OP_SKIP, (uint32_t)bytes, field);
}

static uint32_t
add_text(struct emitter *emitter, const char *text)
{
    struct of_plan *plan = emitter->plan;
    if (plan->text_count + 1 >= plan->text_room) {
        plan->text_room = plan->text_room ? 2 * plan->text_room : 8;
        plan->texts = of_realloc_array(plan->texts, plan->text_room, sizeof *plan->texts);
    }
    if (plan->text_count == 0)
        plan->texts[plan->text_count++] = NULL;
    plan->texts[plan->text_count] = text != NULL ? of_strdup(text) : NULL;
    return plan->text_count++;
}

static uint32_t
add_targets(struct emitter *emitter, uint32_t count)
{
    struct of_plan *plan = emitter->plan;
    uint32_t first = plan->target_count;
    plan->target_count += count; /* those of branches that are given up stay, and are not used */
    if (plan->target_count > plan->target_room) {
        plan->target_room = 2 * plan->target_count;
        plan->targets = of_realloc_array(plan->targets, plan->target_room, sizeof *plan->targets);
    }
    return first;
}

static uint32_t
add_field(struct emitter *emitter, const char *parent, const char *name, const struct of_avro_schema *type)
{
    struct of_plan *plan = emitter->plan;
    char text[OF_AVRO_NAME_BYTES], *path = NULL;
    if (plan->field_count == plan->field_room) {
        plan->field_room = plan->field_room ? 2 * plan->field_room : 16;
        plan->fields = of_realloc_array(plan->fields, plan->field_room, sizeof *plan->fields);
    }
    if (asprintf(&path, "%s%s%s", parent, *parent != '\0' ? "." : "", name) < 0)
        path = of_strdup(name);
    plan->fields[plan->field_count] = (struct of_plan_field) { path, of_strdup(of_avro_describe(type, text)), NULL };
    return plan->field_count++;
}

static void
drop_fields(struct emitter *emitter, uint32_t known)
{
    struct of_plan *plan = emitter->plan;
    while (plan->field_count > known) {
        struct of_plan_field *field = &plan->fields[--plan->field_count];
        free(field->path);
        free(field->type);
        free(field->note);
    }
}

static void
note(struct emitter *emitter, uint32_t field, const char *text)
{
    free(emitter->plan->fields[field].note);
    emitter->plan->fields[field].note = of_strdup(text);
}

static void
unfit(struct emitter *emitter, const char *why, uint32_t field)
{
    uint32_t text = add_text(emitter, why);
    add_op(emitter, OF_OP_UNFIT, 0, field)->to = text;
}

/* All jumps behind `start` whose end is not known lead here. */
static void
land_jumps(struct emitter *emitter, uint32_t start)
{
    uint32_t here = label(emitter);
    for (uint32_t i = start; i < here; i++)
        if (emitter->plan->ops[i].kind == OF_OP_JUMP && emitter->plan->ops[i].to == unknown)
            emitter->plan->ops[i].to = here;
}

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
note_roles(struct emitter *emitter, uint32_t field, unsigned roles, const char *how)
{
    char text[OF_AVRO_NAME_BYTES + 80];
    size_t length = 0;
    for (int i = 0; i < OF_PLAN_ROLES; i++)
        if (roles & of_plan_roles[i].role)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length > 0 ? ", " : "",
                                       of_plan_roles[i].name);
    snprintf(text + length, sizeof text - length, "%s", how);
    note(emitter, field, text);
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
check_roles(struct emitter *emitter, const struct of_avro_schema *as, const struct wants *wants, uint32_t field)
{
    char text[OF_AVRO_NAME_BYTES];
    const char *path = emitter->plan->fields[field].path;
    for (int i = 0; i < OF_PLAN_ROLES; i++) {
        if (wants->rest[i] == NULL)
            continue;
        if (*wants->rest[i] != '\0')
            return of_error_set(emitter->err, OF_POISON, "the field \"%.200s\" is of type %s: there is no \"%.200s\" in it",
                                path, of_avro_describe(as, text), wants->rest[i]);
        if (!can_have(as, of_plan_roles[i].role))
            return of_error_set(emitter->err, OF_POISON, "the %s field \"%.200s\" is of type %s; it must be %s",
                                of_plan_roles[i].name, path, of_avro_describe(as, text), of_plan_roles[i].types);
    }
    if (as->logical == OF_AVRO_DECIMAL && as->scale > OF_SCALE_MAX)
        return of_error_set(emitter->err, OF_POISON, "the field \"%.200s\" is of type %s; at most %d decimals can be read",
                            path, of_avro_describe(as, text), OF_SCALE_MAX);
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

/* texts of what the writer's symbols become; where they begin. */
static uint32_t
add_symbols(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < writer->count; i++) {
        const char *symbol = writer->symbols[i];
        uint32_t at = add_text(emitter, reader != NULL ? of_resolution_symbol(symbol, reader) : symbol);
        first = i == 0 ? at : first;
    }
    return first;
}

/* ---- wanted fields ---- */

static enum of_status
read_leaf(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
          const struct wants *wants, uint32_t field)
{
    const struct of_avro_schema *as = reader != NULL ? reader : writer;
    unsigned roles = roles_of(wants);
    enum of_status status = check_roles(emitter, as, wants, field);
    if (status != OF_OK)
        return status;
    enum of_op_kind kind = kind_of(writer, as, roles);
    uint32_t count = writer->type == OF_AVRO_ENUM ? writer->count : writer->type == OF_AVRO_FIXED ? writer->size : 0;
    uint32_t symbols = kind == OF_OP_ENUM ? add_symbols(emitter, writer, reader) : 0;
    struct of_op *op = add_op(emitter, kind, count, field);
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
missing(struct emitter *emitter, const struct of_avro_schema *record, int role, const char *rest)
{
    return of_error_set(emitter->err, OF_POISON, "the record %.200s has no field \"%.*s\" to take the %s from; set --%s",
                        record->name, (int)strcspn(rest, "."), rest, of_plan_roles[role].name,
                        of_plan_roles[role].option);
}

static enum of_status
read_default(struct emitter *emitter, const struct of_avro_schema *type, const json_t *initial,
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
            uint32_t at = add_field(emitter, plan->fields[field].path, type->fields[i].name, type->fields[i].type);
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
    struct of_op *op = add_op(emitter, OF_OP_CONSTANT, 0, field);
    op->roles = (uint8_t)roles_of(wants);
    op->to = plan->constant_count++;
    note_roles(emitter, field, roles_of(wants), ", the default of the reader's schema");
    return OF_OK;
}

static enum of_status
read_missing(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
             const struct wants *wants, uint32_t field)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        const struct of_avro_field *missed = &reader->fields[i];
        struct wants inner = within(wants, missed->name);
        if (roles_of(&inner) == 0 || of_resolution_source(writer, reader, missed) != NULL)
            continue;
        uint32_t at = add_field(emitter, emitter->plan->fields[field].path, missed->name, missed->type);
        enum of_status status = read_default(emitter, missed->type, missed->initial, &inner, at);
        if (status != OF_OK)
            return status;
    }
    return OF_OK;
}

static enum of_status
check_all_there(struct emitter *emitter, const struct of_avro_schema *record, const struct wants *wants)
{
    for (int i = 0; i < OF_PLAN_ROLES; i++) {
        const char *rest = wants->rest[i];
        if (rest != NULL && of_avro_find_field(record, rest, strcspn(rest, ".")) == NULL)
            return missing(emitter, record, i, rest);
    }
    return OF_OK;
}

static const struct of_avro_schema *
reader_of(const struct of_avro_field *field, const struct of_avro_schema *reader, const char **name)
{
    if (reader == NULL) {
        *name = field->name;
        return NULL;
    }
    const struct of_avro_field *to = of_resolution_field(field, reader);
    *name = to != NULL ? to->name : NULL;
    return to != NULL ? to->type : NULL;
}

static enum of_status
read_record(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
            const struct wants *wants, uint32_t field)
{
    enum of_status status = check_all_there(emitter, reader != NULL ? reader : writer, wants);
    for (uint32_t i = 0; i < writer->count && status == OF_OK; i++) {
        const struct of_avro_field *from = &writer->fields[i];
        const char *name;
        const struct of_avro_schema *to = reader_of(from, reader, &name);
        struct wants inner = within(wants, name);
        uint32_t at = add_field(emitter, emitter->plan->fields[field].path, from->name, from->type);
        if (roles_of(&inner) != 0) {
            status = emit(emitter, from->type, to, &inner, at);
        } else {
            note(emitter, at, "passed over");
            status = pass_over(emitter, from->type, to, at);
        }
    }
    if (status == OF_OK && reader != NULL)
        status = read_missing(emitter, writer, reader, wants, field);
    return status;
}

static enum of_status
no_branch(struct emitter *emitter, const struct of_avro_schema *writer, const struct wants *wants, uint32_t field,
          const struct of_error *first)
{
    if (leads_further(wants) && first->text[0] != '\0')
        return of_error_set(emitter->err, OF_POISON, "%s", first->text);
    return check_roles(emitter, writer, wants, field);
}

/* One branch; what cannot be read of it is an error only for the records that have it. */
static bool
read_branch(struct emitter *emitter, const struct of_avro_schema *branch, const struct of_avro_schema *reader,
            const struct wants *wants, uint32_t field, struct of_error *first)
{
    struct of_error err = { 0 };
    struct emitter attempt = *emitter;
    attempt.err = &err;
    uint32_t start = emitter->plan->op_count, known = emitter->plan->field_count;
    enum of_status status = OF_OK;
    if (reader != NULL && of_resolution_fit(emitter->resolution, branch, reader) == OF_FIT_NEVER)
        status = of_resolution_explain(emitter->resolution, branch, reader, &err);
    else if (branch->type == OF_AVRO_NULL)
        add_op(&attempt, OF_OP_NULL_FIELD, 0, field);
    else
        status = emit(&attempt, branch, reader, wants, field);
    attempt.err = emitter->err;
    *emitter = attempt;
    if (status == OF_OK)
        return branch->type != OF_AVRO_NULL;
    emitter->plan->op_count = start;
    emitter->label = start;
    drop_fields(emitter, known);
    unfit(emitter, err.text, field);
    if (first->text[0] == '\0')
        *first = err;
    return false;
}

static enum of_status
read_union(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
           const struct wants *wants, uint32_t field)
{
    struct of_error first = { 0 };
    uint32_t start = emitter->plan->op_count, good = 0, targets = add_targets(emitter, writer->count);
    add_op(emitter, OF_OP_UNION, writer->count, field)->to = targets;
    note(emitter, field, ""); /* its parts have notes of their own; as a leaf it is set below */
    for (uint32_t i = 0; i < writer->count; i++) {
        emitter->plan->targets[targets + i] = label(emitter);
        good += read_branch(emitter, writer->branches[i], reader, wants, field, &first);
        if (i + 1 < writer->count)
            add_op(emitter, OF_OP_JUMP, 0, field)->to = unknown;
    }
    land_jumps(emitter, start);
    if (good == 0)
        return no_branch(emitter, writer, wants, field, &first);
    if (leads_further(wants))
        note(emitter, field, "looked into");
    else
        note_roles(emitter, field, roles_of(wants), good < writer->count ? ", unless it is of another branch" : "");
    return OF_OK;
}

static enum of_status
emit(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
     const struct wants *wants, uint32_t field)
{
    if (writer->type == OF_AVRO_UNION)
        return read_union(emitter, writer, reader, wants, field);
    if (reader != NULL && reader->type == OF_AVRO_UNION)
        reader = of_resolution_branch(writer, reader);
    if (writer->type == OF_AVRO_RECORD && leads_further(wants)) {
        if (field > 0)
            note(emitter, field, "looked into");
        return read_record(emitter, writer, reader, wants, field);
    }
    return read_leaf(emitter, writer, reader, wants, field);
}

/* ---- what is passed over ---- */

static void
call_routine(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
             uint32_t field)
{
    uint32_t at = 0;
    while (at < emitter->routine_count &&
           (emitter->routines[at].writer != writer || emitter->routines[at].reader != reader))
        at++;
    if (at == emitter->routine_count) {
        if (emitter->routine_count == emitter->routine_room) {
            emitter->routine_room = emitter->routine_room ? 2 * emitter->routine_room : 8;
            emitter->routines = of_realloc_array(emitter->routines, emitter->routine_room, sizeof *emitter->routines);
        }
        emitter->routines[emitter->routine_count++] = (struct routine) { writer, reader, unknown };
    }
    add_op(emitter, OF_OP_CALL, 0, field)->to = at; /* the routine's number, until all are written */
}

static enum of_status
pass_fields(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
            const char *parent)
{
    enum of_status status = OF_OK;
    for (uint32_t i = 0; i < writer->count && status == OF_OK; i++) {
        const char *name;
        const struct of_avro_schema *to = reader_of(&writer->fields[i], reader, &name);
        uint32_t at = add_field(emitter, parent, writer->fields[i].name, writer->fields[i].type);
        status = pass_over(emitter, writer->fields[i].type, to, at);
    }
    return status;
}

static enum of_status
pass_record(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
            uint32_t field)
{
    if (writer->weight > INLINE_WEIGHT || emitter->plan->op_count > INLINE_OPS_MAX) {
        call_routine(emitter, writer, reader, field);
        return OF_OK;
    }
    char *parent = of_strdup(emitter->plan->fields[field].path);
    enum of_status status = pass_fields(emitter, writer, reader, parent);
    free(parent);
    return status;
}

static enum of_status
pass_union(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
           uint32_t field)
{
    uint32_t start = emitter->plan->op_count, targets = add_targets(emitter, writer->count);
    add_op(emitter, OF_OP_UNION, writer->count, field)->to = targets;
    enum of_status status = OF_OK;
    for (uint32_t i = 0; i < writer->count && status == OF_OK; i++) {
        const struct of_avro_schema *branch = writer->branches[i];
        emitter->plan->targets[targets + i] = label(emitter);
        status = pass_over(emitter, branch, reader, field);
        if (i + 1 < writer->count)
            add_op(emitter, OF_OP_JUMP, 0, field)->to = unknown;
    }
    land_jumps(emitter, start);
    return status;
}

/* Items without any bytes need no loop either: their number is bounded by decode.c. */
static enum of_status
pass_items(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
           uint32_t field)
{
    bool map = writer->type == OF_AVRO_MAP;
    const struct of_avro_schema *items = writer->items;
    if (!map && reader == NULL && items->constant) {
        add_op(emitter, OF_OP_ITEMS, (uint32_t)items->min_bytes, field);
        return OF_OK;
    }
    uint64_t least = items->min_bytes + map; /* not 0: a map's key has a byte, and items without any are above, */
    least += least == 0; /* or do not fit whatever they are */
    add_op(emitter, OF_OP_LOOP, 0, field);
    uint32_t block = emitter->plan->op_count;
    struct of_op *op = add_op(emitter, OF_OP_BLOCK, least < UINT32_MAX ? (uint32_t)least : UINT32_MAX, field);
    op->as = reader == NULL;
    label(emitter);
    if (map)
        add_op(emitter, OF_OP_BYTES, 0, field);
    enum of_status status = pass_over(emitter, items, reader != NULL ? reader->items : NULL, field);
    add_op(emitter, OF_OP_NEXT, 0, field)->to = block;
    emitter->plan->ops[block].to = label(emitter);
    return status;
}

/* Passes over a value; `reader` matters only where not every value fits it. */
static enum of_status
pass_over(struct emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
          uint32_t field)
{
    if (emitter->plan->op_count > OPS_MAX)
        return of_error_set(emitter->err, OF_POISON, "the schema is too large");
    enum of_fit fit = reader != NULL ? of_resolution_fit(emitter->resolution, writer, reader) : OF_FIT_ALWAYS;
    if (fit == OF_FIT_NEVER) { /* an error only for the records that come here */
        struct of_error why;
        of_resolution_explain(emitter->resolution, writer, reader, &why);
        unfit(emitter, why.text, field);
        return OF_OK;
    }
    if (fit == OF_FIT_ALWAYS)
        reader = NULL;
    if (reader != NULL && reader->type == OF_AVRO_UNION && writer->type != OF_AVRO_UNION)
        reader = of_resolution_branch(writer, reader);
    if (writer->constant && reader == NULL) {
        skip_bytes(emitter, writer->min_bytes, field);
        return OF_OK;
    }
    switch (writer->type) {
    case OF_AVRO_RECORD: return pass_record(emitter, writer, reader, field);
    case OF_AVRO_UNION: return pass_union(emitter, writer, reader, field);
    case OF_AVRO_ARRAY:
    case OF_AVRO_MAP: return pass_items(emitter, writer, reader, field);
    case OF_AVRO_ENUM: {
        uint32_t symbols = reader != NULL ? add_symbols(emitter, writer, reader) : 0;
        add_op(emitter, OF_OP_ENUM, writer->count, field)->to = symbols;
        return OF_OK;
    }
    case OF_AVRO_BOOLEAN: add_op(emitter, OF_OP_BOOLEAN, 0, field); return OF_OK;
    case OF_AVRO_INT: add_op(emitter, OF_OP_INT, 0, field); return OF_OK;
    case OF_AVRO_LONG: add_op(emitter, OF_OP_LONG, 0, field); return OF_OK;
    default: add_op(emitter, OF_OP_BYTES, 0, field); return OF_OK;
    }
}

/* ---- the whole plan ---- */

/* Routines may call further ones, which come behind them. */
static enum of_status
write_routines(struct emitter *emitter)
{
    enum of_status status = OF_OK;
    for (uint32_t i = 0; i < emitter->routine_count && status == OF_OK; i++) {
        struct routine routine = emitter->routines[i];
        if (i == ROUTINES_MAX)
            return of_error_set(emitter->err, OF_POISON, "the schema has too many records");
        emitter->routines[i].start = label(emitter);
        uint32_t field = emitter->plan->field_count;
        status = pass_fields(emitter, routine.writer, routine.reader, routine.writer->name);
        add_op(emitter, OF_OP_RETURN, 0, field < emitter->plan->field_count ? field : 0);
    }
    for (uint32_t i = 0; i < emitter->plan->op_count && status == OF_OK; i++)
        if (emitter->plan->ops[i].kind == OF_OP_CALL)
            emitter->plan->ops[i].to = emitter->routines[emitter->plan->ops[i].to].start;
    return status;
}

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
    struct emitter emitter = { .plan = plan, .resolution = resolution, .err = err != NULL ? err : &own };
    const struct wants wants = { { fields->value, fields->group_by, fields->id } };
    uint32_t field = add_field(&emitter, "", "", writer);
    if (reader != NULL && reader->type == OF_AVRO_UNION)
        reader = of_resolution_branch(writer, reader);
    enum of_status status = read_record(&emitter, writer, reader, &wants, field);
    add_op(&emitter, OF_OP_END, 0, field);
    if (status == OF_OK)
        status = write_routines(&emitter);
    if (status == OF_OK)
        thread_branches(plan);
    free(emitter.routines);
    return status;
}
