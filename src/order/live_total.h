/* A count and a sum that one thread at a time keeps up to date and any thread may read, both of the same instant.
 *
 * A sequence lock: the writer never waits; a reader that meets a write under way looks again. All members are atomics,
 * each with the ordering it needs, so there is no fence to misplace:
 *   - a value is stored with release behind the odd sequence number, so a reader that sees the value also sees that
 *     the number has changed;
 *   - the even number is stored with release behind the values, so a reader that sees it sees all of them. */
#ifndef OF_ORDER_LIVE_TOTAL_H
#define OF_ORDER_LIVE_TOTAL_H

#include <stdatomic.h>

#include "order/exact_sum.h"

struct of_live_total {
    _Atomic uint64_t sequence; /* odd: a write is under way */
    _Atomic uint64_t count;
    _Atomic uint64_t low; /* the window of the sum, or of a sum of decimals their integer ... */
    _Atomic int64_t high;
    _Atomic uint32_t scaled; /* ... then their scale + 1; 0: binary ... */
    _Atomic double beyond; /* ... or, when it is more than one of these, about the sum, and zero in the others */
};

/* The one writer. */
void of_live_total_set(struct of_live_total *live, uint64_t count, const struct of_exact_sum *sum);

/* Any thread. Adds what it reads to *count and to *sum, which is initialised. Exact unless the sum has outgrown the
 * window (values below a millionth or totals beyond 3.6e16), or has decimals of several scales. */
void of_live_total_add_to(const struct of_live_total *live, uint64_t *count, struct of_exact_sum *sum);

#endif
