#include "order/groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
assert_name(const struct of_groups *groups, uint32_t index, const char *expected)
{
    struct of_slice name = of_groups_name(groups, index);
    assert_true(of_slice_equal(name, of_slice_str(expected)));
}

static void
values_get_dense_numbers_and_keep_them(void **state)
{
    (void)state;
    struct of_groups *groups = of_groups_create(10);
    assert_int_equal(of_groups_count(groups), 1);
    char value[] = "Laptop";
    assert_int_equal(of_groups_intern(groups, of_slice_str(value)), 1);
    value[0] = 'X'; /* the dictionary has its own copy */
    assert_int_equal(of_groups_intern(groups, of_slice_str("Phone")), 2);
    assert_int_equal(of_groups_intern(groups, of_slice_str("Laptop")), 1);
    assert_int_equal(of_groups_intern(groups, of_slice_str("")), 3);
    assert_int_equal(of_groups_intern(groups, of_slice_of("a\0b", 3)), 4);
    assert_int_equal(of_groups_intern(groups, of_slice_of("a\0c", 3)), 5);
    assert_int_equal(of_groups_intern(groups, of_slice_str("a")), 6);
    assert_int_equal(of_groups_count(groups), 7);
    assert_name(groups, 0, "(other)");
    assert_name(groups, 1, "Laptop");
    assert_name(groups, 3, "");
    of_groups_destroy(&groups);
    assert_null(groups);
}

static void
what_cannot_be_a_group_is_other(void **state)
{
    (void)state;
    struct of_groups *groups = of_groups_create(10);
    char *longest = calloc(1, OF_GROUPS_VALUE_BYTES_MAX + 1);
    assert_non_null(longest);
    assert_int_equal(of_groups_intern(groups, of_slice_of(NULL, 0)), OF_GROUPS_OTHER);
    assert_int_equal(of_groups_intern(groups, of_slice_str("(other)")), OF_GROUPS_OTHER);
    assert_int_equal(of_groups_intern(groups, of_slice_of(longest, OF_GROUPS_VALUE_BYTES_MAX + 1)), OF_GROUPS_OTHER);
    assert_int_equal(of_groups_count(groups), 1);
    assert_int_equal(of_groups_intern(groups, of_slice_of(longest, OF_GROUPS_VALUE_BYTES_MAX)), 1);
    free(longest);
    of_groups_destroy(&groups);
}

static void
a_full_dictionary_knows_what_it_knows(void **state)
{
    (void)state;
    struct of_groups *groups = of_groups_create(2);
    assert_int_equal(of_groups_intern(groups, of_slice_str("a")), 1);
    assert_false(of_groups_full(groups));
    assert_int_equal(of_groups_intern(groups, of_slice_str("b")), 2);
    assert_true(of_groups_full(groups));
    assert_int_equal(of_groups_intern(groups, of_slice_str("c")), OF_GROUPS_OTHER);
    assert_int_equal(of_groups_intern(groups, of_slice_str("a")), 1);
    assert_int_equal(of_groups_count(groups), 3);
    of_groups_destroy(&groups);

    groups = of_groups_create(0);
    assert_int_equal(of_groups_intern(groups, of_slice_str("a")), OF_GROUPS_OTHER);
    of_groups_destroy(&groups);
}

static void
text_is_bounded(void **state)
{
    (void)state;
    enum { ROOM = OF_GROUPS_TOTAL_BYTES_MAX / OF_GROUPS_VALUE_BYTES_MAX };
    struct of_groups *groups = of_groups_create(10000);
    uint8_t *value = calloc(1, OF_GROUPS_VALUE_BYTES_MAX);
    assert_non_null(value);
    for (uint32_t i = 0; i < ROOM + 10; i++) {
        memcpy(value, &i, sizeof i);
        uint32_t index = of_groups_intern(groups, of_slice_of(value, OF_GROUPS_VALUE_BYTES_MAX));
        assert_int_equal(index, i < ROOM ? i + 1 : OF_GROUPS_OTHER);
    }
    free(value);
    of_groups_destroy(&groups);
}

/* All lengths around the hash's word size, values that differ in one byte only. */
static void
near_values_are_told_apart(void **state)
{
    (void)state;
    struct of_groups *groups = of_groups_create(50 * 50);
    uint32_t expected = 1;
    for (size_t length = 1; length <= 40; length++)
        for (size_t at = 0; at < length; at++) {
            uint8_t value[40] = { 0 };
            value[at] = 1;
            assert_int_equal(of_groups_intern(groups, of_slice_of(value, length)), expected++);
        }
    expected = 1;
    for (size_t length = 1; length <= 40; length++)
        for (size_t at = 0; at < length; at++) {
            uint8_t value[40] = { 0 };
            value[at] = 1;
            assert_int_equal(of_groups_intern(groups, of_slice_of(value, length)), expected++);
        }
    of_groups_destroy(&groups);
}

static void
many_values_fill_it_to_the_brim(void **state)
{
    (void)state;
    enum { VALUES = 100000 };
    struct of_groups *groups = of_groups_create(VALUES);
    char value[32];
    for (uint32_t i = 1; i <= VALUES; i++) {
        snprintf(value, sizeof value, "product %u", i);
        assert_int_equal(of_groups_intern(groups, of_slice_str(value)), i);
    }
    for (uint32_t i = 1; i <= VALUES; i++) {
        snprintf(value, sizeof value, "product %u", i);
        assert_int_equal(of_groups_intern(groups, of_slice_str(value)), i);
        assert_name(groups, i, value);
    }
    assert_int_equal(of_groups_intern(groups, of_slice_str("one more")), OF_GROUPS_OTHER);
    of_groups_destroy(&groups);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_get_dense_numbers_and_keep_them),
        cmocka_unit_test(what_cannot_be_a_group_is_other),
        cmocka_unit_test(a_full_dictionary_knows_what_it_knows),
        cmocka_unit_test(text_is_bounded),
        cmocka_unit_test(near_values_are_told_apart),
        cmocka_unit_test(many_values_fill_it_to_the_brim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
