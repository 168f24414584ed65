#include "order/table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
add(struct of_table *table, uint32_t group, double value)
{
    struct of_row *row = of_table_row(table, group);
    of_aggregate_add(&row->aggregate, value);
    of_table_touch(table, row);
}

static void
assert_row(struct of_table *table, uint32_t group, uint64_t count, double sum)
{
    uint32_t rows = table->count;
    const struct of_row *row = of_table_row(table, group);
    assert_int_equal(table->count, rows); /* it was there */
    assert_int_equal(row->group, group);
    assert_int_equal(row->aggregate.count, count);
    assert_true(of_exact_sum_round(&row->aggregate.sum) == sum);
}

static void
rows_are_found_by_group(void **state)
{
    (void)state;
    struct of_table table = { 0 };
    static const uint32_t groups[] = { 3, 0, 100000, 15, 16, 17 };
    enum { GROUPS = sizeof groups / sizeof *groups };
    for (int round = 1; round <= 3; round++)
        for (uint32_t i = 0; i < GROUPS; i++)
            add(&table, groups[i], i);
    assert_int_equal(table.count, GROUPS);
    for (uint32_t i = 0; i < GROUPS; i++) {
        assert_int_equal(table.rows[i].group, groups[i]); /* in the order of their coming */
        assert_row(&table, groups[i], 3, 3.0 * i);
    }
    of_table_fini(&table);
    assert_int_equal(table.count, 0);
    assert_null(of_table_next_changed(&table));
}

static void
many_rows_survive_growing(void **state)
{
    (void)state;
    struct of_table table;
    of_table_init(&table);
    for (uint32_t group = 0; group < 5000; group++)
        add(&table, group * 7, group);
    for (uint32_t group = 0; group < 5000; group++)
        assert_row(&table, group * 7, 1, group);
    of_table_fini(&table);
}

static void
changed_rows_are_collected_once(void **state)
{
    (void)state;
    struct of_table table = { 0 };
    uint32_t seen[40] = { 0 };
    for (uint32_t group = 0; group < 40; group++)
        add(&table, group, 1);
    for (struct of_row *row; (row = of_table_next_changed(&table)) != NULL;)
        seen[row->group]++;
    for (uint32_t group = 0; group < 40; group++)
        assert_int_equal(seen[group], 1);

    add(&table, 7, 1);
    add(&table, 30, 1);
    add(&table, 7, 1); /* twice, and still one entry */
    struct of_row *first = of_table_next_changed(&table), *second = of_table_next_changed(&table);
    assert_true((first->group == 7 && second->group == 30) || (first->group == 30 && second->group == 7));
    assert_null(of_table_next_changed(&table));
    of_table_fini(&table);
}

static void
merging_adds_row_by_row(void **state)
{
    (void)state;
    struct of_table a = { 0 }, b = { 0 };
    add(&a, 1, 10);
    add(&a, 2, 20);
    add(&b, 2, 5);
    add(&b, 9, 1e300);
    of_table_merge(&a, &b);
    assert_int_equal(a.count, 3);
    assert_row(&a, 1, 1, 10);
    assert_row(&a, 2, 2, 25);
    assert_row(&a, 9, 1, 1e300);
    of_table_fini(&b);
    assert_row(&a, 9, 1, 1e300);
    of_table_fini(&a);
}

static void
a_copy_stands_alone_and_counts_as_unchanged(void **state)
{
    (void)state;
    struct of_table a = { 0 }, copy = { 0 };
    add(&a, 4, 2.5);
    add(&copy, 1, 1);
    of_table_copy(&copy, &a);
    assert_int_equal(copy.count, 1);
    assert_row(&copy, 4, 1, 2.5);
    assert_null(of_table_next_changed(&copy));
    add(&copy, 4, 1);
    assert_row(&a, 4, 1, 2.5);
    assert_row(&copy, 4, 2, 3.5);
    assert_non_null(of_table_next_changed(&copy));
    of_table_fini(&a);
    of_table_fini(&copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_by_group),
        cmocka_unit_test(many_rows_survive_growing),
        cmocka_unit_test(changed_rows_are_collected_once),
        cmocka_unit_test(merging_adds_row_by_row),
        cmocka_unit_test(a_copy_stands_alone_and_counts_as_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
