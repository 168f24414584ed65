#include "order/memory_restorer.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "order/state_record.h"

struct memory_restorer {
    struct of_memory_cluster *cluster;
    struct of_groups *groups;
    struct of_slice group;
    struct of_restore_request *requests;
    uint32_t count, room;
    _Atomic uint32_t failing;
    _Atomic int status;
    _Atomic bool held;
};

static enum of_status
start(void *self, int wake_fd, struct of_error *err)
{
    (void)self;
    (void)wake_fd;
    (void)err;
    return OF_OK;
}

static void
request(void *self, const struct of_restore_request *requests, uint32_t count)
{
    struct memory_restorer *restorer = self;
    if (restorer->count + count > restorer->room) {
        restorer->room = restorer->count + count;
        restorer->requests = of_realloc_array(restorer->requests, restorer->room, sizeof *requests);
    }
    memcpy(restorer->requests + restorer->count, requests, count * sizeof *requests);
    restorer->count += count;
}

static void
take_record(struct memory_restorer *restorer, const struct of_restore_request *wanted,
            const struct of_memory_record *from, struct of_slot_state *state)
{
    struct of_state_record record;
    struct of_error err;
    enum of_status status = of_state_read(from->key, from->value, &record, &err);
    OF_ASSERT(status == OF_OK);
    if (of_slice_equal(record.place.group, restorer->group)
        && of_slice_equal(record.place.topic, of_slice_str(wanted->topic))
        && record.place.partition == wanted->partition) {
        if (record.kind == OF_STATE_MARKER) {
            state->next_offset = record.marker.next_offset;
            state->retries = record.marker.retries;
            state->dead_letters = record.marker.dead_letters;
        } else {
            uint32_t group = of_groups_intern(restorer->groups, record.group_value);
            of_aggregate_copy(&of_table_row(&state->table, group)->aggregate, &record.aggregate);
        }
    }
    of_aggregate_fini(&record.aggregate);
}

static bool
next_answer(void *self, struct of_restored *restored)
{
    struct memory_restorer *restorer = self;
    if (restorer->count == 0 || atomic_load(&restorer->held))
        return false;
    const struct of_restore_request wanted = restorer->requests[0];
    memmove(restorer->requests, restorer->requests + 1, --restorer->count * sizeof wanted);
    *restored = (struct of_restored) { .slot = wanted.slot, .status = OF_OK };
    of_slot_state_init(&restored->state);
    if (atomic_load(&restorer->failing) > 0) {
        atomic_fetch_sub(&restorer->failing, 1);
        restored->status = (enum of_status)atomic_load(&restorer->status);
        of_error_set(&restored->err, restored->status, "told to fail");
        return true;
    }
    uint32_t partition = (uint32_t)wanted.partition;
    uint32_t count = of_memory_count(restorer->cluster, OF_MEMORY_AGGREGATES, partition);
    for (uint32_t i = 0; i < count; i++)
        take_record(restorer, &wanted, of_memory_at(restorer->cluster, OF_MEMORY_AGGREGATES, partition, i),
                    &restored->state);
    return true;
}

static void
cancel(void *self)
{
    ((struct memory_restorer *)self)->count = 0;
}

static void
progress(void *self, uint64_t *done, uint64_t *all)
{
    *done = 0;
    *all = ((struct memory_restorer *)self)->count;
}

static void
close_restorer(void *self)
{
    free(((struct memory_restorer *)self)->requests);
    free(self);
}

static const struct of_restorer_ops ops = {
    .start = start,
    .request = request,
    .poll = next_answer,
    .cancel = cancel,
    .progress = progress,
    .close = close_restorer,
};

struct of_restorer
of_memory_restorer(struct of_memory_cluster *cluster, struct of_groups *groups, struct of_slice group)
{
    struct memory_restorer *self = of_alloc(sizeof *self);
    self->cluster = cluster;
    self->groups = groups;
    self->group = group;
    return (struct of_restorer) { &ops, self };
}

void
of_memory_restorer_fail(struct of_restorer *restorer, uint32_t count, enum of_status status)
{
    struct memory_restorer *self = restorer->self;
    atomic_store(&self->status, (int)status);
    atomic_store(&self->failing, count);
}

void
of_memory_restorer_hold(struct of_restorer *restorer, bool hold)
{
    atomic_store(&((struct memory_restorer *)restorer->self)->held, hold);
}
