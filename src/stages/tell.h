/* Events for the console, made out of records in batches. */
#ifndef OF_STAGES_TELL_H
#define OF_STAGES_TELL_H

#include "core/flow.h"
#include "order/event.h"
#include "stages/letter.h"

/* Fills everything of the event that the record itself says. `facts` gives origin, attempts and cause. */
void of_tell_record(struct of_event *event, enum of_event_kind kind, const struct of_batch *batch, uint32_t at,
                    const struct of_record *record, const struct of_letter_facts *facts);

/* Fills an event about a partition. text may be NULL. */
void of_tell_partition(struct of_event *event, enum of_event_kind kind, const struct of_slot *slot, int64_t offset,
                       enum of_cause cause, const char *text, int64_t wall_ms);

#endif
