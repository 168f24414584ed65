/* What people at a terminal see: the table of orders and the live summary. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/log.h"
#include "ops/console_live.h"
#include "support/log_reader.h"
#include "support/paper.h"

static _Atomic int64_t retry_delay_ms = 2000;

static struct of_terminal
terminal_of(unsigned columns, unsigned rows)
{
    return (struct of_terminal) { .laid_out = true, .redraws = true, .utf8 = true, .descriptor = -1,
                                  .columns = columns, .rows = rows };
}

/* ---- orders ---- */

static struct of_event
event_of(enum of_event_kind kind, enum of_cause cause, uint32_t attempt, const char *id, const char *product)
{
    struct of_event event = { .kind = kind, .cause = cause, .topic = "orders", .partition = 2, .offset = 40,
                              .attempt = attempt, .has_order = true, .value = 756.32 };
    event.id_length = (uint8_t)strlen(id);
    event.group_length = (uint8_t)strlen(product);
    memcpy(event.id, id, event.id_length);
    memcpy(event.group, product, event.group_length);
    return event;
}

static const char *
table_of(struct paper *paper, struct of_terminal terminal, const struct of_event *event)
{
    struct of_console_config config = {
        .terminal = terminal,
        .banner = { .max_retries = 3, .retry_delay_ms = &retry_delay_ms },
    };
    struct of_tally tally = { .orders_processed = 2 };
    of_exact_sum_add(&tally.sum, 3);
    of_console_table_view.event(paper->out, &config, event, &tally);
    of_exact_sum_fini(&tally.sum);
    return paper_printed(paper);
}

static void
an_order_is_a_line_where_it_fits(void **state)
{
    (void)state;
    struct paper paper;
    paper_open(&paper);
    struct of_event event = event_of(OF_EVENT_PROCESSED, OF_CAUSE_NONE, 1, "1001", "Laptop");
    assert_string_equal(table_of(&paper, terminal_of(120, 40), &event),
                        "processed    1001      Laptop            $756.32  orders[2] @40       "
                        "2 orders, sum $3.00, average $1.50\n");
    assert_string_equal(table_of(&paper, terminal_of(80, 40), &event),
                        "processed    1001      Laptop            $756.32  orders[2] @40       "
                        "\n             2 orders, sum $3.00, average $1.50\n");
    event = event_of(OF_EVENT_RETRY, OF_CAUSE_SIMULATED, 2, "1001", "Laptop");
    assert_string_equal(table_of(&paper, terminal_of(200, 40), &event),
                        "retry 2/3    1001      Laptop            $756.32  orders[2] @40       "
                        "simulated temporary failure; due in 2000 ms\n");
    event = event_of(OF_EVENT_DEAD_LETTER, OF_CAUSE_SIMULATED, 4, "1001", "Laptop");
    assert_string_equal(table_of(&paper, terminal_of(200, 40), &event),
                        "dead letter  1001      Laptop            $756.32  orders[2] @40       "
                        "simulated temporary failure, also after 3 retries\n");
    paper_close(&paper);
}

static void
unreadable_orders_keep_the_columns(void **state)
{
    (void)state;
    struct paper paper;
    paper_open(&paper);
    struct of_event event = event_of(OF_EVENT_DEAD_LETTER, OF_CAUSE_UNDECODABLE, 0, "", "");
    event.has_order = false;
    strcpy(event.text, "cut\nshort");
    assert_string_equal(table_of(&paper, terminal_of(200, 40), &event),
                        "dead letter  (unreadable)                         orders[2] @40       "
                        "the value does not match its schema: cut\\x0Ashort; no retry can help\n");
    paper_close(&paper);
}

static void
columns_count_characters_and_hostile_bytes_are_harmless(void **state)
{
    (void)state;
    struct paper paper;
    paper_open(&paper);
    struct of_event event = event_of(OF_EVENT_PROCESSED, OF_CAUSE_NONE, 1, "\33[2J", "Caf\xC3\xA9 \xE6\x9D\xB1");
    const char *text = table_of(&paper, terminal_of(120, 40), &event);
    assert_non_null(strstr(text, "  \\x1B[2J   Caf\xC3\xA9 \xE6\x9D\xB1           $756.32"));
    struct of_terminal plain = terminal_of(120, 40);
    plain.utf8 = false;
    assert_non_null(strstr(table_of(&paper, plain, &event), "  Caf? ?            $756.32"));
    paper_close(&paper);
}

static void
colours_only_where_wanted(void **state)
{
    (void)state;
    struct paper paper;
    paper_open(&paper);
    struct of_terminal terminal = terminal_of(120, 40);
    struct of_event event = event_of(OF_EVENT_DEAD_LETTER, OF_CAUSE_SIMULATED, 4, "1", "x");
    assert_null(strchr(table_of(&paper, terminal, &event), '\33'));
    terminal.colour = true;
    const char *text = table_of(&paper, terminal, &event);
    assert_memory_equal(text, "\33[31mdead letter\33[0m", 20);
    event.kind = OF_EVENT_HELD;
    assert_string_equal(table_of(&paper, terminal, &event),
                        "\33[2mheld        orders[2] at offset 40: simulated temporary failure\33[0m\n");
    paper_close(&paper);
}

/* ---- the live summary ---- */

static void
add_product(struct of_totals *totals, const char *name, uint64_t orders)
{
    struct of_totals_row *row = of_totals_add_row(totals, of_slice_str(name));
    row->orders_processed = orders;
    of_exact_sum_add(&row->sum, 1.5 * (double)orders);
}

static const char *
draw(struct of_live_view *view, struct paper *paper, struct of_terminal *terminal, double seconds)
{
    struct of_live_totals live = { .orders_processed = 1234567, .retry_attempts = 12, .dead_letters = 1 };
    struct of_progress progress = { .seconds = seconds, .orders_per_second = 40258.7, .live = &live };
    struct of_live_detail detail = { .behind = 98765, .load_count = 3,
                                     .loads = { { "fetch", 0, (uint64_t)(seconds * 0.5e9) },
                                                { "decode", 0, (uint64_t)(seconds * 0.25e9) },
                                                { "decode", 1, (uint64_t)(seconds * 0.75e9) } } };
    of_exact_sum_add(&live.sum, 2469134);
    of_totals_init(&detail.committed);
    add_product(&detail.committed, "Mouse", 20);
    add_product(&detail.committed, "Caf\xC3\xA9", 1000);
    of_live_view_draw(view, paper->out, terminal, &progress, &detail);
    of_totals_fini(&detail.committed);
    of_exact_sum_fini(&live.sum);
    return paper_printed(paper);
}

#define EOL "\33[K\n"

static void
the_block_shows_all_and_is_drawn_in_place(void **state)
{
    (void)state;
    struct paper paper;
    struct of_live_view view = { 0 };
    struct of_terminal terminal = terminal_of(80, 24);
    terminal.utf8 = false;
    paper_open(&paper);
    static const char block[] =
        EOL "40,259 orders/s   after 2 s" EOL
        "orders 1,234,567   running average $2.00   sum $2469134.00   " EOL
        "retries 12   dead letters 1   held partitions 0   lag 98,765   " EOL EOL
        "fetch       ##########..........  50% busy" EOL
        "decode      ##########..........  25%  75% busy" EOL EOL
        "product              orders         average                   sum" EOL
        "Caf?                  1,000           $1.50              $1500.00" EOL
        "Mouse                    20           $1.50                $30.00" EOL "\33[J";
    assert_string_equal(draw(&view, &paper, &terminal, 2), block);
    const char *again = draw(&view, &paper, &terminal, 3);
    assert_memory_equal(again, "\r\33[11A", 6);
    assert_non_null(strstr(again, "after 3 s"));
    of_live_view_erase(&view, paper.out);
    assert_string_equal(paper_printed(&paper), "\r\33[11A\33[J");
    of_live_view_erase(&view, paper.out);
    assert_string_equal(paper_printed(&paper), "");
    paper_close(&paper);
}

/* Of what came since the last draw, and nothing while nothing comes. */
static void
latency_is_that_of_the_last_second(void **state)
{
    (void)state;
    struct paper paper;
    struct of_live_view view = { 0 };
    struct of_terminal terminal = terminal_of(80, 24);
    struct of_live_totals live = { .orders_processed = 1 };
    struct of_progress progress = { .seconds = 1, .live = &live };
    struct of_live_detail detail = { .behind = 0 };
    struct of_histogram orders = { 0 }, commits = { 0 };
    paper_open(&paper);
    of_totals_init(&detail.committed);
    of_histogram_add(&orders, 100 * OF_MS_NS, 1000);
    of_histogram_add_to(&orders, &detail.age);
    of_live_view_draw(&view, paper.out, &terminal, &progress, &detail);
    const char *first = paper_printed(&paper);
    assert_non_null(strstr(first, "latency p50 "));
    assert_null(strstr(first, "commit p99"));
    of_live_view_draw(&view, paper.out, &terminal, &progress, &detail);
    assert_null(strstr(paper_printed(&paper), "latency"));
    of_histogram_add(&orders, 5 * OF_SECOND_NS, 10);
    of_histogram_add(&commits, 2 * OF_MS_NS, 1);
    detail.age = detail.commit = (struct of_histogram_view) { 0 };
    of_histogram_add_to(&orders, &detail.age);
    of_histogram_add_to(&commits, &detail.commit);
    of_live_view_draw(&view, paper.out, &terminal, &progress, &detail);
    const char *slow = strstr(paper_printed(&paper), "latency p50 ");
    assert_non_null(slow);
    assert_in_range(atof(slow + strlen("latency p50 ")), 2, 10);
    assert_non_null(strstr(slow, " s   p99"));
    assert_non_null(strstr(slow, "commit p99 "));
    of_totals_fini(&detail.committed);
    paper_close(&paper);
}

static void
another_size_clears_the_screen(void **state)
{
    (void)state;
    struct paper paper;
    struct of_live_view view = { 0 };
    struct of_terminal terminal = terminal_of(80, 24);
    paper_open(&paper);
    draw(&view, &paper, &terminal, 1);
    terminal.columns = 60;
    assert_memory_equal(draw(&view, &paper, &terminal, 2), "\33[2J\33[H", 7);
    assert_memory_equal(draw(&view, &paper, &terminal, 3), "\r\33[11A", 6);
    paper_close(&paper);
}

static void
a_line_of_the_log_begins_a_new_block(void **state)
{
    (void)state;
    struct paper paper;
    struct of_live_view view = { 0 };
    struct of_terminal terminal = terminal_of(80, 24);
    terminal.shows_log = true;
    paper_open(&paper);
    log_hide();
    draw(&view, &paper, &terminal, 1);
    of_log_error("test", "hello");
    assert_memory_equal(draw(&view, &paper, &terminal, 2), EOL "40,259", 10);
    assert_memory_equal(draw(&view, &paper, &terminal, 3), "\r\33[11A", 6);
    log_show();
    paper_close(&paper);
}

/* The widest line in columns, without what moves and colours. */
static unsigned
widest(const char *text, unsigned *lines)
{
    unsigned most = 0, column = 0;
    *lines = 0;
    for (; *text != '\0'; text++) {
        if (*text == '\33') {
            text += strcspn(text, "mKJAH");
        } else if (*text == '\n') {
            column = 0;
            ++*lines;
        } else if (*text != '\r' && ((uint8_t)*text & 0xC0) != 0x80) {
            column++;
            most = column > most ? column : most;
        }
    }
    return most;
}

static void
the_block_fits_every_terminal(void **state)
{
    (void)state;
    struct paper paper;
    paper_open(&paper);
    for (unsigned columns = 10; columns <= 130; columns += 3)
        for (unsigned rows = 10; rows <= 30; rows++) {
            struct of_live_view view = { 0 };
            struct of_terminal terminal = terminal_of(columns, rows);
            terminal.colour = rows % 2;
            unsigned lines;
            assert_true(widest(draw(&view, &paper, &terminal, 1), &lines) < columns);
            assert_int_equal(lines, view.lines);
            assert_true(lines < rows);
        }
    paper_close(&paper);
}

/* ---- the terminal ---- */

static void
a_terminal_is_asked_for_its_size(void **state)
{
    (void)state;
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    unsetenv("NO_COLOR");
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        skip();
    FILE *out = fopen(ptsname(master), "r+e");
    assert_non_null(out);
    struct winsize size = { .ws_col = 101, .ws_row = 33 };
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    struct of_terminal terminal;
    of_terminal_init(&terminal, out, OF_COLOR_AUTO);
    assert_true(terminal.laid_out && terminal.colour && terminal.redraws && terminal.utf8);
    assert_int_equal(terminal.columns, 101);
    assert_int_equal(terminal.rows, 33);
    size.ws_col = 3;
    ioctl(master, TIOCSWINSZ, &size);
    of_terminal_measure(&terminal);
    assert_int_equal(terminal.columns, 10);
    of_terminal_init(&terminal, out, OF_COLOR_NEVER);
    assert_false(terminal.colour);
    setenv("NO_COLOR", "1", 1);
    of_terminal_init(&terminal, out, OF_COLOR_AUTO);
    assert_true(terminal.redraws && !terminal.colour);
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    setenv("LC_ALL", "C", 1);
    of_terminal_init(&terminal, out, OF_COLOR_AUTO);
    assert_true(terminal.laid_out && !terminal.colour && !terminal.redraws && !terminal.utf8);
    fclose(out);
    close(master);
}

static void
a_file_is_no_terminal(void **state)
{
    (void)state;
    struct of_terminal terminal;
    setenv("TERM", "xterm", 1);
    FILE *out = fopen("/dev/null", "we");
    of_terminal_init(&terminal, out, OF_COLOR_AUTO);
    assert_false(terminal.laid_out || terminal.colour || terminal.redraws);
    of_terminal_init(&terminal, out, OF_COLOR_ALWAYS);
    assert_true(terminal.laid_out && terminal.colour && !terminal.redraws);
    fclose(out);
}

/* ---- both together ---- */

static void
no_live(void *context, struct of_live_totals *live)
{
    (void)context, (void)live;
}

static void
the_console_keeps_block_and_lines_apart(void **state)
{
    (void)state;
    struct paper paper;
    paper_open(&paper);
    struct of_clock clock = of_clock_fake(OF_SECOND_NS, 1700000000000);
    struct of_console *console = of_console_create(&(struct of_console_config) {
        .mode = OF_CONSOLE_SUMMARY, .out = paper.out, .terminal = terminal_of(80, 24), .clock = &clock, .lanes = 1,
        .live = no_live });
    of_clock_advance(&clock, OF_SECOND_NS);
    of_console_turn(console);
    assert_string_equal(paper_printed(&paper),
                        EOL "0 orders/s   after 1 s" EOL "orders 0   running average none   sum $0.00   "
                        EOL "retries 0   dead letters 0   held partitions 0   lag unknown   " EOL "\33[J");
    struct of_event *event = of_event_queue_borrow(of_console_queue(console, 0));
    *event = event_of(OF_EVENT_ASSIGNED, OF_CAUSE_NONE, 0, "", "");
    of_event_queue_send(of_console_queue(console, 0), event);
    of_console_turn(console);
    assert_string_equal(paper_printed(&paper), "\r\33[4A\33[Jassigned    orders[2] at offset 40\n");
    of_clock_advance(&clock, OF_SECOND_NS);
    of_console_turn(console);
    assert_memory_equal(paper_printed(&paper), EOL "0 orders/s", 10);
    struct of_totals totals = { 0 };
    struct of_console_result result = { &totals, &totals, 0 };
    of_console_finish(console, &result);
    assert_memory_equal(paper_printed(&paper), "\r\33[4A\33[J\nFinal statistics\n", 26);
    of_console_destroy(&console);
    paper_close(&paper);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_a_line_where_it_fits),
        cmocka_unit_test(unreadable_orders_keep_the_columns),
        cmocka_unit_test(columns_count_characters_and_hostile_bytes_are_harmless),
        cmocka_unit_test(colours_only_where_wanted),
        cmocka_unit_test(the_block_shows_all_and_is_drawn_in_place),
        cmocka_unit_test(latency_is_that_of_the_last_second),
        cmocka_unit_test(another_size_clears_the_screen),
        cmocka_unit_test(a_line_of_the_log_begins_a_new_block),
        cmocka_unit_test(the_block_fits_every_terminal),
        cmocka_unit_test(a_terminal_is_asked_for_its_size),
        cmocka_unit_test(a_file_is_no_terminal),
        cmocka_unit_test(the_console_keeps_block_and_lines_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
