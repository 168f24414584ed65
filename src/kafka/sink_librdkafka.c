#include "kafka/sink_librdkafka.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"
#include "kafka/membership.h"
#include "kafka/producer.h"

enum { LEAST_MS = 100 }; /* a record's time-out: more than its linger time */

static enum of_status
sink_start(void *self, int wake_fd, struct of_error *err)
{
    struct of_producer *producer = self;
    if (wake_fd >= 0)
        of_kafka_queue_wake(producer->client.queue, wake_fd);
    return of_producer_look_up(producer, err);
}

static enum of_status
sink_produce(void *self, const struct of_outgoing *record, uint64_t tag, struct of_error *err)
{
    return of_producer_produce(self, record, tag, err);
}

static uint32_t
sink_poll(void *self, const struct of_sink_listener *listener)
{
    return of_producer_poll(self, listener);
}

/* What purge reports comes with the next poll. */
static void
sink_purge(void *self)
{
    struct of_producer *producer = self;
    rd_kafka_purge(producer->client.rk,
                   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

static void
sink_close(void *self)
{
    of_producer_close(self);
    free(self);
}

static const struct of_sink_ops ops = {
    .start = sink_start,
    .produce = sink_produce,
    .poll = sink_poll,
    .purge = sink_purge,
    .close = sink_close,
};

enum of_status
of_sink_librdkafka_open(const struct of_kafka_options *options, struct of_sink *sink, struct of_error *err)
{
    char timeout_ms[24];
    int64_t session_ms = of_kafka_session_ms(options);
    int64_t limit_ms = session_ms * 2 / 3;
    snprintf(timeout_ms, sizeof timeout_ms, "%lld", (long long)(limit_ms > LEAST_MS ? limit_ms : LEAST_MS));
    const struct of_kafka_property settings[] = {
        { "linger.ms", "5" },
        { "message.timeout.ms", timeout_ms },
    };
    struct of_producer *self = of_alloc(sizeof *self);
    enum of_status status = of_producer_open(self, options, settings, sizeof settings / sizeof *settings, err);
    if (status != OF_OK) {
        free(self);
        return status;
    }
    *sink = (struct of_sink) { &ops, self };
    return OF_OK;
}
