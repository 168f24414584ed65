/* A whole pipeline on one thread: memory cluster, mock registry, a clock that stands still until it is moved.
 *
 * Tests say what is in the topics and what goes wrong, let time pass, and look at what was counted, committed and
 * written. Nothing depends on real time, so every ordering and every deadline can be reached on purpose. With
 * `threads` the same pipeline runs on real threads and the real clock, for the sanitizers. */
#ifndef OF_TESTS_SUPPORT_WORLD_H
#define OF_TESTS_SUPPORT_WORLD_H

#include "core/memory_cluster.h"
#include "order/memory_restorer.h"
#include "pipeline.h"
#include "support/orders.h"

struct world_options {
    uint32_t partitions; /* 0: 3 */
    uint32_t lanes;      /* 0: 1 */
    uint32_t decode_threads, process_threads, aggregate_threads;
    bool threads;
    double failure_rate;
    uint32_t max_retries;        /* 0: 3; UINT32_MAX: none */
    int64_t retry_delay_ms;      /* 0: 2000 */
    double min_value, max_value; /* both 0: no limits */
    int64_t drain_timeout_ms;    /* 0: 10000 */
    int64_t commit_interval_ms;  /* 0: 100 */
    uint32_t letters_in_flight;  /* 0: 1000 */
    bool exactly_once;
    bool events; /* of partitions are kept until they are taken */
    bool unmeasured;
    const struct of_listener *listeners; /* by lane, for records */
    struct of_sink (*wrap)(struct of_sink sink); /* what the pipeline writes to instead */
    bool (*stopping)(void); /* as of the pipeline's options */
};

struct world {
    struct world_options options;
    struct of_memory_cluster *cluster;
    struct of_clock clock;
    struct of_groups *groups;
    struct of_schema_cache *schemas;
    struct of_pipeline *_Atomic pipeline;
    char registry[64]; /* name of the mock */
    uint32_t schema_id;
    uint64_t seed;
    struct of_source sources[OF_THREADS_PER_STAGE];
    struct of_sink sinks[OF_THREADS_PER_STAGE];
    struct of_restorer restorers[OF_THREADS_PER_STAGE];
    _Atomic int64_t state_schema_id;
    struct of_event_queue *events[OF_THREADS_PER_STAGE]; /* by lane; NULL without options.events */
};

void world_create(struct world *world, const struct world_options *options);
void world_destroy(struct world *world);

/* Starts the pipeline. Records may be appended before and after. */
void world_start(struct world *world);

/* Lets time pass, doing all work that there is at every millisecond. With threads: just waits. */
void world_pass_ms(struct world *world, int64_t ms);

/* Passes time until all of orders and retry is committed; fails the test after limit_ms. */
void world_run_to_end(struct world *world, int64_t limit_ms);

/* Kills the process that the pipeline stands for, without a word, and starts another one on what it has left. */
void world_crash(struct world *world);

/* Drains, leaves, and collects what the run committed. totals is initialised by the call. */
void world_stop(struct world *world, struct of_totals *totals);

/* The same for what is committed of all partitions, by whichever process. */
void world_stop_total(struct world *world, struct of_totals *totals);

/* The next event of this kind that the lane told and nobody has taken; those before it are dropped. False: none. */
bool world_take_event(struct world *world, uint32_t lane, enum of_event_kind kind, struct of_event *out);

/* ---- records ---- */

/* Appends order `number` to a partition: id is the number, product and price follow from it. */
int64_t world_append_order(struct world *world, uint32_t partition, int number);
/* The same, evenly over all partitions: numbers first, first + 1, ... */
void world_append_orders(struct world *world, int first, int count);
int64_t world_append_raw(struct world *world, uint32_t partition, const void *value, size_t length);

/* Value of a header of the index-th dead letter of a partition, as a C string in static storage; NULL: none. */
const char *world_dead_header(struct world *world, uint32_t partition, uint32_t index, const char *name);
uint32_t world_dead_count(struct world *world); /* in all partitions */
uint64_t world_live_orders(struct world *world);

/* What a run over orders 0 .. count-1, appended evenly, must come to. */
void world_expect(const struct world *world, int count, struct orders_expected *expected);

/* Stops the world and compares what it committed with what orders 0 .. count-1 must come to. */
void world_stop_and_check(struct world *world, int count);

#endif
