#include "core/ring.h"

#include <stdlib.h>

void
of_ring_init(struct of_ring *ring, uint32_t capacity)
{
    OF_ASSERT(capacity >= 1 && capacity <= UINT32_C(1) << 24);
    uint32_t size = 2;
    while (size - 1 < capacity)
        size *= 2;
    ring->slots = of_alloc_lines(size * sizeof *ring->slots);
    ring->head = NULL;
    ck_ring_init(&ring->ck, size);
}

void
of_ring_fini(struct of_ring *ring)
{
    free(ring->slots);
    ring->slots = NULL;
}
