/* Threads that enter the same new values at the same time must agree on every number. */
#include "order/groups.h"

#include "core/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VALUES = 20000, ROUNDS = 4, THREADS_MAX = 8 };

struct worker {
    pthread_t thread;
    struct of_groups *groups;
    pthread_barrier_t *start;
    uint32_t seed;
    uint32_t wrong_names;
    uint32_t indexes[VALUES];
};

static uint32_t
next_number(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* Values in windows that all threads pass through together, within one at random, so that they meet. */
static void *
work(void *argument)
{
    struct worker *worker = argument;
    pthread_barrier_wait(worker->start);
    for (uint32_t i = 0; i < 4 * VALUES; i++) {
        uint32_t number = i < 3 * VALUES ? i / 3 + next_number(&worker->seed) % 64 : i - 3 * VALUES;
        char text[32];
        number %= VALUES;
        snprintf(text, sizeof text, "value %u", number);
        struct of_slice value = of_slice_str(text);
        uint32_t index = of_groups_intern(worker->groups, value);
        if (worker->indexes[number] != UINT32_MAX && worker->indexes[number] != index)
            worker->wrong_names++;
        if (index != OF_GROUPS_OTHER && !of_slice_equal(of_groups_name(worker->groups, index), value))
            worker->wrong_names++;
        worker->indexes[number] = index;
    }
    return NULL;
}

static void
assert_agreement(const struct of_groups *groups, const struct worker *workers, unsigned threads, uint32_t max_groups)
{
    uint32_t expected_count = max_groups < VALUES ? max_groups + 1 : VALUES + 1;
    assert_int_equal(of_groups_count(groups), expected_count);
    bool *seen = of_alloc_array(expected_count, sizeof *seen);
    for (unsigned t = 0; t < threads; t++)
        assert_int_equal(workers[t].wrong_names, 0);
    for (uint32_t value = 0; value < VALUES; value++) {
        uint32_t index = workers[0].indexes[value];
        assert_true(index < expected_count);
        assert_false(index != OF_GROUPS_OTHER && seen[index]); /* one value per number */
        seen[index] = true;
        for (unsigned t = 1; t < threads; t++)
            assert_int_equal(workers[t].indexes[value], index);
    }
    for (uint32_t index = 1; index < expected_count; index++)
        assert_true(seen[index]);
    free(seen);
}

static void
run_threads(unsigned threads, uint32_t max_groups, uint32_t seed)
{
    struct of_groups *groups = of_groups_create(max_groups);
    struct worker *workers = of_alloc_array(threads, sizeof *workers);
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, threads);
    for (unsigned t = 0; t < threads; t++) {
        workers[t].groups = groups;
        workers[t].start = &start;
        workers[t].seed = seed * 100 + t;
        memset(workers[t].indexes, 0xff, sizeof workers[t].indexes);
        assert_int_equal(pthread_create(&workers[t].thread, NULL, work, &workers[t]), 0);
    }
    for (unsigned t = 0; t < threads; t++)
        pthread_join(workers[t].thread, NULL);
    assert_agreement(groups, workers, threads, max_groups);
    pthread_barrier_destroy(&start);
    free(workers);
    of_groups_destroy(&groups);
}

static void
all_threads_agree(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (unsigned threads = 1; threads <= THREADS_MAX; threads *= 2)
            run_threads(threads, VALUES, round);
}

static void
all_threads_agree_on_what_did_not_fit(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (unsigned threads = 1; threads <= THREADS_MAX; threads *= 2)
            run_threads(threads, VALUES / 3, round);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_threads_agree),
        cmocka_unit_test(all_threads_agree_on_what_did_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
