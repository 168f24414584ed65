/* Bells between threads: whoever is rung comes, however ring and wait fall together. A lost ring would be noticed only
 * by the deadline, which no wait may reach. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/idle.h"

enum { ROUNDS = 20000, RINGERS_MOST = 4, PATIENCE_MS = 20000 };

struct side {
    struct of_bell bell;
    _Atomic uint64_t work; /* what others gave this side */
    uint64_t late;         /* waits that the deadline ended */
};

/* Until there is more work than `done`. */
static void
wait_for_work(struct side *side, uint64_t done)
{
    while (atomic_load_explicit(&side->work, memory_order_acquire) <= done) {
        uint32_t heard = of_bell_listen(&side->bell);
        if (atomic_load_explicit(&side->work, memory_order_acquire) > done) {
            of_bell_ignore(&side->bell);
            return;
        }
        int64_t deadline_ns = of_clock_mono_ns(of_clock_system()) + PATIENCE_MS * OF_MS_NS;
        of_bell_wait(&side->bell, heard, deadline_ns);
        side->late += of_clock_mono_ns(of_clock_system()) >= deadline_ns;
    }
}

struct ringer {
    pthread_t thread;
    struct side *rings;
    struct side own;
};

/* Gives one piece of work and waits for the answer, again and again. */
static void *
run_ringer(void *arg)
{
    struct ringer *ringer = arg;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        atomic_fetch_add_explicit(&ringer->rings->work, 1, memory_order_release);
        of_bell_ring(&ringer->rings->bell);
        wait_for_work(&ringer->own, round);
    }
    return NULL;
}

static void
ring_to_and_fro(enum of_bell_kind kind, unsigned count)
{
    struct of_error err;
    struct side middle = { .work = 0 };
    static struct ringer ringers[RINGERS_MOST];
    assert_int_equal(of_bell_init(&middle.bell, kind, &err), OF_OK);
    for (unsigned i = 0; i < count; i++) {
        ringers[i] = (struct ringer) { .rings = &middle };
        assert_int_equal(of_bell_init(&ringers[i].own.bell, kind, &err), OF_OK);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_create(&ringers[i].thread, NULL, run_ringer, &ringers[i]), 0);
    /* Everybody's work so far is answered as soon as all have given it: nobody rings twice for one round. */
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (uint64_t done = (round - 1) * count; done < round * count; done++)
            wait_for_work(&middle, done);
        for (unsigned i = 0; i < count; i++) {
            atomic_fetch_add_explicit(&ringers[i].own.work, 1, memory_order_release);
            of_bell_ring(&ringers[i].own.bell);
        }
    }
    assert_int_equal(middle.late, 0);
    for (unsigned i = 0; i < count; i++) {
        pthread_join(ringers[i].thread, NULL);
        assert_int_equal(ringers[i].own.late, 0);
        of_bell_fini(&ringers[i].own.bell);
    }
    of_bell_fini(&middle.bell);
}

static void
test_no_ring_is_lost(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= RINGERS_MOST; count *= 2) {
        ring_to_and_fro(OF_BELL_FUTEX, count);
        ring_to_and_fro(OF_BELL_FD, count);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_ring_is_lost) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
