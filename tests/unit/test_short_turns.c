/* Asking for short turns changes nothing else of the thread. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/short_turns.h"

enum { NICE = 19 }; /* which anybody may ask for */

/* sched_getattr(2) */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static bool
knows_turns(void)
{
    struct utsname system;
    unsigned major = 0, minor = 0;
    assert_int_equal(uname(&system), 0);
    return sscanf(system.release, "%u.%u", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 12));
}

/* A thread of its own: the nice value of the others stays. */
static void *
ask(void *arg)
{
    struct attributes *found = arg;
    if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE) == 0 && of_short_turns_ask()
        && syscall(SYS_sched_getattr, 0, found, sizeof *found, 0) == 0)
        return NULL;
    found->size = 0;
    return NULL;
}

static void
only_the_turns_change(void **state)
{
    (void)state;
    struct attributes found = { 0 };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, &found), 0);
    pthread_join(thread, NULL);
    if (found.size == 0) /* somebody forbids it: a sandbox */
        skip();
    assert_int_equal(found.policy, 0);
    assert_int_equal(found.nice, NICE);
    if (knows_turns())
        assert_in_range(found.runtime_ns, 1, 1000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(only_the_turns_change) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
