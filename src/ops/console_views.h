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
    void (*started)(FILE *out, const struct of_console_config *config, int64_t wall_ms);
    void (*event)(FILE *out, const struct of_console_config *config, const struct of_event *event,
                  const struct of_tally *tally);
    void (*second)(FILE *out, const struct of_progress *progress);
    void (*final)(FILE *out, const struct of_console_result *result, int64_t wall_ms);
};

extern const struct of_console_view of_console_text_view;
extern const struct of_console_view of_console_table_view; /* the same for people at a terminal: laid out, colours */
extern const struct of_console_view of_console_json_view;

/* Parts of the text view that the others show as well. */
void of_console_text_started(FILE *out, const struct of_console_config *config, int64_t wall_ms);
void of_console_text_second(FILE *out, const struct of_progress *progress);
void of_console_text_final(FILE *out, const struct of_console_result *result, int64_t wall_ms);
void of_console_text_partition(FILE *out, const struct of_event *event, const char *end); /* before the newline */

enum { OF_MONEY_BYTES = OF_EXACT_SUM_MONEY_BYTES + 2 };

/* "-$1.50"; the average of no orders is "none". */
void of_console_money(double value, char text[OF_MONEY_BYTES]);
void of_console_price(const struct of_event *event, char text[OF_MONEY_BYTES]);
void of_console_sum(const struct of_exact_sum *sum, char text[OF_MONEY_BYTES]);
void of_console_average(const struct of_exact_sum *sum, uint64_t orders, char text[OF_MONEY_BYTES]);

/* 0 without orders or time. */
double of_console_rate(const struct of_console_result *result);

#endif
