/* Chunks on their way out and home: orders as the source delivers them, retries when their head is due. */
#include "core/assert.h"
#include "order/retry_header.h"
#include "stages/reading_private.h"

enum { CHUNKS_PER_TURN = 16 };
/* Ways of a barrier of a transaction. Publish aborts one that has not come in 10 s. */
static const int64_t SWIFT_NS = 1 * OF_SECOND_NS;
static const int64_t SLOW_NS = 5 * OF_SECOND_NS;

static void
note_chunks(struct of_reading *reading)
{
    atomic_store_explicit(&reading->status->chunks_out, reading->options->chunks - reading->free_count,
                          memory_order_relaxed);
}

static bool
is_full(const struct of_reading *reading)
{
    return reading->options->chunks - reading->free_count >= reading->chunks_most;
}

/* A reader of events that lets publish wait holds up the barrier, and with it the transaction, unless it is waited for here,
 * before there is any. Where the queue is smaller than a chunk, one at a time. */
static bool
is_heard(struct of_reading *reading)
{
    const struct of_event_queue *queue = reading->options->awaited;
    if (queue == NULL)
        return true;
    uint64_t wanted = reading->records_out + OF_CHUNK_RECORDS;
    uint32_t size = of_event_queue_size(queue), room = of_event_queue_room(queue);
    bool heard = wanted <= size ? room >= wanted : reading->records_out == 0 && room == size;
    reading->waits |= !heard;
    return heard;
}

static struct of_chunk *
borrow_chunk(struct of_reading *reading)
{
    if (is_full(reading) || !is_heard(reading))
        return NULL;
    struct of_chunk *chunk = reading->free_chunks[--reading->free_count];
    chunk->slot = NULL;
    chunk->count = 0;
    chunk->cursor = 0;
    chunk->done = false;
    chunk->batches_out = 0;
    chunk->held = false;
    chunk->held_text[0] = '\0';
    note_chunks(reading);
    return chunk;
}

static void
give_back_chunk(struct of_reading *reading, struct of_chunk *chunk)
{
    chunk->count = 0;
    reading->free_chunks[reading->free_count++] = chunk;
    note_chunks(reading);
}

static void
emit(struct of_reading *reading, struct of_port *port, struct of_chunk *chunk)
{
    struct of_reading_slot *slot = of_reading_slot_of(chunk->slot);
    OF_ASSERT(!slot->held);
    chunk->epoch = slot->epoch;
    chunk->item.rank = slot->slot.rank;
    chunk->item.weight = reading->options->measure ? chunk->count : 0;
    slot->next_offset = chunk->next_offset;
    slot->chunks_out++;
    reading->records_out += chunk->count;
    reading->moved = true;
    atomic_store_explicit(&reading->status->records,
                          atomic_load_explicit(&reading->status->records, memory_order_relaxed) + chunk->count,
                          memory_order_relaxed);
    of_port_forward(port, &chunk->item);
}

void
of_reading_take_chunk(struct of_reading *reading, struct of_chunk *chunk)
{
    const struct of_source *source = &reading->options->source;
    struct of_reading_slot *slot = of_reading_slot_of(chunk->slot);
    slot->chunks_out--;
    reading->records_out -= chunk->count;
    if (chunk->held && chunk->epoch == slot->epoch)
        of_reading_hold(reading, slot, false, chunk->held_offset, (enum of_cause)chunk->held_cause, chunk->held_text);
    if (chunk->count > 0) {
        source->ops->release(source->self, chunk);
        atomic_store_explicit(&reading->status->last_settled_ns, of_clock_mono_ns(reading->options->clock),
                              memory_order_relaxed);
    }
    give_back_chunk(reading, chunk);
}

void
of_reading_note_barrier(struct of_reading *reading)
{
    reading->moved = false;
    reading->was_full = is_full(reading);
}

static bool
reached_something(const struct of_barrier *barrier)
{
    for (uint32_t i = 0; i < barrier->slot_count; i++)
        if (barrier->reached[i].next_offset >= 0)
            return true;
    return false;
}

/* All that is under way when a barrier is sent goes before it, however slow who takes it is: a producer that is throttled, a
 * reader of events. With everything out again after an abort the next transaction would end as this one did, and the one after
 * it. Half as much comes home in half the time; a single chunk is the least that there is. More again only shows to be
 * possible where there was as much as may be, and it came through soon. */
void
of_reading_pace(struct of_reading *reading, const struct of_barrier *barrier, int64_t way_ns)
{
    bool swift = barrier->outcome == OF_BARRIER_COMMITTED && way_ns <= SWIFT_NS && reading->was_full
                 && reached_something(barrier);
    bool slow = barrier->late || (barrier->outcome == OF_BARRIER_COMMITTED && way_ns > SLOW_NS);
    if (slow && reading->chunks_most > 1)
        reading->chunks_most /= 2;
    else if (swift && reading->chunks_most < reading->options->chunks)
        reading->chunks_most *= 2;
    if (reading->chunks_most > reading->options->chunks)
        reading->chunks_most = reading->options->chunks;
}

/* ---- orders ---- */

uint32_t
of_reading_read_orders(struct of_reading *reading, struct of_port *port)
{
    const struct of_source *source = &reading->options->source;
    uint32_t emitted = 0;
    while (emitted < CHUNKS_PER_TURN) {
        struct of_chunk *chunk = borrow_chunk(reading);
        if (chunk == NULL)
            break;
        if (!source->ops->read(source->self, chunk)) {
            give_back_chunk(reading, chunk);
            break;
        }
        emit(reading, port, chunk);
        emitted++;
    }
    return emitted;
}

/* ---- retries ---- */

/* When the record may be read: at its due time, but never later than the delay from now, so that neither a step of the
 * wall clock nor a longer delay of earlier runs can keep it. Those behind such a record were written by the same clock
 * or with the same delay: they follow it as their due times do, and do not each begin to wait when they get here. What
 * carries no header of ours is due at once. */
static int64_t
due_ns(const struct of_reading *reading, struct of_reading_slot *slot, const struct of_record *record, int64_t now_ns)
{
    const struct of_source *source = &reading->options->source;
    struct of_slice value;
    struct of_retry_header header;
    if (!of_record_header(source->ops->chunk_ops, record, of_slice_str(OF_RETRY_HEADER_NAME), &value)
        || !of_retry_header_parse(value, &header))
        return now_ns;
    if (header.due_ms <= reading->wall_ms) /* most are, and the clock need not be read for each */
        return now_ns;
    int64_t wait_ms = header.due_ms - of_clock_wall_ms(reading->options->clock);
    int64_t delay_ms = reading->retry_delay_ms;
    if (wait_ms <= 0)
        return now_ns;
    int64_t looked_ns = of_clock_mono_ns(reading->options->clock); /* the turn's time is older than this look */
    if (wait_ms <= delay_ms)
        return looked_ns + wait_ms * OF_MS_NS;
    int64_t looked_ms = looked_ns / OF_MS_NS + 1; /* rounded up: never early */
    int64_t shift_ms = looked_ms + delay_ms - header.due_ms;
    if (shift_ms < slot->shift_ms)
        slot->shift_ms = shift_ms;
    int64_t due_ms = header.due_ms + slot->shift_ms;
    return due_ms <= looked_ms ? now_ns : due_ms * OF_MS_NS;
}

/* Whether the slot's next record is there and due: that record. */
static bool
head_is_due(struct of_reading *reading, struct of_reading_slot *slot, int64_t now_ns, int64_t *deadline_ns,
            struct of_record *record)
{
    const struct of_source *source = &reading->options->source;
    if (!source->ops->peek(source->self, &slot->slot, record))
        return false;
    if (slot->head_offset != record->offset) {
        slot->head_offset = record->offset;
        slot->due_ns = due_ns(reading, slot, record, now_ns);
    }
    if (slot->due_ns <= now_ns)
        return true;
    if (slot->due_ns < *deadline_ns)
        *deadline_ns = slot->due_ns;
    return false;
}

uint32_t
of_reading_read_retry(struct of_reading *reading, struct of_port *port, struct of_reading_slot *slot, int64_t now_ns,
                      int64_t *deadline_ns)
{
    const struct of_source *source = &reading->options->source;
    struct of_chunk *chunk = borrow_chunk(reading);
    if (chunk == NULL)
        return 0;
    struct of_record record;
    while (chunk->count < OF_CHUNK_RECORDS && head_is_due(reading, slot, now_ns, deadline_ns, &record)) {
        of_histogram_add(&reading->status->lateness, now_ns - slot->due_ns, 1);
        source->ops->take(source->self, &slot->slot, &record, chunk);
    }
    if (chunk->count == 0) {
        int64_t end = source->ops->end(source->self, &slot->slot);
        if (end <= slot->next_offset) {
            give_back_chunk(reading, chunk);
            return 0;
        }
        chunk->slot = &slot->slot;
        chunk->first_offset = chunk->next_offset = end;
    }
    emit(reading, port, chunk);
    return 1;
}

void
of_reading_look_at_delay(struct of_reading *reading)
{
    int64_t delay_ms = of_tuning_retry_delay_ms(reading->options->tuning);
    if (delay_ms == reading->retry_delay_ms)
        return;
    reading->retry_delay_ms = delay_ms;
    for (uint32_t i = 0; i < reading->count; i++) {
        reading->slots[i]->head_offset = -1;
        reading->slots[i]->shift_ms = INT64_MAX;
    }
}
