/* Which topic each partition was, when this process last had it, by whichever lane: brokers give a topic that is made anew
 * another id, and a lane that gets a partition from another one would otherwise take the new topic for the one that it knows.
 *
 *   create, destroy         one thread, no other using it
 *   swap, keep, doubt       any thread
 *
 * Errors: none. Cost: a mutex, taken for every assigned partition when leaders are looked up; never per record. */
#ifndef OF_KAFKA_TOPIC_IDS_H
#define OF_KAFKA_TOPIC_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/flow.h"

struct of_topic_id; /* kafka/direct/messages.h */
struct of_topic_ids;

struct of_topic_ids *of_topic_ids_create(void);
void of_topic_ids_destroy(struct of_topic_ids **ids);

/* The partition is one of the topic of that id now. True: it was one of another; then *held, if that one was kept as having
 * held records. */
bool of_topic_ids_swap(struct of_topic_ids *ids, enum of_role role, int32_t partition, struct of_topic_id id, bool *held);

/* The partition is given up, and its topic has held records or not. */
void of_topic_ids_keep(struct of_topic_ids *ids, enum of_role role, int32_t partition, bool held);

/* The partition is given up, and nobody was told yet that it was another: the next one is to hear so. */
void of_topic_ids_doubt(struct of_topic_ids *ids, enum of_role role, int32_t partition);

#endif
