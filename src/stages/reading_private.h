/* What reading is made of, between the files that it consists of:
 *
 *   reading.c           the slots of an assignment from its beginning to its end, and a turn over all of them
 *   reading_hold.c      slots that are held and begin again, and who is told
 *   reading_chunks.c    chunks on their way out and home: orders, and retries that are due
 *   reading_describe.c  what every slot does and waits for, for people
 */
#ifndef OF_STAGES_READING_PRIVATE_H
#define OF_STAGES_READING_PRIVATE_H

#include "stages/reading.h"

static inline struct of_reading_slot *
of_reading_slot_of(struct of_slot *slot)
{
    return (struct of_reading_slot *)(void *)((char *)slot - offsetof(struct of_reading_slot, slot));
}

/* ---- reading_hold.c ---- */

/* Stops the slot. restore: it begins again from the ledger, otherwise from offset. text: "" is the cause's own.
 * Called again while it is held, it keeps the worse of the two reasons, to restore, and of two offsets the one that
 * passes over nothing. */
void of_reading_hold(struct of_reading *reading, struct of_reading_slot *slot, bool restore, int64_t offset,
                     enum of_cause cause, const char *text);

/* Reads the slot again, if it can be by now. To begin from the ledger no commit may be under way; to go on from the cut
 * no chunk, which might come home held at an earlier one; and the slot's open must be home, to announce it. */
bool of_reading_reopen(struct of_reading *reading, struct of_port *port, struct of_reading_slot *slot,
                       const struct of_ledger *ledger, bool barrier_home);

/* ---- reading_chunks.c; both return how many chunks they passed on ---- */

/* What the source has of orders. */
uint32_t of_reading_read_orders(struct of_reading *reading, struct of_port *port);

/* What is due of a retry slot; *deadline_ns: when its head is. */
uint32_t of_reading_read_retry(struct of_reading *reading, struct of_port *port, struct of_reading_slot *slot,
                               int64_t now_ns, int64_t *deadline_ns);

/* Who waits at a head waits by the present delay from now on. */
void of_reading_look_at_delay(struct of_reading *reading);

#endif
