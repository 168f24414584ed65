#include "fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#include "core/clock.h"

int64_t
test_now_ms(void)
{
    return of_clock_mono_ns(of_clock_system()) / OF_MS_NS;
}

static void
log_line(int level, const char *text)
{
    if (getenv("OF_TEST_LOG") != NULL)
        fprintf(stderr, "<%d> %s\n", level, text);
}

/* ---- cluster ---- */

void
fixture_open(struct fixture *fixture)
{
    struct of_error err;
    *fixture = (struct fixture) { .cluster = NULL };
    assert_int_equal(of_embedded_open(&fixture->cluster, &err), OF_OK);
    fixture->options = (struct of_kafka_options) {
        .brokers = of_embedded_brokers(fixture->cluster),
        .group = "group",
        .orders_topic = "orders",
        .retry_topic = "orders-retry",
        .dead_letter_topic = "orders-dlq",
        .aggregates_topic = "orders-aggregates",
        .memory_bytes = 256 << 20,
        .embedded = true,
        .log = log_line,
    };
    const char *const topics[] = { "orders", "orders-retry", "orders-dlq", "orders-aggregates" };
    for (int i = 0; i < 4; i++)
        assert_int_equal(of_embedded_create_topic(fixture->cluster, topics[i], FIXTURE_PARTITIONS, &err), OF_OK);
}

void
fixture_close(struct fixture *fixture)
{
    of_embedded_close(&fixture->cluster);
}

static void
produce(struct fixture *fixture, const char *topic, int32_t partition, int first, int count, int64_t timestamp_ms,
        const struct of_header *headers, uint32_t header_count)
{
    char why[256], value[16];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", fixture->options.brokers, why, sizeof why);
    rd_kafka_conf_set(conf, "linger.ms", "1", why, sizeof why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(rk);
    for (int i = first; i < first + count; i++) {
        int length = snprintf(value, sizeof value, "%d", i);
        rd_kafka_headers_t *list = rd_kafka_headers_new(header_count);
        for (uint32_t h = 0; h < header_count; h++)
            rd_kafka_header_add(list, headers[h].name, -1, headers[h].value.data, (ssize_t)headers[h].value.length);
        rd_kafka_resp_err_t code = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY((void *)(uintptr_t)"k", 1), RD_KAFKA_V_VALUE(value, (size_t)length),
            RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_END);
        assert_int_equal(code, RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    assert_int_equal(rd_kafka_flush(rk, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(rk);
}

void
fixture_produce(struct fixture *fixture, enum of_destination to, int32_t partition, int first, int count,
                const struct of_header *headers, uint32_t header_count)
{
    const char *topic = to == OF_TO_RETRY ? fixture->options.retry_topic : fixture->options.dead_letter_topic;
    produce(fixture, topic, partition, first, count, 0, headers, header_count);
}

void
fixture_produce_orders(struct fixture *fixture, int32_t partition, int first, int count)
{
    produce(fixture, fixture->options.orders_topic, partition, first, count, 0, NULL, 0);
}

void
fixture_produce_order_at(struct fixture *fixture, int32_t partition, int64_t timestamp_ms)
{
    produce(fixture, fixture->options.orders_topic, partition, 0, 1, timestamp_ms, NULL, 0);
}

/* ---- reader ---- */

void
reader_open(struct reader *reader, const struct of_kafka_options *options)
{
    struct of_error err;
    memset(reader, 0, sizeof *reader);
    reader->chunk.records = reader->records;
    reader->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_int_equal(FIXTURE_OPEN_SOURCE(options, &reader->source, &err), OF_OK);
    assert_int_equal(reader->source.ops->start(reader->source.self, reader->wake_fd, &err), OF_OK);
}

static void
take_assignment(struct reader *reader, const struct of_source_event *event)
{
    struct of_error err = { .text = "" };
    struct of_partition partitions[READER_SLOTS];
    struct of_slot *slots[READER_SLOTS];
    int64_t offsets[READER_SLOTS];
    assert_true(event->count <= READER_SLOTS);
    memcpy(partitions, event->partitions, event->count * sizeof *partitions);
    enum of_status status = OF_RETRY;
    for (int i = 0; i < 10 && status == OF_RETRY; i++)
        status = reader->source.ops->positions(reader->source.self, partitions, event->count, &err);
    if (status != OF_OK)
        fail_msg("positions: %s", err.text);
    for (uint32_t i = 0; i < event->count; i++) {
        slots[i] = &reader->slots[i];
        memset(slots[i], 0, sizeof *slots[i]);
        slots[i]->index = i;
        slots[i]->role = partitions[i].role;
        slots[i]->topic = partitions[i].topic;
        slots[i]->partition = partitions[i].partition;
        slots[i]->start_epoch = partitions[i].leader_epoch;
        offsets[i] = partitions[i].start;
        reader->committed[i] = partitions[i].committed;
    }
    reader->slot_count = event->count;
    assert_int_equal(reader->source.ops->assign(reader->source.self, slots, offsets, event->count, &err), OF_OK);
    reader->assigned = true;
}

static void
take_event(struct reader *reader, const struct of_source_event *event)
{
    switch (event->kind) {
    case OF_SOURCE_ASSIGNED:
        take_assignment(reader, event);
        break;
    case OF_SOURCE_LOST:
        reader->lost = true;
        reader->revoking = true;
        break;
    case OF_SOURCE_REVOKED:
        reader->revoking = true;
        break;
    case OF_SOURCE_COMMITTED:
        reader->commits++;
        reader->commit_status = event->status;
        break;
    case OF_SOURCE_BROKEN:
        reader->broken = *event;
        reader->broken_count++;
        break;
    case OF_SOURCE_SKIPPED:
        fail_msg("the source has skipped: %s", event->error.text);
        break;
    case OF_SOURCE_LEFT:
        reader->left = true;
        break;
    case OF_SOURCE_FAILED:
        fail_msg("the source failed: %s", event->error.text);
    }
}

static void
sleep_on(int fd, int timeout_ms)
{
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    uint64_t count;
    if (poll(&poller, 1, timeout_ms) > 0)
        (void)!read(fd, &count, sizeof count);
}

bool
reader_wait(struct reader *reader, const bool *done, int timeout_ms)
{
    int64_t until_ms = test_now_ms() + timeout_ms;
    struct of_source_event event;
    for (;;) {
        while (!*done && reader->source.ops->event(reader->source.self, &event))
            take_event(reader, &event);
        int64_t left_ms = until_ms - test_now_ms();
        if (*done || left_ms <= 0)
            return *done;
        sleep_on(reader->wake_fd, left_ms < 200 ? (int)left_ms : 200);
    }
}

struct of_slot *
reader_slot(struct reader *reader, enum of_role role, int32_t partition)
{
    for (uint32_t i = 0; i < reader->slot_count; i++)
        if (reader->slots[i].role == role && reader->slots[i].partition == partition)
            return &reader->slots[i];
    fail_msg("partition %d of role %d is not assigned", (int)partition, (int)role);
    return NULL;
}

enum of_status
reader_commit(struct reader *reader, struct of_slot *slot, int64_t next_offset)
{
    bool never = false;
    struct of_offset offset = { slot, next_offset, -1 };
    uint32_t before = reader->commits;
    reader->source.ops->commit(reader->source.self, &offset, 1);
    for (int i = 0; i < 100 && reader->commits == before; i++)
        reader_wait(reader, &never, 100);
    assert_int_equal(reader->commits, before + 1);
    return reader->commit_status;
}

void
reader_close(struct reader *reader)
{
    reader->source.ops->leave(reader->source.self);
    if (reader->assigned) {
        assert_true(reader_wait(reader, &reader->revoking, 5000));
        reader->source.ops->unassign(reader->source.self);
    }
    assert_true(reader_wait(reader, &reader->left, 5000));
    int64_t begun_ms = test_now_ms();
    reader->source.ops->close(reader->source.self);
    assert_true(test_now_ms() - begun_ms < 2000);
    close(reader->wake_fd);
}

int
record_number(const struct of_record *record)
{
    char text[16] = "";
    assert_true(record->value.length < sizeof text);
    memcpy(text, record->value.data, record->value.length);
    return atoi(text);
}
