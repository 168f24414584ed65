/* Partitions are read by librdkafka's interface for single partitions: each begins and ends without regard to the
 * others, no consumer group is needed, and records of a reading that has ended are not delivered any more. */
#include "kafka/state_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "kafka/offsets.h"

enum { DESTROY_MS = 1000, BATCH_RECORDS = 512, BATCHES = 8 };

struct reading {
    bool under_way;
    struct of_state_reading public;
};

struct of_state_reader {
    struct of_kafka_options quiet; /* without log: what goes wrong with brokers the other client tells */
    struct of_kafka_client client; /* reads committed records */
    struct of_kafka_client ends;   /* asks for ends */
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *records;
    struct reading *readings; /* by partition */
    int32_t room;
};

/* ---- opening and closing ---- */

static enum of_status
open_clients(struct of_state_reader *reader, const struct of_kafka_options *options, int wait_ms, struct of_error *err)
{
    char wait_text[16];
    snprintf(wait_text, sizeof wait_text, "%d", wait_ms);
    const char *create = options->embedded ? "true" : "false"; /* which knows no such thing */
    const struct of_kafka_property settings[] = {
        { "isolation.level", "read_committed" },   { "enable.partition.eof", "true" },
        { "auto.offset.reset", "error" },          { "allow.auto.create.topics", create },
        { "fetch.wait.max.ms", wait_text },        { "fetch.error.backoff.ms", "100" },
        { "queued.min.messages", "1000000" },      { "queued.max.messages.kbytes", "16384" },
    };
    const struct of_kafka_property ends_settings[] = {
        { "isolation.level", "read_uncommitted" },
        { "allow.auto.create.topics", create },
    };
    reader->quiet = *options;
    reader->quiet.log = NULL;
    enum of_status status = of_kafka_client_open(&reader->client, RD_KAFKA_CONSUMER, options, settings,
                                                 sizeof settings / sizeof *settings, 0, err);
    if (status == OF_OK)
        status = of_kafka_client_open(&reader->ends, RD_KAFKA_CONSUMER, &reader->quiet, ends_settings,
                                      sizeof ends_settings / sizeof *ends_settings, 0, err);
    return status;
}

enum of_status
of_state_reader_open(const struct of_kafka_options *options, int wait_ms, struct of_state_reader **out,
                     struct of_error *err)
{
    struct of_state_reader *reader = of_alloc(sizeof *reader);
    enum of_status status = open_clients(reader, options, wait_ms, err);
    if (status == OF_OK) {
        reader->topic = rd_kafka_topic_new(reader->client.rk, options->aggregates_topic, NULL);
        reader->records = rd_kafka_queue_new(reader->client.rk);
    } else {
        of_state_reader_close(&reader);
    }
    *out = reader;
    return status;
}

void
of_state_reader_close(struct of_state_reader **reader)
{
    struct of_state_reader *closing = *reader;
    *reader = NULL;
    if (closing == NULL)
        return;
    for (int32_t p = 0; p < closing->room; p++)
        of_state_reader_end(closing, p);
    if (closing->records != NULL)
        rd_kafka_queue_destroy(closing->records);
    if (closing->topic != NULL)
        rd_kafka_topic_destroy(closing->topic);
    of_kafka_client_close(&closing->client, DESTROY_MS);
    of_kafka_client_close(&closing->ends, DESTROY_MS);
    free(closing->readings);
    free(closing);
}

/* ---- beginning and ending ---- */

enum of_status
of_state_reader_look_up(struct of_state_reader *reader, int timeout_ms, int32_t *partitions, struct of_error *err)
{
    const char *name = rd_kafka_topic_name(reader->topic);
    rd_kafka_resp_err_t code = of_kafka_client_count_partitions(&reader->client, reader->topic, timeout_ms, partitions);
    of_kafka_client_serve(&reader->client);
    of_kafka_client_serve(&reader->ends);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return OF_OK;
    return of_error_set(err, of_kafka_transient(code) ? OF_RETRY : OF_FATAL, "cannot look up topic %s at %s: %s", name,
                        reader->client.options->brokers, rd_kafka_err2str(code));
}

static struct reading *
reading_of(struct of_state_reader *reader, int32_t partition)
{
    if (partition >= reader->room) {
        int32_t room = 2 * partition + 16;
        reader->readings = of_realloc_array(reader->readings, (size_t)room, sizeof *reader->readings);
        memset(reader->readings + reader->room, 0, (size_t)(room - reader->room) * sizeof *reader->readings);
        reader->room = room;
    }
    return &reader->readings[partition];
}

static enum of_status
start(struct of_state_reader *reader, int32_t partition, int64_t first, int64_t end, struct of_error *err)
{
    struct reading *reading = reading_of(reader, partition);
    int64_t now_ns = of_clock_mono_ns(of_clock_system());
    if (reading->under_way) {
        reading->public.end = end > reading->public.end ? end : reading->public.end;
        reading->public.moved_ns = now_ns;
        return OF_OK;
    }
    if (rd_kafka_consume_start_queue(reader->topic, partition, first, reader->records) != 0)
        return of_error_set(err, OF_RETRY, "cannot read %s [%d]: %s", rd_kafka_topic_name(reader->topic), partition,
                            rd_kafka_err2str(rd_kafka_last_error()));
    *reading = (struct reading) {
        .under_way = true,
        .public = { .first = first, .next = first, .end = end, .moved_ns = now_ns },
    };
    return OF_OK;
}

static rd_kafka_topic_partition_list_t *
list_of(const struct of_state_reader *reader, const int32_t *partitions, uint32_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, rd_kafka_topic_name(reader->topic), partitions[i]);
    return list;
}

enum of_status
of_state_reader_begin(struct of_state_reader *reader, const int32_t *partitions, uint32_t count, int timeout_ms,
                      struct of_error *err)
{
    rd_kafka_topic_partition_list_t *firsts = list_of(reader, partitions, count);
    rd_kafka_topic_partition_list_t *ends = list_of(reader, partitions, count);
    enum of_status status = of_kafka_query_edges(&reader->ends, firsts, false, timeout_ms, err);
    if (status == OF_OK)
        status = of_kafka_query_edges(&reader->ends, ends, true, timeout_ms, err);
    for (uint32_t i = 0; status == OF_OK && i < count; i++)
        status = start(reader, partitions[i], firsts->elems[i].offset, ends->elems[i].offset, err);
    rd_kafka_topic_partition_list_destroy(firsts);
    rd_kafka_topic_partition_list_destroy(ends);
    return status;
}

void
of_state_reader_end(struct of_state_reader *reader, int32_t partition)
{
    if (partition >= reader->room || !reader->readings[partition].under_way)
        return;
    rd_kafka_consume_stop(reader->topic, partition); /* does not wait for brokers */
    reader->readings[partition].under_way = false;
}

const struct of_state_reading *
of_state_reader_reading(const struct of_state_reader *reader, int32_t partition)
{
    if (partition >= reader->room || !reader->readings[partition].under_way)
        return NULL;
    return &reader->readings[partition].public;
}

/* ---- reading ---- */

static void
fail(struct reading *reading, const rd_kafka_message_t *message)
{
    reading->public.failed = true;
    snprintf(reading->public.why, sizeof reading->public.why, "%s",
             message->payload != NULL ? rd_kafka_message_errstr(message) : rd_kafka_err2str(message->err));
}

static bool
take_message(struct of_state_reader *reader, const rd_kafka_message_t *message, of_state_take *take, void *context)
{
    if (message->partition < 0 || message->partition >= reader->room)
        return false;
    struct reading *reading = &reader->readings[message->partition];
    bool record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!reading->under_way)
        return false;
    if (!record && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        fail(reading, message);
        return false;
    }
    /* The end's offset lies behind transaction markers, which no record tells of. */
    int64_t next = message->offset + record;
    if (next <= reading->public.next)
        return false;
    reading->public.next = next;
    reading->public.moved_ns = of_clock_mono_ns(of_clock_system());
    if (record)
        take(context, message->partition, of_slice_of(message->key, message->key_len),
             of_slice_of(message->payload, message->len));
    return record;
}

static uint32_t
take_messages(struct of_state_reader *reader, rd_kafka_message_t **messages, ssize_t count, of_state_take *take,
              void *context)
{
    uint32_t records = 0;
    for (ssize_t i = 0; i < count; i++) {
        records += take_message(reader, messages[i], take, context);
        rd_kafka_message_destroy(messages[i]);
    }
    return records;
}

/* A batch call with a time-out would wait until the batch is full. */
uint32_t
of_state_reader_poll(struct of_state_reader *reader, int timeout_ms, of_state_take *take, void *context)
{
    rd_kafka_message_t *messages[BATCH_RECORDS];
    uint32_t records = 0;
    of_kafka_client_serve(&reader->client);
    of_kafka_client_serve(&reader->ends);
    for (int i = 0; i < BATCHES; i++) {
        ssize_t count = rd_kafka_consume_batch_queue(reader->records, 0, messages, BATCH_RECORDS);
        if (count <= 0 && i == 0 && timeout_ms > 0)
            count = (messages[0] = rd_kafka_consume_queue(reader->records, timeout_ms)) != NULL;
        if (count <= 0)
            break;
        records += take_messages(reader, messages, count, take, context);
    }
    return records;
}
