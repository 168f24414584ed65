/* The priority of a producer's main thread.
 *
 * Before 2.5 librdkafka's main thread (rd_kafka_thread_main) is busy, doing nothing, for the last millisecond before each of its
 * timers: it waits for its queue in whole milliseconds. Every commit of a transaction has two such timers. Whoever comes to the same
 * processor meanwhile, in this program or in a broker beside it, has to wait. With a lower priority and a long slice they go first,
 * and the thread still has a quarter of a processor where somebody wants all of it (docs/decisions/0016).
 *
 * Threads that it makes have the same: the one for the transaction coordinator, which no record passes, and those for brokers
 * that join the cluster later; not those for brokers that are there at the start.
 *
 * From 2.5 on nothing is changed, nor where the process runs under another policy than SCHED_OTHER. Lowering takes no privilege.
 * Source: sched_setattr(2); for SCHED_OTHER, sched_runtime is the slice since Linux 6.12, and means nothing before. */
#ifndef OF_KAFKA_MAIN_THREAD_H
#define OF_KAFKA_MAIN_THREAD_H

#include <librdkafka/rdkafka.h>

/* Of the handle that will be made of it. */
void of_kafka_lower_main_thread(rd_kafka_conf_t *conf);

#endif
