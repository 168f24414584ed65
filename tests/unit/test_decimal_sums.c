#include "order/decimal_sums.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "order/aggregate.h"
#include "order/live_total.h"
#include "support/random.h"

#include "decimal_sums_vectors.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static double
make_double(const struct vector *vector, uint64_t *state)
{
    uint64_t bits = random_next(state) & ((UINT64_C(1) << 52) - 1);
    uint64_t exponents = (uint64_t)(vector->exponent_high - vector->exponent_low + 1);
    bits |= ((uint64_t)vector->exponent_low + random_next(state) % exponents) << 52;
    bits |= random_next(state) << 63;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static of_int128
make_decimal(const struct vector *vector, uint64_t *state, unsigned *scale)
{
    of_uint128 magnitude = (of_uint128)random_next(state) << 64;
    magnitude |= random_next(state);
    magnitude >>= 128 - vector->bits;
    *scale = (unsigned)vector->scale_low +
             (unsigned)(random_next(state) % (uint64_t)(vector->scale_high - vector->scale_low + 1));
    return random_next(state) % 4 == 0 ? -(of_int128)magnitude : (of_int128)magnitude;
}

/* Every part-th value, from the first-th on. */
static void
add_share(struct of_exact_sum *sum, const struct vector *vector, int first, int part)
{
    uint64_t state = vector->seed;
    for (int i = 0; i < vector->doubles; i++) {
        double value = make_double(vector, &state);
        if (i % part == first)
            of_exact_sum_add(sum, value);
    }
    state = vector->seed + 100;
    for (int i = 0; i < vector->decimals; i++) {
        unsigned scale;
        of_int128 unscaled = make_decimal(vector, &state, &scale);
        if (i % part == first)
            of_exact_sum_add_scaled(sum, unscaled, scale);
    }
}

static void
assert_is(const struct of_exact_sum *sum, const struct vector *vector)
{
    char money[OF_EXACT_SUM_MONEY_BYTES];
    char *plain = of_exact_sum_decimal(sum);
    assert_string_equal(plain, vector->plain);
    free(plain);
    assert_int_equal(of_exact_sum_money(sum, money, sizeof money), strlen(vector->money));
    assert_string_equal(money, vector->money);
    assert_true(of_exact_sum_round(sum) == vector->nearest);
    assert_true(of_exact_sum_average(sum, (uint64_t)(vector->doubles + vector->decimals)) == vector->average);
    if (vector->nearest != 0 && isfinite(vector->nearest) && fabs(vector->nearest) > 1e-300)
        assert_true(fabs(of_exact_sum_estimate(sum) / vector->nearest - 1) < 1e-6);
    assert_false(of_exact_sum_is_zero(sum));
}

static void
mixed_sums_are_those_of_exact_rational_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct of_exact_sum sum = { 0 };
        add_share(&sum, &vectors[i], 0, 1);
        assert_is(&sum, &vectors[i]);
        of_exact_sum_fini(&sum);
    }
}

static void
parts_merge_and_what_is_subtracted_is_gone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct of_exact_sum whole = { 0 }, part = { 0 }, copy = { 0 };
        for (int share = 0; share < 3; share++) {
            of_exact_sum_fini(&part);
            add_share(&part, &vectors[i], share, 3);
            of_exact_sum_merge(&whole, &part);
            of_exact_sum_copy(&copy, &part);
        }
        assert_is(&whole, &vectors[i]);
        of_exact_sum_copy(&part, &whole);
        of_exact_sum_subtract(&whole, &copy);
        of_exact_sum_merge(&whole, &copy);
        assert_is(&whole, &vectors[i]);
        of_exact_sum_subtract(&whole, &part);
        assert_true(of_exact_sum_is_zero(&whole));
        uint32_t at = 0;
        assert_null(of_decimal_sums_next(whole.decimals, &at)); /* no part that is zero is told of */
        of_exact_sum_fini(&whole), of_exact_sum_fini(&part), of_exact_sum_fini(&copy);
    }
}

/* ---- bytes ---- */

static void
parts_are_written_and_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct of_exact_sum sum = { 0 }, read = { 0 };
        uint8_t binary[OF_EXACT_SUM_BYTES], bytes[OF_DECIMAL_PART_BYTES];
        add_share(&sum, &vectors[i], 0, 1);
        assert_true(of_exact_sum_read(&read, of_slice_of(binary, of_exact_sum_write(&sum, binary, sizeof binary))));
        uint32_t at = 0;
        int32_t scale = -1;
        for (const struct of_decimal_part *part; (part = of_decimal_sums_next(sum.decimals, &at)) != NULL;) {
            assert_true((int32_t)part->scale > scale);
            scale = (int32_t)part->scale;
            size_t length = of_decimal_part_write(part, bytes);
            assert_true(of_decimal_sums_read(&read.decimals, scale, of_slice_of(bytes, length)));
        }
        assert_is(&read, &vectors[i]);
        of_exact_sum_fini(&sum), of_exact_sum_fini(&read);
    }
}

static void
parts_have_the_shortest_bytes(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *bytes;
        size_t length;
    } rows[] = {
        { 1, "\x01", 1 },       { -1, "\xff", 1 },          { 127, "\x7f", 1 },   { 128, "\x00\x80", 2 },
        { -128, "\x80", 1 },    { -129, "\xff\x7f", 2 },    { 256, "\x01\x00", 2 },
        { INT64_MIN, "\x80\0\0\0\0\0\0\0", 8 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct of_decimal_sums *sums = NULL;
        uint8_t bytes[OF_DECIMAL_PART_BYTES];
        uint32_t at = 0;
        of_decimal_sums_add(&sums, rows[i].number, 3);
        assert_int_equal(of_decimal_part_write(of_decimal_sums_next(sums, &at), bytes), rows[i].length);
        assert_memory_equal(bytes, rows[i].bytes, rows[i].length);
        of_decimal_sums_free(&sums);
    }
}

static void
impossible_parts_are_refused(void **state)
{
    (void)state;
    struct of_decimal_sums *sums = NULL;
    uint8_t bytes[OF_DECIMAL_PART_BYTES + 1] = { 1 };
    assert_false(of_decimal_sums_read(&sums, 0, of_slice_of(bytes, 0)));
    assert_false(of_decimal_sums_read(&sums, 0, of_slice_of(bytes, sizeof bytes)));
    assert_false(of_decimal_sums_read(&sums, -1, of_slice_of(bytes, 1)));
    assert_false(of_decimal_sums_read(&sums, OF_SCALE_MAX + 1, of_slice_of(bytes, 1)));
    assert_null(sums);
    assert_true(of_decimal_sums_read(&sums, OF_SCALE_MAX, of_slice_of(bytes, OF_DECIMAL_PART_BYTES)));
    of_decimal_sums_free(&sums);
}

/* ---- numbers by themselves ---- */

static void
scaled_numbers_are_told_with_all_their_decimals(void **state)
{
    (void)state;
    static const struct {
        int64_t unscaled;
        unsigned scale;
        const char *text;
        double nearest;
    } rows[] = {
        { 12345, 2, "123.45", 123.45 }, { -5, 2, "-0.05", -0.05 },
        { 0, 3, "0.000", 0 },           { 100, 0, "100", 100 },
        { 1, 25, "0.0000000000000000000000001", 1e-25 },
        { INT64_MAX, 0, "9223372036854775807", 0x1p63 },
        { INT64_C(9007199254740993), 0, "9007199254740993", 9007199254740992.0 },
        { INT64_C(9007199254740993), 1, "900719925474099.3", 900719925474099.3 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[OF_SCALED_TEXT_BYTES];
        assert_int_equal(of_scaled_text(rows[i].unscaled, rows[i].scale, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
        assert_true(of_scaled_round(rows[i].unscaled, rows[i].scale) == rows[i].nearest);
    }
    char text[OF_SCALED_TEXT_BYTES];
    of_int128 least = (of_int128)((of_uint128)1 << 127);
    of_scaled_text(least, OF_SCALE_MAX, text);
    assert_int_equal(strlen(text), OF_SCALE_MAX + 3);
    of_scaled_text(least, 0, text);
    assert_string_equal(text, "-170141183460469231731687303715884105728");
}

static void
an_aggregate_of_decimals_is_exact(void **state)
{
    (void)state;
    struct of_aggregate aggregate;
    of_aggregate_init(&aggregate);
    for (int i = 0; i < 10; i++)
        of_aggregate_add_scaled(&aggregate, 10, 2); /* ten times 0.10 */
    of_aggregate_add(&aggregate, 0.5);
    char *sum = of_exact_sum_decimal(&aggregate.sum);
    assert_string_equal(sum, "1.5");
    free(sum);
    assert_int_equal(aggregate.count, 11);
    assert_true(aggregate.min == 0.1 && aggregate.max == 0.5);
    of_aggregate_fini(&aggregate);
    assert_null(aggregate.sum.decimals);
}

static void
a_live_total_of_decimals_of_one_scale_is_exact(void **state)
{
    (void)state;
    struct of_live_total live = { 0 };
    struct of_exact_sum sum = { 0 }, seen = { 0 };
    uint64_t count = 0;
    of_exact_sum_add_scaled(&sum, (of_int128)INT64_MAX * 1000 + 1, 2);
    of_live_total_set(&live, 1, &sum);
    of_live_total_add_to(&live, &count, &seen);
    char *text = of_exact_sum_decimal(&seen);
    assert_string_equal(text, "92233720368547758070.01");
    free(text);
    of_exact_sum_fini(&seen);
    of_exact_sum_add(&sum, 1); /* no longer one kind: about it */
    of_live_total_set(&live, 2, &sum);
    of_live_total_add_to(&live, &count, &seen);
    assert_true(fabs(of_exact_sum_round(&seen) / 92233720368547758071.0 - 1) < 1e-6);
    of_exact_sum_fini(&sum), of_exact_sum_fini(&seen);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixed_sums_are_those_of_exact_rational_numbers),
        cmocka_unit_test(parts_merge_and_what_is_subtracted_is_gone),
        cmocka_unit_test(parts_are_written_and_read_back),
        cmocka_unit_test(parts_have_the_shortest_bytes),
        cmocka_unit_test(impossible_parts_are_refused),
        cmocka_unit_test(scaled_numbers_are_told_with_all_their_decimals),
        cmocka_unit_test(an_aggregate_of_decimals_is_exact),
        cmocka_unit_test(a_live_total_of_decimals_of_one_scale_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
