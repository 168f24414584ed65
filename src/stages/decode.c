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
    struct of_batch *free;  /* the pool, last one back first: those in use stay in the cache */
    struct of_batch *all;   /* its memory */
    uint32_t under_way;     /* those that are not in it */
    _Atomic uint32_t *aside; /* how many of them publish has put aside; its line is not shared with ours */
    struct of_schema_key key;   /* that values name themselves, and were read with last */
    const struct of_plan *plan; /* of key; NULL: none yet */
    uint32_t *held_epochs;  /* by slot index: this epoch is held, nothing of it goes on; 0: none */
    uint32_t held_room;
    int64_t cut_at;         /* of the chunk at hand */
};

struct of_decode {
    struct of_decode_options options;
    struct lane *lanes;
    struct of_decode_counts counts;
    uint32_t full_batches; /* since the last one that was measured */
};

/* What becomes of the record that was looked at. */
enum verdict {
    TAKEN,  /* it is in the batch */
    CUT,    /* it has another schema than the batch, or a value of another kind: it begins the next one */
    HOLD,   /* the partition cannot go on here */
    BROKEN, /* the source cannot read on here */
    END,    /* there was none */
};

/* ---- the pool ---- */

/* In all: there are no more than this. */
static uint32_t
pool_size(const struct of_decode *decode)
{
    return decode->options.batches_per_lane + decode->options.aside_per_lane;
}

static void
fill_pool(const struct of_decode *decode, struct lane *lane, uint32_t number)
{
    lane->aside = of_alloc_lines(sizeof *lane->aside);
    lane->all = of_alloc_lines(pool_size(decode) * sizeof *lane->all);
    for (uint32_t b = 0; b < pool_size(decode); b++) {
        struct of_batch *batch = &lane->all[b];
        batch->item.kind = OF_ITEM_BATCH;
        batch->item.lane = number;
        batch->owner = decode->options.instance;
        batch->aside = lane->aside;
        batch->next = lane->free;
        lane->free = batch;
    }
}

struct of_decode *
of_decode_create(const struct of_decode_options *options)
{
    struct of_decode *decode = of_alloc(sizeof *decode);
    decode->options = *options;
    decode->lanes = of_alloc_array(options->lanes, sizeof *decode->lanes);
    for (uint32_t i = 0; i < options->lanes; i++)
        fill_pool(decode, &decode->lanes[i], i);
    return decode;
}

void
of_decode_destroy(struct of_decode **decode)
{
    if (*decode == NULL)
        return;
    for (uint32_t i = 0; i < (*decode)->options.lanes; i++) {
        struct lane *lane = &(*decode)->lanes[i];
        for (uint32_t b = 0; b < pool_size(*decode); b++)
            free(lane->all[b].origins);
        free(lane->all);
        free(lane->aside);
        free(lane->held_epochs);
    }
    free((*decode)->lanes);
    free(*decode);
    *decode = NULL;
}

const struct of_decode_counts *
of_decode_counts(const struct of_decode *decode)
{
    return &decode->counts;
}

uint32_t
of_decode_batches(const struct of_decode *decode)
{
    return decode->options.lanes * pool_size(decode);
}

/* What was put aside may be less by now, but no batch of that is home yet: read after our own count, it errs to our side. */
static bool
is_full(const struct of_decode *decode, const struct lane *lane)
{
    uint32_t most = decode->options.batches_per_lane;
    return lane->free == NULL
           || (lane->under_way >= most
               && lane->under_way >= most + atomic_load_explicit(lane->aside, memory_order_relaxed));
}

/* A batch over the chunk from its cursor on; NULL when as many as may be are under way. */
static struct of_batch *
borrow(const struct of_decode *decode, struct lane *lane, struct of_chunk *chunk)
{
    struct of_batch *batch = lane->free;
    if (is_full(decode, lane))
        return NULL;
    lane->free = batch->next;
    lane->under_way++;
    batch->next = NULL;
    batch->item.rank = chunk->item.rank;
    batch->slot = chunk->slot;
    batch->chunk = chunk;
    batch->epoch = chunk->epoch;
    batch->count = 0;
    batch->failed = 0;
    batch->cursor = 0;
    batch->value_kind = OF_VALUE_BINARY;
    batch->value_scale = 0;
    batch->refused[0] = '\0';
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
    lane->under_way--;
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

/* Finds the plan for the record's schema: the batch's, or one from the cache. *text: why there is none, if that is
 * known. */
static enum of_cause
find_plan(struct of_decode *decode, const struct of_batch *batch, struct of_schema_key key, const struct of_plan **plan,
          const char **text)
{
    if (batch->plan != NULL && of_schema_key_equal(batch->schema, key)) {
        *plan = batch->plan;
        return OF_CAUSE_NONE;
    }
    struct of_schema_found found;
    enum of_schema_state state = of_schema_cache_find(decode->options.schemas, key,
                                                      of_clock_mono_ns(decode->options.clock), &found);
    *plan = found.plan;
    *text = found.text;
    return cause_of_state(state);
}

/* There is no plan for the record, for that cause and maybe with a text. */
static enum verdict
refuse(struct of_batch *batch, struct of_schema_key key, enum of_cause cause, const char *text)
{
    if (of_cause_class(cause) == OF_CLASS_INFRASTRUCTURE) {
        if (text != NULL)
            snprintf(batch->chunk->held_text, sizeof batch->chunk->held_text, "%s", text);
        return HOLD;
    }
    if (batch->refused[0] != '\0' && !of_schema_key_equal(batch->refused_schema, key))
        return CUT;
    batch->refused_schema = key;
    snprintf(batch->refused, sizeof batch->refused, "%s", text != NULL ? text : "");
    return TAKEN;
}

/* False: the batch has values of another kind. */
static bool
take_value(struct of_batch *batch, uint32_t at, const struct of_decoded *decoded)
{
    if (decoded->kind != batch->value_kind || decoded->scale != batch->value_scale) {
        if (batch->failed < batch->count)
            return false;
        batch->value_kind = decoded->kind;
        batch->value_scale = decoded->scale;
    }
    if (__builtin_expect(decoded->kind == OF_VALUE_BINARY, 1))
        batch->value[at] = decoded->value;
    else
        batch->scaled[at] = decoded->scaled;
    return true;
}

static void
take_plan(struct of_batch *batch, const struct of_plan *plan, struct of_schema_key key)
{
    if (batch->plan != NULL)
        return;
    batch->plan = plan;
    batch->schema = key;
}

enum body { BODY_READ, BODY_BAD, BODY_OF_OTHER_KIND /* of value than the batch has */ };

/* Reads the body into row `at` of the batch. */
static enum body
read_body(struct of_decode *decode, struct of_batch *batch, uint32_t at, struct of_slice value,
          const struct of_framing *framing, const struct of_plan *plan)
{
    struct of_decoded decoded;
    struct of_slice body = of_slice_of(value.data + framing->body_at, value.length - framing->body_at);
    batch->body_at[at] = framing->body_at;
    if (of_plan_decode(plan, body, &decoded) != OF_DECODE_OK)
        return BODY_BAD;
    if (!take_value(batch, at, &decoded))
        return BODY_OF_OTHER_KIND;
    batch->group[at] = of_groups_intern(decode->options.groups, decoded.group);
    return BODY_READ;
}

/* Reads an order whose value names the schema that the last one named, and is a whole order of that schema. Nothing is
 * asked and no header looked at, which for librdkafka's records would cost two allocations: a bare body, whose schema is
 * named in a header, does not look like that to its last byte. False: the order is to be read in the regular way. */
static bool
read_as_before(struct of_decode *decode, const struct lane *lane, struct of_batch *batch, uint32_t at,
               struct of_slice value)
{
    struct of_framing framing;
    if (lane->plan == NULL || (batch->plan != NULL && batch->plan != lane->plan) || !of_framing_read(value, &framing) ||
        !of_schema_key_equal(framing.key, lane->key) ||
        read_body(decode, batch, at, value, &framing, lane->plan) != BODY_READ)
        return false;
    take_plan(batch, lane->plan, lane->key);
    return true;
}

/* Reads the order into row `at` of the batch. */
static enum verdict
read_order(struct of_decode *decode, struct lane *lane, struct of_batch *batch, uint32_t at,
           const struct of_record *record, enum of_cause *cause)
{
    struct of_framing framing;
    const struct of_plan *plan = NULL;
    const char *text = NULL;
    *cause = OF_CAUSE_NULL_VALUE;
    if (record->value.data == NULL)
        return TAKEN;
    *cause = OF_CAUSE_NONE;
    if (read_as_before(decode, lane, batch, at, record->value))
        return TAKEN;
    *cause = OF_CAUSE_BAD_FRAMING;
    if (!of_framing_find(batch->chunk->ops, record, &framing))
        return TAKEN;
    *cause = find_plan(decode, batch, framing.key, &plan, &text);
    if (*cause != OF_CAUSE_NONE)
        return refuse(batch, framing.key, *cause, text);
    if (batch->plan != NULL && batch->plan != plan)
        return CUT;
    take_plan(batch, plan, framing.key);
    enum body body = read_body(decode, batch, at, record->value, &framing, plan);
    if (body == BODY_OF_OTHER_KIND)
        return CUT;
    if (body == BODY_BAD) {
        *cause = OF_CAUSE_UNDECODABLE;
    } else if (framing.body_at > 0) {
        lane->key = framing.key;
        lane->plan = plan;
    }
    return TAKEN;
}

/* Looks at the record under the chunk's cursor. Moves nothing unless the verdict is TAKEN. */
static enum verdict
look(struct of_decode *decode, struct lane *lane, struct of_chunk *chunk, struct of_batch *batch, enum of_cause *cause)
{
    struct of_record record;
    uint32_t at = batch->count;
    enum of_chunk_step step = chunk->ops->next(chunk, &record);
    if (step != OF_CHUNK_RECORD)
        return step == OF_CHUNK_END ? END : BROKEN;
    if (__builtin_expect(record.offset >= lane->cut_at, 0)) {
        *cause = (enum of_cause)atomic_load_explicit(&chunk->slot->cut_cause, memory_order_relaxed);
        return HOLD;
    }
    *cause = OF_CAUSE_NONE;
    if (chunk->slot->role == OF_ROLE_RETRY && !read_origin(decode, chunk, &record, &batch->origins[at]))
        *cause = OF_CAUSE_FOREIGN_RETRY;
    if (*cause == OF_CAUSE_NONE) {
        enum verdict verdict = read_order(decode, lane, batch, at, &record, cause);
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

/* Asks for the schemas of all that is behind the cursor, so that a chunk of many new ones is held once, not for each. */
static void
ask_ahead(const struct of_decode *decode, struct of_chunk *chunk)
{
    uint32_t cursor = chunk->cursor;
    struct of_record record;
    struct of_framing framing;
    struct of_schema_found found;
    struct of_schema_key last = { 0 };
    int64_t now_ns = of_clock_mono_ns(decode->options.clock);
    of_schema_cache_read_begin();
    for (; chunk->ops->next(chunk, &record) == OF_CHUNK_RECORD; chunk->cursor = record.behind) {
        if (record.value.data == NULL || !of_framing_find(chunk->ops, &record, &framing) ||
            of_schema_key_equal(framing.key, last))
            continue;
        last = framing.key;
        of_schema_cache_find(decode->options.schemas, last, now_ns, &found);
    }
    of_schema_cache_read_end();
    chunk->cursor = cursor;
}

/* The partition goes no further than the record under the cursor. */
static void
hold(const struct of_decode *decode, struct lane *lane, struct of_chunk *chunk, enum verdict verdict,
     enum of_cause cause)
{
    if (verdict == HOLD) {
        struct of_record record;
        chunk->ops->next(chunk, &record);
        if (cause == OF_CAUSE_SCHEMA_PENDING) {
            chunk->held_text[0] = '\0';
            ask_ahead(decode, chunk);
        }
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

/* How far the partition is when the batch is through; -1: no further than before. Between the batch and what it is held at
 * there is nothing, which has to be told where a cut waits for all before it to be committed. */
static int64_t
reached(const struct lane *lane, const struct of_chunk *chunk, const struct of_batch *batch, enum verdict verdict,
        bool to_the_end)
{
    if (to_the_end)
        return chunk->next_offset;
    if (verdict == HOLD && (batch->count > 0 || chunk->held_offset >= lane->cut_at))
        return chunk->held_offset;
    return batch->count > 0 ? batch->offset[batch->count - 1] + 1 : -1;
}

/* Clocks are looked at for a sample only where there is much to do: once per record would cost more than the record. */
static uint32_t
weight_of(struct of_decode *decode, const struct of_batch *batch)
{
    if (!decode->options.measure)
        return 0;
    if (batch->count < OF_BATCH_RECORDS)
        return batch->count;
    if (++decode->full_batches < OF_DECODE_SAMPLE)
        return 0;
    decode->full_batches = 0;
    return OF_DECODE_SAMPLE * batch->count;
}

/* Fills the batch until it is full, the chunk ends, or the next record does not belong into it. */
static void
fill(struct of_decode *decode, struct lane *lane, struct of_chunk *chunk, struct of_batch *batch)
{
    enum of_cause cause = OF_CAUSE_NONE;
    enum verdict verdict = TAKEN;
    lane->cut_at = atomic_load_explicit(&chunk->slot->cut_at, memory_order_relaxed);
    of_schema_cache_read_begin();
    while (verdict == TAKEN && batch->count < OF_BATCH_RECORDS)
        verdict = look(decode, lane, chunk, batch, &cause);
    of_schema_cache_read_end();
    bool to_the_end = verdict == END || (verdict == TAKEN && at_end(chunk));
    if (to_the_end)
        chunk->done = true;
    else if (verdict == HOLD || verdict == BROKEN)
        hold(decode, lane, chunk, verdict, cause);
    batch->first_offset = batch->count > 0 ? batch->offset[0] : chunk->next_offset;
    batch->next_offset = reached(lane, chunk, batch, verdict, to_the_end);
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
        struct of_batch *batch = borrow(decode, lane, chunk);
        if (batch == NULL)
            return false;
        fill(decode, lane, chunk, batch);
        if (batch->next_offset < 0) { /* held at its first record: nothing to pass on, and maybe no chunk any more */
            give_back(lane, batch);
            send_home_if_done(port, chunk);
            return true;
        }
        chunk->batches_out++;
        of_counter_add(&decode->counts.borrowed, 1);
        batch->item.weight = weight_of(decode, batch);
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
    of_counter_add(&decode->counts.given_back, 1);
    chunk->batches_out--;
    send_home_if_done(port, chunk);
}

static void
open_slot(void *self, const struct of_open *open)
{
    struct of_decode *decode = self;
    note_held(&decode->lanes[open->item.lane], open->slot, 0);
}

/* An empty pool is where back-pressure shows: everything is with the stages after. */
static void
describe(const void *self, int64_t now_ns, FILE *out)
{
    (void)now_ns;
    const struct of_decode *decode = self;
    for (uint32_t i = 0; i < decode->options.lanes; i++) {
        const struct lane *lane = &decode->lanes[i];
        uint32_t held = 0;
        for (uint32_t slot = 0; slot < lane->held_room; slot++)
            held += lane->held_epochs[slot] != 0;
        fprintf(out, "  lane %u: %u of %u batches under way", i, lane->under_way, decode->options.batches_per_lane);
        uint32_t aside = atomic_load_explicit(lane->aside, memory_order_relaxed);
        if (aside > 0)
            fprintf(out, ", not counting %u that wait for the next transaction", aside);
        if (held > 0)
            fprintf(out, "; of %u partitions nothing goes on until fetch begins them again", held);
        fputc('\n', out);
    }
}

const struct of_stage_ops of_decode_stage = {
    .name = "decode",
    .process = decode_item,
    .open = open_slot,
    .home = take_home,
    .describe = describe,
};
