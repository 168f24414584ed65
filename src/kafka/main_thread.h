/* The priority of a handle's main thread.
 *
 * Before 2.5 librdkafka's main thread (rd_kafka_thread_main) is busy, doing nothing, for the last millisecond before each of its
 * timers: it waits for its queue in whole milliseconds. Every commit of a transaction has two such timers. Whoever comes to the same
 * processor meanwhile, in this program or in a broker beside it, has to wait. With a lower priority and a long slice they go first,
 * and the thread still has a quarter of a processor where somebody wants all of it (docs/decisions/0016).
 *
 * The thread that talks with the transaction coordinator, which no record passes, is lowered with it. Both pass their niceness, but not
 * their slice, on to threads that they make later: the main thread makes those for brokers that it learns of. So they are lowered
 * when the brokers are known, and only those that join the cluster later have threads as nice.
 *
 * From 2.5 on nothing is changed, nor where the process runs under another policy than SCHED_OTHER. Lowering takes no privilege.
 * Source: sched_setattr(2); for SCHED_OTHER, sched_runtime is the slice since Linux 6.12, and means nothing before. */
#ifndef OF_KAFKA_MAIN_THREAD_H
#define OF_KAFKA_MAIN_THREAD_H

#include <stdatomic.h>

#include <librdkafka/rdkafka.h>

/* As Linux counts threads; 0: not known, or nothing to be done. */
struct of_main_thread {
    _Atomic int id, coordinator_id;
};

/* rd_kafka_new(), which finds out which threads these are if the handle is a transactional producer; thread is to stay
 * where it is as long as that. Takes conf over whether or not there is a handle then; NULL: why says what is wrong. */
rd_kafka_t *of_main_thread_open(struct of_main_thread *thread, rd_kafka_type_t type, rd_kafka_conf_t *conf, char *why,
                                size_t size);

/* Below the priority that they were given; once, however often it is called. While the handle is there; any thread. */
void of_main_thread_lower(struct of_main_thread *thread);

#endif
