/* Orders for people at a terminal: one line each in columns, with what became of it behind, or, where that does not
 * fit, in a line below.
 *
 *   processed    1004      Keyboard         $563.77  orders[1] @0        4 orders, sum $3768.25, average $942.06
 *   retry 1/3    1005      Headphones      $1953.34  orders[2] @2        simulated temporary failure; due in 2000 ms */
#include <inttypes.h>
#include <string.h>

#include "ops/console_views.h"

enum {
    WHAT_COLUMNS = 11,
    ID_COLUMNS = 8,
    ID_COLUMNS_MOST = 36, /* a UUID */
    PRODUCT_COLUMNS = 12,
    PRODUCT_COLUMNS_MOST = 24,
    PRICE_COLUMNS = 11,
    PLACE_COLUMNS = 18,
    GAP = 2,
    LINE_BYTES = 1024,
};

/* A line under way: its text goes out as it comes, so all that is kept is how far it has got. */
struct line {
    FILE *out;
    const struct of_terminal *terminal;
    unsigned column;
};

/* Fills up to `least` columns; more than `most` are cut; a gap follows. */
static void
put(struct line *line, enum of_style style, struct of_slice text, unsigned least, unsigned most)
{
    char shown[LINE_BYTES];
    unsigned columns = of_terminal_fit(line->terminal, text, least, most, shown, sizeof shown);
    fprintf(line->out, "%s%s%s%*s", of_terminal_begin(line->terminal, style), shown,
            of_terminal_end(line->terminal, style), GAP, "");
    line->column += columns + GAP;
}

static void
put_text(struct line *line, enum of_style style, const char *text, unsigned least)
{
    put(line, style, of_slice_str(text), least, LINE_BYTES / 4);
}

static void
put_order(struct line *line, const struct of_event *event)
{
    if (!event->has_order) {
        put_text(line, OF_STYLE_PLAIN, "(unreadable)", ID_COLUMNS + PRODUCT_COLUMNS + PRICE_COLUMNS + 2 * GAP);
        return;
    }
    char price[OF_MONEY_BYTES], aligned[OF_MONEY_BYTES + PRICE_COLUMNS];
    of_console_price(event, price);
    snprintf(aligned, sizeof aligned, "%*s", PRICE_COLUMNS, price);
    put(line, OF_STYLE_BOLD, of_slice_of(event->id, event->id_length), ID_COLUMNS, ID_COLUMNS_MOST);
    put(line, OF_STYLE_PLAIN, of_slice_of(event->group, event->group_length), PRODUCT_COLUMNS, PRODUCT_COLUMNS_MOST);
    put_text(line, OF_STYLE_PLAIN, aligned, PRICE_COLUMNS);
}

/* What became of it: behind, or below what it was. */
static void
put_result(struct line *line, const char *result)
{
    char shown[LINE_BYTES];
    unsigned columns = of_terminal_fit(line->terminal, of_slice_str(result), 0, LINE_BYTES / 4, shown, sizeof shown);
    if (line->column + columns >= line->terminal->columns)
        fprintf(line->out, "\n%*s", WHAT_COLUMNS + GAP, "");
    fprintf(line->out, "%s\n", shown);
}

static void
describe_reason(const struct of_event *event, char *text, size_t size)
{
    bool more = event->text[0] != '\0';
    snprintf(text, size, "%s%s%s", of_cause_text(event->cause), more ? ": " : "", more ? event->text : "");
}

/* Returns the style of the first column, whose text is written to `what`; `result` is the last. */
static enum of_style
describe(const struct of_console_banner *banner, const struct of_event *event, const struct of_tally *tally,
         char what[32], char result[LINE_BYTES])
{
    char sum[OF_MONEY_BYTES], average[OF_MONEY_BYTES], reason[LINE_BYTES - 100];
    describe_reason(event, reason, sizeof reason);
    switch (event->kind) {
    case OF_EVENT_RETRY:
        snprintf(what, 32, "retry %" PRIu32 "/%" PRId64, event->attempt, banner->max_retries);
        snprintf(result, LINE_BYTES, "%s; due in %" PRId64 " ms", reason, of_console_retry_delay_ms(banner));
        return OF_STYLE_WARN;
    case OF_EVENT_DEAD_LETTER:
        strcpy(what, "dead letter");
        if (of_cause_class(event->cause) == OF_CLASS_TRANSIENT)
            snprintf(result, LINE_BYTES, "%s, also after %" PRIu32 " %s", reason,
                     event->attempt > 0 ? event->attempt - 1 : 0, event->attempt == 2 ? "retry" : "retries");
        else
            snprintf(result, LINE_BYTES, "%s; no retry can help", reason);
        return OF_STYLE_BAD;
    default:
        strcpy(what, "processed");
        of_console_sum(&tally->sum, sum);
        of_console_average(&tally->sum, tally->orders_processed, average);
        snprintf(result, LINE_BYTES, "%" PRIu64 " order%s, sum %s, average %s", tally->orders_processed,
                 tally->orders_processed == 1 ? "" : "s", sum, average);
        return OF_STYLE_GOOD;
    }
}

static void
table_event(FILE *out, const struct of_console_config *config, const struct of_event *event,
            const struct of_tally *tally)
{
    const struct of_terminal *terminal = &config->terminal;
    if (event->kind > OF_EVENT_DEAD_LETTER) {
        fputs(of_terminal_begin(terminal, OF_STYLE_DIM), out);
        of_console_text_partition(out, event, of_terminal_end(terminal, OF_STYLE_DIM));
        return;
    }
    char what[32], result[LINE_BYTES], place[OF_EVENT_TOPIC_BYTES + 64];
    enum of_style style = describe(&config->banner, event, tally, what, result);
    struct line line = { out, terminal, 0 };
    snprintf(place, sizeof place, "%s[%" PRId32 "] @%" PRId64, event->topic, event->partition, event->offset);
    put_text(&line, style, what, WHAT_COLUMNS);
    put_order(&line, event);
    put_text(&line, OF_STYLE_DIM, place, PLACE_COLUMNS);
    put_result(&line, result);
}

const struct of_console_view of_console_table_view = {
    of_console_text_started, table_event, of_console_text_second, of_console_text_final,
};
