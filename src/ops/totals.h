/* The numbers that orderflow reports: orders processed, their sum, retry attempts, dead letters, and the same per
 * product. "Processed" counts orders, not deliveries; dead letters are not in the sum. Retry attempts are retry records
 * published; dead letters include poison.
 *
 * Owner: the caller's memory, init to fini. Threads: one at a time. */
#ifndef OF_OPS_TOTALS_H
#define OF_OPS_TOTALS_H

#include "core/histogram.h"
#include "order/exact_sum.h"

struct of_totals_row {
    struct of_slice product; /* borrowed: lives as long as what it was taken from */
    uint64_t orders_processed;
    struct of_exact_sum sum;
};

struct of_totals {
    uint64_t orders_processed, retry_attempts, dead_letters;
    struct of_exact_sum sum;
    struct of_totals_row *rows;
    size_t row_count;
};

void of_totals_init(struct of_totals *totals);
void of_totals_fini(struct of_totals *totals);

/* A new row at the end, to be filled by the caller: its counters are zero. The pointer lives until the next call. */
struct of_totals_row *of_totals_add_row(struct of_totals *totals, struct of_slice product);

/* How two names are sorted: by their bytes. As qsort wants it. */
int of_totals_compare_names(struct of_slice a, struct of_slice b);

/* Sorts the rows by their names. */
void of_totals_sort(struct of_totals *totals);

/* What is known at any moment of a run: totals that may step back when something in flight is lost. */
struct of_live_totals {
    uint64_t orders_processed, retry_attempts, dead_letters;
    struct of_exact_sum sum;
    uint32_t held_partitions;
};

/* How much one instance of a stage has worked. */
struct of_stage_load {
    const char *stage;
    uint32_t instance;
    uint64_t busy_ns; /* since the start; a thread that shares a processor may be busy and wait */
};

enum { OF_STAGE_LOADS_MAX = 5 * 64 };

/* What a live view shows beside the totals. */
struct of_live_detail {
    int64_t behind; /* records that are there and not committed; -1: not known */
    uint32_t load_count;
    struct of_stage_load loads[OF_STAGE_LOADS_MAX]; /* stage by stage */
    struct of_histogram_view age, commit; /* of orders and commits since the start, as in ops/measured.h */
    struct of_totals committed; /* of the partitions owned; without products when there are very many */
};

#endif
