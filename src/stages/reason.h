/* What there is to say about a record that failed before it came to an attempt, beyond its cause: where its bytes
 * are no good and why, or why there is no plan for its schema. For dead letters; nothing of it is worked out for
 * good orders. */
#ifndef OF_STAGES_REASON_H
#define OF_STAGES_REASON_H

#include "core/flow.h"

enum { OF_REASON_BYTES = 600 };

/* Writes it to text and returns text; NULL: the cause says it all. batch: the record's, which it is record `at` of. */
const char *of_reason(const struct of_batch *batch, uint32_t at, const struct of_record *record,
                      char text[OF_REASON_BYTES]);

#endif
