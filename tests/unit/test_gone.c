#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "stages/gone.h"

enum { SLOTS = 20 };

static struct of_gone gone;
static struct of_slot slots[SLOTS];
static char text[OF_GONE_TEXT_BYTES];

static int
set_up(void **state)
{
    (void)state;
    of_gone_init(&gone);
    for (int i = 0; i < SLOTS; i++)
        slots[i] = (struct of_slot) { .topic = i < SLOTS / 2 ? "orders" : "retry", .partition = i % (SLOTS / 2) };
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    of_gone_fini(&gone);
    return 0;
}

static void
what_is_before_it_is_gone_as_well(void **state)
{
    (void)state;
    assert_false(of_gone_look(&gone, &slots[3], 0, text));
    of_gone_note(&gone, &slots[3], 7, "first");
    of_gone_note(&gone, &slots[3], 5, "second");
    const struct of_slot another_lanes = { .lane = 4, .index = 9, .topic = "orders", .partition = 3 };
    for (int64_t offset = 0; offset <= 7; offset++) {
        assert_true(of_gone_look(&gone, &another_lanes, offset, text));
        assert_string_equal(text, "second");
    }
    assert_false(of_gone_look(&gone, &slots[SLOTS / 2 + 3], 0, text)); /* of the other topic */
}

static void
who_begins_behind_it_has_decided(void **state)
{
    (void)state;
    char written[40];
    for (int i = 0; i < SLOTS; i++) {
        snprintf(written, sizeof written, "%d", i);
        of_gone_note(&gone, &slots[i], i, written);
    }
    for (int i = 0; i < SLOTS; i += 2)
        assert_false(of_gone_look(&gone, &slots[i], i + 1, text));
    for (int i = 0; i < SLOTS; i++) {
        assert_int_equal(of_gone_look(&gone, &slots[i], 0, text), i % 2);
        snprintf(written, sizeof written, "%d", i);
        if (i % 2 == 1)
            assert_string_equal(text, written);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_before_it_is_gone_as_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_begins_behind_it_has_decided, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
