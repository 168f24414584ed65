/* The source that speaks Kafka's Fetch protocol itself: core/source.h on src/kafka/direct, with librdkafka as the
 * member of the group that is assigned nothing to fetch.
 *
 * It drains a topic two to three times as fast as librdkafka can, because no record is ever an object: chunks are
 * batches as brokers store them, decode reads the records where they lie.
 *
 * Threads: as core/source.h; what blocks (looking addresses up) has threads of its own. wait_fd becomes readable when
 * brokers have answered or a deadline has come.
 *
 * What the contract leaves open: as in source_librdkafka.h, but resume() never blocks: an offset that is out of range is
 * told again. */
#ifndef OF_KAFKA_SOURCE_DIRECT_H
#define OF_KAFKA_SOURCE_DIRECT_H

#include "core/source.h"
#include "kafka/options.h"

/* Whether these settings, and the broker that is reached first, are for the direct source; a broker that is not there
 * is taken for one that will be. OF_OK; OF_POISON with a text: why not. Blocks for a second at most. */
enum of_status of_source_direct_applies(const struct of_kafka_options *options, struct of_error *err) OF_MUST_USE;

/* options must outlive the source. OF_POISON: does not apply; OF_FATAL: a property is refused. */
enum of_status of_source_direct_open(const struct of_kafka_options *options, struct of_source *source,
                                     struct of_error *err) OF_MUST_USE;

#endif
