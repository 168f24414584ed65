#include "core/memory_cluster_private.h"

#include "core/assert.h"
#include "core/error.h"

static enum of_status
source_start(void *self, int wake_fd, struct of_error *err)
{
    (void)err;
    struct of_memory_member *member = self;
    pthread_mutex_lock(&member->cluster->lock);
    member->wake_fd = wake_fd;
    member->assign = true;
    pthread_mutex_unlock(&member->cluster->lock);
    return OF_OK;
}

static uint32_t
first_of(const struct of_memory_member *member)
{
    return (member->lane + member->cluster->lane_count - member->cluster->shift) % member->cluster->lane_count;
}

static uint32_t
list_partitions(struct of_memory_member *member)
{
    uint32_t count = 0;
    for (int topic = OF_MEMORY_ORDERS; topic <= OF_MEMORY_RETRY; topic++)
        for (uint32_t p = first_of(member); p < member->cluster->partition_count; p += member->cluster->lane_count)
            member->partitions[count++] = (struct of_partition) {
                .topic = of_memory_topic_name((enum of_memory_topic)topic),
                .role = topic == OF_MEMORY_ORDERS ? OF_ROLE_ORDERS : OF_ROLE_RETRY,
                .partition = (int32_t)p,
            };
    return count;
}

static bool
tell_broken(struct of_memory_member *member, struct of_source_event *event)
{
    struct of_memory_cluster *cluster = member->cluster;
    for (int topic = OF_MEMORY_ORDERS; topic <= OF_MEMORY_RETRY; topic++)
        for (uint32_t p = first_of(member); p < cluster->partition_count; p += cluster->lane_count) {
            struct of_memory_partition *partition = &cluster->partitions[topic][p];
            if (!partition->broken)
                continue;
            partition->broken = false;
            event->kind = OF_SOURCE_BROKEN;
            event->slot = partition->slot;
            event->offset = partition->position;
            event->cause = partition->cause;
            of_error_set(&event->error, OF_RETRY, "told to break");
            return true;
        }
    return false;
}

static bool
source_event(void *self, struct of_source_event *event)
{
    struct of_memory_member *member = self;
    bool have = true;
    pthread_mutex_lock(&member->cluster->lock);
    if (member->commit_answer) {
        member->commit_answer = false;
        event->kind = OF_SOURCE_COMMITTED;
        event->status = member->commit_status;
        of_error_set(&event->error, event->status, "told to fail");
    } else if (member->lose) {
        member->lose = member->revoke = false;
        event->kind = OF_SOURCE_LOST;
    } else if (member->revoke) {
        member->revoke = false;
        event->kind = OF_SOURCE_REVOKED;
    } else if (member->leaving && !member->assigned && !member->left) {
        member->left = true;
        event->kind = OF_SOURCE_LEFT;
    } else if (member->assign && !member->assigned && !member->leaving) {
        member->assign = false;
        member->assigned = true;
        event->kind = OF_SOURCE_ASSIGNED;
        event->count = list_partitions(member);
        event->partitions = member->partitions;
    } else {
        have = tell_broken(member, event);
    }
    pthread_mutex_unlock(&member->cluster->lock);
    return have;
}

static struct of_memory_partition *
find_partition(struct of_memory_cluster *cluster, enum of_role role, int32_t number)
{
    return &cluster->partitions[role == OF_ROLE_ORDERS ? OF_MEMORY_ORDERS : OF_MEMORY_RETRY][number];
}

static enum of_status
source_positions(void *self, struct of_partition *partitions, uint32_t count, struct of_error *err)
{
    struct of_memory_cluster *cluster = ((struct of_memory_member *)self)->cluster;
    pthread_mutex_lock(&cluster->lock);
    enum of_status status = OF_OK;
    if (cluster->failing_positions > 0) {
        cluster->failing_positions--;
        status = of_error_set(err, OF_RETRY, "told to fail");
    }
    for (uint32_t i = 0; i < count && status == OF_OK; i++) {
        struct of_memory_partition *partition = find_partition(cluster, partitions[i].role, partitions[i].partition);
        partitions[i].committed = partition->committed >= 0;
        partitions[i].start = partition->committed >= 0 ? partition->committed : 0;
    }
    pthread_mutex_unlock(&cluster->lock);
    return status;
}

static void
seek(struct of_memory_partition *partition, int64_t offset)
{
    partition->position = offset;
    partition->at = 0;
    while (partition->at < partition->count && partition->records[partition->at]->offset < offset)
        partition->at++;
}

static enum of_status
source_assign(void *self, struct of_slot *const *slots, const int64_t *offsets, uint32_t count, struct of_error *err)
{
    (void)err;
    struct of_memory_cluster *cluster = ((struct of_memory_member *)self)->cluster;
    pthread_mutex_lock(&cluster->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct of_memory_partition *partition = find_partition(cluster, slots[i]->role, slots[i]->partition);
        partition->slot = slots[i];
        partition->held = false;
        slots[i]->source = partition;
        seek(partition, offsets[i]);
    }
    pthread_mutex_unlock(&cluster->lock);
    return OF_OK;
}

static void
source_unassign(void *self)
{
    struct of_memory_member *member = self;
    pthread_mutex_lock(&member->cluster->lock);
    member->assigned = false;
    for (int topic = OF_MEMORY_ORDERS; topic <= OF_MEMORY_RETRY; topic++)
        for (uint32_t p = first_of(member); p < member->cluster->partition_count; p += member->cluster->lane_count) {
            struct of_memory_partition *partition = &member->cluster->partitions[topic][p];
            if (partition->slot != NULL)
                partition->slot->source = NULL;
            partition->slot = NULL;
            partition->broken = false;
        }
    pthread_mutex_unlock(&member->cluster->lock);
}

static struct of_memory_record *
next_record(const struct of_memory_partition *partition)
{
    if (partition->repeat > 0)
        return partition->position < partition->repeat ? partition->records[partition->position % partition->count]
                                                       : NULL;
    return partition->at < partition->count ? partition->records[partition->at] : NULL;
}

static void
move_into(struct of_memory_partition *partition, struct of_memory_record *record, struct of_chunk *chunk)
{
    int64_t offset = partition->repeat > 0 ? partition->position : record->offset;
    if (chunk->count == 0) {
        chunk->slot = partition->slot;
        chunk->first_offset = offset;
        chunk->payload = partition->repeat > 0 ? partition : NULL;
    }
    chunk->records[chunk->count++] = record;
    chunk->next_offset = offset + 1;
    partition->position = offset + 1;
    partition->at++;
}

static bool
read_partition(struct of_memory_partition *partition, struct of_chunk *chunk)
{
    if (partition->slot == NULL || partition->held)
        return false;
    struct of_memory_record *record;
    while (chunk->count < OF_CHUNK_RECORDS && (record = next_record(partition)) != NULL)
        move_into(partition, record, chunk);
    return chunk->count > 0;
}

static bool
source_read(void *self, struct of_chunk *chunk)
{
    struct of_memory_member *member = self;
    struct of_memory_cluster *cluster = member->cluster;
    bool found = false;
    pthread_mutex_lock(&cluster->lock);
    for (uint32_t i = 0; i < cluster->partition_count && !found; i++) {
        uint32_t p = member->next_partition++ % cluster->partition_count;
        if (of_memory_owner_of(cluster, p) == member)
            found = read_partition(&cluster->partitions[OF_MEMORY_ORDERS][p], chunk);
    }
    pthread_mutex_unlock(&cluster->lock);
    return found;
}

static bool
source_peek(void *self, struct of_slot *slot, struct of_record *record)
{
    struct of_memory_cluster *cluster = ((struct of_memory_member *)self)->cluster;
    struct of_memory_partition *partition = slot->source;
    pthread_mutex_lock(&cluster->lock);
    struct of_memory_record *next = partition->held ? NULL : next_record(partition);
    pthread_mutex_unlock(&cluster->lock);
    if (next == NULL)
        return false;
    *record = (struct of_record) { .key = next->key, .value = next->value, .offset = next->offset, .ref = next };
    return true;
}

static void
source_take(void *self, struct of_slot *slot, const struct of_record *record, struct of_chunk *chunk)
{
    (void)record;
    struct of_memory_cluster *cluster = ((struct of_memory_member *)self)->cluster;
    struct of_memory_partition *partition = slot->source;
    pthread_mutex_lock(&cluster->lock);
    move_into(partition, next_record(partition), chunk);
    pthread_mutex_unlock(&cluster->lock);
}

static int64_t
source_end(void *self, const struct of_slot *slot)
{
    struct of_memory_cluster *cluster = ((struct of_memory_member *)self)->cluster;
    struct of_memory_partition *partition = slot->source;
    pthread_mutex_lock(&cluster->lock);
    int64_t end = next_record(partition) == NULL ? partition->next_offset : -1;
    pthread_mutex_unlock(&cluster->lock);
    return end;
}

static int64_t
source_high(void *self, const struct of_slot *slot)
{
    struct of_memory_cluster *cluster = ((struct of_memory_member *)self)->cluster;
    struct of_memory_partition *partition = slot->source;
    OF_ASSERT(partition != NULL && partition->slot == slot); /* not after unassign */
    pthread_mutex_lock(&cluster->lock);
    int64_t high = cluster->ends_told ? partition->next_offset : -1;
    pthread_mutex_unlock(&cluster->lock);
    return high;
}

static void
source_hold(void *self, struct of_slot *slot)
{
    (void)self;
    struct of_memory_partition *partition = slot->source;
    OF_ASSERT(partition != NULL && partition->slot == slot); /* not after unassign */
    partition->held = true;
}

static enum of_status
source_resume(void *self, struct of_slot *slot, int64_t offset, struct of_error *err)
{
    (void)err;
    struct of_memory_cluster *cluster = ((struct of_memory_member *)self)->cluster;
    struct of_memory_partition *partition = slot->source;
    pthread_mutex_lock(&cluster->lock);
    partition->held = false;
    seek(partition, offset);
    pthread_mutex_unlock(&cluster->lock);
    return OF_OK;
}

static void
source_release(void *self, struct of_chunk *chunk)
{
    (void)self;
    (void)chunk;
}

static void
source_commit(void *self, const struct of_offset *offsets, uint32_t count)
{
    struct of_memory_member *member = self;
    struct of_memory_cluster *cluster = member->cluster;
    pthread_mutex_lock(&cluster->lock);
    member->commit_answer = true;
    member->commit_status = OF_OK;
    if (cluster->failing_commits > 0) {
        cluster->failing_commits--;
        member->commit_status = cluster->commit_status;
    }
    for (uint32_t i = 0; i < count && member->commit_status == OF_OK; i++)
        find_partition(cluster, offsets[i].slot->role, offsets[i].slot->partition)->committed = offsets[i].next_offset;
    int fd = member->wake_fd;
    pthread_mutex_unlock(&cluster->lock);
    of_memory_wake(fd);
}

static void
source_leave(void *self)
{
    struct of_memory_member *member = self;
    pthread_mutex_lock(&member->cluster->lock);
    member->leaving = true;
    member->revoke = member->assigned;
    pthread_mutex_unlock(&member->cluster->lock);
}

static void
nothing_to_close(void *self)
{
    (void)self;
}

static void
chunk_record(const struct of_chunk *chunk, uint32_t at, struct of_record *record)
{
    const struct of_memory_record *from = chunk->records[at];
    record->key = from->key;
    record->value = from->value;
    record->offset = chunk->payload != NULL ? chunk->first_offset + at : from->offset;
    record->at = at;
    record->behind = at + 1;
    record->ref = from;
}

static enum of_chunk_step
chunk_next(struct of_chunk *chunk, struct of_record *record)
{
    if (chunk->cursor == chunk->count)
        return OF_CHUNK_END;
    chunk_record(chunk, chunk->cursor, record);
    return OF_CHUNK_RECORD;
}

static bool
record_header(const struct of_record *record, struct of_header_walk *walk, struct of_slice *name,
              struct of_slice *value)
{
    const struct of_memory_record *from = record->ref;
    if (walk->passed == from->header_count)
        return false;
    const struct of_header *header = &from->headers[walk->passed++];
    *name = of_slice_str(header->name);
    *value = header->value;
    return true;
}

static int64_t
record_timestamp(const struct of_record *record)
{
    return ((const struct of_memory_record *)record->ref)->timestamp_ms;
}

static const struct of_chunk_ops chunk_ops = {
    .next = chunk_next,
    .record = chunk_record,
    .prefetch = of_chunk_prefetch,
    .header = record_header,
    .timestamp_ms = record_timestamp,
};

static const struct of_source_ops source_ops = {
    .name = "memory",
    .start = source_start,
    .event = source_event,
    .positions = source_positions,
    .assign = source_assign,
    .unassign = source_unassign,
    .read = source_read,
    .peek = source_peek,
    .take = source_take,
    .end = source_end,
    .high = source_high,
    .hold = source_hold,
    .resume = source_resume,
    .release = source_release,
    .commit = source_commit,
    .leave = source_leave,
    .close = nothing_to_close,
    .chunk_ops = &chunk_ops,
};

struct of_source
of_memory_source(struct of_memory_cluster *cluster, uint32_t lane)
{
    return (struct of_source) { &source_ops, &cluster->members[lane] };
}
