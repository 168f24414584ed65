#include "avro/emitter.h"

#include <stdlib.h>

#include "core/memory.h"

struct of_op *
of_emit_op(struct of_emitter *emitter, enum of_op_kind kind, uint32_t count, uint32_t field)
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

uint32_t
of_emit_label(struct of_emitter *emitter)
{
    return emitter->label = emitter->plan->op_count;
}

void
of_emit_skip(struct of_emitter *emitter, uint64_t bytes, uint32_t field)
{
    struct of_plan *plan = emitter->plan;
    if (bytes == 0)
        return;
    struct of_op *last = plan->op_count > emitter->label ? &plan->ops[plan->op_count - 1] : NULL;
    if (last != NULL && last->kind == OF_OP_SKIP && last->count <= UINT32_MAX - bytes)
        last->count += (uint32_t)bytes;
    else
        of_emit_op(emitter, OF_OP_SKIP, (uint32_t)bytes, field);
}

static uint32_t
of_emit_text(struct of_emitter *emitter, const char *text)
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

uint32_t
of_emit_targets(struct of_emitter *emitter, uint32_t count)
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

uint32_t
of_emit_field(struct of_emitter *emitter, const char *parent, const char *name, const struct of_avro_schema *type)
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

void
of_emit_drop_fields(struct of_emitter *emitter, uint32_t known)
{
    struct of_plan *plan = emitter->plan;
    while (plan->field_count > known) {
        struct of_plan_field *field = &plan->fields[--plan->field_count];
        free(field->path);
        free(field->type);
        free(field->note);
    }
}

void
of_emit_note(struct of_emitter *emitter, uint32_t field, const char *text)
{
    free(emitter->plan->fields[field].note);
    emitter->plan->fields[field].note = of_strdup(text);
}

void
of_emit_unfit(struct of_emitter *emitter, const char *why, uint32_t field)
{
    uint32_t text = of_emit_text(emitter, why);
    of_emit_op(emitter, OF_OP_UNFIT, 0, field)->to = text;
}

void
of_emit_land(struct of_emitter *emitter, uint32_t start)
{
    uint32_t here = of_emit_label(emitter);
    for (uint32_t i = start; i < here; i++)
        if (emitter->plan->ops[i].kind == OF_OP_JUMP && emitter->plan->ops[i].to == OF_EMIT_UNKNOWN)
            emitter->plan->ops[i].to = here;
}

uint32_t
of_emit_symbols(struct of_emitter *emitter, const struct of_avro_schema *writer, const struct of_avro_schema *reader)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < writer->count; i++) {
        const char *symbol = writer->symbols[i];
        uint32_t at = of_emit_text(emitter, reader != NULL ? of_resolution_symbol(symbol, reader) : symbol);
        first = i == 0 ? at : first;
    }
    return first;
}

const struct of_avro_schema *
of_emit_reader(const struct of_avro_field *field, const struct of_avro_schema *reader, const char **name)
{
    if (reader == NULL) {
        *name = field->name;
        return NULL;
    }
    const struct of_avro_field *to = of_resolution_field(field, reader);
    *name = to != NULL ? to->name : NULL;
    return to != NULL ? to->type : NULL;
}
