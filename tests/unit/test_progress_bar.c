#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/log.h"
#include "ops/console.h"
#include "ops/progress_bar.h"
#include "support/log_reader.h"
#include "support/paper.h"

#define EOL "\33[K\n"
#define AGAIN "\r\33[1A"

static struct of_terminal
terminal_of(unsigned columns)
{
    return (struct of_terminal) { .laid_out = true, .redraws = true, .descriptor = -1, .columns = columns, .rows = 24 };
}

static const char *
draw(struct paper *paper, struct of_progress_bar *bar, struct of_terminal terminal, uint64_t done, uint64_t all,
     double seconds)
{
    struct of_progress_state state = { .doing = "publishing", .unit = "orders", .done = done, .all = all,
                                       .seconds = seconds };
    of_progress_bar_draw(bar, paper->out, &terminal, &state);
    return paper_printed(paper);
}

static void
it_shows_share_rate_and_time_left(void **state)
{
    (void)state;
    struct paper paper;
    struct of_progress_bar bar = { 0 };
    paper_open(&paper);
    assert_string_equal(draw(&paper, &bar, terminal_of(120), 0, 1000000, 0),
                        "publishing  ....................   0%  0 of 1,000,000 orders" EOL);
    assert_string_equal(draw(&paper, &bar, terminal_of(120), 250000, 1000000, 1),
                        AGAIN "publishing  #####...............  25%  250,000 of 1,000,000 orders  250,000/s  3 s left" EOL);
    assert_string_equal(draw(&paper, &bar, terminal_of(120), 500000, 1000000, 2),
                        AGAIN "publishing  ##########..........  50%  500,000 of 1,000,000 orders  250,000/s  2 s left" EOL);
    of_progress_bar_erase(&bar, paper.out);
    assert_string_equal(paper_printed(&paper), AGAIN "\33[J");
    of_progress_bar_erase(&bar, paper.out);
    assert_string_equal(paper_printed(&paper), "");
    paper_close(&paper);
}

static void
the_rate_follows_what_happens(void **state)
{
    (void)state;
    struct paper paper;
    struct of_progress_bar bar = { 0 };
    paper_open(&paper);
    draw(&paper, &bar, terminal_of(120), 1000, 100000, 1);
    assert_int_equal((int)bar.per_second, 1000);
    for (int i = 2; i < 60; i++)
        draw(&paper, &bar, terminal_of(120), 1000, 100000, i); /* nothing any more */
    assert_true(bar.per_second < 1);
    assert_null(strstr(draw(&paper, &bar, terminal_of(120), 1000, 100000, 1000), "left")); /* more than anybody waits */
    paper_close(&paper);
}

static void
without_a_whole_there_is_no_bar(void **state)
{
    (void)state;
    struct paper paper;
    struct of_progress_bar bar = { 0 };
    struct of_terminal terminal = terminal_of(120);
    paper_open(&paper);
    assert_string_equal(draw(&paper, &bar, terminal, 5000, OF_PROGRESS_UNKNOWN, 2), "publishing  5,000 orders  2,500/s" EOL);
    struct of_progress_state half = { .doing = "publishing", .unit = "orders", .done = 10000, .all = OF_PROGRESS_UNKNOWN,
                                      .bytes_done = 100, .bytes_all = 400, .seconds = 4, .failed = 7 };
    of_progress_bar_draw(&bar, paper.out, &terminal, &half);
    assert_string_equal(paper_printed(&paper),
                        AGAIN "publishing  #####...............  25%  10,000 orders  2,500/s  12 s left  7 failed" EOL);
    paper_close(&paper);
}

static void
it_is_never_wider_than_the_terminal(void **state)
{
    (void)state;
    struct paper paper;
    paper_open(&paper);
    for (unsigned columns = 10; columns < 130; columns++) {
        struct of_progress_bar bar = { 0 };
        const char *text = draw(&paper, &bar, terminal_of(columns), 999999, 1000000, 7);
        assert_true(strcspn(text, "\33") < columns);
    }
    paper_close(&paper);
}

static void
a_line_of_the_log_begins_a_new_one(void **state)
{
    (void)state;
    struct paper paper;
    struct of_progress_bar bar = { 0 };
    struct of_terminal terminal = terminal_of(80);
    terminal.shows_log = true;
    paper_open(&paper);
    log_hide();
    draw(&paper, &bar, terminal, 1, 10, 1);
    of_log_error("test", "hello");
    assert_memory_equal(draw(&paper, &bar, terminal, 2, 10, 2), "publishing", 10);
    assert_memory_equal(draw(&paper, &bar, terminal, 3, 10, 3), AGAIN, 5);
    log_show();
    paper_close(&paper);
}

static void
time_left_in_words(void **state)
{
    (void)state;
    char text[OF_TIME_LEFT_BYTES];
    static const struct {
        double seconds;
        const char *text;
    } cases[] = { { 0, "0 s left" }, { 59.4, "59 s left" }, { 60, "1 min 0 s left" }, { 245, "4 min 5 s left" },
                  { 7800, "2 h 10 min left" }, { -1, "" }, { 1e300, "" }, { 0.0 / 0.0, "" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        of_progress_time_left(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* What a terminal emulator would be sent. */
static void
at_a_real_terminal(void **state)
{
    (void)state;
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("NO_COLOR", "1", 1);
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        skip();
    FILE *out = fopen(ptsname(master), "r+e");
    assert_non_null(out);
    struct winsize size = { .ws_col = 30, .ws_row = 20 };
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    struct of_terminal terminal;
    of_terminal_init(&terminal, out, OF_COLOR_AUTO);
    assert_true(terminal.redraws);
    struct of_progress_bar bar = { 0 };
    const struct of_progress_state progress = { .doing = "a", .unit = "b", .done = 1, .all = 2, .seconds = 1 };
    of_progress_bar_draw(&bar, out, &terminal, &progress);
    fflush(out);
    char text[512];
    ssize_t length = read(master, text, sizeof text - 1);
    assert_true(length > 0);
    text[length] = '\0';
    assert_string_equal(text, "a  \xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88"
                              "\xE2\x96\x88\xE2\x96\x88\xE2\x96\x88\xE2\x96\x91\xE2\x96\x91\xE2\x96\x91\xE2\x96\x91"
                              "\xE2\x96\x91\xE2\x96\x91\xE2\x96\x91\xE2\x96\x91\xE2\x96\x91\xE2\x96\x91  50% \33[K\r\n");
    fclose(out);
    close(master);
}

/* ---- restoring ---- */

static uint64_t restored, to_restore;

static void
restoring(void *context, uint64_t *done, uint64_t *all)
{
    (void)context;
    *done = restored;
    *all = to_restore;
}

static void
no_live(void *context, struct of_live_totals *live)
{
    (void)context, (void)live;
}

static struct of_console *
console_of(struct paper *paper, const struct of_clock *clock, enum of_console_mode mode, bool redraws)
{
    struct of_terminal terminal = terminal_of(120);
    terminal.redraws = redraws;
    restored = to_restore = 0;
    return of_console_create(&(struct of_console_config) {
        .mode = mode, .out = paper->out, .terminal = terminal, .clock = clock, .lanes = 1, .live = no_live,
        .restoring = restoring });
}

static const char *
turn(struct of_console *console, struct paper *paper, struct of_clock *clock)
{
    of_clock_advance(clock, 200 * OF_MS_NS);
    of_console_turn(console);
    return paper_printed(paper);
}

static void
the_console_shows_what_is_being_restored(void **state)
{
    (void)state;
    struct paper paper;
    paper_open(&paper);
    struct of_clock clock = of_clock_fake(OF_SECOND_NS, 1700000000000);
    struct of_console *console = console_of(&paper, &clock, OF_CONSOLE_AUTO, true);
    assert_string_equal(turn(console, &paper, &clock), "");
    to_restore = 10000;
    assert_string_equal(turn(console, &paper, &clock), ""); /* it may be over before anybody could read it */
    restored = 2500;
    assert_string_equal(turn(console, &paper, &clock),
                        "restoring  #####...............  25%  2,500 of 10,000 records  12,500/s  1 s left" EOL);
    struct of_event *event = of_event_queue_borrow(of_console_queue(console, 0));
    *event = (struct of_event) { .kind = OF_EVENT_ASSIGNED, .topic = "orders", .partition = 2, .offset = 40 };
    of_event_queue_send(of_console_queue(console, 0), event);
    const char *text = turn(console, &paper, &clock);
    assert_memory_equal(text, AGAIN "\33[Jassigned", 16);
    assert_memory_equal(strchr(text, '\n') + 1, "restoring", 9);
    restored = 1000;
    to_restore = 2000; /* one partition has what it needs and is no longer counted */
    assert_non_null(strstr(turn(console, &paper, &clock), "  90%  9,000 of 10,000 records"));
    restored = to_restore;
    assert_string_equal(turn(console, &paper, &clock), AGAIN "\33[J");
    assert_string_equal(turn(console, &paper, &clock), "");
    of_console_destroy(&console);
    paper_close(&paper);
}

static void
only_a_terminal_shows_it(void **state)
{
    (void)state;
    static const struct {
        enum of_console_mode mode;
        bool redraws;
    } cases[] = { { OF_CONSOLE_AUTO, false }, { OF_CONSOLE_JSON, true }, { OF_CONSOLE_NONE, true } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct paper paper;
        paper_open(&paper);
        struct of_clock clock = of_clock_fake(OF_SECOND_NS, 1700000000000);
        struct of_console *console = console_of(&paper, &clock, cases[i].mode, cases[i].redraws);
        to_restore = 10000;
        for (int turns = 0; turns < 4; turns++)
            assert_string_equal(turn(console, &paper, &clock), "");
        of_console_destroy(&console);
        paper_close(&paper);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_shows_share_rate_and_time_left),
        cmocka_unit_test(the_rate_follows_what_happens),
        cmocka_unit_test(without_a_whole_there_is_no_bar),
        cmocka_unit_test(it_is_never_wider_than_the_terminal),
        cmocka_unit_test(a_line_of_the_log_begins_a_new_one),
        cmocka_unit_test(time_left_in_words),
        cmocka_unit_test(at_a_real_terminal),
        cmocka_unit_test(the_console_shows_what_is_being_restored),
        cmocka_unit_test(only_a_terminal_shows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
