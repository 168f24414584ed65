#include "order/failure.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Worked out by another program from docs/simulated-failures.md alone. */
static const struct {
    uint64_t seed;
    const char *topic;
    int32_t partition;
    int64_t offset;
    uint32_t attempt;
    uint64_t hash;
} vectors[] = {
    { 1, "orders", 0, 0, 1, UINT64_C(0x418e8223a727fd7a) },
    { 1, "orders", 0, 0, 2, UINT64_C(0x7b54b05e86e5a2f5) },
    { 1, "orders", 2, 41, 1, UINT64_C(0xae26be18e0a5c462) },
    { 1, "orders", 2, 41, 4, UINT64_C(0x5766dd90d60f9ef4) },
    { 42, "orders", 1, 123456789012, 3, UINT64_C(0x26f9fcbd25121ce8) },
    { UINT64_MAX, "orders-retry", INT32_MAX, INT64_MAX, 1, UINT64_C(0xac0fa6c4c14a07eb) },
    { 0, "", 0, 0, 0, UINT64_C(0x5d35c075360ed291) },
};

static void
hashes_are_the_published_ones(void **state)
{
    (void)state;
    assert_int_equal(of_failure_mix(0), 0);
    assert_int_equal(of_failure_mix(UINT64_C(0x9e3779b97f4a7c15)), UINT64_C(0xe220a8397b1dcdaf));
    assert_int_equal(of_fnv1a64(of_slice_str("")), UINT64_C(0xcbf29ce484222325));
    assert_int_equal(of_fnv1a64(of_slice_str("a")), UINT64_C(0xaf63dc4c8601ec8c));
    assert_int_equal(of_fnv1a64(of_slice_str("orders")), UINT64_C(0x00125d9250be8b4c));
}

/* A rate just above the number fails, the number itself does not. */
static void
thresholds_are_sharp(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint64_t topic = of_fnv1a64(of_slice_str(vectors[i].topic));
        uint64_t seed = vectors[i].seed;
        int32_t partition = vectors[i].partition;
        int64_t offset = vectors[i].offset;
        uint32_t attempt = vectors[i].attempt;
        double number = (double)(vectors[i].hash >> 11) * 0x1p-53;
        double above = (double)((vectors[i].hash >> 11) + 1) * 0x1p-53;
        assert_false(of_failure_simulated(seed, topic, partition, offset, attempt, number));
        assert_true(of_failure_simulated(seed, topic, partition, offset, attempt, above));
        assert_true(of_failure_at(of_failure_prefix(seed, topic, partition), offset, attempt, above));
        assert_false(of_failure_at(of_failure_prefix(seed, topic, partition), offset, attempt, number));
    }
}

static void
the_failing_offsets_are_the_published_ones(void **state)
{
    (void)state;
    static const int64_t failing[4][8] = {
        { 3, 6, 24, 34, 36, 48, -1 },
        { 5, 17, 22, 28, 32, 33, 34, 42 },
        { 1, 6, 16, 46, 54, -1 },
        { 34, 40, 44, 49, -1 },
    };
    uint64_t prefix = of_failure_prefix(1, of_fnv1a64(of_slice_str("orders")), 0);
    for (uint32_t attempt = 1; attempt <= 4; attempt++) {
        size_t next = 0;
        for (int64_t offset = 0; offset < 60; offset++) {
            bool expected = next < 8 && failing[attempt - 1][next] == offset;
            next += expected;
            assert_int_equal(of_failure_at(prefix, offset, attempt, 0.1), expected);
        }
    }
}

static void
rates_zero_and_one_are_certain(void **state)
{
    (void)state;
    uint64_t prefix = of_failure_prefix(7, 0, 3);
    for (int64_t offset = 0; offset < 10000; offset++) {
        assert_false(of_failure_at(prefix, offset, 1, 0.0));
        assert_true(of_failure_at(prefix, offset, 1, 1.0));
    }
}

static void
rates_are_met(void **state)
{
    (void)state;
    uint64_t topic = of_fnv1a64(of_slice_str("orders"));
    unsigned failed = 0;
    for (int32_t partition = 0; partition < 3; partition++)
        for (int64_t offset = 0; offset < 1000; offset++)
            failed += of_failure_simulated(1, topic, partition, offset, 1, 0.1);
    assert_int_equal(failed, 303);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_the_published_ones),
        cmocka_unit_test(thresholds_are_sharp),
        cmocka_unit_test(the_failing_offsets_are_the_published_ones),
        cmocka_unit_test(rates_zero_and_one_are_certain),
        cmocka_unit_test(rates_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
