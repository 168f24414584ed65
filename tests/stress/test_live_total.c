/* Readers of a live total while its writer runs: count and sum are always of the same instant, and never go back. */
#include "order/live_total.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WRITE_BITS = 22, WRITES = 1 << WRITE_BITS, READERS = 3 };

/* Every order is worth 2^30 + 2^-20: the sum moves both halves of its window, and tells the count exactly. */
static const double PRICE = 0x1p30 + 0x1p-20;

struct reader {
    pthread_t thread;
    pthread_barrier_t *start;
    const struct of_live_total *live;
    uint64_t reads, torn, backwards;
};

static void *
run_reader(void *arg)
{
    struct reader *reader = arg;
    uint64_t before = 0, count;
    pthread_barrier_wait(reader->start);
    do {
        struct of_exact_sum sum = { 0 }, wanted = { 0 };
        count = 0;
        of_live_total_add_to(reader->live, &count, &sum);
        for (int bit = 0; bit <= WRITE_BITS; bit++)
            if (count >> bit & 1)
                of_exact_sum_add(&wanted, PRICE * (double)(UINT64_C(1) << bit));
        reader->torn += sum.low != wanted.low || sum.high != wanted.high;
        reader->backwards += count < before;
        reader->reads++;
        before = count;
        of_exact_sum_fini(&sum);
        of_exact_sum_fini(&wanted);
    } while (count < WRITES);
    return NULL;
}

static void
test_count_and_sum_are_of_the_same_instant(void **state)
{
    (void)state;
    static struct of_live_total live;
    struct reader readers[READERS];
    struct of_exact_sum sum = { 0 };
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, READERS + 1);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader) { .start = &start, .live = &live };
        assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
    }
    pthread_barrier_wait(&start);
    for (uint64_t count = 1; count <= WRITES; count++) {
        of_exact_sum_add(&sum, PRICE);
        of_live_total_set(&live, count, &sum);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_true(readers[i].reads > 0);
        assert_int_equal(readers[i].torn, 0);
        assert_int_equal(readers[i].backwards, 0);
    }
    pthread_barrier_destroy(&start);
    of_exact_sum_fini(&sum);
}

/* Beyond the window it is the nearest double, and adds to what the reader has. */
static void
test_sums_beyond_the_window_are_rounded(void **state)
{
    (void)state;
    struct of_live_total live = { .sequence = 0 };
    struct of_exact_sum sum = { 0 }, read = { 0 };
    uint64_t count = 5;
    of_exact_sum_add(&sum, 1e300);
    of_exact_sum_add(&sum, 1.0);
    of_exact_sum_add(&read, 0.5);
    of_live_total_set(&live, 2, &sum);
    of_live_total_add_to(&live, &count, &read);
    assert_int_equal(count, 7);
    assert_true(of_exact_sum_round(&read) == 1e300);
    of_exact_sum_fini(&sum);
    of_exact_sum_fini(&read);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_and_sum_are_of_the_same_instant),
        cmocka_unit_test(test_sums_beyond_the_window_are_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
