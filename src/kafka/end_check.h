/* Whether the group has finished what was there at start: `--exit-at-end`.
 *
 * The ends of orders and retry partitions are taken once. The end is reached when the group, this instance or another,
 * has committed up to them, and no retry that came of these orders is unsettled: its retry partition is committed to its
 * present end, or holds behind that only records that stem from later orders, are of another group, or are later
 * themselves.
 *
 * Commits are asked for before ends. A letter is acknowledged before the offset behind its record is committed, so
 * whatever a committed record led to lies before an end that is asked for afterwards: the end of all records, as those of
 * a transaction may be readable a moment later than its offsets.
 *
 * Uses clients of its own, which never join the group. Owner: whoever opened it. Threads: one. */
#ifndef OF_KAFKA_END_CHECK_H
#define OF_KAFKA_END_CHECK_H

#include "kafka/options.h"

struct of_end_check;

/* options must outlive the check. Asks nothing yet. OF_FATAL: a property is refused. */
OF_MUST_USE enum of_status of_end_check_open(const struct of_kafka_options *options, int32_t orders_partitions,
                                             int32_t retry_partitions, struct of_end_check **out,
                                             struct of_error *err);

/* The first call takes the ends. OF_OK: the end is reached; OF_AGAIN: not yet; OF_RETRY: could not be found out now.
 * Blocks for a few seconds at most. */
OF_MUST_USE enum of_status of_end_check_step(struct of_end_check *check, struct of_error *err);

/* Clears the caller's pointer; NULL inside is fine. */
void of_end_check_close(struct of_end_check **check);

#endif
