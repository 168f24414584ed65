#include "bare_loop.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/memory.h"

enum { ANSWER_MS = 10000, BATCH = 4096, SILENCE_MS = 30000 };

/* Queues so large that the fetcher never rests: at a limit it looks again only after up to a second. Answers so small that
 * they are still in the processor's cache when they are parsed, as in `orderflow run`. */
static const struct bare_property best[] = {
    { "queued.min.messages", "1000000" },
    { "queued.max.messages.kbytes", "1000000" },
    { "fetch.max.bytes", "2097152" },
    { "fetch.message.max.bytes", "262144" },
    { "fetch.wait.max.ms", "20" },
    { "socket.nagle.disable", "true" },
    { "enable.partition.eof", "true" },
    { "enable.auto.commit", "false" },
    { "log.connection.close", "false" },
};

static bool
set(rd_kafka_conf_t *conf, const struct bare_property *properties, size_t count)
{
    char why[512];
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_conf_set(conf, properties[i].name, properties[i].value, why, sizeof why) != RD_KAFKA_CONF_OK) {
            fprintf(stderr, "bare loop: %s\n", why);
            return false;
        }
    return true;
}

static rd_kafka_t *
open_client(const struct bare_loop *loop)
{
    char why[512];
    const struct bare_property needed[] = { { "bootstrap.servers", loop->brokers }, { "group.id", "bench" } };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk = NULL;
    if (set(conf, needed, 2) && set(conf, best, sizeof best / sizeof *best) &&
        set(conf, loop->properties, loop->property_count)) {
        rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
        if (rk == NULL)
            fprintf(stderr, "bare loop: %s\n", why);
    }
    if (rk == NULL)
        rd_kafka_conf_destroy(conf);
    return rk;
}

/* ---- the topic ---- */

/* Its number of partitions; 0 when there is none of this name, -1 when nobody answers. */
static int32_t
partitions_of(rd_kafka_t *rk, const char *name)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, topic, &metadata, ANSWER_MS);
    int32_t partitions = -1;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    } else {
        fprintf(stderr, "bare loop: topic %s: %s\n", name, rd_kafka_err2str(code));
    }
    rd_kafka_topic_destroy(topic);
    return partitions;
}

static int64_t
records_of(rd_kafka_t *rk, const char *topic, int32_t partitions)
{
    int64_t records = 0;
    for (int32_t p = 0; p < partitions; p++) {
        int64_t low, high;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(rk, topic, p, &low, &high, ANSWER_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            fprintf(stderr, "bare loop: end of %s [%d]: %s\n", topic, (int)p, rd_kafka_err2str(code));
            return -1;
        }
        records += high - low;
    }
    return records;
}

int64_t
bare_count(const struct bare_loop *loop)
{
    rd_kafka_t *rk = open_client(loop);
    if (rk == NULL)
        return -1;
    int32_t partitions = partitions_of(rk, loop->topic);
    int64_t records = partitions < 0 ? -1 : records_of(rk, loop->topic, partitions);
    rd_kafka_destroy(rk);
    return records;
}

static bool
are_deleted(rd_kafka_event_t *answer)
{
    const rd_kafka_DeleteTopics_result_t *result = answer == NULL ? NULL : rd_kafka_event_DeleteTopics_result(answer);
    if (result == NULL || rd_kafka_event_error(answer) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "topics cannot be deleted: %s\n", result == NULL ? "no answer" : rd_kafka_event_error_string(answer));
        return false;
    }
    bool deleted = true;
    size_t count;
    const rd_kafka_topic_result_t **topics = rd_kafka_DeleteTopics_result_topics(result, &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            continue;
        fprintf(stderr, "topic %s cannot be deleted: %s\n", rd_kafka_topic_result_name(topics[i]), rd_kafka_err2str(code));
        deleted = false;
    }
    return deleted;
}

bool
bare_delete(const struct bare_loop *loop, const char *const *topics, size_t count)
{
    rd_kafka_t *rk = open_client(loop);
    if (rk == NULL)
        return false;
    rd_kafka_DeleteTopic_t **deletes = of_alloc_array(count, sizeof(rd_kafka_DeleteTopic_t *));
    for (size_t i = 0; i < count; i++)
        deletes[i] = rd_kafka_DeleteTopic_new(topics[i]);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_DeleteTopics(rk, deletes, count, NULL, queue);
    rd_kafka_event_t *answer = rd_kafka_queue_poll(queue, ANSWER_MS);
    bool deleted = are_deleted(answer);
    if (answer != NULL)
        rd_kafka_event_destroy(answer);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy_array(deletes, count);
    free(deletes);
    rd_kafka_destroy(rk);
    return deleted;
}

/* ---- the loop ---- */

static void
assign_all(rd_kafka_t *rk, const char *topic, int32_t partitions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Until the end of every partition was seen. Asks without waiting first: a call that may wait waits for a full array. */
static bool
drain(rd_kafka_queue_t *queue, int32_t partitions, uint64_t *records)
{
    static rd_kafka_message_t *messages[BATCH];
    uint64_t touched = 0;
    for (int32_t ended = 0; ended < partitions;) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 0, messages, BATCH);
        if (count == 0)
            count = rd_kafka_consume_batch_queue(queue, SILENCE_MS, messages, 1);
        if (count <= 0)
            return false;
        for (ssize_t i = 0; i < count; i++) {
            rd_kafka_message_t *message = messages[i];
            if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                touched += message->len > 0 ? *(const uint8_t *)message->payload : 0;
                ++*records;
            } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
                ended++;
            }
            rd_kafka_message_destroy(message);
        }
    }
    __asm__ volatile("" : : "r"(touched));
    return true;
}

int
bare_loop_run(const struct bare_loop *loop, uint64_t *records, double *seconds)
{
    rd_kafka_t *rk = open_client(loop);
    if (rk == NULL)
        return 1;
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    int32_t partitions = partitions_of(rk, loop->topic);
    bool drained = partitions > 0 && records_of(rk, loop->topic, partitions) >= 0; /* opens the connections */
    if (drained) {
        int64_t began_ns = of_clock_mono_ns(of_clock_system());
        assign_all(rk, loop->topic, partitions);
        *records = 0;
        drained = drain(queue, partitions, records);
        *seconds = (double)(of_clock_mono_ns(of_clock_system()) - began_ns) / 1e9;
    }
    if (!drained)
        fprintf(stderr, "bare loop: cannot read topic %s to its end\n", loop->topic);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return drained ? 0 : 1;
}
