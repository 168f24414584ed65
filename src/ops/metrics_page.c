#include "ops/metrics_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/escape.h"
#include "core/memory.h"
#include "core/number_text.h"

static const char *const suffixes[] = {
    [OF_METRIC_COUNTER] = "_total", [OF_METRIC_GAUGE] = "", [OF_METRIC_HISTOGRAM] = "", [OF_METRIC_INFO] = "_info",
};

/* ---- text ---- */

/* "0.0025", "1.0": numbers as OpenMetrics wants them, and Prometheus makes them anyway. */
static void
print_bound(int64_t ns, char text[OF_METRICS_BOUND_BYTES])
{
    snprintf(text, OF_METRICS_BOUND_BYTES, "%g", (double)ns / 1e9);
    if (strpbrk(text, ".e") == NULL)
        snprintf(text, OF_METRICS_BOUND_BYTES, "%.1f", (double)ns / 1e9);
}

void
of_metrics_page_init(struct of_metrics_page *page, FILE *out, enum of_metrics_format format,
                     const struct of_measured *measured, struct of_metrics_products *products)
{
    page->out = out;
    page->format = format;
    page->measured = measured;
    page->products = products;
    page->used = 0;
    for (uint32_t i = 0; i < OF_HISTOGRAM_BOUNDS; i++)
        print_bound(of_histogram_bounds_ns[i], page->bounds[i]);
    of_metrics_products_find(page);
}

void
of_metrics_page_flush(struct of_metrics_page *page)
{
    fwrite(page->room, 1, page->used, page->out);
    page->used = 0;
}

static void
put_bytes(struct of_metrics_page *page, const void *bytes, size_t length)
{
    if (length > sizeof page->room - page->used)
        of_metrics_page_flush(page);
    if (length > sizeof page->room) {
        fwrite(bytes, 1, length, page->out);
        return;
    }
    memcpy(page->room + page->used, bytes, length);
    page->used += length;
}

static void
put_char(struct of_metrics_page *page, char c)
{
    put_bytes(page, &c, 1);
}

void
of_metrics_put(struct of_metrics_page *page, const char *text)
{
    put_bytes(page, text, strlen(text));
}

static void
put_count(struct of_metrics_page *page, uint64_t count)
{
    char text[OF_COUNT_TEXT_BYTES];
    put_bytes(page, text, of_count_text(count, text));
}

/* ---- samples ---- */

void
of_sample_begin(struct of_metrics_page *page)
{
    of_metrics_put(page, page->name);
    of_metrics_put(page, suffixes[page->type]);
    page->has_labels = false;
}

/* Whether it is its own escaped form. */
static bool
is_plain(struct of_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7E || text.data[i] == '"' || text.data[i] == '\\')
            return false;
    return true;
}

/* As both formats want it: backslash, quote and newline escaped, the rest valid UTF-8. */
static void
put_escaped(struct of_metrics_page *page, struct of_slice text)
{
    size_t size = OF_ESCAPE_GROWTH * text.length + 1;
    char room[1024], *escaped = size <= sizeof room ? room : of_alloc(size);
    of_escape(OF_ESCAPE_TEXT, text, escaped, size);
    for (const char *p = escaped; *p != '\0'; p++)
        switch (*p) {
        case '\\': of_metrics_put(page, "\\\\"); break;
        case '"': of_metrics_put(page, "\\\""); break;
        case '\n': of_metrics_put(page, "\\n"); break;
        default: put_char(page, *p);
        }
    if (escaped != room)
        free(escaped);
}

static void
begin_label(struct of_metrics_page *page, const char *name)
{
    put_char(page, page->has_labels ? ',' : '{');
    of_metrics_put(page, name);
    of_metrics_put(page, "=\"");
    page->has_labels = true;
}

void
of_sample_label_slice(struct of_metrics_page *page, const char *name, struct of_slice text)
{
    begin_label(page, name);
    if (is_plain(text))
        put_bytes(page, text.data, text.length);
    else
        put_escaped(page, text);
    put_char(page, '"');
}

void
of_sample_label(struct of_metrics_page *page, const char *name, const char *text)
{
    of_sample_label_slice(page, name, of_slice_str(text != NULL ? text : ""));
}

void
of_sample_label_number(struct of_metrics_page *page, const char *name, uint64_t number)
{
    begin_label(page, name);
    put_count(page, number);
    put_char(page, '"');
}

static void
end_labels(struct of_metrics_page *page)
{
    of_metrics_put(page, page->has_labels ? "} " : " ");
}

void
of_sample_end(struct of_metrics_page *page, double value)
{
    char text[OF_DOUBLE_TEXT_BYTES];
    end_labels(page);
    if (isfinite(value))
        put_bytes(page, text, of_double_text(value, text));
    else
        of_metrics_put(page, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    put_char(page, '\n');
}

void
of_sample_end_count(struct of_metrics_page *page, uint64_t value)
{
    end_labels(page);
    put_count(page, value);
    put_char(page, '\n');
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
    of_metrics_put(page, page->name);
    of_metrics_put(page, part);
    page->has_labels = false;
    if (label != NULL)
        of_sample_label(page, label, text);
}

void
of_sample_histogram(struct of_metrics_page *page, const char *label, const char *text,
                    const struct of_histogram_view *view)
{
    uint64_t up_to = 0;
    for (uint32_t i = 0; i < OF_HISTOGRAM_BOUNDS; i++) {
        up_to += view->counts[i];
        begin_part(page, "_bucket", label, text);
        of_sample_label(page, "le", page->bounds[i]);
        of_sample_end_count(page, up_to);
    }
    begin_part(page, "_bucket", label, text);
    of_sample_label(page, "le", "+Inf");
    of_sample_end_count(page, view->count);
    begin_part(page, "_sum", label, text);
    of_sample_end(page, view->sum_s);
    begin_part(page, "_count", label, text);
    of_sample_end_count(page, view->count);
}
