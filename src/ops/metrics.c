#include "ops/metrics_page.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "orderflow_"

static const struct {
    const char *name, *unit, *labels, *help;
    enum of_metric_type type;
    void (*write)(struct of_metrics_page *page);
} metrics[] = {
#define OF_METRIC(symbol, type, name, unit, labels, help) \
    { PREFIX name, unit, labels, help, OF_METRIC_##type, of_samples_##symbol },
#include "ops/metric.def"
#undef OF_METRIC
};
enum { METRICS = sizeof metrics / sizeof *metrics };

static const char *const type_names[] = {
    [OF_METRIC_COUNTER] = "counter", [OF_METRIC_GAUGE] = "gauge", [OF_METRIC_HISTOGRAM] = "histogram",
    [OF_METRIC_INFO] = "info",
};

/* What the text format, which knows no info, has in the name of a family. */
static const char *
family_suffix(enum of_metrics_format format, enum of_metric_type type)
{
    if (format == OF_METRICS_OPENMETRICS)
        return "";
    return type == OF_METRIC_COUNTER ? "_total" : type == OF_METRIC_INFO ? "_info" : "";
}

/* ---- which format ---- */

/* The weight that Accept gives a type; negative: it does not name it. */
static double
weight_of(const char *accept, const char *type)
{
    const char *found = strstr(accept, type);
    if (found == NULL)
        return -1;
    size_t length = strcspn(found, ",");
    const char *q = strstr(found, "q=");
    return q != NULL && (size_t)(q - found) < length ? strtod(q + 2, NULL) : 1;
}

enum of_metrics_format
of_metrics_choose(const char *accept)
{
    if (accept == NULL)
        return OF_METRICS_TEXT;
    double openmetrics = weight_of(accept, "application/openmetrics-text");
    return openmetrics > 0 && openmetrics >= weight_of(accept, "text/plain") ? OF_METRICS_OPENMETRICS : OF_METRICS_TEXT;
}

const char *
of_metrics_content_type(enum of_metrics_format format)
{
    return format == OF_METRICS_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- writing ---- */

static void
write_line(struct of_metrics_page *page, const char *what, const char *suffix, const char *text)
{
    of_metrics_put(page, what);
    of_metrics_put(page, page->name);
    of_metrics_put(page, suffix);
    of_metrics_put(page, " ");
    of_metrics_put(page, text);
    of_metrics_put(page, "\n");
}

static void
write_metric(struct of_metrics_page *page, uint32_t index)
{
    bool openmetrics = page->format == OF_METRICS_OPENMETRICS;
    page->name = metrics[index].name;
    page->type = metrics[index].type;
    const char *suffix = family_suffix(page->format, page->type);
    const char *type = page->type == OF_METRIC_INFO && !openmetrics ? "gauge" : type_names[page->type];
    write_line(page, "# HELP ", suffix, metrics[index].help);
    write_line(page, "# TYPE ", suffix, type);
    if (openmetrics && metrics[index].unit[0] != '\0')
        write_line(page, "# UNIT ", "", metrics[index].unit);
    metrics[index].write(page);
}

void
of_metrics_write(FILE *out, enum of_metrics_format format, const struct of_measured *measured,
                 struct of_metrics_products *products)
{
    struct of_metrics_page page;
    of_metrics_page_init(&page, out, format, measured, products);
    for (uint32_t i = 0; i < METRICS; i++)
        write_metric(&page, i);
    if (format == OF_METRICS_OPENMETRICS)
        of_metrics_put(&page, "# EOF\n");
    of_metrics_page_flush(&page);
}

/* ---- the reference ---- */

const char *
of_metrics_name(uint32_t index)
{
    return index < METRICS ? metrics[index].name : NULL;
}

void
of_metrics_print_reference(FILE *out)
{
    fputs("# Metrics\n\n"
          "<!-- Made of src/ops/metric.def: build/dev/tests/unit/unit_metrics reference >docs/metrics.md -->\n\n"
          "`orderflow run --http ADDRESS` serves these at `/metrics`, in Prometheus' text format, or in OpenMetrics where\n"
          "the scraper asks for it. Units are seconds and bytes. A counter counts from the start of the process; a metric\n"
          "that has nothing to tell has no samples.\n\n"
          "| name | type | labels | meaning |\n|---|---|---|---|\n",
          out);
    for (uint32_t i = 0; i < METRICS; i++)
        fprintf(out, "| `%s%s` | %s | %s | %s |\n", metrics[i].name, family_suffix(OF_METRICS_TEXT, metrics[i].type),
                metrics[i].type == OF_METRIC_INFO ? "gauge" : type_names[metrics[i].type], metrics[i].labels,
                metrics[i].help);
    fputs("\nA histogram has the samples `_bucket`, `_sum` and `_count`. Its bounds are 10, 25 and 50 µs, and so on up to\n"
          "10, 30, 60 and 120 s.\n\n"
          "Latencies are measured of every batch that is not full (under little load that is every one), and of one in 16 of\n"
          "those that are, which stands for all 16: looking at a clock for every order would cost more than the order.\n",
          out);
}
