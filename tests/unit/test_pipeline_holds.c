/* What is told of a partition that is held, and what it takes to go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "order/cause.h"
#include "registry/mock.h"
#include "support/world.h"

/* The next thing that is told of holds is this one, of partition 0 of the orders. */
static void
expect_held(struct world *world, enum of_cause cause, int64_t offset)
{
    struct of_event event;
    assert_true(world_take_event(world, 0, OF_EVENT_HELD, &event));
    assert_int_equal(event.partition, 0);
    assert_string_equal(event.topic, of_memory_topic_name(OF_MEMORY_ORDERS));
    assert_int_equal(event.cause, cause);
    assert_int_equal(event.offset, offset);
}

static void
expect_silence(struct world *world)
{
    struct of_event event;
    assert_false(world_take_event(world, 0, OF_EVENT_HELD, &event));
}

static int64_t
committed(struct world *world, uint32_t partition)
{
    return of_memory_committed(world->cluster, OF_MEMORY_ORDERS, partition);
}

static void
stop_and_check(struct world *world, int orders)
{
    struct of_totals totals;
    struct orders_expected expected;
    world_stop_total(world, &totals);
    world_expect(world, orders, &expected);
    orders_check(&totals, &expected);
    orders_expected_fini(&expected);
    of_totals_fini(&totals);
    world_destroy(world);
}

/* However often it is tried again: once for each cause in a row, and once when it is over. */
static void
test_another_cause_is_told(void **state)
{
    (void)state;
    struct world world;
    struct of_event event;
    world_create(&world, &(struct world_options) { .partitions = 1, .events = true });
    of_registry_mock_inject(world.registry, 503, NULL, OF_MOCK_FOREVER);
    world_append_orders(&world, 0, 10);
    world_start(&world);
    world_pass_ms(&world, 20000);
    expect_held(&world, OF_CAUSE_REGISTRY_UNAVAILABLE, 0);
    expect_silence(&world);
    of_registry_mock_inject(world.registry, 403, NULL, OF_MOCK_FOREVER);
    world_pass_ms(&world, 20000);
    expect_held(&world, OF_CAUSE_REGISTRY_DENIED, 0);
    expect_silence(&world);
    of_registry_mock_inject(world.registry, 503, NULL, OF_MOCK_FOREVER);
    world_pass_ms(&world, 20000);
    expect_held(&world, OF_CAUSE_REGISTRY_UNAVAILABLE, 0);
    expect_silence(&world);
    of_registry_mock_inject(world.registry, 0, NULL, 0);
    world_run_to_end(&world, 10000);
    assert_true(world_take_event(&world, 0, OF_EVENT_RESUMED, &event));
    assert_false(world_take_event(&world, 0, OF_EVENT_RESUMED, &event));
    stop_and_check(&world, 10);
}

/* The source would read on there. What it finds are other records: the topic was made anew. */
static void
test_a_place_that_is_gone_stays_gone(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 2, .events = true });
    world_append_orders(&world, 0, 20);
    world_start(&world);
    world_run_to_end(&world, 1000);
    of_memory_break(world.cluster, OF_MEMORY_ORDERS, 0, OF_CAUSE_OFFSET_OUT_OF_RANGE);
    world_pass_ms(&world, 100);
    expect_held(&world, OF_CAUSE_OFFSET_OUT_OF_RANGE, 10);
    world_append_orders(&world, 20, 20);
    world_pass_ms(&world, 60000);
    assert_int_equal(committed(&world, 0), 10);
    assert_int_equal(committed(&world, 1), 20);
    expect_silence(&world);
    of_memory_revoke(world.cluster, 0);
    world_pass_ms(&world, 500);
    of_memory_assign(world.cluster, 0);
    world_pass_ms(&world, 60000);
    assert_int_equal(committed(&world, 0), 10);
    expect_held(&world, OF_CAUSE_OFFSET_OUT_OF_RANGE, 10);
    world_append_orders(&world, 40, 2);
    world_pass_ms(&world, 1000);
    assert_int_equal(committed(&world, 1), 21);
    world_destroy(&world);
}

/* The hold is the process's, not the lane's. */
static void
test_a_place_that_is_gone_stays_gone_in_another_lane(void **state)
{
    (void)state;
    struct world world;
    struct of_event event;
    world_create(&world, &(struct world_options) { .partitions = 2, .lanes = 2, .events = true });
    world_append_orders(&world, 0, 20);
    world_start(&world);
    world_run_to_end(&world, 1000);
    of_memory_break(world.cluster, OF_MEMORY_ORDERS, 0, OF_CAUSE_OFFSET_OUT_OF_RANGE);
    world_pass_ms(&world, 100);
    expect_held(&world, OF_CAUSE_OFFSET_OUT_OF_RANGE, 10);
    for (uint32_t lane = 0; lane < 2; lane++)
        of_memory_revoke(world.cluster, lane);
    world_pass_ms(&world, 500);
    of_memory_shift_lanes(world.cluster);
    for (uint32_t lane = 0; lane < 2; lane++)
        of_memory_assign(world.cluster, lane);
    world_append_orders(&world, 20, 20);
    world_pass_ms(&world, 60000);
    assert_int_equal(committed(&world, 0), 10);
    assert_int_equal(committed(&world, 1), 20);
    expect_silence(&world);
    assert_true(world_take_event(&world, 1, OF_EVENT_HELD, &event));
    assert_int_equal(event.partition, 0);
    assert_int_equal(event.cause, OF_CAUSE_OFFSET_OUT_OF_RANGE);
    assert_int_equal(event.offset, 10);
    world_destroy(&world);
}

/* Where state is refused, what was recorded before may be gone with the topic: the partition goes on from what is there. */
static void
test_refused_state_is_read_again(void **state)
{
    (void)state;
    for (int exactly_once = 0; exactly_once < 2; exactly_once++) {
        struct world world;
        world_create(&world, &(struct world_options) { .partitions = 1, .events = true, .exactly_once = exactly_once });
        world_append_orders(&world, 0, 10);
        world_start(&world);
        world_run_to_end(&world, 1000);
        of_memory_fail_letters(world.cluster, OF_MEMORY_AGGREGATES, 1, OF_RETRY, !exactly_once);
        of_memory_restorer_fail(&world.restorers[0], 1000000, OF_RETRY);
        world_append_orders(&world, 10, 10);
        world_pass_ms(&world, 20000);
        expect_held(&world, OF_CAUSE_STATE_REFUSED, 20);
        expect_held(&world, OF_CAUSE_RESTORE_FAILED, 20);
        expect_silence(&world);
        assert_int_equal(committed(&world, 0), 10);
        of_memory_restorer_fail(&world.restorers[0], 1000000, OF_POISON);
        world_pass_ms(&world, 20000);
        expect_held(&world, OF_CAUSE_STATE_MISMATCH, 20);
        assert_int_equal(committed(&world, 0), 10);
        of_memory_restorer_fail(&world.restorers[0], 0, OF_OK);
        world_run_to_end(&world, 20000);
        stop_and_check(&world, 20);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_cause_is_told),
        cmocka_unit_test(test_a_place_that_is_gone_stays_gone),
        cmocka_unit_test(test_a_place_that_is_gone_stays_gone_in_another_lane),
        cmocka_unit_test(test_refused_state_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
