/* What becomes of a partition whose next offset its log does not hold. Private to src/kafka; the same for both sources.
 *
 *   the offset lies      on_out_of_range          the partition
 *   before the first     OF_KAFKA_HOLD            stays where it is, held, and is tried again
 *                        OF_KAFKA_SKIP_TO_FIRST   goes on at the first offset that is there
 *                        OF_KAFKA_SKIP_TO_LAST    goes on behind the last one
 *   behind the last      any                      stays where it is, held: what was read and counted there is no longer
 *                                                 in the log, and totals with it would be wrong to go on with
 *
 * Nothing is passed over without a line in the log and an event that say how much. */
#ifndef OF_KAFKA_OUT_OF_RANGE_H
#define OF_KAFKA_OUT_OF_RANGE_H

#include "core/flow.h"
#include "kafka/options.h"

/* [low, high): the offsets that the log holds. OF_OK: reading goes on at *next. OF_RETRY: not at present. OF_AGAIN: it
 * does hold the offset, or is about to begin with it. The text tells people, except with OF_AGAIN. */
enum of_status of_kafka_judge_range(const struct of_kafka_options *options, const struct of_slot *slot, int64_t offset,
                                    int64_t low, int64_t high, int64_t *next, struct of_error *err) OF_MUST_USE;

#endif
