/* The sink that writes through librdkafka: core/sink.h on an idempotent producer.
 *
 * A record is reported OF_OK when all in-sync replicas have it. What is not acknowledged in two thirds of the
 * group's session time-out is reported OF_RETRY: by the time that partitions can be another's, nothing of ours waits to be
 * written over what that one writes.
 * After a fatal error of the idempotent producer every call answers OF_FATAL.
 *
 * Threads: as core/sink.h; reports wait in a queue for poll(), librdkafka's threads only write to the wake eventfd.
 * Cost: about 2 us per record with one header.
 *
 * start() looks the topics up, which also warms the connections: it may block for five seconds, as topics may just have
 * been made, and answers OF_RETRY when they could not be found out; it may then be called again. */
#ifndef OF_KAFKA_SINK_LIBRDKAFKA_H
#define OF_KAFKA_SINK_LIBRDKAFKA_H

#include "core/sink.h"
#include "kafka/options.h"

/* options must outlive the sink. memory_bytes of it bounds the records that are not acknowledged yet, at a quarter.
 * On success the sink is to be released by its close operation. OF_FATAL: a property is refused. */
enum of_status of_sink_librdkafka_open(const struct of_kafka_options *options, struct of_sink *sink,
                                       struct of_error *err) OF_MUST_USE;

#endif
