/* The clients and topics of the one thread, and their settings: the best found for it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"
#include "single_private.h"

enum { ANSWER_MS = 10000 };

static const struct bare_property reads_best[] = {
    { "queued.min.messages", "1000000" },     { "queued.max.messages.kbytes", "1000000" },
    { "fetch.max.bytes", "2097152" },         { "fetch.message.max.bytes", "262144" },
    { "fetch.wait.max.ms", "10" },            { "socket.nagle.disable", "true" },
    { "enable.auto.commit", "false" },        { "enable.auto.offset.store", "false" },
    { "log.connection.close", "false" },      { "group.id", "bench-single" },
};

static const struct bare_property writes_best[] = {
    { "acks", "all" },
    { "linger.ms", "5" },
    { "queue.buffering.max.messages", "1000000" },
    { "socket.nagle.disable", "true" },
    { "log.connection.close", "false" },
};

static void
acknowledged(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct single_job *job = opaque;
    job->outstanding[(uintptr_t)message->_private]--;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (!job->failed)
        fprintf(stderr, "single: a record was refused: %s\n", rd_kafka_err2str(message->err));
    job->failed = true;
}

static bool
set(rd_kafka_conf_t *conf, const struct bare_property *properties, size_t count)
{
    char why[512];
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_conf_set(conf, properties[i].name, properties[i].value, why, sizeof why) != RD_KAFKA_CONF_OK) {
            fprintf(stderr, "single: %s\n", why);
            return false;
        }
    return true;
}

rd_kafka_t *
single_open_client(struct single_job *job, rd_kafka_type_t type)
{
    char why[512] = "its settings";
    const struct bare_loop *loop = &job->single->loop;
    const struct bare_property brokers = { "bootstrap.servers", loop->brokers };
    bool reads = type == RD_KAFKA_CONSUMER;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, job);
    if (!reads)
        rd_kafka_conf_set_dr_msg_cb(conf, acknowledged);
    bool usable = set(conf, &brokers, 1) &&
                  (reads ? set(conf, reads_best, sizeof reads_best / sizeof *reads_best)
                         : set(conf, writes_best, sizeof writes_best / sizeof *writes_best)) &&
                  (!reads || set(conf, loop->properties, loop->property_count));
    rd_kafka_t *rk = usable ? rd_kafka_new(type, conf, why, sizeof why) : NULL;
    if (rk == NULL) {
        fprintf(stderr, "single: %s\n", why);
        rd_kafka_conf_destroy(conf);
    }
    return rk;
}

int32_t
single_partitions_of(rd_kafka_t *rk, const char *name)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
    int32_t partitions = 0;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, ANSWER_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return partitions;
}

bool
single_make_topics(struct single_job *job)
{
    char why[512];
    const char *const names[] = { job->single->retry_topic, job->single->dlq_topic };
    rd_kafka_NewTopic_t *topics[2];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(job->producer);
    for (int i = 0; i < 2; i++)
        topics[i] = rd_kafka_NewTopic_new(names[i], job->partitions, -1, why, sizeof why);
    rd_kafka_CreateTopics(job->producer, topics, 2, NULL, queue);
    rd_kafka_event_t *answer = rd_kafka_queue_poll(queue, ANSWER_MS);
    if (answer != NULL)
        rd_kafka_event_destroy(answer);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topics, 2);
    int64_t until_ms = single_now_ms() + ANSWER_MS;
    while (single_partitions_of(job->producer, names[0]) != job->partitions ||
           single_partitions_of(job->producer, names[1]) != job->partitions) {
        if (single_now_ms() >= until_ms)
            return false;
        rd_kafka_poll(job->producer, 50);
    }
    return true;
}

void
single_assign(struct single_job *job)
{
    const char *const names[] = { job->single->loop.topic, job->single->retry_topic };
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(2 * job->partitions);
    for (int topic = SINGLE_ORDERS; topic <= SINGLE_RETRIES; topic++) {
        job->queues[topic] = rd_kafka_queue_new(job->consumer);
        job->next[topic] = of_alloc_array((size_t)job->partitions, sizeof *job->next[topic]);
        for (int32_t p = 0; p < job->partitions; p++) {
            job->next[topic][p] = -1;
            rd_kafka_topic_partition_list_add(list, names[topic], p)->offset = RD_KAFKA_OFFSET_BEGINNING;
            rd_kafka_queue_t *own = rd_kafka_queue_get_partition(job->consumer, names[topic], p);
            rd_kafka_queue_forward(own, job->queues[topic]);
            rd_kafka_queue_destroy(own);
        }
    }
    rd_kafka_assign(job->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
}
