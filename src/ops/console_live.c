#include "ops/console_live.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

enum {
    FIXED_LINES = 5, /* what is above the stages, blank lines included */
    BAR_COLUMNS = 20,
    NAME_COLUMNS = 12,
    PRODUCTS_MOST = 10,
    LINE_BYTES = 4096,
    NUMBER_BYTES = OF_TERMINAL_NUMBER_BYTES,
};

/* ---- lines that fit ---- */

/* A block under way: its last line, and how many stand above. */
struct block {
    struct of_terminal_line line;
    unsigned lines;
};

static void
end_line(struct block *block)
{
    fputs("\33[K\n", block->line.out);
    block->line.column = 0;
    block->lines++;
}

static bool
has_room(const struct block *block)
{
    return block->lines + 2 <= block->line.terminal->rows; /* the cursor stands below the block */
}

static const char *
grouped(uint64_t number, char text[NUMBER_BYTES])
{
    return of_terminal_number(number, text);
}

/* ---- parts ---- */

static void
put_labelled(struct block *block, const char *label, const char *text, enum of_style style)
{
    of_terminal_put(&block->line, OF_STYLE_DIM, "%s ", label);
    of_terminal_put(&block->line, style, "%s", text);
    of_terminal_put(&block->line, OF_STYLE_PLAIN, "   ");
}

static void
draw_totals(struct block *block, const struct of_progress *progress, int64_t behind)
{
    const struct of_live_totals *live = progress->live;
    char number[NUMBER_BYTES], money[OF_MONEY_BYTES];
    of_terminal_put(&block->line, OF_STYLE_BOLD, "%s orders/s",
                    grouped((uint64_t)(progress->orders_per_second + 0.5), number));
    of_terminal_put(&block->line, OF_STYLE_DIM, "   after %.0f s", progress->seconds);
    end_line(block);
    put_labelled(block, "orders", grouped(live->orders_processed, number), OF_STYLE_PLAIN);
    of_console_average(&live->sum, live->orders_processed, money);
    put_labelled(block, "running average", money, OF_STYLE_GOOD);
    of_console_sum(&live->sum, money);
    put_labelled(block, "sum", money, OF_STYLE_PLAIN);
    end_line(block);
    put_labelled(block, "retries", grouped(live->retry_attempts, number),
                 live->retry_attempts > 0 ? OF_STYLE_WARN : OF_STYLE_PLAIN);
    put_labelled(block, "dead letters", grouped(live->dead_letters, number),
                 live->dead_letters > 0 ? OF_STYLE_BAD : OF_STYLE_PLAIN);
    put_labelled(block, "held partitions", grouped(live->held_partitions, number),
                 live->held_partitions > 0 ? OF_STYLE_BAD : OF_STYLE_PLAIN);
    put_labelled(block, "lag", behind >= 0 ? grouped((uint64_t)behind, number) : "unknown", OF_STYLE_PLAIN);
    end_line(block);
}

/* What has been added since. */
static struct of_histogram_view
since(const struct of_histogram_view *now, const struct of_histogram_view *before)
{
    struct of_histogram_view gained = { .count = now->count - before->count, .sum_s = now->sum_s - before->sum_s };
    for (int i = 0; i <= OF_HISTOGRAM_BOUNDS; i++)
        gained.counts[i] = now->counts[i] - before->counts[i];
    return gained;
}

static void
put_time(struct block *block, const char *label, double ns)
{
    char text[NUMBER_BYTES];
    snprintf(text, sizeof text, ns < 1e9 ? "%.1f ms" : "%.1f s", ns < 1e9 ? ns / 1e6 : ns / 1e9);
    put_labelled(block, label, text, OF_STYLE_PLAIN);
}

/* Of the last second; nothing while nothing comes. */
static void
draw_latency(struct block *block, const struct of_live_view *view, const struct of_live_detail *detail)
{
    const struct of_histogram_view age = since(&detail->age, &view->age);
    const struct of_histogram_view commit = since(&detail->commit, &view->commit);
    if (age.count == 0 || !has_room(block))
        return;
    put_time(block, "latency p50", of_histogram_quantile_ns(&age, 0.5));
    put_time(block, "p99", of_histogram_quantile_ns(&age, 0.99));
    if (commit.count > 0)
        put_time(block, "commit p99", of_histogram_quantile_ns(&commit, 0.99));
    end_line(block);
}

static double
share(const struct of_live_view *view, const struct of_live_detail *detail, uint32_t i, double elapsed_s)
{
    uint64_t now = detail->loads[i].busy_ns, before = view->busy_ns[i];
    double busy = now > before && elapsed_s > 0 ? (double)(now - before) / 1e9 / elapsed_s : 0;
    return busy < 1 ? busy : 1;
}

/* The average as a bar, then each instance. */
static void
draw_stage(struct block *block, const char *stage, const double *shares, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += shares[i];
    unsigned full = (unsigned)(sum / count * BAR_COLUMNS + 0.5);
    const char *done = block->line.terminal->utf8 ? "\xE2\x96\x88" : "#";
    const char *left = block->line.terminal->utf8 ? "\xE2\x96\x91" : ".";
    of_terminal_put(&block->line, OF_STYLE_PLAIN, "%-*s", NAME_COLUMNS, stage);
    for (unsigned i = 0; i < BAR_COLUMNS; i++)
        of_terminal_put(&block->line, i < full ? OF_STYLE_GOOD : OF_STYLE_DIM, "%s", i < full ? done : left);
    for (uint32_t i = 0; i < count; i++)
        of_terminal_put(&block->line, OF_STYLE_PLAIN, " %3.0f%%", shares[i] * 100);
    of_terminal_put(&block->line, OF_STYLE_DIM, " busy");
    end_line(block);
}

static void
draw_stages(struct block *block, const struct of_live_view *view, const struct of_live_detail *detail,
            double elapsed_s)
{
    double shares[OF_STAGE_LOADS_MAX];
    uint32_t end;
    for (uint32_t first = 0; first < detail->load_count && has_room(block); first = end) {
        const char *stage = detail->loads[first].stage;
        for (end = first; end < detail->load_count && strcmp(detail->loads[end].stage, stage) == 0; end++)
            shares[end] = share(view, detail, end, elapsed_s);
        draw_stage(block, stage, shares + first, end - first);
    }
}

/* The one with more orders first. */
static int
compare_rows(const void *left, const void *right)
{
    const struct of_totals_row *l = left, *r = right;
    return (l->orders_processed < r->orders_processed) - (l->orders_processed > r->orders_processed);
}

static void
draw_product(struct block *block, const struct of_totals_row *row)
{
    char name[LINE_BYTES], number[NUMBER_BYTES], sum[OF_MONEY_BYTES], average[OF_MONEY_BYTES];
    of_terminal_fit(block->line.terminal, row->product, NAME_COLUMNS, 2 * NAME_COLUMNS, name, sizeof name);
    of_console_sum(&row->sum, sum);
    of_console_average(&row->sum, row->orders_processed, average);
    of_terminal_put(&block->line, OF_STYLE_PLAIN, "%s %14s  %14s  %20s", name, grouped(row->orders_processed, number),
                    average, sum);
    end_line(block);
}

static void
draw_products(struct block *block, struct of_totals *committed)
{
    if (committed->row_count == 0 || !has_room(block))
        return;
    end_line(block);
    if (!has_room(block))
        return;
    qsort(committed->rows, committed->row_count, sizeof *committed->rows, compare_rows);
    of_terminal_put(&block->line, OF_STYLE_DIM, "%-*s %14s  %14s  %20s", NAME_COLUMNS, "product", "orders", "average",
                    "sum");
    end_line(block);
    for (size_t i = 0; i < committed->row_count && i < PRODUCTS_MOST && has_room(block); i++)
        draw_product(block, &committed->rows[i]);
}

/* ---- the block ---- */

static void
go_to_top(struct of_live_view *view, FILE *out, const struct of_terminal *terminal)
{
    bool moved = terminal->columns != view->columns || terminal->rows != view->rows;
    bool logged = terminal->shows_log && of_log_lines() != view->log_lines;
    if (view->lines > 0 && moved)
        fputs("\33[2J\33[H", out);
    else if (view->lines > 0 && !logged)
        fprintf(out, "\r\33[%uA", view->lines);
}

void
of_live_view_draw(struct of_live_view *view, FILE *out, struct of_terminal *terminal,
                  const struct of_progress *progress, struct of_live_detail *detail)
{
    of_terminal_measure(terminal);
    go_to_top(view, out, terminal);
    struct block block = { .line = { .out = out, .terminal = terminal } };
    end_line(&block);
    if (terminal->rows > FIXED_LINES)
        draw_totals(&block, progress, detail->behind);
    draw_latency(&block, view, detail);
    if (has_room(&block) && detail->load_count > 0)
        end_line(&block);
    draw_stages(&block, view, detail, progress->seconds - view->seconds);
    draw_products(&block, &detail->committed);
    fputs("\33[J", out);
    for (uint32_t i = 0; i < detail->load_count; i++)
        view->busy_ns[i] = detail->loads[i].busy_ns;
    view->age = detail->age;
    view->commit = detail->commit;
    view->seconds = progress->seconds;
    view->lines = block.lines;
    view->columns = terminal->columns;
    view->rows = terminal->rows;
    view->log_lines = of_log_lines();
}

void
of_live_view_erase(struct of_live_view *view, FILE *out)
{
    if (view->lines > 0)
        fprintf(out, "\r\33[%uA\33[J", view->lines);
    view->lines = 0;
}
