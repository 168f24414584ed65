#include "stages/restoring.h"

#include <stdlib.h>

#include "core/crash_point.h"
#include "core/memory.h"

void
of_restoring_init(struct of_restoring *restoring, const struct of_fetch_options *options, struct of_reading *reading,
                  struct of_ledger *ledger)
{
    *restoring = (struct of_restoring) {
        .restorer = options->restorer,
        .source = options->source,
        .reading = reading,
        .ledger = ledger,
    };
}

void
of_restoring_fini(struct of_restoring *restoring)
{
    free(restoring->partitions);
    free(restoring->starts);
}

/* ---- asking ---- */

static void
ask(struct of_restoring *restoring, const uint32_t *slots, uint32_t count)
{
    struct of_restore_request *requests = of_alloc_array(count, sizeof *requests);
    for (uint32_t i = 0; i < count; i++) {
        const struct of_partition *partition = &restoring->partitions[slots[i]];
        restoring->reading->slots[slots[i]]->asked = true;
        requests[i] = (struct of_restore_request) { slots[i], partition->topic, partition->partition };
    }
    restoring->waiting += count;
    restoring->restorer.ops->request(restoring->restorer.self, requests, count);
    free(requests);
}

void
of_restoring_begin(struct of_restoring *restoring, const struct of_partition *partitions, uint32_t count)
{
    if (count > restoring->room) {
        restoring->partitions = of_realloc_array(restoring->partitions, count, sizeof *restoring->partitions);
        restoring->starts = of_realloc_array(restoring->starts, count, sizeof *restoring->starts);
        restoring->room = count;
    }
    uint32_t *slots = of_alloc_array(count, sizeof *slots);
    for (uint32_t i = 0; i < count; i++) {
        restoring->partitions[i] = partitions[i];
        restoring->starts[i] = -1;
        slots[i] = i;
    }
    restoring->count = count;
    restoring->waiting = 0;
    if (count > 0)
        ask(restoring, slots, count);
    free(slots);
}

void
of_restoring_end(struct of_restoring *restoring)
{
    restoring->restorer.ops->cancel(restoring->restorer.self);
    restoring->count = 0;
    restoring->waiting = 0;
}

/* Where those begin may have changed since they were last asked for. */
static uint32_t
ask_again(struct of_restoring *restoring, const uint32_t *slots, uint32_t count)
{
    struct of_error err;
    struct of_partition *partitions = of_alloc_array(count, sizeof *partitions);
    for (uint32_t i = 0; i < count; i++)
        partitions[i] = restoring->partitions[slots[i]];
    enum of_status status = restoring->source.ops->positions(restoring->source.self, partitions, count, &err);
    for (uint32_t i = 0; i < count; i++)
        if (status == OF_OK)
            restoring->partitions[slots[i]] = partitions[i];
        else
            of_reading_state_failed(restoring->reading, slots[i], OF_CAUSE_RESTORE_FAILED, err.text);
    free(partitions);
    if (status == OF_OK)
        ask(restoring, slots, count);
    return count;
}

static uint32_t
ask_for_due(struct of_restoring *restoring, int64_t now_ns)
{
    uint32_t count = 0, done = 0;
    uint32_t at = of_reading_next_unknown(restoring->reading, restoring->ledger, 0, now_ns);
    if (at == restoring->reading->count)
        return 0;
    uint32_t *slots = of_alloc_array(restoring->reading->count, sizeof *slots);
    for (; at < restoring->reading->count;
         at = of_reading_next_unknown(restoring->reading, restoring->ledger, at + 1, now_ns))
        slots[count++] = at;
    done = ask_again(restoring, slots, count);
    free(slots);
    return done;
}

/* ---- answers ---- */

static void
take_state(struct of_restoring *restoring, struct of_restored *restored, int64_t now_ns)
{
    const struct of_partition *partition = &restoring->partitions[restored->slot];
    int64_t start, committed = partition->committed ? partition->start : -1;
    struct of_error err;
    enum of_status status = of_slot_state_start(&restored->state, committed, partition->start, &start, &err);
    if (status != OF_OK) {
        of_reading_state_failed(restoring->reading, restored->slot, OF_CAUSE_STATE_MISMATCH, err.text);
        return;
    }
    restoring->starts[restored->slot] = committed == start ? -1 : start;
    of_counter_add(&restoring->reading->status->restored_rows, restored->state.table.count);
    of_ledger_restore(restoring->ledger, restored->slot, &restored->state, start);
    of_reading_state_known(restoring->reading, restored->slot, now_ns);
    OF_CRASH_POINT("restore-after");
}

static uint32_t
take_answers(struct of_restoring *restoring, int64_t now_ns)
{
    uint32_t taken = 0;
    struct of_restored restored;
    for (; restoring->restorer.ops->poll(restoring->restorer.self, &restored); taken++) {
        restoring->waiting--;
        if (restored.status == OF_OK)
            take_state(restoring, &restored, now_ns);
        else
            of_reading_state_failed(restoring->reading, restored.slot,
                                    restored.status == OF_POISON ? OF_CAUSE_STATE_MISMATCH : OF_CAUSE_RESTORE_FAILED,
                                    restored.err.text);
        of_slot_state_fini(&restored.state);
    }
    return taken;
}

uint32_t
of_restoring_turn(struct of_restoring *restoring, int64_t now_ns)
{
    if (restoring->count == 0)
        return 0;
    uint32_t done = restoring->waiting > 0 ? take_answers(restoring, now_ns) : 0;
    return done + ask_for_due(restoring, now_ns);
}
