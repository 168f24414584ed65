/* The text is that of printf and strtod, digit by digit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/number_text.h"

static void
assert_same(double value)
{
    char wanted[64], text[OF_DOUBLE_TEXT_BYTES];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(wanted, sizeof wanted, "%.*g", digits, value);
        if (strtod(wanted, NULL) == value)
            break;
    }
    size_t length = of_double_text(value, text);
    assert_string_equal(text, wanted);
    assert_int_equal(length, strlen(wanted));
}

/* A number and those beside it. */
static void
assert_same_around(double value)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        assert_same(sign * value);
        assert_same(nextafter(sign * value, INFINITY));
        assert_same(nextafter(sign * value, -INFINITY));
    }
}

static uint64_t state = 1;

static uint64_t
any(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 33 ^ state << 31;
}

static void
counts(void **unused)
{
    (void)unused;
    static const uint64_t some[] = { 0, 1, 9, 10, 99, 100, 1234567890, UINT64_C(9999999999999999999), UINT64_MAX };
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        char wanted[32], text[OF_COUNT_TEXT_BYTES];
        snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)some[i]);
        assert_int_equal(of_count_text(some[i], text), strlen(wanted));
        assert_string_equal(text, wanted);
    }
}

static void
edges_of_doubles(void **unused)
{
    (void)unused;
    assert_same(0.0);
    assert_same(-0.0);
    assert_same_around(5e-324);
    assert_same_around(1.7976931348623155e308);
    for (int exponent = -330; exponent <= 308; exponent++)
        assert_same_around(pow(10, exponent));
    for (int exponent = -1074; exponent <= 1023; exponent++)
        assert_same_around(ldexp(1, exponent));
    assert_same_around(9007199254740993.0);
    assert_same_around(999999999999999.5);
    assert_same_around(0.99999999999999989);
    assert_same_around(756.32000732421875);
}

static void
doubles_of_all_kinds(void **unused)
{
    (void)unused;
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = any();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value) && i % 8 == 0)
            assert_same(value);
        assert_same(ldexp((double)(any() >> 11), -(int)(any() % 70)));  /* those that are told apart here */
        assert_same((double)(any() % 100000000) / 100);                 /* money */
        assert_same((double)(float)((double)(any() % 100000) / 100) * (double)(any() % 1000)); /* sums of floats */
        assert_same((double)(any() % UINT64_C(1000000000000)) / 1e9);   /* durations */
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(edges_of_doubles),
        cmocka_unit_test(doubles_of_all_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
