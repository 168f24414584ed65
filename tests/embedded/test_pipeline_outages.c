/* The whole pipeline against the embedded cluster while the registry or the broker is away and members come and go.
 *
 * What the cluster is not: it refuses commits from the moment a member joins or leaves, where a broker takes them until
 * the others have answered, and it knows no idempotent producers. Orders count once all the same, but letters can be
 * written twice; so orders do not fail where partitions change hands or connections break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "embedded/member.h"
#include "registry/mock.h"

enum { LIMIT_MS = 40000 };

/* Records of a schema that cannot be asked for stand in partition 1, with many known ones before, between and behind. */
static void
test_registry_down_holds_only_the_partition_that_needs_it(void **state)
{
    (void)state;
    struct shop shop;
    struct member member;
    struct of_pipeline_progress progress;
    shop_open(&shop);
    shop_write_orders(&shop, 0, 400);
    member_start(&member, &shop, &(struct member_options) { .decode_threads = 1, .aggregate_threads = 1 });
    member_wait_for_orders(&member, 400, LIMIT_MS);

    uint32_t second = of_registry_mock_register(
        shop.registry, "{\"type\":\"record\",\"name\":\"Order2\",\"fields\":["
                       "{\"name\":\"orderId\",\"type\":\"string\"},{\"name\":\"product\",\"type\":\"string\"},"
                       "{\"name\":\"price\",\"type\":\"float\"}]}");
    of_registry_mock_inject(shop.registry, OF_MOCK_SILENT, NULL, OF_MOCK_FOREVER);
    uint8_t value[ORDERS_VALUE_BYTES];
    for (int round = 0; round < 3; round++) {
        size_t length = orders_encode(second, "new", "Desk", 2.0F, value, sizeof value);
        shop_write(&shop, 1, of_slice_str("new"), of_slice_of(value, length));
        shop_write_orders(&shop, 400 + 2000 * round, 2000);
    }
    member_wait_for_orders(&member, 400 + 4500, LIMIT_MS); /* three of four partitions */
    shop_write_orders(&shop, 6400, 400);                   /* goes on while one is held */
    member_wait_for_orders(&member, 400 + 4500 + 300, LIMIT_MS);
    usleep(300000);
    assert_int_equal(member_live_orders(&member), 5200);
    /* For a moment, whenever it is tried again, it is not held. */
    for (int waited_ms = 0; waited_ms < LIMIT_MS; waited_ms++) {
        member_progress(&member, &progress);
        if (progress.held == 1)
            break;
        usleep(1000);
    }
    assert_int_equal(progress.held, 1);
    assert_int_equal(shop_count(&shop, "orders-dlq"), 0);

    of_registry_mock_inject(shop.registry, 0, NULL, 0);
    shop_wait_for_end(&shop, LIMIT_MS);
    assert_int_equal(member_live_orders(&member), 6803);
    member_progress(&member, &progress);
    assert_int_equal(progress.held, 0);
    struct of_totals totals;
    of_totals_init(&totals);
    member_stop(&member, &totals);
    assert_int_equal(totals.orders_processed, 6803);
    assert_int_equal(totals.dead_letters, 0);
    of_totals_fini(&totals);
    shop_close(&shop);
}

/* Short enough to stay a member, then so long that the group has given the member up. */
static void
test_the_broker_goes_down_and_comes_back(void **state)
{
    (void)state;
    static const int outages_ms[] = { 700, 4500 };
    struct shop shop;
    struct member member;
    shop_open(&shop);
    shop_write_orders(&shop, 0, 1000);
    member_start(&member, &shop, &(struct member_options) { .lanes = 1, .decode_threads = 1 });
    member_wait_for_orders(&member, 1000, LIMIT_MS);
    int written = 1000;
    for (size_t i = 0; i < sizeof outages_ms / sizeof *outages_ms; i++) {
        shop_write_orders(&shop, written, 3000);
        written += 3000;
        of_embedded_set_up(shop.fixture.cluster, false);
        usleep((useconds_t)outages_ms[i] * 1000);
        of_embedded_set_up(shop.fixture.cluster, true);
        shop_wait_for_end(&shop, LIMIT_MS);
        assert_int_equal(member_live_orders(&member), written);
    }
    struct of_totals totals;
    of_totals_init(&totals);
    member_stop_last(&member, &totals);
    member_check(&member, &totals, written);
    of_totals_fini(&totals);
    shop_close(&shop);
}

/* ---- members ---- */

/* Orders keep coming while a second member joins and leaves: the first gives everything up twice and gets all back. */
static void
test_a_second_member_joins_and_leaves(void **state)
{
    (void)state;
    const struct member_options options = { .decode_threads = 1, .process_threads = 1, .aggregate_threads = 1,
                                            .commit_interval_ms = 50 };
    struct shop shop;
    struct member first, second;
    struct of_totals totals;
    of_totals_init(&totals);
    shop_open(&shop);
    shop_write_orders(&shop, 0, 2000);
    member_start(&first, &shop, &options);
    member_wait_for_orders(&first, 100, LIMIT_MS);
    member_start(&second, &shop, &options);
    int written = 2000;
    int64_t until_ms = test_now_ms() + LIMIT_MS;
    for (; member_committed_orders(&second) < 500; written += 100) {
        assert_true(test_now_ms() < until_ms);
        shop_write_orders(&shop, written, 100);
        usleep(10000);
    }
    struct of_pipeline_progress progress;
    member_progress(&second, &progress);
    assert_int_equal(progress.slots, FIXTURE_PARTITIONS); /* half of orders and retry */
    shop_write_orders(&shop, written, 1000);
    written += 1000;
    member_stop(&second, &totals);
    assert_true(totals.orders_processed >= 500);
    shop_write_orders(&shop, written, 1000);
    written += 1000;
    shop_wait_for_end(&shop, LIMIT_MS);
    of_totals_fini(&totals);
    of_totals_init(&totals);
    member_stop_last(&first, &totals);
    member_check(&first, &totals, written);
    of_totals_fini(&totals);
    shop_close(&shop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry_down_holds_only_the_partition_that_needs_it),
        cmocka_unit_test(test_the_broker_goes_down_and_comes_back),
        cmocka_unit_test(test_a_second_member_joins_and_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
