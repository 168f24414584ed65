/* What the parts of the cluster in memory share: the logs (memory_cluster.c), the source (memory_source.c), the sinks
 * (memory_sink.c) and what goes wrong on demand (memory_faults.c). Everything is under the cluster's lock, unless it says
 * otherwise. */
#ifndef OF_CORE_MEMORY_CLUSTER_PRIVATE_H
#define OF_CORE_MEMORY_CLUSTER_PRIVATE_H

#include <pthread.h>

#include "core/memory_cluster.h"

struct of_memory_partition {
    enum of_memory_topic topic;
    uint32_t number;
    struct of_memory_record **records;
    uint32_t count, room;
    int64_t next_offset; /* of the next record appended */
    int64_t repeat;      /* records that it seems to hold; 0: what it holds */
    int64_t committed;   /* -1: none */
    /* the reading of its present owner */
    struct of_slot *slot;
    bool held;
    bool broken; /* to be told, with this cause */
    uint8_t cause;
    int64_t position;
    uint32_t at; /* index of the first record not below position, where nothing repeats */
};

struct of_memory_report {
    uint64_t tag;
    enum of_status status;
};

/* A record of a transaction that is not committed. */
struct of_memory_pending {
    enum of_memory_topic topic;
    uint32_t partition;
    struct of_memory_record *record;
};

struct of_memory_member {
    struct of_memory_cluster *cluster;
    uint32_t lane;
    int wake_fd;
    bool assign, revoke, lose; /* events to come */
    bool assigned, leaving, left;
    bool commit_answer;
    enum of_status commit_status;
    uint32_t next_partition; /* read in turn */
    struct of_partition *partitions;
    struct of_memory_report *reports; /* of its sink */
    uint32_t report_count, report_room;
    int sink_wake_fd;
    /* of its transactional sink */
    struct of_memory_pending *pending;
    uint32_t pending_count, pending_room;
    struct of_sink_offset *offsets;
    uint32_t offset_count;
    bool refused; /* one of the transaction's records was, which its report tells */
    bool ending, committing;
};

struct of_memory_cluster {
    pthread_mutex_t lock;
    uint32_t partition_count;
    uint32_t lane_count;
    uint32_t shift; /* of lanes against partitions */
    struct of_memory_partition *partitions[OF_MEMORY_TOPICS];
    struct of_memory_member *members;
    uint32_t failing_commits, failing_positions, failing_transactions;
    enum of_status transaction_status;
    bool transactions_held;
    enum of_status commit_status;
    uint32_t failing_letters[OF_MEMORY_TOPICS];
    enum of_status letter_status;
    bool letters_fail_later;
    bool ends_told;
    bool reports_held;
    size_t letter_bytes;
    uint32_t queue_letters;
};

/* Who reads the partition, and its retries. */
struct of_memory_member *of_memory_owner_of(struct of_memory_cluster *cluster, uint32_t partition);

/* ---- records ---- */

struct of_memory_record *of_memory_copy_record(struct of_slice key, struct of_slice value, const struct of_header *headers,
                                               uint32_t header_count);
void of_memory_free_record(struct of_memory_record *record);

/* Takes the record over. Returns its offset. */
int64_t of_memory_append_record(struct of_memory_partition *partition, struct of_memory_record *record);

/* Forgets the records of the transaction that is open. */
void of_memory_drop_pending(struct of_memory_member *member);

/* ---- without the lock ---- */

/* -1: nobody. */
void of_memory_wake(int fd);

#endif
