/* A cluster in memory: four topics, a group with one member, sources and sinks on them. For tests and benchmarks.
 *
 * It does what the contracts of core/source.h and core/sink.h say and nothing more, at once and without a thread, unless
 * it is told to be slow, to refuse, or to take partitions away. What a sink writes to the retry topic its sources read.
 *
 * Lanes share the cluster: of_memory_source(cluster, lane) gets the partitions p with p % lanes == lane, of both topics.
 *
 * Threads: all functions may be called from any; one lock inside. A source or sink as its contract says. */
#ifndef OF_CORE_MEMORY_CLUSTER_H
#define OF_CORE_MEMORY_CLUSTER_H

#include "core/sink.h"
#include "core/source.h"

struct of_memory_cluster;

enum of_memory_topic { OF_MEMORY_ORDERS, OF_MEMORY_RETRY, OF_MEMORY_DEAD, OF_MEMORY_AGGREGATES, OF_MEMORY_TOPICS };

struct of_memory_record {
    int64_t offset;
    int64_t timestamp_ms;
    struct of_slice key, value;
    struct of_header *headers;
    uint32_t header_count;
};

struct of_memory_cluster *of_memory_cluster_create(uint32_t partitions, uint32_t lanes);
void of_memory_cluster_destroy(struct of_memory_cluster **cluster);

/* Lives as long as the cluster. */
struct of_source of_memory_source(struct of_memory_cluster *cluster, uint32_t lane);
struct of_sink of_memory_sink(struct of_memory_cluster *cluster, uint32_t lane);

/* Transactional: what it writes is there when its transaction is committed, with the offsets. */
struct of_sink of_memory_transactional_sink(struct of_memory_cluster *cluster, uint32_t lane);

/* "orders", "orders-retry", "orders-dlq", "orders-aggregates". */
const char *of_memory_topic_name(enum of_memory_topic topic);

/* Appends a copy. Returns its offset. */
int64_t of_memory_append(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition,
                         struct of_slice key, struct of_slice value, const struct of_header *headers,
                         uint32_t header_count);
/* The next record of the partition gets an offset higher by `by`, as after compaction or a transaction marker. */
void of_memory_skip_offsets(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition,
                            int64_t by);
/* The orders partition seems to hold `count` records: those appended, over and over. Its offsets are then 0, 1, ... */
void of_memory_repeat(struct of_memory_cluster *cluster, uint32_t partition, int64_t count);

uint32_t of_memory_count(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition);
/* The index-th record of the partition. Lives as long as the cluster. */
const struct of_memory_record *of_memory_at(struct of_memory_cluster *cluster, enum of_memory_topic topic,
                                            uint32_t partition, uint32_t index);
/* -1: none. */
int64_t of_memory_committed(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition);
int64_t of_memory_end(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition);

/* ---- what goes wrong ---- */

/* All members are gone, with what their transactions held and what they were told: others may take their place. */
void of_memory_members_die(struct of_memory_cluster *cluster);

/* The group assigns (again), takes back after draining, or takes away. A source assigns once by itself at start. */
void of_memory_assign(struct of_memory_cluster *cluster, uint32_t lane);
void of_memory_revoke(struct of_memory_cluster *cluster, uint32_t lane);
void of_memory_lose(struct of_memory_cluster *cluster, uint32_t lane);
/* Nothing is assigned: every lane has the partitions of its neighbour from now on. */
void of_memory_shift_lanes(struct of_memory_cluster *cluster);

/* The partition, which is assigned, cannot be read on from where it is, for `cause`, until it is resumed. */
void of_memory_break(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition, uint8_t cause);

/* Somebody else sets a committed offset, or deletes the records of a partition from the index-th on. */
void of_memory_set_committed(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition,
                             int64_t offset);
void of_memory_truncate(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition,
                        uint32_t index);

/* The next `count` commits are answered so and have no effect. */
void of_memory_fail_commits(struct of_memory_cluster *cluster, uint32_t count, enum of_status status);
/* The next `count` transactions end so instead of being committed: OF_ABORT, OF_FATAL, or OF_RETRY, where they count, but
 * the sink cannot tell. */
void of_memory_fail_transactions(struct of_memory_cluster *cluster, uint32_t count, enum of_status status);
/* Transactions do not end while this is true. */
void of_memory_hold_transactions(struct of_memory_cluster *cluster, bool hold);
/* The next `count` look-ups of positions are answered OF_RETRY. */
void of_memory_fail_positions(struct of_memory_cluster *cluster, uint32_t count);
/* The next `count` letters to that topic are refused at once (produce returns status), or, if later, by their report. */
void of_memory_fail_letters(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t count,
                            enum of_status status, bool later);
/* Letters above this size (key, value, headers; bytes) are too large for any topic. 0: no limit. */
void of_memory_limit_letters(struct of_memory_cluster *cluster, size_t bytes);
/* Sources know the ends of partitions from now on. */
void of_memory_tell_ends(struct of_memory_cluster *cluster);
/* Letters are written, but their reports wait while this is true. */
void of_memory_hold_reports(struct of_memory_cluster *cluster, bool hold);
/* The sink's queue takes so many unreported letters. 0: no limit. */
void of_memory_limit_queue(struct of_memory_cluster *cluster, uint32_t letters);

#endif
