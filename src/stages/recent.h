/* The last dead letters of a lane, for people to look at.
 *
 *   note   whoever turns publish; when somebody is reading just then it passes the letter over rather than wait
 *   list   any thread
 *
 * Errors: none. Cost: a mutex and a copy of some 900 bytes per dead letter; nothing for any other record. */
#ifndef OF_STAGES_RECENT_H
#define OF_STAGES_RECENT_H

#include <pthread.h>

#include "order/event.h"

enum { OF_RECENT_EVENTS = 16 };

struct of_recent {
    pthread_mutex_t mutex;
    struct of_event events[OF_RECENT_EVENTS]; /* a ring */
    uint64_t noted;
};

void of_recent_init(struct of_recent *recent);
void of_recent_fini(struct of_recent *recent);

void of_recent_note(struct of_recent *recent, const struct of_event *event);

/* Copies at most `most` of them, the newest first; returns how many. */
uint32_t of_recent_list(struct of_recent *recent, struct of_event *out, uint32_t most);

#endif
