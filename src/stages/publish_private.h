/* What the publish stage is made of, between the files that it consists of:
 *
 *   publish.c          slots, and batches gone through record by record
 *   publish_letters.c  letters on their way, and what their reports mean
 *   publish_barrier.c  a barrier's way to its end
 */
#ifndef OF_STAGES_PUBLISH_PRIVATE_H
#define OF_STAGES_PUBLISH_PRIVATE_H

#include "order/cause.h"
#include "order/state_record.h"
#include "stages/handed.h"
#include "stages/letter.h"
#include "stages/publish.h"

/* One slot of the present assignment. */
struct of_publish_slot {
    struct of_slot *slot; /* NULL: not opened yet */
    uint32_t epoch;
    uint32_t restored; /* the epoch that last began from committed state: letters of earlier ones concern nobody */
    bool failed;       /* since then: nothing more of it counts, also not of an epoch that a hold begins */
    uint8_t next_notice; /* of slot->notices */
    struct of_reached reached; /* since the last barrier */
    uint32_t aside;            /* its batches among those that were put aside */
    uint64_t transaction; /* the last one that has records of it */
    uint64_t retries, dead_letters, rows; /* that its marker tells: restored, and taken by barriers since */
    int64_t barrier_offset;    /* what the last barrier reached here; committed when the next one comes. -1: nothing */
    struct of_handed handed;   /* plain sinks */
    /* The record whose letter was refused as too large after it had been handed over: its letter is made this small.
     * Outlives the epoch, as the record comes again. */
    int64_t shrunk_offset;
    uint8_t shrunk_size; /* enum of_letter_size; for a retry record anything but whole means: dead letter instead */
};

/* A letter on its way. Its number is the sink's tag. */
struct of_publish_letter {
    uint32_t slot;
    uint32_t epoch;
    uint32_t assignment;
    int64_t offset;
    uint64_t number; /* in its partition's list of what was handed over */
    uint8_t generation;
    uint8_t destination;
    uint8_t size;
    uint32_t next_free;
};

/* Where the lane's barrier is; see publish_barrier.c. */
enum of_publish_step { OF_STEP_NONE, OF_STEP_ASIDE, OF_STEP_LETTERS, OF_STEP_ROWS, OF_STEP_MARKERS, OF_STEP_ENDING };

struct of_publish {
    struct of_publish_options options;
    bool transactional;
    struct of_publish_slot *slots; /* by slot index */
    uint32_t slot_count, slot_room;
    uint32_t assignment; /* counts revocations: letters of an earlier one concern nobody any more */
    _Atomic bool *barrier_wanted;

    /* batches that wait for the end of a transaction, oldest first */
    struct of_batch *aside, **aside_end;
    bool full; /* the last batch could not be finished */

    struct of_publish_letter *letters; /* from 1; 0 is none */
    uint32_t letter_room;
    uint32_t first_free;   /* plain sinks */
    uint32_t used;         /* transactional sinks: those up to here belong to the transaction */
    uint32_t unsettled[2]; /* by generation, of the present assignment; plain sinks */
    uint8_t generation;    /* of letters handed over now; plain sinks */

    /* the barrier */
    struct of_barrier *barrier;
    enum of_publish_step step;
    uint32_t round;               /* counts barriers: reports about an earlier one's state concern nobody */
    uint32_t at_instance, at_row; /* the next row to write */
    uint32_t at_slot;             /* the next marker to write */
    uint32_t state_unsettled;     /* rows and markers on their way; plain sinks */
    int64_t given_up_ns;          /* when the lane was seen to be dropped under it; 0: not; plain sinks */
    struct of_sink_offset *offsets;
    struct of_state_writer *writer;

    /* the transaction */
    bool ending;        /* a commit or an abort is under way */
    uint64_t transaction; /* its number, from 1 */
    int64_t opened_ns;  /* when its first record was produced, or could not be; 0: there is nothing to end */
    bool doomed;        /* nothing since the last barrier counts: the next barrier goes home with `verdict` */
    enum of_barrier_outcome verdict;
    bool fenced, late;
    char verdict_text[200];

    struct of_letter *letter;
    int64_t now_ms; /* when the batch at hand was begun, or gone on with */
    int64_t barrier_ns; /* when everything before the barrier was through */
    int64_t commit_ns;  /* when the sink was last asked to commit */
    struct of_publish_counts counts;
    struct of_recent recent;
    struct of_port *port; /* during a call */
};

/* ---- publish.c ---- */

/* The slot's epoch cannot be completed, nor what it goes on from. Whoever comes first is told to fetch; the rest is
 * consequence. offset: of the record whose letter was refused, or -1. A slot that has letters in the transaction cannot be given up alone: they are part of it. */
void of_publish_fail_slot(struct of_publish *publish, struct of_publish_slot *slot, int64_t offset,
                          enum of_cause cause, const char *text);

/* ---- publish_letters.c ---- */

/* Gives the letter to the producer, unless an earlier reading of the partition has done so. */
enum of_status of_publish_hand_over(struct of_publish *publish, struct of_publish_slot *slot,
                                    const struct of_outgoing *out, int64_t offset, uint8_t size, struct of_error *err);

/* A record of the aggregates topic. OF_AGAIN: not now; otherwise it is on its way, or its slot has failed. */
enum of_status of_publish_hand_over_state(struct of_publish *publish, uint32_t slot, struct of_slice key,
                                          struct of_slice value);

/* What the sink reports of a record. */
void of_publish_settled(void *arg, uint64_t tag, enum of_status status, const char *text);

void of_publish_forget_letters(struct of_publish *publish);

/* ---- publish_barrier.c ---- */

void of_publish_take_barrier(void *self, struct of_port *port, struct of_barrier *barrier);

/* What the sink reports of the end of a transaction. */
void of_publish_ended(void *arg, enum of_status status, bool fenced, const char *text);

/* Nothing since the last barrier counts, in all slots: gives the transaction up and says so with the next barrier. */
void of_publish_abort(struct of_publish *publish, const char *text);

/* Nothing can be written any more: the next barrier says so. */
void of_publish_give_up(struct of_publish *publish, const char *text);

/* Moves the barrier on as far as it goes. Returns how much was done. */
uint32_t of_publish_move_barrier(struct of_publish *publish, int64_t now_ns, int64_t *deadline_ns);

/* ---- publish.c, for publish_barrier.c ---- */

/* Whether letters have to wait for the next transaction: this one is being ended, or its barrier is there, and what it
 * commits are the offsets before the barrier. */
static inline bool
of_publish_closed(const struct of_publish *publish)
{
    return publish->ending || (publish->transactional && publish->step > OF_STEP_ASIDE);
}

/* Goes on with what was put aside. Returns how many batches went home. */
uint32_t of_publish_resume_aside(struct of_publish *publish);

void of_publish_forget_assignment(struct of_publish *publish);

#endif
