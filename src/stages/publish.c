#include "stages/publish_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/framing.h"
#include "core/assert.h"
#include "core/memory.h"
#include "order/slot_state.h"
#include "stages/reason.h"
#include "stages/tell.h"

/* While the sink or the console is full, how often to look whether it still is. */
static const int64_t FULL_NS = 1 * OF_MS_NS;

void
of_publish_forget_assignment(struct of_publish *publish)
{
    for (uint32_t i = 0; i < publish->slot_count; i++)
        of_handed_fini(&publish->slots[i].handed);
    publish->slot_count = 0;
    publish->assignment++;
    of_publish_forget_letters(publish);
}

struct of_publish *
of_publish_create(const struct of_publish_options *options)
{
    struct of_publish *publish = of_alloc(sizeof *publish);
    publish->options = *options;
    publish->transactional = options->sink.ops->transactional;
    publish->aside_end = &publish->aside;
    publish->transaction = 1;
    of_recent_init(&publish->recent);
    publish->letter = of_letter_create();
    publish->writer = of_state_writer_create();
    publish->letter_room = options->in_flight + 1;
    publish->letters = of_alloc_array(publish->letter_room, sizeof *publish->letters);
    for (uint32_t i = options->in_flight; i > 0; i--) {
        publish->letters[i].next_free = publish->first_free;
        publish->first_free = i;
    }
    return publish;
}

void
of_publish_destroy(struct of_publish **publish)
{
    if (*publish == NULL)
        return;
    of_publish_forget_assignment(*publish);
    of_letter_destroy(&(*publish)->letter);
    of_recent_fini(&(*publish)->recent);
    of_state_writer_destroy(&(*publish)->writer);
    free((*publish)->letters);
    free((*publish)->slots);
    free((*publish)->offsets);
    free(*publish);
    *publish = NULL;
}

const struct of_publish_counts *
of_publish_counts(const struct of_publish *publish)
{
    return &publish->counts;
}

struct of_recent *
of_publish_recent(struct of_publish *publish)
{
    return &publish->recent;
}

/* ---- slots ---- */

static struct of_publish_slot *
slot_at(struct of_publish *publish, uint32_t index)
{
    if (index >= publish->slot_room) {
        publish->slot_room = index + 16;
        publish->slots = of_realloc_array(publish->slots, publish->slot_room, sizeof *publish->slots);
    }
    while (publish->slot_count <= index)
        publish->slots[publish->slot_count++] = (struct of_publish_slot) {
            .reached = { .next_offset = -1 },
            .barrier_offset = -1,
            .shrunk_offset = -1,
        };
    return &publish->slots[index];
}

/* Everything since is void; what is recorded is where it goes on from. */
static void
restore(const struct of_publish *publish, struct of_publish_slot *slot, const struct of_open *open)
{
    const struct of_slot_state *state = open->state;
    slot->restored = open->epoch;
    slot->failed = publish->doomed; /* it began too early: the verdict that is still to be told makes it begin again */
    if (publish->doomed)
        of_slot_drop(slot->slot, open->epoch);
    slot->reached = (struct of_reached) { .next_offset = -1 };
    slot->barrier_offset = -1;
    slot->retries = state != NULL ? state->retries : 0;
    slot->dead_letters = state != NULL ? state->dead_letters : 0;
    slot->rows = state != NULL ? state->table.count : 0;
    of_handed_rewind(&slot->handed);
}

static void
open_slot(void *self, const struct of_open *open)
{
    struct of_publish *publish = self;
    struct of_publish_slot *slot = slot_at(publish, open->slot->index);
    publish->barrier_wanted = open->slot->barrier_wanted;
    slot->slot = open->slot;
    slot->epoch = open->epoch;
    if (open->restore)
        restore(publish, slot, open);
}

void
of_publish_fail_slot(struct of_publish *publish, struct of_publish_slot *slot, int64_t offset, enum of_cause cause,
                     const char *text)
{
    if (slot->failed)
        return;
    slot->failed = true;
    slot->reached = (struct of_reached) { .next_offset = -1 };
    of_slot_drop(slot->slot, slot->epoch);
    struct of_notice *notice = &slot->slot->notices[slot->next_notice];
    slot->next_notice ^= 1;
    notice->item.kind = OF_ITEM_NOTICE;
    notice->item.lane = publish->options.lane;
    notice->slot = slot->slot;
    notice->epoch = slot->epoch;
    notice->offset = offset;
    notice->cause = (uint8_t)cause;
    snprintf(notice->text, sizeof notice->text, "%s", text);
    of_port_home(publish->port, &notice->item);
    if (publish->transactional && slot->transaction == publish->transaction)
        of_publish_abort(publish, text);
}

/* ---- records ---- */

static void
gather_facts(const struct of_publish *publish, const struct of_batch *batch, uint32_t at,
             const struct of_record *record, struct of_letter_facts *facts)
{
    enum of_cause cause = (enum of_cause)batch->status[at];
    *facts = (struct of_letter_facts) {
        .group = publish->options.group,
        .cause = cause,
        .now_ms = publish->now_ms,
        .message = cause == OF_CAUSE_NONE ? NULL : of_cause_text(cause),
    };
    if (batch->slot->role == OF_ROLE_RETRY)
        facts->origin = batch->origins[at];
    else
        facts->origin = (struct of_origin) {
            .topic = of_slice_str(batch->slot->topic),
            .partition = batch->slot->partition,
            .offset = record->offset,
            .first_failed_ms = -1,
        };
    /* Poison was refused before it came to an attempt. */
    bool attempted = of_cause_class(cause) == OF_CLASS_TRANSIENT || cause == OF_CAUSE_NONE;
    facts->attempts = facts->origin.attempts + attempted;
    facts->due_ms = facts->now_ms + of_tuning_retry_delay_ms(publish->options.tuning);
}

/* What only a failed record needs. */
static void
gather_failure(const struct of_batch *batch, uint32_t at, const struct of_record *record, struct of_letter_facts *facts,
               char text[OF_REASON_BYTES])
{
    struct of_framing framing;
    if (batch->slot->role == OF_ROLE_ORDERS)
        facts->origin.timestamp_ms = batch->chunk->ops->timestamp_ms(record);
    facts->has_schema_id = record->value.data != NULL && of_framing_find(batch->chunk->ops, record, &framing);
    if (facts->has_schema_id)
        facts->schema_id = framing.key;
    bool in_process = facts->cause == OF_CAUSE_INVALID_VALUE || of_cause_class(facts->cause) == OF_CLASS_TRANSIENT;
    facts->stage = in_process ? "process" : "decode";
    const char *reason = of_reason(batch, at, record, text);
    if (reason != NULL)
        facts->message = reason;
}

/* Sends the dead letter, as whole as the topic takes it. */
static enum of_status
send_dead(struct of_publish *publish, const struct of_batch *batch, struct of_publish_slot *slot,
          const struct of_record *record, const struct of_letter_facts *facts, struct of_error *err)
{
    uint8_t size = slot->shrunk_offset == record->offset ? slot->shrunk_size : OF_LETTER_WHOLE;
    for (;; size++) {
        const struct of_outgoing *out = of_letter_dead(publish->letter, batch->chunk->ops, record, facts,
                                                       (enum of_letter_size)size);
        enum of_status status =
            out == NULL ? OF_POISON : of_publish_hand_over(publish, slot, out, record->offset, size, err);
        if (status != OF_POISON || size + 1 == OF_LETTER_SIZES)
            return status;
    }
}

/* Retry or dead letter. OF_POISON from a retry means that it is too large: then there is no next attempt. */
static enum of_status
send_failed(struct of_publish *publish, const struct of_batch *batch, struct of_publish_slot *slot,
            const struct of_record *record, struct of_letter_facts *facts, enum of_event_kind *kind,
            struct of_error *err)
{
    bool again = of_cause_class(facts->cause) == OF_CLASS_TRANSIENT && facts->attempts <= publish->options.max_retries
                 && slot->shrunk_offset != record->offset;
    if (again) {
        const struct of_outgoing *out = of_letter_retry(publish->letter, batch->chunk->ops, record, facts);
        enum of_status status =
            out == NULL ? OF_POISON : of_publish_hand_over(publish, slot, out, record->offset, OF_LETTER_WHOLE, err);
        *kind = OF_EVENT_RETRY;
        if (status != OF_POISON)
            return status;
    }
    *kind = OF_EVENT_DEAD_LETTER;
    return send_dead(publish, batch, slot, record, facts, err);
}

static void
count(struct of_publish *publish, struct of_publish_slot *slot, enum of_event_kind kind,
      const struct of_letter_facts *facts)
{
    if (kind == OF_EVENT_RETRY) {
        uint32_t attempts = facts->attempts < OF_PUBLISH_ATTEMPTS ? facts->attempts : OF_PUBLISH_ATTEMPTS;
        slot->reached.retries++;
        of_counter_add(&publish->counts.retries, 1);
        of_counter_add(&publish->counts.retries_by_attempt[attempts - 1], 1);
    } else if (kind == OF_EVENT_DEAD_LETTER) {
        slot->reached.dead_letters++;
        of_counter_add(&publish->counts.dead_letters, 1);
        of_counter_add(&publish->counts.dead_letters_by_cause[facts->cause], 1);
    }
}

/* Also where no console wants to hear of it. */
static void
remember(struct of_publish *publish, enum of_event_kind kind, const struct of_batch *batch, uint32_t at,
         const struct of_record *record, const struct of_letter_facts *facts)
{
    struct of_event event;
    if (kind != OF_EVENT_DEAD_LETTER || !publish->options.measure)
        return;
    of_tell_record(&event, kind, batch, at, record, facts);
    of_recent_note(&publish->recent, &event);
}

/* One record to its fate. OF_AGAIN: nothing happened, it must be tried again. OF_RETRY: refused. */
static enum of_status
settle(struct of_publish *publish, struct of_batch *batch, struct of_publish_slot *slot, uint32_t at, bool tell,
       struct of_error *err)
{
    enum of_cause cause = (enum of_cause)batch->status[at];
    if (cause == OF_CAUSE_FOREIGN_RETRY || (cause == OF_CAUSE_NONE && !tell))
        return OF_OK;
    struct of_listener *listener = &publish->options.listener;
    struct of_event *event = tell ? of_event_queue_borrow(listener->queue) : NULL;
    if (tell && event == NULL && listener->waits)
        return OF_AGAIN;

    struct of_record record;
    struct of_letter_facts facts;
    char reason[OF_REASON_BYTES]; /* what facts.message may point to */
    enum of_event_kind kind = OF_EVENT_PROCESSED;
    enum of_status status = OF_OK;
    batch->chunk->ops->record(batch->chunk, batch->record[at], &record);
    gather_facts(publish, batch, at, &record, &facts);
    if (cause != OF_CAUSE_NONE) {
        gather_failure(batch, at, &record, &facts, reason);
        status = send_failed(publish, batch, slot, &record, &facts, &kind, err);
    }
    if (status == OF_OK) {
        count(publish, slot, kind, &facts);
        remember(publish, kind, batch, at, &record, &facts);
        if (event != NULL)
            of_tell_record(event, kind, batch, at, &record, &facts);
        else if (tell)
            of_event_queue_drop(listener->queue, 1);
    }
    if (event != NULL) {
        if (status == OF_OK)
            of_event_queue_send(listener->queue, event);
        else
            of_event_queue_unborrow(listener->queue, event);
    }
    return status;
}

/* ---- a batch ---- */

enum progress { DONE, STUCK, ENDING };

/* The age of the batch's first order, for all that the batch stands for. */
static void
note_age(struct of_publish *publish, const struct of_batch *batch)
{
    int64_t written_ms;
    if (batch->slot->role == OF_ROLE_RETRY) {
        written_ms = batch->origins[0].timestamp_ms;
    } else {
        struct of_record record;
        batch->chunk->ops->record(batch->chunk, batch->record[0], &record);
        written_ms = batch->chunk->ops->timestamp_ms(&record);
    }
    if (written_ms >= 0)
        of_histogram_add(&publish->counts.age[batch->slot->role],
                         (of_clock_wall_ms(publish->options.clock) - written_ms) * OF_MS_NS, batch->item.weight);
}

/* The next record from `at` on that something is to be done about: good orders only where somebody wants to hear of each. */
static uint32_t
next_to_settle(const struct of_batch *batch, uint32_t at, bool tell)
{
    uint64_t several;
    if (tell)
        return at;
    if (batch->failed == 0)
        return batch->count;
    for (; at + sizeof several <= batch->count; at += sizeof several) {
        memcpy(&several, batch->status + at, sizeof several);
        if (several != 0)
            break;
    }
    while (at < batch->count && batch->status[at] == OF_CAUSE_NONE)
        at++;
    return at;
}

/* Goes through the batch from its cursor on. ENDING: a letter waits for the end of a transaction. */
static enum progress
go_through(struct of_publish *publish, struct of_batch *batch)
{
    struct of_publish_slot *slot = &publish->slots[batch->slot->index];
    const struct of_listener *listener = &publish->options.listener;
    bool tell = listener->queue != NULL && listener->wants_records(listener->arg);
    if (slot->failed || of_slot_dropped(batch->slot, batch->epoch))
        return DONE;
    OF_ASSERT(slot->epoch == batch->epoch);
    publish->now_ms = of_clock_wall_ms(publish->options.clock);
    batch->cursor = next_to_settle(batch, batch->cursor, tell);
    while (batch->cursor < batch->count) {
        struct of_error err;
        uint32_t next = next_to_settle(batch, batch->cursor + 1, tell);
        if (next < batch->count)
            batch->chunk->ops->prefetch(batch->chunk, batch->record[next]);
        enum of_status status = settle(publish, batch, slot, batch->cursor, tell, &err);
        if (status == OF_AGAIN)
            return of_publish_closed(publish) ? ENDING : STUCK;
        if (status == OF_ABORT || status == OF_FATAL) {
            (status == OF_ABORT ? of_publish_abort : of_publish_give_up)(publish, err.text);
            return DONE;
        }
        if (status != OF_OK) {
            of_publish_fail_slot(publish, slot, batch->offset[batch->cursor],
                                 of_cause_class((enum of_cause)batch->status[batch->cursor]) == OF_CLASS_TRANSIENT
                                     ? OF_CAUSE_RETRY_REFUSED
                                     : OF_CAUSE_DEAD_LETTER_REFUSED,
                                 err.text);
            return DONE;
        }
        batch->cursor = next;
    }
    slot->reached.next_offset = batch->next_offset;
    if (__builtin_expect(batch->item.weight > 0, 0))
        note_age(publish, batch);
    return DONE;
}

/* ---- what waits for the next transaction ---- */

static void
put_aside(struct of_publish *publish, struct of_batch *batch)
{
    batch->next = NULL;
    *publish->aside_end = batch;
    publish->aside_end = &batch->next;
    publish->slots[batch->slot->index].aside++;
    atomic_fetch_add_explicit(batch->aside, 1, memory_order_relaxed);
    of_port_wake_owner(publish->port, batch);
}

static void
take_first_aside(struct of_publish *publish)
{
    struct of_batch *batch = publish->aside;
    publish->aside = batch->next;
    if (publish->aside == NULL)
        publish->aside_end = &publish->aside;
    publish->slots[batch->slot->index].aside--;
    atomic_fetch_sub_explicit(batch->aside, 1, memory_order_relaxed);
}

uint32_t
of_publish_resume_aside(struct of_publish *publish)
{
    uint32_t done = 0;
    while (publish->aside != NULL && !of_publish_closed(publish)) {
        struct of_batch *batch = publish->aside;
        if (go_through(publish, batch) != DONE) {
            publish->full = !of_publish_closed(publish);
            break;
        }
        take_first_aside(publish);
        of_port_home(publish->port, &batch->item);
        done++;
    }
    return done;
}

/* ---- batches ---- */

/* Batches that need the sink are put aside while a transaction ends, so that those behind them go on. The pool that they
 * come from bounds how many. Nothing may pass the barrier, nor another batch of its own partition. */
static bool
publish_item(void *self, struct of_port *port, struct of_item *item)
{
    struct of_publish *publish = self;
    struct of_batch *batch = (struct of_batch *)item;
    OF_ASSERT(batch->slot->index < publish->slot_count);
    publish->port = port;
    publish->full = false;
    if (publish->step == OF_STEP_ASIDE)
        return false;
    enum progress progress = publish->slots[batch->slot->index].aside > 0 ? ENDING : go_through(publish, batch);
    switch (progress) {
    case DONE:
        of_port_home(port, item);
        return true;
    case STUCK:
        publish->full = true;
        return false;
    case ENDING:
        put_aside(publish, batch);
        return true;
    }
    return false;
}

static uint32_t
tick(void *self, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    struct of_publish *publish = self;
    const struct of_sink_listener listener = { publish, of_publish_settled, of_publish_ended };
    publish->port = port;
    uint32_t done = publish->options.sink.ops->poll(publish->options.sink.self, &listener);
    done += of_publish_resume_aside(publish);
    done += of_publish_move_barrier(publish, now_ns, deadline_ns);
    if (publish->full && now_ns + FULL_NS < *deadline_ns)
        *deadline_ns = now_ns + FULL_NS;
    return done;
}

/* ---- for people ---- */

static const char *const steps[] = {
    [OF_STEP_NONE] = "waits for a barrier",
    [OF_STEP_ASIDE] = "has a barrier, and hands over first what was put aside",
    [OF_STEP_LETTERS] = "has a barrier, and waits until the letters before it are acknowledged",
    [OF_STEP_ROWS] = "has a barrier, and writes the aggregates that changed",
    [OF_STEP_MARKERS] = "has a barrier, and writes the markers of partitions",
    [OF_STEP_ENDING] = "has a barrier, and waits until its transaction is committed",
};

static void
describe_transaction(const struct of_publish *publish, int64_t now_ns, FILE *out)
{
    if (publish->ending)
        fprintf(out, "  transaction %" PRIu64 " is being ended\n", publish->transaction);
    else if (publish->opened_ns != 0)
        fprintf(out, "  transaction %" PRIu64 " is open for %.1f s and holds %u letters\n", publish->transaction,
                (double)(now_ns - publish->opened_ns) / (double)OF_SECOND_NS, publish->used);
    if (publish->doomed)
        fprintf(out, "  nothing since the last barrier counts: %s\n", publish->verdict_text);
}

static void
describe(const void *self, int64_t now_ns, FILE *out)
{
    const struct of_publish *publish = self;
    uint32_t aside = 0;
    for (const struct of_batch *batch = publish->aside; batch != NULL; batch = batch->next)
        aside++;
    fprintf(out, "  lane %u: %s\n", publish->options.lane, steps[publish->step]);
    if (publish->transactional)
        describe_transaction(publish, now_ns, out);
    else
        fprintf(out, "  %u letters and %u records of state are not acknowledged yet\n",
                publish->unsettled[0] + publish->unsettled[1], publish->state_unsettled);
    if (aside > 0)
        fprintf(out, "  %u batches wait for the next transaction\n", aside);
    if (publish->full)
        fprintf(out, "  a batch waits because the producer's queue is full, or too many letters are under way\n");
    if (publish->options.state_schema_id != NULL
        && atomic_load_explicit(publish->options.state_schema_id, memory_order_relaxed) < 0)
        fprintf(out, "  the schema of totals has no id yet: nothing is committed until the registry gives one\n");
    for (uint32_t i = 0; i < publish->slot_count; i++)
        if (publish->slots[i].failed && publish->slots[i].slot != NULL)
            fprintf(out, "  %s %" PRId32 ": nothing more of epoch %u counts; fetch begins it again\n",
                    publish->slots[i].slot->topic, publish->slots[i].slot->partition, publish->slots[i].epoch);
}

const struct of_stage_ops of_publish_stage = {
    .describe = describe,
    .name = "publish",
    .process = publish_item,
    .open = open_slot,
    .barrier = of_publish_take_barrier,
    .tick = tick,
};
