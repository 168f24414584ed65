/* How far a lane is in each of its partitions, for whoever asks from outside: metrics, the dashboard.
 *
 *   set    the fetch thread, twice a second
 *   list   any thread
 *
 * Errors: none. Cost: a mutex and a copy of the list; nothing per record. */
#ifndef OF_STAGES_POSITIONS_H
#define OF_STAGES_POSITIONS_H

#include <pthread.h>

#include "core/flow.h"

struct of_position {
    const char *topic; /* lives as long as the run */
    int32_t partition;
    uint32_t lane;
    enum of_role role;
    int64_t read;      /* behind what was read */
    int64_t committed; /* -1: not known (yet, or since a commit whose end nobody knows) */
    int64_t end;       /* behind the last record that may be read, as last heard; -1: not known */
    bool held;
    uint8_t cause; /* held: enum of_cause */
};

struct of_positions {
    pthread_mutex_t mutex;
    struct of_position *list;
    uint32_t count, room;
};

void of_positions_init(struct of_positions *positions);
void of_positions_fini(struct of_positions *positions);

/* Takes a copy in place of the list that there was. */
void of_positions_set(struct of_positions *positions, const struct of_position *list, uint32_t count);

/* Appends a copy of the list to *list, which has *count elements and is grown; the caller frees it. */
void of_positions_append(struct of_positions *positions, struct of_position **list, uint32_t *count);

#endif
