#include "stages/tell.h"

#include <stdio.h>

#include "avro/plan.h"
#include "core/assert.h"

/* Copies what fits. Returns the length; says whether it was cut. */
static uint8_t
copy_field(char *to, struct of_slice from, bool *cut)
{
    size_t length = from.length < OF_EVENT_FIELD_BYTES ? from.length : OF_EVENT_FIELD_BYTES;
    if (length > 0)
        memcpy(to, from.data, length);
    *cut = length < from.length;
    return (uint8_t)length;
}

/* The order is read once more: only the console and failures need its names, so batches do not carry them. */
static void
copy_order(struct of_event *event, const struct of_batch *batch, uint32_t at, const struct of_record *record)
{
    struct of_decoded decoded;
    event->has_order = false;
    if (batch->plan == NULL || record->value.data == NULL || record->value.length < batch->body_at[at])
        return;
    struct of_slice body = of_slice_of(record->value.data + batch->body_at[at],
                                       record->value.length - batch->body_at[at]);
    if (of_plan_decode(batch->plan, body, &decoded) != OF_DECODE_OK)
        return;
    event->has_order = true;
    event->id_length = copy_field(event->id, decoded.id, &event->id_cut);
    event->group_length = copy_field(event->group, decoded.group, &event->group_cut);
    event->value_kind = decoded.kind;
    event->value_scale = decoded.scale;
    if (decoded.kind == OF_VALUE_SCALED) {
        event->scaled = decoded.scaled;
        event->value = of_scaled_round(decoded.scaled, decoded.scale);
    } else {
        event->value = decoded.value;
    }
}

/* Whether the order's fields could be read before it failed. */
static bool
was_decoded(enum of_cause cause)
{
    return cause == OF_CAUSE_NONE || cause == OF_CAUSE_INVALID_VALUE || of_cause_class(cause) == OF_CLASS_TRANSIENT;
}

void
of_tell_record(struct of_event *event, enum of_event_kind kind, const struct of_batch *batch, uint32_t at,
               const struct of_record *record, const struct of_letter_facts *facts)
{
    event->kind = kind;
    event->cause = facts->cause;
    event->wall_ms = facts->now_ms;
    event->topic = batch->slot->topic;
    event->partition = batch->slot->partition;
    event->offset = record->offset;
    event->origin_partition = facts->origin.partition;
    event->origin_offset = facts->origin.offset;
    snprintf(event->origin_topic, sizeof event->origin_topic, "%.*s", (int)facts->origin.topic.length,
             (const char *)facts->origin.topic.data);
    event->attempt = facts->attempts;
    event->text[0] = '\0';
    event->has_order = false;
    if (was_decoded(facts->cause))
        copy_order(event, batch, at, record);
    /* What the cause says by itself need not be said again. */
    if (facts->message != NULL && facts->message != of_cause_text(facts->cause))
        snprintf(event->text, sizeof event->text, "%s", facts->message);
}

void
of_tell_partition(struct of_event *event, enum of_event_kind kind, const struct of_slot *slot, int64_t offset,
                  enum of_cause cause, const char *text, int64_t wall_ms)
{
    event->kind = kind;
    event->cause = cause;
    event->wall_ms = wall_ms;
    event->topic = slot->topic;
    event->partition = slot->partition;
    event->offset = offset;
    event->origin_topic[0] = '\0';
    event->attempt = 0;
    event->has_order = false;
    snprintf(event->text, sizeof event->text, "%s", text != NULL ? text : "");
}
