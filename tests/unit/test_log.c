#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/clock.h"
#include "core/log.h"

static int ends[2];
static char text[16384];

static int
open_pipe(void **state)
{
    (void)state;
    if (pipe(ends) != 0)
        return -1;
    of_log_set_descriptor(ends[1]);
    of_log_set_level(OF_LOG_INFO);
    return 0;
}

static int
close_pipe(void **state)
{
    (void)state;
    of_log_set_descriptor(STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static const char *
logged(void)
{
    of_log_error("end", "mark");
    ssize_t length = read(ends[0], text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

static void
a_line_has_time_level_and_component(void **state)
{
    (void)state;
    of_log_warning("kafka", "broker %s is down", "b:1");
    int year, ms, at = 0;
    assert_int_equal(sscanf(logged(), "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%3dZ %n", &year, &ms, &at), 2);
    assert_true(year >= 2024);
    assert_memory_equal(text + at, "warning kafka: broker b:1 is down\n", 34);
}

static void
less_important_messages_are_left_out(void **state)
{
    (void)state;
    of_log_set_level(OF_LOG_WARNING);
    of_log_info("x", "not written");
    of_log_warning("x", "written");
    assert_null(strstr(logged(), "not written"));
    assert_non_null(strstr(text, "written"));
    assert_false(of_log_enabled(OF_LOG_INFO));
    assert_true(of_log_enabled(OF_LOG_ERROR));
}

static void
bytes_from_outside_cannot_fake_a_line(void **state)
{
    (void)state;
    of_log_info("x", "id %s", "1\nERROR \x1B[2J\xFF");
    assert_non_null(strstr(logged(), "id 1\\x0AERROR \\x1B[2J\\xFF\n"));
}

static void
long_texts_are_cut(void **state)
{
    (void)state;
    char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    of_log_info("x", "%s", longest);
    assert_non_null(strstr(logged(), "aaa...\n"));
    memset(longest, '\xFF', sizeof longest - 1);
    of_log_info("x", "%s", longest);
    assert_non_null(strstr(logged(), "\\xFF...\n"));
}

static void
a_site_speaks_five_times_in_ten_seconds(void **state)
{
    (void)state;
    struct of_log_site site = { 0 };
    uint32_t left_out;
    int64_t now_ns = 100 * OF_SECOND_NS;
    for (int i = 0; i < 5; i++)
        assert_true(of_log_site_admits(&site, now_ns++, &left_out));
    for (int i = 0; i < 7; i++)
        assert_false(of_log_site_admits(&site, now_ns++, &left_out));
    now_ns = 110 * OF_SECOND_NS;
    assert_true(of_log_site_admits(&site, now_ns, &left_out));
    assert_int_equal(left_out, 7);
    assert_true(of_log_site_admits(&site, now_ns, &left_out));
    assert_int_equal(left_out, 0);
}

static void
limited_messages_are_counted_per_site(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++)
        of_log_limited(OF_LOG_INFO, "x", "first %d", i);
    of_log_limited(OF_LOG_INFO, "x", "second");
    logged();
    assert_non_null(strstr(text, "first 4\n"));
    assert_null(strstr(text, "first 5\n"));
    assert_non_null(strstr(text, "second\n"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_time_level_and_component),   TEST(less_important_messages_are_left_out),
        TEST(bytes_from_outside_cannot_fake_a_line), TEST(long_texts_are_cut),
        TEST(a_site_speaks_five_times_in_ten_seconds), TEST(limited_messages_are_counted_per_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
