/* No memory is asked for per record between fetch and publish: neither by ours nor by what it calls. Growing what is kept
 * is over after a warm-up. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "embedded/member.h"
#include "support/counting_malloc.h"
#include "support/world.h"

enum { WARM_UP = 20000, RECORDS = 200000, LIMIT_MS = 60000 };

static void
check_at_most(uint64_t most)
{
    uint64_t calls[COUNTING_STAGES];
    uint64_t sum = counting_end(calls);
    for (int i = 0; i < COUNTING_STAGES; i++)
        print_message("%s: %d allocations\n", counting_stages[i], (int)calls[i]);
    if (sum > most)
        fail_msg("%d allocations for %d records, at most %d are expected", (int)sum, RECORDS, (int)most);
}

enum { CALLS = 1001 };

/* A thread of such a name, which asks for memory between the two ends of the barrier. */
struct asking {
    char name[16];
    pthread_barrier_t barrier;
};

static void *
ask(void *arg)
{
    struct asking *asking = arg;
    void *volatile memory;
    pthread_setname_np(pthread_self(), asking->name);
    pthread_barrier_wait(&asking->barrier);
    pthread_barrier_wait(&asking->barrier);
    for (int i = 0; i < CALLS; i++) {
        memory = malloc(16);
        free(memory);
    }
    return NULL;
}

static void
count_on_thread(const char *name, uint64_t calls[COUNTING_STAGES])
{
    struct asking asking;
    pthread_t thread;
    snprintf(asking.name, sizeof asking.name, "%s", name);
    assert_int_equal(pthread_barrier_init(&asking.barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, ask, &asking), 0);
    pthread_barrier_wait(&asking.barrier); /* it has its name */
    counting_begin();
    pthread_barrier_wait(&asking.barrier);
    pthread_join(thread, NULL);
    counting_end(calls);
    pthread_barrier_destroy(&asking.barrier);
}

/* The test must be able to fail: an allocation on a thread of such a name is counted, on others it is not. */
static void
test_threads_are_told_apart(void **state)
{
    (void)state;
    uint64_t calls[COUNTING_STAGES];
    for (int i = 0; i < COUNTING_STAGES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%s-0", counting_stages[i]);
        count_on_thread(name, calls);
        for (int k = 0; k < COUNTING_STAGES; k++)
            assert_int_equal(calls[k], k == i ? CALLS : 0);
    }
    count_on_thread("other-0", calls);
    for (int k = 0; k < COUNTING_STAGES; k++)
        assert_int_equal(calls[k], 0);
}

/* And the pipeline's own are counted. */
static void
test_the_counter_counts(void **state)
{
    (void)state;
    struct world world;
    uint64_t calls[COUNTING_STAGES];
    world_create(&world, &(struct world_options) { .threads = true, .decode_threads = 1, .failure_rate = 1.0 });
    world_start(&world);
    counting_begin();
    world_append_orders(&world, 0, 1000); /* letters are copied by whichever thread turns publish */
    world_pass_ms(&world, 300);
    assert_true(counting_end(calls) > 1000);
    struct of_totals totals;
    world_stop(&world, &totals);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
wait_for_world(struct world *world, uint64_t orders)
{
    for (int waited_ms = 0; world_live_orders(world) < orders; waited_ms++) {
        assert_true(waited_ms < LIMIT_MS);
        world_pass_ms(world, 1);
    }
}

static void
run_in_memory(uint32_t lanes, uint32_t threads, int64_t commit_interval_ms, uint64_t most)
{
    struct world world;
    world_create(&world, &(struct world_options) {
        .threads = true, .partitions = 6, .lanes = lanes, .decode_threads = threads, .process_threads = threads,
        .aggregate_threads = threads, .commit_interval_ms = commit_interval_ms });
    world_start(&world);
    world_append_orders(&world, 0, WARM_UP);
    wait_for_world(&world, WARM_UP);
    world_pass_ms(&world, 200); /* the first barriers */
    counting_begin();
    world_append_orders(&world, WARM_UP, RECORDS);
    wait_for_world(&world, WARM_UP + RECORDS);
    check_at_most(most);
    world_stop_and_check(&world, WARM_UP + RECORDS);
    world_destroy(&world);
}

static void
test_nothing_between_two_barriers(void **state)
{
    (void)state;
    run_in_memory(1, 1, 3600 * 1000, 0);
    run_in_memory(1, 0, 3600 * 1000, 0);
    run_in_memory(2, 2, 3600 * 1000, 0);
}

/* But for the state that they record, of which the cluster in memory keeps copies. */
static void
test_next_to_nothing_by_barriers(void **state)
{
    (void)state;
    run_in_memory(2, 1, 5, RECORDS / 20);
}

static void
run_with_librdkafka(int64_t commit_interval_ms, uint64_t most)
{
    struct shop shop;
    struct member member;
    struct of_totals totals;
    of_totals_init(&totals);
    shop_open(&shop);
    member_start(&member, &shop, &(struct member_options) {
        .decode_threads = 1, .process_threads = 1, .aggregate_threads = 1, .commit_interval_ms = commit_interval_ms });
    shop_write_orders(&shop, 0, WARM_UP);
    member_wait_for_orders(&member, WARM_UP, LIMIT_MS);
    usleep(300000);
    counting_begin();
    shop_write_orders(&shop, WARM_UP, RECORDS);
    member_wait_for_orders(&member, WARM_UP + RECORDS, LIMIT_MS);
    check_at_most(most);
    member_stop(&member, &totals);
    member_check(&member, &totals, WARM_UP + RECORDS);
    of_totals_fini(&totals);
    shop_close(&shop);
}

/* librdkafka allocates messages on its own threads, and nothing in the calls that take and release them on ours. */
static void
test_nothing_with_librdkafka_either(void **state)
{
    (void)state;
    run_with_librdkafka(3600 * 1000, 0);
}

/* A commit's list of offsets, and the request that librdkafka makes of it: some 15 allocations, ten times a second. */
static void
test_next_to_nothing_by_commits(void **state)
{
    (void)state;
    run_with_librdkafka(100, RECORDS / 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_are_told_apart),
        cmocka_unit_test(test_the_counter_counts),
        cmocka_unit_test(test_nothing_between_two_barriers),
        cmocka_unit_test(test_next_to_nothing_by_barriers),
        cmocka_unit_test(test_nothing_with_librdkafka_either),
        cmocka_unit_test(test_next_to_nothing_by_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
