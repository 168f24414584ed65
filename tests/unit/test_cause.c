#include "order/cause.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
names_are_unique_and_lead_back(void **state)
{
    (void)state;
    for (int cause = 1; cause < OF_CAUSE_COUNT; cause++) {
        struct of_slice name = of_slice_str(of_cause_name((enum of_cause)cause));
        assert_true(name.length > 0);
        assert_int_equal(of_cause_of_name(name), cause); /* the first of that name is itself */
    }
}

static void
every_cause_has_text_and_class(void **state)
{
    (void)state;
    for (int cause = 1; cause < OF_CAUSE_COUNT; cause++) {
        const char *text = of_cause_text((enum of_cause)cause);
        assert_true(strlen(text) > 0 && text[strlen(text) - 1] != '.');
        enum of_cause_class class = of_cause_class((enum of_cause)cause);
        assert_int_not_equal(class, OF_CLASS_NONE);
        assert_string_not_equal(of_cause_class_name(class), "unknown");
    }
}

static void
numbers_that_are_no_cause_are_harmless(void **state)
{
    (void)state;
    static const int numbers[] = { -1, OF_CAUSE_COUNT, 255, 1 << 30 };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        enum of_cause cause = (enum of_cause)numbers[i];
        assert_string_equal(of_cause_name(cause), "unknown");
        assert_string_equal(of_cause_text(cause), "unknown cause");
        assert_int_equal(of_cause_class(cause), OF_CLASS_NONE);
    }
    assert_string_equal(of_cause_name(OF_CAUSE_NONE), "none");
    assert_string_equal(of_cause_class_name((enum of_cause_class)99), "unknown");
}

static void
unknown_names_are_no_cause(void **state)
{
    (void)state;
    static const char *const names[] = { "", "none", "unknown", "null_valu", "null_value ", "NULL_VALUE" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(of_cause_of_name(of_slice_str(names[i])), OF_CAUSE_NONE);
    assert_int_equal(of_cause_of_name(of_slice_of(NULL, 0)), OF_CAUSE_NONE);
}

/* The numbers are written into retry records: these must never change. */
static void
numbers_stay(void **state)
{
    (void)state;
    assert_int_equal(OF_CAUSE_NULL_VALUE, 1);
    assert_int_equal(OF_CAUSE_INVALID_VALUE, 8);
    assert_int_equal(OF_CAUSE_SIMULATED, 9);
    assert_int_equal(OF_CAUSE_FETCH_FAILED, 15);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_lead_back),
        cmocka_unit_test(every_cause_has_text_and_class),
        cmocka_unit_test(numbers_that_are_no_cause_are_harmless),
        cmocka_unit_test(unknown_names_are_no_cause),
        cmocka_unit_test(numbers_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
