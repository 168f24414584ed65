#include "order/event_queue.h"

#include <stdlib.h>

#include "core/assert.h"
#include "core/ring.h"

struct of_event_queue {
    struct of_ring sent;  /* maker to console */
    struct of_ring empty; /* console to maker */
    struct of_event *events;
    uint32_t size;
    struct of_event *spare; /* the maker's: borrowed once and not sent */
    _Atomic uint64_t dropped; /* written by the maker */
};

struct of_event_queue *
of_event_queue_create(uint32_t events)
{
    struct of_event_queue *queue = of_alloc_lines(sizeof *queue);
    of_ring_init(&queue->sent, events);
    of_ring_init(&queue->empty, events);
    queue->events = of_alloc_array(events, sizeof *queue->events);
    queue->size = events;
    for (uint32_t i = 0; i < events; i++)
        of_ring_push(&queue->empty, &queue->events[i]);
    return queue;
}

void
of_event_queue_destroy(struct of_event_queue **queue)
{
    if (*queue == NULL)
        return;
    of_ring_fini(&(*queue)->sent);
    of_ring_fini(&(*queue)->empty);
    free((*queue)->events);
    free(*queue);
    *queue = NULL;
}

struct of_event *
of_event_queue_borrow(struct of_event_queue *queue)
{
    struct of_event *event = queue->spare;
    queue->spare = NULL;
    return event != NULL ? event : of_ring_pop(&queue->empty);
}

void
of_event_queue_unborrow(struct of_event_queue *queue, struct of_event *event)
{
    OF_ASSERT(queue->spare == NULL);
    queue->spare = event;
}

void
of_event_queue_send(struct of_event_queue *queue, struct of_event *event)
{
    of_ring_push(&queue->sent, event);
}

uint32_t
of_event_queue_size(const struct of_event_queue *queue)
{
    return queue->size;
}

uint32_t
of_event_queue_room(const struct of_event_queue *queue)
{
    return of_ring_count(&queue->empty);
}

struct of_event *
of_event_queue_receive(struct of_event_queue *queue)
{
    return of_ring_pop(&queue->sent);
}

void
of_event_queue_give_back(struct of_event_queue *queue, struct of_event *event)
{
    of_ring_push(&queue->empty, event);
}

void
of_event_queue_drop(struct of_event_queue *queue, uint64_t events)
{
    uint64_t before = atomic_load_explicit(&queue->dropped, memory_order_relaxed);
    atomic_store_explicit(&queue->dropped, before + events, memory_order_relaxed);
}

uint64_t
of_event_queue_dropped(const struct of_event_queue *queue)
{
    return atomic_load_explicit(&queue->dropped, memory_order_relaxed);
}
