#include "order/aggregate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
assert_is(const struct of_aggregate *aggregate, uint64_t count, double min, double max, double sum, int64_t next_offset)
{
    assert_int_equal(aggregate->count, count);
    assert_true(aggregate->min == min);
    assert_true(aggregate->max == max);
    assert_true(of_exact_sum_round(&aggregate->sum) == sum);
    assert_int_equal(aggregate->next_offset, next_offset);
}

static void
values_are_counted(void **state)
{
    (void)state;
    struct of_aggregate aggregate;
    of_aggregate_init(&aggregate);
    assert_is(&aggregate, 0, INFINITY, -INFINITY, 0, 0);
    of_aggregate_add(&aggregate, 3);
    assert_is(&aggregate, 1, 3, 3, 3, 0);
    of_aggregate_add(&aggregate, -1.5);
    of_aggregate_add(&aggregate, 2);
    assert_is(&aggregate, 3, -1.5, 3, 3.5, 0);
    of_aggregate_fini(&aggregate);
    assert_is(&aggregate, 0, INFINITY, -INFINITY, 0, 0);
}

static void
merging_joins_both(void **state)
{
    (void)state;
    struct of_aggregate a, b, empty;
    of_aggregate_init(&a);
    of_aggregate_init(&b);
    of_aggregate_init(&empty);
    of_aggregate_add(&a, 1);
    of_aggregate_add(&a, 5);
    of_aggregate_add(&b, -1e300);
    a.next_offset = 10;
    b.next_offset = 7;
    of_aggregate_merge(&a, &empty);
    assert_is(&a, 2, 1, 5, 6, 10);
    of_aggregate_merge(&empty, &b);
    assert_is(&empty, 1, -1e300, -1e300, -1e300, 7);
    of_aggregate_merge(&a, &b);
    assert_is(&a, 3, -1e300, 5, -1e300, 10);
    of_aggregate_fini(&a);
    of_aggregate_fini(&b);
    of_aggregate_fini(&empty);
}

static void
copies_are_independent(void **state)
{
    (void)state;
    struct of_aggregate a, copy;
    of_aggregate_init(&a);
    of_aggregate_init(&copy);
    of_aggregate_add(&a, 1e300); /* with memory on the heap */
    a.next_offset = 4;
    of_aggregate_copy(&copy, &a);
    of_aggregate_fini(&a);
    assert_is(&copy, 1, 1e300, 1e300, 1e300, 4);
    of_aggregate_fini(&copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_counted),
        cmocka_unit_test(merging_joins_both),
        cmocka_unit_test(copies_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
