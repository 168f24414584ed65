#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "core/clock.h"
#include "core/log.h"
#include "support/log_reader.h"

static void
a_line_has_time_level_and_component(void **state)
{
    (void)state;
    of_log_warning("kafka", "broker %s is down", "b:1");
    int year, ms, at = 0;
    assert_int_equal(sscanf(log_read(), "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%3dZ %n", &year, &ms, &at), 2);
    assert_true(year >= 2024);
    assert_memory_equal(log_said + at, "warning kafka: broker b:1 is down\n", 34);
}

static void
less_important_messages_are_left_out(void **state)
{
    (void)state;
    of_log_set_levels("warning");
    of_log_info("x", "not written");
    of_log_warning("x", "written");
    assert_null(strstr(log_read(), "not written"));
    assert_non_null(strstr(log_said, "written"));
    assert_false(of_log_enabled(OF_LOG_INFO, "x"));
    assert_true(of_log_enabled(OF_LOG_ERROR, "x"));
}

static void
bytes_from_outside_cannot_fake_a_line(void **state)
{
    (void)state;
    of_log_info("x", "id %s", "1\nERROR \x1B[2J\xFF");
    assert_non_null(strstr(log_read(), "id 1\\x0AERROR \\x1B[2J\\xFF\n"));
}

static void
long_texts_are_cut(void **state)
{
    (void)state;
    char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    of_log_info("x", "%s", longest);
    assert_non_null(strstr(log_read(), "aaa...\n"));
    memset(longest, '\xFF', sizeof longest - 1);
    of_log_info("x", "%s", longest);
    assert_non_null(strstr(log_read(), "\\xFF...\n"));
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
    log_read();
    assert_non_null(strstr(log_said, "first 4\n"));
    assert_null(strstr(log_said, "first 5\n"));
    assert_non_null(strstr(log_said, "second\n"));
}

/* ---- levels by module ---- */

static void
a_module_can_have_a_level_of_its_own(void **state)
{
    (void)state;
    char levels[128];
    of_log_set_levels("warning,registry=debug,kafka=error");
    assert_true(of_log_enabled(OF_LOG_DEBUG, "registry"));
    assert_false(of_log_enabled(OF_LOG_WARNING, "kafka"));
    assert_true(of_log_enabled(OF_LOG_WARNING, "fetch"));
    assert_false(of_log_enabled(OF_LOG_INFO, "fetch"));
    assert_string_equal(of_log_print_levels(levels, sizeof levels), "warning,kafka=error,registry=debug");
    of_log_debug("registry", "said");
    of_log_debug("fetch", "not said");
    assert_non_null(strstr(log_read(), "debug registry: said\n"));
    assert_null(strstr(log_said, "not said"));
    of_log_set_levels("registry=debug");
    assert_true(of_log_enabled(OF_LOG_INFO, "fetch"));
    of_log_set_levels("info");
    assert_false(of_log_enabled(OF_LOG_DEBUG, "registry"));
}

static void
wrong_levels_are_told_with_the_nearest(void **state)
{
    (void)state;
    assert_null(of_log_levels_complaint("debug"));
    assert_null(of_log_levels_complaint("kafka=error,info"));
    assert_string_equal(of_log_levels_complaint("info,registri=debug"),
                        "names no module 'registri'; did you mean 'registry'?");
    assert_string_equal(of_log_levels_complaint("inf"), "names no level 'inf'; did you mean 'info'?");
    assert_string_equal(of_log_levels_complaint("kafka=debgu"), "names no level 'debgu'; did you mean 'debug'?");
    assert_non_null(of_log_levels_complaint("info,"));
    assert_non_null(of_log_levels_complaint("=debug"));
    assert_non_null(of_log_levels_complaint("kafka="));
    char longest[3000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_non_null(of_log_levels_complaint(longest));
}

/* ---- places, and JSON ---- */

static const struct of_log_place place = { .topic = "or\"ders", .partition = 3, .offset = 120, .cause = "c" };

static void
a_place_follows_the_text(void **state)
{
    (void)state;
    of_log_at(OF_LOG_WARNING, "fetch", &place, "held: %s", "why");
    assert_non_null(strstr(log_read(), "warning fetch: held: why topic=or\"ders partition=3 offset=120 cause=c\n"));
    of_log_at(OF_LOG_INFO, "fetch", &(struct of_log_place) { .partition = -1, .offset = 0 }, "x");
    assert_non_null(strstr(log_read(), "info fetch: x offset=0\n"));
}

static int
json_format(void **state)
{
    int rc = log_reader_open(state);
    of_log_set_format(OF_LOG_JSON);
    return rc;
}

/* Of the pipe's first line. */
static json_t *
parsed(void)
{
    json_error_t error;
    log_read();
    *strchr(log_said, '\n') = '\0';
    json_t *line = json_loads(log_said, JSON_REJECT_DUPLICATES, &error);
    if (line == NULL)
        fail_msg("%s in %s", error.text, log_said);
    return line;
}

static void
json_holds_text_and_place(void **state)
{
    (void)state;
    of_log_at(OF_LOG_WARNING, "fetch", &place, "a \"b\"\n\\ \x01 \xC3\xA9 \xFF");
    json_t *line = parsed();
    assert_string_equal(json_string_value(json_object_get(line, "level")), "warning");
    assert_string_equal(json_string_value(json_object_get(line, "module")), "fetch");
    assert_string_equal(json_string_value(json_object_get(line, "text")), "a \"b\"\n\\ \x01 \xC3\xA9 \\xFF");
    assert_string_equal(json_string_value(json_object_get(line, "topic")), "or\"ders");
    assert_int_equal(json_integer_value(json_object_get(line, "partition")), 3);
    assert_int_equal(json_integer_value(json_object_get(line, "offset")), 120);
    assert_string_equal(json_string_value(json_object_get(line, "cause")), "c");
    assert_null(json_object_get(line, "stage"));
    assert_int_equal(strlen(json_string_value(json_object_get(line, "time"))), strlen("2026-01-31T09:30:00.123Z"));
    json_decref(line);
}

static void
the_longest_texts_are_still_json(void **state)
{
    (void)state;
    char longest[5000];
    static const char bytes[] = { 'a', '\x01', '"', '\xFF' };
    for (size_t i = 0; i < sizeof bytes; i++) {
        memset(longest, bytes[i], sizeof longest - 1);
        longest[sizeof longest - 1] = '\0';
        of_log_at(OF_LOG_INFO, "fetch", &(struct of_log_place) { .topic = longest, .partition = 1, .offset = 2 }, "%s",
                  longest);
        json_t *line = parsed();
        const char *found = json_string_value(json_object_get(line, "text"));
        assert_string_equal(found + strlen(found) - 3, "...");
        assert_int_equal(json_integer_value(json_object_get(line, "offset")), 2);
        json_decref(line);
    }
}

/* ---- changes ---- */

static uint32_t
times_said(const char *what)
{
    uint32_t count = 0;
    for (const char *at = log_read(); (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static void
what_is_tried_again_is_said_when_it_changes(void **state)
{
    (void)state;
    struct of_log_last last = { 0 };
    for (int i = 0; i < 100; i++)
        of_log_changed(&last, OF_LOG_WARNING, "x", "no broker; trying again");
    assert_int_equal(times_said("no broker"), 1);
    of_log_changed(&last, OF_LOG_WARNING, "x", "no leader; trying again");
    of_log_changed(&last, OF_LOG_WARNING, "x", "no broker; trying again");
    assert_int_equal(times_said("trying again"), 2);
    for (int i = 0; i < 100; i++)
        of_log_changed(&last, OF_LOG_WARNING, "x", "reason %d", i);
    assert_in_range(times_said("reason"), 2, 7); /* five in ten seconds, whatever they say; or another ten begin */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, log_reader_open, log_reader_close)
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_time_level_and_component),   TEST(less_important_messages_are_left_out),
        TEST(bytes_from_outside_cannot_fake_a_line), TEST(long_texts_are_cut),
        TEST(a_site_speaks_five_times_in_ten_seconds), TEST(limited_messages_are_counted_per_site),
        cmocka_unit_test_setup_teardown(a_module_can_have_a_level_of_its_own, log_reader_open, log_reader_close),
        cmocka_unit_test(wrong_levels_are_told_with_the_nearest),
        cmocka_unit_test_setup_teardown(a_place_follows_the_text, log_reader_open, log_reader_close),
        cmocka_unit_test_setup_teardown(json_holds_text_and_place, json_format, log_reader_close),
        cmocka_unit_test_setup_teardown(the_longest_texts_are_still_json, json_format, log_reader_close),
        cmocka_unit_test_setup_teardown(what_is_tried_again_is_said_when_it_changes, log_reader_open, log_reader_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
