/* The whole pipeline on real threads, on the cluster in memory: whatever the thread counts, and while partitions are
 * revoked, lost and refused, every order counts once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/world.h"

enum { ORDERS = 12000 };

static void
test_thread_counts(void **state)
{
    (void)state;
    static const uint32_t counts[][4] = { /* lanes, decode, process, aggregate */
        { 1, 1, 1, 1 }, { 1, 0, 0, 0 }, { 2, 1, 1, 1 }, { 2, 2, 2, 2 }, { 3, 4, 1, 2 }, { 1, 4, 4, 4 }, { 3, 0, 2, 0 },
        { 2, 2, 0, 0 },
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct world world;
        world_create(&world, &(struct world_options) {
            .threads = true,
            .partitions = 7,
            .lanes = counts[i][0],
            .decode_threads = counts[i][1],
            .process_threads = counts[i][2],
            .aggregate_threads = counts[i][3],
            .failure_rate = 0.1,
            .retry_delay_ms = 20,
        });
        world_start(&world);
        for (int at = 0; at < ORDERS; at += 1000)
            world_append_orders(&world, at, 1000);
        world_run_to_end(&world, 60000);
        assert_int_equal(world_live_orders(&world) + world_dead_count(&world), ORDERS);
        world_stop_and_check(&world, ORDERS);
        world_destroy(&world);
    }
}

/* A few orders at a time: threads sleep, wake, and stand in for each other. */
static void
test_a_trickle(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) {
        .threads = true, .partitions = 6, .lanes = 2, .decode_threads = 1, .process_threads = 2, .aggregate_threads = 1,
        .failure_rate = 0.1, .retry_delay_ms = 10 });
    world_start(&world);
    for (int round = 0; round < 800; round++) {
        world_append_orders(&world, 15 * round, 15);
        world_pass_ms(&world, 1);
    }
    world_run_to_end(&world, 60000);
    world_stop_and_check(&world, ORDERS);
    world_destroy(&world);
}

/* What a live view reads meanwhile. */
static void
look(struct world *world, uint64_t appended)
{
    struct of_totals totals;
    struct of_pipeline_progress progress;
    struct of_stage_load loads[OF_STAGE_LOADS_MAX];
    of_pipeline_progress(world->pipeline, &progress);
    assert_in_range(of_pipeline_loads(world->pipeline, loads, OF_STAGE_LOADS_MAX), 5, OF_STAGE_LOADS_MAX);
    of_totals_init(&totals);
    of_pipeline_add_run_totals(world->pipeline, &totals);
    assert_true(totals.orders_processed <= appended);
    uint64_t orders = 0;
    for (size_t i = 0; i < totals.row_count; i++)
        orders += totals.rows[i].orders_processed;
    assert_int_equal(orders, totals.orders_processed);
    of_totals_fini(&totals);
}

static void
test_partitions_come_and_go(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) {
        .threads = true, .partitions = 6, .lanes = 2, .decode_threads = 2, .process_threads = 1, .aggregate_threads = 2,
        .failure_rate = 0.1, .retry_delay_ms = 10 });
    world_start(&world);
    for (int round = 0; round < 60; round++) {
        uint32_t lane = (uint32_t)round % 2;
        world_append_orders(&world, 200 * round, 200);
        of_memory_revoke(world.cluster, lane);
        look(&world, 200 * ((uint64_t)round + 1));
        world_pass_ms(&world, round % 7);
        of_memory_assign(world.cluster, lane);
        world_pass_ms(&world, round % 5);
    }
    world_run_to_end(&world, 60000);
    world_stop_and_check(&world, 12000);
    world_destroy(&world);
}

/* Lost partitions and refused commits take back what was counted; letters of the lost time may be written twice, so
 * without failures the totals must be exact. */
static void
test_partitions_are_lost(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) {
        .threads = true, .partitions = 6, .lanes = 2, .decode_threads = 1, .process_threads = 1,
        .aggregate_threads = 1 });
    world_start(&world);
    for (int round = 0; round < 40; round++) {
        uint32_t lane = (uint32_t)round % 2;
        world_append_orders(&world, 300 * round, 300);
        world_pass_ms(&world, round % 9);
        if (round % 3 == 0)
            of_memory_fail_commits(world.cluster, 1, round % 2 == 0 ? OF_ABORT : OF_RETRY);
        of_memory_lose(world.cluster, lane);
        look(&world, 300 * ((uint64_t)round + 1));
        world_pass_ms(&world, round % 4);
        of_memory_assign(world.cluster, lane);
    }
    world_run_to_end(&world, 60000);
    world_stop_and_check(&world, 12000);
    world_destroy(&world);
}

static void
test_letters_are_refused(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) {
        .threads = true, .partitions = 4, .lanes = 2, .decode_threads = 1, .process_threads = 1,
        .aggregate_threads = 1, .failure_rate = 0.2, .retry_delay_ms = 10 });
    of_memory_limit_queue(world.cluster, 50);
    world_start(&world);
    for (int round = 0; round < 20; round++) {
        world_append_orders(&world, 400 * round, 400);
        of_memory_fail_letters(world.cluster, round % 2 ? OF_MEMORY_RETRY : OF_MEMORY_DEAD, 3, OF_RETRY, round % 3 == 0);
        world_pass_ms(&world, 20);
    }
    of_memory_fail_letters(world.cluster, OF_MEMORY_RETRY, 0, OF_OK, false);
    of_memory_fail_letters(world.cluster, OF_MEMORY_DEAD, 0, OF_OK, false);
    world_run_to_end(&world, 60000);
    world_stop_and_check(&world, 8000);
    world_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_counts),
        cmocka_unit_test(test_a_trickle),
        cmocka_unit_test(test_partitions_come_and_go),
        cmocka_unit_test(test_partitions_are_lost),
        cmocka_unit_test(test_letters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
