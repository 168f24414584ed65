/* What librdkafka tells about itself every few seconds, kept for whoever asks.
 *
 * A client's owner leaves the latest text of its handle here; the first who wants to know takes it apart, on a thread of
 * his own, so that it costs the pipeline a copy of some kilobytes every five seconds.
 *
 *   create, destroy   one thread, no other using it
 *   put               the thread that serves the client's queue
 *   read              any thread
 *
 * Errors: a text that is not as librdkafka's documentation has it (STATISTICS.md) gives zeros. */
#ifndef OF_KAFKA_STATISTICS_H
#define OF_KAFKA_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OF_KAFKA_STATISTICS_MS_TEXT "5000" /* how often */

enum { OF_KAFKA_BROKERS_MAX = 64, OF_KAFKA_NAME_BYTES = 128 };

struct of_kafka_broker_numbers {
    char name[OF_KAFKA_NAME_BYTES]; /* "localhost:9092/1" */
    bool up;
    double rtt_s, rtt_p99_s; /* of requests in the last interval; 0: there were none */
    double throttle_s;       /* the average in the last interval */
    uint64_t waiting;        /* requests sent and not answered */
    uint64_t queued;         /* requests not sent yet */
    uint64_t errors, timeouts, retries; /* since the start of the handle */
};

struct of_kafka_numbers {
    bool known; /* there was a text */
    uint64_t sent_bytes, received_bytes;
    uint64_t requests;       /* sent */
    uint64_t queued_records; /* in the producer's or consumer's queues */
    uint64_t queued_bytes;
    char transaction_state[32]; /* "Ready", "InTransaction", ...; "": no transactions */
    char group_state[32];       /* "up", ...; "": no group */
    uint32_t broker_count;
    struct of_kafka_broker_numbers brokers[OF_KAFKA_BROKERS_MAX]; /* those with an address, the first so many */
};

struct of_kafka_statistics;

struct of_kafka_statistics *of_kafka_statistics_create(void);
void of_kafka_statistics_destroy(struct of_kafka_statistics **statistics);

/* Copies the text. */
void of_kafka_statistics_put(struct of_kafka_statistics *statistics, const char *json, size_t length);

void of_kafka_statistics_read(struct of_kafka_statistics *statistics, struct of_kafka_numbers *numbers);

#endif
