/* States of the membership, as told to the fetch stage:
 *
 *   JOINING --rebalance: assign--> OFFERED --assign()--> READING
 *   OFFERED, READING --rebalance: revoke, or leave()--> GIVING_UP --unassign()--> JOINING
 *
 * librdkafka gives one rebalance at a time and waits for its answer, which is rd_kafka_assign in assign() or unassign().
 * A revoke for partitions that the stage was never offered, or has already given up, is answered here.
 *
 * Leaving drains first and unsubscribes afterwards, so that the last commits are those of a full member. Unsubscribing
 * makes librdkafka revoke what the group had assigned; answering that sends LeaveGroup, which the other members then
 * need not wait for a session to time out. A crash at any point leaves what a crash of a member leaves: the session
 * times out, and the next owner begins at the committed offsets. */
#include "kafka/source_librdkafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "kafka/offsets.h"
#include "kafka/source_records.h"

enum membership { JOINING, OFFERED, READING, GIVING_UP };

enum {
    POSITIONS_MS = 1000,
    LEAVE_MS = 2000,
    CLOSE_MS = 3000,
    DESTROY_MS = 2000,
    SMALL_RECORD_BYTES = 400, /* what a record of a few dozen bytes costs in librdkafka's queue */
    RETRY_RECORD_BYTES = 600, /* the same of one with a retry header */
    USUAL_RETRY_PARTITIONS = 12,
};

struct source {
    struct of_kafka_client client; /* its queue is the consumer's, and gets the main queue's events too */
    struct of_kafka_client retry_client; /* fetches, and is no member of the group */
    struct of_kafka_options retry_options; /* without log: what goes wrong with brokers the other client tells */
    struct of_kafka_assignment assignment;
    enum membership membership;
    struct of_partition *offered; /* the assignment that the group gave, until the next */
    uint32_t offered_count;
    bool group_assigned; /* librdkafka owes a revoke */
    bool leaving;
    bool left;
    int64_t left_by_ns; /* when unsubscribed: LEFT is given then at the latest; 0 before */
    bool commit_failed; /* at once, to be told */
    enum of_status commit_status;
    bool failed; /* told */
    const struct of_kafka_options *options;
};

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

/* ---- opening ---- */

/* The memory budget as limits of librdkafka's queues, each of which has them to itself. An answer that is under way comes
 * on top, hence the small fetches, which are also the faster ones: what fits into the processor's cache is. */
struct limits {
    char messages[24], kbytes[24], fetch_bytes[24], partition_bytes[24];
};

static size_t
clamp(size_t value, size_t low, size_t high)
{
    return value < low ? low : value > high ? high : value;
}

static struct limits
limits_of(size_t queue_bytes, size_t record_bytes, size_t fetch_bytes)
{
    struct limits limits;
    fetch_bytes = clamp(fetch_bytes, 1 << 20, 16 << 20);
    snprintf(limits.messages, sizeof limits.messages, "%zu", clamp(queue_bytes / record_bytes, 1000, 1000000));
    snprintf(limits.kbytes, sizeof limits.kbytes, "%zu", clamp(queue_bytes / 1024, 1024, 1 << 20));
    snprintf(limits.fetch_bytes, sizeof limits.fetch_bytes, "%zu", fetch_bytes);
    snprintf(limits.partition_bytes, sizeof limits.partition_bytes, "%zu", fetch_bytes / 8);
    return limits;
}

static enum of_status
open_client(struct of_kafka_client *client, const struct of_kafka_options *options, struct limits limits, int events,
            struct of_error *err)
{
    const struct of_kafka_property settings[] = {
        { "group.id", options->group },
        { "enable.auto.commit", "false" },
        { "enable.auto.offset.store", "false" },
        { "auto.offset.reset", "error" },
        { "isolation.level", "read_committed" },
        { "enable.partition.eof", "true" },
        { "partition.assignment.strategy", "range" },
        { "session.timeout.ms", options->embedded ? "3000" : "30000" },
        { "heartbeat.interval.ms", options->embedded ? "500" : "3000" },
        { "fetch.wait.max.ms", options->embedded ? "10" : "20" },
        { "fetch.error.backoff.ms", "100" },
        { "queued.min.messages", limits.messages },
        { "queued.max.messages.kbytes", limits.kbytes },
        { "fetch.max.bytes", limits.fetch_bytes },
        { "fetch.message.max.bytes", limits.partition_bytes },
    };
    enum of_status status = of_kafka_client_open(client, RD_KAFKA_CONSUMER, options, settings,
                                                 sizeof settings / sizeof *settings, events, err);
    if (status != OF_OK)
        return status;
    rd_kafka_poll_set_consumer(client->rk);
    rd_kafka_queue_destroy(client->queue);
    client->queue = rd_kafka_queue_get_consumer(client->rk);
    return OF_OK;
}

/* A quarter of the budget is for orders, which are read as they come: one queue, and one for what is held. A quarter is
 * for retries that wait, in a queue for each partition and one for what is held. The rest is for what stages hold and
 * for what all this is an estimate of. */
static enum of_status
open_clients(struct source *source, const struct of_kafka_options *options, struct of_error *err)
{
    size_t retry_queues = 1 + (size_t)(options->retry_partitions > 0 ? options->retry_partitions
                                                                     : USUAL_RETRY_PARTITIONS);
    size_t quarter = options->memory_bytes / 4, fetch = options->memory_bytes / 128;
    source->retry_options = *options;
    source->retry_options.log = NULL;
    enum of_status status = open_client(&source->client, options, limits_of(quarter / 4, SMALL_RECORD_BYTES, fetch),
                                        RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT, err);
    if (status != OF_OK)
        return status;
    status = open_client(&source->retry_client, &source->retry_options,
                         limits_of(quarter / retry_queues, RETRY_RECORD_BYTES, fetch), 0, err);
    if (status != OF_OK)
        of_kafka_client_close(&source->client, DESTROY_MS);
    return status;
}

static enum of_status
source_start(void *self, int wake_fd, struct of_error *err)
{
    struct source *source = self;
    const struct of_kafka_options *options = source->options;
    OF_ASSERT(source->assignment.data == NULL);
    if (wake_fd >= 0)
        of_kafka_queue_wake(source->client.queue, wake_fd);
    of_kafka_assignment_init(&source->assignment, &source->client, &source->retry_client, wake_fd);

    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(2);
    rd_kafka_topic_partition_list_add(topics, options->orders_topic, RD_KAFKA_PARTITION_UA);
    if (options->retry_topic != NULL)
        rd_kafka_topic_partition_list_add(topics, options->retry_topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(source->client.rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_FATAL, "cannot join group %s: %s", options->group, rd_kafka_err2str(code));
    return OF_OK;
}

/* ---- events: rebalance ---- */

static void
name_partition(const struct source *source, const rd_kafka_topic_partition_t *from, struct of_partition *to)
{
    const struct of_kafka_options *options = source->options;
    bool retry = options->retry_topic != NULL && strcmp(from->topic, options->retry_topic) == 0;
    *to = (struct of_partition) {
        .topic = retry ? options->retry_topic : options->orders_topic,
        .role = retry ? OF_ROLE_RETRY : OF_ROLE_ORDERS,
        .partition = from->partition,
        .start = -1,
    };
}

static bool
offer(struct source *source, const rd_kafka_topic_partition_list_t *list, struct of_source_event *event)
{
    source->group_assigned = list->cnt > 0;
    if (source->leaving) {
        rd_kafka_assign(source->client.rk, NULL);
        return false;
    }
    OF_ASSERT(source->membership == JOINING);
    free(source->offered);
    source->offered = of_alloc_array((size_t)list->cnt + 1, sizeof *source->offered);
    source->offered_count = (uint32_t)list->cnt;
    for (int i = 0; i < list->cnt; i++)
        name_partition(source, &list->elems[i], &source->offered[i]);
    source->membership = OFFERED;
    event->kind = OF_SOURCE_ASSIGNED;
    event->partitions = source->offered;
    event->count = source->offered_count;
    return true;
}

static bool
revoke(struct source *source, struct of_source_event *event)
{
    source->group_assigned = false;
    switch (source->membership) {
    case JOINING:
        rd_kafka_assign(source->client.rk, NULL);
        return false;
    case GIVING_UP: /* unassign will answer */
        return false;
    case OFFERED:
    case READING:
        break;
    }
    source->membership = GIVING_UP;
    event->kind = rd_kafka_assignment_lost(source->client.rk) ? OF_SOURCE_LOST : OF_SOURCE_REVOKED;
    return true;
}

static bool
on_rebalance(struct source *source, rd_kafka_event_t *from, struct of_source_event *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(from);
    switch (code) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        of_kafka_client_reached(&source->client);
        return offer(source, rd_kafka_event_topic_partition_list(from), event);
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        return revoke(source, event);
    default:
        of_kafka_log_line(source->options, 4, "rebalance of group %s failed: %s", source->options->group,
                          rd_kafka_err2str(code));
        return revoke(source, event);
    }
}

/* ---- events: the others ---- */

static bool
on_commit(struct source *source, rd_kafka_event_t *from, struct of_source_event *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(from);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(from);
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL && i < list->cnt; i++)
        code = list->elems[i].err;
    event->kind = OF_SOURCE_COMMITTED;
    event->status = of_kafka_commit_status(code);
    if (event->status == OF_OK) {
        of_kafka_client_reached(&source->client);
    } else {
        char why[256];
        of_error_set(&event->error, event->status, "commit: %s",
                     of_kafka_why(&source->client, code, why, sizeof why));
    }
    return true;
}

static bool
on_fatal(struct source *source, struct of_source_event *event)
{
    char why[512];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(source->client.rk, why, sizeof why);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || source->failed)
        return false;
    source->failed = true;
    event->kind = OF_SOURCE_FAILED;
    event->status = OF_FATAL;
    event->fenced = code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
    of_error_set(&event->error, OF_FATAL, "%s",
                 event->fenced ? "another instance with the same identity has joined the group" : why);
    return true;
}

static bool
on_queue_event(struct source *source, rd_kafka_event_t *from, struct of_source_event *event)
{
    if (of_kafka_client_handle(&source->client, from))
        return false;
    switch (rd_kafka_event_type(from)) {
    case RD_KAFKA_EVENT_REBALANCE:
        return on_rebalance(source, from, event);
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        return on_commit(source, from, event);
    case RD_KAFKA_EVENT_ERROR:
        return on_fatal(source, event);
    case RD_KAFKA_EVENT_FETCH: /* every partition is routed before it is assigned */
        OF_ASSERT(rd_kafka_event_message_count(from) == 0);
        return false;
    default:
        return false;
    }
}

static bool
tell_broken(struct source *source, struct of_source_event *event)
{
    struct of_kafka_assignment *assignment = &source->assignment;
    for (uint32_t i = 0; assignment->broken_count > 0 && i < assignment->part_count; i++) {
        struct of_kafka_part *part = &assignment->parts[i];
        if (!part->broken)
            continue;
        part->broken = false;
        assignment->broken_count--;
        event->kind = OF_SOURCE_BROKEN;
        event->slot = part->slot;
        event->offset = part->expected;
        event->cause = part->cause;
        of_error_set(&event->error, OF_RETRY, "%s", part->why);
        return true;
    }
    return false;
}

static bool
tell_commit_failed(struct source *source, struct of_source_event *event)
{
    if (!source->commit_failed)
        return false;
    source->commit_failed = false;
    event->kind = OF_SOURCE_COMMITTED;
    event->status = source->commit_status;
    return true;
}

/* What leave() asked for, step by step. */
static bool
tell_leaving(struct source *source, struct of_source_event *event)
{
    if (!source->leaving || source->left || source->membership == GIVING_UP)
        return false;
    if (source->membership != JOINING) {
        source->membership = GIVING_UP;
        event->kind = OF_SOURCE_REVOKED;
        return true;
    }
    if (source->left_by_ns == 0) {
        rd_kafka_unsubscribe(source->client.rk);
        source->left_by_ns = now_ns() + LEAVE_MS * OF_MS_NS;
    }
    if (source->group_assigned && now_ns() < source->left_by_ns)
        return false;
    source->left = true;
    event->kind = OF_SOURCE_LEFT;
    return true;
}

static bool
source_event(void *self, struct of_source_event *event)
{
    struct source *source = self;
    event->partitions = NULL;
    event->count = 0;
    event->slot = NULL;
    event->status = OF_OK;
    event->fenced = false;
    event->error.status = OF_OK;
    event->error.text[0] = '\0';
    rd_kafka_event_t *from;
    of_kafka_client_serve(&source->retry_client);
    while ((from = rd_kafka_queue_poll(source->client.queue, 0)) != NULL) {
        bool told = on_queue_event(source, from, event);
        rd_kafka_event_destroy(from);
        if (told)
            return true;
    }
    return tell_commit_failed(source, event) || tell_broken(source, event) || tell_leaving(source, event);
}

/* ---- assignment ---- */

static enum of_status
source_positions(void *self, struct of_partition *partitions, uint32_t count, struct of_error *err)
{
    struct source *source = self;
    return of_kafka_query_positions(&source->client, partitions, count, POSITIONS_MS, err);
}

static enum of_status
source_assign(void *self, struct of_slot *const *slots, const int64_t *offsets, uint32_t count, struct of_error *err)
{
    struct source *source = self;
    OF_ASSERT(source->membership == OFFERED);
    source->membership = READING;
    return of_kafka_assignment_begin(&source->assignment, slots, offsets, count, err);
}

static void
source_unassign(void *self)
{
    struct source *source = self;
    of_kafka_assignment_end(&source->assignment);
    source->membership = JOINING;
}

static bool
source_read(void *self, struct of_chunk *chunk)
{
    struct source *source = self;
    return of_kafka_records_read(&source->assignment, chunk);
}

static bool
source_peek(void *self, struct of_slot *slot, struct of_record *record)
{
    struct source *source = self;
    return of_kafka_records_peek(&source->assignment, slot->source, record);
}

static void
source_take(void *self, struct of_slot *slot, struct of_chunk *chunk)
{
    (void)self;
    of_kafka_records_take(slot->source, chunk);
}

static int64_t
source_end(void *self, const struct of_slot *slot)
{
    (void)self;
    const struct of_kafka_part *part = slot->source;
    return part->end;
}

/* As the last answer to a fetch told it. */
static int64_t
source_high(void *self, const struct of_slot *slot)
{
    (void)self;
    const struct of_kafka_part *part = slot->source;
    int64_t low, high;
    rd_kafka_resp_err_t code = rd_kafka_get_watermark_offsets(part->reader->client->rk, slot->topic, slot->partition,
                                                              &low, &high);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : -1;
}

static void
source_hold(void *self, struct of_slot *slot)
{
    struct source *source = self;
    of_kafka_part_hold(&source->assignment, slot->source);
}

static enum of_status
source_resume(void *self, struct of_slot *slot, int64_t offset, struct of_error *err)
{
    struct source *source = self;
    return of_kafka_part_resume(&source->assignment, slot->source, offset, err);
}

static void
source_release(void *self, struct of_chunk *chunk)
{
    (void)self;
    of_kafka_records_release(chunk);
}

/* ---- commit, leave, close ---- */

static void
source_commit(void *self, const struct of_offset *offsets, uint32_t count)
{
    struct source *source = self;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, offsets[i].slot->topic, offsets[i].slot->partition)->offset =
            offsets[i].next_offset;
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(source->client.rk, list, source->client.queue, NULL, NULL);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        source->commit_failed = true;
        source->commit_status = of_kafka_commit_status(code);
    }
}

static void
source_leave(void *self)
{
    struct source *source = self;
    source->leaving = true;
}

/* Ends the membership: answers what librdkafka still asks, with a deadline of our own. */
static void
close_consumer(struct source *source)
{
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(source->client.rk, source->client.queue);
    if (error != NULL) { /* after a fatal error */
        rd_kafka_error_destroy(error);
        return;
    }
    int64_t until_ns = now_ns() + CLOSE_MS * OF_MS_NS;
    while (!rd_kafka_consumer_closed(source->client.rk) && now_ns() < until_ns) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(source->client.queue, 100);
        if (event == NULL)
            continue;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            rd_kafka_assign(source->client.rk, NULL);
        else
            of_kafka_client_handle(&source->client, event);
        rd_kafka_event_destroy(event);
    }
}

static void
source_close(void *self)
{
    struct source *source = self;
    of_kafka_assignment_fini(&source->assignment);
    close_consumer(source);
    of_kafka_client_close(&source->client, DESTROY_MS);
    of_kafka_client_close(&source->retry_client, DESTROY_MS);
    free(source->offered);
    free(source);
}

static const struct of_source_ops ops = {
    .name = "librdkafka",
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
    .close = source_close,
    .chunk_ops = &of_kafka_chunk_ops,
};

enum of_status
of_source_librdkafka_open(const struct of_kafka_options *options, struct of_source *source, struct of_error *err)
{
    struct source *self = of_alloc(sizeof *self);
    self->options = options;
    enum of_status status = open_clients(self, options, err);
    if (status != OF_OK) {
        free(self);
        return status;
    }
    *source = (struct of_source) { &ops, self };
    return OF_OK;
}
