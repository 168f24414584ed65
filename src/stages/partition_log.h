/* What the log says of partitions: one line when one is held and when it goes on, one per topic for an assignment.
 *
 * Once per change, and bounded: thousands of partitions that are held at once make five lines in ten seconds, and one
 * that counts the others. What the console shows on the same terminal is only logged at level debug.
 * Threads: the fetch thread of the lane. */
#ifndef OF_STAGES_PARTITION_LOG_H
#define OF_STAGES_PARTITION_LOG_H

#include "core/flow.h"
#include "order/cause.h"
#include "order/event.h"

/* kind: HELD, with cause and text, or RESUMED. quiet: others tell the user. */
void of_partition_log(enum of_event_kind kind, const struct of_slot *slot, int64_t offset, enum of_cause cause,
                      const char *text, bool quiet);

/* kind: ASSIGNED, REVOKED or LOST. slots: of one lane, those of a topic together, in the order of partitions. */
void of_partition_log_all(enum of_event_kind kind, struct of_slot *const *slots, uint32_t count, bool quiet);

#endif
