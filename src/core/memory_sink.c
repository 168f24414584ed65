#include "core/memory_cluster_private.h"

#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"

static enum of_status
sink_start(void *self, int wake_fd, struct of_error *err)
{
    (void)err;
    struct of_memory_member *member = self;
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

static struct of_memory_record *
copy_letter(const struct of_outgoing *letter)
{
    struct of_memory_record *record =
        of_memory_copy_record(letter->key, letter->value, letter->headers, letter->header_count);
    if (letter->timestamp_ms != 0)
        record->timestamp_ms = letter->timestamp_ms;
    return record;
}

static void
add_report(struct of_memory_member *member, uint64_t tag, enum of_status status)
{
    if (member->report_count == member->report_room) {
        member->report_room = member->report_room ? 2 * member->report_room : 64;
        member->reports = of_realloc_array(member->reports, member->report_room, sizeof *member->reports);
    }
    member->reports[member->report_count++] = (struct of_memory_report) { tag, status };
}

/* What the cluster was told to do with this letter. later: by its report. */
static enum of_status
verdict(struct of_memory_cluster *cluster, const struct of_memory_member *member, enum of_memory_topic topic,
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
    struct of_memory_member *member = self;
    struct of_memory_cluster *cluster = member->cluster;
    enum of_memory_topic topic = topic_of(letter->destination);
    uint32_t partition = (uint32_t)letter->partition % cluster->partition_count;
    bool later;
    pthread_mutex_lock(&cluster->lock);
    enum of_status status = verdict(cluster, member, topic, letter, &later);
    int fd = -1;
    if (status == OF_OK) {
        of_memory_append_record(&cluster->partitions[topic][partition], copy_letter(letter));
        fd = of_memory_owner_of(cluster, partition)->wake_fd;
    }
    if (status == OF_OK || later)
        add_report(member, tag, status);
    pthread_mutex_unlock(&cluster->lock);
    of_memory_wake(fd);
    if (status == OF_OK || later)
        return OF_OK;
    return of_error_set(err, status, "told to refuse");
}

static uint32_t
sink_poll(void *self, const struct of_sink_listener *listener)
{
    struct of_memory_member *member = self;
    pthread_mutex_lock(&member->cluster->lock);
    uint32_t count = member->cluster->reports_held ? 0 : member->report_count;
    struct of_memory_report *reports = member->reports;
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

static void
nothing_to_close(void *self)
{
    (void)self;
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
    struct of_memory_member *member = self;
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
        member->pending[member->pending_count++] = (struct of_memory_pending) {
            .topic = topic,
            .partition = (uint32_t)record->partition % cluster->partition_count,
            .record = copy_letter(record),
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
    struct of_memory_member *member = self;
    (void)membership;
    OF_ASSERT(!member->ending);
    member->offsets = of_realloc_array(member->offsets, count, sizeof *offsets);
    if (count > 0)
        memcpy(member->offsets, offsets, count * sizeof *offsets);
    member->offset_count = count;
    member->ending = member->committing = true;
    of_memory_wake(member->sink_wake_fd);
}

static void
transactional_abort(void *self)
{
    struct of_memory_member *member = self;
    OF_ASSERT(!member->ending);
    member->ending = true;
    member->committing = false;
    of_memory_wake(member->sink_wake_fd);
}

/* Under the lock: everything at once. */
static void
apply(struct of_memory_member *member)
{
    struct of_memory_cluster *cluster = member->cluster;
    for (uint32_t i = 0; i < member->pending_count; i++) {
        const struct of_memory_pending *pending = &member->pending[i];
        of_memory_append_record(&cluster->partitions[pending->topic][pending->partition], pending->record);
    }
    member->pending_count = 0;
    for (uint32_t i = 0; i < member->offset_count; i++) {
        enum of_memory_topic topic = OF_MEMORY_ORDERS;
        while (strcmp(of_memory_topic_name(topic), member->offsets[i].topic) != 0)
            topic++;
        cluster->partitions[topic][member->offsets[i].partition].committed = member->offsets[i].next_offset;
    }
    for (uint32_t i = 0; i < cluster->lane_count; i++)
        of_memory_wake(cluster->members[i].wake_fd);
}

static enum of_status
end_transaction(struct of_memory_member *member)
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
    of_memory_drop_pending(member);
    member->ending = false;
    return status;
}

static uint32_t
transactional_poll(void *self, const struct of_sink_listener *listener)
{
    struct of_memory_member *member = self;
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
