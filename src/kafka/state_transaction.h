/* Writes records of the aggregates topic and commits offsets of the group, all or nothing: one Kafka transaction.
 *
 *   open --write...--> --commit--> committed
 *   any failure, or close without commit: nothing of it counts
 *
 * Offsets are committed in the name of no member, which brokers accept while the group has none.
 *
 * Owner: whoever opened it. Threads: one at a time. */
#ifndef OF_KAFKA_STATE_TRANSACTION_H
#define OF_KAFKA_STATE_TRANSACTION_H

#include "core/slice.h"
#include "kafka/options.h"

struct of_state_transaction;

/* Begins. Ends what an earlier process with that transactional id left open. options must outlive it. OF_RETRY: no
 * answer within timeout_ms; OF_FATAL: refused. */
OF_MUST_USE enum of_status of_state_transaction_open(const struct of_kafka_options *options,
                                                     const char *transactional_id, int timeout_ms,
                                                     struct of_state_transaction **out, struct of_error *err);

/* A record for that partition of the aggregates topic, which is copied; value.data NULL deletes the key. Waits for room
 * in the queue for timeout_ms at most. OF_RETRY, OF_FATAL: the transaction is lost. */
OF_MUST_USE enum of_status of_state_transaction_write(struct of_state_transaction *transaction, int32_t partition,
                                                      struct of_slice key, struct of_slice value, int timeout_ms,
                                                      struct of_error *err);

/* Commits the records, and offsets[0..partitions) of the topic as the group's. OF_RETRY: not known whether it is
 * committed; OF_ABORT: it is not; OF_FATAL: it is not, and will not be. */
OF_MUST_USE enum of_status of_state_transaction_commit(struct of_state_transaction *transaction, const char *topic,
                                                       const int64_t *offsets, int32_t partitions, int timeout_ms,
                                                       struct of_error *err);

/* Aborts what is not committed. Clears the caller's pointer; NULL inside is fine. Blocks for some seconds at most. */
void of_state_transaction_close(struct of_state_transaction **transaction);

#endif
