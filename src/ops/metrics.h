/* Metrics as Prometheus wants them, out of one table (ops/metric.def): the text format 0.0.4, or OpenMetrics 1.0 where it
 * is asked for.
 *
 * Errors: those of the FILE. Threads: of_metrics_write by one at a time with the same pages; the others any. */
#ifndef OF_OPS_METRICS_H
#define OF_OPS_METRICS_H

#include <stdio.h>

#include "ops/measured.h"

enum of_metrics_format { OF_METRICS_TEXT, OF_METRICS_OPENMETRICS };

/* What the header Accept (NULL: there is none) asks for. */
enum of_metrics_format of_metrics_choose(const char *accept);

/* The header Content-Type of a format. */
const char *of_metrics_content_type(enum of_metrics_format format);

enum { OF_METRICS_PRODUCTS = 100, OF_METRICS_PLACES = 256 };

/* Which products have a label of their own: those that had most orders when there were more than OF_METRICS_PRODUCTS, and
 * from then on the same, so that no counter ever steps back. A name is known by where it lies: a dictionary has it once and
 * never moves it. Owner: whoever serves; all bytes zero at first. */
struct of_metrics_products {
    struct of_slice names[OF_METRICS_PRODUCTS]; /* borrowed from the dictionary of groups */
    uint32_t count;
    uint8_t at[OF_METRICS_PLACES]; /* number in names + 1, by a hash of where it lies; 0: none. Open addressing */
};

void of_metrics_write(FILE *out, enum of_metrics_format format, const struct of_measured *measured,
                      struct of_metrics_products *products);

/* docs/metrics.md */
void of_metrics_print_reference(FILE *out);

/* The name of metric `index` as the table has it, its whole name; NULL behind the last. */
const char *of_metrics_name(uint32_t index);

#endif
