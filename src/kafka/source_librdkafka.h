/* The source that reads through librdkafka: core/source.h on a member of the group that reads nothing, and two consumers outside the
 * group, for orders and for retries.
 *
 * Offsets are committed only by commit(), partitions are assigned by the range assignor and never jump (the reset
 * policy is `error`), and only committed records are seen. The partitions of the orders topic share one queue; each
 * retry partition has its own, so that it can be left unread until its head is due.
 *
 * Threads: as core/source.h; librdkafka's own threads never call into the program, they write to the wake eventfd.
 * Cost: about 90 ns a record in read(), 60 ns in release(), besides what librdkafka's own threads spend.
 *
 * What the contract leaves open:
 *   first_offset of a chunk is the next_offset of the chunk before it, so chunks cover the partition without a gap.
 *   BROKEN with OF_CAUSE_OFFSET_OUT_OF_RANGE: resume() answers OF_RETRY, and may block for a second, as long as the
 *     offset is out of range.
 *   positions() may block for 0.4 s more than it says, where brokers are slow to tell who leads the partitions.
 *   LEFT is given at the latest two seconds after the last partition was given up. */
#ifndef OF_KAFKA_SOURCE_LIBRDKAFKA_H
#define OF_KAFKA_SOURCE_LIBRDKAFKA_H

#include "core/source.h"
#include "kafka/options.h"

/* options must outlive the source. On success the source is to be released by its close operation. OF_FATAL: a property
 * is refused. */
enum of_status of_source_librdkafka_open(const struct of_kafka_options *options, struct of_source *source,
                                         struct of_error *err) OF_MUST_USE;

#endif
