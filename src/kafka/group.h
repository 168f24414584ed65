/* A consumer group as seen from outside: who is in it, what it has committed, forgetting that.
 *
 * Owner: whoever opened it. Threads: one at a time. Every call blocks for its timeout at most, but for a second if that
 * is shorter. Statuses: OF_OK; OF_RETRY: no answer; OF_FATAL: not allowed or refused. */
#ifndef OF_KAFKA_GROUP_H
#define OF_KAFKA_GROUP_H

#include "kafka/options.h"

struct of_group;

/* options, which name the group, must outlive it. OF_FATAL: a property is refused. */
OF_MUST_USE enum of_status of_group_open(const struct of_kafka_options *options, struct of_group **out,
                                         struct of_error *err);

/* *members: how many the group has. One of them is named in text ("orderflow-host-0 at /10.0.0.5"), as far as it fits;
 * empty without any. */
OF_MUST_USE enum of_status of_group_members(struct of_group *group, int timeout_ms, uint32_t *members, char *text,
                                            size_t size, struct of_error *err);

/* Offsets [0..partitions) of the topic that are committed; -1: none. Waits for transactions that are about to commit
 * some. */
OF_MUST_USE enum of_status of_group_committed(struct of_group *group, const char *topic, int32_t partitions,
                                              int timeout_ms, int64_t *offsets, struct of_error *err);

/* The offsets behind the last records of the topic, those of open transactions too. */
OF_MUST_USE enum of_status of_group_ends(struct of_group *group, const char *topic, int32_t partitions, int timeout_ms,
                                         int64_t *offsets, struct of_error *err);

/* Deletes the offsets that are committed of these partitions of the topic, which are those whose offset is not -1. */
OF_MUST_USE enum of_status of_group_forget(struct of_group *group, const char *topic, int32_t partitions,
                                           const int64_t *offsets, int timeout_ms, struct of_error *err);

/* Clears the caller's pointer; NULL inside is fine. */
void of_group_close(struct of_group **group);

#endif
