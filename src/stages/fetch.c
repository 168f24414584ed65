/* The lane's turns: what each phase does, what the source says, what comes home. */
#include <stdlib.h>

#include "core/assert.h"
#include "core/crash_point.h"
#include "core/log.h"
#include "core/memory.h"
#include "stages/fetch_private.h"

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

/* ---- phases ---- */

void
of_fetch_set_phase(struct of_fetch *fetch, enum of_fetch_phase phase)
{
    if (phase != fetch->phase)
        of_log_debug("fetch", "lane %u: %s, was %s", fetch->options.lane, of_fetch_phase_name(phase),
                     of_fetch_phase_name(fetch->phase));
    fetch->phase = phase;
    atomic_store_explicit(&fetch->status.phase, (int)phase, memory_order_release);
}

void
of_fetch_fail(struct of_fetch *fetch, const struct of_error *err, bool fenced)
{
    if (fetch->phase == OF_FETCH_FAILED)
        return;
    fetch->error = *err;
    atomic_store_explicit(&fetch->status.fenced, fenced, memory_order_relaxed);
    of_reading_drop_all(&fetch->reading);
    of_fetch_set_phase(fetch, OF_FETCH_FAILED);
}

/* ---- events ---- */

static uint32_t
take_events(struct of_fetch *fetch, int64_t now_ns)
{
    const struct of_source *source = &fetch->options.source;
    uint32_t taken = 0;
    struct of_source_event event;
    while (fetch->phase != OF_FETCH_FAILED && source->ops->event(source->self, &event)) {
        taken++;
        switch (event.kind) {
        case OF_SOURCE_ASSIGNED: of_fetch_take_assignment(fetch, &event, now_ns); break;
        case OF_SOURCE_REVOKED: of_fetch_take_revoke(fetch, false, now_ns); break;
        case OF_SOURCE_LOST: of_fetch_take_revoke(fetch, true, now_ns); break;
        case OF_SOURCE_COMMITTED: of_fetch_take_commit_answer(fetch, &event, now_ns); break;
        case OF_SOURCE_BROKEN:
            of_reading_break(&fetch->reading, event.slot, event.offset, (enum of_cause)event.cause, event.error.text);
            break;
        case OF_SOURCE_SKIPPED: of_reading_skipped(&fetch->reading, &event); break;
        case OF_SOURCE_LEFT: of_fetch_set_phase(fetch, OF_FETCH_LEFT); break;
        case OF_SOURCE_FAILED: of_fetch_fail(fetch, &event.error, event.fenced); break;
        }
    }
    return taken;
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
    done += of_reading_turn(&fetch->reading, port, &fetch->ledger, fetch->place == OF_PLACE_HOME, now_ns, deadline_ns);
    bool at_once = atomic_load_explicit(&fetch->barrier_wanted, memory_order_relaxed);
    if (fetch->place != OF_PLACE_HOME || !(fetch->reading.moved || at_once || has_starts(fetch)))
        return done;
    int64_t due_ns = of_fetch_barrier_due_ns(fetch);
    if (now_ns >= due_ns || at_once) {
        of_fetch_send_barrier(fetch, port, OF_BARRIER_COMMIT, now_ns);
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
    const struct of_source *source = &fetch->options.source;
    if (fetch->place == OF_PLACE_HOME && !fetch->revoke_sent) {
        OF_CRASH_POINT("revoke");
        if (fetch->leaving)
            OF_CRASH_POINT("stopping");
        of_fetch_send_barrier(fetch, port, OF_BARRIER_REVOKE, now_ns);
        return 1;
    }
    if (fetch->place == OF_PLACE_HOME && of_reading_is_home(&fetch->reading)) {
        of_reading_tell_all(&fetch->reading, OF_EVENT_REVOKED, &fetch->ledger);
        source->ops->unassign(source->self);
        of_fetch_finish_assignment(fetch);
        return 1;
    }
    if (now_ns >= fetch->drain_deadline_ns) {
        atomic_store_explicit(&fetch->status.drain_timed_out, true, memory_order_relaxed);
        of_fetch_lose(fetch);
        return 1;
    }
    if (fetch->drain_deadline_ns < *deadline_ns)
        *deadline_ns = fetch->drain_deadline_ns;
    return 0;
}

static uint32_t
collect(struct of_fetch *fetch, struct of_port *port, int64_t now_ns)
{
    if (fetch->place != OF_PLACE_HOME)
        return 0;
    /* A revoke barrier makes every stage forget the slots, and pushes home whatever is before it. */
    if (!fetch->revoke_sent) {
        of_fetch_send_barrier(fetch, port, OF_BARRIER_REVOKE, now_ns);
        return 1;
    }
    if (!of_reading_is_home(&fetch->reading))
        return 0;
    of_fetch_finish_assignment(fetch);
    return 1;
}

static void
leave_if_wanted(struct of_fetch *fetch)
{
    const struct of_source *source = &fetch->options.source;
    if (fetch->leaving || !atomic_load_explicit(&fetch->stop_wanted, memory_order_acquire))
        return;
    fetch->leaving = true;
    source->ops->leave(source->self);
}

static uint32_t
tick(void *self, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    struct of_fetch *fetch = self;
    leave_if_wanted(fetch);
    uint32_t done = take_events(fetch, now_ns) + of_fetch_recommit(fetch, now_ns, deadline_ns);
    switch (fetch->phase) {
    case OF_FETCH_ASSIGNING:
        if (now_ns >= fetch->positions_ns)
            done += of_fetch_look_up(fetch, now_ns);
        else if (fetch->positions_ns < *deadline_ns)
            *deadline_ns = fetch->positions_ns;
        break;
    case OF_FETCH_RESTORING: done += of_fetch_restore(fetch, port, now_ns, deadline_ns); break;
    case OF_FETCH_READING:
        done += read_on(fetch, port, now_ns, deadline_ns);
        of_fetch_look_up_behind(fetch, now_ns);
        break;
    case OF_FETCH_DRAINING: done += drain(fetch, port, now_ns, deadline_ns); break;
    case OF_FETCH_CLEARING: done += collect(fetch, port, now_ns); break;
    case OF_FETCH_JOINING:
    case OF_FETCH_LEFT:
    case OF_FETCH_FAILED: break;
    }
    return done;
}

/* ---- what comes home ---- */

static void
take_chunk(struct of_fetch *fetch, struct of_chunk *chunk)
{
    chunk->held = chunk->held && of_fetch_is_serving(fetch);
    of_reading_take_chunk(&fetch->reading, chunk);
}

/* A topic that refuses state may be gone, or made anew, and with it what was recorded before: it is read again. To go on with
 * what is known here would leave a topic behind that nobody could go on from. */
static void
take_notice(struct of_fetch *fetch, const struct of_notice *notice)
{
    if (of_fetch_is_serving(fetch) && of_reading_take_notice(&fetch->reading, notice)
        && notice->cause == OF_CAUSE_STATE_REFUSED)
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
    case OF_ITEM_BARRIER: of_fetch_take_barrier(fetch); break;
    case OF_ITEM_BATCH: OF_ASSERT(!"a batch at fetch"); break;
    }
}

const struct of_stage_ops of_fetch_stage = {
    .name = "fetch",
    .describe = of_fetch_describe,
    .home = take_home,
    .tick = tick,
};
