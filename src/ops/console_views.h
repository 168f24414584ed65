/* The two ways in which the console speaks: lines for people and lines of JSON. Part of ops/console.
 *
 * Each view is functions over a FILE and what happened; it keeps no state. Bytes from outside are escaped by both. */
#ifndef OF_OPS_CONSOLE_VIEWS_H
#define OF_OPS_CONSOLE_VIEWS_H

#include "ops/console.h"

/* Count and sum as of the last order shown. */
struct of_tally {
    uint64_t orders_processed;
    struct of_exact_sum sum;
};

/* One second of a run. */
struct of_progress {
    double seconds; /* since the start */
    double orders_per_second;
    int64_t wall_ms;
    const struct of_live_totals *live;
};

struct of_console_view {
    void (*started)(FILE *out, const struct of_console_banner *banner, int64_t wall_ms);
    void (*event)(FILE *out, const struct of_console_banner *banner, const struct of_event *event,
                  const struct of_tally *tally);
    void (*second)(FILE *out, const struct of_progress *progress);
    void (*final)(FILE *out, const struct of_console_result *result, int64_t wall_ms);
};

extern const struct of_console_view of_console_text_view;
extern const struct of_console_view of_console_json_view;

/* 0 without orders or time. */
double of_console_rate(const struct of_console_result *result);

#endif
