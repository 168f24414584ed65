#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "stages/board.h"

enum { SLOTS = 20 };

static struct of_board board;
static struct of_slot slots[SLOTS];
static struct of_held held[SLOTS];

static int
set_up(void **state)
{
    (void)state;
    of_board_init(&board);
    for (int i = 0; i < SLOTS; i++)
        slots[i] = (struct of_slot) { .topic = i < SLOTS / 2 ? "orders" : "retry", .partition = i % (SLOTS / 2) };
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    of_board_fini(&board);
    return 0;
}

static void
the_first_hold_dates_it_the_last_explains_it(void **state)
{
    (void)state;
    of_board_hold(&board, &slots[3], 7, OF_CAUSE_REGISTRY_UNAVAILABLE, "first", 100);
    of_board_try(&board, &slots[3], 55);
    assert_int_equal(of_board_list(&board, held, SLOTS), 1);
    assert_int_equal(held[0].reading_since_ns, 55);
    of_board_hold(&board, &slots[3], 8, OF_CAUSE_REGISTRY_DENIED, "second", 200);
    assert_int_equal(of_board_list(&board, held, SLOTS), 1);
    assert_string_equal(held[0].topic, "orders");
    assert_int_equal(held[0].partition, 3);
    assert_int_equal(held[0].offset, 8);
    assert_int_equal(held[0].cause, OF_CAUSE_REGISTRY_DENIED);
    assert_int_equal(held[0].since_ms, 100);
    assert_int_equal(held[0].reading_since_ns, 0);
    assert_string_equal(held[0].text, "second");
}

static void
partitions_come_and_go_apart(void **state)
{
    (void)state;
    for (int i = 0; i < SLOTS; i++)
        of_board_hold(&board, &slots[i], i, OF_CAUSE_FETCH_FAILED, "", i);
    assert_int_equal(of_board_list(&board, held, 5), 5);
    for (int i = 0; i < SLOTS; i += 2)
        of_board_clear(&board, &slots[i]);
    of_board_clear(&board, &slots[0]); /* not there any more */
    of_board_try(&board, &slots[0], 1);
    assert_int_equal(of_board_list(&board, held, SLOTS), SLOTS / 2);
    bool seen[SLOTS] = { false };
    for (int i = 0; i < SLOTS / 2; i++) {
        int at = held[i].partition + (strcmp(held[i].topic, "retry") == 0 ? SLOTS / 2 : 0);
        assert_true(at % 2 == 1 && !seen[at]);
        assert_int_equal(held[i].offset, at);
        seen[at] = true;
    }
    of_board_clear_all(&board);
    assert_int_equal(of_board_list(&board, held, SLOTS), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_hold_dates_it_the_last_explains_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(partitions_come_and_go_apart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
