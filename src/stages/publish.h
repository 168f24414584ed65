/* The publish stage: hands failed records to the producer, tells the console, and says how far a lane has come.
 *
 * A batch is gone through record by record where something in it failed or somebody wants to hear of every order;
 * otherwise it goes straight home. It goes home as soon as its failures are handed over: the producer keeps a copy.
 *
 * A barrier that arrives waits here until every record handed over before it is acknowledged, while batches behind it go
 * on; then it goes home to fetch with what was reached. Records before and behind the barrier are told apart by a
 * generation that changes with every barrier; as a lane has one barrier at a time, two are enough.
 *
 *   what fails                        what happens
 *   producer's queue is full          the batch waits at its cursor; so does its lane, which is back-pressure
 *   dead letter too large             sent again smaller (stages/letter.h)
 *   retry record too large            dead letter instead
 *   refused, or timed out             the slot is dropped: its epoch is void, fetch gets a notice and starts again from
 *                                     the committed offset after a back-off; letters that were written are not written
 *                                     again (stages/handed.h); other slots go on
 *   crash at any point                nothing of the present barrier is committed; its orders are read again, its
 *                                     letters may be written again
 *
 * Threads: the stage's own; of_publish_counts by any. */
#ifndef OF_STAGES_PUBLISH_H
#define OF_STAGES_PUBLISH_H

#include "core/clock.h"
#include "core/counter.h"
#include "core/sink.h"
#include "core/stage.h"
#include "order/event_queue.h"

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
    int64_t retry_delay_ms;
    uint32_t in_flight;      /* letters handed over and not acknowledged, at most */
    struct of_listener listener;
};

struct of_publish_counts {
    of_counter retries;      /* handed over to the producer since the start */
    of_counter dead_letters;
};

struct of_publish;

struct of_publish *of_publish_create(const struct of_publish_options *options);
void of_publish_destroy(struct of_publish **publish);

const struct of_publish_counts *of_publish_counts(const struct of_publish *publish);

extern const struct of_stage_ops of_publish_stage;

#endif
