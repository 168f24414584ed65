#include <inttypes.h>
#include <string.h>

#include "core/escape.h"
#include "ops/console_views.h"
#include "registry/url.h"

enum { PRODUCTS_SHOWN = 50 };

/* ---- pieces ---- */

static void
put_escaped(FILE *out, struct of_slice text, bool cut)
{
    char shown[OF_EVENT_TOPIC_BYTES * OF_ESCAPE_GROWTH + 1];
    of_escape(OF_ESCAPE_TERMINAL, text, shown, sizeof shown);
    fprintf(out, "%s%s", shown, cut ? "..." : "");
}

static void
put_sign_first(const char *amount, char text[OF_MONEY_BYTES])
{
    bool negative = *amount == '-';
    snprintf(text, OF_MONEY_BYTES, "%s$%s", negative ? "-" : "", amount + negative);
}

/* Long enough for every double; "-0.00" is "0.00". */
void
of_console_money(double value, char text[OF_MONEY_BYTES])
{
    char amount[OF_EXACT_SUM_MONEY_BYTES];
    snprintf(amount, sizeof amount, "%.2f", value);
    put_sign_first(strcmp(amount, "-0.00") == 0 ? amount + 1 : amount, text);
}

void
of_console_sum(const struct of_exact_sum *sum, char text[OF_MONEY_BYTES])
{
    char amount[OF_EXACT_SUM_MONEY_BYTES];
    of_exact_sum_money(sum, amount, sizeof amount);
    put_sign_first(amount, text);
}

void
of_console_price(const struct of_event *event, char text[OF_MONEY_BYTES])
{
    struct of_exact_sum price = { 0 };
    if (event->value_kind == OF_VALUE_BINARY) {
        of_console_money(event->value, text);
        return;
    }
    of_exact_sum_add_scaled(&price, event->scaled, event->value_scale);
    of_console_sum(&price, text);
    of_exact_sum_fini(&price);
}

void
of_console_average(const struct of_exact_sum *sum, uint64_t orders, char text[OF_MONEY_BYTES])
{
    if (orders == 0)
        strcpy(text, "none");
    else
        of_console_money(of_exact_sum_average(sum, orders), text);
}

static void
put_sum(FILE *out, const struct of_exact_sum *sum)
{
    char text[OF_MONEY_BYTES];
    of_console_sum(sum, text);
    fputs(text, out);
}

static void
put_average(FILE *out, const struct of_exact_sum *sum, uint64_t orders)
{
    char text[OF_MONEY_BYTES];
    of_console_average(sum, orders, text);
    fputs(text, out);
}

/* ---- start ---- */

void
of_console_text_started(FILE *out, const struct of_console_config *config, int64_t wall_ms)
{
    const struct of_console_banner *banner = &config->banner;
    (void)wall_ms;
    char registry[1024];
    fprintf(out,
            "orderflow %s\n"
            "  brokers            %s\n"
            "  schema registry    %s\n"
            "  consumer group     %s\n"
            "  subscribed topics  %s, %s\n"
            "  dead letters       %s\n"
            "  retries            %" PRId64 " at most, each after %" PRId64 " ms\n"
            "  guarantee          %s\n"
            "%s"
            "Waiting for orders. Ctrl+C stops.\n\n",
            ORDERFLOW_VERSION, banner->brokers, of_registry_url_print(banner->registry, registry, sizeof registry),
            banner->group, banner->topic, banner->retry_topic, banner->dlq_topic, banner->max_retries,
            of_console_retry_delay_ms(banner), banner->guarantee, banner->about != NULL ? banner->about : "");
}

/* ---- events of records ---- */

static void
put_order(FILE *out, const struct of_event *event)
{
    if (!event->has_order) {
        fputs("order unreadable", out);
        return;
    }
    fputs("order ", out);
    put_escaped(out, of_slice_of(event->id, event->id_length), event->id_cut);
    fputs("  ", out);
    put_escaped(out, of_slice_of(event->group, event->group_length), event->group_cut);
    char price[OF_MONEY_BYTES];
    of_console_price(event, price);
    fprintf(out, "  %s", price);
}

static void
put_reason(FILE *out, const struct of_event *event)
{
    fprintf(out, ": %s", of_cause_text(event->cause));
    if (event->text[0] != '\0') {
        fputs(": ", out);
        put_escaped(out, of_slice_str(event->text), false);
    }
}

/* Opens a line: what happened, in a column of its own, and to which order. */
static void
put_line(FILE *out, const char *what, const struct of_event *event)
{
    fprintf(out, "%-12s", what);
    put_order(out, event);
}

static void
print_received(FILE *out, const struct of_event *event)
{
    put_line(out, "received", event);
    fprintf(out, "  from %s[%" PRId32 "] offset %" PRId64 "\n", event->topic, event->partition, event->offset);
}

static void
print_processed(FILE *out, const struct of_event *event, const struct of_tally *tally)
{
    put_line(out, "processed", event);
    fprintf(out, "\n%-12s%" PRIu64 " orders processed, sum ", "aggregated", tally->orders_processed);
    put_sum(out, &tally->sum);
    fputs(", running average ", out);
    put_average(out, &tally->sum, tally->orders_processed);
    fputc('\n', out);
}

static void
print_failed(FILE *out, const struct of_event *event)
{
    put_line(out, "failed", event);
    put_reason(out, event);
    fputc('\n', out);
}

static void
print_retry(FILE *out, const struct of_console_banner *banner, const struct of_event *event)
{
    char what[32];
    snprintf(what, sizeof what, "retry %" PRIu32 "/%" PRId64, event->attempt, banner->max_retries);
    put_line(out, what, event);
    fprintf(out, "  sent to %s, due in %" PRId64 " ms\n", banner->retry_topic, of_console_retry_delay_ms(banner));
}

static void
print_dead_letter(FILE *out, const struct of_console_banner *banner, const struct of_event *event)
{
    put_line(out, "dead letter", event);
    fprintf(out, "  sent to %s", banner->dlq_topic);
    if (of_cause_class(event->cause) == OF_CLASS_TRANSIENT)
        fprintf(out, ": still failing after %" PRId64 " of %" PRId64 " retries\n",
                event->attempt > 0 ? (int64_t)event->attempt - 1 : 0, banner->max_retries);
    else
        fputs(": no retry can help\n", out);
}

/* ---- events of partitions ---- */

static const char *
partition_change(enum of_event_kind kind)
{
    switch (kind) {
    case OF_EVENT_ASSIGNED: return "assigned";
    case OF_EVENT_REVOKED: return "revoked";
    case OF_EVENT_LOST: return "lost";
    case OF_EVENT_HELD: return "held";
    case OF_EVENT_SKIPPED: return "skipped";
    default: return "resumed";
    }
}

void
of_console_text_partition(FILE *out, const struct of_event *event, const char *end)
{
    fprintf(out, "%-12s%s[%" PRId32 "] at offset %" PRId64, partition_change(event->kind), event->topic,
            event->partition, event->offset);
    if (event->cause != OF_CAUSE_NONE)
        put_reason(out, event);
    fprintf(out, "%s\n", end);
}

static void
text_event(FILE *out, const struct of_console_config *config, const struct of_event *event,
           const struct of_tally *tally)
{
    const struct of_console_banner *banner = &config->banner;
    if (event->kind <= OF_EVENT_DEAD_LETTER)
        print_received(out, event);
    switch (event->kind) {
    case OF_EVENT_PROCESSED: print_processed(out, event, tally); break;
    case OF_EVENT_RETRY: print_failed(out, event), print_retry(out, banner, event); break;
    case OF_EVENT_DEAD_LETTER: print_failed(out, event), print_dead_letter(out, banner, event); break;
    case OF_EVENT_ASSIGNED:
    case OF_EVENT_REVOKED:
    case OF_EVENT_LOST:
    case OF_EVENT_HELD:
    case OF_EVENT_RESUMED:
    case OF_EVENT_SKIPPED: of_console_text_partition(out, event, ""); break;
    }
}

/* ---- seconds and the end ---- */

void
of_console_text_second(FILE *out, const struct of_progress *progress)
{
    const struct of_live_totals *live = progress->live;
    fprintf(out, "%6.0f s  %.0f orders/s  %" PRIu64 " orders  sum ", progress->seconds, progress->orders_per_second,
            live->orders_processed);
    put_sum(out, &live->sum);
    fputs("  average ", out);
    put_average(out, &live->sum, live->orders_processed);
    fprintf(out, "  retries %" PRIu64 "  dead letters %" PRIu64 "  held partitions %" PRIu32 "\n",
            live->retry_attempts, live->dead_letters, live->held_partitions);
}

static void
print_totals(FILE *out, const char *title, const struct of_totals *totals)
{
    fprintf(out, "%s\n  orders processed   %" PRIu64 "\n  price sum          ", title, totals->orders_processed);
    put_sum(out, &totals->sum);
    fputs("\n  running average    ", out);
    put_average(out, &totals->sum, totals->orders_processed);
    fprintf(out, "\n  retry attempts     %" PRIu64 "\n  dead letters       %" PRIu64 "\n", totals->retry_attempts,
            totals->dead_letters);
}

/* all_by: what lists all of them. */
static void
print_products(FILE *out, const struct of_totals *totals, const char *all_by)
{
    if (totals->row_count == 0)
        return;
    fprintf(out, "\n%12s  %14s  %20s  %s\n", "orders", "average", "sum", "product");
    for (size_t i = 0; i < totals->row_count && i < PRODUCTS_SHOWN; i++) {
        const struct of_totals_row *row = &totals->rows[i];
        char sum[OF_MONEY_BYTES], average[OF_MONEY_BYTES];
        of_console_sum(&row->sum, sum);
        of_console_average(&row->sum, row->orders_processed, average);
        fprintf(out, "%12" PRIu64 "  %14s  %20s  ", row->orders_processed, average, sum);
        bool cut = row->product.length > OF_EVENT_FIELD_BYTES;
        put_escaped(out, of_slice_of(row->product.data, cut ? OF_EVENT_FIELD_BYTES : row->product.length), cut);
        fputc('\n', out);
    }
    if (totals->row_count > PRODUCTS_SHOWN)
        fprintf(out, "%12s  and %zu more products; %s lists all\n", "", totals->row_count - PRODUCTS_SHOWN, all_by);
}

void
of_console_print_totals(FILE *out, const char *title, const struct of_totals *totals, const char *all_by)
{
    print_totals(out, title, totals);
    print_products(out, totals, all_by);
}

void
of_console_text_final(FILE *out, const struct of_console_result *result, int64_t wall_ms)
{
    (void)wall_ms;
    fputc('\n', out);
    print_totals(out, "Final statistics", result->total);
    fprintf(out, "  time               %.3f s, %.0f orders/s\n", result->seconds, of_console_rate(result));
    if (result->run->orders_processed != result->total->orders_processed) {
        fputc('\n', out);
        print_totals(out, "Of these by this run", result->run);
    }
    print_products(out, result->total, "--console json");
}

const struct of_console_view of_console_text_view = {
    of_console_text_started, text_event, of_console_text_second, of_console_text_final,
};
