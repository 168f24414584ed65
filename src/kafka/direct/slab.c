#include "kafka/direct/slab.h"

#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"

void
of_slabs_init(struct of_slabs *pool, size_t bytes, uint32_t most)
{
    *pool = (struct of_slabs) { .bytes = bytes, .most = most };
}

void
of_slabs_fini(struct of_slabs *pool)
{
    OF_ASSERT(pool->out == 0);
    while (pool->free != NULL) {
        struct of_slab *slab = pool->free;
        pool->free = slab->next;
        free(slab);
    }
}

/* Not cleared: it is written before it is read. */
static struct of_slab *
make(struct of_slabs *pool, size_t room)
{
    struct of_slab *slab = of_realloc_array(NULL, 1, sizeof *slab + room);
    *slab = (struct of_slab) { .pool = pool, .room = room };
    return slab;
}

struct of_slab *
of_slab_take(struct of_slabs *pool, size_t bytes)
{
    struct of_slab *slab = pool->free;
    if (bytes > pool->bytes) {
        slab = make(pool, bytes);
    } else if (slab != NULL) {
        pool->free = slab->next;
    } else {
        slab = make(pool, pool->bytes);
    }
    slab->next = NULL;
    slab->references = 1;
    pool->out++;
    return slab;
}

void
of_slab_drop(struct of_slab *slab)
{
    struct of_slabs *pool = slab->pool;
    OF_ASSERT(slab->references > 0);
    if (--slab->references > 0)
        return;
    pool->out--;
    if (slab->room > pool->bytes) {
        free(slab);
        return;
    }
    slab->next = pool->free;
    pool->free = slab;
}
