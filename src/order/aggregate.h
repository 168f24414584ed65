/* What is known of the values of one group value in one source partition: count, least, greatest, exact sum.
 *
 * Owner: the caller's memory, init to fini; no copies by assignment (of_aggregate_copy). Threads: one at a time.
 * Errors: none; values are finite. Cost: 3 ns per value, no allocation for usual ones (order/exact_sum.h). */
#ifndef OF_ORDER_AGGREGATE_H
#define OF_ORDER_AGGREGATE_H

#include "order/exact_sum.h"

struct of_aggregate {
    uint64_t count;
    double min; /* +infinity while count is 0 */
    double max; /* -infinity while count is 0 */
    struct of_exact_sum sum;
    int64_t next_offset; /* every order of the partition below it is contained, or is of another group; 0 at first */
};

void of_aggregate_init(struct of_aggregate *aggregate);

void of_aggregate_fini(struct of_aggregate *aggregate);

static inline void
of_aggregate_add(struct of_aggregate *aggregate, double value)
{
    aggregate->count++;
    aggregate->min = value < aggregate->min ? value : aggregate->min;
    aggregate->max = value > aggregate->max ? value : aggregate->max;
    of_exact_sum_add(&aggregate->sum, value);
}

/* dst becomes both together; its next_offset the higher of the two. dst and src must differ. */
void of_aggregate_merge(struct of_aggregate *dst, const struct of_aggregate *src);

/* dst loses what it contains of src: count and sum. Its least, greatest and next_offset stay as they are. */
void of_aggregate_subtract(struct of_aggregate *dst, const struct of_aggregate *src);

/* dst, which is initialised, takes the value of src. */
void of_aggregate_copy(struct of_aggregate *dst, const struct of_aggregate *src);

#endif
