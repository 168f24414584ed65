#include "stages/decode.h"

#include <stdio.h>
#include <stdlib.h>

#include "avro/framing.h"
#include "avro/plan.h"
#include "core/assert.h"
#include "core/memory.h"
#include "order/cause.h"
#include "order/retry_header.h"

struct lane {
    struct of_batch *free;  /* the pool */
    struct of_batch *all;   /* its memory */
    uint32_t *held_epochs;  /* by slot index: this epoch is held, nothing of it goes on; 0: none */
    uint32_t held_room;
};

struct of_decode {
    struct of_decode_options options;
    struct lane *lanes;
};

/* What becomes of the record that was looked at. */
enum verdict {
    TAKEN,  /* it is in the batch */
    CUT,    /* it has another schema than the batch: it begins the next one */
    HOLD,   /* the partition cannot go on here */
    BROKEN, /* the source cannot read on here */
    END,    /* there was none */
};

/* ---- the pool ---- */

struct of_decode *
of_decode_create(const struct of_decode_options *options)
{
    struct of_decode *decode = of_alloc(sizeof *decode);
    decode->options = *options;
    decode->lanes = of_alloc_array(options->lanes, sizeof *decode->lanes);
    for (uint32_t i = 0; i < options->lanes; i++) {
        struct lane *lane = &decode->lanes[i];
        lane->all = of_alloc_lines(options->batches_per_lane * sizeof *lane->all);
        for (uint32_t b = 0; b < options->batches_per_lane; b++) {
            struct of_batch *batch = &lane->all[b];
            batch->item.kind = OF_ITEM_BATCH;
            batch->item.lane = i;
            batch->owner = options->instance;
            batch->next = lane->free;
            lane->free = batch;
        }
    }
    return decode;
}

void
of_decode_destroy(struct of_decode **decode)
{
    if (*decode == NULL)
        return;
    for (uint32_t i = 0; i < (*decode)->options.lanes; i++) {
        struct lane *lane = &(*decode)->lanes[i];
        for (uint32_t b = 0; b < (*decode)->options.batches_per_lane; b++)
            free(lane->all[b].origins);
        free(lane->all);
        free(lane->held_epochs);
    }
    free((*decode)->lanes);
    free(*decode);
    *decode = NULL;
}

/* A batch over the chunk from its cursor on; NULL when all are under way. */
static struct of_batch *
borrow(struct lane *lane, struct of_chunk *chunk)
{
    struct of_batch *batch = lane->free;
    if (batch == NULL)
        return NULL;
    lane->free = batch->next;
    batch->next = NULL;
    batch->item.rank = chunk->item.rank;
    batch->slot = chunk->slot;
    batch->chunk = chunk;
    batch->epoch = chunk->epoch;
    batch->count = 0;
    batch->failed = 0;
    batch->cursor = 0;
    batch->plan = NULL;
    /* Kept for the batch's next use: retry partitions come back to the same pool. */
    if (chunk->slot->role == OF_ROLE_RETRY && batch->origins == NULL)
        batch->origins = of_alloc_array(OF_BATCH_RECORDS, sizeof *batch->origins);
    return batch;
}

static void
give_back(struct lane *lane, struct of_batch *batch)
{
    batch->next = lane->free;
    lane->free = batch;
}

/* ---- one record ---- */

/* Where a record of the retry topic came from. False: it belongs to another consumer group. */
static bool
read_origin(const struct of_decode *decode, const struct of_chunk *chunk, const struct of_record *record,
            struct of_origin *origin)
{
    struct of_slice value;
    struct of_retry_header header;
    if (!of_record_header(chunk->ops, record, of_slice_str(OF_RETRY_HEADER_NAME), &value)
        || !of_retry_header_parse(value, &header)) {
        /* Nobody of ours wrote it: a new order that happens to stand here. */
        *origin = (struct of_origin) {
            .topic = of_slice_str(chunk->slot->topic),
            .partition = chunk->slot->partition,
            .offset = record->offset,
            .timestamp_ms = chunk->ops->timestamp_ms(record),
            .first_failed_ms = -1,
        };
        return true;
    }
    *origin = (struct of_origin) {
        .topic = header.origin_topic,
        .partition = header.origin_partition,
        .attempts = header.attempts,
        .offset = header.origin_offset,
        .timestamp_ms = header.origin_timestamp_ms,
        .first_failed_ms = header.first_failed_ms,
    };
    return of_slice_equal(header.group, decode->options.group);
}

static enum of_cause
cause_of_state(enum of_schema_state state)
{
    switch (state) {
    case OF_SCHEMA_READY: return OF_CAUSE_NONE;
    case OF_SCHEMA_PENDING: return OF_CAUSE_SCHEMA_PENDING;
    case OF_SCHEMA_UNKNOWN: return OF_CAUSE_UNKNOWN_SCHEMA;
    case OF_SCHEMA_UNRESOLVABLE: return OF_CAUSE_UNRESOLVABLE_SCHEMA;
    case OF_SCHEMA_UNAVAILABLE: return OF_CAUSE_REGISTRY_UNAVAILABLE;
    case OF_SCHEMA_DENIED: return OF_CAUSE_REGISTRY_DENIED;
    }
    OF_ASSERT(!"state of a schema");
    return OF_CAUSE_NONE;
}

/* Finds the plan for the record's schema: the batch's, or one from the cache. Why a registry does not answer is noted in
 * the chunk, in case it is held for that. */
static enum of_cause
find_plan(struct of_decode *decode, const struct of_batch *batch, uint32_t schema_id, const struct of_plan **plan)
{
    if (batch->plan != NULL && batch->schema_id == schema_id) {
        *plan = batch->plan;
        return OF_CAUSE_NONE;
    }
    struct of_schema_found found;
    enum of_schema_state state = of_schema_cache_find(decode->options.schemas, schema_id,
                                                      of_clock_mono_ns(decode->options.clock), &found);
    *plan = found.plan;
    if (found.text != NULL)
        snprintf(batch->chunk->held_text, sizeof batch->chunk->held_text, "%s", found.text);
    return cause_of_state(state);
}

/* Reads the order into row `at` of the batch. */
static enum verdict
read_order(struct of_decode *decode, struct of_batch *batch, uint32_t at, struct of_slice value, enum of_cause *cause)
{
    uint32_t schema_id;
    size_t body_at;
    const struct of_plan *plan = NULL;
    if (value.data == NULL) {
        *cause = OF_CAUSE_NULL_VALUE;
        return TAKEN;
    }
    if (!of_framing_parse(value, &schema_id, &body_at)) {
        *cause = OF_CAUSE_BAD_FRAMING;
        return TAKEN;
    }
    *cause = find_plan(decode, batch, schema_id, &plan);
    if (*cause != OF_CAUSE_NONE)
        return of_cause_class(*cause) == OF_CLASS_INFRASTRUCTURE ? HOLD : TAKEN;
    if (batch->plan != NULL && batch->plan != plan)
        return CUT;
    batch->plan = plan;
    batch->schema_id = schema_id;

    struct of_decoded decoded;
    batch->body_at[at] = (uint8_t)body_at;
    if (of_plan_decode(plan, of_slice_of(value.data + body_at, value.length - body_at), &decoded) != OF_DECODE_OK) {
        *cause = OF_CAUSE_UNDECODABLE;
        return TAKEN;
    }
    batch->value[at] = decoded.value;
    batch->group[at] = of_groups_intern(decode->options.groups, decoded.group);
    return TAKEN;
}

/* Looks at the record under the chunk's cursor. Moves nothing unless the verdict is TAKEN. */
static enum verdict
look(struct of_decode *decode, struct of_chunk *chunk, struct of_batch *batch, enum of_cause *cause)
{
    struct of_record record;
    uint32_t at = batch->count;
    enum of_chunk_step step = chunk->ops->next(chunk, &record);
    if (step != OF_CHUNK_RECORD)
        return step == OF_CHUNK_END ? END : BROKEN;
    *cause = OF_CAUSE_NONE;
    if (chunk->slot->role == OF_ROLE_RETRY && !read_origin(decode, chunk, &record, &batch->origins[at]))
        *cause = OF_CAUSE_FOREIGN_RETRY;
    if (*cause == OF_CAUSE_NONE) {
        enum verdict verdict = read_order(decode, batch, at, record.value, cause);
        if (verdict != TAKEN)
            return verdict;
    }
    batch->offset[at] = record.offset;
    batch->record[at] = record.at;
    batch->status[at] = (uint8_t)*cause;
    batch->failed += *cause != OF_CAUSE_NONE;
    batch->count++;
    chunk->cursor = record.behind;
    return TAKEN;
}

/* ---- chunks ---- */

static bool
held(const struct lane *lane, const struct of_chunk *chunk)
{
    return chunk->slot->index < lane->held_room && lane->held_epochs[chunk->slot->index] == chunk->epoch;
}

static void
note_held(struct lane *lane, const struct of_slot *slot, uint32_t epoch)
{
    if (slot->index >= lane->held_room) {
        uint32_t room = slot->index + 16;
        lane->held_epochs = of_realloc_array(lane->held_epochs, room, sizeof *lane->held_epochs);
        memset(lane->held_epochs + lane->held_room, 0, (room - lane->held_room) * sizeof *lane->held_epochs);
        lane->held_room = room;
    }
    lane->held_epochs[slot->index] = epoch;
}

static void
send_home_if_done(struct of_port *port, struct of_chunk *chunk)
{
    if (chunk->done && chunk->batches_out == 0)
        of_port_home(port, &chunk->item);
}

/* The partition goes no further than the record under the cursor. */
static void
hold(struct lane *lane, struct of_chunk *chunk, enum verdict verdict, enum of_cause cause)
{
    if (verdict == HOLD) {
        struct of_record record;
        chunk->ops->next(chunk, &record);
        if (cause == OF_CAUSE_SCHEMA_PENDING)
            chunk->held_text[0] = '\0';
        chunk->held_offset = record.offset;
        chunk->held_cause = (uint8_t)cause;
    }
    chunk->held = true;
    chunk->done = true;
    note_held(lane, chunk->slot, chunk->epoch);
}

/* Whether a full batch has taken the chunk's last record. */
static bool
at_end(struct of_chunk *chunk)
{
    struct of_record record;
    return chunk->ops->next(chunk, &record) == OF_CHUNK_END;
}

/* Fills the batch until it is full, the chunk ends, or the next record does not belong into it. */
static void
fill(struct of_decode *decode, struct lane *lane, struct of_chunk *chunk, struct of_batch *batch)
{
    enum of_cause cause = OF_CAUSE_NONE;
    enum verdict verdict = TAKEN;
    of_schema_cache_read_begin();
    while (verdict == TAKEN && batch->count < OF_BATCH_RECORDS)
        verdict = look(decode, chunk, batch, &cause);
    of_schema_cache_read_end();
    bool to_the_end = verdict == END || (verdict == TAKEN && at_end(chunk));
    if (to_the_end)
        chunk->done = true;
    else if (verdict == HOLD || verdict == BROKEN)
        hold(lane, chunk, verdict, cause);
    batch->first_offset = batch->count > 0 ? batch->offset[0] : chunk->next_offset;
    batch->next_offset = to_the_end ? chunk->next_offset : batch->count > 0 ? batch->offset[batch->count - 1] + 1 : -1;
}

static bool
decode_item(void *self, struct of_port *port, struct of_item *item)
{
    struct of_decode *decode = self;
    struct lane *lane = &decode->lanes[item->lane];
    struct of_chunk *chunk = (struct of_chunk *)item;
    if (of_slot_dropped(chunk->slot, chunk->epoch) || held(lane, chunk)) {
        chunk->done = true;
        send_home_if_done(port, chunk);
        return true;
    }
    do {
        struct of_batch *batch = borrow(lane, chunk);
        if (batch == NULL)
            return false;
        fill(decode, lane, chunk, batch);
        if (batch->next_offset < 0) { /* held at its first record: nothing to pass on, and maybe no chunk any more */
            give_back(lane, batch);
            send_home_if_done(port, chunk);
            return true;
        }
        chunk->batches_out++;
        of_port_forward(port, &batch->item);
    } while (!chunk->done);
    return true;
}

static void
take_home(void *self, struct of_port *port, struct of_item *item)
{
    struct of_decode *decode = self;
    struct of_batch *batch = (struct of_batch *)item;
    struct of_chunk *chunk = batch->chunk;
    give_back(&decode->lanes[item->lane], batch);
    chunk->batches_out--;
    send_home_if_done(port, chunk);
}

static void
open_slot(void *self, const struct of_open *open)
{
    struct of_decode *decode = self;
    note_held(&decode->lanes[open->item.lane], open->slot, 0);
}

static void
enter(void *self)
{
    (void)self;
    of_schema_cache_enter();
}

static void
leave(void *self)
{
    (void)self;
    of_schema_cache_leave();
}

const struct of_stage_ops of_decode_stage = {
    .name = "decode",
    .enter = enter,
    .leave = leave,
    .process = decode_item,
    .open = open_slot,
    .home = take_home,
};
