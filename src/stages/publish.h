/* The publish stage: hands failed records to the producer, tells the console, and says how far a lane has come.
 *
 * A batch is gone through record by record where something in it failed or somebody wants to hear of every order;
 * otherwise it goes straight home. It goes home as soon as its failures are handed over: the producer keeps a copy.
 *
 * What is handed over before a barrier belongs to it, and counts when the barrier does (publish_barrier.c): with a plain
 * sink when it is acknowledged, with a transactional one when its transaction is committed. Records before and behind the
 * barrier are told apart by a generation that changes with every barrier; as a lane has one barrier at a time, two are
 * enough. While a transaction ends, batches that need the next one are put aside, in order, and the others go on.
 *
 *   what fails                        what happens
 *   producer's queue is full          the batch waits at its cursor; so does its lane, which is back-pressure
 *   dead letter too large             sent again smaller (stages/letter.h)
 *   retry record too large            dead letter instead
 *   refused, or timed out             plain: the slot is dropped: its epoch is void, fetch gets a notice and starts again
 *                                     from the committed offset after a back-off; letters that were written are not
 *                                     written again (stages/handed.h); other slots go on
 *                                     transactional: the same, and the transaction is aborted, so that the lane's other
 *                                     slots start again from the committed offset, at once
 *   crash at any point                publish_barrier.c
 *
 * Threads: whichever turns the stage (core/crew.h); of_publish_counts and of_publish_recent by any. */
#ifndef OF_STAGES_PUBLISH_H
#define OF_STAGES_PUBLISH_H

#include "core/clock.h"
#include "core/counter.h"
#include "core/histogram.h"
#include "core/sink.h"
#include "core/stage.h"
#include "core/tuning.h"
#include "order/event_queue.h"
#include "order/groups.h"
#include "stages/recent.h"

/* Who wants to hear of every record. All members may be NULL. */
struct of_listener {
    struct of_event_queue *queue;
    bool (*wants_records)(const void *arg); /* now; asked once per batch, any thread */
    bool waits;                             /* rather wait than miss an event */
    const void *arg;
};

struct of_publish_options {
    uint32_t lane;
    const struct of_clock *clock;
    struct of_sink sink;
    struct of_slice group;   /* consumer group */
    uint32_t max_retries;    /* after the first attempt */
    const struct of_tuning *tuning; /* retry delay, commit interval */
    uint32_t in_flight;      /* letters handed over and not acknowledged, at most; in one transaction, about */
    const struct of_groups *groups;
    const _Atomic int64_t *state_schema_id; /* of the aggregates topic's values; negative: not known yet */
    struct of_slice value_field, group_by_field; /* recorded with the state */
    int64_t barrier_limit_ns; /* beyond the commit interval, after which a transaction is aborted whose barrier has not come */
    struct of_listener listener;
    bool measure; /* keep the last dead letters */
};

enum {
    OF_PUBLISH_ATTEMPTS = 8, /* counted one by one; the last stands for all beyond, too */
    OF_BARRIER_OUTCOMES = OF_BARRIER_FAILED + 1,
};

/* Since the start. */
struct of_publish_counts {
    of_counter retries;      /* handed over to the producer */
    of_counter dead_letters;
    of_counter retries_by_attempt[OF_PUBLISH_ATTEMPTS];  /* element k: records that had failed k + 1 times */
    of_counter dead_letters_by_cause[OF_CAUSE_COUNT];
    of_counter barriers[OF_BARRIER_OUTCOMES]; /* that went home, by enum of_barrier_outcome */
    struct of_histogram barrier;              /* from everything before it being through to its end */
    of_counter transactions_committed, transactions_aborted;
    struct of_histogram commit; /* of a transaction: from asking for it to its end, whatever that is */
    struct of_histogram age[2]; /* by enum of_role: from the order's timestamp to its being through; measured batches */
};

struct of_publish;

struct of_publish *of_publish_create(const struct of_publish_options *options);
void of_publish_destroy(struct of_publish **publish);

const struct of_publish_counts *of_publish_counts(const struct of_publish *publish);

/* The last dead letters, for any thread to list; none where nothing is measured. */
struct of_recent *of_publish_recent(struct of_publish *publish);

extern const struct of_stage_ops of_publish_stage;

#endif
