/* Reads partitions of the aggregates topic from their beginning to an end that holds all that was written before it was
 * asked for.
 *
 * Ends are asked of the brokers in the name of one that reads uncommitted records, records are read as one that reads
 * committed ones. So the end lies behind every transaction that was begun before, and is reached only when each of them
 * is committed or aborted; a reader of committed records that asked itself would be told an end before the first open
 * one.
 *
 *   begin --------> under way --poll: position reaches the end--> there --poll--> there, and goes on reading
 *   under way, there --begin--> under way, to a new end
 *   any --poll: an error of the partition--> failed
 *   any --end--> not read
 *
 * Owner: whoever opened it. Threads: one at a time. */
#ifndef OF_KAFKA_STATE_READER_H
#define OF_KAFKA_STATE_READER_H

#include "core/slice.h"
#include "kafka/options.h"

struct of_state_reader;

struct of_state_reading {
    int64_t first, next, end; /* offsets: of the first record, of the next one to be read, of the end */
    int64_t moved_ns;         /* monotonic: when next last moved, or the reading began */
    bool failed;
    char why[200];
};

/* A record; its slices live for the call. */
typedef void of_state_take(void *context, int32_t partition, struct of_slice key, struct of_slice value);

/* options, which name the topic, must outlive the reader. wait_ms: how long a broker may keep back the answer that there
 * is nothing new, which delays the news that an end is reached. OF_FATAL: a property is refused. */
OF_MUST_USE enum of_status of_state_reader_open(const struct of_kafka_options *options, int wait_ms,
                                                struct of_state_reader **out, struct of_error *err);

/* How many partitions the topic has, 0 when there is none. OF_OK, OF_RETRY, OF_FATAL: not allowed. Blocks for timeout_ms
 * at most. */
OF_MUST_USE enum of_status of_state_reader_look_up(struct of_state_reader *reader, int timeout_ms, int32_t *partitions,
                                                   struct of_error *err);

/* Begins these partitions, which the topic has, or gives those under way a new end. OF_OK; OF_RETRY: no answer, though
 * some may have begun. Blocks for twice timeout_ms at most. */
OF_MUST_USE enum of_status of_state_reader_begin(struct of_state_reader *reader, const int32_t *partitions,
                                                 uint32_t count, int timeout_ms, struct of_error *err);

/* Takes what is there, some thousand records at most; when there is nothing, waits for timeout_ms at most. Returns how
 * many records it took. */
uint32_t of_state_reader_poll(struct of_state_reader *reader, int timeout_ms, of_state_take *take, void *context);

/* NULL: not read. */
const struct of_state_reading *of_state_reader_reading(const struct of_state_reader *reader, int32_t partition);

static inline bool
of_state_reading_is_there(const struct of_state_reading *reading)
{
    return reading->next >= reading->end;
}

void of_state_reader_end(struct of_state_reader *reader, int32_t partition);

/* Blocks for a second or two at most. */
void of_state_reader_close(struct of_state_reader **reader);

#endif
