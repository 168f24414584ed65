/* Which partitions of a lane are held, since when and why: for whoever asks from outside, such as the readiness check.
 *
 * An entry appears with the first hold that is news and stays, with the latest reason, until the partition has got
 * somewhere again (a commit) or is given up. In between it may be read for a moment at every try: `reading_since_ns`
 * says so, and lets the asker tell a try from a partition that is merely waiting for records.
 *
 *   hold, try, clear, clear_all   the fetch thread
 *   list                          any thread
 *
 * Errors: none. Cost: a mutex, taken when a partition is held or recovers and when somebody asks; never per record. */
#ifndef OF_STAGES_BOARD_H
#define OF_STAGES_BOARD_H

#include <pthread.h>

#include "core/flow.h"
#include "order/cause.h"
#include "order/event.h"

struct of_held {
    const char *topic; /* static for the life of the run */
    int32_t partition;
    int64_t offset;
    enum of_cause cause;
    int64_t since_ms;         /* wall time of the first hold */
    int64_t reading_since_ns; /* monotonic; 0: held now */
    char text[OF_EVENT_TEXT_BYTES];
};

struct of_board {
    pthread_mutex_t mutex;
    struct of_held *held;
    uint32_t count, room;
};

void of_board_init(struct of_board *board);
void of_board_fini(struct of_board *board);

void of_board_hold(struct of_board *board, const struct of_slot *slot, int64_t offset, enum of_cause cause,
                   const char *text, int64_t wall_ms);
/* It is read again, which may end in the next hold. */
void of_board_try(struct of_board *board, const struct of_slot *slot, int64_t now_ns);
void of_board_clear(struct of_board *board, const struct of_slot *slot);
void of_board_clear_all(struct of_board *board);

/* Copies the first `most` entries; returns how many were copied. */
uint32_t of_board_list(struct of_board *board, struct of_held *out, uint32_t most);

#endif
