#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/log.h"
#include "ops/console.h"
#include "support/paper.h"

static _Atomic int64_t retry_delay_ms = 2000;

/* A console on a fake clock, turned by the test, printing into memory. */
struct stand {
    struct of_clock clock;
    struct of_console *console;
    struct of_live_totals live;
    struct paper paper;
};

static void
answer_live(void *context, struct of_live_totals *live)
{
    const struct stand *stand = context;
    live->orders_processed = stand->live.orders_processed;
    live->retry_attempts = stand->live.retry_attempts;
    live->dead_letters = stand->live.dead_letters;
    live->held_partitions = stand->live.held_partitions;
    of_exact_sum_copy(&live->sum, &stand->live.sum);
}

static void
open_stand_on(struct stand *stand, enum of_console_mode mode, uint32_t lanes)
{
    stand->clock = of_clock_fake(OF_SECOND_NS, 1700000000000);
    struct of_console_config config = {
        .mode = mode, .out = stand->paper.out, .clock = &stand->clock, .lanes = lanes, .live = answer_live,
        .context = stand,
        .banner = { .brokers = "b:1", .registry = "http://me:secret@r:2/x", .group = "g", .topic = "orders",
                    .retry_topic = "orders-retry", .dlq_topic = "orders-dlq", .guarantee = "at-least-once",
                    .max_retries = 3, .retry_delay_ms = &retry_delay_ms },
    };
    stand->console = of_console_create(&config);
}

static void
open_stand(struct stand *stand, enum of_console_mode mode, uint32_t lanes)
{
    *stand = (struct stand) { .console = NULL };
    paper_open(&stand->paper);
    open_stand_on(stand, mode, lanes);
}

static void
close_stand(struct stand *stand)
{
    of_console_destroy(&stand->console);
    of_exact_sum_fini(&stand->live.sum);
    paper_close(&stand->paper);
}

static struct of_event
event_of(enum of_event_kind kind, const char *id, const char *product, double value)
{
    struct of_event event = { .kind = kind, .wall_ms = 1700000000123, .topic = "orders", .partition = 2, .offset = 40,
                              .origin_topic = "orders", .origin_partition = 2, .origin_offset = 40, .attempt = 1,
                              .has_order = true, .value = value };
    event.id_length = (uint8_t)strlen(id);
    event.group_length = (uint8_t)strlen(product);
    memcpy(event.id, id, event.id_length);
    memcpy(event.group, product, event.group_length);
    return event;
}

static void
send(struct stand *stand, uint32_t lane, struct of_event event)
{
    struct of_event *empty = of_event_queue_borrow(of_console_queue(stand->console, lane));
    assert_non_null(empty);
    *empty = event;
    of_event_queue_send(of_console_queue(stand->console, lane), empty);
}

static void
second_passes(struct stand *stand)
{
    of_clock_advance(&stand->clock, OF_SECOND_NS);
    of_console_turn(stand->console);
}

static void
assert_printed(struct stand *stand, const char *expected)
{
    assert_string_equal(paper_printed(&stand->paper), expected);
}

static void
every_order_has_its_lines(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_ORDERS, 2);
    assert_true(of_console_wants_records(stand.console));
    assert_false(of_console_waits(stand.console));
    send(&stand, 0, event_of(OF_EVENT_PROCESSED, "1001", "Laptop", 756.32));
    send(&stand, 1, event_of(OF_EVENT_PROCESSED, "1002", "Mouse", 0.5));
    assert_int_equal(of_console_turn(stand.console), 2);
    assert_printed(&stand, "received    order 1001  Laptop  $756.32  from orders[2] offset 40\n"
                           "processed   order 1001  Laptop  $756.32\n"
                           "aggregated  1 orders processed, sum $756.32, running average $756.32\n"
                           "received    order 1002  Mouse  $0.50  from orders[2] offset 40\n"
                           "processed   order 1002  Mouse  $0.50\n"
                           "aggregated  2 orders processed, sum $756.82, running average $378.41\n");
    close_stand(&stand);
}

static void
failures_tell_reason_and_retry(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_AUTO, 1);
    struct of_event event = event_of(OF_EVENT_RETRY, "7", "Mouse", 1);
    event.cause = OF_CAUSE_SIMULATED;
    event.attempt = 2;
    send(&stand, 0, event);
    event.kind = OF_EVENT_DEAD_LETTER;
    event.attempt = 4;
    send(&stand, 0, event);
    event.cause = OF_CAUSE_UNDECODABLE;
    event.attempt = 0;
    event.has_order = false;
    strcpy(event.text, "cut\nshort");
    send(&stand, 0, event);
    of_console_turn(stand.console);
    assert_printed(&stand,
                   "received    order 7  Mouse  $1.00  from orders[2] offset 40\n"
                   "failed      order 7  Mouse  $1.00: simulated temporary failure\n"
                   "retry 2/3   order 7  Mouse  $1.00  sent to orders-retry, due in 2000 ms\n"
                   "received    order 7  Mouse  $1.00  from orders[2] offset 40\n"
                   "failed      order 7  Mouse  $1.00: simulated temporary failure\n"
                   "dead letter order 7  Mouse  $1.00  sent to orders-dlq: still failing after 3 of 3 retries\n"
                   "received    order unreadable  from orders[2] offset 40\n"
                   "failed      order unreadable: the value does not match its schema: cut\\x0Ashort\n"
                   "dead letter order unreadable  sent to orders-dlq: no retry can help\n");
    close_stand(&stand);
}

static void
partitions_are_told_in_every_text_mode(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_SUMMARY, 1);
    assert_false(of_console_wants_records(stand.console));
    struct of_event event = event_of(OF_EVENT_HELD, "", "", 0);
    event.cause = OF_CAUSE_REGISTRY_UNAVAILABLE;
    send(&stand, 0, event_of(OF_EVENT_ASSIGNED, "", "", 0));
    send(&stand, 0, event);
    send(&stand, 0, event_of(OF_EVENT_PROCESSED, "1", "x", 1)); /* made before its maker saw that none is wanted */
    event = event_of(OF_EVENT_SKIPPED, "", "", 0);
    event.cause = OF_CAUSE_OFFSET_OUT_OF_RANGE;
    strcpy(event.text, "10 offsets are skipped");
    send(&stand, 0, event);
    of_console_turn(stand.console);
    assert_printed(&stand, "assigned    orders[2] at offset 40\n"
                           "held        orders[2] at offset 40: the schema registry gives no usable answer\n"
                           "skipped     orders[2] at offset 40: retention has passed the committed offset: "
                           "10 offsets are skipped\n");
    close_stand(&stand);
}

static void
bytes_from_outside_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_ORDERS, 1);
    send(&stand, 0, event_of(OF_EVENT_PROCESSED, "\x1B[2J", "La\xFFp\ntop", -1));
    of_console_turn(stand.console);
    const char *text = paper_printed(&stand.paper);
    assert_non_null(strstr(text, "order \\x1B[2J  La\\xFFp\\x0Atop  -$1.00  from"));
    close_stand(&stand);
}

static void
a_second_is_one_line(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_SUMMARY, 1);
    stand.live.orders_processed = 1000;
    stand.live.retry_attempts = 3;
    stand.live.held_partitions = 1;
    of_exact_sum_add(&stand.live.sum, 1500);
    of_console_turn(stand.console);
    assert_printed(&stand, "");
    second_passes(&stand);
    assert_printed(&stand, "     1 s  1000 orders/s  1000 orders  sum $1500.00  average $1.50  retries 3  "
                           "dead letters 0  held partitions 1\n");
    stand.live.orders_processed = 900; /* an abort took 100 back */
    second_passes(&stand);
    assert_non_null(strstr(paper_printed(&stand.paper), "     2 s  0 orders/s  900 orders"));
    close_stand(&stand);
}

static void
send_orders(struct stand *stand, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        send(stand, 0, event_of(OF_EVENT_PROCESSED, "1", "x", 1));
        stand->live.orders_processed++;
        of_exact_sum_add(&stand->live.sum, 1);
    }
    of_console_turn(stand->console);
}

static void
auto_follows_the_rate(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_AUTO, 1);
    send_orders(&stand, 50);
    assert_true(of_console_wants_records(stand.console));
    second_passes(&stand);
    assert_non_null(strstr(paper_printed(&stand.paper), "aggregated  50 orders"));
    send_orders(&stand, 60);
    assert_false(of_console_wants_records(stand.console));
    const char *text = paper_printed(&stand.paper);
    assert_non_null(strstr(text, "aggregated  100 orders"));
    assert_null(strstr(text, "aggregated  101 orders"));
    assert_non_null(strstr(text, "More than 50 orders in a second: one line per second from here on.\n"));
    second_passes(&stand);
    stand.live.orders_processed += 1000; /* none of them is sent */
    of_exact_sum_add(&stand.live.sum, 1000);
    second_passes(&stand);
    assert_non_null(strstr(paper_printed(&stand.paper), "     3 s  1000 orders/s"));
    for (int i = 0; i < 2; i++) {
        stand.live.orders_processed += 24;
        of_exact_sum_add(&stand.live.sum, 24);
        second_passes(&stand);
        assert_false(of_console_wants_records(stand.console));
    }
    second_passes(&stand);
    assert_true(of_console_wants_records(stand.console));
    assert_non_null(strstr(paper_printed(&stand.paper), "Fewer than 25 orders a second: order by order again.\n"));
    send_orders(&stand, 1);
    assert_non_null(strstr(paper_printed(&stand.paper),
                           "aggregated  1159 orders processed, sum $1159.00, running average $1.00"));
    close_stand(&stand);
}

static void
a_burst_restarts_the_count_of_slow_seconds(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_AUTO, 1);
    send_orders(&stand, 60);
    second_passes(&stand);
    for (int i = 0; i < 6; i++) {
        stand.live.orders_processed += i % 3 == 2 ? 30 : 0;
        second_passes(&stand);
        assert_false(of_console_wants_records(stand.console));
    }
    close_stand(&stand);
}

static void
dropped_events_are_counted_and_made_good(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_ORDERS, 1);
    send_orders(&stand, 1);
    of_event_queue_drop(of_console_queue(stand.console, 0), 5);
    stand.live.orders_processed += 5;
    of_exact_sum_add(&stand.live.sum, 5);
    second_passes(&stand);
    assert_non_null(strstr(paper_printed(&stand.paper), "5 events came too fast to be shown.\n"));
    second_passes(&stand);
    send_orders(&stand, 1);
    assert_non_null(strstr(paper_printed(&stand.paper), "aggregated  7 orders processed, sum $7.00"));
    close_stand(&stand);
}

static void
add_row(struct of_totals *totals, const char *product, uint64_t orders, double sum)
{
    struct of_totals_row *row = of_totals_add_row(totals, of_slice_str(product));
    row->orders_processed = orders;
    of_exact_sum_add(&row->sum, sum);
    totals->orders_processed += orders;
    of_exact_sum_add(&totals->sum, sum);
}

static void
the_end_tells_all_totals(void **state)
{
    (void)state;
    struct stand stand;
    struct of_totals totals;
    of_totals_init(&totals);
    add_row(&totals, "Mouse", 2, 3);
    add_row(&totals, "Lap\xFFtop", 1, 756.5);
    add_row(&totals, "Mou", 1, -0.25);
    of_totals_sort(&totals);
    totals.retry_attempts = 5;
    totals.dead_letters = 1;
    struct of_console_result result = { &totals, &totals, 2.5 };
    open_stand(&stand, OF_CONSOLE_SUMMARY, 1);
    of_console_finish(stand.console, &result);
    assert_printed(&stand, "\nFinal statistics\n"
                           "  orders processed   4\n"
                           "  price sum          $759.25\n"
                           "  running average    $189.81\n"
                           "  retry attempts     5\n"
                           "  dead letters       1\n"
                           "  time               2.500 s, 2 orders/s\n"
                           "\n"
                           "      orders         average                   sum  product\n"
                           "           1         $756.50               $756.50  Lap\\xFFtop\n"
                           "           1          -$0.25                -$0.25  Mou\n"
                           "           2           $1.50                 $3.00  Mouse\n");
    close_stand(&stand);
    of_totals_fini(&totals);
}

static json_t *
read_line(char **text)
{
    char *line = strsep(text, "\n");
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (object == NULL)
        fail_msg("%s: %s", error.text, line);
    return object;
}

static const char *
string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void
json_tells_every_event(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_JSON, 1);
    assert_true(of_console_waits(stand.console));
    struct of_event event = event_of(OF_EVENT_PROCESSED, "10\"01\n\\", "La\xFFp", 756.32000732421875);
    send(&stand, 0, event);
    event.kind = OF_EVENT_DEAD_LETTER;
    event.cause = OF_CAUSE_INVALID_VALUE;
    event.value = NAN;
    event.group_cut = true;
    send(&stand, 0, event);
    event.has_order = false;
    event.cause = OF_CAUSE_NULL_VALUE;
    send(&stand, 0, event);
    send(&stand, 0, event_of(OF_EVENT_REVOKED, "", "", 0));
    event = event_of(OF_EVENT_SKIPPED, "", "", 0);
    event.cause = OF_CAUSE_OFFSET_OUT_OF_RANGE;
    event.next_offset = 50;
    send(&stand, 0, event);
    of_console_turn(stand.console);
    char *text = strdup(paper_printed(&stand.paper)), *rest = text;

    json_t *line = read_line(&rest);
    assert_string_equal(string_of(line, "event"), "processed");
    assert_int_equal(json_integer_value(json_object_get(line, "time")), 1700000000123);
    assert_string_equal(string_of(line, "order_id"), "10\"01\n\\");
    assert_string_equal(string_of(line, "product"), "La\\xFFp");
    assert_true(json_real_value(json_object_get(line, "price")) == 756.32000732421875);
    assert_int_equal(json_integer_value(json_object_get(line, "origin_offset")), 40);
    assert_null(json_object_get(line, "cause"));
    json_decref(line);

    line = read_line(&rest);
    assert_string_equal(string_of(line, "class"), "poison");
    assert_string_equal(string_of(line, "cause"), "invalid_value");
    assert_true(json_is_null(json_object_get(line, "price")));
    assert_true(json_is_true(json_object_get(line, "product_cut")));
    json_decref(line);

    line = read_line(&rest);
    assert_true(json_is_null(json_object_get(line, "order_id")));
    json_decref(line);

    line = read_line(&rest);
    assert_string_equal(string_of(line, "event"), "revoked");
    assert_null(json_object_get(line, "order_id"));
    assert_null(json_object_get(line, "next_offset"));
    json_decref(line);

    line = read_line(&rest);
    assert_string_equal(string_of(line, "event"), "skipped");
    assert_string_equal(string_of(line, "cause"), "offset_out_of_range");
    assert_int_equal(json_integer_value(json_object_get(line, "offset")), 40);
    assert_int_equal(json_integer_value(json_object_get(line, "next_offset")), 50);
    json_decref(line);
    assert_string_equal(rest, "");
    free(text);
    close_stand(&stand);
}

static void
json_starts_progresses_and_ends(void **state)
{
    (void)state;
    struct stand stand;
    struct of_error err;
    open_stand(&stand, OF_CONSOLE_JSON, 1);
    assert_int_equal(of_console_start(stand.console, &err), OF_OK);
    struct of_totals totals;
    of_totals_init(&totals);
    add_row(&totals, "Laptop", 3, 0.1);
    add_row(&totals, "(other)", 0, 0);
    struct of_console_result result = { &totals, &totals, 2 };
    assert_true(of_console_stop(stand.console, &result));
    char *text = strdup(paper_printed(&stand.paper)), *rest = text;
    assert_null(strstr(text, "secret"));

    json_t *line = read_line(&rest);
    assert_string_equal(string_of(line, "event"), "started");
    assert_string_equal(string_of(line, "registry"), "http://r:2/x");
    json_decref(line);

    assert_memory_equal(rest, "{\"event\":\"final\",\"run\":{", 23);
    line = read_line(&rest);
    json_t *run = json_object_get(line, "run"), *total = json_object_get(line, "total");
    assert_int_equal(json_integer_value(json_object_get(run, "orders_processed")), 3);
    assert_string_equal(string_of(run, "price_sum"), "0.1000000000000000055511151231257827021181583404541015625");
    assert_true(json_real_value(json_object_get(run, "price_average")) == 0.1 / 3);
    assert_true(json_number_value(json_object_get(run, "orders_per_second")) == 1.5);
    assert_true(json_number_value(json_object_get(run, "seconds")) == 2);
    assert_null(json_object_get(total, "seconds"));
    json_t *products = json_object_get(total, "products");
    assert_int_equal(json_object_size(products), 2);
    assert_true(json_is_null(json_object_get(json_object_get(products, "(other)"), "price_average")));
    assert_string_equal(string_of(json_object_get(products, "(other)"), "price_sum"), "0");
    json_decref(line);
    assert_string_equal(rest, "");
    free(text);
    of_totals_fini(&totals);
    close_stand(&stand);
}

static void
json_progress_is_a_line_per_second(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_JSON, 1);
    second_passes(&stand);
    assert_printed(&stand, "{\"event\":\"progress\",\"time\":1700000001000,\"seconds\":1,\"orders_processed\":0,"
                           "\"price_sum\":\"0\",\"price_average\":null,\"retry_attempts\":0,\"dead_letters\":0,"
                           "\"orders_per_second\":0,\"held_partitions\":0}\n");
    close_stand(&stand);
}

/* Nobody reads: stop gives up after a while, and says so, instead of hanging in the thread's write. */
static void
stop_does_not_wait_for_a_reader_that_stands_still(void **state)
{
    (void)state;
    struct stand stand = { .console = NULL };
    struct of_error err;
    int ends[2];
    char bytes[4096];
    assert_int_equal(pipe(ends), 0);
    stand.paper.out = fdopen(ends[1], "w");
    open_stand_on(&stand, OF_CONSOLE_JSON, 1);
    assert_int_equal(of_console_start(stand.console, &err), OF_OK);
    for (int i = 0; i < 2000; i++) /* more than a pipe holds */
        send(&stand, 0, event_of(OF_EVENT_PROCESSED, "1001", "Laptop", 756.32));
    assert_false(of_console_stop(stand.console, NULL));

    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* it is read on after all */
    for (int i = 0; i < 200; i++) {
        while (read(ends[0], bytes, sizeof bytes) > 0)
            continue;
        usleep(1000);
    }
    assert_true(of_console_stop(stand.console, NULL));
    close_stand(&stand);
    close(ends[0]);
}

static void
the_thread_shows_what_is_sent(void **state)
{
    (void)state;
    struct stand stand;
    struct of_error err;
    open_stand(&stand, OF_CONSOLE_JSON, 1);
    assert_int_equal(of_console_start(stand.console, &err), OF_OK);
    unsigned sent = 0;
    while (sent < 30000) { /* more than the queue holds: the maker waits */
        struct of_event *event = of_event_queue_borrow(of_console_queue(stand.console, 0));
        if (event == NULL) {
            usleep(100);
            continue;
        }
        *event = event_of(OF_EVENT_ASSIGNED, "", "", 0);
        event->offset = sent++;
        of_event_queue_send(of_console_queue(stand.console, 0), event);
    }
    assert_true(of_console_stop(stand.console, NULL));
    fflush(stand.paper.out);
    unsigned seen = 0;
    char *rest = stand.paper.text;
    strsep(&rest, "\n");
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; seen++) {
        char expected[32];
        snprintf(expected, sizeof expected, "\"offset\":%u}", seen);
        assert_non_null(strstr(line, expected));
    }
    assert_int_equal(seen, sent);
    close_stand(&stand);
}

static void
a_reader_that_goes_away_stops_nothing(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_JSON, 1);
    signal(SIGPIPE, SIG_IGN);
    of_log_set_levels("error");
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    struct of_console_config config = { .mode = OF_CONSOLE_JSON, .out = fdopen(ends[1], "w"), .clock = &stand.clock,
                                        .lanes = 1, .live = answer_live, .context = &stand };
    struct of_console *console = stand.console;
    stand.console = of_console_create(&config);
    for (int i = 0; i < 20000; i++) {
        send(&stand, 0, event_of(OF_EVENT_PROCESSED, "1", "x", 1));
        of_console_turn(stand.console);
    }
    assert_true(of_console_broken(stand.console));
    assert_false(of_console_wants_records(stand.console));
    assert_false(of_console_waits(stand.console));
    second_passes(&stand);
    of_console_finish(stand.console, NULL);
    of_console_destroy(&stand.console);
    fclose(config.out);
    stand.console = console;
    close_stand(&stand);
}

static void
none_prints_nothing(void **state)
{
    (void)state;
    struct stand stand;
    open_stand(&stand, OF_CONSOLE_NONE, 1);
    struct of_totals totals = { 0 };
    struct of_console_result result = { &totals, &totals, 0 };
    send(&stand, 0, event_of(OF_EVENT_ASSIGNED, "", "", 0));
    second_passes(&stand);
    of_console_finish(stand.console, &result);
    assert_printed(&stand, "");
    close_stand(&stand);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_has_its_lines),
        cmocka_unit_test(failures_tell_reason_and_retry),
        cmocka_unit_test(partitions_are_told_in_every_text_mode),
        cmocka_unit_test(bytes_from_outside_do_not_reach_the_terminal),
        cmocka_unit_test(a_second_is_one_line),
        cmocka_unit_test(auto_follows_the_rate),
        cmocka_unit_test(a_burst_restarts_the_count_of_slow_seconds),
        cmocka_unit_test(dropped_events_are_counted_and_made_good),
        cmocka_unit_test(the_end_tells_all_totals),
        cmocka_unit_test(json_tells_every_event),
        cmocka_unit_test(json_starts_progresses_and_ends),
        cmocka_unit_test(json_progress_is_a_line_per_second),
        cmocka_unit_test(stop_does_not_wait_for_a_reader_that_stands_still),
        cmocka_unit_test(the_thread_shows_what_is_sent),
        cmocka_unit_test(a_reader_that_goes_away_stops_nothing),
        cmocka_unit_test(none_prints_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
