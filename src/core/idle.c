#include "core/idle.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/clock.h"

static int
ec_gettime(const struct ck_ec_ops *ops, struct timespec *out)
{
    (void)ops;
    return clock_gettime(CLOCK_MONOTONIC, out);
}

static void
ec_wait32(const struct ck_ec_wait_state *state, const uint32_t *address, uint32_t expected,
          const struct timespec *deadline)
{
    (void)state;
    /* FUTEX_WAIT_BITSET takes an absolute time on the monotonic clock. */
    syscall(SYS_futex, address, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void
ec_wake32(const struct ck_ec_ops *ops, const uint32_t *address)
{
    (void)ops;
    syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* A crew has spun already when it sleeps: one iteration, then the futex. */
static const struct ck_ec_ops ec_ops = {
    .gettime = ec_gettime,
    .wait32 = ec_wait32,
    .wake32 = ec_wake32,
    .busy_loop_iter = 1,
    .initial_wait_ns = 1000000000,
};
static const struct ck_ec_mode ec_mode = { .ops = &ec_ops, .single_producer = false };

/* Called before each sleep with its end, which ck_ec takes from its own back-off alone: not later than the caller's. */
static int
sleep_no_longer(const struct ck_ec_wait_state *state, struct timespec *end)
{
    const struct timespec *deadline = state->data;
    if (end->tv_sec > deadline->tv_sec || (end->tv_sec == deadline->tv_sec && end->tv_nsec > deadline->tv_nsec))
        *end = *deadline;
    return 0;
}

enum of_status
of_bell_init(struct of_bell *bell, enum of_bell_kind kind, struct of_error *err)
{
    memset(bell, 0, sizeof *bell);
    bell->kind = kind;
    bell->fd = bell->watched = -1;
    ck_ec32_init(&bell->count, 0);
    if (kind == OF_BELL_FD) {
        bell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (bell->fd < 0)
            return of_error_set(err, OF_FATAL, "eventfd: %s", strerror(errno));
    }
    return OF_OK;
}

void
of_bell_fini(struct of_bell *bell)
{
    if (bell->fd >= 0)
        close(bell->fd);
    bell->fd = -1;
}

void
of_bell_watch(struct of_bell *bell, int fd)
{
    OF_ASSERT(bell->kind == OF_BELL_FD);
    bell->watched = fd;
}

/* Both sides exchange the flag, so that one of them must see the other: the owner the work, or the ringer the flag. */
void
of_bell_ring(struct of_bell *bell)
{
    if (bell->kind == OF_BELL_FUTEX) {
        ck_ec32_inc(&bell->count, &ec_mode);
        return;
    }
    if (atomic_exchange(&bell->parked, false)) {
        uint64_t one = 1;
        /* Full counter: the owner is being woken anyway. */
        if (write(bell->fd, &one, sizeof one) < 0)
            OF_ASSERT(errno == EAGAIN || errno == EINTR);
    }
}

uint32_t
of_bell_listen(struct of_bell *bell)
{
    if (bell->kind == OF_BELL_FUTEX)
        return ck_ec32_value(&bell->count);
    atomic_exchange(&bell->parked, true);
    return 0;
}

void
of_bell_ignore(struct of_bell *bell)
{
    if (bell->kind == OF_BELL_FD)
        atomic_exchange(&bell->parked, false);
}

static void
wait_fd(struct of_bell *bell, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - of_clock_mono_ns(of_clock_system());
    if (left_ns > 0) {
        struct pollfd fds[2] = { { .fd = bell->fd, .events = POLLIN }, { .fd = bell->watched, .events = POLLIN } };
        struct timespec left = { left_ns / OF_SECOND_NS, left_ns % OF_SECOND_NS };
        ppoll(fds, 2, deadline_ns == OF_NEVER_NS ? NULL : &left, NULL);
    }
    atomic_exchange(&bell->parked, false);
    uint64_t rings;
    if (read(bell->fd, &rings, sizeof rings) < 0)
        OF_ASSERT(errno == EAGAIN || errno == EINTR);
}

void
of_bell_wait(struct of_bell *bell, uint32_t heard, int64_t deadline_ns)
{
    if (bell->kind == OF_BELL_FD) {
        wait_fd(bell, deadline_ns);
        return;
    }
    if (deadline_ns == OF_NEVER_NS) {
        ck_ec32_wait(&bell->count, &ec_mode, heard, NULL);
        return;
    }
    struct timespec deadline = { deadline_ns / OF_SECOND_NS, deadline_ns % OF_SECOND_NS };
    ck_ec32_wait_pred(&bell->count, &ec_mode, heard, sleep_no_longer, &deadline, &deadline);
}
