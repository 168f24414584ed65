#include "kafka/end_check.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "kafka/client.h"
#include "kafka/offsets.h"
#include "order/retry_header.h"

enum {
    ASK_MS = 2000,     /* for one question */
    SCAN_MS = 1000,    /* for reading retry records in one step */
    DESTROY_MS = 1000,
};

struct of_end_check {
    struct of_kafka_client client;
    struct of_kafka_client retry_ends; /* reads uncommitted records: see retries_are_settled */
    struct of_kafka_options quiet;     /* without log: what goes wrong with brokers the other client tells */
    const struct of_kafka_options *options;
    int32_t orders_count, retry_count;
    rd_kafka_topic_partition_list_t *ends;   /* orders, then retry: the last offsets when the check began */
    rd_kafka_topic_partition_list_t *starts; /* in the same order: where the group began, or was */
    int64_t *scanned; /* per retry partition: everything below is committed or of no concern */
};

static rd_kafka_topic_partition_list_t *
list_all(const struct of_end_check *check)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(check->orders_count + check->retry_count);
    for (int32_t p = 0; p < check->orders_count; p++)
        rd_kafka_topic_partition_list_add(list, check->options->orders_topic, p);
    for (int32_t p = 0; p < check->retry_count; p++)
        rd_kafka_topic_partition_list_add(list, check->options->retry_topic, p);
    return list;
}

enum of_status
of_end_check_open(const struct of_kafka_options *options, int32_t orders_partitions, int32_t retry_partitions,
                  struct of_end_check **out, struct of_error *err)
{
    const struct of_kafka_property settings[] = {
        { "group.id", options->group },
        { "enable.auto.commit", "false" },
        { "enable.partition.eof", "true" },
        { "isolation.level", "read_committed" },
        { "auto.offset.reset", "earliest" },
        { "allow.auto.create.topics", options->embedded ? "true" : "false" }, /* which knows no such thing */
    };
    struct of_end_check *check = of_alloc(sizeof *check);
    enum of_status status = of_kafka_client_open(&check->client, RD_KAFKA_CONSUMER, options, settings,
                                                 sizeof settings / sizeof *settings, 0, err);
    const struct of_kafka_property ends_settings[] = {
        { "isolation.level", "read_uncommitted" },
        { "allow.auto.create.topics", options->embedded ? "true" : "false" },
    };
    check->quiet = *options;
    check->quiet.log = NULL;
    if (status == OF_OK)
        status = of_kafka_client_open(&check->retry_ends, RD_KAFKA_CONSUMER, &check->quiet, ends_settings,
                                      sizeof ends_settings / sizeof *ends_settings, 0, err);
    if (status != OF_OK) {
        of_kafka_client_close(&check->client, DESTROY_MS);
        free(check);
        return status;
    }
    check->options = options;
    check->orders_count = orders_partitions;
    check->retry_count = retry_partitions;
    check->scanned = of_alloc_array((size_t)retry_partitions, sizeof *check->scanned);
    *out = check;
    return OF_OK;
}

void
of_end_check_close(struct of_end_check **check)
{
    if (*check == NULL)
        return;
    of_kafka_client_close(&(*check)->client, DESTROY_MS);
    of_kafka_client_close(&(*check)->retry_ends, DESTROY_MS);
    if ((*check)->starts != NULL)
        rd_kafka_topic_partition_list_destroy((*check)->starts);
    if ((*check)->ends != NULL)
        rd_kafka_topic_partition_list_destroy((*check)->ends);
    free((*check)->scanned);
    free(*check);
    *check = NULL;
}

/* ---- questions ---- */

/* The last offsets of all partitions, as that client is told them. On OF_OK the caller destroys *out. */
static enum of_status
ask_edges(struct of_end_check *check, struct of_kafka_client *client, rd_kafka_topic_partition_list_t **out,
          struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = list_all(check);
    enum of_status status = of_kafka_query_edges(client, list, true, ASK_MS, err);
    if (status == OF_OK)
        *out = list;
    else
        rd_kafka_topic_partition_list_destroy(list);
    return status;
}

/* Where the group begins, or already is, in all partitions. On OF_OK the caller destroys *out. */
static enum of_status
ask_starts(struct of_end_check *check, rd_kafka_topic_partition_list_t **out, struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = list_all(check);
    struct of_partition *partitions = of_alloc_array((size_t)list->cnt + 1, sizeof *partitions);
    for (int i = 0; i < list->cnt; i++)
        partitions[i] = (struct of_partition) {
            .topic = i < check->orders_count ? check->options->orders_topic : check->options->retry_topic,
            .role = i < check->orders_count ? OF_ROLE_ORDERS : OF_ROLE_RETRY,
            .partition = list->elems[i].partition,
            .start = -1,
        };
    enum of_status status = of_kafka_query_positions(&check->client, partitions, (uint32_t)list->cnt, false, ASK_MS,
                                                     err);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = partitions[i].start;
    free(partitions);
    if (status == OF_OK)
        *out = list;
    else
        rd_kafka_topic_partition_list_destroy(list);
    return status;
}

/* The ends first: a group that begins at the end may begin behind them, and is then there. */
static enum of_status
take_ends(struct of_end_check *check, struct of_error *err)
{
    if (check->ends == NULL) {
        enum of_status status = ask_edges(check, &check->client, &check->ends, err);
        if (status != OF_OK)
            return status;
    }
    return check->starts != NULL ? OF_OK : ask_starts(check, &check->starts, err);
}

/* Whether the group has committed up to the ends taken at start. Where it begins there no commit is needed: an empty
 * partition never sees one. */
static bool
ends_are_committed(const struct of_end_check *check, const rd_kafka_topic_partition_list_t *committed)
{
    for (int i = 0; i < check->ends->cnt; i++) {
        bool there = check->ends->elems[i].offset <= check->starts->elems[i].offset;
        if (!there && committed->elems[i].offset < check->ends->elems[i].offset)
            return false;
    }
    return true;
}

/* ---- retries that wait ---- */

static bool
read_header(const rd_kafka_message_t *message, struct of_retry_header *header)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    return rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR
           && rd_kafka_header_get_last(headers, OF_RETRY_HEADER_NAME, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR
           && of_retry_header_parse(of_slice_of(value, size), header);
}

/* Whether the run must still wait for what becomes of this retry record. */
static bool
concerns(const struct of_end_check *check, int32_t partition, const rd_kafka_message_t *message)
{
    struct of_retry_header header;
    if (!read_header(message, &header)) /* a new order that stands in the retry topic */
        return message->offset < check->ends->elems[check->orders_count + partition].offset;
    if (!of_slice_equal(header.group, of_slice_str(check->options->group)))
        return false;
    if (of_slice_equal(header.origin_topic, of_slice_str(check->options->orders_topic)))
        return header.origin_partition >= check->orders_count
               || header.origin_offset < check->ends->elems[header.origin_partition].offset;
    return true;
}

/* Reads [scanned, end) of a retry partition until a record concerns the run or time is up. */
static enum of_status
scan(struct of_end_check *check, int32_t partition, int64_t end, int64_t deadline_ns, struct of_error *err)
{
    rd_kafka_t *rk = check->client.rk;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, check->options->retry_topic, partition)->offset = check->scanned[partition];
    rd_kafka_resp_err_t code = rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    enum of_status status = OF_AGAIN;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        status = of_error_set(err, OF_RETRY, "cannot read %s: %s", check->options->retry_topic, rd_kafka_err2str(code));
    while (status == OF_AGAIN && of_clock_mono_ns(of_clock_system()) < deadline_ns) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);
        if (message == NULL)
            continue;
        bool record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        bool stop = record && concerns(check, partition, message);
        if (!stop && (record || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF))
            check->scanned[partition] = message->offset + record;
        rd_kafka_message_destroy(message);
        if (stop)
            break;
        if (check->scanned[partition] >= end)
            status = OF_OK;
    }
    rd_kafka_assign(rk, NULL);
    return status;
}

/* The ends are those of a client that reads uncommitted records. A transaction that is being committed ends in one
 * partition before the next: its offsets can be seen while its retry records cannot, and the end that readers of
 * committed records are told lies before these. Reading to the true end waits for them. */
static enum of_status
retries_are_settled(struct of_end_check *check, const rd_kafka_topic_partition_list_t *committed,
                    const rd_kafka_topic_partition_list_t *ends, struct of_error *err)
{
    int64_t deadline_ns = of_clock_mono_ns(of_clock_system()) + SCAN_MS * OF_MS_NS;
    for (int32_t p = 0; p < check->retry_count; p++) {
        int i = check->orders_count + p;
        int64_t from = committed->elems[i].offset > check->starts->elems[i].offset ? committed->elems[i].offset
                                                                                    : check->starts->elems[i].offset;
        if (from > check->scanned[p])
            check->scanned[p] = from;
        if (check->scanned[p] >= ends->elems[i].offset)
            continue;
        enum of_status status = scan(check, p, ends->elems[i].offset, deadline_ns, err);
        if (status != OF_OK)
            return status;
    }
    return OF_OK;
}

enum of_status
of_end_check_step(struct of_end_check *check, struct of_error *err)
{
    enum of_status status = take_ends(check, err);
    if (status != OF_OK)
        return status;
    of_kafka_client_serve(&check->client);
    of_kafka_client_serve(&check->retry_ends);
    rd_kafka_topic_partition_list_t *committed = list_all(check), *ends = NULL;
    status = of_kafka_query_committed(&check->client, committed, ASK_MS, err);
    if (status == OF_OK && !ends_are_committed(check, committed))
        status = OF_AGAIN;
    if (status == OF_OK)
        status = ask_edges(check, &check->retry_ends, &ends, err);
    if (status == OF_OK)
        status = retries_are_settled(check, committed, ends, err);
    rd_kafka_topic_partition_list_destroy(committed);
    if (ends != NULL)
        rd_kafka_topic_partition_list_destroy(ends);
    return status;
}
