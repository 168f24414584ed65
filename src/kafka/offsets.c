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

/* ---- edges ---- */

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

void
of_kafka_learn_leaders(struct of_kafka_client *client, const rd_kafka_topic_partition_list_t *list, int timeout_ms)
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
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        /* Of a leader that is dead or no leader any more. Whoever asks again then asks the right one. */
        of_kafka_learn_leaders(client, list, timeout_ms / 2);
        return of_error_set(err, OF_RETRY, "cannot look up the %s offsets: %s", end ? "last" : "first",
                            rd_kafka_err2str(code));
    }
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

/* ---- notes: the text that Kafka keeps with a committed offset ---- */

static const char epoch_note[] = "orderflow.leader_epoch=";
static const char start_note[] = "orderflow.start"; /* nothing is committed here yet; it begins at this offset */

static void
note(rd_kafka_topic_partition_t *partition, const char *text)
{
    size_t length = strlen(text);
    partition->metadata = of_alloc(length + 1); /* librdkafka frees it */
    memcpy(partition->metadata, text, length);
    partition->metadata_size = length;
}

void
of_kafka_note_leader_epoch(rd_kafka_topic_partition_t *partition, int32_t leader_epoch)
{
    char text[sizeof epoch_note + 12];
    if (leader_epoch < 0)
        return;
    snprintf(text, sizeof text, "%s%d", epoch_note, leader_epoch);
    note(partition, text);
}

static bool
is_noted_start(const rd_kafka_topic_partition_t *partition)
{
    const size_t length = sizeof start_note - 1;
    return partition->offset >= 0 && partition->metadata_size == length
           && memcmp(partition->metadata, start_note, length) == 0;
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

/* The group's word for where all these partitions begin, for members that look them up later. */
static enum of_status
note_starts(struct of_kafka_client *client, const rd_kafka_topic_partition_list_t *starts, int timeout_ms,
            struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(starts);
    for (int i = 0; i < list->cnt; i++)
        note(&list->elems[i], start_note);
    rd_kafka_queue_t *answers = rd_kafka_queue_new(client->rk);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(client->rk, list, answers, NULL, NULL);
    rd_kafka_event_t *answer = code == RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_queue_poll(answers, timeout_ms) : NULL;
    if (answer != NULL) {
        const rd_kafka_topic_partition_list_t *done = rd_kafka_event_topic_partition_list(answer);
        code = rd_kafka_event_error(answer);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && done != NULL)
            code = first_error(done);
        rd_kafka_event_destroy(answer);
    } else if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    rd_kafka_queue_destroy(answers);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_RETRY, "cannot note where group %s begins: %s", client->options->group,
                            rd_kafka_err2str(code));
    return OF_OK;
}

/* Where the partitions of the topic begin if the group begins with them: at their ends, which is noted for all of them at
 * once. An empty list if it has begun. On OF_OK the caller destroys *out. */
static enum of_status
begin_at_ends(struct of_kafka_client *client, const char *topic, bool member, int64_t until_ms,
              rd_kafka_topic_partition_list_t **out, struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    bool begun = false;
    enum of_status status = list_topic(client, topic, left_ms(until_ms), &list, err);
    if (status != OF_OK)
        return status;
    status = of_kafka_query_committed(client, list, left_ms(until_ms), err);
    for (int i = 0; i < list->cnt; i++)
        begun = begun || list->elems[i].offset >= 0;
    if (status == OF_OK && !begun)
        status = of_kafka_query_edges(client, list, true, left_ms(until_ms), err);
    if (status == OF_OK && !begun && member)
        status = note_starts(client, list, left_ms(until_ms), err);
    if (status == OF_OK && begun) {
        rd_kafka_topic_partition_list_destroy(list);
        list = rd_kafka_topic_partition_list_new(0);
    }
    if (status == OF_OK)
        *out = list;
    else
        rd_kafka_topic_partition_list_destroy(list);
    return status;
}

/* What a member that looked at the same moment has noted may lie behind where this one has begun: that stays. */
static void
take_committed(struct of_partition *partition, const rd_kafka_topic_partition_t *element, bool latest)
{
    int64_t before = latest && !partition->committed && partition->role == OF_ROLE_ORDERS ? partition->start : -1;
    partition->start = element->offset >= 0 ? element->offset : -1;
    partition->committed = element->offset >= 0 && !is_noted_start(element);
    partition->leader_epoch = partition->committed ? noted_leader_epoch(element) : -1;
    if (!partition->committed && before >= 0 && (partition->start < 0 || before < partition->start))
        partition->start = before;
}

static bool
is_open(const struct of_partition *partition, bool orders)
{
    return partition->start < 0 && (!orders || partition->role == OF_ROLE_ORDERS);
}

static bool
any_open(const struct of_partition *partitions, uint32_t count, bool orders)
{
    for (uint32_t i = 0; i < count; i++)
        if (is_open(&partitions[i], orders))
            return true;
    return false;
}

static enum of_status
choose_ends(struct of_kafka_client *client, struct of_partition *partitions, uint32_t count, bool member,
            int64_t until_ms, struct of_error *err)
{
    rd_kafka_topic_partition_list_t *ends;
    const char *topic = client->options->orders_topic;
    if (!any_open(partitions, count, true))
        return OF_OK;
    enum of_status status = begin_at_ends(client, topic, member, until_ms, &ends, err);
    if (status != OF_OK)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *end =
            rd_kafka_topic_partition_list_find(ends, topic, partitions[i].partition);
        if (is_open(&partitions[i], true) && end != NULL)
            partitions[i].start = end->offset;
    }
    rd_kafka_topic_partition_list_destroy(ends);
    return OF_OK;
}

/* Of what is not decided yet. */
static enum of_status
choose_firsts(struct of_kafka_client *client, struct of_partition *partitions, uint32_t count, int64_t until_ms,
              struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++)
        if (is_open(&partitions[i], false))
            rd_kafka_topic_partition_list_add(list, partitions[i].topic, partitions[i].partition);
    enum of_status status = of_kafka_query_edges(client, list, false, left_ms(until_ms), err);
    for (uint32_t i = 0; status == OF_OK && i < count; i++)
        if (is_open(&partitions[i], false))
            partitions[i].start =
                rd_kafka_topic_partition_list_find(list, partitions[i].topic, partitions[i].partition)->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

enum of_status
of_kafka_query_positions(struct of_kafka_client *client, struct of_partition *partitions, uint32_t count, bool member,
                         int timeout_ms, struct of_error *err)
{
    int64_t until_ms = now_ms() + timeout_ms;
    bool latest = client->options->from == OF_KAFKA_FROM_LATEST;
    rd_kafka_topic_partition_list_t *list = list_of(partitions, count);
    /* The greater part of the time for the coordinator, which may just be changing; the rest is answered at once. */
    enum of_status status = of_kafka_query_committed(client, list, timeout_ms * 2 / 3, err);
    for (uint32_t i = 0; status == OF_OK && i < count; i++)
        take_committed(&partitions[i], &list->elems[i], latest);
    rd_kafka_topic_partition_list_destroy(list);
    if (status == OF_OK && latest)
        status = choose_ends(client, partitions, count, member, until_ms, err);
    return status == OF_OK ? choose_firsts(client, partitions, count, until_ms, err) : status;
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
