#include "ops/metrics_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/escape.h"
#include "core/memory.h"

static const char *const suffixes[] = {
    [OF_METRIC_COUNTER] = "_total", [OF_METRIC_GAUGE] = "", [OF_METRIC_HISTOGRAM] = "", [OF_METRIC_INFO] = "_info",
};

void
of_sample_begin(struct of_metrics_page *page)
{
    fprintf(page->out, "%s%s", page->name, suffixes[page->type]);
    page->has_labels = false;
}

/* As both formats want it: backslash, quote and newline escaped, the rest valid UTF-8. */
static void
write_value(FILE *out, struct of_slice text)
{
    size_t size = OF_ESCAPE_GROWTH * text.length + 1;
    char room[1024], *escaped = size <= sizeof room ? room : of_alloc(size);
    of_escape(OF_ESCAPE_TEXT, text, escaped, size);
    for (const char *p = escaped; *p != '\0'; p++)
        switch (*p) {
        case '\\': fputs("\\\\", out); break;
        case '"': fputs("\\\"", out); break;
        case '\n': fputs("\\n", out); break;
        default: fputc(*p, out);
        }
    if (escaped != room)
        free(escaped);
}

void
of_sample_label_slice(struct of_metrics_page *page, const char *name, struct of_slice text)
{
    fprintf(page->out, "%c%s=\"", page->has_labels ? ',' : '{', name);
    write_value(page->out, text);
    fputc('"', page->out);
    page->has_labels = true;
}

void
of_sample_label(struct of_metrics_page *page, const char *name, const char *text)
{
    of_sample_label_slice(page, name, of_slice_str(text != NULL ? text : ""));
}

void
of_sample_label_number(struct of_metrics_page *page, const char *name, int64_t number)
{
    fprintf(page->out, "%c%s=\"%" PRId64 "\"", page->has_labels ? ',' : '{', name, number);
    page->has_labels = true;
}

static void
end_labels(struct of_metrics_page *page)
{
    fputs(page->has_labels ? "} " : " ", page->out);
}

/* The shortest text that reads back as the same double. */
static void
write_number(FILE *out, double value)
{
    char text[32];
    if (isnan(value) || isinf(value)) {
        fputs(isnan(value) ? "NaN\n" : value > 0 ? "+Inf\n" : "-Inf\n", out);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fprintf(out, "%s\n", text);
}

void
of_sample_end(struct of_metrics_page *page, double value)
{
    end_labels(page);
    write_number(page->out, value);
}

void
of_sample_end_count(struct of_metrics_page *page, uint64_t value)
{
    end_labels(page);
    fprintf(page->out, "%" PRIu64 "\n", value);
}

void
of_sample(struct of_metrics_page *page, double value)
{
    of_sample_begin(page);
    of_sample_end(page, value);
}

void
of_sample_count(struct of_metrics_page *page, uint64_t value)
{
    of_sample_begin(page);
    of_sample_end_count(page, value);
}

/* ---- histograms ---- */

static void
begin_part(struct of_metrics_page *page, const char *part, const char *label, const char *text)
{
    fprintf(page->out, "%s_%s", page->name, part);
    page->has_labels = false;
    if (label != NULL)
        of_sample_label(page, label, text);
}

/* "0.0025", "1.0": numbers as OpenMetrics wants them, and Prometheus makes them anyway. */
static void
print_bound(int64_t ns, char *text, size_t size)
{
    snprintf(text, size, "%g", (double)ns / 1e9);
    if (strpbrk(text, ".e") == NULL)
        snprintf(text, size, "%.1f", (double)ns / 1e9);
}

void
of_sample_histogram(struct of_metrics_page *page, const char *label, const char *text,
                    const struct of_histogram_view *view)
{
    uint64_t up_to = 0;
    for (uint32_t i = 0; i < OF_HISTOGRAM_BOUNDS; i++) {
        char bound[32];
        up_to += view->counts[i];
        print_bound(of_histogram_bounds_ns[i], bound, sizeof bound);
        begin_part(page, "bucket", label, text);
        of_sample_label(page, "le", bound);
        of_sample_end_count(page, up_to);
    }
    begin_part(page, "bucket", label, text);
    of_sample_label(page, "le", "+Inf");
    of_sample_end_count(page, view->count);
    begin_part(page, "sum", label, text);
    of_sample_end(page, view->sum_s);
    begin_part(page, "count", label, text);
    of_sample_end_count(page, view->count);
}
