/* The whole pipeline on its real threads and its real clients, against the embedded cluster: what a quiet run must come
 * to. What goes wrong on the way: test_pipeline_outages.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "embedded/member.h"
#include "kafka/end_check.h"
#include "registry/mock.h"

enum { LIMIT_MS = 40000 };

/* Every letter stands in its topic once. */
static void
check_letters(struct shop *shop, const struct of_totals *totals)
{
    assert_int_equal(shop_count(shop, shop->fixture.options.retry_topic), totals->retry_attempts);
    assert_int_equal(shop_count(shop, shop->fixture.options.dead_letter_topic), totals->dead_letters);
}

/* ---- counting ---- */

static void
test_counts_every_order_once_whatever_the_threads(void **state)
{
    (void)state;
    static const struct member_options layouts[] = {
        { .lanes = 1, .decode_threads = 1, .process_threads = 1, .aggregate_threads = 1, .failure_rate = 0.1 },
        { .lanes = 1, .failure_rate = 0.1 },
        { .lanes = 2, .decode_threads = 2, .process_threads = 1, .aggregate_threads = 2, .failure_rate = 0.1 },
        { .lanes = 2, .decode_threads = 0, .process_threads = 2, .aggregate_threads = 0, .failure_rate = 0.3 },
    };
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        struct shop shop;
        struct member member;
        struct of_totals totals;
        of_totals_init(&totals);
        shop_open(&shop);
        if (layouts[i].lanes == 1)
            shop_write_orders(&shop, 0, 3000);
        member_start(&member, &shop, &layouts[i]);
        member_wait_for_lanes(&member, LIMIT_MS);
        if (layouts[i].lanes > 1)
            shop_write_orders(&shop, 0, 3000);
        member_wait_for_orders(&member, 1000, LIMIT_MS);
        shop_write_orders(&shop, 3000, 2000);
        shop_wait_for_end(&shop, LIMIT_MS);
        member_stop(&member, &totals);
        member_check(&member, &totals, 5000);
        check_letters(&shop, &totals);
        of_totals_fini(&totals);
        shop_close(&shop);
    }
}

/* Stopped in the middle, with retries waiting in their topic; the next run finishes, and knows when it has. */
static void
test_a_second_run_goes_on_where_the_first_stopped(void **state)
{
    (void)state;
    const struct member_options options = { .decode_threads = 1, .failure_rate = 0.2, .retry_delay_ms = 2000 };
    struct shop shop;
    struct member member;
    struct of_totals totals;
    struct of_end_check *check;
    struct of_error err;
    of_totals_init(&totals);
    shop_open(&shop);
    shop_write_orders(&shop, 0, 3000);
    member_start(&member, &shop, &options);
    member_wait_for_committed(&member, 1, LIMIT_MS);
    member_stop(&member, &totals);
    assert_true(totals.orders_processed > 0 && totals.orders_processed < 3000);
    assert_true(shop_lag(&shop) > 0);

    shop_write_orders(&shop, 3000, 1000);
    member_start(&member, &shop, &options);
    assert_int_equal(of_end_check_open(&shop.fixture.options, FIXTURE_PARTITIONS, FIXTURE_PARTITIONS, &check, &err),
                     OF_OK);
    int64_t until_ms = test_now_ms() + LIMIT_MS;
    while (of_end_check_step(check, &err) != OF_OK) {
        assert_true(test_now_ms() < until_ms);
        usleep(50000);
    }
    of_end_check_close(&check);
    member_stop(&member, &totals);
    assert_int_equal(shop_lag(&shop), 0);
    member_check(&member, &totals, 4000);
    check_letters(&shop, &totals);
    of_totals_fini(&totals);
    shop_close(&shop);
}

/* ---- retries and dead letters ---- */

/* Both orders go the same way through one retry partition: the second's first attempt lies before the first's second. */
static void
test_a_retry_waits_its_time_and_nothing_else_does(void **state)
{
    (void)state;
    enum { DELAY_MS = 1500 };
    struct shop shop;
    struct member member;
    struct letters letters;
    shop_open(&shop);
    member_start(&member, &shop, &(struct member_options) { .failure_rate = 1.0, .max_retries = 1,
                                                            .retry_delay_ms = DELAY_MS });
    for (int number = 0; number < 2; number++) {
        char id[16];
        uint8_t value[ORDERS_VALUE_BYTES];
        size_t length = orders_encode_number(shop.schema_id, number, id, value);
        shop_write(&shop, 3, of_slice_str(id), of_slice_of(value, length));
        shop_flush(&shop);
        for (int i = 0; i < 10000 && member_live_retries(&member) <= (uint64_t)number; i++)
            usleep(1000);
    }
    shop_wait_for_end(&shop, LIMIT_MS);
    letters_open(&letters, &shop, "orders-dlq");
    assert_int_equal(letters.count, 2);
    int64_t first_failed_ms[2], last_failed_ms[2];
    for (size_t i = 0; i < 2; i++) {
        assert_true(of_slice_equal(letters_key(&letters, i), of_slice_str(i == 0 ? "0" : "1")));
        assert_int_equal(letters_partition(&letters, i), 3);
        assert_int_equal(letters_number(&letters, i, "__orderflow.errors.attempts"), 2);
        assert_int_equal(letters_number(&letters, i, "__orderflow.errors.partition"), 3);
        assert_int_equal(letters_number(&letters, i, "__orderflow.errors.offset"), i);
        first_failed_ms[i] = letters_number(&letters, i, "__orderflow.errors.first_failed");
        last_failed_ms[i] = letters_number(&letters, i, "__orderflow.errors.last_failed");
        int64_t waited_ms = last_failed_ms[i] - first_failed_ms[i];
        if (waited_ms < DELAY_MS || waited_ms > DELAY_MS + 1000)
            fail_msg("retried after %d ms", (int)waited_ms);
    }
    assert_true(first_failed_ms[1] < last_failed_ms[0]);
    letters_close(&letters);
    struct of_totals totals;
    of_totals_init(&totals);
    member_stop(&member, &totals);
    assert_int_equal(totals.orders_processed, 0);
    assert_int_equal(totals.retry_attempts, 2);
    assert_int_equal(totals.dead_letters, 2);
    of_totals_fini(&totals);
    shop_close(&shop);
}

static void
test_poison_is_dead_at_once_with_its_cause(void **state)
{
    (void)state;
    static const uint8_t magic[] = { 7, 0, 0, 0, 1, 2, 'a', 2, 'b', 0, 0, 0, 0 };
    static const uint8_t unknown[] = { 0, 0, 0, 0, 99, 2, 'a', 2, 'b', 0, 0, 0, 0 };
    static const uint8_t trailing[] = { 0, 0, 0, 0, 1, 2, 'a', 2, 'b', 0, 0, 0, 0, 0 };
    static const uint8_t forged[] = { 0, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 'a' };
    static const uint8_t unusable[] = { 0, 0, 0, 0, 2, 2, 'a' };
    static const uint8_t not_a_number[] = { 0, 0, 0, 0, 1, 2, 'a', 2, 'b', 0, 0, 0xc0, 0x7f };
    static const struct {
        struct of_slice value;
        const char *cause;
    } poison[] = {
        { { NULL, 0 }, "null_value" },
        { { magic, 0 }, "bad_framing" },
        { { magic, sizeof magic }, "bad_framing" },
        { { trailing, sizeof trailing }, "undecodable" },
        { { forged, sizeof forged }, "undecodable" },
        { { unknown, sizeof unknown }, "unknown_schema" },
        { { unusable, sizeof unusable }, "unresolvable_schema" },
        { { not_a_number, sizeof not_a_number }, "invalid_value" },
    };
    enum { COUNT = sizeof poison / sizeof *poison };
    struct shop shop;
    struct member member;
    struct letters letters;
    struct of_totals totals;
    of_totals_init(&totals);
    shop_open(&shop);
    assert_int_equal(of_registry_mock_register(shop.registry, "{\"type\":\"record\",\"name\":\"X\",\"fields\":[]}"), 2);
    for (int i = 0; i < COUNT; i++)
        shop_write(&shop, 2, of_slice_str("key"), poison[i].value);
    shop_write_orders(&shop, 0, 400);
    member_start(&member, &shop, &(struct member_options) { .decode_threads = 1 });
    shop_wait_for_end(&shop, LIMIT_MS);
    letters_open(&letters, &shop, "orders-dlq");
    assert_int_equal(letters.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(letters_partition(&letters, i), 2);
        assert_true(of_slice_equal(letters_key(&letters, i), of_slice_str("key")));
        assert_true(of_slice_equal(letters_value(&letters, i), poison[i].value));
        assert_true(of_slice_equal(letters_header(&letters, i, "__orderflow.errors.cause"),
                                   of_slice_str(poison[i].cause)));
        assert_int_equal(letters_number(&letters, i, "__orderflow.errors.attempts"), 0);
        assert_int_equal(letters_number(&letters, i, "__orderflow.errors.offset"), i);
        assert_true(letters_number(&letters, i, "__orderflow.errors.timestamp") > 0);
    }
    letters_close(&letters);
    member_stop(&member, &totals);
    assert_int_equal(totals.orders_processed, 400);
    assert_int_equal(totals.dead_letters, COUNT);
    assert_int_equal(totals.retry_attempts, 0);
    of_totals_fini(&totals);
    shop_close(&shop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_every_order_once_whatever_the_threads),
        cmocka_unit_test(test_a_second_run_goes_on_where_the_first_stopped),
        cmocka_unit_test(test_a_retry_waits_its_time_and_nothing_else_does),
        cmocka_unit_test(test_poison_is_dead_at_once_with_its_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
