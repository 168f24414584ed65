/* Finding out where the slots of an assignment begin, and with what: committed offsets, recorded state, and what follows
 * from both (order/slot_state.h). Part of the fetch stage.
 *
 * A slot is asked for when it is assigned, and again, after a back-off, when the answer was of no use, or when it is no
 * longer sure what is committed. What cannot be read is never taken as empty.
 *
 * Threads: the fetch thread. */
#ifndef OF_STAGES_RESTORING_H
#define OF_STAGES_RESTORING_H

#include "order/restorer.h"
#include "stages/ledger.h"
#include "stages/reading.h"

struct of_restoring {
    struct of_restorer restorer;
    struct of_source source;
    struct of_reading *reading;
    struct of_ledger *ledger;
    struct of_partition *partitions; /* by slot index */
    int64_t *starts; /* by slot index: where it begins if nothing is committed there yet; otherwise -1 */
    uint32_t count, room;
    uint32_t waiting; /* slots whose answer is under way */
};

void of_restoring_init(struct of_restoring *restoring, const struct of_fetch_options *options,
                       struct of_reading *reading, struct of_ledger *ledger);
void of_restoring_fini(struct of_restoring *restoring);

/* The slots of a new assignment, whose positions are looked up already, are asked for. */
void of_restoring_begin(struct of_restoring *restoring, const struct of_partition *partitions, uint32_t count);

/* The assignment has ended. */
void of_restoring_end(struct of_restoring *restoring);

/* Takes the answers that have come, and asks again for what is due, which looks up its positions once more and may block
 * for a second. Returns how much was done. */
uint32_t of_restoring_turn(struct of_restoring *restoring, int64_t now_ns);

#endif
