/* A pipeline on real threads that is a member of the shop's group: what `orderflow run` builds, without the command. */
#ifndef OF_TESTS_EMBEDDED_MEMBER_H
#define OF_TESTS_EMBEDDED_MEMBER_H

#include "embedded/shop.h"
#include "pipeline.h"

struct member_options {
    uint32_t lanes; /* 0: 1 */
    uint32_t decode_threads, process_threads, aggregate_threads;
    double failure_rate;
    uint32_t max_retries;       /* 0: 3 */
    int64_t retry_delay_ms;     /* 0: 100 */
    int64_t commit_interval_ms; /* 0: 100 */
};

struct member {
    struct shop *shop;
    struct member_options options;
    struct of_schema_cache *schemas;
    struct of_pipeline *_Atomic pipeline;
    struct of_source sources[OF_THREADS_PER_STAGE];
    struct of_restorer restorers[OF_THREADS_PER_STAGE];
    struct of_sink sinks[OF_THREADS_PER_STAGE];
    struct of_event_queue *events[OF_THREADS_PER_STAGE]; /* about partitions */
    uint32_t slots[OF_THREADS_PER_STAGE];                /* of each lane, as events told so far */
};

void member_start(struct member *member, struct shop *shop, const struct member_options *options);

/* Drains, leaves, ends; adds what it committed to the totals, which are initialised. */
void member_stop(struct member *member, struct of_totals *totals);
/* The same for one that has all partitions, with what is committed of them by whichever member: what one that lost them in
 * the middle of a barrier had written counts, but for no run. */
void member_stop_last(struct member *member, struct of_totals *totals);

/* Waits until every lane has partitions: only later members make the group assign anew. */
void member_wait_for_lanes(struct member *member, int limit_ms);

void member_progress(const struct member *member, struct of_pipeline_progress *progress);
uint64_t member_live_orders(const struct member *member);
uint64_t member_committed_orders(const struct member *member);
uint64_t member_live_retries(const struct member *member);

/* Waits until that many orders are counted, committed or not; fails the test after limit_ms. */
void member_wait_for_orders(const struct member *member, uint64_t orders, int limit_ms);

/* The same for orders that this member has committed, which nothing takes from its totals any more. */
void member_wait_for_committed(const struct member *member, uint64_t orders, int limit_ms);

/* What orders 0 .. count-1 must come to under these options, wherever they were processed. */
void member_check(const struct member *member, const struct of_totals *totals, int count);

#endif
