#include "stages/publish.h"

#include <stdio.h>
#include <stdlib.h>

#include "avro/framing.h"
#include "core/assert.h"
#include "core/memory.h"
#include "stages/handed.h"
#include "stages/letter.h"
#include "stages/reason.h"
#include "stages/tell.h"

/* While the sink or the console is full, how often to look whether it still is. */
static const int64_t FULL_NS = 1 * OF_MS_NS;

/* One slot of the present assignment. */
struct partition {
    struct of_slot *slot;
    uint32_t epoch;
    uint32_t restored; /* the epoch that last began from committed state: letters of earlier ones concern nobody */
    bool failed;       /* since then: nothing more of it counts, also not of an epoch that a hold begins */
    struct of_reached reached; /* since the last barrier */
    int64_t barrier_offset;    /* what the last barrier reached here; committed when the next one comes. -1: nothing */
    struct of_handed handed;
    /* The record whose letter was refused as too large after it had been handed over: its letter is made this small.
     * Outlives the epoch, as the record comes again. */
    int64_t shrunk_offset;
    uint8_t shrunk_size; /* enum of_letter_size; for a retry record anything but whole means: dead letter instead */
};

/* A letter on its way. Its number is the sink's tag. */
struct letter {
    uint32_t slot;
    uint32_t epoch;
    uint32_t assignment;
    int64_t offset;
    uint64_t number; /* in its partition's list of what was handed over */
    uint8_t generation;
    uint8_t destination;
    uint8_t size;
    uint32_t next_free;
};

struct of_publish {
    struct of_publish_options options;
    struct partition *partitions; /* by slot index */
    uint32_t partition_count, partition_room;
    uint32_t assignment; /* counts revocations: letters of an earlier one concern nobody any more */

    struct letter *letters; /* 1 to in_flight; 0 is none */
    uint32_t first_free;
    uint32_t unsettled[2]; /* by generation, of the present assignment */
    uint8_t generation;    /* of letters handed over now */
    struct of_barrier *barrier; /* arrived, waits for letters of the other generation */
    bool full; /* the last batch could not be finished */

    struct of_letter *letter;
    struct of_publish_counts counts;
    struct of_port *port; /* during a tick */
};

static void
forget_assignment(struct of_publish *publish)
{
    for (uint32_t i = 0; i < publish->partition_count; i++)
        of_handed_fini(&publish->partitions[i].handed);
    publish->partition_count = 0;
    publish->assignment++;
    publish->unsettled[0] = publish->unsettled[1] = 0;
}

struct of_publish *
of_publish_create(const struct of_publish_options *options)
{
    struct of_publish *publish = of_alloc(sizeof *publish);
    publish->options = *options;
    publish->letter = of_letter_create();
    publish->letters = of_alloc_array(options->in_flight + 1, sizeof *publish->letters);
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
    forget_assignment(*publish);
    of_letter_destroy(&(*publish)->letter);
    free((*publish)->letters);
    free((*publish)->partitions);
    free(*publish);
    *publish = NULL;
}

const struct of_publish_counts *
of_publish_counts(const struct of_publish *publish)
{
    return &publish->counts;
}

/* ---- slots ---- */

static void
open_slot(void *self, const struct of_open *open)
{
    struct of_publish *publish = self;
    uint32_t index = open->slot->index;
    if (index >= publish->partition_room) {
        publish->partition_room = index + 16;
        publish->partitions = of_realloc_array(publish->partitions, publish->partition_room,
                                               sizeof *publish->partitions);
    }
    while (publish->partition_count <= index)
        publish->partitions[publish->partition_count++] = (struct partition) {
            .reached = { .next_offset = -1 },
            .barrier_offset = -1,
            .shrunk_offset = -1,
        };
    struct partition *partition = &publish->partitions[index];
    partition->slot = open->slot;
    partition->epoch = open->epoch;
    if (open->restore) {
        partition->restored = open->epoch;
        partition->failed = false;
        partition->reached = (struct of_reached) { .next_offset = -1 };
        partition->barrier_offset = -1;
        of_handed_rewind(&partition->handed);
    }
}

/* The slot's epoch cannot be completed, nor what it goes on from. Whoever comes first is told to fetch; the rest is consequence. */
static void
fail_slot(struct of_publish *publish, struct of_port *port, struct partition *partition, enum of_cause cause,
          const char *text)
{
    if (partition->failed)
        return;
    partition->failed = true;
    partition->reached = (struct of_reached) { .next_offset = -1 };
    of_slot_drop(partition->slot, partition->epoch);
    struct of_notice *notice = &partition->slot->notice;
    notice->item.kind = OF_ITEM_NOTICE;
    notice->item.lane = publish->options.lane;
    notice->slot = partition->slot;
    notice->epoch = partition->epoch;
    notice->cause = (uint8_t)cause;
    snprintf(notice->text, sizeof notice->text, "%s", text);
    of_port_home(port, &notice->item);
}

/* ---- letters ---- */

/* Gives the letter to the producer, unless an earlier reading of the partition has done so. */
static enum of_status
hand_over(struct of_publish *publish, struct partition *partition, const struct of_outgoing *out, int64_t offset,
          uint8_t size, struct of_error *err)
{
    uint8_t destination = (uint8_t)out->destination;
    enum of_handed_state handed = of_handed_find(&partition->handed, offset, destination);
    if (handed == OF_HANDED_WRITTEN)
        return OF_OK;
    uint32_t tag = publish->first_free;
    if (handed == OF_HANDED_WAITING || tag == 0)
        return OF_AGAIN;
    enum of_status status = publish->options.sink.ops->produce(publish->options.sink.self, out, tag, err);
    if (status != OF_OK)
        return status;
    struct letter *letter = &publish->letters[tag];
    publish->first_free = letter->next_free;
    *letter = (struct letter) {
        .slot = partition->slot->index,
        .epoch = partition->epoch,
        .assignment = publish->assignment,
        .offset = offset,
        .number = of_handed_add(&partition->handed, offset, destination),
        .generation = publish->generation,
        .destination = destination,
        .size = size,
    };
    publish->unsettled[publish->generation]++;
    return OF_OK;
}

static void
letter_failed(struct of_publish *publish, const struct letter *letter, enum of_status status, const char *text)
{
    struct partition *partition = &publish->partitions[letter->slot];
    if (letter->epoch < partition->restored)
        return;
    if (status == OF_POISON) {
        partition->shrunk_offset = letter->offset;
        partition->shrunk_size = (uint8_t)(letter->size + 1 < OF_LETTER_SIZES ? letter->size + 1 : letter->size);
    }
    /* The barrier that waits for this letter must not commit what it stands for. */
    if (publish->barrier != NULL && letter->generation != publish->generation)
        publish->barrier->reached[letter->slot] = (struct of_reached) { .next_offset = -1 };
    fail_slot(publish, publish->port, partition,
              letter->destination == OF_TO_RETRY ? OF_CAUSE_RETRY_REFUSED : OF_CAUSE_DEAD_LETTER_REFUSED, text);
}

static void
settled(void *arg, uint64_t tag, enum of_status status, const char *text)
{
    struct of_publish *publish = arg;
    OF_ASSERT(tag >= 1 && tag <= publish->options.in_flight);
    struct letter *letter = &publish->letters[tag];
    if (letter->assignment == publish->assignment) {
        OF_ASSERT(publish->unsettled[letter->generation] > 0);
        publish->unsettled[letter->generation]--;
        of_handed_settle(&publish->partitions[letter->slot].handed, letter->number, status == OF_OK);
        if (status != OF_OK)
            letter_failed(publish, letter, status, text);
    }
    letter->next_free = publish->first_free;
    publish->first_free = (uint32_t)tag;
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
        .now_ms = of_clock_wall_ms(publish->options.clock),
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
    facts->due_ms = facts->now_ms + publish->options.retry_delay_ms;
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
send_dead(struct of_publish *publish, const struct of_batch *batch, struct partition *partition,
          const struct of_record *record, const struct of_letter_facts *facts, struct of_error *err)
{
    uint8_t size = partition->shrunk_offset == record->offset ? partition->shrunk_size : OF_LETTER_WHOLE;
    for (;; size++) {
        const struct of_outgoing *out = of_letter_dead(publish->letter, batch->chunk->ops, record, facts,
                                                       (enum of_letter_size)size);
        enum of_status status = hand_over(publish, partition, out, record->offset, size, err);
        if (status != OF_POISON || size + 1 == OF_LETTER_SIZES)
            return status;
    }
}

/* Retry or dead letter. OF_POISON from a retry means that it is too large: then there is no next attempt. */
static enum of_status
send_failed(struct of_publish *publish, const struct of_batch *batch, struct partition *partition,
            const struct of_record *record, struct of_letter_facts *facts, enum of_event_kind *kind,
            struct of_error *err)
{
    bool again = of_cause_class(facts->cause) == OF_CLASS_TRANSIENT && facts->attempts <= publish->options.max_retries
                 && partition->shrunk_offset != record->offset;
    if (again) {
        const struct of_outgoing *out = of_letter_retry(publish->letter, batch->chunk->ops, record, facts);
        enum of_status status = hand_over(publish, partition, out, record->offset, OF_LETTER_WHOLE, err);
        *kind = OF_EVENT_RETRY;
        if (status != OF_POISON)
            return status;
    }
    *kind = OF_EVENT_DEAD_LETTER;
    return send_dead(publish, batch, partition, record, facts, err);
}

static void
count(struct of_publish *publish, struct partition *partition, enum of_event_kind kind)
{
    if (kind == OF_EVENT_RETRY) {
        partition->reached.retries++;
        of_counter_add(&publish->counts.retries, 1);
    } else if (kind == OF_EVENT_DEAD_LETTER) {
        partition->reached.dead_letters++;
        of_counter_add(&publish->counts.dead_letters, 1);
    }
}

/* One record to its fate. OF_AGAIN: nothing happened, it must be tried again. OF_RETRY: refused. */
static enum of_status
settle(struct of_publish *publish, struct of_batch *batch, struct partition *partition, uint32_t at, bool tell,
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
        status = send_failed(publish, batch, partition, &record, &facts, &kind, err);
    }
    if (status == OF_OK) {
        count(publish, partition, kind);
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

/* ---- batches ---- */

static bool
publish_item(void *self, struct of_port *port, struct of_item *item)
{
    struct of_publish *publish = self;
    struct of_batch *batch = (struct of_batch *)item;
    OF_ASSERT(batch->slot->index < publish->partition_count);
    struct partition *partition = &publish->partitions[batch->slot->index];
    const struct of_listener *listener = &publish->options.listener;
    bool tell = listener->queue != NULL && listener->wants_records(listener->arg);
    publish->full = false;
    if (partition->failed || of_slot_dropped(batch->slot, batch->epoch)) {
        of_port_home(port, item);
        return true;
    }
    OF_ASSERT(partition->epoch == batch->epoch);
    while ((batch->failed > 0 || tell) && batch->cursor < batch->count) {
        struct of_error err;
        enum of_status status = settle(publish, batch, partition, batch->cursor, tell, &err);
        if (status == OF_AGAIN) {
            publish->full = true;
            return false;
        }
        if (status != OF_OK) {
            fail_slot(publish, port, partition,
                      of_cause_class((enum of_cause)batch->status[batch->cursor]) == OF_CLASS_TRANSIENT
                          ? OF_CAUSE_RETRY_REFUSED
                          : OF_CAUSE_DEAD_LETTER_REFUSED,
                      err.text);
            of_port_home(port, item);
            return true;
        }
        batch->cursor++;
    }
    partition->reached.next_offset = batch->next_offset;
    of_port_home(port, item);
    return true;
}

/* ---- barriers ---- */

/* A barrier only comes when the one before it is committed, or its slots are dropped: nothing of a dropped one is
 * forgotten until it has begun again, and what it had reached does not count, as aggregate has counted more by now. */
static struct of_reached
take_reached(struct partition *partition)
{
    struct of_reached reached = partition->reached;
    if (of_slot_dropped(partition->slot, partition->epoch))
        return (struct of_reached) { .next_offset = -1 };
    if (partition->barrier_offset >= 0)
        of_handed_forget(&partition->handed, partition->barrier_offset);
    if (reached.next_offset >= 0)
        partition->barrier_offset = reached.next_offset;
    partition->reached = (struct of_reached) { .next_offset = -1 };
    return reached;
}

static void
take_barrier(void *self, struct of_port *port, struct of_barrier *barrier)
{
    (void)port;
    struct of_publish *publish = self;
    OF_ASSERT(publish->barrier == NULL);
    publish->barrier = barrier;
    publish->generation ^= 1;
    for (uint32_t i = 0; i < barrier->slot_count; i++) {
        barrier->reached[i] = (struct of_reached) { .next_offset = -1 };
        if (i < publish->partition_count)
            barrier->reached[i] = take_reached(&publish->partitions[i]);
    }
}

/* A lane that was told to give up waits for nothing. */
static bool
all_dropped(const struct of_publish *publish)
{
    for (uint32_t i = 0; i < publish->partition_count; i++)
        if (!of_slot_dropped(publish->partitions[i].slot, publish->partitions[i].epoch))
            return false;
    return true;
}

static uint32_t
send_barrier_home(struct of_publish *publish, struct of_port *port)
{
    struct of_barrier *barrier = publish->barrier;
    if (barrier == NULL || (publish->unsettled[publish->generation ^ 1] > 0 && !all_dropped(publish)))
        return 0;
    publish->barrier = NULL;
    /* Whose letters were not waited for may not commit what they stand for. */
    for (uint32_t i = 0; publish->unsettled[publish->generation ^ 1] > 0 && i < barrier->slot_count; i++)
        barrier->reached[i] = (struct of_reached) { .next_offset = -1 };
    for (uint32_t i = 0; i < barrier->slot_count && i < publish->partition_count; i++)
        OF_ASSERT(publish->partitions[i].slot == NULL || publish->partitions[i].slot == barrier->slots[i]);
    if (barrier->kind == OF_BARRIER_REVOKE)
        forget_assignment(publish);
    of_port_home(port, &barrier->item);
    return 1;
}

static uint32_t
tick(void *self, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    struct of_publish *publish = self;
    publish->port = port;
    uint32_t done = publish->options.sink.ops->poll(publish->options.sink.self, settled, publish);
    done += send_barrier_home(publish, port);
    if (publish->full && now_ns + FULL_NS < *deadline_ns)
        *deadline_ns = now_ns + FULL_NS;
    return done;
}

const struct of_stage_ops of_publish_stage = {
    .name = "publish",
    .process = publish_item,
    .open = open_slot,
    .barrier = take_barrier,
    .tick = tick,
};
