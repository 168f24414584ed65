/* Waiting for work without missing any, and waking who waits.
 *
 * A bell belongs to one thread. Others push work for it into rings and then ring; the owner waits like this:
 *
 *     uint32_t heard = of_bell_listen(&bell);
 *     if (look for work once more found some)
 *         of_bell_ignore(&bell);
 *     else
 *         of_bell_wait(&bell, heard, deadline_ns);
 *
 * What is pushed before a ring is seen either by that last look or by the wait, which then returns at once.
 *
 * Two kinds: OF_BELL_FUTEX parks on ck_ec (wake-up 13 to 20 us); OF_BELL_FD parks in poll(2) on an eventfd, for threads
 * that others, such as librdkafka or a socket, must be able to wake as well: they write 8 bytes to of_bell_fd at any
 * time, or give it a file descriptor of their own to wait for. A ring costs a few nanoseconds while the owner is awake
 * and a system call when it sleeps.
 *
 * Threads: listen, ignore, wait by the owner; ring by any. Deadlines are on the system's monotonic clock. */
#ifndef OF_CORE_IDLE_H
#define OF_CORE_IDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ck_ec.h>

#include "core/error.h"
#include "core/memory.h"

enum of_bell_kind { OF_BELL_FUTEX, OF_BELL_FD };

struct of_bell {
    enum of_bell_kind kind;
    int fd; /* OF_BELL_FD, otherwise -1 */
    int watched; /* another that wakes when it can be read, -1: none */
    _Alignas(OF_CACHE_LINE_BYTES) struct ck_ec32 count;
    _Atomic bool parked; /* OF_BELL_FD: the owner is about to sleep or asleep */
};

/* OF_FATAL when there are no more file descriptors. */
OF_MUST_USE enum of_status of_bell_init(struct of_bell *bell, enum of_bell_kind kind, struct of_error *err);
void of_bell_fini(struct of_bell *bell);

static inline int
of_bell_fd(const struct of_bell *bell)
{
    return bell->fd;
}

/* OF_BELL_FD: waits end when fd can be read, too. It stays the caller's. Before the owner's first wait. */
void of_bell_watch(struct of_bell *bell, int fd);

void of_bell_ring(struct of_bell *bell);

uint32_t of_bell_listen(struct of_bell *bell);
void of_bell_ignore(struct of_bell *bell);
/* Returns when rung, at deadline_ns, or early for no reason. */
void of_bell_wait(struct of_bell *bell, uint32_t heard, int64_t deadline_ns);

#endif
