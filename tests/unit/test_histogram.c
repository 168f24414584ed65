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
            struct of_histogram histogram = { .sum_ns = 0 };
            of_histogram_add(&histogram, of_histogram_bounds_ns[i] + beyond, 7);
            struct of_histogram_view view = view_of(&histogram);
            assert_int_equal(view.counts[i + beyond], 7);
            assert_int_equal(view.count, 7);
            assert_int_equal(view.sum_ns, 7 * (uint64_t)(of_histogram_bounds_ns[i] + beyond));
        }
}

static void
clocks_that_step_back_count_as_nothing(void **state)
{
    (void)state;
    struct of_histogram histogram = { .sum_ns = 0 };
    of_histogram_add(&histogram, -OF_SECOND_NS, 2);
    of_histogram_add(&histogram, INT64_MIN, 1);
    struct of_histogram_view view = view_of(&histogram);
    assert_int_equal(view.counts[0], 3);
    assert_int_equal(view.sum_ns, 0);
}

static void
quantiles_lie_in_their_buckets(void **state)
{
    (void)state;
    struct of_histogram histogram = { .sum_ns = 0 };
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
        cmocka_unit_test(quantiles_lie_in_their_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
