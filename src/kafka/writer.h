/* Publishing to one topic: an idempotent producer whose every delivery is checked.
 *
 * Records go to the partition that their key's hash chooses. A record counts as delivered when all in-sync replicas
 * have it; what is not acknowledged in 60 s has failed.
 * Owner: whoever opened it. Threads: all calls by one. Cost: under 1 us per record, reports included. */
#ifndef OF_KAFKA_WRITER_H
#define OF_KAFKA_WRITER_H

#include "core/slice.h"
#include "kafka/options.h"

enum { OF_WRITER_TIMEOUT_MS = 60000 };

struct of_writer;

struct of_delivery {
    uint64_t tag;
    struct of_slice key;
    int32_t partition;
    int64_t offset;
    const char *error; /* NULL: delivered */
};

/* The delivery's pointers live for the call. */
typedef void of_writer_settled(void *context, const struct of_delivery *delivery);

/* options and topic must outlive the writer. OF_FATAL: a property is refused. */
OF_MUST_USE enum of_status of_writer_open(const struct of_kafka_options *options, const char *topic,
                                          struct of_writer **out, struct of_error *err);

/* Takes a copy. OF_OK: it will be settled once. Otherwise it will not: OF_AGAIN: the queue is full, poll and come
 * again; OF_POISON: too large; OF_FATAL: the producer cannot go on. Does not block. */
OF_MUST_USE enum of_status of_writer_write(struct of_writer *writer, struct of_slice key, struct of_slice value,
                                           uint64_t tag, struct of_error *err);

/* Calls settled for what is known by now; when nothing is, waits for timeout_ms at most. */
void of_writer_poll(struct of_writer *writer, int timeout_ms, of_writer_settled *settled, void *context);

/* Records that are written and not settled. */
uint64_t of_writer_pending(const struct of_writer *writer);

/* What is pending is lost, and not settled. Blocks for a second at most. */
void of_writer_close(struct of_writer **writer);

#endif
