/* The aggregate stage: exact sums, counts, minima and maxima per source partition and group value.
 *
 * State is kept per slot, begins with what its open brings, and is copied out at barriers: only rows that changed,
 * absolute values, in a snapshot that fetch makes part of the committed totals once the commit is acknowledged. Nothing
 * here is final, so nothing here needs to be undone: after a drop, open brings the committed state again.
 *
 * A restored row may be ahead of its partition (order/slot_state.h): orders below the row's next_offset are contained
 * already and are passed over.
 *
 * Threads: whichever turns the stage (core/crew.h); of_aggregator_live by any. */
#ifndef OF_STAGES_AGGREGATE_H
#define OF_STAGES_AGGREGATE_H

#include "core/stage.h"
#include "order/live_total.h"
#include "order/table.h"

struct of_snapshot_row {
    uint32_t slot; /* index within the lane */
    uint32_t group;
    uint32_t rows; /* that the slot's table has */
    struct of_aggregate aggregate;
};

struct of_snapshot {
    struct of_snapshot_row *rows;
    uint32_t count; /* valid rows; all below room are initialised */
    uint32_t room;
};

struct of_aggregator;

/* instance: the number of this instance, which is its place in of_barrier's snapshots. */
struct of_aggregator *of_aggregator_create(uint32_t instance, uint32_t lanes);
void of_aggregator_destroy(struct of_aggregator **aggregator);

/* Orders and sum of all partitions that are open here, committed or not, restored ones included. */
const struct of_live_total *of_aggregator_live(const struct of_aggregator *aggregator);

extern const struct of_stage_ops of_aggregate_stage;

#endif
