#include "stages/fetch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/crash_point.h"
#include "core/log.h"
#include "core/memory.h"
#include "stages/reading.h"
#include "stages/restoring.h"

static const int64_t POSITIONS_BACKOFF_NS = 500 * OF_MS_NS;
static const int64_t COMMIT_BACKOFF_NS = 200 * OF_MS_NS;
static const int64_t RESTORE_PATIENCE_NS = 1000 * OF_MS_NS; /* then those partitions begin whose state is known */
static const int64_t BEHIND_NS = 500 * OF_MS_NS; /* how often the lag is looked up */

enum barrier_place { HOME, OUT, COMMITTING };

struct of_fetch {
    struct of_fetch_options options;
    struct of_fetch_status status;
    struct of_board board;
    struct of_positions positions;
    struct of_reading reading;
    struct of_ledger ledger;
    struct of_restoring restoring;
    _Atomic bool stop_wanted;
    bool leaving;
    enum of_fetch_phase phase;
    struct of_error error;

    bool assigned; /* an assignment waits to be begun: */
    struct of_partition *partitions;
    uint32_t partition_count;
    int64_t positions_ns; /* when to look them up (again) */
    int64_t restore_deadline_ns;

    struct of_barrier barrier;
    _Atomic bool barrier_wanted; /* publish asks for one before the interval is over */
    enum barrier_place place;
    bool revoke_sent; /* the last barrier of this assignment is on its way or through */
    int64_t barrier_sent_ns; /* or when reading began */
    int64_t recommit_ns; /* when to send a commit again that failed; 0: it is under way */
    int32_t *leader_epochs; /* of the barrier */
    struct of_offset *offsets;
    uint32_t offset_count;
    bool commit_ignored; /* the answer that is still to come concerns a forgotten assignment */

    int64_t drain_deadline_ns;
    int64_t next_behind_ns;
    struct of_position *places; /* as they are told next */
};

struct of_fetch *
of_fetch_create(const struct of_fetch_options *options)
{
    struct of_fetch *fetch = of_alloc_lines(sizeof *fetch);
    fetch->options = *options;
    of_board_init(&fetch->board);
    of_positions_init(&fetch->positions);
    of_reading_init(&fetch->reading, &fetch->options, &fetch->status, &fetch->board, &fetch->barrier_wanted);
    of_ledger_init(&fetch->ledger);
    of_restoring_init(&fetch->restoring, &fetch->options, &fetch->reading, &fetch->ledger);
    atomic_init(&fetch->status.behind, -1);
    fetch->barrier.item.kind = OF_ITEM_BARRIER;
    fetch->barrier.item.lane = options->lane;
    return fetch;
}

void
of_fetch_destroy(struct of_fetch **fetch)
{
    if (*fetch == NULL)
        return;
    of_reading_release_all(&(*fetch)->reading);
    (*fetch)->options.restorer.ops->close((*fetch)->options.restorer.self);
    (*fetch)->options.source.ops->close((*fetch)->options.source.self);
    of_restoring_fini(&(*fetch)->restoring);
    of_reading_fini(&(*fetch)->reading);
    of_board_fini(&(*fetch)->board);
    of_positions_fini(&(*fetch)->positions);
    free((*fetch)->places);
    of_ledger_fini(&(*fetch)->ledger);
    free((*fetch)->partitions);
    free((*fetch)->offsets);
    free((*fetch)->leader_epochs);
    free((*fetch)->barrier.reached);
    free(*fetch);
    *fetch = NULL;
}

void
of_fetch_stop(struct of_fetch *fetch)
{
    atomic_store_explicit(&fetch->stop_wanted, true, memory_order_release);
}

const struct of_fetch_status *
of_fetch_status(const struct of_fetch *fetch)
{
    return &fetch->status;
}

struct of_board *
of_fetch_board(struct of_fetch *fetch)
{
    return &fetch->board;
}

struct of_positions *
of_fetch_positions(struct of_fetch *fetch)
{
    return &fetch->positions;
}

const char *
of_fetch_error(const struct of_fetch *fetch)
{
    return fetch->error.text;
}

struct of_ledger *
of_fetch_ledger(struct of_fetch *fetch)
{
    return &fetch->ledger;
}

const char *
of_fetch_phase_name(enum of_fetch_phase phase)
{
    static const char *const names[] = {
        [OF_FETCH_JOINING] = "joining",   [OF_FETCH_ASSIGNING] = "assigning", [OF_FETCH_RESTORING] = "restoring",
        [OF_FETCH_READING] = "reading",   [OF_FETCH_DRAINING] = "draining",   [OF_FETCH_CLEARING] = "clearing",
        [OF_FETCH_LEFT] = "left",         [OF_FETCH_FAILED] = "failed",
    };
    return names[phase];
}

static const struct of_source_ops *
source_ops(const struct of_fetch *fetch)
{
    return fetch->options.source.ops;
}

static void *
source_self(const struct of_fetch *fetch)
{
    return fetch->options.source.self;
}

static void
set_phase(struct of_fetch *fetch, enum of_fetch_phase phase)
{
    if (phase != fetch->phase)
        of_log_debug("fetch", "lane %u: %s, was %s", fetch->options.lane, of_fetch_phase_name(phase),
                     of_fetch_phase_name(fetch->phase));
    fetch->phase = phase;
    atomic_store_explicit(&fetch->status.phase, (int)phase, memory_order_release);
}

static void
fail(struct of_fetch *fetch, const struct of_error *err, bool fenced)
{
    if (fetch->phase == OF_FETCH_FAILED)
        return;
    fetch->error = *err;
    atomic_store_explicit(&fetch->status.fenced, fenced, memory_order_relaxed);
    of_reading_drop_all(&fetch->reading);
    set_phase(fetch, OF_FETCH_FAILED);
}

/* Whether the slots are still the source's. */
static bool
is_serving(const struct of_fetch *fetch)
{
    return fetch->phase == OF_FETCH_READING || fetch->phase == OF_FETCH_DRAINING;
}

/* ---- the barrier ---- */

/* What is cut off before the barrier has an epoch that is no higher: nobody takes a log for cut back because of that. */
static void
gather_leader_epochs(struct of_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->reading.count; i++)
        fetch->leader_epochs[i] = source_ops(fetch)->leader_epoch(source_self(fetch), fetch->reading.handles[i]);
}

static void
send_barrier(struct of_fetch *fetch, struct of_port *port, enum of_barrier_kind kind, int64_t now_ns)
{
    OF_ASSERT(fetch->place == HOME);
    struct of_barrier *barrier = &fetch->barrier;
    fetch->revoke_sent = kind == OF_BARRIER_REVOKE;
    barrier->kind = kind;
    barrier->number++;
    barrier->slots = fetch->reading.handles;
    barrier->slot_count = fetch->reading.count;
    barrier->starts = fetch->restoring.starts;
    barrier->leader_epochs = NULL;
    if (source_ops(fetch)->leader_epoch != NULL && is_serving(fetch)) {
        gather_leader_epochs(fetch);
        barrier->leader_epochs = fetch->leader_epochs;
    }
    if (source_ops(fetch)->membership != NULL)
        barrier->membership = source_ops(fetch)->membership(source_self(fetch));
    atomic_store_explicit(&fetch->barrier_wanted, false, memory_order_relaxed);
    memset(barrier->snapshots, 0, sizeof barrier->snapshots);
    fetch->place = OUT;
    fetch->reading.moved = false;
    fetch->barrier_sent_ns = now_ns;
    of_port_broadcast(port, barrier);
}

static void
publish_committed(struct of_fetch *fetch)
{
    int64_t committed = 0;
    for (uint32_t i = 0; i < fetch->ledger.count; i++)
        if (fetch->ledger.slots[i].known)
            committed += fetch->ledger.slots[i].state.next_offset;
    atomic_store_explicit(&fetch->status.committed, committed, memory_order_release);
}

static void
note_commit(struct of_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->barrier.slot_count; i++)
        if (fetch->barrier.reached[i].next_offset >= 0) {
            atomic_store_explicit(&fetch->status.last_commit_ms, of_clock_wall_ms(fetch->options.clock),
                                  memory_order_relaxed);
            return;
        }
}

static void
settle_commit(struct of_fetch *fetch)
{
    const struct of_barrier *barrier = &fetch->barrier;
    of_ledger_commit(&fetch->ledger, barrier);
    publish_committed(fetch);
    note_commit(fetch);
    of_reading_committed(&fetch->reading, barrier);
    for (uint32_t i = 0; i < barrier->slot_count; i++)
        if (barrier->reached[i].next_offset >= 0)
            fetch->restoring.starts[i] = -1;
}

static void
gather_offsets(struct of_fetch *fetch)
{
    fetch->offset_count = 0;
    for (uint32_t i = 0; i < fetch->barrier.slot_count; i++)
        if (fetch->barrier.reached[i].next_offset >= 0)
            fetch->offsets[fetch->offset_count++] = (struct of_offset) {
                .slot = fetch->barrier.slots[i],
                .next_offset = fetch->barrier.reached[i].next_offset,
                .leader_epoch = fetch->barrier.leader_epochs != NULL ? fetch->barrier.leader_epochs[i] : -1,
            };
}

/* Recorded state counts, whatever becomes of the offsets: who owns the partitions next begins where it ends. */
static void
commit_offsets(struct of_fetch *fetch)
{
    settle_commit(fetch);
    gather_offsets(fetch);
    if (fetch->offset_count == 0 || (fetch->phase != OF_FETCH_READING && fetch->phase != OF_FETCH_DRAINING))
        return; /* the partitions may be another's */
    fetch->place = COMMITTING;
    fetch->recommit_ns = 0;
    source_ops(fetch)->commit(source_self(fetch), fetch->offsets, fetch->offset_count);
}

static void
barrier_failed(struct of_fetch *fetch)
{
    struct of_error err;
    of_error_set(&err, OF_FATAL, "%s", fetch->barrier.text);
    fail(fetch, &err, fetch->barrier.fenced);
}

/* Begins again from what is committed, unless the partitions are gone anyway. */
static void
restart(struct of_fetch *fetch, enum of_cause cause, const char *text)
{
    if (fetch->phase != OF_FETCH_READING && fetch->phase != OF_FETCH_DRAINING)
        return;
    of_log_limited(OF_LOG_DEBUG, "fetch", "lane %u begins again from what is committed: %s", fetch->options.lane, text);
    of_reading_restart_all(&fetch->reading, cause, text);
}

static void
barrier_came_home(struct of_fetch *fetch)
{
    OF_ASSERT(fetch->place == OUT);
    struct of_barrier *barrier = &fetch->barrier;
    fetch->place = HOME;
    if (barrier->membership != NULL)
        source_ops(fetch)->give_back_membership(barrier->membership);
    barrier->membership = NULL;
    of_reading_pace(&fetch->reading, barrier, of_clock_mono_ns(fetch->options.clock) - fetch->barrier_sent_ns);
    switch (barrier->outcome) {
    case OF_BARRIER_WRITTEN: commit_offsets(fetch); break;
    case OF_BARRIER_COMMITTED: settle_commit(fetch); break;
    case OF_BARRIER_UNKNOWN: of_ledger_doubt(&fetch->ledger); /* fall through */
    case OF_BARRIER_ABORTED: restart(fetch, OF_CAUSE_TRANSACTION_ABORTED, barrier->text); break;
    case OF_BARRIER_FAILED: barrier_failed(fetch); break;
    }
}

static void
take_commit_answer(struct of_fetch *fetch, const struct of_source_event *event, int64_t now_ns)
{
    if (fetch->commit_ignored || fetch->place != COMMITTING) {
        fetch->commit_ignored = false;
        return;
    }
    switch (event->status) {
    case OF_OK:
        fetch->place = HOME;
        break;
    case OF_RETRY:
        fetch->recommit_ns = now_ns + COMMIT_BACKOFF_NS;
        break;
    default:
        /* The group no longer accepts it: others may have the partitions already. If not, start from what counts, which
         * is still to be committed. */
        fetch->place = HOME;
        for (uint32_t i = 0; i < fetch->offset_count; i++)
            fetch->restoring.starts[fetch->offsets[i].slot->index] = fetch->offsets[i].next_offset;
        of_reading_restart_all(&fetch->reading, OF_CAUSE_FETCH_FAILED, event->error.text);
        break;
    }
}

static uint32_t
recommit(struct of_fetch *fetch, int64_t now_ns, int64_t *deadline_ns)
{
    if (fetch->place != COMMITTING || fetch->recommit_ns == 0)
        return 0;
    if (now_ns < fetch->recommit_ns) {
        *deadline_ns = fetch->recommit_ns < *deadline_ns ? fetch->recommit_ns : *deadline_ns;
        return 0;
    }
    fetch->recommit_ns = 0;
    source_ops(fetch)->commit(source_self(fetch), fetch->offsets, fetch->offset_count);
    return 1;
}

/* ---- the assignment ---- */

static void
take_assignment(struct of_fetch *fetch, const struct of_source_event *event, int64_t now_ns)
{
    OF_ASSERT(fetch->phase == OF_FETCH_JOINING || fetch->phase == OF_FETCH_CLEARING);
    fetch->partitions = of_realloc_array(fetch->partitions, event->count, sizeof *fetch->partitions);
    if (event->count > 0)
        memcpy(fetch->partitions, event->partitions, event->count * sizeof *fetch->partitions);
    fetch->partition_count = event->count;
    fetch->assigned = true;
    of_counter_add(&fetch->status.assigned, 1);
    fetch->positions_ns = now_ns;
    if (fetch->phase == OF_FETCH_JOINING)
        set_phase(fetch, OF_FETCH_ASSIGNING);
}

/* Looks up where the partitions begin and asks for their recorded state. */
static bool
look_up(struct of_fetch *fetch, int64_t now_ns)
{
    uint32_t count = fetch->partition_count;
    struct of_error err;
    if (count > OF_LANE_SLOTS) {
        of_error_set(&err, OF_FATAL, "%u partitions are assigned to one fetch thread, which can have %d; "
                     "use more --fetch-threads or instances", count, OF_LANE_SLOTS);
        fail(fetch, &err, false);
        return true;
    }
    enum of_status status = source_ops(fetch)->positions(source_self(fetch), fetch->partitions, count, &err);
    if (status == OF_FATAL)
        fail(fetch, &err, false);
    if (status != OF_OK) {
        fetch->positions_ns = now_ns + POSITIONS_BACKOFF_NS;
        return false;
    }
    of_reading_assign(&fetch->reading, fetch->partitions, count);
    of_ledger_open(&fetch->ledger, count);
    fetch->barrier.reached = of_realloc_array(fetch->barrier.reached, count, sizeof *fetch->barrier.reached);
    fetch->offsets = of_realloc_array(fetch->offsets, count, sizeof *fetch->offsets);
    fetch->places = of_realloc_array(fetch->places, count, sizeof *fetch->places);
    fetch->leader_epochs = of_realloc_array(fetch->leader_epochs, count, sizeof *fetch->leader_epochs);
    of_restoring_begin(&fetch->restoring, fetch->partitions, count);
    fetch->restore_deadline_ns = now_ns + RESTORE_PATIENCE_NS;
    set_phase(fetch, OF_FETCH_RESTORING);
    return true;
}

static void
begin_reading(struct of_fetch *fetch, struct of_port *port, int64_t now_ns)
{
    struct of_error err;
    uint32_t count = fetch->reading.count;
    int64_t *starts = of_alloc_array(count, sizeof *starts);
    for (uint32_t i = 0; i < count; i++) {
        const struct of_partition *partition = &fetch->partitions[i];
        starts[i] = fetch->ledger.slots[i].known ? fetch->ledger.slots[i].state.next_offset : partition->start;
        bool as_committed = partition->committed && starts[i] == partition->start;
        fetch->reading.handles[i]->start_epoch = as_committed ? partition->leader_epoch : -1;
    }
    enum of_status status = source_ops(fetch)->assign(source_self(fetch), fetch->reading.handles, starts, count, &err);
    if (status == OF_OK)
        of_reading_open_all(&fetch->reading, port, &fetch->ledger, starts);
    else
        fail(fetch, &err, false);
    free(starts);
    fetch->assigned = false;
    if (status != OF_OK)
        return;
    publish_committed(fetch);
    int64_t never = 0;
    atomic_compare_exchange_strong(&fetch->status.first_assigned_ns, &never, now_ns);
    atomic_store_explicit(&fetch->status.slots, count, memory_order_relaxed);
    fetch->barrier_sent_ns = now_ns;
    of_reading_tell_all(&fetch->reading, OF_EVENT_ASSIGNED, &fetch->ledger);
    set_phase(fetch, OF_FETCH_READING);
}

static uint32_t
restore(struct of_fetch *fetch, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    uint32_t done = of_restoring_turn(&fetch->restoring, now_ns);
    if (fetch->restoring.waiting == 0 || now_ns >= fetch->restore_deadline_ns) {
        begin_reading(fetch, port, now_ns);
        return done + 1;
    }
    if (fetch->restore_deadline_ns < *deadline_ns)
        *deadline_ns = fetch->restore_deadline_ns;
    return done;
}

/* The partitions are given up, or gone. What is under way comes home first. */
static void
clear(struct of_fetch *fetch)
{
    source_ops(fetch)->unassign(source_self(fetch));
    fetch->reading.serving = false;
    if (fetch->place == COMMITTING) {
        fetch->commit_ignored = fetch->recommit_ns == 0;
        fetch->place = HOME;
    }
    set_phase(fetch, OF_FETCH_CLEARING);
}

static void
lose(struct of_fetch *fetch)
{
    of_reading_drop_all(&fetch->reading);
    of_reading_tell_all(&fetch->reading, OF_EVENT_LOST, &fetch->ledger);
    clear(fetch);
}

/* Drained and committed: nothing of this assignment is left to do but to say so. */
static void
finish_assignment(struct of_fetch *fetch)
{
    of_restoring_end(&fetch->restoring);
    of_reading_forget(&fetch->reading);
    fetch->revoke_sent = false;
    of_positions_set(&fetch->positions, NULL, 0);
    atomic_store_explicit(&fetch->status.slots, 0, memory_order_relaxed);
    set_phase(fetch, fetch->assigned ? OF_FETCH_ASSIGNING : OF_FETCH_JOINING);
}

/* ---- events ---- */

static void
take_revoke(struct of_fetch *fetch, bool lost, int64_t now_ns)
{
    if (fetch->phase == OF_FETCH_DRAINING && !lost)
        return; /* it is being given up already */
    of_counter_add(lost ? &fetch->status.lost : &fetch->status.revoked, 1);
    if (fetch->phase == OF_FETCH_READING && !lost) {
        fetch->drain_deadline_ns = now_ns + fetch->options.drain_timeout_ns;
        set_phase(fetch, OF_FETCH_DRAINING);
    } else if (fetch->phase == OF_FETCH_READING || fetch->phase == OF_FETCH_DRAINING) {
        lose(fetch);
    } else {
        /* Nothing was read of it yet. */
        source_ops(fetch)->unassign(source_self(fetch));
        fetch->assigned = false;
        if (fetch->phase == OF_FETCH_RESTORING)
            finish_assignment(fetch);
        else if (fetch->phase == OF_FETCH_ASSIGNING)
            set_phase(fetch, OF_FETCH_JOINING);
    }
}

static uint32_t
take_events(struct of_fetch *fetch, int64_t now_ns)
{
    uint32_t taken = 0;
    struct of_source_event event;
    while (fetch->phase != OF_FETCH_FAILED && source_ops(fetch)->event(source_self(fetch), &event)) {
        taken++;
        switch (event.kind) {
        case OF_SOURCE_ASSIGNED: take_assignment(fetch, &event, now_ns); break;
        case OF_SOURCE_REVOKED: take_revoke(fetch, false, now_ns); break;
        case OF_SOURCE_LOST: take_revoke(fetch, true, now_ns); break;
        case OF_SOURCE_COMMITTED: take_commit_answer(fetch, &event, now_ns); break;
        case OF_SOURCE_BROKEN:
            of_reading_break(&fetch->reading, event.slot, event.offset, (enum of_cause)event.cause, event.error.text);
            break;
        case OF_SOURCE_SKIPPED: of_reading_skipped(&fetch->reading, &event); break;
        case OF_SOURCE_LEFT: set_phase(fetch, OF_FETCH_LEFT); break;
        case OF_SOURCE_FAILED: fail(fetch, &event.error, event.fenced); break;
        }
    }
    return taken;
}

/* ---- the lag ---- */

static int64_t
count_behind(const struct of_fetch *fetch)
{
    int64_t behind = 0;
    if (source_ops(fetch)->high == NULL)
        return -1;
    for (uint32_t i = 0; i < fetch->ledger.count; i++) {
        const struct of_ledger_slot *slot = &fetch->ledger.slots[i];
        int64_t high = source_ops(fetch)->high(source_self(fetch), fetch->reading.handles[i]);
        if (high < 0 || !slot->known)
            return -1;
        if (high > slot->state.next_offset)
            behind += high - slot->state.next_offset;
    }
    return behind;
}

static void
tell_positions(struct of_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->reading.count; i++) {
        const struct of_reading_slot *slot = fetch->reading.slots[i];
        const struct of_ledger_slot *committed = &fetch->ledger.slots[i];
        fetch->places[i] = (struct of_position) {
            .topic = slot->slot.topic,
            .partition = slot->slot.partition,
            .lane = slot->slot.lane,
            .role = slot->slot.role,
            .read = slot->next_offset,
            .committed = committed->known ? committed->state.next_offset : -1,
            .end = source_ops(fetch)->high != NULL ? source_ops(fetch)->high(source_self(fetch), &slot->slot) : -1,
            .held = slot->held,
            .cause = (uint8_t)slot->cause,
        };
    }
    of_positions_set(&fetch->positions, fetch->places, fetch->reading.count);
}

static void
look_up_behind(struct of_fetch *fetch, int64_t now_ns)
{
    if (now_ns < fetch->next_behind_ns)
        return;
    fetch->next_behind_ns = now_ns + BEHIND_NS;
    atomic_store_explicit(&fetch->status.behind, count_behind(fetch), memory_order_relaxed);
    if (fetch->options.measure)
        tell_positions(fetch);
}

/* ---- turns, by phase ---- */

/* Whether slots begin where nothing is committed yet: that is committed, too. */
static bool
has_starts(const struct of_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->reading.count; i++)
        if (fetch->restoring.starts[i] >= 0 && !fetch->reading.slots[i]->held)
            return true;
    return false;
}

static uint32_t
read_on(struct of_fetch *fetch, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    uint32_t done = of_restoring_turn(&fetch->restoring, now_ns);
    done += of_reading_turn(&fetch->reading, port, &fetch->ledger, fetch->place == HOME, now_ns, deadline_ns);
    bool at_once = atomic_load_explicit(&fetch->barrier_wanted, memory_order_relaxed);
    if (fetch->place != HOME || !(fetch->reading.moved || at_once || has_starts(fetch)))
        return done;
    int64_t due_ns = fetch->barrier_sent_ns + of_tuning_commit_interval_ns(fetch->options.tuning);
    if (now_ns >= due_ns || at_once) {
        send_barrier(fetch, port, OF_BARRIER_COMMIT, now_ns);
        return done + 1;
    }
    if (due_ns < *deadline_ns)
        *deadline_ns = due_ns;
    return done;
}

/* One revoke barrier, then its commit, then the end. */
static uint32_t
drain(struct of_fetch *fetch, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    if (fetch->place == HOME && !fetch->revoke_sent) {
        OF_CRASH_POINT("revoke");
        if (fetch->leaving)
            OF_CRASH_POINT("stopping");
        send_barrier(fetch, port, OF_BARRIER_REVOKE, now_ns);
        return 1;
    }
    if (fetch->place == HOME && of_reading_is_home(&fetch->reading)) {
        of_reading_tell_all(&fetch->reading, OF_EVENT_REVOKED, &fetch->ledger);
        source_ops(fetch)->unassign(source_self(fetch));
        finish_assignment(fetch);
        return 1;
    }
    if (now_ns >= fetch->drain_deadline_ns) {
        atomic_store_explicit(&fetch->status.drain_timed_out, true, memory_order_relaxed);
        lose(fetch);
        return 1;
    }
    if (fetch->drain_deadline_ns < *deadline_ns)
        *deadline_ns = fetch->drain_deadline_ns;
    return 0;
}

static uint32_t
collect(struct of_fetch *fetch, struct of_port *port, int64_t now_ns)
{
    if (fetch->place != HOME)
        return 0;
    /* A revoke barrier makes every stage forget the slots, and pushes home whatever is before it. */
    if (!fetch->revoke_sent) {
        send_barrier(fetch, port, OF_BARRIER_REVOKE, now_ns);
        return 1;
    }
    if (!of_reading_is_home(&fetch->reading))
        return 0;
    finish_assignment(fetch);
    return 1;
}

static void
leave_if_wanted(struct of_fetch *fetch)
{
    if (fetch->leaving || !atomic_load_explicit(&fetch->stop_wanted, memory_order_acquire))
        return;
    fetch->leaving = true;
    source_ops(fetch)->leave(source_self(fetch));
}

static uint32_t
tick(void *self, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    struct of_fetch *fetch = self;
    leave_if_wanted(fetch);
    uint32_t done = take_events(fetch, now_ns) + recommit(fetch, now_ns, deadline_ns);
    switch (fetch->phase) {
    case OF_FETCH_ASSIGNING:
        if (now_ns >= fetch->positions_ns)
            done += look_up(fetch, now_ns);
        else if (fetch->positions_ns < *deadline_ns)
            *deadline_ns = fetch->positions_ns;
        break;
    case OF_FETCH_RESTORING: done += restore(fetch, port, now_ns, deadline_ns); break;
    case OF_FETCH_READING:
        done += read_on(fetch, port, now_ns, deadline_ns);
        look_up_behind(fetch, now_ns);
        break;
    case OF_FETCH_DRAINING: done += drain(fetch, port, now_ns, deadline_ns); break;
    case OF_FETCH_CLEARING: done += collect(fetch, port, now_ns); break;
    case OF_FETCH_JOINING:
    case OF_FETCH_LEFT:
    case OF_FETCH_FAILED: break;
    }
    return done;
}

static void
take_chunk(struct of_fetch *fetch, struct of_chunk *chunk)
{
    chunk->held = chunk->held && is_serving(fetch);
    of_reading_take_chunk(&fetch->reading, chunk);
}

/* A topic that refuses state may be gone, or made anew, and with it what was recorded before: it is read again. To go on with
 * what is known here would leave a topic behind that nobody could go on from. */
static void
take_notice(struct of_fetch *fetch, const struct of_notice *notice)
{
    if (is_serving(fetch) && of_reading_take_notice(&fetch->reading, notice) && notice->cause == OF_CAUSE_STATE_REFUSED)
        of_ledger_doubt_slot(&fetch->ledger, notice->slot->index);
}

static void
take_home(void *self, struct of_port *port, struct of_item *item)
{
    (void)port;
    struct of_fetch *fetch = self;
    switch (item->kind) {
    case OF_ITEM_CHUNK: take_chunk(fetch, (struct of_chunk *)item); break;
    case OF_ITEM_OPEN: of_reading_take_open(&fetch->reading, (struct of_open *)item); break;
    case OF_ITEM_NOTICE: take_notice(fetch, (struct of_notice *)item); break;
    case OF_ITEM_BARRIER: barrier_came_home(fetch); break;
    case OF_ITEM_BATCH: OF_ASSERT(!"a batch at fetch"); break;
    }
}

/* ---- for people ---- */

static void
describe_barrier(const struct of_fetch *fetch, int64_t now_ns, FILE *out)
{
    double seconds = (double)(now_ns - fetch->barrier_sent_ns) / (double)OF_SECOND_NS;
    static const char *const places[] = {
        [HOME] = "is home",
        [OUT] = "is on its way through the stages",
        [COMMITTING] = "is through, and its offsets are being committed",
    };
    if (fetch->barrier.number == 0)
        fprintf(out, "  no barrier was sent yet\n");
    else
        fprintf(out, "  barrier %" PRIu64 "%s was sent %.1f s ago and %s\n", fetch->barrier.number,
                fetch->barrier.kind == OF_BARRIER_REVOKE ? ", the last of this assignment," : "", seconds,
                places[fetch->place]);
    if (fetch->phase == OF_FETCH_DRAINING)
        fprintf(out, "  what is not through in %.1f s is dropped\n",
                (double)(fetch->drain_deadline_ns - now_ns) / (double)OF_SECOND_NS);
}

static void
describe(const void *self, int64_t now_ns, FILE *out)
{
    const struct of_fetch *fetch = self;
    fprintf(out, "  lane %u: %s; source %s; %u of %u chunks under way\n", fetch->options.lane,
            of_fetch_phase_name(fetch->phase), source_ops(fetch)->name,
            fetch->options.chunks - fetch->reading.free_count, fetch->reading.chunks_most);
    if (fetch->phase == OF_FETCH_RESTORING)
        fprintf(out, "  the recorded state of %u partitions is being read\n", fetch->restoring.waiting);
    if (fetch->phase == OF_FETCH_FAILED)
        fprintf(out, "  %s\n", fetch->error.text);
    describe_barrier(fetch, now_ns, out);
    of_reading_describe(&fetch->reading, &fetch->ledger, now_ns, out);
}

const struct of_stage_ops of_fetch_stage = {
    .name = "fetch",
    .describe = describe,
    .home = take_home,
    .tick = tick,
};
