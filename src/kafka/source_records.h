/* The record path of the librdkafka source: core/source.h's read, peek, take, end and release, and how to look into a
 * record. Private to src/kafka. Threads: the fetch thread's, the chunk operations by whoever owns the chunk. */
#ifndef OF_KAFKA_SOURCE_RECORDS_H
#define OF_KAFKA_SOURCE_RECORDS_H

#include "kafka/assignment.h"

extern const struct of_chunk_ops of_kafka_chunk_ops;

bool of_kafka_records_read(struct of_kafka_assignment *assignment, struct of_chunk *chunk);
bool of_kafka_records_peek(struct of_kafka_assignment *assignment, struct of_kafka_part *part, struct of_record *record);
void of_kafka_records_take(struct of_kafka_part *part, struct of_chunk *chunk);
void of_kafka_records_release(struct of_chunk *chunk);

#endif
