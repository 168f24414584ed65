#include "core/memory_cluster.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"

struct partition {
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

struct report {
    uint64_t tag;
    enum of_status status;
};

/* A record of a transaction that is not committed. */
struct pending {
    enum of_memory_topic topic;
    uint32_t partition;
    struct of_memory_record *record;
};

struct member {
    struct of_memory_cluster *cluster;
    uint32_t lane;
    int wake_fd;
    bool assign, revoke, lose; /* events to come */
    bool assigned, leaving, left;
    bool commit_answer;
    enum of_status commit_status;
    uint32_t next_partition; /* read in turn */
    struct of_partition *partitions;
    struct report *reports; /* of its sink */
    uint32_t report_count, report_room;
    int sink_wake_fd;
    /* of its transactional sink */
    struct pending *pending;
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
    struct partition *partitions[OF_MEMORY_TOPICS];
    struct member *members;
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

static const char *const topic_names[OF_MEMORY_TOPICS] = { "orders", "orders-retry", "orders-dlq", "orders-aggregates" };

const char *
of_memory_topic_name(enum of_memory_topic topic)
{
    return topic_names[topic];
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
        cluster->members[i] = (struct member) { .cluster = cluster, .lane = i, .wake_fd = -1, .sink_wake_fd = -1 };
        cluster->members[i].partitions = of_alloc_array(2 * partitions, sizeof(struct of_partition));
    }
    return cluster;
}

static void
free_record(struct of_memory_record *record)
{
    for (uint32_t i = 0; i < record->header_count; i++)
        free((void *)(uintptr_t)record->headers[i].name);
    free(record->headers);
    free(record);
}

static void
drop_pending(struct member *member)
{
    for (uint32_t i = 0; i < member->pending_count; i++)
        free_record(member->pending[i].record);
    member->pending_count = 0;
}

void
of_memory_cluster_destroy(struct of_memory_cluster **cluster)
{
    for (int topic = 0; topic < OF_MEMORY_TOPICS; topic++) {
        for (uint32_t p = 0; p < (*cluster)->partition_count; p++) {
            struct partition *partition = &(*cluster)->partitions[topic][p];
            for (uint32_t i = 0; i < partition->count; i++)
                free_record(partition->records[i]);
            free(partition->records);
        }
        free((*cluster)->partitions[topic]);
    }
    for (uint32_t i = 0; i < (*cluster)->lane_count; i++) {
        drop_pending(&(*cluster)->members[i]);
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

static void
wake(int fd)
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
static struct of_memory_record *
copy_record(struct of_slice key, struct of_slice value, const struct of_header *headers, uint32_t header_count)
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

static int64_t
append(struct partition *partition, struct of_memory_record *record)
{
    if (partition->count == partition->room) {
        partition->room = partition->room ? 2 * partition->room : 64;
        partition->records = of_realloc_array(partition->records, partition->room, sizeof(struct of_memory_record *));
    }
    record->offset = partition->next_offset++;
    partition->records[partition->count++] = record;
    return record->offset;
}

static struct member *
owner_of(struct of_memory_cluster *cluster, uint32_t partition)
{
    return &cluster->members[(partition + cluster->shift) % cluster->lane_count];
}

int64_t
of_memory_append(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition,
                 struct of_slice key, struct of_slice value, const struct of_header *headers, uint32_t header_count)
{
    struct of_memory_record *record = copy_record(key, value, headers, header_count);
    pthread_mutex_lock(&cluster->lock);
    int64_t offset = append(&cluster->partitions[topic][partition], record);
    int fd = owner_of(cluster, partition)->wake_fd;
    pthread_mutex_unlock(&cluster->lock);
    wake(fd);
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
end_of(const struct partition *partition)
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

/* ---- the source ---- */

static enum of_status
source_start(void *self, int wake_fd, struct of_error *err)
{
    (void)err;
    struct member *member = self;
    pthread_mutex_lock(&member->cluster->lock);
    member->wake_fd = wake_fd;
    member->assign = true;
    pthread_mutex_unlock(&member->cluster->lock);
    return OF_OK;
}

static uint32_t
first_of(const struct member *member)
{
    return (member->lane + member->cluster->lane_count - member->cluster->shift) % member->cluster->lane_count;
}

static uint32_t
list_partitions(struct member *member)
{
    uint32_t count = 0;
    for (int topic = OF_MEMORY_ORDERS; topic <= OF_MEMORY_RETRY; topic++)
        for (uint32_t p = first_of(member); p < member->cluster->partition_count; p += member->cluster->lane_count)
            member->partitions[count++] = (struct of_partition) {
                .topic = topic_names[topic],
                .role = topic == OF_MEMORY_ORDERS ? OF_ROLE_ORDERS : OF_ROLE_RETRY,
                .partition = (int32_t)p,
            };
    return count;
}

static bool
tell_broken(struct member *member, struct of_source_event *event)
{
    struct of_memory_cluster *cluster = member->cluster;
    for (int topic = OF_MEMORY_ORDERS; topic <= OF_MEMORY_RETRY; topic++)
        for (uint32_t p = first_of(member); p < cluster->partition_count; p += cluster->lane_count) {
            struct partition *partition = &cluster->partitions[topic][p];
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
    struct member *member = self;
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

static struct partition *
find_partition(struct of_memory_cluster *cluster, enum of_role role, int32_t number)
{
    return &cluster->partitions[role == OF_ROLE_ORDERS ? OF_MEMORY_ORDERS : OF_MEMORY_RETRY][number];
}

static enum of_status
source_positions(void *self, struct of_partition *partitions, uint32_t count, struct of_error *err)
{
    struct of_memory_cluster *cluster = ((struct member *)self)->cluster;
    pthread_mutex_lock(&cluster->lock);
    enum of_status status = OF_OK;
    if (cluster->failing_positions > 0) {
        cluster->failing_positions--;
        status = of_error_set(err, OF_RETRY, "told to fail");
    }
    for (uint32_t i = 0; i < count && status == OF_OK; i++) {
        struct partition *partition = find_partition(cluster, partitions[i].role, partitions[i].partition);
        partitions[i].committed = partition->committed >= 0;
        partitions[i].start = partition->committed >= 0 ? partition->committed : 0;
    }
    pthread_mutex_unlock(&cluster->lock);
    return status;
}

static void
seek(struct partition *partition, int64_t offset)
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
    struct of_memory_cluster *cluster = ((struct member *)self)->cluster;
    pthread_mutex_lock(&cluster->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct partition *partition = find_partition(cluster, slots[i]->role, slots[i]->partition);
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
    struct member *member = self;
    pthread_mutex_lock(&member->cluster->lock);
    member->assigned = false;
    for (int topic = OF_MEMORY_ORDERS; topic <= OF_MEMORY_RETRY; topic++)
        for (uint32_t p = first_of(member); p < member->cluster->partition_count; p += member->cluster->lane_count) {
            struct partition *partition = &member->cluster->partitions[topic][p];
            if (partition->slot != NULL)
                partition->slot->source = NULL;
            partition->slot = NULL;
            partition->broken = false;
        }
    pthread_mutex_unlock(&member->cluster->lock);
}

static struct of_memory_record *
next_record(const struct partition *partition)
{
    if (partition->repeat > 0)
        return partition->position < partition->repeat ? partition->records[partition->position % partition->count]
                                                       : NULL;
    return partition->at < partition->count ? partition->records[partition->at] : NULL;
}

static void
move_into(struct partition *partition, struct of_memory_record *record, struct of_chunk *chunk)
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
read_partition(struct partition *partition, struct of_chunk *chunk)
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
    struct member *member = self;
    struct of_memory_cluster *cluster = member->cluster;
    bool found = false;
    pthread_mutex_lock(&cluster->lock);
    for (uint32_t i = 0; i < cluster->partition_count && !found; i++) {
        uint32_t p = member->next_partition++ % cluster->partition_count;
        if (owner_of(cluster, p) == member)
            found = read_partition(&cluster->partitions[OF_MEMORY_ORDERS][p], chunk);
    }
    pthread_mutex_unlock(&cluster->lock);
    return found;
}

static bool
source_peek(void *self, struct of_slot *slot, struct of_record *record)
{
    struct of_memory_cluster *cluster = ((struct member *)self)->cluster;
    struct partition *partition = slot->source;
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
    struct of_memory_cluster *cluster = ((struct member *)self)->cluster;
    struct partition *partition = slot->source;
    pthread_mutex_lock(&cluster->lock);
    move_into(partition, next_record(partition), chunk);
    pthread_mutex_unlock(&cluster->lock);
}

static int64_t
source_end(void *self, const struct of_slot *slot)
{
    struct of_memory_cluster *cluster = ((struct member *)self)->cluster;
    struct partition *partition = slot->source;
    pthread_mutex_lock(&cluster->lock);
    int64_t end = next_record(partition) == NULL ? partition->next_offset : -1;
    pthread_mutex_unlock(&cluster->lock);
    return end;
}

static int64_t
source_high(void *self, const struct of_slot *slot)
{
    struct of_memory_cluster *cluster = ((struct member *)self)->cluster;
    struct partition *partition = slot->source;
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
    struct partition *partition = slot->source;
    OF_ASSERT(partition != NULL && partition->slot == slot); /* not after unassign */
    partition->held = true;
}

static enum of_status
source_resume(void *self, struct of_slot *slot, int64_t offset, struct of_error *err)
{
    (void)err;
    struct of_memory_cluster *cluster = ((struct member *)self)->cluster;
    struct partition *partition = slot->source;
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
    struct member *member = self;
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
    wake(fd);
}

static void
source_leave(void *self)
{
    struct member *member = self;
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
record_header(const struct of_record *record, uint32_t index, struct of_slice *name, struct of_slice *value)
{
    const struct of_memory_record *from = record->ref;
    if (index >= from->header_count)
        return false;
    *name = of_slice_str(from->headers[index].name);
    *value = from->headers[index].value;
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

/* ---- the sink ---- */

static enum of_status
sink_start(void *self, int wake_fd, struct of_error *err)
{
    (void)err;
    struct member *member = self;
    member->sink_wake_fd = wake_fd;
    return OF_OK;
}

static size_t
letter_size(const struct of_outgoing *letter)
{
    size_t bytes = letter->key.length + letter->value.length;
    for (uint32_t i = 0; i < letter->header_count; i++)
        bytes += strlen(letter->headers[i].name) + letter->headers[i].value.length;
    return bytes;
}

static void
add_report(struct member *member, uint64_t tag, enum of_status status)
{
    if (member->report_count == member->report_room) {
        member->report_room = member->report_room ? 2 * member->report_room : 64;
        member->reports = of_realloc_array(member->reports, member->report_room, sizeof *member->reports);
    }
    member->reports[member->report_count++] = (struct report) { tag, status };
}

/* What the cluster was told to do with this letter. later: by its report. */
static enum of_status
verdict(struct of_memory_cluster *cluster, const struct member *member, enum of_memory_topic topic,
        const struct of_outgoing *letter, bool *later)
{
    *later = false;
    if (cluster->letter_bytes > 0 && letter_size(letter) > cluster->letter_bytes)
        return OF_POISON;
    if (cluster->queue_letters > 0 && member->report_count >= cluster->queue_letters)
        return OF_AGAIN;
    if (cluster->failing_letters[topic] == 0)
        return OF_OK;
    cluster->failing_letters[topic]--;
    *later = cluster->letters_fail_later;
    return cluster->letter_status;
}

static enum of_memory_topic
topic_of(enum of_destination destination)
{
    static const enum of_memory_topic topics[OF_DESTINATIONS] = {
        [OF_TO_RETRY] = OF_MEMORY_RETRY,
        [OF_TO_DEAD_LETTER] = OF_MEMORY_DEAD,
        [OF_TO_AGGREGATES] = OF_MEMORY_AGGREGATES,
    };
    return topics[destination];
}

static enum of_status
sink_produce(void *self, const struct of_outgoing *letter, uint64_t tag, struct of_error *err)
{
    struct member *member = self;
    struct of_memory_cluster *cluster = member->cluster;
    enum of_memory_topic topic = topic_of(letter->destination);
    uint32_t partition = (uint32_t)letter->partition % cluster->partition_count;
    bool later;
    pthread_mutex_lock(&cluster->lock);
    enum of_status status = verdict(cluster, member, topic, letter, &later);
    int fd = -1;
    if (status == OF_OK) {
        append(&cluster->partitions[topic][partition],
               copy_record(letter->key, letter->value, letter->headers, letter->header_count));
        fd = owner_of(cluster, partition)->wake_fd;
    }
    if (status == OF_OK || later)
        add_report(member, tag, status);
    pthread_mutex_unlock(&cluster->lock);
    wake(fd);
    if (status == OF_OK || later)
        return OF_OK;
    return of_error_set(err, status, "told to refuse");
}

static uint32_t
sink_poll(void *self, const struct of_sink_listener *listener)
{
    struct member *member = self;
    pthread_mutex_lock(&member->cluster->lock);
    uint32_t count = member->cluster->reports_held ? 0 : member->report_count;
    struct report *reports = member->reports;
    if (count > 0) {
        member->reports = NULL;
        member->report_count = member->report_room = 0;
    }
    pthread_mutex_unlock(&member->cluster->lock);
    for (uint32_t i = 0; i < count; i++)
        listener->settled(listener->arg, reports[i].tag, reports[i].status, "told to refuse");
    if (count > 0)
        free(reports);
    return count;
}

static const struct of_sink_ops sink_ops = {
    .start = sink_start,
    .produce = sink_produce,
    .poll = sink_poll,
    .close = nothing_to_close,
};

struct of_sink
of_memory_sink(struct of_memory_cluster *cluster, uint32_t lane)
{
    return (struct of_sink) { &sink_ops, &cluster->members[lane] };
}

/* ---- the transactional sink ---- */

static enum of_status
transactional_produce(void *self, const struct of_outgoing *record, uint64_t tag, struct of_error *err)
{
    struct member *member = self;
    struct of_memory_cluster *cluster = member->cluster;
    enum of_memory_topic topic = topic_of(record->destination);
    bool later;
    OF_ASSERT(!member->ending);
    pthread_mutex_lock(&cluster->lock);
    enum of_status status = verdict(cluster, member, topic, record, &later);
    if (status == OF_OK) {
        if (member->pending_count == member->pending_room) {
            member->pending_room = member->pending_room ? 2 * member->pending_room : 64;
            member->pending = of_realloc_array(member->pending, member->pending_room, sizeof *member->pending);
        }
        member->pending[member->pending_count++] = (struct pending) {
            .topic = topic,
            .partition = (uint32_t)record->partition % cluster->partition_count,
            .record = copy_record(record->key, record->value, record->headers, record->header_count),
        };
    } else if (later) {
        add_report(member, tag, status);
        member->refused = true;
    }
    pthread_mutex_unlock(&cluster->lock);
    if (status == OF_OK || later)
        return OF_OK;
    return of_error_set(err, status, "told to refuse");
}

static void
transactional_commit(void *self, const struct of_sink_offset *offsets, uint32_t count, const void *membership)
{
    struct member *member = self;
    (void)membership;
    OF_ASSERT(!member->ending);
    member->offsets = of_realloc_array(member->offsets, count, sizeof *offsets);
    if (count > 0)
        memcpy(member->offsets, offsets, count * sizeof *offsets);
    member->offset_count = count;
    member->ending = member->committing = true;
    wake(member->sink_wake_fd);
}

static void
transactional_abort(void *self)
{
    struct member *member = self;
    OF_ASSERT(!member->ending);
    member->ending = true;
    member->committing = false;
    wake(member->sink_wake_fd);
}

/* Under the lock: everything at once. */
static void
apply(struct member *member)
{
    struct of_memory_cluster *cluster = member->cluster;
    for (uint32_t i = 0; i < member->pending_count; i++)
        append(&cluster->partitions[member->pending[i].topic][member->pending[i].partition],
               member->pending[i].record);
    member->pending_count = 0;
    for (uint32_t i = 0; i < member->offset_count; i++) {
        enum of_memory_topic topic = OF_MEMORY_ORDERS;
        while (strcmp(topic_names[topic], member->offsets[i].topic) != 0)
            topic++;
        cluster->partitions[topic][member->offsets[i].partition].committed = member->offsets[i].next_offset;
    }
    for (uint32_t i = 0; i < cluster->lane_count; i++)
        wake(cluster->members[i].wake_fd);
}

static enum of_status
end_transaction(struct member *member)
{
    struct of_memory_cluster *cluster = member->cluster;
    enum of_status status = member->committing && !member->refused ? OF_OK : OF_ABORT;
    member->refused = false;
    if (status == OF_OK && cluster->failing_transactions > 0) {
        cluster->failing_transactions--;
        status = cluster->transaction_status;
    }
    if (status == OF_OK || status == OF_RETRY)
        apply(member);
    drop_pending(member);
    member->ending = false;
    return status;
}

static uint32_t
transactional_poll(void *self, const struct of_sink_listener *listener)
{
    struct member *member = self;
    struct of_memory_cluster *cluster = member->cluster;
    uint32_t reports = sink_poll(self, listener);
    pthread_mutex_lock(&cluster->lock);
    bool ends = member->ending && !cluster->transactions_held;
    enum of_status status = ends ? end_transaction(member) : OF_OK;
    pthread_mutex_unlock(&cluster->lock);
    if (ends)
        listener->ended(listener->arg, status, status == OF_FATAL, "told to fail");
    return reports + ends;
}

static const struct of_sink_ops transactional_sink_ops = {
    .transactional = true,
    .start = sink_start,
    .produce = transactional_produce,
    .poll = transactional_poll,
    .commit = transactional_commit,
    .abort = transactional_abort,
    .close = nothing_to_close,
};

struct of_sink
of_memory_transactional_sink(struct of_memory_cluster *cluster, uint32_t lane)
{
    return (struct of_sink) { &transactional_sink_ops, &cluster->members[lane] };
}

/* ---- what goes wrong ---- */

void
of_memory_members_die(struct of_memory_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->lane_count; i++) {
        struct member *member = &cluster->members[i];
        drop_pending(member);
        free(member->reports);
        *member = (struct member) {
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
    struct partition *own = &cluster->partitions[topic][partition];
    while (own->count > index)
        free_record(own->records[--own->count]);
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
        wake(cluster->members[i].sink_wake_fd);
}

void
of_memory_assign(struct of_memory_cluster *cluster, uint32_t lane)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->members[lane].assign = true;
    pthread_mutex_unlock(&cluster->lock);
    wake(cluster->members[lane].wake_fd);
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
    wake(cluster->members[lane].wake_fd);
}

void
of_memory_lose(struct of_memory_cluster *cluster, uint32_t lane)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->members[lane].lose = true;
    pthread_mutex_unlock(&cluster->lock);
    wake(cluster->members[lane].wake_fd);
}

void
of_memory_break(struct of_memory_cluster *cluster, enum of_memory_topic topic, uint32_t partition, uint8_t cause)
{
    pthread_mutex_lock(&cluster->lock);
    struct partition *broken = &cluster->partitions[topic][partition];
    OF_ASSERT(broken->slot != NULL);
    broken->held = broken->broken = true;
    broken->cause = cause;
    int fd = owner_of(cluster, partition)->wake_fd;
    pthread_mutex_unlock(&cluster->lock);
    wake(fd);
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
        wake(cluster->members[i].sink_wake_fd);
}

void
of_memory_limit_queue(struct of_memory_cluster *cluster, uint32_t letters)
{
    pthread_mutex_lock(&cluster->lock);
    cluster->queue_letters = letters;
    pthread_mutex_unlock(&cluster->lock);
}
