/* A Kafka cluster inside the process, for `orderflow demo` and for tests: librdkafka's mock cluster.
 *
 * It has consumer groups, offsets and headers. It has no transactions, no compaction, no CreateTopics (topics are created
 * here), and keeps 5 MiB a partition at most: what is older is gone, as with retention. Clients set `embedded` in their
 * options, for joining a group takes the session timeout minus a second and an empty fetch all of fetch.wait.max.ms.
 *
 * Threads: the cluster has one of its own; the calls here are for one thread. */
#ifndef OF_KAFKA_EMBEDDED_H
#define OF_KAFKA_EMBEDDED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

struct of_embedded;

/* A cluster of one broker on a free port of 127.0.0.1. OF_OK or OF_FATAL. */
enum of_status of_embedded_open(struct of_embedded **embedded, struct of_error *err) OF_MUST_USE;

/* All clients must be closed before. Clears the pointer; fine on NULL. */
void of_embedded_close(struct of_embedded **embedded);

enum of_status of_embedded_create_topic(struct of_embedded *embedded, const char *topic, int32_t partitions,
                                        struct of_error *err) OF_MUST_USE;

/* host:port; lives as long as the cluster. */
const char *of_embedded_brokers(const struct of_embedded *embedded);

/* Stops and starts answering, as a broker that goes down and comes back with all it had. */
void of_embedded_set_up(struct of_embedded *embedded, bool up);

#endif
