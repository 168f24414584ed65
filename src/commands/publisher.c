#include "commands/publisher.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands/commands.h"
#include "commands/interrupt.h"
#include "commands/given_schema.h"
#include "core/escape.h"
#include "core/memory.h"
#include "registry/url.h"

enum {
    POLL_EVERY = 256,           /* orders between two looks at the deliveries, when as fast as it goes */
    ONE_BY_ONE_PER_SECOND = 50, /* a line per order and delivery up to this rate */
    POLL_MS = 100,              /* how late a Ctrl+C may be noticed */
    BAR_MS = 200,               /* between two drawings of the bar */
    PACE_MS = 5,                /* until the pace is asked for again */
    VALUE_BYTES = OF_ROWS_LINE_BYTES_MAX + 64,
    INTERRUPTED_FLUSH_MS = 10000,
    FLUSH_MS = OF_WRITER_TIMEOUT_MS + 5000, /* by then the producer itself has given everything up */
};

static int64_t
now_ns(const struct of_publisher *publisher)
{
    return of_clock_mono_ns(publisher->clock);
}

/* ---- opening ---- */

static double
interval_ns(const struct of_settings *settings)
{
    if (isnan(settings->rate))
        return (double)settings->interval_ms * (double)OF_MS_NS;
    return settings->rate > 0 ? (double)OF_SECOND_NS / settings->rate : 0;
}

static size_t
find_field(const struct of_publisher *publisher, const char *name)
{
    for (size_t i = 0; i < of_encoder_field_count(publisher->encoder); i++)
        if (strcmp(of_encoder_field_name(publisher->encoder, i), name) == 0)
            return i;
    return OF_NO_COLUMN;
}

/* What a row is to have is what the schema has. */
static enum of_status
take_schema(struct of_publisher *publisher, struct of_error *err)
{
    const struct of_settings *settings = publisher->settings;
    enum of_status status = of_given_schema_read(settings, &publisher->schema, err);
    if (status != OF_OK)
        return status;
    struct of_error why;
    if (of_encoder_create(of_slice_str(publisher->schema), &publisher->encoder, &why) != OF_OK)
        return of_error_set(err, OF_FATAL, "%s: %s", settings->schema, why.text);
    size_t count = of_encoder_field_count(publisher->encoder);
    if (count > OF_ROWS_COLUMNS_MAX)
        return of_error_set(err, OF_FATAL, "%s: more than %d fields", settings->schema, OF_ROWS_COLUMNS_MAX);
    publisher->key_at = find_field(publisher, settings->id_field);
    publisher->label_at = find_field(publisher, settings->group_by_field);
    publisher->value_at = find_field(publisher, settings->value_field);
    if (publisher->key_at == OF_NO_COLUMN)
        return of_error_set(err, OF_FATAL, "%s: has no field \"%s\" for the key; name one with --id-field",
                            settings->schema, settings->id_field);
    publisher->cells = of_alloc_array(count, sizeof *publisher->cells);
    publisher->columns = of_alloc_array(count, sizeof *publisher->columns);
    for (size_t i = 0; i < count; i++)
        publisher->columns[i] = (struct of_column) {
            .name = of_encoder_field_name(publisher->encoder, i),
            .required = of_encoder_field_required(publisher->encoder, i) || i == publisher->key_at,
            .not_empty = i == publisher->key_at,
        };
    return OF_OK;
}

enum of_status
of_publisher_init(struct of_publisher *publisher, const struct of_command_line *line, struct of_error *err)
{
    const struct of_settings *settings = publisher->settings;
    bool all = settings->file != NULL && of_options_origin(&line->options, "count") == OF_ORIGIN_DEFAULT;
    publisher->clock = of_clock_system();
    publisher->interval_ns = interval_ns(settings);
    publisher->one_by_one = publisher->interval_ns * ONE_BY_ONE_PER_SECOND >= (double)OF_SECOND_NS;
    enum of_status status = take_schema(publisher, err);
    if (status != OF_OK)
        return status;
    const struct of_order_input_options options = {
        .name = settings->file,
        .count = all ? UINT64_MAX : (uint64_t)settings->count,
        .seed = (uint64_t)settings->seed,
        .first_id = (uint64_t)settings->first_id,
        .columns = publisher->columns,
        .column_count = of_encoder_field_count(publisher->encoder),
    };
    return of_order_input_open(&publisher->input, &options, err);
}

enum of_status
of_publisher_open(struct of_publisher *publisher, const struct of_kafka_options *options, struct of_error *err)
{
    publisher->value = of_alloc(VALUE_BYTES);
    return of_writer_open(options, publisher->settings->topic, &publisher->writer, err);
}

void
of_publisher_fini(struct of_publisher *publisher)
{
    of_order_input_close(&publisher->input);
    of_encoder_destroy(&publisher->encoder);
    of_writer_close(&publisher->writer);
    of_exact_sum_fini(&publisher->sum);
    free(publisher->schema);
    free(publisher->columns);
    free(publisher->cells);
    free(publisher->value);
}

/* ---- what is printed ---- */

static void
print_escaped(struct of_slice text)
{
    char shown[400];
    of_escape(OF_ESCAPE_TERMINAL, text, shown, sizeof shown);
    fputs(shown, stdout);
}

/* One cell of a row as text; an empty one where there is none. */
static struct of_slice
text_of(const struct of_cell *cell, char scratch[OF_CELL_SCRATCH_BYTES])
{
    struct of_slice text;
    return of_cell_to_text(cell, scratch, &text, NULL) == OF_OK ? text : of_slice_str("");
}

/* The number of the row that is summed; NaN: there is none. */
static double
number_of(const struct of_publisher *publisher)
{
    double number;
    size_t at = publisher->value_at;
    bool there = at != OF_NO_COLUMN && of_encoder_number(publisher->encoder, at, &publisher->cells[at], &number);
    return there ? number : NAN;
}

static void
print_order(const struct of_publisher *publisher, struct of_slice key)
{
    char scratch[OF_CELL_SCRATCH_BYTES];
    double number = number_of(publisher);
    printf("#%-6" PRIu64 " order ", publisher->published + 1);
    print_escaped(key);
    if (publisher->label_at != OF_NO_COLUMN) {
        fputs("  ", stdout);
        print_escaped(text_of(&publisher->cells[publisher->label_at], scratch));
    }
    if (!isnan(number))
        printf("  $%.2f", number);
    putchar('\n');
    fflush(stdout);
}

static void
print_delivery(const struct of_publisher *publisher, const struct of_delivery *delivery)
{
    fputs("        order ", stdout);
    print_escaped(delivery->key);
    if (delivery->error == NULL)
        printf("  delivered to %s[%" PRId32 "] at offset %" PRId64 "\n", publisher->settings->topic,
               delivery->partition, delivery->offset);
    else
        printf("  not delivered: %s\n", delivery->error);
    fflush(stdout);
}

static int64_t
progress_interval_ns(const struct of_publisher *publisher)
{
    return publisher->terminal.redraws ? BAR_MS * OF_MS_NS : publisher->settings->progress_seconds * OF_SECOND_NS;
}

static void
draw_bar(struct of_publisher *publisher, int64_t now)
{
    struct of_progress_state state = {
        .doing = "publishing",
        .unit = "orders",
        .done = publisher->delivered + publisher->failed,
        .all = publisher->all,
        .seconds = (double)(now - publisher->start_ns) / (double)OF_SECOND_NS,
        .failed = publisher->failed,
    };
    of_order_input_bytes(&publisher->input, &state.bytes_done, &state.bytes_all);
    of_progress_bar_draw(&publisher->bar, stdout, &publisher->terminal, &state);
}

static void
print_progress(struct of_publisher *publisher, int64_t now)
{
    double elapsed_s = (double)(now - publisher->next_progress_ns + progress_interval_ns(publisher))
                       / (double)OF_SECOND_NS;
    printf("%6.0f s  %.0f orders/s  %" PRIu64 " published  %" PRIu64 " delivered  %" PRIu64 " failed\n",
           (double)(now - publisher->start_ns) / (double)OF_SECOND_NS,
           (double)(publisher->delivered - publisher->delivered_before) / elapsed_s, publisher->published,
           publisher->delivered, publisher->failed);
    publisher->delivered_before = publisher->delivered;
}

static void
print_progress_when_due(struct of_publisher *publisher)
{
    int64_t now = now_ns(publisher), interval_ns = progress_interval_ns(publisher);
    if (publisher->quiet || publisher->one_by_one || interval_ns == 0 || now < publisher->next_progress_ns)
        return;
    if (publisher->terminal.redraws)
        draw_bar(publisher, now);
    else
        print_progress(publisher, now);
    fflush(stdout);
    publisher->next_progress_ns = now + interval_ns;
}

static void
print_banner(const struct of_publisher *publisher)
{
    const struct of_settings *s = publisher->settings;
    printf("orderflow %s: publishing ", ORDERFLOW_VERSION);
    if (publisher->input.left == UINT64_MAX)
        fputs("all orders", stdout);
    else
        printf("%" PRIu64 " orders", publisher->input.left);
    if (s->file != NULL)
        printf(" of %s", s->file);
    printf(" to topic %s", s->topic);
    if (publisher->interval_ns == 0)
        puts(", as fast as it goes");
    else if (isnan(s->rate))
        printf(", one every %" PRId64 " ms\n", s->interval_ms);
    else
        printf(", %.15g per second\n", s->rate);
    char registry[1024];
    printf("  brokers            %s\n  schema registry    %s\n", s->brokers,
           of_registry_url_print(s->registry, registry, sizeof registry));
    puts("Ctrl+C stops.\n");
    fflush(stdout);
}

static void
print_sum(const struct of_publisher *publisher)
{
    char money[OF_EXACT_SUM_MONEY_BYTES];
    of_exact_sum_money(&publisher->sum, money, sizeof money);
    char *exact = of_exact_sum_decimal(&publisher->sum);
    printf("  price sum          $%s (exactly %s)\n"
           "  average price      ",
           money, exact);
    if (publisher->summed > 0)
        printf("$%.2f\n", of_exact_sum_average(&publisher->sum, publisher->summed));
    else
        puts("none");
    free(exact);
}

static void
print_statistics(const struct of_publisher *publisher)
{
    double seconds = (double)(now_ns(publisher) - publisher->start_ns) / (double)OF_SECOND_NS;
    printf("\nFinal statistics\n"
           "  orders delivered   %" PRIu64 "\n",
           publisher->delivered);
    if (publisher->value_at != OF_NO_COLUMN)
        print_sum(publisher);
    printf("  not delivered      %" PRIu64 "\n  time               %.3f s, %.0f orders/s\n", publisher->failed, seconds,
           seconds > 0 ? (double)publisher->delivered / seconds : 0);
    fflush(stdout);
}

/* ---- deliveries ---- */

static void
note_failure(struct of_publisher *publisher, struct of_slice id, const char *why)
{
    char shown[200];
    of_escape(OF_ESCAPE_TERMINAL, id, shown, sizeof shown);
    if (publisher->failed++ == 0)
        of_error_set(&publisher->first_failure, OF_FATAL, "order %s: %s", shown, why);
}

/* The tag carries the number that is summed, so that a delivery needs no look-up. */
static uint64_t
tag_of_number(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static double
number_of_tag(uint64_t tag)
{
    double number;
    memcpy(&number, &tag, sizeof number);
    return number;
}

static void
take_delivery(void *context, const struct of_delivery *delivery)
{
    struct of_publisher *publisher = context;
    if (delivery->error == NULL) {
        double number = number_of_tag(delivery->tag);
        publisher->delivered++;
        if (isfinite(number)) {
            of_exact_sum_add(&publisher->sum, number);
            publisher->summed++;
        }
    } else {
        note_failure(publisher, delivery->key, delivery->error);
    }
    if (publisher->one_by_one && !publisher->quiet)
        print_delivery(publisher, delivery);
}

static void
poll_deliveries(struct of_publisher *publisher, int timeout_ms)
{
    of_writer_poll(publisher->writer, timeout_ms, take_delivery, publisher);
    print_progress_when_due(publisher);
}

/* ---- publishing ---- */

static enum of_pace
ask_pace(const struct of_publisher *publisher)
{
    return publisher->pace != NULL ? publisher->pace(publisher->context) : OF_PACE_GO;
}

static bool
cancelled(const struct of_publisher *publisher)
{
    return of_interrupt_requested() || ask_pace(publisher) == OF_PACE_END;
}

/* Waits until the next order is due; short waits are rounded up, and made good by the orders that are overdue then. */
static void
wait_until_due(struct of_publisher *publisher)
{
    int64_t due_ns = publisher->start_ns + (int64_t)((double)publisher->published * publisher->interval_ns);
    int64_t left_ns;
    while ((left_ns = due_ns - now_ns(publisher)) > 0 && !cancelled(publisher)) {
        int64_t left_ms = left_ns / OF_MS_NS + 1;
        poll_deliveries(publisher, (int)(left_ms < POLL_MS ? left_ms : POLL_MS));
    }
    while (ask_pace(publisher) == OF_PACE_WAIT && !of_interrupt_requested())
        poll_deliveries(publisher, PACE_MS);
    if (publisher->one_by_one || publisher->published % POLL_EVERY == 0)
        poll_deliveries(publisher, 0);
}

static enum of_status
write_order(struct of_publisher *publisher, struct of_slice key, struct of_error *err)
{
    size_t length;
    enum of_status status = of_encoder_encode(publisher->encoder, publisher->schema_id, publisher->cells,
                                              publisher->value, VALUE_BYTES, &length, err);
    if (status != OF_OK)
        return of_order_input_blame(&publisher->input, err);
    struct of_slice value = of_slice_of(publisher->value, length);
    uint64_t tag = tag_of_number(number_of(publisher));
    while ((status = of_writer_write(publisher->writer, key, value, tag, err)) == OF_AGAIN && !cancelled(publisher))
        poll_deliveries(publisher, POLL_MS);
    if (key.length + length > publisher->largest_bytes)
        publisher->largest_bytes = key.length + length;
    return status;
}

/* OF_OK also for an order that can never be delivered: it is counted. OF_AGAIN: interrupted, and not published. */
static enum of_status
publish(struct of_publisher *publisher, struct of_error *err)
{
    char scratch[OF_CELL_SCRATCH_BYTES];
    struct of_slice key = text_of(&publisher->cells[publisher->key_at], scratch);
    if (publisher->one_by_one && !publisher->quiet)
        print_order(publisher, key);
    enum of_status status = write_order(publisher, key, err);
    if (status == OF_AGAIN || status == OF_FATAL)
        return status;
    publisher->published++;
    if (status != OF_OK)
        note_failure(publisher, key, err->text);
    return OF_OK;
}

static enum of_status
publish_all(struct of_publisher *publisher, struct of_error *err)
{
    publisher->start_ns = now_ns(publisher);
    publisher->next_progress_ns = publisher->start_ns + progress_interval_ns(publisher);
    for (;;) {
        enum of_status status = of_order_input_next(&publisher->input, publisher->cells, err);
        if (status == OF_OK)
            wait_until_due(publisher);
        if (cancelled(publisher))
            return OF_OK; /* an interrupted read of the file is no error */
        if (status == OF_OK)
            status = publish(publisher, err);
        if (status != OF_OK)
            return status == OF_AGAIN ? OF_OK : status;
    }
}

/* What is not settled by the deadline is counted as not delivered. */
static void
flush(struct of_publisher *publisher)
{
    int64_t deadline_ns = now_ns(publisher) + FLUSH_MS * OF_MS_NS;
    bool shortened = false;
    while (of_writer_pending(publisher->writer) > 0 && now_ns(publisher) < deadline_ns) {
        if (cancelled(publisher) && !shortened) {
            deadline_ns = now_ns(publisher) + INTERRUPTED_FLUSH_MS * OF_MS_NS;
            shortened = true;
        }
        poll_deliveries(publisher, POLL_MS);
    }
    uint64_t pending = of_writer_pending(publisher->writer);
    if (pending > 0 && publisher->failed == 0)
        of_error_set(&publisher->first_failure, OF_FATAL, "no acknowledgement in time");
    publisher->failed += pending;
}

int
of_publisher_run(struct of_publisher *publisher)
{
    struct of_error err;
    of_terminal_init(&publisher->terminal, stdout, OF_COLOR_AUTO);
    publisher->all = publisher->input.left;
    if (!publisher->quiet)
        print_banner(publisher);
    enum of_status status = publish_all(publisher, &err);
    flush(publisher);
    of_progress_bar_erase(&publisher->bar, stdout);
    if (!publisher->quiet)
        print_statistics(publisher);
    if (status != OF_OK)
        fprintf(stderr, "orderflow %s: stopped after %" PRIu64 " orders: %s\n", publisher->command,
                publisher->published, err.text);
    if (publisher->failed > 0)
        fprintf(stderr, "orderflow %s: %" PRIu64 " of %" PRIu64 " orders were not delivered; %s\n",
                publisher->command, publisher->failed, publisher->published, publisher->first_failure.text);
    return status == OF_OK && publisher->failed == 0 ? OF_EXIT_DONE : OF_EXIT_FAILED;
}
