/* Restores from the aggregates topic of a cluster in memory, at once. For tests and benchmarks; see core/memory_cluster.h.
 *
 * Owner: whoever opens it; close frees it. Threads: as order/restorer.h says; the functions below any. */
#ifndef OF_ORDER_MEMORY_RESTORER_H
#define OF_ORDER_MEMORY_RESTORER_H

#include "core/memory_cluster.h"
#include "order/groups.h"
#include "order/restorer.h"

/* cluster and groups must outlive it. */
struct of_restorer of_memory_restorer(struct of_memory_cluster *cluster, struct of_groups *groups,
                                      struct of_slice group);

/* ---- what goes wrong ---- */

/* The next `count` answers are of this status. */
void of_memory_restorer_fail(struct of_restorer *restorer, uint32_t count, enum of_status status);
/* No answers come while this is true. */
void of_memory_restorer_hold(struct of_restorer *restorer, bool hold);

#endif
