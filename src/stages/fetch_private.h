/* What the fetch stage is made of, between the files that it consists of:
 *
 *   fetch.c             its turns by phase, events of the source, items that come home
 *   fetch_assignment.c  an assignment from its beginning to its end
 *   fetch_barrier.c     the barrier's way out and home, and what is committed then
 *   fetch_status.c      what others see of the lane
 *
 * Beside them, with headers of their own: reading (which slots are read), restoring (their recorded state), ledger (what
 * is committed of them). */
#ifndef OF_STAGES_FETCH_PRIVATE_H
#define OF_STAGES_FETCH_PRIVATE_H

#include "stages/fetch.h"
#include "stages/reading.h"
#include "stages/restoring.h"

enum of_fetch_place { OF_PLACE_HOME, OF_PLACE_OUT, OF_PLACE_COMMITTING }; /* of the barrier */

struct of_fetch {
    struct of_fetch_options options;
    struct of_fetch_status status;
    struct of_board board;
    struct of_positions positions;
    struct of_reading reading;
    struct of_ledger ledger;
    struct of_restoring restoring;
    _Atomic bool stop_wanted;
    bool leaving;
    enum of_fetch_phase phase;
    struct of_error error;

    bool assigned; /* an assignment waits to be begun: */
    struct of_partition *partitions;
    uint32_t partition_count;
    int64_t positions_ns; /* when to look them up (again) */
    int64_t restore_deadline_ns;

    struct of_barrier barrier;
    _Atomic bool barrier_wanted; /* publish asks for one before the interval is over */
    enum of_fetch_place place;
    bool revoke_sent; /* the last barrier of this assignment is on its way or through */
    int64_t barrier_sent_ns, barrier_home_ns; /* the last one; both: when reading began */
    int64_t recommit_ns; /* when to send a commit again that failed; 0: it is under way */
    int32_t *leader_epochs; /* of the barrier */
    struct of_offset *offsets;
    uint32_t offset_count;
    bool commit_ignored; /* the answer that is still to come concerns a forgotten assignment */

    int64_t drain_deadline_ns;
    int64_t next_behind_ns;
    struct of_position *places; /* as they are told next */
};

/* ---- fetch.c ---- */

void of_fetch_set_phase(struct of_fetch *fetch, enum of_fetch_phase phase);

/* The lane cannot go on: everything in flight is void. The first reason stays. */
void of_fetch_fail(struct of_fetch *fetch, const struct of_error *err, bool fenced);

/* Whether the slots are still the source's. */
static inline bool
of_fetch_is_serving(const struct of_fetch *fetch)
{
    return fetch->phase == OF_FETCH_READING || fetch->phase == OF_FETCH_DRAINING;
}

/* ---- fetch_assignment.c ---- */

void of_fetch_take_assignment(struct of_fetch *fetch, const struct of_source_event *event, int64_t now_ns);
void of_fetch_take_revoke(struct of_fetch *fetch, bool lost, int64_t now_ns);

/* ASSIGNING: looks up where the partitions begin and asks for their recorded state. False: not now, positions_ns says
 * when to try again. */
bool of_fetch_look_up(struct of_fetch *fetch, int64_t now_ns);

/* RESTORING: takes what state has come; begins to read when all is there or patience is over. */
uint32_t of_fetch_restore(struct of_fetch *fetch, struct of_port *port, int64_t now_ns, int64_t *deadline_ns);

/* The partitions are gone, or took too long to drain: what is in flight is void, and comes home first. */
void of_fetch_lose(struct of_fetch *fetch);

/* Everything is home: forgets the assignment, and goes on to the next one if that is there. */
void of_fetch_finish_assignment(struct of_fetch *fetch);

/* ---- fetch_barrier.c ---- */

/* When the next one is due, while this one is at home. */
int64_t of_fetch_barrier_due_ns(const struct of_fetch *fetch);

/* The barrier is at home. */
void of_fetch_send_barrier(struct of_fetch *fetch, struct of_port *port, enum of_barrier_kind kind, int64_t now_ns);

/* The barrier has come home; its outcome says what counts. */
void of_fetch_take_barrier(struct of_fetch *fetch);

/* The source's answer to a commit. */
void of_fetch_take_commit_answer(struct of_fetch *fetch, const struct of_source_event *event, int64_t now_ns);

/* Sends a commit again whose back-off is over. Returns how much was done. */
uint32_t of_fetch_recommit(struct of_fetch *fetch, int64_t now_ns, int64_t *deadline_ns);

/* Tells others the sum of the ledger's offsets. */
void of_fetch_tell_committed(struct of_fetch *fetch);

/* ---- fetch_status.c ---- */

/* Twice a second: the lag and, where it is measured, the position of every slot. */
void of_fetch_look_up_behind(struct of_fetch *fetch, int64_t now_ns);

void of_fetch_describe(const void *self, int64_t now_ns, FILE *out);

#endif
