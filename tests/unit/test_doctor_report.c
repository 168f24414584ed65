/* How findings of `orderflow doctor` are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "commands/doctor/report.h"

static struct of_report report;
static char *text;
static size_t size;
static FILE *out;

static int
open_report(void **state)
{
    (void)state;
    out = open_memstream(&text, &size);
    of_report_init(&report, out);
    return out == NULL;
}

static int
close_report(void **state)
{
    (void)state;
    of_report_fini(&report);
    fclose(out);
    free(text);
    return 0;
}

static const char *
shown(void)
{
    fflush(out);
    return text;
}

static void
a_finding_is_one_line_with_what_to_do(void **state)
{
    (void)state;
    of_report_add(&report, OF_VERDICT_OK, "versions", "all is %s", "new");
    of_report_add(&report, OF_VERDICT_FAIL, "topic orders", "does not exist");
    of_report_remedy(&report, "create it with %d partitions", 3);
    of_report_show(&report);
    assert_string_equal(shown(), "ok    versions                            all is new\n"
                                 "fail  topic orders                        does not exist  — create it with 3 "
                                 "partitions\n");
}

/* Whoever waits for a slow check sees those before it. */
static void
lines_come_as_soon_as_they_are_complete(void **state)
{
    (void)state;
    of_report_add(&report, OF_VERDICT_OK, "first", "x");
    assert_null(strstr(shown(), "first")); /* a remedy may follow */
    of_report_add(&report, OF_VERDICT_OK, "second", "x");
    assert_non_null(strstr(shown(), "first"));
    assert_null(strstr(shown(), "second"));
}

static void
what_fails_first_is_to_be_fixed_first(void **state)
{
    (void)state;
    of_report_add(&report, OF_VERDICT_OK, "a", "fine");
    of_report_add(&report, OF_VERDICT_SKIP, "b", "not checked");
    of_report_show(&report);
    assert_false(of_report_failed(&report));
    of_report_print_end(&report, out);
    assert_non_null(strstr(shown(), "\nnothing is wrong\n"));
    of_report_add(&report, OF_VERDICT_WARN, "c", "not so good");
    of_report_remedy(&report, "better it");
    of_report_show(&report);
    assert_false(of_report_failed(&report));
    of_report_print_end(&report, out);
    assert_non_null(strstr(shown(), "\nnothing stands in the way; worth a look: c: better it\n"));
    of_report_add(&report, OF_VERDICT_FAIL, "d", "broken");
    of_report_add(&report, OF_VERDICT_FAIL, "e", "broken as well");
    of_report_remedy(&report, "mend it");
    assert_true(of_report_failed(&report));
    of_report_print_end(&report, out);
    assert_non_null(strstr(shown(), "\nfix first: d: broken\n"));
}

static void
texts_from_outside_cannot_fake_a_line(void **state)
{
    (void)state;
    of_report_add(&report, OF_VERDICT_FAIL, "broker a\nok", "\033[2J");
    of_report_show(&report);
    assert_non_null(strstr(shown(), "broker a\\x0Aok"));
    assert_non_null(strstr(text, "\\x1B[2J\n"));
}

static void
json_holds_the_same(void **state)
{
    (void)state;
    of_report_add(&report, OF_VERDICT_OK, "a \"quoted\"", "fine");
    of_report_add(&report, OF_VERDICT_WARN, "b", "so so");
    of_report_remedy(&report, "better it");
    char *line;
    size_t length;
    FILE *json_out = open_memstream(&line, &length);
    of_report_print_json(&report, json_out);
    fclose(json_out);
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    const char *check, *verdict, *fix;
    int healthy, count;
    json_t *checks, *remedy;
    assert_int_equal(json_unpack(json, "{s:o,s:b,s:{s:s}}", "checks", &checks, "healthy", &healthy, "fix_first", "remedy",
                                 &fix), 0);
    count = (int)json_array_size(checks);
    assert_int_equal(count, 2);
    assert_true(healthy);
    assert_string_equal(fix, "better it");
    assert_int_equal(json_unpack(json_array_get(checks, 0), "{s:s,s:s,s:o}", "check", &check, "verdict", &verdict,
                                 "remedy", &remedy), 0);
    assert_string_equal(check, "a \"quoted\"");
    assert_string_equal(verdict, "ok");
    assert_true(json_is_null(remedy));
    json_decref(json);
    free(line);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_report, close_report)
    const struct CMUnitTest tests[] = {
        TEST(a_finding_is_one_line_with_what_to_do), TEST(lines_come_as_soon_as_they_are_complete),
        TEST(what_fails_first_is_to_be_fixed_first), TEST(texts_from_outside_cannot_fake_a_line),
        TEST(json_holds_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
