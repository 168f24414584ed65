/* Places that turned out not to be in their partitions: records that have been deleted, or a topic that was made anew. What
 * stands there later, or before it, is something else, so nobody reads on from there as long as the process runs: not after a
 * rebalance either, nor in another lane. One list for all lanes.
 *
 *   note, look   the fetch threads
 *
 * Errors: none. Cost: a mutex, taken when the source cannot read a partition and when one begins (again); never per record. */
#ifndef OF_STAGES_GONE_H
#define OF_STAGES_GONE_H

#include <pthread.h>

#include "core/flow.h"

enum { OF_GONE_TEXT_BYTES = 200 };

struct of_gone_place {
    const char *topic; /* lives as long as the run */
    int32_t partition;
    int64_t offset; /* the highest */
    char text[OF_GONE_TEXT_BYTES];
};

struct of_gone {
    pthread_mutex_t mutex;
    struct of_gone_place *places; /* one per partition at most */
    uint32_t count;
};

void of_gone_init(struct of_gone *gone);
void of_gone_fini(struct of_gone *gone);

/* The place is not there, nor is what was before it. The text says why, for people. */
void of_gone_note(struct of_gone *gone, const struct of_slot *slot, int64_t offset, const char *text);

/* Whether the slot cannot begin at this offset, whatever a source may find there by now; then text says why. Who begins behind
 * it has decided to: it is forgotten. */
bool of_gone_look(struct of_gone *gone, const struct of_slot *slot, int64_t offset, char text[OF_GONE_TEXT_BYTES]);

#endif
