#include "order/exact_sum.h"

#include "core/memory.h"
#include "support/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct answers {
    double sum;
    uint64_t divisor;
    double average;
    const char *canonical; /* hexadecimal */
    const char *money;
    const char *decimal;
};

struct hand_vector {
    size_t count;
    double values[8];
    struct answers expected;
};

/* The values come from make_stream(). */
struct stream_vector {
    uint64_t seed;
    unsigned lowest_exponent, highest_exponent;
    size_t count;
    struct answers expected;
};

#include "exact_sum_vectors.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static double *
make_stream(const struct stream_vector *vector)
{
    double *values = of_alloc_array(vector->count, sizeof *values);
    uint64_t state = vector->seed;
    for (size_t i = 0; i < vector->count; i++) {
        uint64_t bits = random_next(&state) & ((UINT64_C(1) << 52) - 1);
        uint64_t exponents = vector->highest_exponent - vector->lowest_exponent + 1;
        bits |= (vector->lowest_exponent + random_next(&state) % exponents) << 52;
        bits |= random_next(&state) << 63;
        memcpy(&values[i], &bits, sizeof bits);
    }
    return values;
}

static void
shuffle(double *values, size_t count, uint64_t *state)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = random_next(state) % i;
        double kept = values[i - 1];
        values[i - 1] = values[j];
        values[j] = kept;
    }
}

static void
add_all(struct of_exact_sum *sum, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        of_exact_sum_add(sum, values[i]);
}

static void
assert_same_double(double got, double expected)
{
    if (got != expected)
        fail_msg("got %a, expected %a", got, expected);
}

static void
assert_canonical(const struct of_exact_sum *sum, const char *expected)
{
    uint8_t bytes[OF_EXACT_SUM_BYTES];
    char text[2 * OF_EXACT_SUM_BYTES + 1] = "";
    size_t length = of_exact_sum_write(sum, bytes, sizeof bytes);
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, expected);
    assert_int_equal(of_exact_sum_write(sum, bytes, length - 1), 0);
}

static void
assert_answers(const struct of_exact_sum *sum, const struct answers *expected)
{
    char money[OF_EXACT_SUM_MONEY_BYTES];
    assert_same_double(of_exact_sum_round(sum), expected->sum);
    assert_same_double(of_exact_sum_average(sum, expected->divisor), expected->average);
    char *decimal = of_exact_sum_decimal(sum);
    assert_string_equal(decimal, expected->decimal);
    free(decimal);
    assert_int_equal(of_exact_sum_money(sum, money, sizeof money), strlen(expected->money));
    assert_string_equal(money, expected->money);
    assert_int_equal(of_exact_sum_is_zero(sum), strcmp(expected->decimal, "0") == 0);
    assert_canonical(sum, expected->canonical);
}

/* Writes, reads back over an older value, and compares everything again. */
static void
assert_round_trip(const struct of_exact_sum *sum, const struct answers *expected)
{
    uint8_t bytes[OF_EXACT_SUM_BYTES];
    struct of_exact_sum again = { 0 };
    of_exact_sum_add(&again, 1e300);
    size_t length = of_exact_sum_write(sum, bytes, sizeof bytes);
    assert_true(of_exact_sum_read(&again, of_slice_of(bytes, length)));
    assert_answers(&again, expected);
    of_exact_sum_fini(&again);
}

static void
hand_made_sums_match_exact_arithmetic(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hand_vectors); i++) {
        const struct hand_vector *vector = &hand_vectors[i];
        struct of_exact_sum sum;
        of_exact_sum_init(&sum);
        add_all(&sum, vector->values, vector->count);
        assert_answers(&sum, &vector->expected);
        assert_round_trip(&sum, &vector->expected);
        of_exact_sum_fini(&sum);
    }
}

static void
streams_match_in_every_order(void **state)
{
    (void)state;
    uint64_t numbers = 99;
    for (size_t i = 0; i < COUNT_OF(stream_vectors); i++) {
        const struct stream_vector *vector = &stream_vectors[i];
        double *values = make_stream(vector);
        for (int round = 0; round < 5; round++) {
            struct of_exact_sum sum = { 0 };
            add_all(&sum, values, vector->count);
            assert_answers(&sum, &vector->expected);
            assert_round_trip(&sum, &vector->expected);
            of_exact_sum_fini(&sum);
            shuffle(values, vector->count, &numbers);
        }
        free(values);
    }
}

/* Values dealt to seven sums, those joined in random order, some through copies. */
static void
merging_parts_gives_the_whole(void **state)
{
    (void)state;
    enum { PARTS = 7 };
    uint64_t numbers = 5;
    for (size_t i = 0; i < COUNT_OF(stream_vectors); i++) {
        const struct stream_vector *vector = &stream_vectors[i];
        double *values = make_stream(vector);
        struct of_exact_sum parts[PARTS] = { 0 };
        for (size_t v = 0; v < vector->count; v++)
            of_exact_sum_add(&parts[random_next(&numbers) % PARTS], values[v]);
        for (size_t left = PARTS; left > 1; left--) {
            size_t into = random_next(&numbers) % (left - 1);
            struct of_exact_sum copy = { 0 };
            of_exact_sum_copy(&copy, &parts[left - 1]);
            of_exact_sum_merge(&parts[into], &copy);
            of_exact_sum_fini(&copy);
            of_exact_sum_fini(&parts[left - 1]);
        }
        assert_answers(&parts[0], &vector->expected);
        of_exact_sum_fini(&parts[0]);
        free(values);
    }
}

static void
cancelling_everything_leaves_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(stream_vectors); i++) {
        double *values = make_stream(&stream_vectors[i]);
        struct of_exact_sum sum = { 0 };
        add_all(&sum, values, stream_vectors[i].count);
        for (size_t v = 0; v < stream_vectors[i].count; v++)
            of_exact_sum_add(&sum, -values[v]);
        assert_true(of_exact_sum_is_zero(&sum));
        assert_canonical(&sum, "00");
        of_exact_sum_fini(&sum);
        free(values);
    }
}

static void
usual_prices_need_no_heap(void **state)
{
    (void)state;
    struct of_exact_sum sum = { 0 };
    for (int cents = 1; cents <= 200000; cents++)
        of_exact_sum_add(&sum, (double)((float)cents / 100.0f));
    of_exact_sum_add(&sum, 0x1.fffffep-40); /* few bits, though small */
    assert_null(sum.wide);
    of_exact_sum_add(&sum, 1e-30);
    assert_non_null(sum.wide);
    of_exact_sum_fini(&sum);
    assert_null(sum.wide);
}

/* A window that overflows again and again, upwards and downwards. */
static void
full_windows_spill(void **state)
{
    (void)state;
    struct of_exact_sum sum = { 0 };
    for (int i = 0; i < 3000000; i++)
        of_exact_sum_add(&sum, i % 3 == 0 ? -0x1.8p53 : 0x1p53);
    assert_same_double(of_exact_sum_round(&sum), 500000 * 0x1p53);
    of_exact_sum_fini(&sum);
}

/* Settling: more doublings than a place has spare bits. */
static void
doubling_by_merge_stays_exact(void **state)
{
    (void)state;
    struct of_exact_sum sum = { 0 }, copy = { 0 };
    of_exact_sum_add(&sum, -0x1.23456789abcdep-1000);
    for (int i = 0; i < 2000; i++) {
        of_exact_sum_copy(&copy, &sum);
        of_exact_sum_merge(&sum, &copy);
    }
    assert_same_double(of_exact_sum_round(&sum), -0x1.23456789abcdep+1000);
    of_exact_sum_fini(&copy);
    of_exact_sum_fini(&sum);
}

static void
copies_are_independent(void **state)
{
    (void)state;
    struct of_exact_sum a = { 0 }, b = { 0 };
    of_exact_sum_add(&a, 1e-300);
    of_exact_sum_copy(&b, &a);
    of_exact_sum_add(&a, 1.0);
    assert_same_double(of_exact_sum_round(&b), 1e-300);
    of_exact_sum_fini(&a);
    of_exact_sum_copy(&b, &a);
    assert_true(of_exact_sum_is_zero(&b));
    of_exact_sum_fini(&b);
}

static void
money_that_does_not_fit_is_not_cut(void **state)
{
    (void)state;
    struct of_exact_sum sum = { 0 };
    char text[8] = "before";
    of_exact_sum_add(&sum, 12345.67);
    assert_int_equal(of_exact_sum_money(&sum, text, 8), 0);
    assert_string_equal(text, "");
    of_exact_sum_add(&sum, -10000);
    assert_int_equal(of_exact_sum_money(&sum, text, 8), 7);
    assert_string_equal(text, "2345.67");
}

static void
bytes_that_are_not_canonical_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t length;
        uint8_t bytes[8];
    } bad[] = {
        { 0, { 0 } },
        { 1, { 1 } },
        { 2, { 0, 0 } },
        { 3, { 1, 0, 0 } },
        { 4, { 0, 0, 0, 5 } },
        { 4, { 3, 0, 0, 5 } },
        { 4, { 1, 0, 0, 0 } },
        { 5, { 1, 0, 0, 0, 5 } },             /* superfluous leading zero */
        { 5, { 1, 0, 0, 5, 0 } },             /* superfluous trailing zero */
        { 4, { 1, 0xff, 0x78, 0x01 } },       /* 256^-136: below the smallest double */
        { 4, { 1, 0xff, 0x77, 0x01 } },       /* 256^-137 */
        { 4, { 1, 0x80, 0x00, 0x01 } },       /* 256^-32768 */
        { 4, { 1, 0x7f, 0xff, 0x01 } },       /* 256^32767 */
        { 4, { 1, 0x00, 0x87, 0x80 } },       /* 2^1087 */
        { 5, { 1, 0xff, 0x78, 0x01, 0x20 } }, /* finer than the smallest double */
    };
    struct of_exact_sum sum = { 0 };
    of_exact_sum_add(&sum, 7);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(of_exact_sum_read(&sum, of_slice_of(bad[i].bytes, bad[i].length)));
    assert_false(of_exact_sum_read(&sum, of_slice_of(NULL, 0)));
    uint8_t huge[OF_EXACT_SUM_BYTES + 1];
    memset(huge, 1, sizeof huge);
    assert_false(of_exact_sum_read(&sum, of_slice_of(huge, sizeof huge)));
    assert_same_double(of_exact_sum_round(&sum), 7);
}

/* Random bytes with a plausible head: whatever is accepted must be written back as the very same bytes. */
static void
accepted_bytes_are_canonical(void **state)
{
    (void)state;
    uint64_t numbers = 17;
    unsigned accepted = 0;
    for (int i = 0; i < 100000; i++) {
        uint8_t bytes[40], again[OF_EXACT_SUM_BYTES];
        struct of_exact_sum sum = { 0 };
        size_t length = 1 + random_next(&numbers) % sizeof bytes;
        for (size_t b = 0; b < length; b++)
            bytes[b] = (uint8_t)random_next(&numbers);
        int16_t exponent = (int16_t)(random_next(&numbers) % 280) - 140;
        bytes[0] = (uint8_t)(random_next(&numbers) % 4);
        if (length > 2) {
            bytes[1] = (uint8_t)((uint16_t)exponent >> 8);
            bytes[2] = (uint8_t)exponent;
        }
        if (of_exact_sum_read(&sum, of_slice_of(bytes, length))) {
            accepted++;
            assert_int_equal(of_exact_sum_write(&sum, again, sizeof again), length);
            assert_memory_equal(again, bytes, length);
        }
        of_exact_sum_fini(&sum);
    }
    assert_true(accepted > 10000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hand_made_sums_match_exact_arithmetic),
        cmocka_unit_test(streams_match_in_every_order),
        cmocka_unit_test(merging_parts_gives_the_whole),
        cmocka_unit_test(cancelling_everything_leaves_zero),
        cmocka_unit_test(usual_prices_need_no_heap),
        cmocka_unit_test(full_windows_spill),
        cmocka_unit_test(doubling_by_merge_stays_exact),
        cmocka_unit_test(copies_are_independent),
        cmocka_unit_test(money_that_does_not_fit_is_not_cut),
        cmocka_unit_test(bytes_that_are_not_canonical_are_refused),
        cmocka_unit_test(accepted_bytes_are_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
