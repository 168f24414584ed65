/* What a pipeline tells of its state, and what can be changed while it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/world.h"

static char *text; /* the last dump */

static const char *
dumped(struct world *world)
{
    free(text);
    size_t size;
    FILE *out = open_memstream(&text, &size);
    of_pipeline_dump(world->pipeline, out);
    fclose(out);
    return text;
}

static int
free_text(void **state)
{
    (void)state;
    free(text);
    text = NULL;
    return 0;
}

static void
assert_says(const char *what)
{
    if (strstr(text, what) == NULL)
        fail_msg("'%s' is not in:\n%s", what, text);
}

/* ---- the state ---- */

static void
nothing_stands_in_the_way_of_a_pipeline_that_runs(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 2 });
    world_append_orders(&world, 0, 20);
    world_start(&world);
    world_run_to_end(&world, 5000);
    dumped(&world);
    assert_says("what stands in the way\n  nothing\n");
    assert_says("lane 0: reading; source memory; 0 of ");
    assert_says("decode[0]:");
    assert_says("lane 0: 0 of 128 batches under way\n");
    assert_says("publish[0]:");
    assert_says("  0     fetch[0]        decode[0]              0 ");
    assert_says("  orders 1 ");
    assert_says("           10           10            -  reads, 0 chunks on the way\n");
    world_stop_and_check(&world, 20);
    world_destroy(&world);
}

static void
a_retry_that_waits_says_until_when(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0, .retry_delay_ms = 3000 });
    world_append_orders(&world, 0, 5);
    world_start(&world);
    world_pass_ms(&world, 1000);
    dumped(&world);
    assert_says("waits for 0, which is due in 2.0 s\n");
    assert_says("retries wait in 1 partition, the earliest is due in 2.0 s\n");
    assert_says("what stands in the way\n  nothing\n"); /* as it should be */
    assert_says("1 of all attempts fail as a simulation");
    world_run_to_end(&world, 20000);
    world_stop_and_check(&world, 5);
    world_destroy(&world);
}

static void
a_held_partition_says_where_and_why(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 2, .failure_rate = 1.0 });
    world_start(&world);
    world_pass_ms(&world, 5);
    of_memory_fail_letters(world.cluster, OF_MEMORY_RETRY, 1000000, OF_RETRY, false);
    world_append_order(&world, 1, 0);
    world_pass_ms(&world, 1000);
    dumped(&world);
    assert_says("what stands in the way\n  orders 1 is held at offset 0 since ");
    assert_says("held at 0, ");
    assert_says("tried again in ");
    of_memory_fail_letters(world.cluster, OF_MEMORY_RETRY, 0, OF_RETRY, false);
    world_run_to_end(&world, 60000);
    dumped(&world);
    assert_says("what stands in the way\n  nothing\n");
    struct of_totals totals;
    world_stop(&world, &totals);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
a_barrier_that_waits_says_for_what(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0 });
    world_start(&world);
    of_memory_hold_reports(world.cluster, true);
    world_append_order(&world, 0, 0);
    world_pass_ms(&world, 500);
    dumped(&world);
    assert_says("has a barrier, and waits until the letters before it are acknowledged\n");
    assert_says("1 letters and 0 records of state are not acknowledged yet\n");
    assert_says("is on its way through the stages\n");
    of_memory_hold_reports(world.cluster, false);
    world_run_to_end(&world, 20000);
    world_stop_and_check(&world, 1);
    world_destroy(&world);
}

/* A source that is asked for their ends looks at what the slots refer to, which is gone with the assignment. */
static void
partitions_that_are_gone_have_no_end(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .exactly_once = true });
    of_memory_tell_ends(world.cluster);
    world_start(&world);
    of_memory_hold_transactions(world.cluster, true);
    world_append_order(&world, 0, 0);
    world_pass_ms(&world, 500);
    dumped(&world);
    assert_says("            1  reads, ");
    of_memory_lose(world.cluster, 0);
    world_pass_ms(&world, 10);
    dumped(&world);
    assert_says("lane 0: clearing; ");
    assert_says("            -  reads, ");
    of_memory_hold_transactions(world.cluster, false);
    world_pass_ms(&world, 100);
    of_memory_assign(world.cluster, 0);
    world_run_to_end(&world, 20000);
    dumped(&world);
    assert_says("            1  reads, ");
    world_stop_and_check(&world, 1);
    world_destroy(&world);
}

/* Threads answer for themselves, beside what they do; several ask one after the other. */
static void
threads_answer_while_they_work(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .threads = true, .lanes = 2, .partitions = 4, .decode_threads = 2,
                                                   .process_threads = 1, .aggregate_threads = 1, .failure_rate = 0.2,
                                                   .retry_delay_ms = 20 });
    world_append_orders(&world, 0, 5000);
    world_start(&world);
    for (int i = 0; i < 20; i++) {
        dumped(&world);
        assert_says("thread fetch-1\n");
        assert_says("thread decode-1\n");
        assert_says("thread publish-0\n");
    }
    world_run_to_end(&world, 60000);
    for (int i = 0; strstr(dumped(&world), "fetch[1]:") == NULL; i++) /* a dump waits for a second for each answer */
        assert_true(i < 60);
    world_stop_and_check(&world, 5000);
    world_destroy(&world);
}

/* ---- what can change ---- */

static void
the_failure_rate_can_change(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0 });
    world_append_order(&world, 0, 0);
    world_start(&world);
    world_pass_ms(&world, 10);
    assert_int_equal(world_live_orders(&world), 0);
    of_pipeline_tune(world.pipeline, 100, 2000, 0);
    world_append_order(&world, 0, 1);
    world_pass_ms(&world, 10);
    assert_int_equal(world_live_orders(&world), 1);
    world_run_to_end(&world, 10000);
    assert_int_equal(world_live_orders(&world), 2); /* the first one's retry succeeded */
    assert_int_equal(world_dead_count(&world), 0);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.orders_processed, 2);
    of_totals_fini(&totals);
    world_destroy(&world);
}

/* A shorter delay counts for those that wait, too; a longer one for those that begin to wait. */
static void
the_retry_delay_can_change(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0, .max_retries = 2,
                                                   .retry_delay_ms = 100000 });
    world_append_order(&world, 0, 0);
    world_start(&world);
    world_pass_ms(&world, 1000);
    assert_int_equal(of_memory_count(world.cluster, OF_MEMORY_RETRY, 0), 1);
    of_pipeline_tune(world.pipeline, 100, 300, 1.0);
    world_pass_ms(&world, 290);
    assert_int_equal(of_memory_count(world.cluster, OF_MEMORY_RETRY, 0), 1);
    world_pass_ms(&world, 50);
    assert_int_equal(of_memory_count(world.cluster, OF_MEMORY_RETRY, 0), 2);
    world_pass_ms(&world, 350);
    assert_int_equal(world_dead_count(&world), 1);
    struct of_totals totals;
    world_stop(&world, &totals);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
the_commit_interval_can_change(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .commit_interval_ms = 60000 });
    world_start(&world);
    world_pass_ms(&world, 100);
    world_append_order(&world, 0, 0);
    world_pass_ms(&world, 5000);
    assert_true(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0) < 1);
    of_pipeline_tune(world.pipeline, 50, 2000, 0);
    world_pass_ms(&world, 10); /* 5 s have passed since the last one */
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 1);
    world_stop_and_check(&world, 1);
    world_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_stands_in_the_way_of_a_pipeline_that_runs, free_text),
        cmocka_unit_test_teardown(a_retry_that_waits_says_until_when, free_text),
        cmocka_unit_test_teardown(a_held_partition_says_where_and_why, free_text),
        cmocka_unit_test_teardown(a_barrier_that_waits_says_for_what, free_text),
        cmocka_unit_test_teardown(partitions_that_are_gone_have_no_end, free_text),
        cmocka_unit_test_teardown(threads_answer_while_they_work, free_text),
        cmocka_unit_test(the_failure_rate_can_change),
        cmocka_unit_test(the_retry_delay_can_change),
        cmocka_unit_test(the_commit_interval_can_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
