/* The ledger of a lane: what is committed.
 *
 * Per slot the committed offset and the aggregates as of it, from which a dropped slot starts again; and what earlier
 * assignments of this lane committed, which is no longer any slot's but still counts for the run.
 *
 * Owner and only writer: the lane's fetch stage. `live` may be read, and add_run called, by any thread: a mutex guards
 * what add_run reads, taken by fetch a few times per commit and never per record. */
#ifndef OF_STAGES_LEDGER_H
#define OF_STAGES_LEDGER_H

#include <pthread.h>

#include "core/flow.h"
#include "order/live_total.h"
#include "order/table.h"

struct of_ledger_slot {
    int64_t committed; /* offset; where the slot began, until something is committed */
    struct of_table table;
};

struct of_ledger {
    struct of_ledger_slot *slots; /* by slot index */
    uint32_t count, room;
    struct of_table retired; /* of earlier assignments */
    uint64_t retries;        /* committed by this lane since the start */
    uint64_t dead_letters;
    struct of_live_total live; /* of `retired` */
    pthread_mutex_t lock;      /* over all but `live`; the writer itself reads without it */
};

void of_ledger_init(struct of_ledger *ledger);
void of_ledger_fini(struct of_ledger *ledger);

/* The slots of a new assignment, each beginning at its offset with nothing counted. */
void of_ledger_open(struct of_ledger *ledger, const int64_t *starts, uint32_t count);

/* What the barrier carries is committed now. */
void of_ledger_commit(struct of_ledger *ledger, const struct of_barrier *barrier);

/* The assignment ends; what it committed stays counted. */
void of_ledger_retire(struct of_ledger *ledger);

/* Adds all that this lane committed in this run. Any thread; holds up a commit meanwhile: some 20 ns per row. */
void of_ledger_add_run(struct of_ledger *ledger, struct of_table *table, uint64_t *retries, uint64_t *dead_letters);

#endif
