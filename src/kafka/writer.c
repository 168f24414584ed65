#include "kafka/writer.h"

#include <stdlib.h>

#include "core/memory.h"
#include "kafka/client.h"

enum { DESTROY_MS = 1000 };

struct of_writer {
    struct of_kafka_client client;
    rd_kafka_topic_t *topic;
    uint64_t pending;
};

enum of_status
of_writer_open(const struct of_kafka_options *options, const char *topic, struct of_writer **out, struct of_error *err)
{
    static const struct of_kafka_property settings[] = {
        { "enable.idempotence", "true" },
        { "acks", "all" },
        { "linger.ms", "5" },
        { "message.timeout.ms", "60000" }, /* OF_WRITER_TIMEOUT_MS */
        { "queue.buffering.max.messages", "200000" },
    };
    struct of_writer *writer = of_alloc(sizeof *writer);
    enum of_status status = of_kafka_client_open(&writer->client, RD_KAFKA_PRODUCER, options, settings,
                                                 sizeof settings / sizeof *settings, RD_KAFKA_EVENT_DR, err);
    if (status != OF_OK) {
        free(writer);
        *out = NULL;
        return status;
    }
    writer->topic = rd_kafka_topic_new(writer->client.rk, topic, NULL);
    *out = writer;
    return OF_OK;
}

static enum of_status
refuse(struct of_writer *writer, rd_kafka_resp_err_t code, struct of_error *err)
{
    char why[512];
    of_kafka_why(&writer->client, code, why, sizeof why);
    switch (code) {
    case RD_KAFKA_RESP_ERR__QUEUE_FULL: return of_error_set(err, OF_AGAIN, "%s", why);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return of_error_set(err, OF_POISON, "%s", why);
    default: return of_error_set(err, OF_FATAL, "%s", why);
    }
}

enum of_status
of_writer_write(struct of_writer *writer, struct of_slice key, struct of_slice value, uint64_t tag,
                struct of_error *err)
{
    int failed = rd_kafka_produce(writer->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                                  (void *)(uintptr_t)value.data, value.length, key.data, key.length,
                                  (void *)(uintptr_t)tag);
    if (failed)
        return refuse(writer, rd_kafka_last_error(), err);
    writer->pending++;
    return OF_OK;
}

static void
settle(struct of_writer *writer, rd_kafka_event_t *event, of_writer_settled *settled, void *context)
{
    const rd_kafka_message_t *message;
    while ((message = rd_kafka_event_message_next(event)) != NULL) {
        struct of_delivery delivery = {
            .tag = (uint64_t)(uintptr_t)message->_private,
            .key = of_slice_of(message->key, message->key_len),
            .partition = message->partition,
            .offset = message->offset,
            .error = message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? NULL : rd_kafka_err2str(message->err),
        };
        if (delivery.error == NULL)
            of_kafka_client_reached(&writer->client);
        writer->pending--;
        settled(context, &delivery);
    }
}

/* A fatal error also comes back from every further write. */
static void
take_event(struct of_writer *writer, rd_kafka_event_t *event, of_writer_settled *settled, void *context)
{
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
        settle(writer, event, settled, context);
    else
        of_kafka_client_handle(&writer->client, event);
    rd_kafka_event_destroy(event);
}

void
of_writer_poll(struct of_writer *writer, int timeout_ms, of_writer_settled *settled, void *context)
{
    rd_kafka_event_t *event;
    for (; (event = rd_kafka_queue_poll(writer->client.queue, timeout_ms)) != NULL; timeout_ms = 0)
        take_event(writer, event, settled, context);
}

uint64_t
of_writer_pending(const struct of_writer *writer)
{
    return writer->pending;
}

void
of_writer_close(struct of_writer **writer)
{
    struct of_writer *closing = *writer;
    if (closing == NULL)
        return;
    rd_kafka_purge(closing->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_topic_destroy(closing->topic);
    of_kafka_client_close(&closing->client, DESTROY_MS);
    free(closing);
    *writer = NULL;
}
