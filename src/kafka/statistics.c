#include "kafka/statistics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/memory.h"

struct of_kafka_statistics {
    pthread_mutex_t mutex; /* over text */
    char *text;            /* the latest, until it is read; NULL: no news */
    pthread_mutex_t reading; /* over numbers */
    struct of_kafka_numbers numbers;
};

struct of_kafka_statistics *
of_kafka_statistics_create(void)
{
    struct of_kafka_statistics *statistics = of_alloc(sizeof *statistics);
    pthread_mutex_init(&statistics->mutex, NULL);
    pthread_mutex_init(&statistics->reading, NULL);
    return statistics;
}

void
of_kafka_statistics_destroy(struct of_kafka_statistics **statistics)
{
    if (*statistics == NULL)
        return;
    pthread_mutex_destroy(&(*statistics)->mutex);
    pthread_mutex_destroy(&(*statistics)->reading);
    free((*statistics)->text);
    free(*statistics);
    *statistics = NULL;
}

void
of_kafka_statistics_put(struct of_kafka_statistics *statistics, const char *json, size_t length)
{
    char *copy = of_alloc(length + 1);
    memcpy(copy, json, length);
    pthread_mutex_lock(&statistics->mutex);
    char *before = statistics->text;
    statistics->text = copy;
    pthread_mutex_unlock(&statistics->mutex);
    free(before);
}

/* ---- reading ---- */

static uint64_t
count_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

/* A member of one of librdkafka's windows, in `per_second` parts of a second. */
static double
window_of(const json_t *object, const char *window, const char *key, double per_second)
{
    return (double)count_of(json_object_get(object, window), key) / per_second;
}

static void
copy_text(char *to, size_t size, const json_t *text)
{
    const char *value = json_string_value(text);
    snprintf(to, size, "%s", value != NULL ? value : "");
}

/* Bootstrap addresses and coordinators come as brokers, too; the first have no number, the others are said to be logical. */
static bool
is_broker(const json_t *broker)
{
    const char *source = json_string_value(json_object_get(broker, "source"));
    return json_integer_value(json_object_get(broker, "nodeid")) >= 0 && source != NULL && strcmp(source, "logical") != 0;
}

static void
read_broker(const json_t *broker, struct of_kafka_broker_numbers *numbers)
{
    const char *state = json_string_value(json_object_get(broker, "state"));
    *numbers = (struct of_kafka_broker_numbers) {
        .up = state != NULL && (strcmp(state, "UP") == 0 || strcmp(state, "UPDATE") == 0),
        .rtt_s = window_of(broker, "rtt", "avg", 1e6),
        .rtt_p99_s = window_of(broker, "rtt", "p99", 1e6),
        .throttle_s = window_of(broker, "throttle", "avg", 1e3),
        .waiting = count_of(broker, "waitresp_cnt"),
        .queued = count_of(broker, "outbuf_cnt"),
        .errors = count_of(broker, "txerrs") + count_of(broker, "rxerrs"),
        .timeouts = count_of(broker, "req_timeouts"),
        .retries = count_of(broker, "txretries"),
    };
    copy_text(numbers->name, sizeof numbers->name, json_object_get(broker, "name"));
}

/* A consumer's records wait in its partitions' queues, a producer's are counted in all. */
static void
read_queues(const json_t *root, struct of_kafka_numbers *numbers)
{
    const char *name;
    json_t *topic, *partition;
    numbers->queued_records = count_of(root, "msg_cnt");
    numbers->queued_bytes = count_of(root, "msg_size");
    json_object_foreach(json_object_get(root, "topics"), name, topic) {
        json_t *partitions = json_object_get(topic, "partitions");
        json_object_foreach(partitions, name, partition) {
            numbers->queued_records += count_of(partition, "fetchq_cnt");
            numbers->queued_bytes += count_of(partition, "fetchq_size");
        }
    }
}

static void
read_text(const json_t *root, struct of_kafka_numbers *numbers)
{
    const char *name;
    json_t *broker;
    numbers->known = true;
    numbers->sent_bytes = count_of(root, "tx_bytes");
    numbers->received_bytes = count_of(root, "rx_bytes");
    numbers->requests = count_of(root, "tx");
    read_queues(root, numbers);
    copy_text(numbers->transaction_state, sizeof numbers->transaction_state,
              json_object_get(json_object_get(root, "eos"), "txn_state"));
    copy_text(numbers->group_state, sizeof numbers->group_state,
              json_object_get(json_object_get(root, "cgrp"), "state"));
    json_object_foreach(json_object_get(root, "brokers"), name, broker) {
        if (numbers->broker_count < OF_KAFKA_BROKERS_MAX && is_broker(broker))
            read_broker(broker, &numbers->brokers[numbers->broker_count++]);
    }
}

static void
take_text(struct of_kafka_statistics *statistics, const char *text)
{
    json_t *root = json_loads(text, 0, NULL);
    memset(&statistics->numbers, 0, sizeof statistics->numbers);
    if (json_is_object(root))
        read_text(root, &statistics->numbers);
    json_decref(root);
}

void
of_kafka_statistics_read(struct of_kafka_statistics *statistics, struct of_kafka_numbers *numbers)
{
    pthread_mutex_lock(&statistics->mutex);
    char *text = statistics->text;
    statistics->text = NULL;
    pthread_mutex_unlock(&statistics->mutex);
    pthread_mutex_lock(&statistics->reading);
    if (text != NULL)
        take_text(statistics, text);
    *numbers = statistics->numbers;
    pthread_mutex_unlock(&statistics->reading);
    free(text);
}
