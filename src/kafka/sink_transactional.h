/* The sink that writes in transactions: core/sink.h on a transactional producer.
 *
 * Owner: opened by the command, closed by the pipeline. Threads: as core/sink.h. Calls of librdkafka that block (ending a
 * transaction, taking over an identity) are made by a thread of the sink's own, which sleeps otherwise.
 *
 * start() ends whatever transaction an earlier process with the same transactional.id has left, and fences that process: it
 * may block for 30 s. OF_RETRY: no answer, to be called again.
 * Cost: one transaction takes some 20 ms, nearly all of it waiting; about 2 us per record with one header. */
#ifndef OF_KAFKA_SINK_TRANSACTIONAL_H
#define OF_KAFKA_SINK_TRANSACTIONAL_H

#include "core/sink.h"
#include "kafka/options.h"

/* However short longest_ms is, a transaction may be open this long. */
enum { OF_TRANSACTION_MS = 5000 };

/* options, whose transactional_id is set, must outlive the sink. longest_ms: how long a transaction may be open. OF_FATAL: a
 * property is refused, or the system has no thread left. */
enum of_status of_sink_transactional_open(const struct of_kafka_options *options, int64_t longest_ms,
                                          struct of_sink *sink, struct of_error *err) OF_MUST_USE;

#endif
