/* The priority of a producer's main thread.
 *
 * Before 2.5 librdkafka's main thread (rd_kafka_thread_main) is busy, doing nothing, for the last millisecond before each of its
 * timers: it waits for its queue in whole milliseconds. Every commit has two such timers. Whoever comes to the same processor
 * meanwhile, in this program or in a broker beside it, has to wait: with a commit every 100 ms, one in a hundred of 50,000 orders
 * a second was counted a millisecond late. With a lower priority and a long slice they go first, and the thread still has a
 * quarter of a processor where somebody wants all of it.
 *
 * From 2.5 on nothing is changed. To lower a thread takes no privilege.
 * Source: sched_setattr(2); for policies other than SCHED_DEADLINE, sched_runtime is the slice since Linux 6.12, and means nothing before. */
#ifndef OF_KAFKA_MAIN_THREAD_H
#define OF_KAFKA_MAIN_THREAD_H

#include <librdkafka/rdkafka.h>

/* For the handle that will be made of it. Below the priority that the process was given. */
void of_kafka_lower_main_thread(rd_kafka_conf_t *conf);

#endif
