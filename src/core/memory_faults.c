#include "core/memory_cluster_private.h"

#include <stdlib.h>

#include "core/assert.h"

void
of_memory_members_die(struct of_memory_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->lane_count; i++) {
        struct of_memory_member *member = &cluster->members[i];
        of_memory_drop_pending(member);
        free(member->reports);
        *member = (struct of_memory_member) {
            .cluster = cluster,
            .lane = i,
            .wake_fd = -1,
            .sink_wake_fd = -1,
            .partitions = member->partitions,
            .pending = member->pending,
            .pending_room = member->pending_room,
            .offsets = member->offsets,
        };
    }
    for (int topic = 0; topic < OF_MEMORY_TOPICS; topic++)
        for (uint32_t p = 0; p < cluster->partition_count; p++) {
            cluster->partitions[topic][p].slot = NULL;
            cluster->partitions[topic][p].held = cluster->partitions[topic][p].broken = false;
        }
}

void
of_memory_set_committed(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition,
                        int64_t offset)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->partitions[topic][partition].committed = offset;
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_truncate(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition, uint32_t index)
{
    pthread_mutex_lock(&cluster->lock);
    struct of_memory_partition *own = &cluster->partitions[topic][partition];
    while (own->count > index)
        of_memory_free_record(own->records[--own->count]);
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_fail_transactions(struct of_memory_cluster *cluster, uint32_t count, enum of_status status)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->failing_transactions = count;
    cluster->transaction_status = status;
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_hold_transactions(struct of_memory_cluster *cluster, bool hold)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->transactions_held = hold;
    pthread_mutex_unlock(&cluster->lock);
    for (uint32_t i = 0; i < cluster->lane_count; i++)
        of_memory_wake(cluster->members[i].sink_wake_fd);
}

void
of_memory_assign(struct of_memory_cluster *cluster, uint32_t lane)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->members[lane].assign = true;
    pthread_mutex_unlock(&cluster->lock);
    of_memory_wake(cluster->members[lane].wake_fd);
}

void
of_memory_shift_lanes(struct of_memory_cluster *cluster)
{
    pthread_mutex_lock(&cluster->lock);
    for (uint32_t p = 0; p < cluster->partition_count; p++)
        OF_ASSERT(cluster->partitions[OF_MEMORY_ORDERS][p].slot == NULL);
    cluster->shift = (cluster->shift + 1) % cluster->lane_count;
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_revoke(struct of_memory_cluster *cluster, uint32_t lane)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->members[lane].revoke = true;
    pthread_mutex_unlock(&cluster->lock);
    of_memory_wake(cluster->members[lane].wake_fd);
}

void
of_memory_lose(struct of_memory_cluster *cluster, uint32_t lane)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->members[lane].lose = true;
    pthread_mutex_unlock(&cluster->lock);
    of_memory_wake(cluster->members[lane].wake_fd);
}

void
of_memory_break(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition, uint8_t cause)
{
    pthread_mutex_lock(&cluster->lock);
    struct of_memory_partition *broken = &cluster->partitions[topic][partition];
    OF_ASSERT(broken->slot != NULL);
    broken->held = broken->broken = true;
    broken->cause = cause;
    int fd = of_memory_owner_of(cluster, partition)->wake_fd;
    pthread_mutex_unlock(&cluster->lock);
    of_memory_wake(fd);
}

void
of_memory_fail_commits(struct of_memory_cluster *cluster, uint32_t count, enum of_status status)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->failing_commits = count;
    cluster->commit_status = status;
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_fail_positions(struct of_memory_cluster *cluster, uint32_t count)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->failing_positions = count;
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_fail_letters(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t count,
                       enum of_status status, bool later)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->failing_letters[topic] = count;
    cluster->letter_status = status;
    cluster->letters_fail_later = later;
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_limit_letters(struct of_memory_cluster *cluster, size_t bytes)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->letter_bytes = bytes;
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_tell_ends(struct of_memory_cluster *cluster)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->ends_told = true;
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_hold_reports(struct of_memory_cluster *cluster, bool hold)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->reports_held = hold;
    pthread_mutex_unlock(&cluster->lock);
    for (uint32_t i = 0; i < cluster->lane_count; i++)
        of_memory_wake(cluster->members[i].sink_wake_fd);
}

void
of_memory_limit_queue(struct of_memory_cluster *cluster, uint32_t letters)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->queue_letters = letters;
    pthread_mutex_unlock(&cluster->lock);
}
