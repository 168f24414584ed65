/* Two things that go wrong at once: what one of them promises must hold while the other is under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "order/cause.h"
#include "registry/mock.h"
#include "support/world.h"

/* A record that becomes a dead letter whatever the registry says. */
static void
append_poison(struct world *world)
{
    world_append_raw(world, 0, "?", 1);
}

/* An order whose schema has this name; a new name is one that nobody has asked for yet. */
static void
append_order_of(struct world *world, const char *name)
{
    char schema[256];
    snprintf(schema, sizeof schema, "{\"type\":\"record\",\"name\":\"%s\",\"fields\":["
             "{\"name\":\"orderId\",\"type\":\"string\"},{\"name\":\"product\",\"type\":\"string\"},"
             "{\"name\":\"price\",\"type\":\"float\"}]}", name);
    uint32_t id = of_registry_mock_register(world->registry, schema);
    uint8_t value[64];
    size_t length = orders_encode(id, "x", "Desk", 2.0F, value, sizeof value);
    world_append_raw(world, 0, value, length);
}

static void
append_orders(struct world *world, int count)
{
    for (int i = 0; i < count; i++)
        world_append_order(world, 0, i);
}

static int64_t
committed(struct world *world)
{
    return of_memory_committed(world->cluster, OF_MEMORY_ORDERS, 0);
}

static void
run_to_end_and_check(struct world *world, uint64_t processed, uint64_t dead)
{
    struct of_totals totals;
    world_run_to_end(world, 30000);
    assert_int_equal(world_dead_count(world), dead); /* written once each */
    world_stop(world, &totals);
    assert_int_equal(totals.orders_processed, processed);
    assert_int_equal(totals.dead_letters, dead);
    of_totals_fini(&totals);
    world_destroy(world);
}

/* The letter was handed over before the hold; its refusal comes when the partition is read again behind it. */
static void
test_a_letter_refused_after_a_hold_is_written_again(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    of_memory_hold_reports(world.cluster, true);
    of_memory_fail_letters(world.cluster, OF_MEMORY_DEAD, 1, OF_RETRY, true);
    append_poison(&world);
    append_orders(&world, 1); /* its schema is looked up: a hold */
    world_start(&world);
    world_pass_ms(&world, 250);
    assert_int_equal(world_live_orders(&world), 1);
    of_memory_hold_reports(world.cluster, false);
    run_to_end_and_check(&world, 1, 1);
}

/* All partitions of the lane have failed, but one letter before the barrier is still on its way, and then fails too. */
static void
test_a_barrier_waits_for_letters_of_a_failed_partition(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .lanes = 1 });
    of_memory_hold_reports(world.cluster, true);
    of_memory_fail_letters(world.cluster, OF_MEMORY_DEAD, 1, OF_RETRY, true);
    world_start(&world);
    append_poison(&world);
    world_pass_ms(&world, 250); /* a barrier waits at publish */
    of_memory_fail_letters(world.cluster, OF_MEMORY_DEAD, 2, OF_RETRY, false);
    append_poison(&world);
    of_memory_append(world.cluster, OF_MEMORY_RETRY, 0, of_slice_str("key"), of_slice_str("?"), NULL, 0);
    world_pass_ms(&world, 50);
    assert_true(committed(&world) <= 0);
    of_memory_hold_reports(world.cluster, false);
    run_to_end_and_check(&world, 0, 3);
}

/* The commit is refused while a batch that is already counted waits before publish: the next barrier must not carry the
 * count of orders whose offsets it does not commit. */
static void
test_no_barrier_commits_what_a_refused_commit_voided(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    world_start(&world);
    append_orders(&world, 10);
    world_pass_ms(&world, 300);
    assert_int_equal(committed(&world), 10);
    of_memory_hold_reports(world.cluster, true);
    of_memory_limit_queue(world.cluster, 1);
    append_poison(&world);
    world_pass_ms(&world, 250); /* a barrier waits for its letter */
    append_orders(&world, 300);
    append_poison(&world); /* its batch waits, too: the queue is full */
    world_pass_ms(&world, 20);
    of_memory_fail_commits(world.cluster, 1, OF_ABORT);
    of_memory_hold_reports(world.cluster, false);
    run_to_end_and_check(&world, 310, 2);
}

/* What was written since the last commit is remembered until it is committed, whatever barriers pass. */
static void
test_a_refused_commit_forgets_no_letters(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    world_start(&world);
    append_orders(&world, 10);
    world_pass_ms(&world, 300);
    of_memory_hold_reports(world.cluster, true);
    append_poison(&world);
    world_pass_ms(&world, 250);
    append_orders(&world, 10);
    world_pass_ms(&world, 5);
    of_memory_fail_commits(world.cluster, 2, OF_ABORT);
    of_memory_hold_reports(world.cluster, false);
    run_to_end_and_check(&world, 20, 1);
}

/* A chunk that decode has marked held comes home when its partition is gone. */
static void
test_a_hold_comes_home_after_the_partition_was_lost(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    of_memory_hold_reports(world.cluster, true);
    of_memory_limit_queue(world.cluster, 1);
    append_poison(&world);
    append_poison(&world);
    append_orders(&world, 1);
    world_start(&world);
    world_pass_ms(&world, 20);
    of_memory_lose(world.cluster, 0);
    world_pass_ms(&world, 20);
    of_memory_hold_reports(world.cluster, false);
    world_pass_ms(&world, 20);
    of_memory_assign(world.cluster, 0);
    world_run_to_end(&world, 30000);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.orders_processed, 1);
    of_totals_fini(&totals);
    world_destroy(&world);
}

/* The source breaks down behind records that decode has already sent back to be read again. */
static void
test_a_source_that_breaks_passes_over_nothing_held(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    of_registry_mock_inject(world.registry, OF_MOCK_SILENT, NULL, OF_MOCK_FOREVER);
    append_orders(&world, 10);
    world_start(&world);
    world_pass_ms(&world, 20);
    of_memory_break(world.cluster, OF_MEMORY_ORDERS, 0, OF_CAUSE_FETCH_FAILED);
    world_pass_ms(&world, 20);
    of_registry_mock_inject(world.registry, 0, NULL, 0);
    run_to_end_and_check(&world, 10, 0);
}

/* The source breaks down and recovers while a chunk still waits before decode, which then holds it. */
static void
test_a_source_that_recovers_waits_for_what_is_in_flight(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    world_start(&world);
    append_orders(&world, 1);
    append_order_of(&world, "Known");
    world_pass_ms(&world, 300);
    assert_int_equal(committed(&world), 2);
    of_memory_hold_reports(world.cluster, true);
    of_memory_limit_queue(world.cluster, 1);
    append_poison(&world);
    append_poison(&world); /* publish stands still ... */
    for (int i = 0; i < ROUNDS; i++) { /* ... and every change of schema takes a batch, until there are none */
        append_orders(&world, 1);
        append_order_of(&world, "Known");
    }
    append_order_of(&world, "New");
    world_pass_ms(&world, 20);
    of_memory_break(world.cluster, OF_MEMORY_ORDERS, 0, OF_CAUSE_FETCH_FAILED);
    world_pass_ms(&world, 1000);
    append_orders(&world, 10);
    of_memory_hold_reports(world.cluster, false);
    run_to_end_and_check(&world, 2 + 2 * ROUNDS + 1 + 10, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_letter_refused_after_a_hold_is_written_again),
        cmocka_unit_test(test_a_barrier_waits_for_letters_of_a_failed_partition),
        cmocka_unit_test(test_no_barrier_commits_what_a_refused_commit_voided),
        cmocka_unit_test(test_a_refused_commit_forgets_no_letters),
        cmocka_unit_test(test_a_hold_comes_home_after_the_partition_was_lost),
        cmocka_unit_test(test_a_source_that_breaks_passes_over_nothing_held),
        cmocka_unit_test(test_a_source_that_recovers_waits_for_what_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
