/* A bounded queue of events from one thread of the pipeline to the console.
 *
 * The maker borrows an empty event, fills it and sends it; the console receives and gives back. Nothing is allocated
 * after create. When no empty event is left, borrow answers NULL: the maker then drops the event (and counts it) or
 * stops taking records until the console has caught up, as the console's mode asks.
 *
 * Threads: borrow, send, unborrow by the one maker; receive, give_back by the one console thread; the counter by any. */
#ifndef OF_ORDER_EVENT_QUEUE_H
#define OF_ORDER_EVENT_QUEUE_H

#include <stdatomic.h>

#include "order/event.h"

struct of_event_queue;

struct of_event_queue *of_event_queue_create(uint32_t events); /* how many can be under way */
void of_event_queue_destroy(struct of_event_queue **queue);

struct of_event *of_event_queue_borrow(struct of_event_queue *queue); /* NULL: all are under way */
void of_event_queue_send(struct of_event_queue *queue, struct of_event *event);
void of_event_queue_unborrow(struct of_event_queue *queue, struct of_event *event); /* instead of send */

/* How many events are under way at most, and how many more may be sent now. Any thread. */
uint32_t of_event_queue_size(const struct of_event_queue *queue);
uint32_t of_event_queue_room(const struct of_event_queue *queue);

struct of_event *of_event_queue_receive(struct of_event_queue *queue); /* NULL: none is waiting */
void of_event_queue_give_back(struct of_event_queue *queue, struct of_event *event);

/* The maker says that it could not tell something; the console reads how often. */
void of_event_queue_drop(struct of_event_queue *queue, uint64_t events);
uint64_t of_event_queue_dropped(const struct of_event_queue *queue);

#endif
