/* A page of metrics under way. Part of ops/metrics: metrics.c has the table and the formats, metrics_page.c writes samples,
 * metrics_samples.c, metrics_products.c and metrics_kafka.c say which there are.
 *
 * A page has thousands of short pieces of text: they are put together in `room`, and reach the FILE when it is full. */
#ifndef OF_OPS_METRICS_PAGE_H
#define OF_OPS_METRICS_PAGE_H

#include "ops/metrics.h"

enum { OF_METRICS_ROOM_BYTES = 4096, OF_METRICS_BOUND_BYTES = 16 };

enum of_metric_type { OF_METRIC_COUNTER, OF_METRIC_GAUGE, OF_METRIC_HISTOGRAM, OF_METRIC_INFO };

struct of_metrics_page {
    FILE *out;
    enum of_metrics_format format;
    const char *name; /* of the metric whose samples are written, with prefix, without _total and the like */
    enum of_metric_type type;
    bool has_labels; /* of the sample under way */
    const struct of_measured *measured;
    struct of_metrics_products *products;
    const struct of_totals_row *rows[OF_METRICS_PRODUCTS]; /* of the products with a label; NULL: none in this run */
    char bounds[OF_HISTOGRAM_BOUNDS][OF_METRICS_BOUND_BYTES]; /* of histograms, as text */
    size_t used; /* of room */
    char room[OF_METRICS_ROOM_BYTES];
};

void of_metrics_page_init(struct of_metrics_page *page, FILE *out, enum of_metrics_format format,
                          const struct of_measured *measured, struct of_metrics_products *products);
/* What is in `room` goes to the FILE. */
void of_metrics_page_flush(struct of_metrics_page *page);

void of_metrics_put(struct of_metrics_page *page, const char *text);

/* Gives labels to products, and finds the rows of those that have one. */
void of_metrics_products_find(struct of_metrics_page *page);

/* A sample: begin, its labels, and one of the ends. */
void of_sample_begin(struct of_metrics_page *page);
void of_sample_label(struct of_metrics_page *page, const char *name, const char *text);
void of_sample_label_slice(struct of_metrics_page *page, const char *name, struct of_slice text);
void of_sample_label_number(struct of_metrics_page *page, const char *name, uint64_t number);
void of_sample_end(struct of_metrics_page *page, double value);
void of_sample_end_count(struct of_metrics_page *page, uint64_t value);

/* All samples of a histogram with at most one label; label NULL: none. Seconds. */
void of_sample_histogram(struct of_metrics_page *page, const char *label, const char *text,
                         const struct of_histogram_view *view);

/* A sample without labels. */
void of_sample(struct of_metrics_page *page, double value);
void of_sample_count(struct of_metrics_page *page, uint64_t value);

/* One function per row of the table: its samples. */
#define OF_METRIC(symbol, type, name, unit, labels, help) void of_samples_##symbol(struct of_metrics_page *page);
#include "ops/metric.def"
#undef OF_METRIC

#endif
