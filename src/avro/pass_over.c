#include "avro/emitter.h"

#include <stdlib.h>

#include "core/memory.h"

enum {
    INLINE_WEIGHT = 48,    /* steps up to which a record that is passed over is written out in line */
    INLINE_OPS_MAX = 4096, /* none in plans that are longer than that anyway */
    OPS_MAX = 1 << 21,
    ROUTINES_MAX = 10000,
};

static enum of_status
call_routine(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
             uint32_t field)
{
    uint32_t at = 0;
    while (at < emitter->routine_count &&
           (emitter->routines[at].writer != writer || emitter->routines[at].reader != reader))
        at++;
    if (at == ROUTINES_MAX)
        return of_error_set(emitter->err, OF_POISON, "the schema has too many records");
    if (at == emitter->routine_count) {
        if (emitter->routine_count == emitter->routine_room) {
            emitter->routine_room = emitter->routine_room ? 2 * emitter->routine_room : 8;
            emitter->routines = of_realloc_array(emitter->routines, emitter->routine_room, sizeof *emitter->routines);
        }
        emitter->routines[emitter->routine_count++] = (struct of_routine) { writer, reader, OF_EMIT_UNKNOWN };
    }
    of_emit_op(emitter, OF_OP_CALL, 0, field)->to = at; /* the routine's number, until all are written */
    return OF_OK;
}

static enum of_status
pass_fields(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
            const char *parent)
{
    enum of_status status = OF_OK;
    for (uint32_t i = 0; i < writer->count && status == OF_OK; i++) {
        const char *name;
        const struct of_avro_schema *to = of_emit_reader(&writer->fields[i], reader, &name);
        uint32_t at = of_emit_field(emitter, parent, writer->fields[i].name, writer->fields[i].type);
        status = of_emit_pass_over(emitter, writer->fields[i].type, to, at);
    }
    return status;
}

static enum of_status
pass_record(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
            uint32_t field)
{
    if (writer->weight > INLINE_WEIGHT || emitter->plan->op_count > INLINE_OPS_MAX)
        return call_routine(emitter, writer, reader, field);
    char *parent = of_strdup(emitter->plan->fields[field].path);
    enum of_status status = pass_fields(emitter, writer, reader, parent);
    free(parent);
    return status;
}

static bool
is_text(const struct of_avro_schema *type)
{
    return type->type == OF_AVRO_BYTES || type->type == OF_AVRO_STRING;
}

/* A nullable string has a step of its own, as there are so many. */
static bool
pass_option(struct of_emitter *emitter, const struct of_avro_schema *writer, uint32_t field)
{
    if (writer->count != 2)
        return false;
    for (uint32_t none = 0; none < 2; none++)
        if (writer->branches[none]->type == OF_AVRO_NULL && is_text(writer->branches[1 - none])) {
            of_emit_op(emitter, OF_OP_OPTION, none, field);
            return true;
        }
    return false;
}

static enum of_status
pass_union(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
           uint32_t field)
{
    if (reader == NULL && pass_option(emitter, writer, field))
        return OF_OK;
    uint32_t start = emitter->plan->op_count, targets = of_emit_targets(emitter, writer->count);
    of_emit_op(emitter, OF_OP_UNION, writer->count, field)->to = targets;
    enum of_status status = OF_OK;
    for (uint32_t i = 0; i < writer->count && status == OF_OK; i++) {
        const struct of_avro_schema *branch = writer->branches[i];
        emitter->plan->targets[targets + i] = of_emit_label(emitter);
        status = of_emit_pass_over(emitter, branch, reader, field);
        if (i + 1 < writer->count)
            of_emit_op(emitter, OF_OP_JUMP, 0, field)->to = OF_EMIT_UNKNOWN;
    }
    of_emit_land(emitter, start);
    return status;
}

/* Items without any bytes need no loop either: their number is bounded by decode.c. */
static enum of_status
pass_items(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
           uint32_t field)
{
    bool map = writer->type == OF_AVRO_MAP;
    const struct of_avro_schema *items = writer->items;
    if (!map && reader == NULL && items->constant) {
        of_emit_op(emitter, OF_OP_ITEMS, (uint32_t)items->min_bytes, field);
        return OF_OK;
    }
    if (!map && reader == NULL && is_text(items)) {
        of_emit_op(emitter, OF_OP_TEXTS, 0, field);
        return OF_OK;
    }
    uint64_t least = items->min_bytes + map; /* not 0: a map's key has a byte, and items without any are above, */
    least += least == 0; /* or do not fit whatever they are */
    of_emit_op(emitter, OF_OP_LOOP, 0, field);
    uint32_t block = emitter->plan->op_count;
    struct of_op *op = of_emit_op(emitter, OF_OP_BLOCK, least < UINT32_MAX ? (uint32_t)least : UINT32_MAX, field);
    op->as = reader == NULL;
    of_emit_label(emitter);
    if (map)
        of_emit_op(emitter, OF_OP_BYTES, 0, field);
    enum of_status status = of_emit_pass_over(emitter, items, reader != NULL ? reader->items : NULL, field);
    of_emit_op(emitter, OF_OP_NEXT, 0, field)->to = block;
    emitter->plan->ops[block].to = of_emit_label(emitter);
    return status;
}

enum of_status
of_emit_pass_over(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader,
          uint32_t field)
{
    if (emitter->plan->op_count > OPS_MAX)
        return of_error_set(emitter->err, OF_POISON, "the schema is too large");
    enum of_fit fit = reader != NULL ? of_resolution_fit(emitter->resolution, writer, reader) : OF_FIT_ALWAYS;
    if (fit == OF_FIT_NEVER) { /* an error only for the records that come here */
        struct of_error why;
        of_resolution_explain(emitter->resolution, writer, reader, &why);
        of_emit_unfit(emitter, why.text, field);
        return OF_OK;
    }
    if (fit == OF_FIT_ALWAYS)
        reader = NULL;
    if (reader != NULL && reader->type == OF_AVRO_UNION && writer->type != OF_AVRO_UNION)
        reader = of_resolution_branch(emitter->resolution, writer, reader);
    if (writer->constant && reader == NULL) {
        of_emit_skip(emitter, writer->min_bytes, field);
        return OF_OK;
    }
    switch (writer->type) {
    case OF_AVRO_RECORD: return pass_record(emitter, writer, reader, field);
    case OF_AVRO_UNION: return pass_union(emitter, writer, reader, field);
    case OF_AVRO_ARRAY:
    case OF_AVRO_MAP: return pass_items(emitter, writer, reader, field);
    case OF_AVRO_ENUM: {
        uint32_t symbols = reader != NULL ? of_emit_symbols(emitter, writer, reader) : 0;
        of_emit_op(emitter, OF_OP_ENUM, writer->count, field)->to = symbols;
        return OF_OK;
    }
    case OF_AVRO_BOOLEAN: of_emit_op(emitter, OF_OP_BOOLEAN, 0, field); return OF_OK;
    case OF_AVRO_INT: of_emit_op(emitter, OF_OP_INT, 0, field); return OF_OK;
    case OF_AVRO_LONG: of_emit_op(emitter, OF_OP_LONG, 0, field); return OF_OK;
    default: of_emit_op(emitter, OF_OP_BYTES, 0, field); return OF_OK;
    }
}

/* Routines may call further ones, which come behind them. */
enum of_status
of_emit_routines(struct of_emitter *emitter)
{
    enum of_status status = OF_OK;
    for (uint32_t i = 0; i < emitter->routine_count && status == OF_OK; i++) {
        struct of_routine routine = emitter->routines[i];
        emitter->routines[i].start = of_emit_label(emitter);
        uint32_t field = emitter->plan->field_count;
        status = pass_fields(emitter, routine.writer, routine.reader, routine.writer->name);
        of_emit_op(emitter, OF_OP_RETURN, 0, field < emitter->plan->field_count ? field : 0);
    }
    for (uint32_t i = 0; i < emitter->plan->op_count && status == OF_OK; i++)
        if (emitter->plan->ops[i].kind == OF_OP_CALL)
            emitter->plan->ops[i].to = emitter->routines[emitter->plan->ops[i].to].start;
    return status;
}
