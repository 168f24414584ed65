#include "kafka/sink_librdkafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "kafka/client.h"

enum {
    LOOK_UP_MS = 500,
    KNOWN_MS = 5000, /* brokers need a moment to hear of a new topic */
    PAUSE_MS = 50,
    DESTROY_MS = 1000,
    SMALL_RECORD_BYTES = 500, /* what a record of a few dozen bytes costs in librdkafka's queue, header included */
};

struct sink {
    struct of_kafka_client client;
    struct {
        const char *name;
        rd_kafka_topic_t *handle;
        int32_t partitions; /* 0: not looked up yet */
    } topics[2]; /* by enum of_destination */
};

static enum of_status
open_client(struct sink *sink, const struct of_kafka_options *options, struct of_error *err)
{
    char messages[24], kbytes[24];
    size_t budget = options->memory_bytes / 4;
    size_t records = budget / SMALL_RECORD_BYTES;
    snprintf(messages, sizeof messages, "%zu", records < 1000 ? 1000 : records > 1000000 ? 1000000 : records);
    snprintf(kbytes, sizeof kbytes, "%zu", budget < 2 << 20 ? 2048 : budget / 1024);
    const struct of_kafka_property settings[] = {
        { "enable.idempotence", "true" },
        { "acks", "all" },
        { "linger.ms", "5" },
        /* Small batches: one that is too large for its topic then holds a single record, and no other suffers for it. */
        { "batch.size", "65536" },
        { "message.timeout.ms", "60000" },
        { "queue.buffering.max.messages", messages },
        { "queue.buffering.max.kbytes", kbytes },
    };
    return of_kafka_client_open(&sink->client, RD_KAFKA_PRODUCER, options, settings, sizeof settings / sizeof *settings,
                                RD_KAFKA_EVENT_DR, err);
}

/* ---- start ---- */

static enum of_status
look_up(struct sink *sink, enum of_destination destination, struct of_error *err)
{
    const struct rd_kafka_metadata *metadata;
    const char *name = sink->topics[destination].name;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(sink->client.rk, 0, sink->topics[destination].handle, &metadata, LOOK_UP_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_RETRY, "cannot look up topic %s: %s", name, rd_kafka_err2str(code));
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        sink->topics[destination].partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (sink->topics[destination].partitions == 0)
        return of_error_set(err, OF_RETRY, "cannot look up topic %s: %s", name, rd_kafka_err2str(code));
    return OF_OK;
}

static enum of_status
look_up_all(struct sink *sink, struct of_error *err)
{
    enum of_status status = OF_OK;
    for (int i = 0; status == OF_OK && i < 2; i++)
        if (sink->topics[i].partitions == 0)
            status = look_up(sink, i, err);
    return status;
}

static enum of_status
sink_start(void *self, int wake_fd, struct of_error *err)
{
    struct sink *sink = self;
    if (wake_fd >= 0)
        of_kafka_queue_wake(sink->client.queue, wake_fd);
    int64_t deadline_ns = of_clock_mono_ns(of_clock_system()) + KNOWN_MS * OF_MS_NS;
    enum of_status status;
    while ((status = look_up_all(sink, err)) == OF_RETRY && of_clock_mono_ns(of_clock_system()) < deadline_ns)
        nanosleep(&(struct timespec) { .tv_nsec = PAUSE_MS * OF_MS_NS }, NULL);
    return status;
}

/* ---- produce ---- */

static enum of_status
refuse(struct sink *sink, enum of_destination destination, rd_kafka_resp_err_t code, struct of_error *err)
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
    return of_error_set(err, status, "topic %s: %s", sink->topics[destination].name,
                        of_kafka_why(&sink->client, code, why, sizeof why));
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

static enum of_status
sink_produce(void *self, const struct of_outgoing *record, uint64_t tag, struct of_error *err)
{
    struct sink *sink = self;
    int32_t partitions = sink->topics[record->destination].partitions;
    OF_ASSERT(partitions > 0);
    rd_kafka_headers_t *headers = copy_headers(record);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        sink->client.rk, RD_KAFKA_V_RKT(sink->topics[record->destination].handle),
        RD_KAFKA_V_PARTITION(record->partition % partitions), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY((void *)(uintptr_t)record->key.data, record->key.length),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value.data, record->value.length), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE((void *)(uintptr_t)tag), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return OF_OK;
    rd_kafka_headers_destroy(headers); /* not taken over by a call that failed */
    return refuse(sink, record->destination, code, err);
}

/* ---- reports ---- */

static enum of_status
report_status(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_NO_ERROR             ? OF_OK
           : code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? OF_POISON
                                                          : OF_RETRY;
}

static uint32_t
report(struct sink *sink, rd_kafka_event_t *event, const struct of_sink_listener *listener)
{
    uint32_t count = 0;
    const rd_kafka_message_t *message;
    char why[320] = "";
    while ((message = rd_kafka_event_message_next(event)) != NULL) {
        enum of_status status = report_status(message->err);
        if (status == OF_OK)
            of_kafka_client_reached(&sink->client);
        else
            snprintf(why, sizeof why, "topic %s: %s", rd_kafka_topic_name(message->rkt), rd_kafka_err2str(message->err));
        listener->settled(listener->arg, (uint64_t)(uintptr_t)message->_private, status, status == OF_OK ? "" : why);
        count++;
    }
    return count;
}

static uint32_t
sink_poll(void *self, const struct of_sink_listener *listener)
{
    struct sink *sink = self;
    uint32_t count = 0;
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(sink->client.queue, 0)) != NULL) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
            count += report(sink, event, listener);
        else if (!of_kafka_client_handle(&sink->client, event) && rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            of_kafka_log_line(sink->client.options, 2, "the producer failed: %s", rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
    }
    return count;
}

static void
sink_close(void *self)
{
    struct sink *sink = self;
    rd_kafka_purge(sink->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    for (int i = 0; i < 2; i++)
        rd_kafka_topic_destroy(sink->topics[i].handle);
    of_kafka_client_close(&sink->client, DESTROY_MS);
    free(sink);
}

static const struct of_sink_ops ops = {
    .start = sink_start,
    .produce = sink_produce,
    .poll = sink_poll,
    .close = sink_close,
};

enum of_status
of_sink_librdkafka_open(const struct of_kafka_options *options, struct of_sink *sink, struct of_error *err)
{
    struct sink *self = of_alloc(sizeof *self);
    enum of_status status = open_client(self, options, err);
    if (status != OF_OK) {
        free(self);
        return status;
    }
    self->topics[OF_TO_RETRY].name = options->retry_topic;
    self->topics[OF_TO_DEAD_LETTER].name = options->dead_letter_topic;
    for (int i = 0; i < 2; i++)
        self->topics[i].handle = rd_kafka_topic_new(self->client.rk, self->topics[i].name, NULL);
    *sink = (struct of_sink) { &ops, self };
    return OF_OK;
}
