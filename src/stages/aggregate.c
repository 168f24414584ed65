#include "stages/aggregate.h"

#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "order/cause.h"
#include "order/slot_state.h"

/* One partition of the present assignment of a lane. */
struct partition {
    uint32_t epoch;
    struct of_table table;
};

struct lane {
    struct partition *partitions; /* by slot index; those of other instances stay empty */
    uint32_t count, room;
    struct of_snapshot snapshot; /* lent to the lane's one barrier until the next one comes */
};

struct of_aggregator {
    uint32_t instance;
    uint32_t lane_count;
    struct lane *lanes;
    uint64_t orders; /* in all tables */
    struct of_exact_sum sum;
    _Alignas(OF_CACHE_LINE_BYTES) struct of_live_total live;
};

static void
forget_partitions(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->count; i++)
        of_table_fini(&lane->partitions[i].table);
    lane->count = 0;
}

struct of_aggregator *
of_aggregator_create(uint32_t instance, uint32_t lanes)
{
    OF_ASSERT(instance < OF_THREADS_PER_STAGE);
    struct of_aggregator *aggregator = of_alloc_lines(sizeof *aggregator);
    aggregator->instance = instance;
    aggregator->lane_count = lanes;
    aggregator->lanes = of_alloc_array(lanes, sizeof *aggregator->lanes);
    return aggregator;
}

void
of_aggregator_destroy(struct of_aggregator **aggregator)
{
    if (*aggregator == NULL)
        return;
    for (uint32_t i = 0; i < (*aggregator)->lane_count; i++) {
        struct lane *lane = &(*aggregator)->lanes[i];
        forget_partitions(lane);
        for (uint32_t row = 0; row < lane->snapshot.room; row++)
            of_aggregate_fini(&lane->snapshot.rows[row].aggregate);
        free(lane->snapshot.rows);
        free(lane->partitions);
    }
    of_exact_sum_fini(&(*aggregator)->sum);
    free((*aggregator)->lanes);
    free(*aggregator);
    *aggregator = NULL;
}

const struct of_live_total *
of_aggregator_live(const struct of_aggregator *aggregator)
{
    return &aggregator->live;
}

static void
publish_live(struct of_aggregator *aggregator)
{
    of_live_total_set(&aggregator->live, aggregator->orders, &aggregator->sum);
}

/* After tables were replaced or forgotten. */
static void
recount(struct of_aggregator *aggregator)
{
    aggregator->orders = 0;
    of_exact_sum_fini(&aggregator->sum);
    for (uint32_t i = 0; i < aggregator->lane_count; i++)
        for (uint32_t p = 0; p < aggregator->lanes[i].count; p++) {
            const struct of_table *table = &aggregator->lanes[i].partitions[p].table;
            for (uint32_t row = 0; row < table->count; row++) {
                aggregator->orders += table->rows[row].aggregate.count;
                of_exact_sum_merge(&aggregator->sum, &table->rows[row].aggregate.sum);
            }
        }
    publish_live(aggregator);
}

/* ---- batches ---- */

static void
add_order(struct of_aggregator *aggregator, struct of_table *table, const struct of_batch *batch, uint32_t i)
{
    struct of_row *row = of_table_row(table, batch->group[i]);
    if (__builtin_expect(batch->offset[i] < row->aggregate.next_offset, 0))
        return;
    aggregator->orders++;
    of_aggregate_add(&row->aggregate, batch->value[i]);
    row->aggregate.next_offset = batch->offset[i] + 1;
    of_table_touch(table, row);
    of_exact_sum_add(&aggregator->sum, batch->value[i]);
}

static bool
aggregate_item(void *self, struct of_port *port, struct of_item *item)
{
    struct of_aggregator *aggregator = self;
    struct of_batch *batch = (struct of_batch *)item;
    if (!of_slot_dropped(batch->slot, batch->epoch)) {
        struct lane *lane = &aggregator->lanes[item->lane];
        OF_ASSERT(batch->slot->index < lane->count);
        struct partition *partition = &lane->partitions[batch->slot->index];
        OF_ASSERT(partition->epoch == batch->epoch);
        for (uint32_t i = 0; i < batch->count; i++)
            if (batch->status[i] == OF_CAUSE_NONE)
                add_order(aggregator, &partition->table, batch, i);
        publish_live(aggregator);
    }
    of_port_forward(port, item);
    return true;
}

static void
open_slot(void *self, const struct of_open *open)
{
    struct of_aggregator *aggregator = self;
    struct lane *lane = &aggregator->lanes[open->item.lane];
    uint32_t index = open->slot->index;
    if (index >= lane->room) {
        lane->room = index + 16;
        lane->partitions = of_realloc_array(lane->partitions, lane->room, sizeof *lane->partitions);
    }
    while (lane->count <= index)
        lane->partitions[lane->count++] = (struct partition) { 0 };
    lane->partitions[index].epoch = open->epoch;
    if (!open->restore)
        return;
    of_table_fini(&lane->partitions[index].table);
    if (open->state != NULL)
        of_table_copy(&lane->partitions[index].table, &((const struct of_slot_state *)open->state)->table);
    recount(aggregator);
}

/* ---- barriers ---- */

static struct of_snapshot_row *
next_row(struct of_snapshot *snapshot)
{
    if (snapshot->count == snapshot->room) {
        uint32_t room = snapshot->room ? 2 * snapshot->room : 64;
        snapshot->rows = of_realloc_array(snapshot->rows, room, sizeof *snapshot->rows);
        for (; snapshot->room < room; snapshot->room++)
            of_aggregate_init(&snapshot->rows[snapshot->room].aggregate);
    }
    return &snapshot->rows[snapshot->count++];
}

/* The lane's barrier is the only one under way, so the snapshot of the barrier before is no longer in use. */
static void
take_snapshot(struct lane *lane)
{
    lane->snapshot.count = 0;
    for (uint32_t p = 0; p < lane->count; p++) {
        struct partition *partition = &lane->partitions[p];
        for (struct of_row *row; (row = of_table_next_changed(&partition->table)) != NULL;) {
            struct of_snapshot_row *copy = next_row(&lane->snapshot);
            copy->slot = p;
            copy->group = row->group;
            copy->rows = partition->table.count;
            of_aggregate_copy(&copy->aggregate, &row->aggregate);
        }
    }
}

static void
pass_barrier(void *self, struct of_port *port, struct of_barrier *barrier)
{
    (void)port;
    struct of_aggregator *aggregator = self;
    struct lane *lane = &aggregator->lanes[barrier->item.lane];
    take_snapshot(lane);
    barrier->snapshots[aggregator->instance] = &lane->snapshot;
    if (barrier->kind == OF_BARRIER_REVOKE) {
        forget_partitions(lane);
        recount(aggregator);
    }
}

const struct of_stage_ops of_aggregate_stage = {
    .name = "aggregate",
    .process = aggregate_item,
    .open = open_slot,
    .barrier = pass_barrier,
};
