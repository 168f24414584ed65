#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/clock.h"
#include "core/histogram.h"

static struct of_histogram_view
view_of(const struct of_histogram *histogram)
{
    struct of_histogram_view view = { .count = 0 };
    of_histogram_add_to(histogram, &view);
    return view;
}

static void
bounds_rise(void **state)
{
    (void)state;
    for (int i = 1; i < OF_HISTOGRAM_BOUNDS; i++)
        assert_true(of_histogram_bounds_ns[i - 1] < of_histogram_bounds_ns[i]);
}

static void
a_duration_belongs_to_the_first_bound_not_below_it(void **state)
{
    (void)state;
    for (int i = 0; i < OF_HISTOGRAM_BOUNDS; i++)
        for (int beyond = 0; beyond < 2; beyond++) {
            struct of_histogram histogram = { .sum_s = 0 };
            of_histogram_add(&histogram, of_histogram_bounds_ns[i] + beyond, 7);
            struct of_histogram_view view = view_of(&histogram);
            assert_int_equal(view.counts[i + beyond], 7);
            assert_int_equal(view.count, 7);
            assert_true(fabs(view.sum_s - 7e-9 * (double)(of_histogram_bounds_ns[i] + beyond)) < 1e-9);
        }
}

static void
clocks_that_step_back_count_as_nothing(void **state)
{
    (void)state;
    struct of_histogram histogram = { .sum_s = 0 };
    of_histogram_add(&histogram, -OF_SECOND_NS, 2);
    of_histogram_add(&histogram, INT64_MIN, 1);
    struct of_histogram_view view = view_of(&histogram);
    assert_int_equal(view.counts[0], 3);
    assert_true(view.sum_s == 0);
}

/* What catches up counts ages of a month, sixteen at once, a million times a second. */
static void
sums_of_a_month_old_backlog_do_not_wrap(void **state)
{
    (void)state;
    enum { DAY = 86400, TIMES = 1000000, WEIGHT = 16 };
    struct of_histogram histogram = { .sum_s = 0 };
    double before = 0;
    for (int i = 0; i < TIMES; i++) {
        of_histogram_add(&histogram, 30 * DAY * OF_SECOND_NS, WEIGHT);
        double sum = view_of(&histogram).sum_s;
        assert_true(sum > before);
        before = sum;
    }
    struct of_histogram_view view = view_of(&histogram);
    assert_int_equal(view.counts[OF_HISTOGRAM_BOUNDS], (uint64_t)TIMES * WEIGHT);
    assert_true(view.sum_s == 30.0 * DAY * TIMES * WEIGHT);
}

static void
quantiles_lie_in_their_buckets(void **state)
{
    (void)state;
    struct of_histogram histogram = { .sum_s = 0 };
    struct of_histogram_view empty = view_of(&histogram);
    assert_true(of_histogram_quantile_ns(&empty, 0.99) == 0);
    of_histogram_add(&histogram, 2 * OF_MS_NS, 90);
    of_histogram_add(&histogram, 80 * OF_MS_NS, 10);
    struct of_histogram_view view = view_of(&histogram);
    double half = of_histogram_quantile_ns(&view, 0.5), most = of_histogram_quantile_ns(&view, 0.99);
    assert_true(half > 1e6 && half <= 2.5e6);
    assert_true(fabs(half - (1e6 + 1.5e6 * 50 / 90)) < 1);
    assert_true(most > 50e6 && most <= 100e6);
    of_histogram_add(&histogram, 1000 * OF_SECOND_NS, 100000);
    view = view_of(&histogram);
    assert_true(of_histogram_quantile_ns(&view, 0.99) == (double)of_histogram_bounds_ns[OF_HISTOGRAM_BOUNDS - 1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_rise),
        cmocka_unit_test(a_duration_belongs_to_the_first_bound_not_below_it),
        cmocka_unit_test(clocks_that_step_back_count_as_nothing),
        cmocka_unit_test(sums_of_a_month_old_backlog_do_not_wrap),
        cmocka_unit_test(quantiles_lie_in_their_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
