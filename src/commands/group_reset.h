/* Forgetting what a consumer group has counted and committed: the work behind `orderflow reset`.
 *
 * Owner: the caller's memory; all zero before open; close in every case. Threads: one. Every step waits for brokers, half
 * a minute to a minute and a half at most; Ctrl+C ends the waiting. */
#ifndef OF_COMMANDS_GROUP_RESET_H
#define OF_COMMANDS_GROUP_RESET_H

#include "commands/group_totals.h"
#include "kafka/admin.h"
#include "kafka/group.h"
#include "kafka/state_transaction.h"

/* The partitions of a topic, and what the group has in them. */
struct of_reset_part {
    const char *topic;
    int32_t partitions; /* 0: there is no such topic */
    int64_t *committed; /* by partition; -1: nothing */
};

struct of_group_reset {
    const struct of_kafka_options *kafka;
    const struct of_settings *settings; /* of the registry and the topic; NULL: it is only looked, not done */
    struct of_admin *admin;
    struct of_group *group;
    struct of_group_totals totals;
    struct of_state_transaction *transaction; /* NULL: it is only looked */
    struct of_state_writer *writer;
    struct of_reset_part orders, retry;
    int64_t *retry_ends; /* by partition */
    uint32_t schema_id;

    /* out of gather */
    uint64_t rows, markers, bad; /* records that are to be deleted */
    uint64_t counted;            /* orders that the rows hold */
    uint64_t others;             /* rows of other topics of the group */
};

/* settings: needed by carry_out; NULL: only to look. kafka and settings must outlive it. OF_FATAL: a property
 * is refused. */
OF_MUST_USE enum of_status of_group_reset_open(struct of_group_reset *reset, const struct of_kafka_options *kafka,
                                               const struct of_settings *settings, struct of_error *err);

/* Finds out what there is. OF_OK; OF_RETRY: no answer; OF_FATAL: the group has members, or its topics do not fit. */
OF_MUST_USE enum of_status of_group_reset_gather(struct of_group_reset *reset, struct of_error *err);

/* After gather. OF_OK: it is done. Otherwise it is done in part, and may be done again from the beginning. */
OF_MUST_USE enum of_status of_group_reset_carry_out(struct of_group_reset *reset, struct of_error *err);

void of_group_reset_close(struct of_group_reset *reset);

#endif
