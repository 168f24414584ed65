/* A barrier's way to its end, which is where orders come to count.
 *
 *   step      plain sink                                       transactional sink
 *   ASIDE     batches before it that were put aside go first   the same
 *   LETTERS   those before it are acknowledged                 -
 *   ROWS      changed aggregates are acknowledged              changed aggregates are produced
 *   MARKERS   markers are acknowledged                         markers are produced
 *   ENDING    -                                                letters, aggregates, markers and offsets are committed
 *   home      WRITTEN: fetch commits the offsets               COMMITTED, ABORTED, UNKNOWN or FAILED
 *
 * Batches behind the barrier go on meanwhile, but for the letters of a transaction that has not ended.
 *
 *   a crash in   leaves, with a plain sink                     leaves, with a transactional sink
 *   LETTERS      letters that are written again                nothing: the transaction is aborted by the next process with
 *   ROWS         rows ahead of their marker: what they contain   the same identity, or times out
 *                is passed over when it is read again
 *   MARKERS      markers ahead of the offsets: reading begins  the same
 *                at the marker
 *   ENDING       -                                             all of it or nothing: the coordinator finishes what it was
 *                                                              told to commit
 *   home         the same as MARKERS                           all of it
 *
 * With a transactional sink a slot that has records in the transaction cannot be given up alone: what voids it voids the lane
 * (of_publish_abort), and the barrier, or the next one, tells fetch to begin again from what is committed. */
#include <stdio.h>
#include <string.h>

#include "core/assert.h"
#include "core/crash_point.h"
#include "core/memory.h"
#include "order/groups.h"
#include "stages/aggregate.h"
#include "stages/publish_private.h"

static const int64_t SCHEMA_NS = 20 * OF_MS_NS; /* how often to look whether the registry has named the schema */
static const int64_t FULL_NS = 1 * OF_MS_NS;    /* the same for a sink that was full */
static const int64_t GIVE_UP_NS = 10 * OF_SECOND_NS;

/* ---- aborting ---- */

static void
void_slots(struct of_publish *publish)
{
    for (uint32_t i = 0; i < publish->slot_count; i++) {
        struct of_publish_slot *slot = &publish->slots[i];
        slot->reached = (struct of_reached) { .next_offset = -1 };
        if (slot->slot == NULL || slot->failed)
            continue;
        slot->failed = true;
        of_slot_drop(slot->slot, slot->epoch);
    }
}

static void
doom(struct of_publish *publish, enum of_barrier_outcome verdict, bool fenced, const char *text)
{
    if (!publish->doomed || verdict > publish->verdict) {
        publish->verdict = verdict;
        publish->fenced = fenced;
        snprintf(publish->verdict_text, sizeof publish->verdict_text, "%s", text);
    }
    publish->doomed = true;
    void_slots(publish);
    if (publish->barrier_wanted != NULL)
        atomic_store_explicit(publish->barrier_wanted, true, memory_order_relaxed);
}

void
of_publish_give_up(struct of_publish *publish, const char *text)
{
    doom(publish, OF_BARRIER_FAILED, false, text);
}

void
of_publish_abort(struct of_publish *publish, const char *text)
{
    bool first = !publish->doomed;
    doom(publish, OF_BARRIER_ABORTED, false, text);
    if (!first || publish->ending || publish->opened_ns == 0)
        return;
    publish->ending = true;
    publish->options.sink.ops->abort(publish->options.sink.self);
}

/* ---- arriving ---- */

/* A barrier only comes when the one before it is committed, or its slots are dropped: nothing of a dropped one is
 * forgotten until it has begun again, and what it had reached does not count, as aggregate has counted more by now. */
static struct of_reached
take_reached(struct of_publish_slot *slot, const int64_t *start)
{
    struct of_reached reached = slot->reached;
    if (slot->slot == NULL || slot->failed || of_slot_dropped(slot->slot, slot->epoch))
        return (struct of_reached) { .next_offset = -1 };
    if (slot->barrier_offset >= 0)
        of_handed_forget(&slot->handed, slot->barrier_offset);
    if (reached.next_offset < 0 && start != NULL)
        reached.next_offset = *start;
    if (reached.next_offset >= 0)
        slot->barrier_offset = reached.next_offset;
    slot->retries += reached.retries;
    slot->dead_letters += reached.dead_letters;
    slot->reached = (struct of_reached) { .next_offset = -1 };
    return reached;
}

/* What fetch has dropped without publish knowing leaves letters in the transaction that must not count. */
static bool
dropped_by_fetch(const struct of_publish *publish)
{
    for (uint32_t i = 0; i < publish->slot_count; i++) {
        const struct of_publish_slot *slot = &publish->slots[i];
        if (slot->slot != NULL && !slot->failed && of_slot_dropped(slot->slot, slot->epoch))
            return true;
    }
    return false;
}

static bool
schema_is_known(const struct of_publish *publish, uint32_t *schema_id)
{
    int64_t id = atomic_load_explicit(publish->options.state_schema_id, memory_order_acquire);
    *schema_id = (uint32_t)id;
    return id >= 0;
}

/* Everything before the barrier is gone through now. Where slots begin can be recorded later: without a registry it would
 * hold up the barrier, and with it whoever stops before anything is counted. */
static void
begin(struct of_publish *publish)
{
    uint32_t schema_id;
    bool known = schema_is_known(publish, &schema_id);
    struct of_barrier *barrier = publish->barrier;
    publish->generation ^= 1;
    publish->step = OF_STEP_LETTERS;
    publish->barrier_ns = of_clock_mono_ns(publish->options.clock);
    publish->round++;
    publish->at_instance = publish->at_row = publish->at_slot = publish->state_unsettled = 0;
    publish->given_up_ns = 0;
    if (publish->transactional && dropped_by_fetch(publish))
        of_publish_abort(publish, "partitions were taken away");
    for (uint32_t i = 0; i < barrier->slot_count; i++) {
        barrier->reached[i] = (struct of_reached) { .next_offset = -1 };
        if (i < publish->slot_count)
            barrier->reached[i] = take_reached(&publish->slots[i], known ? &barrier->starts[i] : NULL);
    }
}

void
of_publish_take_barrier(void *self, struct of_port *port, struct of_barrier *barrier)
{
    struct of_publish *publish = self;
    OF_ASSERT(publish->barrier == NULL);
    publish->port = port;
    publish->barrier = barrier;
    publish->step = OF_STEP_ASIDE;
    if (publish->aside == NULL)
        begin(publish);
}

/* ---- going home ---- */

static void
send_home(struct of_publish *publish, enum of_barrier_outcome outcome)
{
    struct of_barrier *barrier = publish->barrier;
    for (uint32_t i = 0; i < barrier->slot_count && i < publish->slot_count; i++)
        OF_ASSERT(publish->slots[i].slot == NULL || publish->slots[i].slot == barrier->slots[i]);
    barrier->outcome = outcome;
    barrier->fenced = publish->fenced;
    barrier->late = publish->late;
    publish->late = false;
    memcpy(barrier->text, publish->verdict_text, sizeof barrier->text);
    publish->barrier = NULL;
    publish->step = OF_STEP_NONE;
    of_counter_add(&publish->counts.barriers[outcome], 1);
    of_histogram_add(&publish->counts.barrier, of_clock_mono_ns(publish->options.clock) - publish->barrier_ns, 1);
    if (barrier->kind == OF_BARRIER_REVOKE)
        of_publish_forget_assignment(publish);
    of_port_home(publish->port, &barrier->item);
}

static void
void_reached(struct of_barrier *barrier)
{
    for (uint32_t i = 0; i < barrier->slot_count; i++)
        barrier->reached[i] = (struct of_reached) { .next_offset = -1 };
}

/* With the verdict that was reached before it came, or while it was under way. */
static void
send_home_doomed(struct of_publish *publish)
{
    OF_ASSERT(publish->opened_ns == 0);
    void_reached(publish->barrier);
    publish->doomed = publish->verdict == OF_BARRIER_FAILED; /* which nothing makes good */
    send_home(publish, publish->verdict);
}

static bool
all_dropped(const struct of_publish *publish)
{
    for (uint32_t i = 0; i < publish->slot_count; i++) {
        const struct of_publish_slot *slot = &publish->slots[i];
        if (slot->slot != NULL && !of_slot_dropped(slot->slot, slot->epoch))
            return false;
    }
    return true;
}

/* ---- rows and markers ---- */

static struct of_state_place
place_of(const struct of_publish *publish, uint32_t slot)
{
    const struct of_slot *own = publish->slots[slot].slot;
    return (struct of_state_place) { publish->options.group, of_slice_str(own->topic), own->partition };
}

/* False: not now. */
static bool
write_row(struct of_publish *publish, const struct of_snapshot_row *row, uint32_t schema_id)
{
    struct of_slice key, value;
    if (publish->barrier->reached[row->slot].next_offset < 0)
        return true;
    const struct of_state_place place = place_of(publish, row->slot);
    publish->slots[row->slot].rows = row->rows;
    of_state_write_row(publish->writer, schema_id, &place, of_groups_name(publish->options.groups, row->group),
                       &row->aggregate, &key, &value);
    return of_publish_hand_over_state(publish, row->slot, key, value) != OF_AGAIN;
}

static bool
write_rows(struct of_publish *publish, uint32_t schema_id)
{
    for (; publish->at_instance < OF_THREADS_PER_STAGE; publish->at_instance++, publish->at_row = 0) {
        const struct of_snapshot *snapshot = publish->barrier->snapshots[publish->at_instance];
        for (; snapshot != NULL && publish->at_row < snapshot->count; publish->at_row++)
            if (publish->doomed || !write_row(publish, &snapshot->rows[publish->at_row], schema_id))
                return false;
    }
    return true;
}

static bool
write_marker(struct of_publish *publish, uint32_t index, uint32_t schema_id)
{
    struct of_slice key, value;
    const struct of_publish_slot *slot = &publish->slots[index];
    const struct of_state_place place = place_of(publish, index);
    const struct of_state_marker marker = {
        .next_offset = publish->barrier->reached[index].next_offset,
        .retries = slot->retries,
        .dead_letters = slot->dead_letters,
        .rows = slot->rows,
        .version = OF_STATE_VERSION,
        .value_field = publish->options.value_field,
        .group_by_field = publish->options.group_by_field,
    };
    of_state_write_marker(publish->writer, schema_id, &place, &marker, &key, &value);
    return of_publish_hand_over_state(publish, index, key, value) != OF_AGAIN;
}

static bool
write_markers(struct of_publish *publish, uint32_t schema_id)
{
    for (; publish->at_slot < publish->barrier->slot_count; publish->at_slot++)
        if (publish->barrier->reached[publish->at_slot].next_offset >= 0
            && (publish->doomed || !write_marker(publish, publish->at_slot, schema_id)))
            return false;
    return true;
}

/* ---- the end of a transaction ---- */

static void
commit(struct of_publish *publish)
{
    const struct of_barrier *barrier = publish->barrier;
    uint32_t count = 0;
    publish->offsets = of_realloc_array(publish->offsets, barrier->slot_count, sizeof *publish->offsets);
    for (uint32_t i = 0; i < barrier->slot_count; i++)
        if (barrier->reached[i].next_offset >= 0)
            publish->offsets[count++] = (struct of_sink_offset) {
                .topic = barrier->slots[i]->topic,
                .partition = barrier->slots[i]->partition,
                .next_offset = barrier->reached[i].next_offset,
                .leader_epoch = barrier->leader_epochs != NULL ? barrier->leader_epochs[i] : -1,
            };
    if (count == 0 && publish->opened_ns == 0) {
        send_home(publish, OF_BARRIER_COMMITTED);
        return;
    }
    publish->step = OF_STEP_ENDING;
    publish->ending = true;
    publish->commit_ns = of_clock_mono_ns(publish->options.clock);
    publish->options.sink.ops->commit(publish->options.sink.self, publish->offsets, count, barrier->membership);
}

static void
note_transaction(struct of_publish *publish, bool committing, enum of_status status)
{
    of_counter_add(status == OF_OK ? &publish->counts.transactions_committed : &publish->counts.transactions_aborted, 1);
    if (committing)
        of_histogram_add(&publish->counts.commit, of_clock_mono_ns(publish->options.clock) - publish->commit_ns, 1);
}

void
of_publish_ended(void *arg, enum of_status status, bool fenced, const char *text)
{
    struct of_publish *publish = arg;
    bool committing = publish->step == OF_STEP_ENDING;
    publish->ending = false;
    note_transaction(publish, committing, status);
    publish->transaction++;
    publish->opened_ns = 0;
    publish->used = 0;
    if (status == OF_OK) {
        OF_CRASH_POINT("commit-after");
        OF_ASSERT(committing);
        send_home(publish, OF_BARRIER_COMMITTED);
    } else if (status == OF_FATAL) {
        doom(publish, OF_BARRIER_FAILED, fenced, text);
    } else if (committing || status == OF_RETRY) {
        doom(publish, status == OF_RETRY ? OF_BARRIER_UNKNOWN : OF_BARRIER_ABORTED, false, text);
    }
}

/* ---- moving ---- */

static bool
reached_nothing(const struct of_barrier *barrier)
{
    for (uint32_t i = 0; i < barrier->slot_count; i++)
        if (barrier->reached[i].next_offset >= 0)
            return false;
    return true;
}

static void
look_again(int64_t now_ns, int64_t pause_ns, int64_t *deadline_ns)
{
    if (now_ns + pause_ns < *deadline_ns)
        *deadline_ns = now_ns + pause_ns;
}

/* Writes what belongs to the barrier. True: all of it is written, and with a plain sink acknowledged. */
static bool
write_state(struct of_publish *publish, int64_t now_ns, int64_t *deadline_ns)
{
    uint32_t schema_id;
    if (reached_nothing(publish->barrier))
        return true;
    if (!schema_is_known(publish, &schema_id)) {
        look_again(now_ns, SCHEMA_NS, deadline_ns);
        return false;
    }
    if (publish->step == OF_STEP_ROWS) {
        if (!write_rows(publish, schema_id)) {
            look_again(now_ns, FULL_NS, deadline_ns);
            return false;
        }
        if (!publish->transactional && publish->state_unsettled > 0)
            return false;
        OF_CRASH_POINT("state-between");
        publish->step = OF_STEP_MARKERS;
    }
    if (!write_markers(publish, schema_id)) {
        look_again(now_ns, FULL_NS, deadline_ns);
        return false;
    }
    return publish->transactional || publish->state_unsettled == 0;
}

/* A transaction whose barrier does not come holds up whoever reads what is written. */
static void
limit_transaction(struct of_publish *publish, int64_t now_ns)
{
    const struct of_publish_options *options = &publish->options;
    if (publish->opened_ns != 0 && !publish->ending && !publish->doomed
        && now_ns - publish->opened_ns > of_tuning_commit_interval_ns(options->tuning) + options->barrier_limit_ns) {
        publish->late = true; /* fetch lets less come before the next one */
        of_publish_abort(publish, "its barrier did not come in time");
    }
}

/* Whoever has the partitions next writes newer state: what still waits must not come over it. Its reports concern nobody. */
static void
purge(struct of_publish *publish)
{
    if (publish->options.sink.ops->purge != NULL)
        publish->options.sink.ops->purge(publish->options.sink.self);
    publish->state_unsettled = 0;
}

/* A lane that was told to give up writes no more, but waits a while for what is on its way: if that was all, it counts. */
static void
give_up_plain(struct of_publish *publish, int64_t now_ns, int64_t *deadline_ns)
{
    if (publish->given_up_ns == 0)
        publish->given_up_ns = now_ns;
    if (publish->state_unsettled > 0 && now_ns - publish->given_up_ns < GIVE_UP_NS) {
        look_again(publish->given_up_ns, GIVE_UP_NS, deadline_ns);
        return;
    }
    bool all = publish->step == OF_STEP_MARKERS && publish->at_slot == publish->barrier->slot_count
               && publish->state_unsettled == 0;
    if (!all) {
        void_reached(publish->barrier);
        purge(publish);
    }
    send_home(publish, OF_BARRIER_WRITTEN);
}

static void
move_plain(struct of_publish *publish, int64_t now_ns, int64_t *deadline_ns)
{
    if (publish->doomed) {
        send_home_doomed(publish);
        return;
    }
    if (all_dropped(publish)) {
        give_up_plain(publish, now_ns, deadline_ns);
        return;
    }
    if (publish->step == OF_STEP_LETTERS) {
        if (publish->unsettled[publish->generation ^ 1] > 0)
            return;
        OF_CRASH_POINT("state-before");
        publish->step = OF_STEP_ROWS;
    }
    if (!write_state(publish, now_ns, deadline_ns))
        return;
    OF_CRASH_POINT("state-after");
    send_home(publish, OF_BARRIER_WRITTEN);
}

static void
move_transactional(struct of_publish *publish, int64_t now_ns, int64_t *deadline_ns)
{
    if (publish->ending)
        return;
    if (!publish->doomed && publish->slot_count > 0 && !reached_nothing(publish->barrier) && all_dropped(publish))
        of_publish_abort(publish, "partitions were taken away");
    if (publish->ending)
        return;
    if (publish->step == OF_STEP_LETTERS)
        publish->step = OF_STEP_ROWS;
    bool written = publish->doomed || write_state(publish, now_ns, deadline_ns);
    if (publish->doomed && !publish->ending) /* writing may have doomed it */
        send_home_doomed(publish);
    else if (!publish->doomed && written)
        commit(publish);
}

uint32_t
of_publish_move_barrier(struct of_publish *publish, int64_t now_ns, int64_t *deadline_ns)
{
    limit_transaction(publish, now_ns);
    enum of_publish_step before = publish->step;
    if (publish->step == OF_STEP_ASIDE && publish->aside == NULL)
        begin(publish);
    if (publish->step == OF_STEP_NONE || publish->step == OF_STEP_ASIDE)
        return 0;
    if (publish->transactional)
        move_transactional(publish, now_ns, deadline_ns);
    else
        move_plain(publish, now_ns, deadline_ns);
    return publish->step != before;
}
