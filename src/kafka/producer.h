/* A producer handle with the topics that the pipeline writes to: what both kinds of sinks are made of. Private to src/kafka.
 *
 * Threads: one at a time. Nothing blocks but what says so, and produce for half a second at most, once a second, while the
 * aggregates topic has too few partitions. */
#ifndef OF_KAFKA_PRODUCER_H
#define OF_KAFKA_PRODUCER_H

#include "core/sink.h"
#include "kafka/client.h"

struct of_producer {
    struct of_kafka_client client;
    int64_t next_look_up_ns;
    bool transactional; /* reports only what is a record's or a topic's own failure */
    struct {
        const char *name;
        rd_kafka_topic_t *handle;
        int32_t partitions; /* 0: not looked up yet */
    } topics[OF_DESTINATIONS];
};

/* Settings beside those that both kinds have. OF_FATAL: a property is refused; nothing is left behind. */
enum of_status of_producer_open(struct of_producer *producer, const struct of_kafka_options *options,
                                const struct of_kafka_property *settings, size_t count, struct of_error *err) OF_MUST_USE;

/* What is not delivered is lost. Blocks for a second at most. */
void of_producer_close(struct of_producer *producer);

/* Finds out how many partitions the topics have, which also spares the first records half a second. Blocks for some
 * seconds at most. OF_RETRY: a topic is missing or there is no answer. */
enum of_status of_producer_look_up(struct of_producer *producer, struct of_error *err) OF_MUST_USE;

/* Whether the brokers say that there is no such topic. Blocks for half a second at most. */
bool of_producer_is_missing(struct of_producer *producer, enum of_destination destination) OF_MUST_USE;

/* As core/sink.h's produce. */
enum of_status of_producer_produce(struct of_producer *producer, const struct of_outgoing *record, uint64_t tag,
                                   struct of_error *err) OF_MUST_USE;

/* Tells the listener every report that waits. Returns how many. */
uint32_t of_producer_poll(struct of_producer *producer, const struct of_sink_listener *listener);

#endif
