/* Buffers that answers are received into, from a pool with a bound.
 *
 * A slab is given back when nobody refers to it any more: the connection while it fills it, then every stretch that
 * points into it. A request for records is sent only when a slab is left for its answer (of_slabs_left), so taking one
 * never waits. An answer larger than a slab (a batch beyond the limits comes whole) gets memory of its own, which
 * counts as one.
 *
 * Threads: the fetch thread's. */
#ifndef OF_KAFKA_DIRECT_SLAB_H
#define OF_KAFKA_DIRECT_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct of_slab {
    struct of_slabs *pool;
    struct of_slab *next; /* the pool's */
    uint32_t references;
    size_t room;
    uint8_t bytes[];
};

struct of_slabs {
    size_t bytes;  /* of each */
    uint32_t most; /* that may be out at once */
    uint32_t out;
    struct of_slab *free;
};

/* Nothing is allocated before it is needed. */
void of_slabs_init(struct of_slabs *pool, size_t bytes, uint32_t most);
void of_slabs_fini(struct of_slabs *pool); /* all are back */

static inline uint32_t
of_slabs_left(const struct of_slabs *pool)
{
    return pool->out < pool->most ? pool->most - pool->out : 0;
}

/* One with room for `bytes`, with one reference. */
struct of_slab *of_slab_take(struct of_slabs *pool, size_t bytes);

static inline void
of_slab_refer(struct of_slab *slab)
{
    slab->references++;
}

/* Drops a reference. */
void of_slab_drop(struct of_slab *slab);

#endif
