/* A program for tests of the sources against a real broker.
 *
 *     broker_records fill BROKERS TOPIC PARTITIONS
 *         every kind of record in every kind of batch: all codecs, batches of 1 to 100,000, headers, null and empty keys
 *         and values, values of 1 MB, times set and not set, transactions that are committed and that are aborted; of
 *         the aborted ones each value begins with "aborted"
 *     broker_records read SOURCE BROKERS GROUP TOPIC RETRY-TOPIC [NAME=VALUE...]
 *         all there is, one line per record: topic, partition, offset, time, and digests of key, value and headers.
 *         The partitions of RETRY-TOPIC are read as retries are, one record at a time
 *     broker_records look BROKERS TOPIC [NAME=VALUE...]
 *         the first record of partition 0, by the direct source's fetcher alone, without a group
 *     broker_records expire BROKERS TOPIC PARTITIONS KEYS COUNT
 *         COUNT records of KEYS different keys, for topics that are compacted
 *
 * RECORDS_PATIENCE_MS in the environment: how long reading may take. Exit status: 0; 1 with a text on standard error. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/memory.h"
#include "kafka/direct/fetcher.h"
#include "kafka/source_direct.h"
#include "kafka/source_librdkafka.h"
#include "order/failure.h"

enum { PARTITIONS_MOST = 64, PATIENCE_MS = 120000, IDLE_MS = 1500, BROKEN_MOST = 1000 };

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "broker_records: %s: %s\n", what, why);
    exit(1);
}

/* ---- filling ---- */

struct writer {
    rd_kafka_t *rk;
    const char *topic;
    uint64_t random;
};

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        die(name, why);
}

static struct writer
open_writer(const char *brokers, const char *topic, const char *codec, const char *batch, const char *transactional_id)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "compression.codec", codec);
    set(conf, "batch.num.messages", batch);
    set(conf, "linger.ms", strcmp(batch, "1") == 0 ? "0" : "300");
    set(conf, "batch.size", "8000000");
    set(conf, "message.max.bytes", "8000000");
    set(conf, "queue.buffering.max.messages", "1000000");
    set(conf, "queue.buffering.max.kbytes", "1000000");
    if (transactional_id != NULL)
        set(conf, "transactional.id", transactional_id);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (rk == NULL)
        die("producer", why);
    return (struct writer) { rk, topic, 1 };
}

static uint64_t
next_random(struct writer *writer)
{
    writer->random = writer->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return writer->random >> 33;
}

static void
write_one(struct writer *writer, int32_t partition, const void *key, size_t key_bytes, const void *value,
          size_t value_bytes, int headers, int64_t timestamp_ms)
{
    rd_kafka_headers_t *list = headers > 0 ? rd_kafka_headers_new((size_t)headers) : NULL;
    for (int i = 0; i < headers; i++)
        rd_kafka_header_add(list, i % 2 ? "name" : "n", -1, i % 3 == 2 ? NULL : "value", i % 3 == 2 ? 0 : i % 3 * 5);
    rd_kafka_resp_err_t code;
    do {
        code = rd_kafka_producev(writer->rk, RD_KAFKA_V_TOPIC(writer->topic), RD_KAFKA_V_PARTITION(partition),
                                 RD_KAFKA_V_KEY((void *)(uintptr_t)key, key_bytes),
                                 RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value_bytes),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(timestamp_ms),
                                 RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(writer->rk, 50);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("producing", rd_kafka_err2str(code));
}

static void
write_numbers(struct writer *writer, int32_t partition, const char *word, int count)
{
    for (int i = 0; i < count; i++) {
        char key[32], value[256];
        static const char padding[] = "abcabcabdabcabcabdabcabcabdabcabcabdabcabcabdabcabcabdabcabcabdabcabcabd";
        int length = snprintf(value, sizeof value, "%s %d %.*s", word, i, (int)(next_random(writer) % 70), padding);
        snprintf(key, sizeof key, "%d", i);
        write_one(writer, partition, key, strlen(key), value, (size_t)length, i % 17 == 0 ? i % 5 : 0,
                  i % 13 == 0 ? 1000 + i : 0);
    }
}

static void
write_oddities(struct writer *writer, int32_t partition)
{
    enum { BIG = 1 << 20 };
    char *big = of_alloc(BIG);
    for (int i = 0; i < BIG; i++)
        big[i] = (char)next_random(writer);
    write_one(writer, partition, NULL, 0, NULL, 0, 0, 0);
    write_one(writer, partition, "", 0, "", 0, 3, 0);
    write_one(writer, partition, NULL, 0, "value", 5, 12, 1);
    write_one(writer, partition, "key", 3, NULL, 0, 1, 5000);
    write_one(writer, partition, "big", 3, big, BIG, 2, 0);
    memset(big, 'x', BIG);
    write_one(writer, partition, "dull", 4, big, BIG, 0, 0);
    free(big);
}

static void
flush(struct writer *writer)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(writer->rk, PATIENCE_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("flushing", rd_kafka_err2str(code));
}

static void
fill_codec(const char *brokers, const char *topic, int partitions, const char *codec)
{
    static const struct { const char *batch; int count; } rows[] = { { "1", 30 }, { "7", 100 }, { "100000", 100000 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct writer writer = open_writer(brokers, topic, codec, rows[i].batch, NULL);
        for (int32_t p = 0; p < partitions; p++) {
            write_numbers(&writer, p, codec, p == 0 ? rows[i].count : rows[i].count / 50 + 1);
            flush(&writer);
        }
        write_oddities(&writer, (int32_t)(i % (size_t)partitions));
        flush(&writer);
        rd_kafka_destroy(writer.rk);
    }
}

static void
expect(rd_kafka_error_t *error, const char *what)
{
    if (error != NULL)
        die(what, rd_kafka_error_string(error));
}

/* Three producers whose transactions lie between each other's; every third is aborted. */
static void
fill_transactions(const char *brokers, const char *topic, int partitions)
{
    enum { WRITERS = 3, ROUNDS = 6 };
    struct writer writers[WRITERS];
    char id[256];
    for (int w = 0; w < WRITERS; w++) {
        snprintf(id, sizeof id, "%s-%d", topic, w);
        writers[w] = open_writer(brokers, topic, w == 0 ? "none" : w == 1 ? "lz4" : "zstd", "50", id);
        expect(rd_kafka_init_transactions(writers[w].rk, PATIENCE_MS), "init_transactions");
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int w = 0; w < WRITERS; w++) {
            expect(rd_kafka_begin_transaction(writers[w].rk), "begin_transaction");
            for (int32_t p = 0; p < partitions; p++)
                write_numbers(&writers[w], p, (round + w) % 3 == 0 ? "aborted" : "committed", 120);
            flush(&writers[w]);
        }
        for (int w = 0; w < WRITERS; w++)
            if ((round + w) % 3 == 0)
                expect(rd_kafka_abort_transaction(writers[w].rk, PATIENCE_MS), "abort_transaction");
            else
                expect(rd_kafka_commit_transaction(writers[w].rk, PATIENCE_MS), "commit_transaction");
    }
    for (int w = 0; w < WRITERS; w++)
        rd_kafka_destroy(writers[w].rk);
}

static int64_t
query_ends(const char *brokers, const char *topic, int partitions, const char *isolation)
{
    char why[256];
    int64_t low, high, sum = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "isolation.level", isolation);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    for (int32_t p = 0; p < partitions; p++) {
        if (rd_kafka_query_watermark_offsets(rk, topic, p, &low, &high, PATIENCE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
            die("end offsets", topic);
        sum += high;
    }
    rd_kafka_destroy(rk);
    return sum;
}

/* A transaction is committed when that is decided; its markers come a moment later. */
static void
await_markers(const char *brokers, const char *topic, int partitions)
{
    for (int i = 0; i < 100; i++) {
        if (query_ends(brokers, topic, partitions, "read_committed") ==
            query_ends(brokers, topic, partitions, "read_uncommitted"))
            return;
        usleep(100000);
    }
    die("markers", "they do not come");
}

static int
fill(const char *brokers, const char *topic, int partitions)
{
    static const char *const codecs[] = { "none", "gzip", "snappy", "lz4", "zstd" };
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        fill_codec(brokers, topic, partitions, codecs[i]);
    fill_transactions(brokers, topic, partitions);
    await_markers(brokers, topic, partitions);
    return 0;
}

static int
expire(const char *brokers, const char *topic, int partitions, int keys, int count)
{
    struct writer writer = open_writer(brokers, topic, "lz4", "100", NULL);
    for (int i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof key, "%d", (int)(next_random(&writer) % (uint64_t)keys));
        write_one(&writer, i % partitions, key, strlen(key), key, i % 50 == 0 ? 0 : strlen(key), 0, 0);
    }
    flush(&writer);
    rd_kafka_destroy(writer.rk);
    return 0;
}

/* ---- reading ---- */

struct reader {
    struct of_source source;
    int wake_fd;
    struct of_slot slots[PARTITIONS_MOST];
    int64_t next[PARTITIONS_MOST];
    uint32_t slot_count;
    bool assigned;
    uint32_t broken;
    struct of_chunk chunk;
    void *records[OF_CHUNK_RECORDS];
};

static uint64_t
digest(struct of_slice bytes)
{
    return bytes.data == NULL ? 0 : of_fnv1a64(bytes);
}

static void
print(const struct of_slot *slot, const struct of_chunk_ops *ops, const struct of_record *record)
{
    struct of_slice name, value;
    uint64_t headers = 0;
    struct of_header_walk walk = { 0 };
    uint32_t count = 0;
    for (; ops->header(record, &walk, &name, &value); count++)
        headers = headers * 31 + digest(name) * 7 + digest(value);
    printf("%s %d %" PRId64 " %" PRId64 " %" PRIx64 " %" PRIx64 " %u %" PRIx64 "%s\n", slot->topic, slot->partition,
           record->offset, ops->timestamp_ms(record), digest(record->key), digest(record->value), count, headers,
           record->value.length >= 7 && memcmp(record->value.data, "aborted", 7) == 0 ? " ABORTED" : "");
}

/* What cannot be read is read again from where all was well, as the fetch stage does it, with a bound. */
static void
read_again(struct reader *reader, struct of_slot *slot, const char *why)
{
    struct of_error err;
    fprintf(stderr, "again: %s\n", why);
    if (++reader->broken > BROKEN_MOST)
        die("reading", why);
    usleep(20000);
    reader->source.ops->hold(reader->source.self, slot);
    if (reader->source.ops->resume(reader->source.self, slot, reader->next[slot->index], &err) != OF_OK)
        die("resuming", err.text);
}

static void
take_event(struct reader *reader, const struct of_source_event *event)
{
    const struct of_source_ops *ops = reader->source.ops;
    struct of_error err;
    struct of_partition partitions[PARTITIONS_MOST];
    struct of_slot *slots[PARTITIONS_MOST];
    if (event->kind == OF_SOURCE_BROKEN)
        read_again(reader, event->slot, event->error.text);
    if (event->kind == OF_SOURCE_FAILED)
        die("reading", event->error.text);
    if (event->kind != OF_SOURCE_ASSIGNED)
        return;
    if (event->count > PARTITIONS_MOST)
        die("assigned", "too many partitions");
    memcpy(partitions, event->partitions, event->count * sizeof *partitions);
    enum of_status status;
    while ((status = ops->positions(reader->source.self, partitions, event->count, &err)) == OF_RETRY)
        usleep(100000);
    if (status != OF_OK)
        die("positions", err.text);
    reader->slot_count = event->count;
    for (uint32_t i = 0; i < event->count; i++) {
        reader->slots[i] = (struct of_slot) {
            .index = i, .role = partitions[i].role, .topic = partitions[i].topic, .partition = partitions[i].partition,
            .start_epoch = partitions[i].leader_epoch,
        };
        slots[i] = &reader->slots[i];
        reader->next[i] = partitions[i].start;
    }
    if (ops->assign(reader->source.self, slots, reader->next, event->count, &err) != OF_OK)
        die("assign", err.text);
    reader->assigned = true;
}

static void
take_chunk(struct reader *reader)
{
    struct of_chunk *chunk = &reader->chunk;
    struct of_record record, again;
    enum of_chunk_step step;
    if (chunk->first_offset != reader->next[chunk->slot->index])
        die("chunk", "it does not begin where the one before ended");
    chunk->cursor = 0;
    while ((step = chunk->ops->next(chunk, &record)) == OF_CHUNK_RECORD) {
        if (record.offset < chunk->first_offset || record.offset >= chunk->next_offset)
            die("record", "it is outside its chunk");
        chunk->ops->record(chunk, record.at, &again);
        if (again.offset != record.offset || !of_slice_equal(again.value, record.value))
            die("record", "it is not found again");
        print(chunk->slot, chunk->ops, &record);
        chunk->cursor = record.behind;
    }
    reader->next[chunk->slot->index] = step == OF_CHUNK_BROKEN ? chunk->held_offset : chunk->next_offset;
    if (step == OF_CHUNK_BROKEN)
        read_again(reader, chunk->slot, chunk->held_text);
    if (chunk->count > 0)
        reader->source.ops->release(reader->source.self, chunk);
    chunk->count = 0;
}

static bool
read_retry(struct reader *reader, struct of_slot *slot)
{
    const struct of_source_ops *ops = reader->source.ops;
    struct of_record record;
    while (reader->chunk.count < OF_CHUNK_RECORDS && ops->peek(reader->source.self, slot, &record))
        ops->take(reader->source.self, slot, &record, &reader->chunk);
    if (reader->chunk.count == 0)
        return false;
    take_chunk(reader);
    return true;
}

static bool
read_some(struct reader *reader)
{
    bool some = false;
    for (uint32_t i = 0; i < reader->slot_count; i++)
        if (reader->slots[i].role == OF_ROLE_RETRY)
            some |= read_retry(reader, &reader->slots[i]);
    while (reader->source.ops->read(reader->source.self, &reader->chunk)) {
        take_chunk(reader);
        some = true;
    }
    return some;
}

static bool
is_through(const struct reader *reader)
{
    for (uint32_t i = 0; i < reader->slot_count; i++) {
        const struct of_slot *slot = &reader->slots[i];
        int64_t high = slot->role == OF_ROLE_RETRY ? reader->source.ops->end(reader->source.self, slot)
                                                   : reader->source.ops->high(reader->source.self, slot);
        if (high < 0 || (slot->role == OF_ROLE_ORDERS && reader->next[i] < high))
            return false;
    }
    return reader->assigned;
}

static int64_t
now_ms(void)
{
    return of_clock_mono_ns(of_clock_system()) / OF_MS_NS;
}

static int64_t
deadline_ms(void)
{
    const char *patience = getenv("RECORDS_PATIENCE_MS");
    return now_ms() + (patience != NULL ? atoi(patience) : PATIENCE_MS);
}

static int
read_all(const char *name, struct of_kafka_options *options)
{
    static struct reader reader;
    struct of_error err;
    bool direct = strcmp(name, "direct") == 0;
    reader.chunk.records = reader.records;
    enum of_status status = direct ? of_source_direct_open(options, &reader.source, &err)
                                   : of_source_librdkafka_open(options, &reader.source, &err);
    if (status != OF_OK)
        die("open", err.text);
    reader.wake_fd = eventfd(0, EFD_NONBLOCK);
    if (reader.source.ops->start(reader.source.self, reader.wake_fd, &err) != OF_OK)
        die("start", err.text);
    struct pollfd fds[2] = { { .fd = reader.wake_fd, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
    if (reader.source.ops->wait_fd != NULL)
        fds[1].fd = reader.source.ops->wait_fd(reader.source.self);
    int64_t until_ms = deadline_ms(), idle_since_ms = now_ms();
    while (!is_through(&reader) || now_ms() - idle_since_ms < (direct ? 200 : IDLE_MS)) {
        struct of_source_event event;
        uint64_t rings;
        while (reader.source.ops->event(reader.source.self, &event))
            take_event(&reader, &event);
        if (reader.assigned && read_some(&reader)) {
            idle_since_ms = now_ms();
            continue;
        }
        if (now_ms() > until_ms)
            die("reading", "it does not come to the end");
        poll(fds, 2, 20);
        if (read(reader.wake_fd, &rings, sizeof rings) < 0)
            continue;
    }
    reader.source.ops->unassign(reader.source.self);
    reader.source.ops->close(reader.source.self);
    return 0;
}

/* ---- looking ---- */

static int
look(const struct of_kafka_options *options)
{
    static struct of_fetcher fetcher;
    static void *records[OF_CHUNK_RECORDS];
    struct of_error err;
    struct of_slot slot = { .role = OF_ROLE_ORDERS, .topic = options->orders_topic, .start_epoch = -1 };
    struct of_slot *const slots[] = { &slot };
    const int64_t from = 0;
    struct of_chunk chunk = { .records = records };
    if (of_fetcher_open(&fetcher, options, &err) != OF_OK)
        die("open", err.text);
    of_fetcher_begin(&fetcher, slots, &from, 1);
    for (int64_t until_ms = deadline_ms(); !of_fetcher_read(&fetcher, &chunk);) {
        if (now_ms() > until_ms)
            die("looking", "nothing to be seen");
        struct pollfd fd = { .fd = fetcher.epoll_fd, .events = POLLIN };
        poll(&fd, 1, 100);
        of_fetcher_turn(&fetcher, now_ms() * OF_MS_NS);
    }
    struct of_record record;
    if (chunk.ops->next(&chunk, &record) != OF_CHUNK_RECORD)
        die("looking", "no record");
    print(&slot, chunk.ops, &record);
    of_fetcher_release(&fetcher, &chunk);
    of_fetcher_close(&fetcher);
    return 0;
}

static void
log_line(int level, const char *text)
{
    fprintf(stderr, "%d %s\n", level, text);
}

int
main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "fill") == 0)
        return fill(argv[2], argv[3], atoi(argv[4]));
    if (argc == 7 && strcmp(argv[1], "expire") == 0)
        return expire(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
    bool looking = argc >= 4 && strcmp(argv[1], "look") == 0;
    if (!looking && (argc < 7 || strcmp(argv[1], "read") != 0))
        die("usage", "fill BROKERS TOPIC PARTITIONS, read SOURCE BROKERS GROUP TOPIC RETRY-TOPIC [NAME=VALUE...]");
    struct of_kafka_property *properties = of_alloc_array((size_t)argc, sizeof *properties);
    struct of_kafka_options options = { .memory_bytes = 64 << 20, .properties = properties, .log = log_line };
    options.brokers = argv[looking ? 2 : 3];
    options.group = looking ? "none" : argv[4];
    options.orders_topic = argv[looking ? 3 : 5];
    options.retry_topic = looking ? NULL : argv[6];
    for (int i = looking ? 4 : 7; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL)
            die("usage", argv[i]);
        *equals = '\0';
        properties[options.property_count++] = (struct of_kafka_property) { argv[i], equals + 1 };
    }
    return looking ? look(&options) : read_all(argv[2], &options);
}
