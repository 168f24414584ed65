/* What a pipeline measures of itself, against what was done to it: one thread, a clock that stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "registry/mock.h"
#include "support/world.h"

enum { ORDERS = 3000 };

static struct world world;
static struct of_measured measured;

static int
tear_down(void **state)
{
    (void)state;
    of_measured_fini(&measured);
    world_destroy(&world);
    return 0;
}

static void
measure(void)
{
    of_measured_fini(&measured);
    of_measured_init(&measured);
    of_pipeline_measure(world.pipeline, &measured);
}

static int
set_up(void **state)
{
    (void)state;
    of_measured_init(&measured);
    return 0;
}

static uint64_t
sum_of(const uint64_t *counts, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += counts[i];
    return sum;
}

static void
counts_are_what_happened(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options) { .failure_rate = 0.2, .max_retries = 2, .exactly_once = true });
    world_append_orders(&world, 0, ORDERS);
    world_append_raw(&world, 0, "no framing", 10);
    world_start(&world);
    world_run_to_end(&world, 60000);
    world_pass_ms(&world, 1000); /* positions are told twice a second */
    measure();

    uint64_t retries = sum_of(measured.retries, OF_MEASURED_ATTEMPTS);
    assert_true(measured.retries[0] > ORDERS / 10 && measured.retries[1] > 0 && measured.retries[0] > measured.retries[1]);
    assert_int_equal(measured.retries[2], 0);
    assert_int_equal(retries, measured.live.retry_attempts);
    assert_true(measured.records >= ORDERS + 1 + retries); /* what waited for its schema was read twice */
    assert_int_equal(measured.dead_letters[OF_CAUSE_BAD_FRAMING], 1);
    assert_int_equal(sum_of(measured.dead_letters, OF_CAUSE_COUNT), world_dead_count(&world));
    assert_int_equal(measured.lateness.count, retries);
    assert_true(measured.dead_letters[OF_CAUSE_SIMULATED] > 0);

    assert_string_equal(measured.latencies[0].stage, "decode");
    assert_string_equal(measured.latencies[3].stage, "publish");
    assert_null(measured.latencies[4].stage);
    assert_int_equal(measured.latencies[0].view.count, measured.records);
    assert_true(measured.commits[1] > 0);
    assert_int_equal(sum_of(measured.commits, OF_MEASURED_OUTCOMES), measured.commits[1]);
    assert_int_equal(measured.commit.count, measured.commits[1]);
    assert_true(measured.transactions_committed > 0 && measured.transactions_committed <= measured.commits[1]);
    assert_int_equal(measured.transaction.count, measured.transactions_committed);
    assert_int_equal(measured.transactions_aborted, 0);
    assert_int_equal(measured.assigned, 1);
}

/* A batch that is full is measured for sixteen, so the counts are about right, whatever the batches. */
static void
latencies_are_a_sample_that_stands_for_all(void **state)
{
    (void)state;
    enum { MANY = 60000 };
    world_create(&world, &(struct world_options) { .partitions = 1 });
    world_append_orders(&world, 0, MANY);
    world_start(&world);
    world_run_to_end(&world, 60000);
    measure();
    for (int i = 1; i < 4; i++) {
        assert_true(measured.latencies[i].view.count > MANY - 16 * OF_BATCH_RECORDS - 1);
        assert_true(measured.latencies[i].view.count < MANY + 16 * OF_BATCH_RECORDS + 1);
    }
    assert_int_equal(measured.latencies[0].view.count, measured.records); /* decode: by the chunk, all of them */
}

static void
partitions_are_where_they_are(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options) { .partitions = 2 });
    world_append_orders(&world, 0, 20);
    world_start(&world);
    world_pass_ms(&world, 2000);
    measure();
    assert_int_equal(measured.partition_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        const struct of_measured_partition *partition = &measured.partitions[i];
        assert_int_equal(partition->retry, i >= 2);
        assert_string_equal(partition->topic, i >= 2 ? "orders-retry" : "orders");
        assert_int_equal(partition->read, i >= 2 ? 0 : 10);
        assert_int_equal(partition->held, OF_CAUSE_NONE);
    }
    assert_int_equal(measured.partitions[0].committed, 10);
    assert_string_equal(measured.lanes[0].phase, "reading");
    assert_int_equal(measured.lanes[0].partitions, 4);
    assert_true(measured.lanes[0].last_commit_ms > 0);
    of_memory_revoke(world.cluster, 0);
    world_pass_ms(&world, 1000);
    measure();
    assert_int_equal(measured.partition_count, 0);
    assert_int_equal(measured.revoked, 1);
}

static void
pools_and_rings_are_empty_when_all_is_done(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options) { .lanes = 2, .decode_threads = 2, .process_threads = 1,
                                                   .aggregate_threads = 1 });
    world_append_orders(&world, 0, ORDERS);
    world_start(&world);
    world_run_to_end(&world, 60000);
    measure();
    assert_int_equal(measured.pool_count, 4);
    assert_int_equal(measured.lane_count, 2);
    for (uint32_t i = 0; i < measured.pool_count; i++) {
        assert_int_equal(measured.pools[i].used, 0);
        assert_true(measured.pools[i].capacity > 0);
    }
    assert_true(measured.ring_count > 10);
    for (uint32_t i = 0; i < measured.ring_count; i++)
        assert_int_equal(measured.rings[i].used, 0);
    assert_int_equal(measured.stage_count, 2 + 2 + 1 + 1 + 2);
}

static void
what_is_held_says_why(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    of_registry_mock_inject(world.registry, 503, NULL, OF_MOCK_FOREVER);
    world_append_order(&world, 0, 0);
    world_start(&world);
    world_pass_ms(&world, 3000);
    measure();
    assert_int_equal(measured.hold_count, 1);
    assert_int_equal(measured.holds[0].cause, OF_CAUSE_REGISTRY_UNAVAILABLE);
    assert_non_null(strstr(measured.holds[0].text, "503"));
    assert_true(measured.holds_by_cause[OF_CAUSE_REGISTRY_UNAVAILABLE] > 0);
    const struct of_schema_cache_counts *counts = of_schema_cache_counts(world.schemas);
    assert_true(of_counter_read(&counts->requests[OF_REGISTRY_UNAVAILABLE]) > 1);
    assert_int_equal(of_counter_read(&counts->requests[OF_REGISTRY_FOUND]), 0);
    of_registry_mock_inject(world.registry, 0, NULL, 0);
    world_run_to_end(&world, 20000);
    measure();
    assert_int_equal(measured.hold_count, 0);
    assert_int_equal(of_counter_read(&counts->requests[OF_REGISTRY_FOUND]), 1);
}

static void
the_last_dead_letters_are_kept(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    for (int i = 0; i < 40; i++)
        world_append_raw(&world, 0, "bad", 3);
    world_start(&world);
    world_run_to_end(&world, 20000);
    measure();
    assert_int_equal(measured.letter_count, OF_MEASURED_LETTERS);
    assert_int_equal(measured.dead_letters[OF_CAUSE_BAD_FRAMING], 40);
    for (uint32_t i = 0; i < OF_MEASURED_LETTERS; i++) {
        assert_int_equal(measured.letters[i].cause, OF_CAUSE_BAD_FRAMING);
        assert_true(measured.letters[i].origin_offset >= 40 - OF_MEASURED_LETTERS);
    }
}

static void
restored_rows_are_counted(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options) { .partitions = 1, .exactly_once = true });
    world_append_orders(&world, 0, 50);
    world_start(&world);
    world_run_to_end(&world, 20000);
    measure();
    assert_int_equal(measured.restored_rows, 0);
    world_crash(&world);
    world_pass_ms(&world, 2000);
    measure();
    assert_true(measured.restored_rows > 0 && measured.restored_rows <= 50);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(counts_are_what_happened),
        TEST(latencies_are_a_sample_that_stands_for_all),
        TEST(partitions_are_where_they_are),
        TEST(pools_and_rings_are_empty_when_all_is_done),
        TEST(what_is_held_says_why),
        TEST(the_last_dead_letters_are_kept),
        TEST(restored_rows_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
