/* Committed state out of the aggregates topic: the restorer (order/restorer.h) of the librdkafka client.
 *
 * A thread of its own reads, and answers each request when the partition's end is reached (kafka/state_reader.h). Orders
 * and retries of partition p are recorded in partition p, which is read once for both. Requests that come while others
 * are under way are begun at once.
 *
 * Not OF_OK are
 *   OF_POISON  what is recorded cannot be used (order/recorded.h); the topic has too few partitions, and topics may not
 *              be created
 *   OF_RETRY   everything else: no answer in some seconds, a partition that cannot be read or stands still because a
 *              transaction is open for too long, partitions that were just added
 *
 * Cost: 100,000 rows of usual size in some 0.5 s. Memory: what is recorded, some 250 bytes per row while it is read. */
#ifndef OF_KAFKA_RESTORER_H
#define OF_KAFKA_RESTORER_H

#include "kafka/options.h"
#include "order/recorded.h"
#include "order/restorer.h"

/* options, groups and what fields points to must outlive the restorer. options->create_topics: partitions that are
 * missing are added. OF_FATAL: a property is refused. */
OF_MUST_USE enum of_status of_restorer_librdkafka_open(const struct of_kafka_options *options, struct of_groups *groups,
                                                       const struct of_state_fields *fields, struct of_restorer *out,
                                                       struct of_error *err);

#endif
