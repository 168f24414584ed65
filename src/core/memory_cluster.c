#include "core/memory_cluster_private.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"

const char *
of_memory_topic_name(enum of_memory_topic topic)
{
    static const char *const names[OF_MEMORY_TOPICS] = { "orders", "orders-retry", "orders-dlq", "orders-aggregates" };
    return names[topic];
}

struct of_memory_cluster *
of_memory_cluster_create(uint32_t partitions, uint32_t lanes)
{
    struct of_memory_cluster *cluster = of_alloc(sizeof *cluster);
    pthread_mutex_init(&cluster->lock, NULL);
    cluster->partition_count = partitions;
    cluster->lane_count = lanes;
    for (int topic = 0; topic < OF_MEMORY_TOPICS; topic++) {
        cluster->partitions[topic] = of_alloc_array(partitions, sizeof *cluster->partitions[topic]);
        for (uint32_t i = 0; i < partitions; i++) {
            cluster->partitions[topic][i].topic = (enum of_memory_topic)topic;
            cluster->partitions[topic][i].number = i;
            cluster->partitions[topic][i].committed = -1;
        }
    }
    cluster->members = of_alloc_array(lanes, sizeof *cluster->members);
    for (uint32_t i = 0; i < lanes; i++) {
        cluster->members[i] = (struct of_memory_member) { .cluster = cluster, .lane = i, .wake_fd = -1, .sink_wake_fd = -1 };
        cluster->members[i].partitions = of_alloc_array(2 * partitions, sizeof(struct of_partition));
    }
    return cluster;
}

void
of_memory_free_record(struct of_memory_record *record)
{
    for (uint32_t i = 0; i < record->header_count; i++)
        free((void *)(uintptr_t)record->headers[i].name);
    free(record->headers);
    free(record);
}

void
of_memory_drop_pending(struct of_memory_member *member)
{
    for (uint32_t i = 0; i < member->pending_count; i++)
        of_memory_free_record(member->pending[i].record);
    member->pending_count = 0;
}

void
of_memory_cluster_destroy(struct of_memory_cluster **cluster)
{
    for (int topic = 0; topic < OF_MEMORY_TOPICS; topic++) {
        for (uint32_t p = 0; p < (*cluster)->partition_count; p++) {
            struct of_memory_partition *partition = &(*cluster)->partitions[topic][p];
            for (uint32_t i = 0; i < partition->count; i++)
                of_memory_free_record(partition->records[i]);
            free(partition->records);
        }
        free((*cluster)->partitions[topic]);
    }
    for (uint32_t i = 0; i < (*cluster)->lane_count; i++) {
        of_memory_drop_pending(&(*cluster)->members[i]);
        free((*cluster)->members[i].pending);
        free((*cluster)->members[i].offsets);
        free((*cluster)->members[i].partitions);
        free((*cluster)->members[i].reports);
    }
    free((*cluster)->members);
    pthread_mutex_destroy(&(*cluster)->lock);
    free(*cluster);
    *cluster = NULL;
}

void
of_memory_wake(int fd)
{
    uint64_t one = 1;
    if (fd >= 0 && write(fd, &one, sizeof one) < 0)
        return; /* a full counter wakes as well */
}

/* ---- records ---- */

static struct of_slice
copy_into(uint8_t **at, struct of_slice from)
{
    if (from.data == NULL)
        return from;
    struct of_slice copy = of_slice_of(*at, from.length);
    if (from.length > 0)
        memcpy(*at, from.data, from.length);
    *at += from.length;
    return copy;
}

/* One block: the record, then key, value and header values. */
struct of_memory_record *
of_memory_copy_record(struct of_slice key, struct of_slice value, const struct of_header *headers, uint32_t header_count)
{
    size_t bytes = key.length + value.length;
    for (uint32_t i = 0; i < header_count; i++)
        bytes += headers[i].value.length;
    struct of_memory_record *record = of_alloc(sizeof *record + bytes + 1);
    uint8_t *at = (uint8_t *)(record + 1);
    record->key = copy_into(&at, key);
    record->value = copy_into(&at, value);
    record->headers = of_alloc_array(header_count, sizeof *record->headers);
    record->header_count = header_count;
    for (uint32_t i = 0; i < header_count; i++)
        record->headers[i] = (struct of_header) { of_strdup(headers[i].name), copy_into(&at, headers[i].value) };
    record->timestamp_ms = of_clock_wall_ms(of_clock_system());
    return record;
}

int64_t
of_memory_append_record(struct of_memory_partition *partition, struct of_memory_record *record)
{
    if (partition->count == partition->room) {
        partition->room = partition->room ? 2 * partition->room : 64;
        partition->records = of_realloc_array(partition->records, partition->room, sizeof(struct of_memory_record *));
    }
    record->offset = partition->next_offset++;
    partition->records[partition->count++] = record;
    return record->offset;
}

struct of_memory_member *
of_memory_owner_of(struct of_memory_cluster *cluster, uint32_t partition)
{
    return &cluster->members[(partition + cluster->shift) % cluster->lane_count];
}

int64_t
of_memory_append(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition,
                 struct of_slice key, struct of_slice value, const struct of_header *headers, uint32_t header_count)
{
    struct of_memory_record *record = of_memory_copy_record(key, value, headers, header_count);
    pthread_mutex_lock(&cluster->lock);
    int64_t offset = of_memory_append_record(&cluster->partitions[topic][partition], record);
    int fd = of_memory_owner_of(cluster, partition)->wake_fd;
    pthread_mutex_unlock(&cluster->lock);
    of_memory_wake(fd);
    return offset;
}

void
of_memory_skip_offsets(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition, int64_t by)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->partitions[topic][partition].next_offset += by;
    pthread_mutex_unlock(&cluster->lock);
}

void
of_memory_repeat(struct of_memory_cluster *cluster, uint32_t partition, int64_t count)
{
    cluster->partitions[OF_MEMORY_ORDERS][partition].repeat = count;
}

uint32_t
of_memory_count(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition)
{
    pthread_mutex_lock(&cluster->lock);
    uint32_t count = cluster->partitions[topic][partition].count;
    pthread_mutex_unlock(&cluster->lock);
    return count;
}

const struct of_memory_record *
of_memory_at(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition, uint32_t index)
{
    pthread_mutex_lock(&cluster->lock);
    OF_ASSERT(index < cluster->partitions[topic][partition].count);
    const struct of_memory_record *record = cluster->partitions[topic][partition].records[index];
    pthread_mutex_unlock(&cluster->lock);
    return record;
}

int64_t
of_memory_committed(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition)
{
    pthread_mutex_lock(&cluster->lock);
    int64_t committed = cluster->partitions[topic][partition].committed;
    pthread_mutex_unlock(&cluster->lock);
    return committed;
}

static int64_t
end_of(const struct of_memory_partition *partition)
{
    return partition->repeat > 0 ? partition->repeat : partition->next_offset;
}

int64_t
of_memory_end(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition)
{
    pthread_mutex_lock(&cluster->lock);
    int64_t end = end_of(&cluster->partitions[topic][partition]);
    pthread_mutex_unlock(&cluster->lock);
    return end;
}
