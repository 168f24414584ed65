/* Reading the slots of one assignment: which are read, which are held, which retry waits until when.
 *
 * Part of the fetch stage, apart from its phases: what happens to one slot without the others noticing.
 * Threads: the fetch thread. */
#ifndef OF_STAGES_READING_H
#define OF_STAGES_READING_H

#include "core/clock.h"
#include "core/source.h"
#include "core/stage.h"
#include "order/cause.h"
#include "order/event_queue.h"
#include "stages/board.h"
#include "stages/fetch.h"

struct of_reading_slot {
    struct of_slot slot; /* what the other stages see */
    uint32_t epoch;
    uint32_t restored; /* the epoch that last began from the ledger */
    uint32_t chunks_out;
    int64_t next_offset; /* behind what was read */
    bool open_out;       /* the open item is under way */

    bool held;
    bool told;    /* the console knows that it is held, for told_cause */
    enum of_cause told_cause;
    bool restore; /* begin again from the ledger, once that knows the slot; otherwise from resume_offset */
    bool asked;   /* its recorded state is being read */
    int64_t resume_offset;
    int64_t cut_offset; /* of a record whose letter was refused: what is before it goes first, and alone. -1: none */
    enum of_cause cause;
    int64_t retry_ns;   /* when to try again at the latest */
    int64_t backoff_ns; /* the last one; 0 after a commit */

    int64_t head_offset; /* retry: the record whose due time is known; -1: none */
    int64_t due_ns;
    int64_t shift_ms; /* retry: from due times that no wait explains to the monotonic clock; INT64_MAX: none seen */
};

struct of_reading {
    const struct of_fetch_options *options;
    struct of_fetch_status *status;
    struct of_board *board; /* what is held, for others to see */
    struct of_reading_slot **slots;
    struct of_slot **handles; /* &slots[i]->slot, for barriers */
    uint32_t count;
    struct of_chunk **free_chunks;
    uint32_t free_count;
    struct of_chunk *chunks; /* their memory */
    uint32_t chunks_most;    /* under way: how much may be before a barrier */
    bool was_full;           /* as many were when the barrier was sent */
    uint64_t records_out;    /* in chunks under way */
    bool waits;              /* since this turn began, for who hears of records */
    bool serving;            /* the source has the slots of this assignment */
    bool moved;              /* since the last barrier */
    _Atomic bool *barrier_wanted; /* every slot's */
    uint64_t schema_version; /* seen */
    int64_t retry_delay_ms;  /* that heads are waiting by */
    int64_t wall_ms;         /* when this turn began */
};

void of_reading_init(struct of_reading *reading, const struct of_fetch_options *options,
                     struct of_fetch_status *status, struct of_board *board, _Atomic bool *barrier_wanted);
void of_reading_fini(struct of_reading *reading);

/* Gives the source back what chunks still refer to, wherever they are: the lane's threads have ended. */
void of_reading_release_all(struct of_reading *reading);

/* Makes the slots of an assignment; they begin closed. The list is put in order: orders before retries, by number. */
void of_reading_assign(struct of_reading *reading, struct of_partition *partitions, uint32_t count);

/* The source has the slots now, each at its offset. Those that the ledger knows are opened from it; the others are held
 * for their recorded state. */
void of_reading_open_all(struct of_reading *reading, struct of_port *port, const struct of_ledger *ledger,
                         const int64_t *starts);

/* The next slot from `from` on whose recorded state is to be asked for (again) now; slot count: none. */
uint32_t of_reading_next_unknown(const struct of_reading *reading, const struct of_ledger *ledger, uint32_t from,
                                 int64_t now_ns);

/* The answer about a slot's recorded state: the ledger has it now, or why not. */
void of_reading_state_known(struct of_reading *reading, uint32_t index, int64_t now_ns);
void of_reading_state_failed(struct of_reading *reading, uint32_t index, enum of_cause cause, const char *text);

/* Voids whatever is in flight. Nothing is read any more. */
void of_reading_drop_all(struct of_reading *reading);

/* Whether nothing of the assignment is under way: then it can be forgotten. */
bool of_reading_is_home(const struct of_reading *reading);
void of_reading_forget(struct of_reading *reading);

/* Reads what there is and what is due; reopens what was held long enough. barrier_home: no commit is under way, so the
 * ledger is a place to restore from. */
uint32_t of_reading_turn(struct of_reading *reading, struct of_port *port, const struct of_ledger *ledger,
                         bool barrier_home, int64_t now_ns, int64_t *deadline_ns);

/* Items that came home. */
void of_reading_take_chunk(struct of_reading *reading, struct of_chunk *chunk);
void of_reading_take_open(struct of_reading *reading, struct of_open *open);
bool of_reading_take_notice(struct of_reading *reading, const struct of_notice *notice); /* false: it came too late */

/* The source cannot read this slot. */
void of_reading_break(struct of_reading *reading, struct of_slot *slot, int64_t offset, enum of_cause cause,
                      const char *text);

/* The source has passed over what is gone: says so. */
void of_reading_skipped(struct of_reading *reading, const struct of_source_event *event);

/* Everything since the last commit is void in all slots: begin again from the ledger. */
void of_reading_restart_all(struct of_reading *reading, enum of_cause cause, const char *text);

/* What the barrier carries is committed: slots that got somewhere forget their back-off. */
void of_reading_committed(struct of_reading *reading, const struct of_barrier *barrier);

/* A barrier is sent behind what is under way. */
void of_reading_note_barrier(struct of_reading *reading);

/* A barrier has come home after way_ns: fewer chunks go before the next one, or more again. */
void of_reading_pace(struct of_reading *reading, const struct of_barrier *barrier, int64_t way_ns);

/* What every slot does and waits for, as lines for people. */
void of_reading_describe(const struct of_reading *reading, const struct of_ledger *ledger, int64_t now_ns, FILE *out);

/* Tells the console about every slot. */
void of_reading_tell_all(struct of_reading *reading, enum of_event_kind kind, const struct of_ledger *ledger);

#endif
