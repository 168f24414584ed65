#include "order/recorded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BYTES(text) of_slice_of(text, sizeof(text) - 1)

static const struct of_state_fields fields = { { (const uint8_t *)"price", 5 }, { (const uint8_t *)"product", 7 } };

static struct of_recorded *recorded;
static struct of_state_writer *writer;

static int
set_up(void **state)
{
    (void)state;
    recorded = of_recorded_create("g");
    writer = of_state_writer_create();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    of_recorded_destroy(&recorded);
    of_state_writer_destroy(&writer);
    return 0;
}

static void
take_row(const char *group, int32_t partition, struct of_slice name, double value)
{
    const struct of_state_place place = { of_slice_str(group), of_slice_str("t"), partition };
    struct of_aggregate aggregate;
    struct of_slice key, bytes;
    of_aggregate_init(&aggregate);
    of_aggregate_add(&aggregate, value);
    of_state_write_row(writer, 1, &place, name, &aggregate, &key, &bytes);
    of_recorded_take(recorded, 0, key, bytes);
    of_aggregate_fini(&aggregate);
}

static void
take_marker(uint64_t rows, const char *value_field, const char *group_by)
{
    const struct of_state_place place = { of_slice_str("g"), of_slice_str("t"), 0 };
    const struct of_state_marker marker = { 50, 4, 3, rows, OF_STATE_VERSION, of_slice_str(value_field),
                                            of_slice_str(group_by) };
    struct of_slice key, bytes;
    of_state_write_marker(writer, 1, &place, &marker, &key, &bytes);
    of_recorded_take(recorded, 0, key, bytes);
}

static enum of_status
check(struct of_error *err)
{
    return of_recorded_check(of_recorded_find(recorded, "t", 0), &fields, err);
}

static void
the_newest_of_each_key_counts(void **state)
{
    (void)state;
    take_row("g", 0, BYTES("a"), 1);
    take_row("g", 0, BYTES("b"), 2);
    take_row("g", 0, BYTES("a"), 3);
    of_recorded_take(recorded, 0, BYTES("g\tt\t0\tb"), of_slice_of(NULL, 0));
    struct of_recorded_partition *found = of_recorded_find(recorded, "t", 0);
    assert_int_equal(found->there, 1);
    assert_int_equal(found->row_count, 2);
    assert_float_equal(of_exact_sum_round(&found->rows[0].aggregate.sum), 3, 0);
    assert_int_equal(recorded->changes, 4);
    of_recorded_take(recorded, 0, BYTES("g\tt\t0\ta"), of_slice_of(NULL, 0));
    assert_true(of_recorded_is_empty(found));
}

static void
others_are_passed_over(void **state)
{
    (void)state;
    take_row("other", 0, BYTES("a"), 1);
    take_row("g", 3, BYTES("a"), 1); /* stands in partition 0 */
    of_recorded_take(recorded, 0, BYTES("junk"), BYTES("junk"));
    assert_int_equal(recorded->count, 0);
    assert_int_equal(recorded->changes, 0);
    assert_null(of_recorded_find(recorded, "t", 0));
    assert_int_equal(of_recorded_check(NULL, &fields, NULL), OF_OK);
}

static void
a_bad_record_counts_until_another_takes_its_place(void **state)
{
    (void)state;
    struct of_error err;
    take_row("g", 0, BYTES("a"), 1);
    of_recorded_take(recorded, 0, BYTES("g\tt\t0\ta"), BYTES("junk"));
    assert_int_equal(check(&err), OF_POISON);
    assert_non_null(strstr(err.text, "cannot be used"));
    take_row("g", 0, BYTES("a"), 2);
    assert_int_equal(check(&err), OF_OK);
    of_recorded_take(recorded, 0, BYTES("g\tt\t0"), BYTES("junk"));
    assert_int_equal(check(&err), OF_POISON);
    take_marker(1, "price", "product");
    assert_int_equal(check(&err), OF_OK);
}

static void
markers_are_checked(void **state)
{
    (void)state;
    struct of_error err;
    take_row("g", 0, BYTES("a"), 1);
    take_marker(2, "price", "product");
    assert_int_equal(check(&err), OF_POISON);
    assert_non_null(strstr(err.text, "there are 1 of at least 2"));
    take_marker(1, "amount", "product");
    assert_int_equal(check(&err), OF_POISON);
    assert_non_null(strstr(err.text, "--value-field amount, not price"));
    take_marker(1, "price", "colour");
    assert_int_equal(check(&err), OF_POISON);
    assert_non_null(strstr(err.text, "--group-by-field colour, not product"));
    assert_int_equal(of_recorded_check(of_recorded_find(recorded, "t", 0), NULL, NULL), OF_OK);
    take_marker(0, "", ""); /* of no fields: fits all */
    assert_int_equal(check(&err), OF_OK);
}

static void
a_partition_is_restored(void **state)
{
    (void)state;
    struct of_groups *groups = of_groups_create(1000);
    struct of_slot_state restored;
    char name[16];
    of_slot_state_init(&restored);
    of_groups_intern(groups, BYTES("earlier"));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "p%d", i % 900);
        take_row("g", 0, of_slice_str(name), i);
    }
    take_row("g", 0, BYTES("(other)"), 0.5);
    take_marker(901, "price", "product");
    struct of_recorded_partition *partition = of_recorded_find(recorded, "t", 0);
    assert_int_equal(of_recorded_restore(partition, &fields, groups, &restored, NULL), OF_OK);
    assert_int_equal(restored.next_offset, 50);
    assert_int_equal(restored.retries, 4);
    assert_int_equal(restored.dead_letters, 3);
    assert_int_equal(restored.table.count, 901);
    for (int i = 100; i < 1000; i++) {
        snprintf(name, sizeof name, "p%d", i % 900);
        uint32_t group = of_groups_intern(groups, of_slice_str(name));
        assert_float_equal(of_table_row(&restored.table, group)->aggregate.max, i, 0);
    }
    assert_float_equal(of_table_row(&restored.table, OF_GROUPS_OTHER)->aggregate.max, 0.5, 0);
    assert_int_equal(restored.table.count, 901); /* nothing was looked for in vain */
    of_slot_state_fini(&restored);
    of_groups_destroy(&groups);
}

static void
a_dictionary_without_room_is_no_place_for_it(void **state)
{
    (void)state;
    struct of_groups *groups = of_groups_create(1);
    struct of_slot_state restored;
    struct of_error err;
    of_slot_state_init(&restored);
    take_row("g", 0, BYTES("a"), 1);
    take_row("g", 0, BYTES("b"), 1);
    struct of_recorded_partition *partition = of_recorded_find(recorded, "t", 0);
    assert_int_equal(of_recorded_restore(partition, &fields, groups, &restored, &err), OF_POISON);
    assert_non_null(strstr(err.text, "--max-groups"));
    assert_int_equal(restored.table.count, 0);
    of_groups_destroy(&groups);
}

static void
what_is_forgotten_is_gone(void **state)
{
    (void)state;
    take_row("g", 0, BYTES("a"), 1);
    of_recorded_forget(recorded, 1);
    assert_non_null(of_recorded_find(recorded, "t", 0));
    of_recorded_forget(recorded, 0);
    assert_null(of_recorded_find(recorded, "t", 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_of_each_key_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_record_counts_until_another_takes_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(markers_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_partition_is_restored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dictionary_without_room_is_no_place_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_forgotten_is_gone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
