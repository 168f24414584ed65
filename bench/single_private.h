/* Private to single*.c: what the one thread works on. */
#ifndef BENCH_SINGLE_PRIVATE_H
#define BENCH_SINGLE_PRIVATE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "avro/plan.h"
#include "core/clock.h"
#include "order/groups.h"
#include "single.h"

enum { SINGLE_ORDERS = 0, SINGLE_RETRIES = 1 };

/* What a retry record carries in its header. */
struct single_note {
    int64_t due_ms, offset; /* the offset and partition are the origin's */
    int32_t partition;
    uint32_t attempts; /* made */
};

struct single_job {
    const struct single *single;
    rd_kafka_t *consumer, *producer;
    rd_kafka_queue_t *queues[2]; /* by topic */
    rd_kafka_message_t *waiting; /* the retry that is due next */
    struct single_note waiting_note;
    struct of_plan *plan;
    struct of_groups *groups;
    double *sums;
    uint64_t *counts;
    uint64_t *prefixes; /* of simulated failures, by partition */
    int32_t partitions;
    int64_t *next[2]; /* offsets to commit, by topic and partition; -1: nothing read */
    uint64_t outstanding[2]; /* records not acknowledged, before and behind the commit under way */
    int generation;
    rd_kafka_topic_partition_list_t *committing; /* once the generation before is acknowledged; NULL: nothing */
    int64_t next_commit_ms;
    bool failed;
    struct single_result *result;
};

static inline int64_t
single_now_ms(void)
{
    return of_clock_mono_ns(of_clock_system()) / OF_MS_NS;
}

/* NULL: said why on standard error. A producer reports to job->outstanding and job->failed. */
rd_kafka_t *single_open_client(struct single_job *job, rd_kafka_type_t type);

/* 0: there is no such topic. */
int32_t single_partitions_of(rd_kafka_t *rk, const char *topic);

/* False: not there within ten seconds, each with all its leaders. */
bool single_make_topics(struct single_job *job);

/* Both topics from their beginnings, each with a queue of its own. */
void single_assign(struct single_job *job);

#endif
