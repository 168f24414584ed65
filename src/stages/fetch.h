/* The fetch stage: owns the lane's source, its assignment, its chunks, its barrier and its ledger.
 *
 * Phases of a lane, moved by the fetch thread alone:
 *
 *   JOINING    member of the group, nothing assigned
 *   ASSIGNING  assigned; looking up where to begin (retried with a back-off)
 *   RESTORING  reading the recorded state of all partitions, at the same time; after a second at the latest those that
 *              are known begin, and the others are held until theirs is there
 *   READING    chunks flow; a commit barrier an interval after the last one came home, or up to two, if anything moved
 *   DRAINING   to be revoked: nothing new is read; a revoke barrier goes through, what it reached is committed, then the
 *              source gives the partitions up. Bounded by the drain time-out, after which everything is dropped
 *   CLEARING   the partitions are gone (lost, or given up at the time-out): waits for barrier and chunks to come home
 *   LEFT       left the group; FAILED: the source cannot go on
 *
 * Each slot, while READING:
 *
 *   reading --a chunk comes home held, or the source cannot read--> held (state kept, from the cut)
 *   reading --a notice from publish, an aborted transaction, or a refused commit--> held (state restored, from the
 *             committed offset)
 *   held --back-off over, or the schema cache changed--> reading, in a new epoch that an open announces
 *
 *   held, its place gone (out of range, or the topic made anew) --> held, as long as the process lives: what the source may
 *             find there later are other records
 *
 * The barrier: HOME -> OUT (in the stages) -> HOME where publish has committed it in a transaction, otherwise -> COMMITTING
 * (its state is recorded, its offsets are with the source) -> HOME. Only when its state is recorded does the ledger take over
 * what a barrier carries, so a crash or a drop at any point leaves ledger, recorded state and the totals of the run telling
 * the same; committed offsets are never ahead of it. A transaction whose end is not known makes the ledger doubtful: all slots
 * are restored anew; so is a slot whose state was refused, as its topic may be gone.
 *
 * Retry partitions are read one record at a time: the head's due time decides when, and nothing else waits for it.
 *
 * Threads: the stage's own, except where said. */
#ifndef OF_STAGES_FETCH_H
#define OF_STAGES_FETCH_H

#include "core/clock.h"
#include "core/histogram.h"
#include "core/source.h"
#include "core/stage.h"
#include "core/tuning.h"
#include "order/event_queue.h"
#include "order/restorer.h"
#include "registry/cache.h"
#include "stages/board.h"
#include "stages/gone.h"
#include "stages/ledger.h"
#include "stages/positions.h"

struct of_fetch_options {
    uint32_t lane;
    const struct of_clock *clock;
    struct of_source source;
    struct of_restorer restorer;
    uint32_t chunks; /* under way at most */
    const struct of_tuning *tuning; /* commit interval, retry delay */
    struct of_gone *gone; /* all lanes have the same */
    int64_t drain_timeout_ns;
    struct of_event_queue *events;           /* about partitions; NULL: nobody listens */
    const struct of_event_queue *awaited;    /* about records, where publish waits for room in it: what is read finds room there. NULL: none */
    bool quiet;                              /* the user is told of them elsewhere: the log says it at level debug */
    const struct of_schema_cache *schemas;   /* its version says when to try held slots again; NULL: never */
    bool measure; /* chunks, and where every slot is */
};

enum of_fetch_phase {
    OF_FETCH_JOINING,
    OF_FETCH_ASSIGNING,
    OF_FETCH_RESTORING,
    OF_FETCH_READING,
    OF_FETCH_DRAINING,
    OF_FETCH_CLEARING,
    OF_FETCH_LEFT,
    OF_FETCH_FAILED,
};

/* "joining", "reading", ... */
const char *of_fetch_phase_name(enum of_fetch_phase phase);

/* What other threads may read at any time. */
struct of_fetch_status {
    _Atomic int phase; /* enum of_fetch_phase */
    _Atomic uint32_t slots;             /* assigned */
    _Atomic uint32_t held;              /* of these */
    _Atomic int64_t first_assigned_ns;  /* monotonic; 0: never yet */
    _Atomic int64_t last_settled_ns;    /* when the last chunk with records came home */
    _Atomic uint64_t records;           /* read, retries and re-reads included */
    _Atomic int64_t behind;             /* records between committed offsets and ends; -1: not known */
    _Atomic int64_t committed;          /* sum of the committed offsets of the slots, or of the last that there were */
    _Atomic bool drain_timed_out;       /* something was dropped because draining took too long */
    _Atomic bool fenced;                /* FAILED because another instance has the same identity */
    _Atomic uint32_t chunks_out;        /* chunks under way */
    _Atomic int64_t last_commit_ms;     /* wall time of the last barrier that committed something; 0: never yet */
    of_counter restored_rows;           /* of recorded state, read at assignments */
    of_counter assigned, revoked, lost; /* assignments that came and went, in whichever way */
    of_counter holds[OF_CAUSE_COUNT];   /* times a slot was stopped */
    struct of_histogram lateness;       /* of retries: from being due to being read */
};

struct of_fetch;

struct of_fetch *of_fetch_create(const struct of_fetch_options *options);
/* Its threads must have ended. Closes the source. */
void of_fetch_destroy(struct of_fetch **fetch);

/* Any thread: asks the lane to drain, commit and leave. The caller then wakes the lane's thread. */
void of_fetch_stop(struct of_fetch *fetch);

const struct of_fetch_status *of_fetch_status(const struct of_fetch *fetch);

/* What is held, for any thread to list. */
struct of_board *of_fetch_board(struct of_fetch *fetch);

/* How far it is in each slot, for any thread to list; empty where nothing is measured. */
struct of_positions *of_fetch_positions(struct of_fetch *fetch);

/* Why the phase is FAILED. Valid once that phase was read. */
const char *of_fetch_error(const struct of_fetch *fetch);

struct of_ledger *of_fetch_ledger(struct of_fetch *fetch);

extern const struct of_stage_ops of_fetch_stage;

#endif
