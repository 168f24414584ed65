/* Where records go that the pipeline writes: the contract between the publish stage and a producer.
 *
 * A sink is one of two kinds:
 *
 *   plain          each record is reported on its own: what is acknowledged stays
 *   transactional  records belong to the transaction that begins with the first of them and ends with commit or abort;
 *                  only what fails is reported on its own, and such a transaction can no longer be committed
 *
 * A transactional sink, moved by the publish stage:
 *
 *   idle --produce--> open --commit--> ending --ended OF_OK, OF_ABORT or OF_RETRY--> idle
 *                     open --abort---> ending --ended OF_ABORT--> idle
 *   idle --commit (offsets alone)--> ending
 *   any --ended OF_FATAL--> failed: nothing can be written any more
 *
 * While it is ending, produce answers OF_AGAIN.
 *
 * Threads: one at a time, that of publish or one that stands in for it (core/crew.h). Nothing blocks, but start, and produce for
 * a second at most where a topic is gone or has too few partitions. When reports begin to wait the sink's
 * own threads write 8 bytes (a 1) to the eventfd given to start. */
#ifndef OF_CORE_SINK_H
#define OF_CORE_SINK_H

#include "core/error.h"
#include "core/slice.h"

enum of_destination { OF_TO_RETRY, OF_TO_DEAD_LETTER, OF_TO_AGGREGATES, OF_DESTINATIONS };

struct of_header {
    const char *name;
    struct of_slice value; /* data NULL: a null value */
};

struct of_outgoing {
    enum of_destination destination;
    int32_t partition; /* of the source; the sink takes it modulo its topic's number of partitions, but for aggregates */
    struct of_slice key, value; /* data NULL: null */
    const struct of_header *headers;
    uint32_t header_count;
    int64_t timestamp_ms; /* 0: when it is produced */
};

/* An offset that a transaction commits. */
struct of_sink_offset {
    const char *topic;
    int32_t partition;
    int64_t next_offset;
    int32_t leader_epoch; /* core/source.h; -1: not known */
};

/* Who is told what became of things. */
struct of_sink_listener {
    void *arg;
    /* A record: OF_OK: written and acknowledged (plain sinks). OF_POISON: too large for the topic. OF_RETRY: refused or
     * timed out, text says why. */
    void (*settled)(void *arg, uint64_t tag, enum of_status status, const char *text);
    /* Transactional: the commit or abort under way has ended. OF_OK: committed, all of it. OF_ABORT: nothing of it
     * counts, text says why. OF_RETRY: the same, but a commit may have taken effect: ask what is committed. OF_FATAL: the
     * sink has failed; fenced: because another has the same identity. */
    void (*ended)(void *arg, enum of_status status, bool fenced, const char *text);
};

struct of_sink_ops {
    bool transactional;

    /* wake_fd -1: nobody waits. A transactional sink ends here what an earlier process with its identity left behind,
     * which may block for some seconds. OF_RETRY: no answer; OF_FATAL. */
    enum of_status (*start)(void *self, int wake_fd, struct of_error *err);

    /* Takes a copy of the record. OF_OK: it will be settled, once, with this tag (transactional: if it fails). Otherwise
     * it will not: OF_AGAIN: the queue is full or a transaction is ending, poll and come again; OF_POISON: too large;
     * OF_RETRY: refused; OF_ABORT: the transaction, of which this may be the first record, has failed and must be aborted;
     * OF_FATAL: the sink has failed, and no transaction is open. */
    enum of_status (*produce)(void *self, const struct of_outgoing *record, uint64_t tag, struct of_error *err);

    /* Tells the listener everything that is waiting. Returns how much. */
    uint32_t (*poll)(void *self, const struct of_sink_listener *listener);

    /* Plain: gives up what is on its way. What was not acknowledged is settled as OF_RETRY; if it was sent already, it may be
     * written all the same. What is produced just after it may be given up, too. Optional. */
    void (*purge)(void *self);

    /* Transactional: commits the records since the last end together with these offsets, in the name of the group's
     * member that `membership` describes (core/source.h), which is borrowed until then. Offsets are copied. Answered by
     * ended. */
    void (*commit)(void *self, const struct of_sink_offset *offsets, uint32_t count, const void *membership);

    /* Transactional: gives up the records since the last end. Answered by ended. */
    void (*abort)(void *self);

    /* Releases everything; what is not settled yet is lost. Blocks for a second or two at most. */
    void (*close)(void *self);
};

struct of_sink {
    const struct of_sink_ops *ops;
    void *self;
};

#endif
