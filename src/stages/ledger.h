/* The ledger of a lane: what is committed.
 *
 * Per slot the state as of its committed offset, from which a dropped slot starts again; and what this process has
 * committed since its start, which outlives assignments.
 *
 * A slot of a new assignment is not known until its recorded state is read. It becomes unknown again when it cannot be
 * told whether a commit took effect; then the recorded state decides, and what it has more is this process's own.
 *
 * Owner and only writer: the lane's fetch stage. add_run, add_total and their sums may be called by any thread. Two mutexes
 * guard what they read, taken by fetch a few times per commit and never per record: one while the rows of a commit are gone
 * through, and one for what comes of it, which is short: whoever asks for the run or for sums does not wait for a fetch
 * thread that has lost its processor among thousands of rows. */
#ifndef OF_STAGES_LEDGER_H
#define OF_STAGES_LEDGER_H

#include <pthread.h>

#include "core/flow.h"
#include "order/slot_state.h"

/* Counts that are kept beside a table. */
struct of_letter_counts {
    uint64_t retries, dead_letters;
};

/* What rows come to together. */
struct of_ledger_sum {
    struct of_aggregate rows; /* only count and sum */
    struct of_letter_counts letters;
};

struct of_ledger_slot {
    bool known;
    bool was_known;             /* earlier in this assignment */
    struct of_slot_state state; /* next_offset: committed, or where the slot began */
    struct of_ledger_sum sum;   /* of the state; the writer's own */
};

struct of_ledger {
    pthread_mutex_t lock; /* over slots; the writer itself reads without it */
    struct of_ledger_slot *slots; /* by slot index; of the last assignment until the next one */
    uint32_t count, room;
    struct of_table more;           /* what the run has more than `run` says; the writer's own, empty between calls */
    struct of_ledger_sum more_sum;  /* the same of run_sum */
    pthread_mutex_t sums_lock; /* over all below */
    struct of_table run; /* committed by this lane since the start; only counts and sums */
    struct of_ledger_sum run_sum, total_sum; /* of all its rows, and of all slots, for who cannot afford to look at them */
};

void of_ledger_init(struct of_ledger *ledger);
void of_ledger_fini(struct of_ledger *ledger);

/* The slots of a new assignment, none of them known. */
void of_ledger_open(struct of_ledger *ledger, uint32_t count);

/* The slot's recorded state is read: takes over what it holds; reading begins at `start`. */
void of_ledger_restore(struct of_ledger *ledger, uint32_t slot, struct of_slot_state *state, int64_t start);

/* It is no longer sure what is committed, in all slots. */
void of_ledger_doubt(struct of_ledger *ledger);

/* The same of one slot. */
void of_ledger_doubt_slot(struct of_ledger *ledger, uint32_t slot);

/* What the barrier carries is committed now. */
void of_ledger_commit(struct of_ledger *ledger, const struct of_barrier *barrier);

/* Adds what this lane committed in this run, or what is committed of the partitions that it owns, by whomever. Any
 * thread; holds up a commit meanwhile: some 20 ns per row, of the total per row and partition. */
void of_ledger_add_run(struct of_ledger *ledger, struct of_table *table, struct of_letter_counts *letters);
void of_ledger_add_total(struct of_ledger *ledger, struct of_table *table, struct of_letter_counts *letters);

/* The same for all groups together, whose number they do not depend on: add count and sum. */
void of_ledger_add_run_sum(struct of_ledger *ledger, struct of_aggregate *sum, struct of_letter_counts *letters);
void of_ledger_add_total_sum(struct of_ledger *ledger, struct of_aggregate *sum, struct of_letter_counts *letters);

#endif
