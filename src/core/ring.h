/* The edge between two stages: a bounded single-producer single-consumer ring of pointers.
 *
 * A ring is made as large as all that can ever be in it, so a push never fails and never waits; a full ring is a bug
 * and stops the process. What is pushed belongs to the consumer from then on: everything written before the push is
 * visible after the pop.
 *
 *                 of_ring_push   of_ring_pop/peek   of_ring_count
 *   of_ring_push  one thread     may run beside     may run beside
 *   of_ring_pop   may run beside one thread         may run beside
 *
 * One thread at a time: whoever hands its end to another hands over all that it has done with it (release, acquire).
 *
 * Only this file and core/idle know Concurrency Kit. ck_ring keeps one slot empty and wants a power of two; init hides
 * both. Cost: about 14 ns a hop between two cores, 5 ns on one thread. */
#ifndef OF_CORE_RING_H
#define OF_CORE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <ck_ring.h>

#include "core/assert.h"
#include "core/memory.h"

#if defined(__SANITIZE_THREAD__)
#define OF_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OF_TSAN 1
#endif
#endif
#ifdef OF_TSAN
/* The sanitizer does not understand ck's fences: tell it what they guarantee. */
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define OF_TSAN_ACQUIRE(address) __tsan_acquire(address)
#define OF_TSAN_RELEASE(address) __tsan_release(address)
#else
#define OF_TSAN_ACQUIRE(address) ((void)0)
#define OF_TSAN_RELEASE(address) ((void)0)
#endif

struct of_ring {
    _Alignas(OF_CACHE_LINE_BYTES) ck_ring_t ck; /* producer and consumer indexes on lines of their own */
    _Alignas(OF_CACHE_LINE_BYTES) ck_ring_buffer_t *slots;
    void *head; /* what of_ring_peek has taken out and not yet given away; the consumer's */
};

/* Room for `capacity` pointers at least (1 to 2^24). */
void of_ring_init(struct of_ring *ring, uint32_t capacity);
void of_ring_fini(struct of_ring *ring);

/* Producer. item must not be NULL. */
static inline void
of_ring_push(struct of_ring *ring, void *item)
{
    OF_TSAN_RELEASE(&ring->ck);
    bool pushed = ck_ring_enqueue_spsc(&ring->ck, ring->slots, item);
    OF_ASSERT(pushed);
}

/* Consumer: the oldest item without taking it, or NULL when empty. */
static inline void *
of_ring_peek(struct of_ring *ring)
{
    if (ring->head == NULL) {
        void *item;
        if (ck_ring_dequeue_spsc(&ring->ck, ring->slots, &item)) {
            OF_TSAN_ACQUIRE(&ring->ck);
            ring->head = item;
        }
    }
    return ring->head;
}

/* Consumer: the oldest item, or NULL when empty. */
static inline void *
of_ring_pop(struct of_ring *ring)
{
    void *item = of_ring_peek(ring);
    ring->head = NULL;
    return item;
}

/* Items in the ring, at some moment during the call; an item that was peeked no longer counts. */
static inline uint32_t
of_ring_count(const struct of_ring *ring)
{
    return (uint32_t)ck_ring_size(&ring->ck);
}

#endif
