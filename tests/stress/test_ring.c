/* Rings between threads: a chain of 1 to 8 threads passes a small pool of elements round and round. Every element that
 * the first thread numbers must come to the last one, once, in order, with what each thread on the way added to it. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/idle.h"
#include "core/ring.h"

enum { POOL = 37, ROUNDS = 60000, THREADS_MOST = 8 };

struct element {
    uint64_t number;
    uint64_t hops;
};

struct link {
    struct of_ring *in, *out;
    struct of_bell *heard_by; /* who waits for out */
    struct of_bell *own;
    bool first, last;
    uint64_t passed, wrong;
    uint32_t hops_expected;
};

static void
handle(struct link *link, struct element *element)
{
    if (link->first) {
        element->number = link->passed;
        element->hops = 1;
    } else {
        link->wrong += element->number != link->passed || element->hops != link->hops_expected;
        element->hops++;
    }
    link->passed++;
}

static void
wait_for_more(struct link *link)
{
    uint32_t heard = of_bell_listen(link->own);
    if (of_ring_peek(link->in) != NULL)
        of_bell_ignore(link->own);
    else
        of_bell_wait(link->own, heard, OF_NEVER_NS);
}

static void *
run_link(void *arg)
{
    struct link *link = arg;
    while (link->passed < ROUNDS) {
        struct element *element = of_ring_pop(link->in);
        if (element == NULL) {
            wait_for_more(link);
            continue;
        }
        handle(link, element);
        of_ring_push(link->out, element);
        of_bell_ring(link->heard_by);
    }
    return NULL;
}

static void
run_chain(uint32_t threads, enum of_bell_kind kind)
{
    static struct element pool[POOL];
    static struct of_ring rings[THREADS_MOST]; /* aligned to cache lines, which a sanitizer's stack is not */
    static struct of_bell bells[THREADS_MOST];
    struct link links[THREADS_MOST];
    pthread_t ids[THREADS_MOST];
    for (uint32_t i = 0; i < threads; i++) {
        of_ring_init(&rings[i], POOL);
        assert_int_equal(of_bell_init(&bells[i], kind, NULL), OF_OK);
    }
    for (uint32_t i = 0; i < POOL; i++)
        of_ring_push(&rings[0], &pool[i]);
    for (uint32_t i = 0; i < threads; i++) {
        uint32_t next = (i + 1) % threads;
        links[i] = (struct link) { .in = &rings[i], .out = &rings[next], .heard_by = &bells[next], .own = &bells[i],
                                   .first = i == 0, .last = next == 0, .hops_expected = i };
    }
    for (uint32_t i = 0; i < threads; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, run_link, &links[i]), 0);
    for (uint32_t i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    uint32_t left = 0;
    for (uint32_t i = 0; i < threads; i++) {
        assert_int_equal(links[i].passed, ROUNDS);
        assert_int_equal(links[i].wrong, 0);
        while (of_ring_pop(&rings[i]) != NULL)
            left++;
        of_ring_fini(&rings[i]);
        of_bell_fini(&bells[i]);
    }
    assert_int_equal(left, POOL); /* none lost, none twice */
}

static void
test_chain_with_futex_bells(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= THREADS_MOST; threads++)
        run_chain(threads, OF_BELL_FUTEX);
}

static void
test_chain_with_fd_bells(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= THREADS_MOST; threads *= 2)
        run_chain(threads, OF_BELL_FD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain_with_futex_bells),
        cmocka_unit_test(test_chain_with_fd_bells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
