#include "stages/handed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { RETRY, DEAD };

/* Asks for the letter of this offset and, if it is to be written, hands it over. Returns its number. */
static uint64_t
hand_over(struct of_handed *handed, int64_t offset, uint8_t destination)
{
    assert_int_equal(of_handed_find(handed, offset, destination), OF_HANDED_NEVER);
    return of_handed_add(handed, offset, destination);
}

static void
what_was_written_is_found_in_the_second_reading(void **state)
{
    (void)state;
    struct of_handed handed = { 0 };
    uint64_t first = hand_over(&handed, 10, RETRY);
    uint64_t second = hand_over(&handed, 14, DEAD);
    uint64_t third = hand_over(&handed, 15, RETRY);
    hand_over(&handed, 20, RETRY); /* not settled */
    of_handed_settle(&handed, third, true);
    of_handed_settle(&handed, first, true);
    of_handed_settle(&handed, second, false); /* refused: the partition starts again */

    of_handed_rewind(&handed);
    assert_int_equal(of_handed_find(&handed, 9, RETRY), OF_HANDED_NEVER);
    assert_int_equal(of_handed_find(&handed, 10, RETRY), OF_HANDED_WRITTEN);
    second = hand_over(&handed, 14, DEAD);
    assert_int_equal(of_handed_find(&handed, 15, RETRY), OF_HANDED_WRITTEN);
    assert_int_equal(of_handed_find(&handed, 20, RETRY), OF_HANDED_WAITING);
    hand_over(&handed, 21, RETRY); /* further than the first reading came */
    of_handed_settle(&handed, second, true);

    of_handed_rewind(&handed);
    assert_int_equal(of_handed_find(&handed, 14, DEAD), OF_HANDED_WRITTEN);
    assert_int_equal(of_handed_find(&handed, 21, RETRY), OF_HANDED_WAITING);
    of_handed_fini(&handed);
}

/* Another destination is another letter: a retry record that became a dead letter for its size. */
static void
a_letter_is_known_by_its_destination_too(void **state)
{
    (void)state;
    struct of_handed handed = { 0 };
    of_handed_settle(&handed, hand_over(&handed, 5, RETRY), true);
    of_handed_rewind(&handed);
    uint64_t number = hand_over(&handed, 5, DEAD);
    of_handed_settle(&handed, number, true);
    of_handed_rewind(&handed);
    assert_int_equal(of_handed_find(&handed, 5, DEAD), OF_HANDED_WRITTEN);
    of_handed_fini(&handed);
}

/* The record ends otherwise the second time, while its first letter is still on its way: that one's report must not be
 * taken for the second's. */
static void
another_destination_waits_for_the_first_letter(void **state)
{
    (void)state;
    struct of_handed handed = { 0 };
    uint64_t first = hand_over(&handed, 7, DEAD);
    of_handed_rewind(&handed);
    assert_int_equal(of_handed_find(&handed, 7, RETRY), OF_HANDED_WAITING);
    of_handed_settle(&handed, first, true);
    of_handed_settle(&handed, hand_over(&handed, 7, RETRY), false);
    of_handed_rewind(&handed);
    assert_int_equal(of_handed_find(&handed, 7, RETRY), OF_HANDED_NEVER);
    of_handed_fini(&handed);
}

static void
numbers_outlive_what_is_forgotten(void **state)
{
    (void)state;
    struct of_handed handed = { 0 };
    uint64_t numbers[300];
    for (int i = 0; i < 300; i++)
        numbers[i] = hand_over(&handed, 10 * i, RETRY);
    of_handed_forget(&handed, 1005); /* 0 to 1000 */
    for (int i = 0; i < 300; i += 2)
        of_handed_settle(&handed, numbers[i], true); /* also of those that are forgotten: no harm */
    of_handed_settle(&handed, UINT64_MAX, true);     /* of one that was not remembered */
    hand_over(&handed, 3000, RETRY);
    of_handed_rewind(&handed);
    for (int i = 101; i < 300; i++)
        assert_int_equal(of_handed_find(&handed, 10 * i, RETRY), i % 2 ? OF_HANDED_WAITING : OF_HANDED_WRITTEN);
    assert_int_equal(of_handed_find(&handed, 3000, RETRY), OF_HANDED_WAITING);
    of_handed_forget(&handed, INT64_MAX);
    of_handed_rewind(&handed);
    assert_int_equal(of_handed_find(&handed, 3000, RETRY), OF_HANDED_NEVER);
    of_handed_fini(&handed);
}

/* In the second reading a record fails that did not fail before: its letter is written, and not remembered. */
static void
a_letter_between_two_others_is_not_remembered(void **state)
{
    (void)state;
    struct of_handed handed = { 0 };
    of_handed_settle(&handed, hand_over(&handed, 1, RETRY), true);
    of_handed_settle(&handed, hand_over(&handed, 3, RETRY), true);
    of_handed_rewind(&handed);
    assert_true(hand_over(&handed, 2, RETRY) == UINT64_MAX);
    assert_int_equal(of_handed_find(&handed, 3, RETRY), OF_HANDED_WRITTEN);
    of_handed_fini(&handed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_found_in_the_second_reading),
        cmocka_unit_test(a_letter_is_known_by_its_destination_too),
        cmocka_unit_test(another_destination_waits_for_the_first_letter),
        cmocka_unit_test(numbers_outlive_what_is_forgotten),
        cmocka_unit_test(a_letter_between_two_others_is_not_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
