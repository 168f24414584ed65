/* What others see of the lane: its parts that any thread may look at, its lag, its state for people. */
#include <inttypes.h>
#include <stdio.h>

#include "stages/fetch_private.h"

static const int64_t BEHIND_NS = 500 * OF_MS_NS; /* how often the lag is looked up */

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

/* ---- the lag ---- */

static int64_t
count_behind(const struct of_fetch *fetch)
{
    const struct of_source *source = &fetch->options.source;
    int64_t behind = 0;
    if (source->ops->high == NULL)
        return -1;
    for (uint32_t i = 0; i < fetch->ledger.count; i++) {
        const struct of_ledger_slot *slot = &fetch->ledger.slots[i];
        int64_t high = source->ops->high(source->self, fetch->reading.handles[i]);
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
    const struct of_source *source = &fetch->options.source;
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
            .end = source->ops->high != NULL ? source->ops->high(source->self, &slot->slot) : -1,
            .held = slot->held,
            .cause = (uint8_t)slot->cause,
        };
    }
    of_positions_set(&fetch->positions, fetch->places, fetch->reading.count);
}

void
of_fetch_look_up_behind(struct of_fetch *fetch, int64_t now_ns)
{
    if (now_ns < fetch->next_behind_ns)
        return;
    fetch->next_behind_ns = now_ns + BEHIND_NS;
    atomic_store_explicit(&fetch->status.behind, count_behind(fetch), memory_order_relaxed);
    if (fetch->options.measure)
        tell_positions(fetch);
}

/* ---- for people ---- */

static void
describe_barrier(const struct of_fetch *fetch, int64_t now_ns, FILE *out)
{
    double seconds = (double)(now_ns - fetch->barrier_sent_ns) / (double)OF_SECOND_NS;
    static const char *const places[] = {
        [OF_PLACE_HOME] = "is home",
        [OF_PLACE_OUT] = "is on its way through the stages",
        [OF_PLACE_COMMITTING] = "is through, and its offsets are being committed",
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

void
of_fetch_describe(const void *self, int64_t now_ns, FILE *out)
{
    const struct of_fetch *fetch = self;
    const struct of_source *source = &fetch->options.source;
    fprintf(out, "  lane %u: %s; source %s; %u of %u chunks under way\n", fetch->options.lane,
            of_fetch_phase_name(fetch->phase), source->ops->name,
            fetch->options.chunks - fetch->reading.free_count, fetch->options.chunks);
    if (fetch->phase == OF_FETCH_RESTORING)
        fprintf(out, "  the recorded state of %u partitions is being read\n", fetch->restoring.waiting);
    if (fetch->phase == OF_FETCH_FAILED)
        fprintf(out, "  %s\n", fetch->error.text);
    describe_barrier(fetch, now_ns, out);
    of_reading_describe(&fetch->reading, &fetch->ledger, now_ns, out);
}
