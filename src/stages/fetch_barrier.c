/* The barrier's way out and home, and what is committed then: the ledger takes over what it carried, and where publish has
 * only written it, its offsets go to the source. fetch.h has the states. */
#include <string.h>

#include "core/assert.h"
#include "core/log.h"
#include "stages/fetch_private.h"

static const int64_t COMMIT_BACKOFF_NS = 200 * OF_MS_NS;

/* Commits are to take no more than a fifth of the time. The pause between them may be longer than the interval for that, by so
 * much, and at most twice as long. docs/decisions/0015-pause-between-commits.md says why. */
enum { PAUSES_PER_WAY = 4 };
static const int64_t LONGER_NS = 100 * OF_MS_NS;

/* ---- sending it ---- */

int64_t
of_fetch_barrier_due_ns(const struct of_fetch *fetch)
{
    int64_t interval_ns = of_tuning_commit_interval_ns(fetch->options.tuning);
    int64_t longest_ns = interval_ns + (interval_ns < LONGER_NS ? interval_ns : LONGER_NS);
    int64_t pause_ns = PAUSES_PER_WAY * (fetch->barrier_home_ns - fetch->barrier_sent_ns);
    if (pause_ns < interval_ns)
        pause_ns = interval_ns;
    return fetch->barrier_home_ns + (pause_ns < longest_ns ? pause_ns : longest_ns);
}

/* What is cut off before the barrier has an epoch that is no higher: nobody takes a log for cut back because of that. */
static void
gather_leader_epochs(struct of_fetch *fetch)
{
    const struct of_source *source = &fetch->options.source;
    for (uint32_t i = 0; i < fetch->reading.count; i++)
        fetch->leader_epochs[i] = source->ops->leader_epoch(source->self, fetch->reading.handles[i]);
}

void
of_fetch_send_barrier(struct of_fetch *fetch, struct of_port *port, enum of_barrier_kind kind, int64_t now_ns)
{
    const struct of_source *source = &fetch->options.source;
    OF_ASSERT(fetch->place == OF_PLACE_HOME);
    struct of_barrier *barrier = &fetch->barrier;
    fetch->revoke_sent = kind == OF_BARRIER_REVOKE;
    barrier->kind = kind;
    barrier->number++;
    barrier->slots = fetch->reading.handles;
    barrier->slot_count = fetch->reading.count;
    barrier->starts = fetch->restoring.starts;
    barrier->leader_epochs = NULL;
    if (source->ops->leader_epoch != NULL && of_fetch_is_serving(fetch)) {
        gather_leader_epochs(fetch);
        barrier->leader_epochs = fetch->leader_epochs;
    }
    if (source->ops->membership != NULL)
        barrier->membership = source->ops->membership(source->self);
    atomic_store_explicit(&fetch->barrier_wanted, false, memory_order_relaxed);
    memset(barrier->snapshots, 0, sizeof barrier->snapshots);
    fetch->place = OF_PLACE_OUT;
    of_reading_note_barrier(&fetch->reading);
    fetch->barrier_sent_ns = now_ns;
    of_port_broadcast(port, barrier);
}

/* ---- committing what it carried ---- */

void
of_fetch_tell_committed(struct of_fetch *fetch)
{
    int64_t committed = 0;
    for (uint32_t i = 0; i < fetch->ledger.count; i++)
        if (fetch->ledger.slots[i].known)
            committed += fetch->ledger.slots[i].state.next_offset;
    atomic_store_explicit(&fetch->status.committed, committed, memory_order_release);
}

/* When something was last committed, for others to see. */
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
    of_fetch_tell_committed(fetch);
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
    const struct of_source *source = &fetch->options.source;
    settle_commit(fetch);
    gather_offsets(fetch);
    if (fetch->offset_count == 0 || !of_fetch_is_serving(fetch))
        return; /* the partitions may be another's */
    fetch->place = OF_PLACE_COMMITTING;
    fetch->recommit_ns = 0;
    source->ops->commit(source->self, fetch->offsets, fetch->offset_count);
}

/* ---- coming home ---- */

static void
barrier_failed(struct of_fetch *fetch)
{
    struct of_error err;
    of_error_set(&err, OF_FATAL, "%s", fetch->barrier.text);
    of_fetch_fail(fetch, &err, fetch->barrier.fenced);
}

/* Begins again from what is committed, unless the partitions are gone anyway. */
static void
restart(struct of_fetch *fetch, enum of_cause cause, const char *text)
{
    if (!of_fetch_is_serving(fetch))
        return;
    of_log_limited(OF_LOG_DEBUG, "fetch", "lane %u begins again from what is committed: %s", fetch->options.lane, text);
    of_reading_restart_all(&fetch->reading, cause, text);
}

void
of_fetch_take_barrier(struct of_fetch *fetch)
{
    const struct of_source *source = &fetch->options.source;
    OF_ASSERT(fetch->place == OF_PLACE_OUT);
    struct of_barrier *barrier = &fetch->barrier;
    fetch->place = OF_PLACE_HOME;
    if (barrier->membership != NULL)
        source->ops->give_back_membership(barrier->membership);
    barrier->membership = NULL;
    fetch->barrier_home_ns = of_clock_mono_ns(fetch->options.clock);
    of_reading_pace(&fetch->reading, barrier, fetch->barrier_home_ns - fetch->barrier_sent_ns);
    switch (barrier->outcome) {
    case OF_BARRIER_WRITTEN: commit_offsets(fetch); break;
    case OF_BARRIER_COMMITTED: settle_commit(fetch); break;
    case OF_BARRIER_UNKNOWN: of_ledger_doubt(&fetch->ledger); /* fall through */
    case OF_BARRIER_ABORTED: restart(fetch, OF_CAUSE_TRANSACTION_ABORTED, barrier->text); break;
    case OF_BARRIER_FAILED: barrier_failed(fetch); break;
    }
}

/* ---- the answer about offsets ---- */

void
of_fetch_take_commit_answer(struct of_fetch *fetch, const struct of_source_event *event, int64_t now_ns)
{
    if (fetch->commit_ignored || fetch->place != OF_PLACE_COMMITTING) {
        fetch->commit_ignored = false;
        return;
    }
    switch (event->status) {
    case OF_OK:
        fetch->place = OF_PLACE_HOME;
        break;
    case OF_RETRY:
        fetch->recommit_ns = now_ns + COMMIT_BACKOFF_NS;
        break;
    default:
        /* The group no longer accepts it: others may have the partitions already. If not, start from what counts, which
         * is still to be committed. */
        fetch->place = OF_PLACE_HOME;
        for (uint32_t i = 0; i < fetch->offset_count; i++)
            fetch->restoring.starts[fetch->offsets[i].slot->index] = fetch->offsets[i].next_offset;
        of_reading_restart_all(&fetch->reading, OF_CAUSE_FETCH_FAILED, event->error.text);
        break;
    }
}

uint32_t
of_fetch_recommit(struct of_fetch *fetch, int64_t now_ns, int64_t *deadline_ns)
{
    const struct of_source *source = &fetch->options.source;
    if (fetch->place != OF_PLACE_COMMITTING || fetch->recommit_ns == 0)
        return 0;
    if (now_ns < fetch->recommit_ns) {
        *deadline_ns = fetch->recommit_ns < *deadline_ns ? fetch->recommit_ns : *deadline_ns;
        return 0;
    }
    fetch->recommit_ns = 0;
    source->ops->commit(source->self, fetch->offsets, fetch->offset_count);
    return 1;
}
