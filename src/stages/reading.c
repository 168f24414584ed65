#include "stages/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/memory.h"
#include "order/failure.h"
#include "order/retry_header.h"
#include "stages/partition_log.h"
#include "stages/tell.h"

enum { CHUNKS_PER_TURN = 16 };
static const int64_t FIRST_BACKOFF_NS = 100 * OF_MS_NS;
static const int64_t LAST_BACKOFF_NS = 5 * OF_SECOND_NS;
/* Ways of a barrier of a transaction. Publish aborts one that has not come in 10 s. */
static const int64_t SWIFT_NS = 1 * OF_SECOND_NS;
static const int64_t SLOW_NS = 5 * OF_SECOND_NS;
/* How often to look whether who hears of records has caught up. */
static const int64_t FULL_NS = 1 * OF_MS_NS;
/* For slots that go down with another one's transaction: they must get through between two tries of that one. */
static const int64_t LAST_ABORTED_NS = 800 * OF_MS_NS;

static struct of_reading_slot *
of_slot_reading(struct of_slot *slot)
{
    return (struct of_reading_slot *)(void *)((char *)slot - offsetof(struct of_reading_slot, slot));
}

static const struct of_source_ops *
source_ops(const struct of_reading *reading)
{
    return reading->options->source.ops;
}

static void *
source_self(const struct of_reading *reading)
{
    return reading->options->source.self;
}

/* ---- memory ---- */

void
of_reading_init(struct of_reading *reading, const struct of_fetch_options *options, struct of_fetch_status *status,
                struct of_board *board, _Atomic bool *barrier_wanted)
{
    *reading = (struct of_reading) {
        .options = options,
        .status = status,
        .board = board,
        .barrier_wanted = barrier_wanted,
        .retry_delay_ms = of_tuning_retry_delay_ms(options->tuning),
        .chunks_most = options->chunks,
    };
    reading->chunks = of_alloc_array(options->chunks, sizeof *reading->chunks);
    reading->free_chunks = of_alloc_array(options->chunks, sizeof *reading->free_chunks);
    for (uint32_t i = 0; i < options->chunks; i++) {
        struct of_chunk *chunk = &reading->chunks[i];
        chunk->item.kind = OF_ITEM_CHUNK;
        chunk->item.lane = options->lane;
        chunk->ops = options->source.ops->chunk_ops;
        chunk->records = of_alloc_array(OF_CHUNK_RECORDS, sizeof *chunk->records);
        reading->free_chunks[reading->free_count++] = chunk;
    }
}

void
of_reading_fini(struct of_reading *reading)
{
    of_reading_forget(reading);
    for (uint32_t i = 0; i < reading->options->chunks; i++)
        free(reading->chunks[i].records);
    free(reading->chunks);
    free(reading->free_chunks);
}

void
of_reading_release_all(struct of_reading *reading)
{
    for (uint32_t i = 0; i < reading->options->chunks; i++)
        if (reading->chunks[i].count > 0) {
            source_ops(reading)->release(source_self(reading), &reading->chunks[i]);
            reading->chunks[i].count = 0;
        }
}

static int
compare_partitions(const void *a, const void *b)
{
    const struct of_partition *x = a, *y = b;
    if (x->role != y->role)
        return x->role < y->role ? -1 : 1;
    return x->partition < y->partition ? -1 : x->partition > y->partition;
}

void
of_reading_assign(struct of_reading *reading, struct of_partition *partitions, uint32_t count)
{
    OF_ASSERT(reading->count == 0 && count <= OF_LANE_SLOTS);
    if (count > 0)
        qsort(partitions, count, sizeof *partitions, compare_partitions);
    reading->slots = of_alloc_array(count, sizeof *reading->slots);
    reading->handles = of_alloc_array(count, sizeof *reading->handles);
    for (uint32_t i = 0; i < count; i++) {
        struct of_reading_slot *slot = of_alloc(sizeof *slot);
        slot->slot.lane = reading->options->lane;
        slot->slot.index = i;
        slot->slot.rank = reading->options->lane + i;
        slot->slot.role = partitions[i].role;
        slot->slot.topic = partitions[i].topic;
        slot->slot.topic_hash = of_fnv1a64(of_slice_str(partitions[i].topic));
        slot->slot.partition = partitions[i].partition;
        slot->slot.barrier_wanted = reading->barrier_wanted;
        slot->head_offset = -1;
        slot->cut_offset = -1;
        atomic_store_explicit(&slot->slot.cut_at, INT64_MAX, memory_order_relaxed);
        slot->shift_ms = INT64_MAX;
        reading->slots[i] = slot;
        reading->handles[i] = &slot->slot;
    }
    reading->count = count;
    reading->moved = false;
    reading->serving = false;
}

void
of_reading_forget(struct of_reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++)
        free(reading->slots[i]);
    free(reading->slots);
    free(reading->handles);
    reading->slots = NULL;
    reading->handles = NULL;
    reading->count = 0;
    atomic_store_explicit(&reading->status->held, 0, memory_order_relaxed);
    of_board_clear_all(reading->board);
}

bool
of_reading_is_home(const struct of_reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++)
        if (reading->slots[i]->open_out)
            return false;
    return reading->free_count == reading->options->chunks;
}

/* ---- opening and holding ---- */

static void
announce(struct of_port *port, struct of_reading_slot *slot, bool restore, const struct of_slot_state *state)
{
    slot->epoch++;
    if (restore)
        slot->restored = slot->epoch;
    slot->open_out = true;
    slot->slot.open = (struct of_open) {
        .item = { .kind = OF_ITEM_OPEN, .lane = slot->slot.lane, .rank = slot->slot.rank },
        .slot = &slot->slot,
        .epoch = slot->epoch,
        .restore = restore,
        .state = state,
    };
    of_port_forward(port, &slot->slot.open.item);
}

/* NULL: nobody listens, or not fast enough. */
static struct of_event *
make_event(struct of_reading *reading, enum of_event_kind kind, const struct of_slot *slot, int64_t offset,
           enum of_cause cause, const char *text)
{
    struct of_event_queue *queue = reading->options->events;
    if (queue == NULL)
        return NULL;
    struct of_event *event = of_event_queue_borrow(queue);
    if (event == NULL)
        of_event_queue_drop(queue, 1);
    else
        of_tell_partition(event, kind, slot, offset, cause, text, of_clock_wall_ms(reading->options->clock));
    return event;
}

static void
tell(struct of_reading *reading, enum of_event_kind kind, const struct of_reading_slot *slot, int64_t offset,
     enum of_cause cause, const char *text)
{
    if (kind == OF_EVENT_HELD || kind == OF_EVENT_RESUMED)
        of_partition_log(kind, &slot->slot, offset, cause, text, reading->options->quiet);
    struct of_event *event = make_event(reading, kind, &slot->slot, offset, cause, text);
    if (event != NULL)
        of_event_queue_send(reading->options->events, event);
}

void
of_reading_tell_all(struct of_reading *reading, enum of_event_kind kind, const struct of_ledger *ledger)
{
    for (uint32_t i = 0; i < reading->count; i++)
        if (ledger->slots[i].was_known)
            tell(reading, kind, reading->slots[i], ledger->slots[i].state.next_offset, OF_CAUSE_NONE, NULL);
    of_partition_log_all(kind, reading->handles, reading->count, reading->options->quiet);
}

/* A schema that is being looked up; a transaction that is begun again at once, or state that is read again at once, as its
 * topic was made a moment ago. Otherwise the first of a row of holds is news, and later on another cause. */
static bool
is_everyday(const struct of_reading_slot *slot, enum of_cause cause)
{
    return cause == OF_CAUSE_SCHEMA_PENDING
           || ((cause == OF_CAUSE_TRANSACTION_ABORTED || cause == OF_CAUSE_RESTORE_FAILED)
               && slot->backoff_ns == FIRST_BACKOFF_NS);
}

/* Stops the slot. Called again while it is held, it keeps the worse of the two reasons, to restore, and of two offsets
 * the one that passes over nothing. */
static void
hold(struct of_reading *reading, struct of_reading_slot *slot, bool restore, int64_t offset, enum of_cause cause,
     const char *text)
{
    if (!slot->held) {
        if (reading->serving)
            source_ops(reading)->hold(source_self(reading), &slot->slot);
        atomic_fetch_add_explicit(&reading->status->held, 1, memory_order_relaxed);
        slot->restore = false;
        slot->held = true;
        of_counter_add(&reading->status->holds[cause], 1);
    } else if (slot->restore && !restore) {
        return;
    } else if (!restore && slot->resume_offset < offset) {
        offset = slot->resume_offset;
    }
    slot->restore = restore;
    slot->resume_offset = offset;
    slot->cause = cause;
    slot->backoff_ns = slot->backoff_ns == 0 ? FIRST_BACKOFF_NS : 2 * slot->backoff_ns;
    int64_t last_ns = cause == OF_CAUSE_TRANSACTION_ABORTED ? LAST_ABORTED_NS : LAST_BACKOFF_NS;
    if (slot->backoff_ns > last_ns)
        slot->backoff_ns = last_ns;
    slot->retry_ns = of_clock_mono_ns(reading->options->clock) + slot->backoff_ns;
    if (is_everyday(slot, cause))
        return;
    if (text[0] == '\0')
        text = of_cause_text(cause);
    of_board_hold(reading->board, &slot->slot, offset, cause, text, of_clock_wall_ms(reading->options->clock));
    if (!slot->told || slot->told_cause != cause)
        tell(reading, OF_EVENT_HELD, slot, offset, cause, text);
    slot->told = true;
    slot->told_cause = cause;
}

/* Only a commit shows that a slot gets anywhere: what was merely read may be refused again. */
void
of_reading_committed(struct of_reading *reading, const struct of_barrier *barrier)
{
    for (uint32_t i = 0; i < barrier->slot_count; i++) {
        struct of_reading_slot *slot = reading->slots[i];
        if (slot->held || barrier->reached[i].next_offset < 0)
            continue;
        slot->backoff_ns = 0;
        if (slot->told) {
            tell(reading, OF_EVENT_RESUMED, slot, slot->resume_offset, slot->cause, NULL);
            of_board_clear(reading->board, &slot->slot);
        }
        slot->told = false;
    }
}

void
of_reading_break(struct of_reading *reading, struct of_slot *slot, int64_t offset, enum of_cause cause,
                 const char *text)
{
    struct of_reading_slot *own = of_slot_reading(slot);
    if (cause == OF_CAUSE_OFFSET_OUT_OF_RANGE)
        of_gone_note(reading->options->gone, slot, offset, text);
    hold(reading, own, false, own->next_offset > offset ? own->next_offset : offset, cause, text);
}

void
of_reading_skipped(struct of_reading *reading, const struct of_source_event *skipped)
{
    struct of_event *event = make_event(reading, OF_EVENT_SKIPPED, skipped->slot, skipped->offset,
                                        (enum of_cause)skipped->cause, skipped->error.text);
    if (event == NULL)
        return;
    event->next_offset = skipped->next_offset;
    of_event_queue_send(reading->options->events, event);
}

/* A slot that waits to begin from the ledger already keeps its own reason. */
void
of_reading_restart_all(struct of_reading *reading, enum of_cause cause, const char *text)
{
    for (uint32_t i = 0; i < reading->count; i++) {
        struct of_reading_slot *slot = reading->slots[i];
        of_slot_drop(&slot->slot, slot->epoch);
        if (!slot->held || !slot->restore)
            hold(reading, slot, true, slot->next_offset, cause, text);
    }
}

void
of_reading_drop_all(struct of_reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++)
        of_slot_drop(&reading->slots[i]->slot, reading->slots[i]->epoch);
}

/* ---- recorded state ---- */

void
of_reading_open_all(struct of_reading *reading, struct of_port *port, const struct of_ledger *ledger,
                    const int64_t *starts)
{
    char gone[OF_GONE_TEXT_BYTES];
    reading->serving = true;
    for (uint32_t i = 0; i < reading->count; i++) {
        struct of_reading_slot *slot = reading->slots[i];
        slot->next_offset = starts[i];
        if (ledger->slots[i].known) {
            if (slot->held) /* its state was there at the second try */
                atomic_fetch_sub_explicit(&reading->status->held, 1, memory_order_relaxed);
            slot->held = false;
            announce(port, slot, true, &ledger->slots[i].state);
            if (of_gone_look(reading->options->gone, &slot->slot, starts[i], gone))
                hold(reading, slot, false, starts[i], OF_CAUSE_OFFSET_OUT_OF_RANGE, gone);
            continue;
        }
        if (slot->held) /* reading its state has failed: it keeps that reason */
            source_ops(reading)->hold(source_self(reading), &slot->slot);
        else
            hold(reading, slot, true, starts[i], OF_CAUSE_RESTORING, "");
    }
}

uint32_t
of_reading_next_unknown(const struct of_reading *reading, const struct of_ledger *ledger, uint32_t from, int64_t now_ns)
{
    for (; from < reading->count; from++) {
        const struct of_reading_slot *slot = reading->slots[from];
        if (slot->held && slot->restore && !slot->asked && !ledger->slots[from].known && now_ns >= slot->retry_ns)
            break;
    }
    return from;
}

void
of_reading_state_known(struct of_reading *reading, uint32_t index, int64_t now_ns)
{
    reading->slots[index]->asked = false;
    reading->slots[index]->retry_ns = now_ns;
}

void
of_reading_state_failed(struct of_reading *reading, uint32_t index, enum of_cause cause, const char *text)
{
    struct of_reading_slot *slot = reading->slots[index];
    slot->asked = false;
    hold(reading, slot, true, slot->next_offset, cause, text);
}

/* ---- reading again ---- */

/* Reading again, if it is time to and the slot's open is home to announce it. To begin from the ledger no commit may be
 * under way; to go on from the cut no chunk, which might come home held at an earlier one. */
static bool
reopen(struct of_reading *reading, struct of_port *port, struct of_reading_slot *slot,
       const struct of_ledger *ledger, bool barrier_home)
{
    const struct of_ledger_slot *committed = &ledger->slots[slot->slot.index];
    if (!slot->restore && slot->cut_offset == slot->resume_offset && committed->state.next_offset < slot->cut_offset)
        return false; /* what is before it is still to be committed */
    if (slot->open_out || (slot->restore ? !barrier_home || !committed->known : slot->chunks_out > 0))
        return false;
    int64_t offset = slot->restore ? committed->state.next_offset : slot->resume_offset;
    char gone[OF_GONE_TEXT_BYTES];
    if (of_gone_look(reading->options->gone, &slot->slot, offset, gone)) {
        hold(reading, slot, slot->restore, offset, OF_CAUSE_OFFSET_OUT_OF_RANGE, gone);
        return false;
    }
    bool cut = slot->restore && slot->cut_offset > offset;
    atomic_store_explicit(&slot->slot.cut_at, cut ? slot->cut_offset : INT64_MAX, memory_order_relaxed);
    struct of_error err;
    if (source_ops(reading)->resume(source_self(reading), &slot->slot, offset, &err) != OF_OK) {
        hold(reading, slot, slot->restore, slot->resume_offset, OF_CAUSE_FETCH_FAILED, err.text);
        return false;
    }
    slot->resume_offset = offset;
    slot->next_offset = offset;
    slot->head_offset = -1;
    slot->held = false;
    atomic_fetch_sub_explicit(&reading->status->held, 1, memory_order_relaxed);
    if (slot->told)
        of_board_try(reading->board, &slot->slot, of_clock_mono_ns(reading->options->clock));
    announce(port, slot, slot->restore, slot->restore ? &committed->state : NULL);
    return true;
}

/* ---- chunks ---- */

static void
note_chunks(struct of_reading *reading)
{
    atomic_store_explicit(&reading->status->chunks_out, reading->options->chunks - reading->free_count,
                          memory_order_relaxed);
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
    if (reading->options->chunks - reading->free_count >= reading->chunks_most || !is_heard(reading))
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
    struct of_reading_slot *slot = of_slot_reading(chunk->slot);
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

static uint32_t
read_orders(struct of_reading *reading, struct of_port *port)
{
    uint32_t emitted = 0;
    while (emitted < CHUNKS_PER_TURN) {
        struct of_chunk *chunk = borrow_chunk(reading);
        if (chunk == NULL)
            break;
        if (!source_ops(reading)->read(source_self(reading), chunk)) {
            give_back_chunk(reading, chunk);
            break;
        }
        emit(reading, port, chunk);
        emitted++;
    }
    return emitted;
}

void
of_reading_take_chunk(struct of_reading *reading, struct of_chunk *chunk)
{
    struct of_reading_slot *slot = of_slot_reading(chunk->slot);
    slot->chunks_out--;
    reading->records_out -= chunk->count;
    if (chunk->held && chunk->epoch == slot->epoch)
        hold(reading, slot, false, chunk->held_offset, (enum of_cause)chunk->held_cause, chunk->held_text);
    if (chunk->count > 0) {
        source_ops(reading)->release(source_self(reading), chunk);
        atomic_store_explicit(&reading->status->last_settled_ns, of_clock_mono_ns(reading->options->clock),
                              memory_order_relaxed);
    }
    give_back_chunk(reading, chunk);
}

void
of_reading_take_open(struct of_reading *reading, struct of_open *open)
{
    (void)reading;
    of_slot_reading(open->slot)->open_out = false;
}

bool
of_reading_take_notice(struct of_reading *reading, const struct of_notice *notice)
{
    struct of_reading_slot *slot = of_slot_reading(notice->slot);
    if (notice->epoch < slot->restored)
        return false;
    of_slot_drop(&slot->slot, slot->epoch); /* a hold may have begun a new one meanwhile, which builds on the void */
    slot->cut_offset = notice->offset;
    atomic_store_explicit(&slot->slot.cut_cause, notice->cause, memory_order_relaxed);
    /* It begins again from the ledger; what is told is the record that cannot go on. */
    int64_t offset = notice->offset >= 0 ? notice->offset : slot->next_offset;
    hold(reading, slot, true, offset, (enum of_cause)notice->cause, notice->text);
    return true;
}

/* All that is under way when a barrier is sent goes before it, however slow who takes it is: a producer that is throttled, a
 * reader of events. With everything out again after an abort the next transaction would end as this one did, and the one after
 * it. Half as much comes home in half the time; a single chunk is the least that there is. */
void
of_reading_pace(struct of_reading *reading, const struct of_barrier *barrier, int64_t way_ns)
{
    bool swift = barrier->outcome == OF_BARRIER_COMMITTED && way_ns <= SWIFT_NS;
    bool slow = barrier->late || (barrier->outcome == OF_BARRIER_COMMITTED && way_ns > SLOW_NS);
    if (slow && reading->chunks_most > 1)
        reading->chunks_most /= 2;
    else if (swift && reading->chunks_most < reading->options->chunks)
        reading->chunks_most *= 2;
    if (reading->chunks_most > reading->options->chunks)
        reading->chunks_most = reading->options->chunks;
}

/* ---- retry partitions ---- */

/* When the record may be read: at its due time, but never later than the delay from now, so that neither a step of the
 * wall clock nor a longer delay of earlier runs can keep it. Those behind such a record were written by the same clock
 * or with the same delay: they follow it as their due times do, and do not each begin to wait when they get here. What
 * carries no header of ours is due at once. */
static int64_t
due_ns(const struct of_reading *reading, struct of_reading_slot *slot, const struct of_record *record, int64_t now_ns)
{
    struct of_slice value;
    struct of_retry_header header;
    if (!of_record_header(source_ops(reading)->chunk_ops, record, of_slice_str(OF_RETRY_HEADER_NAME), &value)
        || !of_retry_header_parse(value, &header))
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

/* Whether the slot's next record is there and due. */
static bool
head_is_due(struct of_reading *reading, struct of_reading_slot *slot, int64_t now_ns, int64_t *deadline_ns)
{
    struct of_record record;
    if (!source_ops(reading)->peek(source_self(reading), &slot->slot, &record))
        return false;
    if (slot->head_offset != record.offset) {
        slot->head_offset = record.offset;
        slot->due_ns = due_ns(reading, slot, &record, now_ns);
    }
    if (slot->due_ns <= now_ns)
        return true;
    if (slot->due_ns < *deadline_ns)
        *deadline_ns = slot->due_ns;
    return false;
}

static uint32_t
read_retry(struct of_reading *reading, struct of_port *port, struct of_reading_slot *slot, int64_t now_ns,
           int64_t *deadline_ns)
{
    struct of_chunk *chunk = borrow_chunk(reading);
    if (chunk == NULL)
        return 0;
    while (chunk->count < OF_CHUNK_RECORDS && head_is_due(reading, slot, now_ns, deadline_ns)) {
        of_histogram_add(&reading->status->lateness, now_ns - slot->due_ns, 1);
        source_ops(reading)->take(source_self(reading), &slot->slot, chunk);
    }
    if (chunk->count == 0) {
        int64_t end = source_ops(reading)->end(source_self(reading), &slot->slot);
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

/* Who waits at a head waits by the new delay from now on. */
static void
look_at_delay(struct of_reading *reading)
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

/* ---- a turn ---- */

static bool
schema_news(struct of_reading *reading)
{
    if (reading->options->schemas == NULL)
        return false;
    uint64_t version = of_schema_cache_version(reading->options->schemas);
    bool news = version != reading->schema_version;
    reading->schema_version = version;
    return news;
}

static bool
waits_for_schema(const struct of_reading_slot *slot)
{
    return slot->cause == OF_CAUSE_SCHEMA_PENDING || slot->cause == OF_CAUSE_REGISTRY_UNAVAILABLE
           || slot->cause == OF_CAUSE_REGISTRY_DENIED;
}

uint32_t
of_reading_turn(struct of_reading *reading, struct of_port *port, const struct of_ledger *ledger, bool barrier_home,
                int64_t now_ns, int64_t *deadline_ns)
{
    uint32_t done = 0;
    bool news = schema_news(reading);
    reading->waits = false;
    look_at_delay(reading);
    for (uint32_t i = 0; i < reading->count; i++) {
        struct of_reading_slot *slot = reading->slots[i];
        if (slot->held && news && waits_for_schema(slot))
            slot->retry_ns = now_ns;
        if (slot->held && now_ns >= slot->retry_ns)
            done += reopen(reading, port, slot, ledger, barrier_home);
        if (slot->held && slot->retry_ns > now_ns && slot->retry_ns < *deadline_ns)
            *deadline_ns = slot->retry_ns;
        if (!slot->held && slot->slot.role == OF_ROLE_RETRY)
            done += read_retry(reading, port, slot, now_ns, deadline_ns);
    }
    done += read_orders(reading, port);
    if (reading->waits && now_ns + FULL_NS < *deadline_ns)
        *deadline_ns = now_ns + FULL_NS;
    return done;
}
