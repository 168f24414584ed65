#include "kafka/source_librdkafka.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/memory.h"
#include "kafka/membership.h"
#include "kafka/offsets.h"
#include "order/cause.h"
#include "kafka/source_records.h"

enum {
    DESTROY_MS = 2000,
    CLOSE_MS = 5000, /* all of it */
    LEADERS_MS = 200, /* for each of the two readers */
    SMALL_RECORD_BYTES = 400, /* what a record of a few dozen bytes costs in librdkafka's queue */
    RETRY_RECORD_BYTES = 600, /* the same of one with a retry header */
    USUAL_RETRY_PARTITIONS = 12,
};

struct source {
    struct of_kafka_membership membership;
    struct of_kafka_client clients[2]; /* that fetch, by enum of_role; no members of the group */
    struct of_kafka_options quiet;     /* that of retries has no log: what goes wrong with brokers the one of orders tells */
    struct of_kafka_assignment assignment;
    const struct of_kafka_options *options;
    _Atomic bool abandoned; /* by close, which waited long enough */
};

/* ---- opening ---- */

/* The memory budget as limits of librdkafka's queues, each of which has them to itself. An answer that is under way comes
 * on top, hence the small fetches, which are also the faster ones: what fits into the processor's cache is. Of each partition
 * the last batch may be cut off, and is sent in vain: two that fill an answer have fewer such ends than eight. */
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
    snprintf(limits.partition_bytes, sizeof limits.partition_bytes, "%zu", fetch_bytes / 2);
    return limits;
}

static enum of_status
open_client(struct of_kafka_client *client, const struct of_kafka_options *options, const struct limits *limits,
            struct of_kafka_statistics *statistics, struct of_error *err)
{
    const struct of_kafka_property settings[] = {
        { "fetch.wait.max.ms", options->embedded ? "10" : "20" }, /* how long a broker may wait for something to come */
        { "fetch.error.backoff.ms", "100" },
        { "queued.min.messages", limits->messages },
        { "queued.max.messages.kbytes", limits->kbytes },
        { "fetch.max.bytes", limits->fetch_bytes },
        { "fetch.message.max.bytes", limits->partition_bytes },
        { "statistics.interval.ms", statistics != NULL ? OF_KAFKA_STATISTICS_MS_TEXT : NULL },
    };
    enum of_status status = of_kafka_consumer_open(client, options, settings, sizeof settings / sizeof *settings,
                                                   RD_KAFKA_EVENT_STATS, err);
    client->statistics = statistics;
    client->beside = true;
    return status;
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
    const struct limits orders = limits_of(quarter / 4, SMALL_RECORD_BYTES, fetch);
    const struct limits retry = limits_of(quarter / retry_queues, RETRY_RECORD_BYTES, fetch);
    struct of_kafka_client *clients = source->clients;
    source->quiet = *options;
    source->quiet.log = NULL;
    enum of_status status = of_kafka_membership_open(&source->membership, options, NULL, err);
    if (status != OF_OK)
        return status;
    status = open_client(&clients[OF_ROLE_ORDERS], options, &orders, options->consumer_statistics, err);
    if (status == OF_OK)
        status = open_client(&clients[OF_ROLE_RETRY], &source->quiet, &retry, NULL, err);
    if (status != OF_OK) {
        of_kafka_client_close(&clients[OF_ROLE_ORDERS], DESTROY_MS);
        of_kafka_membership_close(&source->membership);
    }
    return status;
}

static enum of_status
source_start(void *self, int wake_fd, struct of_error *err)
{
    struct source *source = self;
    OF_ASSERT(source->assignment.data == NULL);
    of_kafka_assignment_init(&source->assignment, source->options, source->clients, wake_fd);
    return of_kafka_membership_start(&source->membership, wake_fd, err);
}

/* ---- events ---- */

/* What was passed over first: a part that is broken as well is so behind that. */
static void
tell_part(struct of_kafka_assignment *assignment, struct of_kafka_part *part, struct of_source_event *event)
{
    event->kind = part->skipped ? OF_SOURCE_SKIPPED : OF_SOURCE_BROKEN;
    event->slot = part->slot;
    event->offset = part->skipped ? part->skipped_from : part->expected;
    event->next_offset = part->expected;
    event->cause = part->skipped ? OF_CAUSE_OFFSET_OUT_OF_RANGE : part->cause;
    of_error_set(&event->error, OF_RETRY, "%s", part->why);
    *(part->skipped ? &part->skipped : &part->broken) = false;
    assignment->news_count--;
}

static bool
tell_news(struct source *source, struct of_source_event *event)
{
    struct of_kafka_assignment *assignment = &source->assignment;
    for (uint32_t i = 0; assignment->news_count > 0 && i < assignment->part_count; i++)
        if (assignment->parts[i].skipped || assignment->parts[i].broken) {
            tell_part(assignment, &assignment->parts[i], event);
            return true;
        }
    return false;
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
    for (int role = 0; role < 2; role++)
        of_kafka_client_serve(&source->clients[role]);
    return of_kafka_membership_event(&source->membership, event) || tell_news(source, event) ||
           of_kafka_membership_leaving(&source->membership, event);
}

/* ---- assignment ---- */

/* The member knows who leads the partitions, those who read them may not. */
static void
learn_leaders(struct source *source, const struct of_partition *partitions, uint32_t count)
{
    for (int role = 0; role < 2; role++) {
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
        for (uint32_t i = 0; i < count; i++)
            if (partitions[i].role == (enum of_role)role)
                rd_kafka_topic_partition_list_add(list, partitions[i].topic, partitions[i].partition);
        of_kafka_learn_leaders(&source->clients[role], list, LEADERS_MS);
        rd_kafka_topic_partition_list_destroy(list);
    }
}

static enum of_status
source_positions(void *self, struct of_partition *partitions, uint32_t count, struct of_error *err)
{
    struct source *source = self;
    enum of_status status = of_kafka_membership_positions(&source->membership, partitions, count, err);
    if (status == OF_OK)
        learn_leaders(source, partitions, count);
    return status;
}

static enum of_status
source_assign(void *self, struct of_slot *const *slots, const int64_t *offsets, uint32_t count, struct of_error *err)
{
    struct source *source = self;
    enum of_status status = of_kafka_assignment_begin(&source->assignment, slots, offsets, count, err);
    return status == OF_OK ? of_kafka_membership_accept(&source->membership, err) : status;
}

static void
source_unassign(void *self)
{
    struct source *source = self;
    of_kafka_assignment_end(&source->assignment);
    of_kafka_membership_give_up(&source->membership);
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
source_take(void *self, struct of_slot *slot, const struct of_record *record, struct of_chunk *chunk)
{
    (void)self;
    (void)record;
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
    of_kafka_membership_commit(&source->membership, offsets, count);
}

static void
source_leave(void *self)
{
    struct source *source = self;
    of_kafka_membership_leave(&source->membership);
}

static void *
source_membership(void *self)
{
    struct source *source = self;
    return of_kafka_membership_metadata(&source->membership);
}

/* Every call here may hang, above all after an outage. Who has waited in vain goes on to end the process, and takes with
 * it what this uses: then nothing more is touched. */
static void
close_all(void *arg)
{
    struct source *source = arg;
    for (int role = 0; role < 2; role++)
        rd_kafka_assign(source->clients[role].rk, NULL);
    if (atomic_load(&source->abandoned))
        return;
    of_kafka_assignment_fini(&source->assignment);
    of_kafka_membership_close(&source->membership);
    for (int role = 0; role < 2 && !atomic_load(&source->abandoned); role++)
        of_kafka_client_close(&source->clients[role], DESTROY_MS);
    if (!atomic_load(&source->abandoned))
        free(source);
}

static void
source_close(void *self)
{
    struct source *source = self;
    const struct of_kafka_options *options = source->options;
    of_kafka_queue_wake(source->membership.client.queue, -1);
    of_kafka_client_mute(&source->membership.client);
    for (int role = 0; role < 2; role++)
        of_kafka_client_mute(&source->clients[role]);
    if (of_kafka_within(CLOSE_MS, close_all, source))
        return;
    atomic_store(&source->abandoned, true);
    of_kafka_log_line(options, 4, "the Kafka client is still not closed after %d ms; ending without", CLOSE_MS);
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
    .membership = source_membership,
    .give_back_membership = of_kafka_membership_give_back_metadata,
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
