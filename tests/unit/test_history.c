/* The last minutes of a run, made up point by point. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "ops/history.h"

enum { START_MS = 1000000 };

static struct of_history *history;
static struct of_measured measured;

static int
set_up(void **state)
{
    (void)state;
    history = of_history_create();
    of_measured_init(&measured);
    measured.wall_ms = START_MS;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    of_history_destroy(&history);
    of_measured_fini(&measured);
    return 0;
}

/* A point so much later, after so many orders of this value. */
static void
add(int64_t ms, int orders, double value)
{
    measured.wall_ms += ms;
    for (int i = 0; i < orders; i++)
        of_exact_sum_add(&measured.live.sum, value);
    measured.live.orders_processed += (uint64_t)orders;
    of_history_add(history, &measured);
}

/* The list of points; the caller releases *whole. */
static json_t *
points(json_t **whole)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    of_history_write(history, 77, out);
    fclose(out);
    *whole = json_loads(text, 0, NULL);
    assert_non_null(*whole);
    assert_int_equal(json_integer_value(json_object_get(*whole, "started")), 77);
    free(text);
    return json_object_get(*whole, "points");
}

/* Null is -1. */
static double
number_at(json_t *list, size_t index, const char *name)
{
    json_t *value = json_object_get(json_array_get(list, index), name);
    assert_non_null(value);
    return json_is_null(value) ? -1 : json_number_value(value);
}

static void
points_are_what_was_measured(void **state)
{
    (void)state;
    json_t *whole, *list = points(&whole);
    assert_int_equal(json_array_size(list), 0);
    json_decref(whole);
    add(0, 0, 0);
    add(1000, 10, 2);
    add(2000, 30, 6);
    list = points(&whole);
    assert_int_equal(json_array_size(list), 3);
    static const double wanted[3][4] = {
        { START_MS, 0, -1, -1 }, { START_MS + 1000, 10, 2, 10 }, { START_MS + 3000, 40, 5, 15 },
    };
    for (size_t i = 0; i < 3; i++) {
        assert_true(number_at(list, i, "time") == wanted[i][0]);
        assert_true(number_at(list, i, "orders") == wanted[i][1]);
        assert_true(number_at(list, i, "average") == wanted[i][2]);
        assert_true(number_at(list, i, "rate") == wanted[i][3]);
        assert_true(number_at(list, i, "p50") == -1);
    }
    json_decref(whole);
}

static void
what_is_restored_or_given_up_is_no_rate(void **state)
{
    (void)state;
    add(0, 0, 0);
    add(1000, 10, 1);
    measured.assigned++;
    measured.restored_rows += 3;
    add(1000, 5000, 1);
    add(1000, 10, 1);
    add(1000, 20, 1);
    measured.revoked++;
    measured.live.orders_processed -= 5000;
    add(1000, 0, 1);
    add(1000, 0, 1);
    measured.live.orders_processed -= 7; /* in flight, and lost */
    add(1000, 0, 1);
    static const double wanted[] = { -1, 10, -1, -1, 20, -1, -1, 0 };
    json_t *whole, *list = points(&whole);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_true(number_at(list, i, "rate") == wanted[i]);
    json_decref(whole);
}

static void
latencies_are_those_of_a_minute(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) { /* slow ones first, then fast ones */
        measured.age.counts[i < 20 ? 15 : 6] += 100;
        add(1000, 100, 1);
    }
    json_t *whole, *list = points(&whole);
    assert_true(number_at(list, 10, "p50") > 0.5);
    assert_true(number_at(list, 78, "p99") > 0.5);
    assert_true(number_at(list, 81, "p99") < 0.002);
    assert_null(json_object_get(json_array_get(list, 38), "age"));
    assert_int_equal(json_array_size(json_object_get(json_array_get(list, 39), "age")), OF_HISTOGRAM_BOUNDS + 1);
    json_decref(whole);
}

static void
they_are_bounded_and_apart(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * OF_HISTORY_POINTS; i++) {
        add(400, 1, 1);
        add(600, 1, 1);
    }
    json_t *whole, *list = points(&whole);
    assert_int_equal(json_array_size(list), OF_HISTORY_POINTS);
    for (size_t i = 0; i < OF_HISTORY_POINTS; i++)
        assert_true(number_at(list, i, "time") == START_MS + 1000.0 * (double)(OF_HISTORY_POINTS + 1 + i));
    json_decref(whole);
    add(-5000, 1, 1); /* somebody set the clock */
    list = points(&whole);
    assert_int_equal(json_array_size(list), 1);
    json_decref(whole);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(points_are_what_was_measured),
        TEST(what_is_restored_or_given_up_is_no_rate),
        TEST(latencies_are_those_of_a_minute),
        TEST(they_are_bounded_and_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
