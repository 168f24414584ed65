/* The two ends of a latency run that are plain librdkafka: what sends orders, and what only receives them. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "avro/framing.h"
#include "core/clock.h"
#include "core/memory.h"
#include "latency.h"
#include "orders.h"

enum { PATIENCE_MS = 60000, AHEAD_MS = 200, PAUSE_US = 200, ORDERS = 1 << 15, BATCH = 4096, WAIT_MS = 100 };

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

void
latency_note(struct latency_track *track, int64_t count, int64_t time_ns)
{
    if (count > 0 && !atomic_load_explicit(&track->ready, memory_order_relaxed))
        atomic_store(&track->ready, true);
    int64_t counted = atomic_load_explicit(&track->counted, memory_order_relaxed);
    for (; counted < count - 1 && counted < track->orders; counted++)
        track->counted_ns[counted] = time_ns;
    atomic_store_explicit(&track->counted, counted, memory_order_relaxed);
}

bool
latency_is_over(const struct latency_track *track)
{
    return atomic_load_explicit(&track->counted, memory_order_relaxed) == track->orders;
}

static rd_kafka_t *
open_client(const struct latency_run *run, rd_kafka_type_t type, const struct bare_property *properties, size_t count)
{
    char why[512] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool set = rd_kafka_conf_set(conf, "bootstrap.servers", run->loop.brokers, why, sizeof why) == RD_KAFKA_CONF_OK;
    for (size_t i = 0; set && i < count; i++)
        set = rd_kafka_conf_set(conf, properties[i].name, properties[i].value, why, sizeof why) == RD_KAFKA_CONF_OK;
    rd_kafka_t *rk = set ? rd_kafka_new(type, conf, why, sizeof why) : NULL;
    if (rk != NULL)
        return rk;
    fprintf(stderr, "latency: %s\n", why);
    rd_kafka_conf_destroy(conf);
    return NULL;
}

/* ---- receiving ---- */

static const struct bare_property reads_soonest[] = {
    { "group.id", "bench-latency" },       { "fetch.wait.max.ms", "10" },
    { "fetch.min.bytes", "1" },            { "queued.min.messages", "1000000" },
    { "socket.nagle.disable", "true" },    { "enable.auto.commit", "false" },
    { "log.connection.close", "false" },
};
enum { READS = sizeof reads_soonest / sizeof *reads_soonest };

static void
assign(const struct latency_run *run, rd_kafka_t *rk, int32_t partitions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, run->loop.topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void
receive(struct latency_track *track, rd_kafka_queue_t *queue)
{
    static rd_kafka_message_t *messages[BATCH];
    int64_t count = 0, until_ns = now_ns() + PATIENCE_MS * OF_MS_NS;
    uint64_t touched = 0;
    while (!latency_is_over(track) && now_ns() < until_ns) {
        ssize_t got = rd_kafka_consume_batch_queue(queue, 0, messages, BATCH);
        if (got == 0)
            got = rd_kafka_consume_batch_queue(queue, WAIT_MS, messages, 1);
        for (ssize_t i = 0; i < got; i++) {
            if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                touched += messages[i]->len > 0 ? *(const uint8_t *)messages[i]->payload : 0;
                int64_t noted_ns = now_ns();
                latency_note(track, ++count, noted_ns);
                until_ns = noted_ns + PATIENCE_MS * OF_MS_NS;
            }
            rd_kafka_message_destroy(messages[i]);
        }
    }
    __asm__ volatile("" : : "r"(touched));
}

int
latency_bare(void *context)
{
    const struct latency_run *run = context;
    rd_kafka_t *rk = open_client(run, RD_KAFKA_CONSUMER, reads_soonest, READS);
    if (rk == NULL)
        return 1;
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    assign(run, rk, run->partitions);
    receive(run->track, queue);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return latency_is_over(run->track) ? 0 : 1;
}

/* ---- sending ---- */

static const struct bare_property writes_soonest[] = {
    { "acks", "all" },
    { "linger.ms", "1" },
    { "queue.buffering.max.messages", "1000000" },
    { "socket.nagle.disable", "true" },
    { "log.connection.close", "false" },
};
enum { WRITES = sizeof writes_soonest / sizeof *writes_soonest };

/* Of the order that is there already: by it the others are framed. */
static bool
find_schema_id(const struct latency_run *run, uint32_t *id)
{
    size_t body_at;
    bool found = false;
    rd_kafka_t *rk = open_client(run, RD_KAFKA_CONSUMER, reads_soonest, READS);
    if (rk == NULL)
        return false;
    assign(run, rk, run->partitions);
    for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS; !found && now_ns() < until_ns;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);
        if (message == NULL)
            continue;
        found = message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
                of_framing_parse(of_slice_of(message->payload, message->len), id, &body_at);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(rk);
    return found;
}

static bool
await_consumer(const struct latency_track *track)
{
    int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS;
    while (!atomic_load(&track->ready) && now_ns() < until_ns)
        nanosleep(&(struct timespec) { .tv_nsec = 10 * OF_MS_NS }, NULL);
    return atomic_load(&track->ready);
}

static bool
send_one(rd_kafka_t *rk, rd_kafka_topic_t *topic, int32_t partition, struct of_slice value)
{
    while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.data, value.length, NULL, 0,
                            NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            fprintf(stderr, "latency: produce: %s\n", rd_kafka_err2str(rd_kafka_last_error()));
            return false;
        }
        rd_kafka_poll(rk, 1);
    }
    return true;
}

/* Late ones are sent at once: their time is the one at which they were to be sent. */
static bool
send_all(const struct latency_run *run, rd_kafka_t *rk, rd_kafka_topic_t *topic, const struct bench_orders *orders)
{
    struct latency_track *track = run->track;
    int64_t began_ns = now_ns() + AHEAD_MS * OF_MS_NS, sent = 0;
    atomic_store(&track->began_ns, began_ns);
    while (sent < track->orders) {
        int64_t due = (int64_t)((double)(now_ns() - began_ns) / 1e9 * track->rate);
        for (; sent < due && sent < track->orders; sent++)
            if (!send_one(rk, topic, (int32_t)(sent % run->partitions), orders->values[sent % orders->count]))
                return false;
        rd_kafka_poll(rk, 0);
        nanosleep(&(struct timespec) { .tv_nsec = PAUSE_US * 1000 }, NULL);
    }
    return rd_kafka_flush(rk, PATIENCE_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

int
latency_produce(void *context)
{
    const struct latency_run *run = context;
    uint32_t schema_id;
    struct bench_orders orders;
    prctl(PR_SET_TIMERSLACK, 1);
    if (!find_schema_id(run, &schema_id))
        return 1;
    rd_kafka_t *rk = open_client(run, RD_KAFKA_PRODUCER, writes_soonest, WRITES);
    if (rk == NULL)
        return 1;
    bench_orders_make(&orders, ORDERS, schema_id);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, run->loop.topic, NULL);
    bool sent = await_consumer(run->track) && send_all(run, rk, topic, &orders);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
    bench_orders_free(&orders);
    return sent ? 0 : 1;
}
