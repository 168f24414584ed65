/* What the aggregates topic says of a consumer group, for commands that look at all of it: `stats` and `reset`.
 *
 * Owner: the caller's memory, open to close. Threads: one. */
#ifndef OF_COMMANDS_GROUP_TOTALS_H
#define OF_COMMANDS_GROUP_TOTALS_H

#include "kafka/state_reader.h"
#include "ops/totals.h"
#include "order/recorded.h"

struct of_group_totals {
    const struct of_kafka_options *kafka;
    const char *command; /* its name, for messages */
    struct of_state_reader *reader;
    struct of_recorded *recorded;
    int32_t partitions; /* of the topic that are read; 0: there is no topic */
};

/* wait_ms: as of_state_reader_open. OF_FATAL: a property is refused. Close in every case. */
OF_MUST_USE enum of_status of_group_totals_open(struct of_group_totals *totals, const char *command,
                                                const struct of_kafka_options *kafka, int wait_ms,
                                                struct of_error *err);

/* Reads all that is committed by now. Says on the log what it waits for. OF_OK, also when there is no topic; OF_RETRY: not
 * possible within a minute and a half, or interrupted; OF_FATAL. */
OF_MUST_USE enum of_status of_group_totals_read(struct of_group_totals *totals, struct of_error *err);

/* Reads what is new, for timeout_ms at most. OF_OK; OF_RETRY: a partition cannot be read. */
OF_MUST_USE enum of_status of_group_totals_follow(struct of_group_totals *totals, int timeout_ms,
                                                  struct of_error *err);

/* Follows partitions that the topic was given since, too. Does nothing when no broker answers in two seconds. */
void of_group_totals_look(struct of_group_totals *totals);

/* Whether something is recorded of this partition, and it is one of the topics that the options name, orders and
 * retries. */
bool of_group_totals_counts(const struct of_group_totals *totals, const struct of_recorded_partition *partition);

/* Sums up the partitions that count. *sums is initialised by the call; its names live until the next read or follow.
 * OF_AGAIN: nothing is recorded; OF_POISON: what is recorded cannot be used. */
OF_MUST_USE enum of_status of_group_totals_sum(const struct of_group_totals *totals, struct of_totals *sums,
                                               struct of_error *err);

void of_group_totals_close(struct of_group_totals *totals);

#endif
