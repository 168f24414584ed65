#include "kafka/producer.h"

#include <stdio.h>
#include <time.h>

#include "core/assert.h"
#include "core/clock.h"

enum {
    LOOK_UP_MS = 500,
    LOOK_UP_AGAIN_MS = 1000,
    KNOWN_MS = 5000, /* brokers need a moment to hear of a new topic */
    PAUSE_MS = 50,
    DESTROY_MS = 1000,
    SMALL_RECORD_BYTES = 500, /* what a record of a few dozen bytes costs in librdkafka's queue, header included */
    SETTINGS_MOST = 16,
    BATCH_BYTES = 64 << 10, /* where it is not known what topics take: few take less */
    BATCH_BYTES_MOST = 256 << 10,
};

/* ---- opening and closing ---- */

/* What is too large for its topic must be a single record, so that no other suffers for it. librdkafka has one batch of a
 * partition on its way at a time: the larger, the fewer waits. */
static int32_t
batch_size(const struct of_kafka_options *options)
{
    int32_t fits = options->batch_bytes - options->batch_bytes / 8;
    return options->batch_bytes == 0 ? BATCH_BYTES : fits < BATCH_BYTES_MOST ? fits : BATCH_BYTES_MOST;
}

enum of_status
of_producer_open(struct of_producer *producer, const struct of_kafka_options *options,
                 const struct of_kafka_property *settings, size_t count, struct of_error *err)
{
    char messages[24], kbytes[24], batch_bytes[24];
    size_t budget = options->memory_bytes / 4;
    size_t records = budget / SMALL_RECORD_BYTES;
    snprintf(messages, sizeof messages, "%zu", records < 1000 ? 1000 : records > 1000000 ? 1000000 : records);
    snprintf(batch_bytes, sizeof batch_bytes, "%d", batch_size(options));
    snprintf(kbytes, sizeof kbytes, "%zu", budget < 2 << 20 ? 2048 : budget / 1024);
    struct of_kafka_property all[SETTINGS_MOST] = {
        { "enable.idempotence", "true" },
        { "acks", "all" },
        { "batch.size", batch_bytes },
        { "queue.buffering.max.messages", messages },
        { "queue.buffering.max.kbytes", kbytes },
        /* A topic that is gone must not come back without what was in it; the embedded cluster knows no such thing. */
        { "allow.auto.create.topics", options->embedded ? "true" : "false" },
        { "statistics.interval.ms", options->producer_statistics != NULL ? OF_KAFKA_STATISTICS_MS_TEXT : NULL },
    };
    const size_t own = 7;
    OF_ASSERT(own + count <= SETTINGS_MOST);
    for (size_t i = 0; i < count; i++)
        all[own + i] = settings[i];
    enum of_status status = of_kafka_client_open(&producer->client, RD_KAFKA_PRODUCER, options, all, own + count,
                                                 RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_STATS, err);
    if (status != OF_OK)
        return status;
    producer->client.statistics = options->producer_statistics;
    const char *const names[OF_DESTINATIONS] = {
        [OF_TO_RETRY] = options->retry_topic,
        [OF_TO_DEAD_LETTER] = options->dead_letter_topic,
        [OF_TO_AGGREGATES] = options->aggregates_topic,
    };
    for (int i = 0; i < OF_DESTINATIONS; i++) {
        producer->topics[i].name = names[i];
        producer->topics[i].handle = rd_kafka_topic_new(producer->client.rk, names[i], NULL);
        producer->topics[i].partitions = 0;
    }
    return OF_OK;
}

void
of_producer_close(struct of_producer *producer)
{
    if (producer->client.rk == NULL)
        return;
    rd_kafka_purge(producer->client.rk,
                   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    for (int i = 0; i < OF_DESTINATIONS; i++)
        rd_kafka_topic_destroy(producer->topics[i].handle);
    of_kafka_client_close(&producer->client, DESTROY_MS);
}

/* ---- looking up ---- */

static enum of_status
look_up(struct of_producer *producer, enum of_destination destination, struct of_error *err)
{
    const struct rd_kafka_metadata *metadata;
    const char *name = producer->topics[destination].name;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(producer->client.rk, 0, producer->topics[destination].handle, &metadata, LOOK_UP_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_RETRY, "cannot look up topic %s: %s", name, rd_kafka_err2str(code));
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        producer->topics[destination].partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (producer->topics[destination].partitions == 0)
        return of_error_set(err, OF_RETRY, "cannot look up topic %s: %s", name, rd_kafka_err2str(code));
    return OF_OK;
}

static enum of_status
look_up_all(struct of_producer *producer, struct of_error *err)
{
    enum of_status status = OF_OK;
    for (int i = 0; status == OF_OK && i < OF_DESTINATIONS; i++)
        if (producer->topics[i].partitions == 0)
            status = look_up(producer, i, err);
    return status;
}

enum of_status
of_producer_look_up(struct of_producer *producer, struct of_error *err)
{
    int64_t deadline_ns = of_clock_mono_ns(of_clock_system()) + KNOWN_MS * OF_MS_NS;
    const struct of_kafka_options *options = producer->client.options;
    enum of_status status;
    while ((status = look_up_all(producer, err)) == OF_RETRY && of_clock_mono_ns(of_clock_system()) < deadline_ns
           && (options->interrupted == NULL || !options->interrupted()))
        nanosleep(&(struct timespec) { .tv_nsec = PAUSE_MS * OF_MS_NS }, NULL);
    return status;
}

/* Partitions may have been added. Blocks for half a second at most, and asks once a second. */
static int32_t
look_up_again(struct of_producer *producer, enum of_destination destination)
{
    struct of_error err;
    int64_t now_ns = of_clock_mono_ns(of_clock_system());
    if (now_ns >= producer->next_look_up_ns) {
        producer->next_look_up_ns = now_ns + LOOK_UP_AGAIN_MS * OF_MS_NS;
        if (look_up(producer, destination, &err) != OF_OK)
            of_kafka_log_line(producer->client.options, 4, "%s", err.text);
    }
    return producer->topics[destination].partitions;
}

bool
of_producer_is_missing(struct of_producer *producer, enum of_destination destination)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(producer->client.rk, 0, producer->topics[destination].handle, &metadata, LOOK_UP_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(metadata);
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/* ---- producing ---- */

static enum of_status
refuse(struct of_producer *producer, enum of_destination destination, rd_kafka_resp_err_t code, struct of_error *err)
{
    char why[256];
    enum of_status status;
    switch (code) {
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        status = OF_AGAIN;
        break;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        status = OF_POISON;
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        status = OF_FATAL;
        break;
    default:
        status = OF_RETRY;
    }
    return of_error_set(err, status, "topic %s: %s", producer->topics[destination].name,
                        of_kafka_why(&producer->client, code, why, sizeof why));
}

static rd_kafka_headers_t *
copy_headers(const struct of_outgoing *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (uint32_t i = 0; i < record->header_count; i++) {
        const struct of_header *each = &record->headers[i];
        rd_kafka_header_add(headers, each->name, -1, each->value.data,
                            each->value.data == NULL ? -1 : (ssize_t)each->value.length);
    }
    return headers;
}

enum of_status
of_producer_produce(struct of_producer *producer, const struct of_outgoing *record, uint64_t tag, struct of_error *err)
{
    int32_t partitions = producer->topics[record->destination].partitions;
    OF_ASSERT(partitions > 0);
    /* State of partition p stands in partition p: a restore looks for it nowhere else. */
    if (record->destination == OF_TO_AGGREGATES && record->partition >= partitions)
        partitions = look_up_again(producer, OF_TO_AGGREGATES);
    if (record->destination == OF_TO_AGGREGATES && record->partition >= partitions)
        return of_error_set(err, OF_RETRY, "topic %s has %d partitions, too few for the state of partition %d",
                            producer->topics[OF_TO_AGGREGATES].name, partitions, record->partition);
    rd_kafka_headers_t *headers = record->header_count > 0 ? copy_headers(record) : NULL;
    rd_kafka_resp_err_t code = rd_kafka_producev(
        producer->client.rk, RD_KAFKA_V_RKT(producer->topics[record->destination].handle),
        RD_KAFKA_V_PARTITION(record->partition % partitions), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY((void *)(uintptr_t)record->key.data, record->key.length),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value.data, record->value.length), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_TIMESTAMP(record->timestamp_ms), RD_KAFKA_V_OPAQUE((void *)(uintptr_t)tag), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return OF_OK;
    if (headers != NULL)
        rd_kafka_headers_destroy(headers); /* not taken over by a call that failed */
    return refuse(producer, record->destination, code, err);
}

/* ---- reports ---- */

/* Whether this failure is the record's or its topic's own. In a transaction all others are consequences of something that is
 * told as a whole. */
static bool
is_own_failure(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return true;
    default:
        return false;
    }
}

static enum of_status
report_status(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_NO_ERROR             ? OF_OK
           : code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? OF_POISON
                                                          : OF_RETRY;
}

static uint32_t
report(struct of_producer *producer, rd_kafka_event_t *event, const struct of_sink_listener *listener)
{
    uint32_t count = 0;
    const rd_kafka_message_t *message;
    char why[320] = "";
    while ((message = rd_kafka_event_message_next(event)) != NULL) {
        if (producer->transactional && !is_own_failure(message->err))
            continue;
        enum of_status status = report_status(message->err);
        if (status == OF_OK)
            of_kafka_client_reached(&producer->client);
        else
            snprintf(why, sizeof why, "topic %s: %s", rd_kafka_topic_name(message->rkt), rd_kafka_err2str(message->err));
        listener->settled(listener->arg, (uint64_t)(uintptr_t)message->_private, status, status == OF_OK ? "" : why);
        count++;
    }
    return count;
}

uint32_t
of_producer_poll(struct of_producer *producer, const struct of_sink_listener *listener)
{
    uint32_t count = 0;
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(producer->client.queue, 0)) != NULL) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
            count += report(producer, event, listener);
        else if (!of_kafka_client_handle(&producer->client, event) && rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            of_kafka_log_line(producer->client.options, 2, "the producer failed: %s", rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
    }
    return count;
}
