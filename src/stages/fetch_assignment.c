/* The life of an assignment: from being assigned through restoring to reading, and from being revoked or lost to being
 * forgotten. fetch.h has the phases. */
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/memory.h"
#include "stages/fetch_private.h"

static const int64_t POSITIONS_BACKOFF_NS = 500 * OF_MS_NS;
static const int64_t RESTORE_PATIENCE_NS = 1000 * OF_MS_NS; /* then those partitions begin whose state is known */

/* ---- its beginning ---- */

void
of_fetch_take_assignment(struct of_fetch *fetch, const struct of_source_event *event, int64_t now_ns)
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
        of_fetch_set_phase(fetch, OF_FETCH_ASSIGNING);
}

bool
of_fetch_look_up(struct of_fetch *fetch, int64_t now_ns)
{
    const struct of_source *source = &fetch->options.source;
    uint32_t count = fetch->partition_count;
    struct of_error err;
    if (count > OF_LANE_SLOTS) {
        of_error_set(&err, OF_FATAL, "%u partitions are assigned to one fetch thread, which can have %d; "
                     "use more --fetch-threads or instances", count, OF_LANE_SLOTS);
        of_fetch_fail(fetch, &err, false);
        return true;
    }
    enum of_status status = source->ops->positions(source->self, fetch->partitions, count, &err);
    if (status == OF_FATAL)
        of_fetch_fail(fetch, &err, false);
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
    of_fetch_set_phase(fetch, OF_FETCH_RESTORING);
    return true;
}

static void
begin_reading(struct of_fetch *fetch, struct of_port *port, int64_t now_ns)
{
    const struct of_source *source = &fetch->options.source;
    struct of_error err;
    uint32_t count = fetch->reading.count;
    int64_t *starts = of_alloc_array(count, sizeof *starts);
    for (uint32_t i = 0; i < count; i++) {
        const struct of_partition *partition = &fetch->partitions[i];
        starts[i] = fetch->ledger.slots[i].known ? fetch->ledger.slots[i].state.next_offset : partition->start;
        bool as_committed = partition->committed && starts[i] == partition->start;
        fetch->reading.handles[i]->start_epoch = as_committed ? partition->leader_epoch : -1;
    }
    enum of_status status = source->ops->assign(source->self, fetch->reading.handles, starts, count, &err);
    if (status == OF_OK)
        of_reading_open_all(&fetch->reading, port, &fetch->ledger, starts);
    else
        of_fetch_fail(fetch, &err, false);
    free(starts);
    fetch->assigned = false;
    if (status != OF_OK)
        return;
    of_fetch_tell_committed(fetch);
    int64_t never = 0;
    atomic_compare_exchange_strong(&fetch->status.first_assigned_ns, &never, now_ns);
    atomic_store_explicit(&fetch->status.slots, count, memory_order_relaxed);
    fetch->barrier_sent_ns = fetch->barrier_home_ns = now_ns;
    of_reading_tell_all(&fetch->reading, OF_EVENT_ASSIGNED, &fetch->ledger);
    of_fetch_set_phase(fetch, OF_FETCH_READING);
}

uint32_t
of_fetch_restore(struct of_fetch *fetch, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
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

/* ---- its end ---- */

/* The partitions are given up, or gone. What is under way comes home first. */
static void
clear(struct of_fetch *fetch)
{
    const struct of_source *source = &fetch->options.source;
    source->ops->unassign(source->self);
    fetch->reading.serving = false;
    if (fetch->place == OF_PLACE_COMMITTING) {
        fetch->commit_ignored = fetch->recommit_ns == 0;
        fetch->place = OF_PLACE_HOME;
    }
    of_fetch_set_phase(fetch, OF_FETCH_CLEARING);
}

void
of_fetch_lose(struct of_fetch *fetch)
{
    of_reading_drop_all(&fetch->reading);
    of_reading_tell_all(&fetch->reading, OF_EVENT_LOST, &fetch->ledger);
    clear(fetch);
}

void
of_fetch_finish_assignment(struct of_fetch *fetch)
{
    of_restoring_end(&fetch->restoring);
    of_reading_forget(&fetch->reading);
    fetch->revoke_sent = false;
    of_positions_set(&fetch->positions, NULL, 0);
    atomic_store_explicit(&fetch->status.slots, 0, memory_order_relaxed);
    of_fetch_set_phase(fetch, fetch->assigned ? OF_FETCH_ASSIGNING : OF_FETCH_JOINING);
}

void
of_fetch_take_revoke(struct of_fetch *fetch, bool lost, int64_t now_ns)
{
    const struct of_source *source = &fetch->options.source;
    if (fetch->phase == OF_FETCH_DRAINING && !lost)
        return; /* it is being given up already */
    of_counter_add(lost ? &fetch->status.lost : &fetch->status.revoked, 1);
    if (fetch->phase == OF_FETCH_READING && !lost) {
        fetch->drain_deadline_ns = now_ns + fetch->options.drain_timeout_ns;
        of_fetch_set_phase(fetch, OF_FETCH_DRAINING);
    } else if (of_fetch_is_serving(fetch)) {
        of_fetch_lose(fetch);
    } else {
        /* Nothing was read of it yet. */
        source->ops->unassign(source->self);
        fetch->assigned = false;
        if (fetch->phase == OF_FETCH_RESTORING)
            of_fetch_finish_assignment(fetch);
        else if (fetch->phase == OF_FETCH_ASSIGNING)
            of_fetch_set_phase(fetch, OF_FETCH_JOINING);
    }
}
