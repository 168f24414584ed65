#include "kafka/offsets.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"

static int64_t
now_ms(void)
{
    return of_clock_mono_ns(of_clock_system()) / OF_MS_NS;
}

/* What is left of a time-out; 1 at least, as librdkafka takes 0 for "ask and do not wait". */
static int
left_ms(int64_t until_ms)
{
    int64_t left = until_ms - now_ms();
    return left > 1 ? (int)left : 1;
}

static rd_kafka_resp_err_t
first_error(const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return list->elems[i].err;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum of_status
of_kafka_query_range(struct of_kafka_client *client, const char *topic, int32_t partition, int timeout_ms, int64_t *low,
                     int64_t *high, struct of_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(client->rk, topic, partition, low, high, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_RETRY, "cannot look up the offsets of %s [%d]: %s", topic, partition,
                            rd_kafka_err2str(code));
    return OF_OK;
}

/* librdkafka asks the leaders that it remembers, and when one is no leader any more it remembers that no better: a
 * client that fetches nothing would go on asking it for minutes. */
static void
learn_leaders(struct of_kafka_client *client, const rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    int64_t until_ms = now_ms() + timeout_ms;
    for (int i = 0; i < list->cnt; i++) {
        const struct rd_kafka_metadata *metadata;
        if (i > 0 && strcmp(list->elems[i].topic, list->elems[i - 1].topic) == 0)
            continue;
        rd_kafka_topic_t *handle = rd_kafka_topic_new(client->rk, list->elems[i].topic, NULL);
        if (rd_kafka_metadata(client->rk, 0, handle, &metadata, left_ms(until_ms)) == RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_metadata_destroy(metadata);
        rd_kafka_topic_destroy(handle);
    }
}

enum of_status
of_kafka_query_edges(struct of_kafka_client *client, rd_kafka_topic_partition_list_t *list, bool end, int timeout_ms,
                     struct of_error *err)
{
    if (list->cnt == 0)
        return OF_OK;
    /* The time that is asked for: the two edges are times of their own in Kafka's protocol. */
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = end ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client->rk, list, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = first_error(list);
    if (code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
        learn_leaders(client, list, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_RETRY, "cannot look up the %s offsets: %s", end ? "last" : "first",
                            rd_kafka_err2str(code));
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset < 0)
            return of_error_set(err, OF_RETRY, "no answer about the offsets of %s [%d]", list->elems[i].topic,
                                list->elems[i].partition);
    return OF_OK;
}

enum of_status
of_kafka_query_committed(struct of_kafka_client *client, rd_kafka_topic_partition_list_t *list, int timeout_ms,
                         struct of_error *err)
{
    if (list->cnt == 0)
        return OF_OK;
    rd_kafka_resp_err_t code = rd_kafka_committed(client->rk, list, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = first_error(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return OF_OK;
    char why[256];
    enum of_status status = code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
                                ? OF_FATAL
                                : OF_RETRY;
    return of_error_set(err, status, "cannot look up what group %s has committed: %s", client->options->group,
                        of_kafka_why(client, code, why, sizeof why));
}

/* ---- leader epochs ---- */

static const char epoch_note[] = "orderflow.leader_epoch=";

void
of_kafka_note_leader_epoch(rd_kafka_topic_partition_t *partition, int32_t leader_epoch)
{
    char note[sizeof epoch_note + 12];
    if (leader_epoch < 0)
        return;
    int length = snprintf(note, sizeof note, "%s%d", epoch_note, leader_epoch);
    partition->metadata = of_alloc((size_t)length + 1); /* librdkafka frees it */
    memcpy(partition->metadata, note, (size_t)length);
    partition->metadata_size = (size_t)length;
}

/* Whatever else may be there, by whomever: -1. */
static int32_t
noted_leader_epoch(const rd_kafka_topic_partition_t *partition)
{
    const size_t prefix = sizeof epoch_note - 1;
    const char *note = partition->metadata;
    int64_t epoch = 0;
    if (note == NULL || partition->metadata_size <= prefix || memcmp(note, epoch_note, prefix) != 0)
        return -1;
    for (size_t i = prefix; i < partition->metadata_size; i++) {
        if (note[i] < '0' || note[i] > '9' || epoch > INT32_MAX)
            return -1;
        epoch = 10 * epoch + (note[i] - '0');
    }
    return epoch <= INT32_MAX ? (int32_t)epoch : -1;
}

/* ---- positions ---- */

static rd_kafka_topic_partition_list_t *
list_of(const struct of_partition *partitions, uint32_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, partitions[i].topic, partitions[i].partition);
    return list;
}

/* All partitions of a topic, as the brokers know them. */
static enum of_status
list_topic(struct of_kafka_client *client, const char *topic, int timeout_ms, rd_kafka_topic_partition_list_t **list,
           struct of_error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client->rk, topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->rk, 0, handle, &metadata, timeout_ms);
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_RETRY, "cannot look up topic %s: %s", topic, rd_kafka_err2str(code));
    int count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    *list = rd_kafka_topic_partition_list_new(count);
    rd_kafka_topic_partition_list_add_range(*list, topic, 0, count - 1);
    rd_kafka_metadata_destroy(metadata);
    return OF_OK;
}

/* Has the group ever committed an offset of the topic? */
static enum of_status
topic_started(struct of_kafka_client *client, const char *topic, int64_t until_ms, bool *started, struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    enum of_status status = list_topic(client, topic, left_ms(until_ms), &list, err);
    if (status != OF_OK)
        return status;
    status = of_kafka_query_committed(client, list, left_ms(until_ms), err);
    *started = false;
    for (int i = 0; status == OF_OK && i < list->cnt; i++)
        *started = *started || list->elems[i].offset >= 0;
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

/* Fills the start of what is not committed, of one topic. */
static enum of_status
choose_starts(struct of_kafka_client *client, const char *topic, struct of_partition *partitions, uint32_t count,
              int64_t until_ms, struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++)
        if (!partitions[i].committed && strcmp(partitions[i].topic, topic) == 0)
            rd_kafka_topic_partition_list_add(list, topic, partitions[i].partition);
    bool latest = list->cnt > 0 && client->options->from == OF_KAFKA_FROM_LATEST;
    enum of_status status = OF_OK;
    if (latest) {
        bool started;
        status = topic_started(client, topic, until_ms, &started, err);
        latest = status == OF_OK && !started;
    }
    if (status == OF_OK)
        status = of_kafka_query_edges(client, list, latest, left_ms(until_ms), err);
    for (uint32_t i = 0; status == OF_OK && i < count; i++)
        if (!partitions[i].committed && strcmp(partitions[i].topic, topic) == 0)
            partitions[i].start = rd_kafka_topic_partition_list_find(list, topic, partitions[i].partition)->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

enum of_status
of_kafka_query_positions(struct of_kafka_client *client, struct of_partition *partitions, uint32_t count, int timeout_ms,
                         struct of_error *err)
{
    int64_t until_ms = now_ms() + timeout_ms;
    rd_kafka_topic_partition_list_t *list = list_of(partitions, count);
    /* The greater part of the time for the coordinator, which may just be changing; the rest is answered at once. */
    enum of_status status = of_kafka_query_committed(client, list, timeout_ms * 2 / 3, err);
    for (uint32_t i = 0; status == OF_OK && i < count; i++) {
        partitions[i].start = list->elems[i].offset;
        partitions[i].committed = list->elems[i].offset >= 0;
        partitions[i].leader_epoch = partitions[i].committed ? noted_leader_epoch(&list->elems[i]) : -1;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (status == OF_OK)
        status = choose_starts(client, client->options->orders_topic, partitions, count, until_ms, err);
    if (status == OF_OK && client->options->retry_topic != NULL)
        status = choose_starts(client, client->options->retry_topic, partitions, count, until_ms, err);
    return status;
}

/* ---- commits ---- */

enum of_status
of_kafka_commit_status(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR__NO_OFFSET: /* there was nothing to commit */
        return OF_OK;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return OF_FATAL;
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
    case RD_KAFKA_RESP_ERR__DESTROY:
        return OF_ABORT;
    default: /* REBALANCE_IN_PROGRESS, the coordinator moves, no connection, ... */
        return OF_RETRY;
    }
}
