/* A bell on one thread: what returns from a wait, and when. That no ring is lost between threads: stress/test_bell.c. */
#include "core/idle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"

static const enum of_bell_kind kinds[] = { OF_BELL_FUTEX, OF_BELL_FD };
enum { KINDS = 2, PATIENCE_MS = 5000 };

static void
open_bell(struct of_bell *bell, enum of_bell_kind kind)
{
    struct of_error err;
    assert_int_equal(of_bell_init(bell, kind, &err), OF_OK);
    assert_true((of_bell_fd(bell) >= 0) == (kind == OF_BELL_FD));
}

/* Listens and waits; returns how long. */
static int64_t
wait_ms(struct of_bell *bell, bool ring_between, int64_t patience_ms)
{
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    uint32_t heard = of_bell_listen(bell);
    if (ring_between)
        of_bell_ring(bell);
    of_bell_wait(bell, heard, began_ns + patience_ms * OF_MS_NS);
    return (of_clock_mono_ns(of_clock_system()) - began_ns) / OF_MS_NS;
}

static void
test_a_deadline_comes(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        struct of_bell bell;
        open_bell(&bell, kinds[i]);
        int64_t waited_ms = wait_ms(&bell, false, 30);
        assert_true(waited_ms >= 30 && waited_ms < 500);
        waited_ms = wait_ms(&bell, false, 1200);
        assert_true(waited_ms >= 1200 && waited_ms < 1700);
        assert_true(wait_ms(&bell, false, -10) < PATIENCE_MS); /* it is over already */
        of_bell_fini(&bell);
    }
}

static void
test_what_it_watches_ends_a_wait(void **state)
{
    (void)state;
    struct of_bell bell;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    open_bell(&bell, OF_BELL_FD);
    of_bell_watch(&bell, ends[0]);
    assert_true(wait_ms(&bell, false, 30) >= 30);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(wait_ms(&bell, false, PATIENCE_MS) < PATIENCE_MS);
    of_bell_fini(&bell);
    close(ends[0]);
    close(ends[1]);
}

static void
test_a_ring_before_the_wait_is_heard(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        struct of_bell bell;
        open_bell(&bell, kinds[i]);
        for (int round = 0; round < 100; round++)
            assert_true(wait_ms(&bell, true, PATIENCE_MS) < PATIENCE_MS);
        assert_true(wait_ms(&bell, false, 20) >= 20); /* and only once */
        of_bell_fini(&bell);
    }
}

/* Who listens looks for work afterwards, so a ring from before need not wake it. */
static void
test_a_ring_before_listening_is_not_waited_for(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        struct of_bell bell;
        open_bell(&bell, kinds[i]);
        of_bell_ring(&bell);
        assert_true(wait_ms(&bell, false, 20) >= 20);
        of_bell_listen(&bell);
        of_bell_ignore(&bell);
        of_bell_ring(&bell);
        assert_true(wait_ms(&bell, false, 20) >= 20);
        of_bell_fini(&bell);
    }
}

static void
test_others_wake_it_through_its_descriptor(void **state)
{
    (void)state;
    struct of_bell bell;
    open_bell(&bell, OF_BELL_FD);
    uint64_t one = 1;
    assert_int_equal(write(of_bell_fd(&bell), &one, sizeof one), sizeof one); /* at any time, before listening too */
    assert_true(wait_ms(&bell, false, PATIENCE_MS) < PATIENCE_MS);
    assert_true(wait_ms(&bell, false, 20) >= 20);
    of_bell_fini(&bell);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_deadline_comes),
        cmocka_unit_test(test_what_it_watches_ends_a_wait),
        cmocka_unit_test(test_a_ring_before_the_wait_is_heard),
        cmocka_unit_test(test_a_ring_before_listening_is_not_waited_for),
        cmocka_unit_test(test_others_wake_it_through_its_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
