/* What the processes of one latency run share: when the orders were to be sent, and when each was counted.
 *
 * The producer sends order k at began_ns + k / rate. A consumer notes the time at which its count has reached k. With
 * one partition the k-th that is counted is the k-th that was sent; with several it is so but for the few that overtake
 * each other between partitions, which leaves the sum of all latencies as it is.
 *
 * The first order of the topic was there before, so that schema, connections and assignment are no part of it. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bare_loop.h"

struct latency_track {
    _Atomic bool ready;        /* the consumer has the order that was there before */
    _Atomic int64_t began_ns;  /* monotonic; 0: not yet */
    int64_t orders;            /* to be sent, without that one */
    double rate;               /* per second */
    _Atomic int64_t counted;   /* the consumer's */
    int64_t counted_ns[];      /* of each */
};

struct latency_run {
    struct latency_track *track;
    struct bare_loop loop;
    int32_t partitions;
    char **arguments; /* of `orderflow run`, from the command on, NULL at the end */
};

/* Notes that everything up to `count`, the order that was there before included, is counted. */
void latency_note(struct latency_track *track, int64_t count, int64_t now_ns);
bool latency_is_over(const struct latency_track *track);

/* Bodies of processes (child.h). */
int latency_produce(void *run);
int latency_bare(void *run);     /* a librdkafka consumer that only touches records */
int latency_pipeline(void *run); /* `orderflow run` in this process */

#endif
