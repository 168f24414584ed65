/* The pipeline's job done in the plain way, on librdkafka: one thread reads orders, decodes them, sums them by product,
 * sends what fails to a retry topic, reads it from there when it is due, and commits at least once.
 *
 * What it leaves out is in its favour: totals are in memory alone, sums are plain doubles, there are no rebalances,
 * nothing is printed. Failures are those of the pipeline (order/failure.h), so both have as many. Its settings are the
 * best found for it (single_clients.c). Threads: one, besides librdkafka's own; the process does nothing else. */
#ifndef BENCH_SINGLE_H
#define BENCH_SINGLE_H

#include "bare_loop.h"

struct single {
    struct bare_loop loop;
    const char *retry_topic, *dlq_topic; /* made here, with as many partitions as the topic */
    int64_t orders; /* in the topic */
    double failing;
    int64_t delay_ms, max_retries;
};

struct single_result {
    uint64_t processed, dead, retries;
    double seconds; /* from the assignment of the partitions to the last commit */
    double sum;
};

/* False: said why on standard error. */
int single_run(const struct single *single, struct single_result *result);

#endif
