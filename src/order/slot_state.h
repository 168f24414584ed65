/* What is committed of one source partition: the state that an owner of the partition begins from.
 *
 * Everything below next_offset is contained: orders in the table, retries and dead letters in the counters. Rows may be
 * ahead of it after a crash in at-least-once mode, as each tells by its own next_offset; what a row contains already is
 * dropped when it is read again (stages/aggregate.h).
 *
 * Owner: the caller's memory, init to fini. Threads: one at a time. */
#ifndef OF_ORDER_SLOT_STATE_H
#define OF_ORDER_SLOT_STATE_H

#include "core/error.h"
#include "order/table.h"

struct of_slot_state {
    int64_t next_offset;   /* -1: nothing is recorded for this partition */
    uint64_t retries;      /* retry records written for orders of this partition, since the group began */
    uint64_t dead_letters; /* the same for dead letters */
    struct of_table table;
};

void of_slot_state_init(struct of_slot_state *state);
void of_slot_state_fini(struct of_slot_state *state);

/* to, which is initialised, takes over what from holds; from is left as init leaves it. */
void of_slot_state_move(struct of_slot_state *to, struct of_slot_state *from);

/* Where to begin reading a partition whose recorded state is `state` and whose committed offset is `committed` (-1:
 * none; then `from` is where the options say to begin). OF_OK: *start.
 *
 *   recorded   committed
 *   none       none        `from`
 *   at n       none        n
 *   at n       at m <= n   n: a crash between state and offset, at least once; after a clean stop m = n
 *   at n       at m > n    OF_POISON, and err says what to do: somebody moved one of the two
 *   none       at m        OF_POISON, the same */
OF_MUST_USE enum of_status of_slot_state_start(const struct of_slot_state *state, int64_t committed, int64_t from,
                                               int64_t *start, struct of_error *err);

#endif
