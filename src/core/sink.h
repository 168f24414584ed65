/* Where failed records go: the contract between the publish stage and a producer.
 *
 * Threads: all calls by the publish thread of the lane. Nothing blocks. When reports begin to wait the sink's own
 * threads write 8 bytes (a 1) to the eventfd given to start. */
#ifndef OF_CORE_SINK_H
#define OF_CORE_SINK_H

#include "core/error.h"
#include "core/slice.h"

enum of_destination { OF_TO_RETRY, OF_TO_DEAD_LETTER };

struct of_header {
    const char *name;
    struct of_slice value; /* data NULL: a null value */
};

struct of_outgoing {
    enum of_destination destination;
    int32_t partition; /* of the source; the sink takes it modulo its topic's number of partitions */
    struct of_slice key, value; /* data NULL: null */
    const struct of_header *headers;
    uint32_t header_count;
};

/* What became of a record: OF_OK: written and acknowledged. OF_POISON: too large for the topic. OF_RETRY: refused or
 * timed out, text says why. */
typedef void of_sink_settled(void *arg, uint64_t tag, enum of_status status, const char *text);

struct of_sink_ops {
    enum of_status (*start)(void *self, int wake_fd, struct of_error *err); /* -1: nobody waits */

    /* Takes a copy of the record. OF_OK: it will be settled, once, with this tag. Otherwise it will not: OF_AGAIN: the
     * queue is full, poll and come again; OF_POISON: too large; OF_RETRY: refused; OF_FATAL. */
    enum of_status (*produce)(void *self, const struct of_outgoing *record, uint64_t tag, struct of_error *err);

    /* Calls settled for every report that is waiting. Returns how many. */
    uint32_t (*poll)(void *self, of_sink_settled *settled, void *arg);

    /* Releases everything; what is not settled yet is lost. Blocks for a second at most. */
    void (*close)(void *self);
};

struct of_sink {
    const struct of_sink_ops *ops;
    void *self;
};

#endif
