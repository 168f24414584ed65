/* A page of metrics under way. Part of ops/metrics: metrics.c has the table and the formats, metrics_page.c writes samples,
 * metrics_samples.c and metrics_kafka.c say which there are. */
#ifndef OF_OPS_METRICS_PAGE_H
#define OF_OPS_METRICS_PAGE_H

#include "ops/metrics.h"

enum of_metric_type { OF_METRIC_COUNTER, OF_METRIC_GAUGE, OF_METRIC_HISTOGRAM, OF_METRIC_INFO };

struct of_metrics_page {
    FILE *out;
    enum of_metrics_format format;
    const char *name; /* of the metric whose samples are written, with prefix, without _total and the like */
    enum of_metric_type type;
    bool has_labels; /* of the sample under way */
    const struct of_measured *measured;
    struct of_metrics_products *products;
};

/* A sample: begin, its labels, and one of the ends. */
void of_sample_begin(struct of_metrics_page *page);
void of_sample_label(struct of_metrics_page *page, const char *name, const char *text);
void of_sample_label_slice(struct of_metrics_page *page, const char *name, struct of_slice text);
void of_sample_label_number(struct of_metrics_page *page, const char *name, int64_t number);
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
