/* The sinks against the contract of core/sink.h. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "fixture.h"
#include "kafka/sink_librdkafka.h"
#include "kafka/sink_transactional.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_LEAKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_LEAKS 1
#endif
#endif
#ifdef WITH_LEAKS
#include <sanitizer/lsan_interface.h>
#define leaks_begin __lsan_disable
#define leaks_end __lsan_enable
#else
static void leaks_begin(void) { }
static void leaks_end(void) { }
#endif

struct settled {
    uint64_t count[OF_FATAL + 1]; /* by status */
    uint64_t tags; /* sum */
};

static void
note(void *arg, uint64_t tag, enum of_status status, const char *text)
{
    struct settled *settled = arg;
    assert_non_null(text);
    settled->count[status]++;
    settled->tags += tag;
}

static void
poll_until(struct of_sink *sink, struct settled *settled, uint64_t count, int timeout_ms)
{
    for (int64_t until_ms = test_now_ms() + timeout_ms; ; usleep(1000)) {
        sink->ops->poll(sink->self, &(struct of_sink_listener) { .arg = settled, .settled = note });
        uint64_t all = 0;
        for (int i = 0; i <= OF_FATAL; i++)
            all += settled->count[i];
        if (all >= count)
            return;
        assert_true(test_now_ms() < until_ms);
    }
}

static void
open_sink(struct fixture *fixture, struct of_sink *sink, int wake_fd)
{
    struct of_error err = { .text = "" };
    assert_int_equal(of_sink_librdkafka_open(&fixture->options, sink, &err), OF_OK);
    enum of_status status = OF_RETRY;
    for (int i = 0; i < 10 && status == OF_RETRY; i++)
        status = sink->ops->start(sink->self, wake_fd, &err);
    if (status != OF_OK)
        fail_msg("start: %s", err.text);
}

static void
test_records_arrive_as_they_are(void **state)
{
    (void)state;
    struct fixture fixture;
    struct of_sink sink;
    struct of_error err;
    struct settled settled = { .tags = 0 };
    const struct of_header headers[] = { { "h", of_slice_str("v") }, { "null", { NULL, 0 } }, { "empty", { (const uint8_t *)"", 0 } } };
    const struct of_outgoing records[] = {
        { OF_TO_RETRY, 1, of_slice_str("key"), of_slice_str("7"), headers, 3, 86400000 },
        { OF_TO_RETRY, 1 + FIXTURE_PARTITIONS, { NULL, 0 }, { NULL, 0 }, NULL, 0, 0 },
        { OF_TO_RETRY, 1, { (const uint8_t *)"", 0 }, { (const uint8_t *)"", 0 }, NULL, 0, 0 },
    };
    fixture_open(&fixture);
    int fd = eventfd(0, EFD_NONBLOCK);
    open_sink(&fixture, &sink, fd);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(sink.ops->produce(sink.self, &records[i], 100 + i, &err), OF_OK);
    poll_until(&sink, &settled, 3, 10000);
    assert_int_equal(settled.count[OF_OK], 3);
    assert_int_equal(settled.tags, 303);
    uint64_t woken;
    assert_int_equal(read(fd, &woken, sizeof woken), sizeof woken);
    sink.ops->close(sink.self);
    close(fd);

    struct reader reader;
    bool never = false;
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    const struct of_source_ops *ops = reader.source.ops;
    struct of_slot *slot = reader_slot(&reader, OF_ROLE_RETRY, 1);
    reader.chunk.count = 0;
    for (int i = 0; i < 3; i++) {
        struct of_record record;
        for (int turn = 0; turn < 500 && !ops->peek(reader.source.self, slot, &record); turn++)
            reader_wait(&reader, &never, 10);
        assert_int_equal(record.offset, i);
        assert_true(of_slice_equal(record.key, records[i].key));
        assert_true(of_slice_equal(record.value, records[i].value));
        struct of_slice name, value;
        struct of_header_walk walk = { 0 };
        for (uint32_t h = 0; h < records[i].header_count; h++) {
            assert_true(ops->chunk_ops->header(&record, &walk, &name, &value));
            assert_true(of_slice_equal(name, of_slice_str(headers[h].name)));
            assert_true(of_slice_equal(value, headers[h].value));
        }
        assert_false(ops->chunk_ops->header(&record, &walk, &name, &value));
        if (records[i].timestamp_ms != 0)
            assert_int_equal(ops->chunk_ops->timestamp_ms(&record), records[i].timestamp_ms);
        ops->take(reader.source.self, slot, &record, &reader.chunk);
    }
    ops->release(reader.source.self, &reader.chunk);
    reader_close(&reader);
    fixture_close(&fixture);
}

/* A full queue says again, and takes more once reports are taken. */
static void
test_a_full_queue_says_again(void **state)
{
    (void)state;
    struct fixture fixture;
    struct of_sink sink;
    struct of_error err;
    struct settled settled = { .tags = 0 };
    fixture_open(&fixture);
    const struct of_kafka_property small = { "queue.buffering.max.messages", "100" };
    fixture.options.properties = &small;
    fixture.options.property_count = 1;
    open_sink(&fixture, &sink, -1);
    const struct of_outgoing record = { OF_TO_DEAD_LETTER, 0, of_slice_str("k"), of_slice_str("v"), NULL, 0, 0 };
    uint64_t produced = 0, refused = 0;
    while (produced < 1000) {
        enum of_status status = sink.ops->produce(sink.self, &record, 1, &err);
        if (status == OF_OK) {
            produced++;
            continue;
        }
        assert_int_equal(status, OF_AGAIN);
        refused++;
        sink.ops->poll(sink.self, &(struct of_sink_listener) { .arg = &settled, .settled = note });
        usleep(500);
    }
    poll_until(&sink, &settled, 1000, 10000);
    assert_true(refused > 0);
    assert_int_equal(settled.count[OF_OK], 1000);
    sink.ops->close(sink.self);
    fixture_close(&fixture);
}

static void
test_too_large_is_poison(void **state)
{
    (void)state;
    struct fixture fixture;
    struct of_sink sink;
    struct of_error err;
    fixture_open(&fixture);
    open_sink(&fixture, &sink, -1);
    size_t size = 2 << 20;
    uint8_t *large = calloc(1, size);
    const struct of_outgoing record = { OF_TO_DEAD_LETTER, 0, { NULL, 0 }, of_slice_of(large, size), NULL, 0, 0 };
    assert_int_equal(sink.ops->produce(sink.self, &record, 1, &err), OF_POISON);
    free(large);
    sink.ops->close(sink.self);
    fixture_close(&fixture);
}

/* A sink with that property, whose broker goes down before anything is written. */
static void
open_without_broker(struct fixture *fixture, struct of_sink *sink, const struct of_kafka_property *property)
{
    fixture_open(fixture);
    fixture->options.properties = property;
    fixture->options.property_count = 1;
    open_sink(fixture, sink, -1);
    of_embedded_set_up(fixture->cluster, false);
}

/* What cannot be written in time is reported, once each. */
static void
test_a_broker_that_is_down_is_reported(void **state)
{
    (void)state;
    struct fixture fixture;
    struct of_sink sink;
    struct of_error err;
    struct settled settled = { .tags = 0 };
    const struct of_kafka_property quick = { "message.timeout.ms", "1000" };
    open_without_broker(&fixture, &sink, &quick);
    const struct of_outgoing record = { OF_TO_RETRY, 0, of_slice_str("k"), of_slice_str("v"), NULL, 0, 0 };
    for (int i = 0; i < 10; i++)
        assert_int_equal(sink.ops->produce(sink.self, &record, 1, &err), OF_OK);
    poll_until(&sink, &settled, 10, 10000);
    assert_int_equal(settled.count[OF_RETRY], 10);
    of_embedded_set_up(fixture.cluster, true);
    for (uint64_t i = 11; i < 20 && settled.count[OF_OK] == 0; i++) {
        assert_int_equal(sink.ops->produce(sink.self, &record, 1, &err), OF_OK);
        poll_until(&sink, &settled, i, 10000);
    }
    assert_int_equal(settled.count[OF_OK], 1);
    sink.ops->close(sink.self);
    fixture_close(&fixture);
}

/* What is refused by the time that partitions may be another's is not written any more: derived from the session. */
static void
test_records_wait_for_less_than_a_session(void **state)
{
    (void)state;
    struct fixture fixture;
    struct of_sink sink;
    struct of_error err;
    struct settled settled = { .tags = 0 };
    const struct of_kafka_property session = { "session.timeout.ms", "1500" };
    open_without_broker(&fixture, &sink, &session);
    const struct of_outgoing record = { OF_TO_RETRY, 0, of_slice_str("k"), of_slice_str("v"), NULL, 0, 0 };
    assert_int_equal(sink.ops->produce(sink.self, &record, 1, &err), OF_OK);
    poll_until(&sink, &settled, 1, 15000);
    assert_int_equal(settled.count[OF_RETRY], 1);
    sink.ops->close(sink.self);
    fixture_close(&fixture);
}

/* What waits when it is purged is not written when the broker is back; what comes after it is. */
static void
test_what_is_purged_is_not_written(void **state)
{
    (void)state;
    struct fixture fixture;
    struct of_sink sink;
    struct of_error err;
    struct settled settled = { .tags = 0 };
    struct reader reader;
    struct of_record record;
    bool never = false, seen = false;
    const struct of_outgoing before = { OF_TO_RETRY, 0, of_slice_str("k"), of_slice_str("before"), NULL, 0, 0 };
    const struct of_outgoing after = { OF_TO_RETRY, 0, of_slice_str("k"), of_slice_str("after"), NULL, 0, 0 };
    fixture_open(&fixture);
    open_sink(&fixture, &sink, -1);
    of_embedded_set_up(fixture.cluster, false);
    for (int i = 0; i < 10; i++)
        assert_int_equal(sink.ops->produce(sink.self, &before, 1, &err), OF_OK);
    sink.ops->purge(sink.self);
    poll_until(&sink, &settled, 10, 10000);
    assert_int_equal(settled.count[OF_RETRY], 10);
    of_embedded_set_up(fixture.cluster, true);
    for (uint64_t i = 11; i < 20 && settled.count[OF_OK] == 0; i++) { /* the purge may still be under way */
        assert_int_equal(sink.ops->produce(sink.self, &after, 1, &err), OF_OK);
        poll_until(&sink, &settled, i, 30000);
    }
    assert_int_equal(settled.count[OF_OK], 1);
    sink.ops->close(sink.self);

    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    struct of_slot *slot = reader_slot(&reader, OF_ROLE_RETRY, 0);
    for (int turn = 0; turn < 1000 && !seen; turn++) {
        seen = reader.source.ops->peek(reader.source.self, slot, &record);
        reader_wait(&reader, &never, 10);
    }
    assert_true(seen);
    assert_int_equal(record.offset, 0);
    assert_true(of_slice_equal(record.value, after.value));
    reader_close(&reader);
    fixture_close(&fixture);
}

/* ---- a producer that dies ---- */

enum { ADD_PARTITIONS_TO_TXN = 24 };

static void
ignore(int level, const char *text)
{
    (void)level;
    (void)text;
}

/* How a transaction has ended. */
struct end {
    uint32_t told;
    enum of_status status;
};

static void
note_end(void *arg, enum of_status status, bool fenced, const char *text)
{
    struct end *end = arg;
    assert_false(fenced);
    assert_non_null(text);
    end->told++;
    end->status = status;
}

static void
ignore_settled(void *arg, uint64_t tag, enum of_status status, const char *text)
{
    (void)arg;
    (void)tag;
    (void)status;
    (void)text;
}

/* Produces until the sink says something other than OF_OK. */
static enum of_status
produce_until_refused(struct of_sink *sink, const struct of_sink_listener *listener)
{
    const struct of_outgoing record = { OF_TO_RETRY, 0, of_slice_str("k"), of_slice_str("v"), NULL, 0, 0 };
    struct of_error err;
    enum of_status status;
    int64_t until_ms = test_now_ms() + 60000;
    while ((status = sink->ops->produce(sink->self, &record, 1, &err)) == OF_OK || status == OF_AGAIN) {
        sink->ops->poll(sink->self, listener);
        assert_true(test_now_ms() < until_ms);
        usleep(1000);
    }
    return status;
}

static struct of_kafka_options
options_at(const char *brokers)
{
    return (struct of_kafka_options) {
        .brokers = brokers,
        .group = "g",
        .orders_topic = "orders",
        .retry_topic = "retries",
        .dead_letter_topic = "letters",
        .aggregates_topic = "sums",
        .transactional_id = "t",
        .memory_bytes = 64 << 20,
        .log = ignore,
    };
}

/* On a cluster of three brokers, the last of which the sink is to learn of, which is returned and lives in a handle of its own. The options
 * are the sink's as long as it is there. */
static rd_kafka_mock_cluster_t *
open_transactional(struct of_sink *sink, struct of_kafka_options *options, rd_kafka_t **host)
{
    struct of_error err;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", err.text, sizeof err.text);
    *host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err.text, sizeof err.text);
    assert_non_null(*host);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(*host, 3);
    static char brokers[200];
    snprintf(brokers, sizeof brokers, "%s", rd_kafka_mock_cluster_bootstraps(cluster));
    *strrchr(brokers, ',') = '\0';
    *options = options_at(brokers);
    options->embedded = true;
    const char *const topics[] = { "orders", "retries", "letters", "sums" };
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        rd_kafka_mock_topic_create(cluster, topics[i], 1, 1);
    assert_int_equal(of_sink_transactional_open(options, 1000, sink, &err), OF_OK);
    enum of_status status = OF_RETRY;
    for (int i = 0; i < 10 && status == OF_RETRY; i++)
        status = sink->ops->start(sink->self, -1, &err);
    assert_int_equal(status, OF_OK);
    return cluster;
}

static void
await_end(struct of_sink *sink, const struct of_sink_listener *listener, uint32_t told)
{
    const struct end *end = listener->arg;
    for (int64_t until_ms = test_now_ms() + 60000; end->told < told; usleep(1000)) {
        sink->ops->poll(sink->self, listener);
        assert_true(test_now_ms() < until_ms);
    }
}

/* The cluster says that another has taken over the identity, while a transaction is open: its end is an abort, and by then a
 * new producer has taken over in turn. */
static void
test_a_producer_that_dies_in_a_transaction_is_replaced(void **state)
{
    (void)state;
    struct of_error err;
    struct of_sink sink;
    struct end end = { .told = 0 };
    const struct of_sink_listener listener = { .arg = &end, .settled = ignore_settled, .ended = note_end };
    struct of_kafka_options options;
    rd_kafka_t *host;
    rd_kafka_mock_cluster_t *cluster = open_transactional(&sink, &options, &host);
    rd_kafka_mock_push_request_errors(cluster, ADD_PARTITIONS_TO_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
    assert_int_equal(produce_until_refused(&sink, &listener), OF_ABORT);
    sink.ops->abort(sink.self);
    await_end(&sink, &listener, 1);
    assert_int_equal(end.status, OF_ABORT);
    const struct of_outgoing record = { OF_TO_RETRY, 0, of_slice_str("k"), of_slice_str("v"), NULL, 0, 0 };
    assert_int_equal(sink.ops->produce(sink.self, &record, 1, &err), OF_OK);
    sink.ops->commit(sink.self, NULL, 0, NULL);
    await_end(&sink, &listener, 2);
    assert_int_equal(end.status, OF_OK);
    sink.ops->close(sink.self);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
}

/* ---- threads ---- */

/* How many threads of that name have that niceness. */
static int
count_threads(const char *name, int niceness)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], comm[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        if (fgets(comm, sizeof comm, file) != NULL)
            comm[strcspn(comm, "\n")] = '\0';
        fclose(file);
        count += strcmp(comm, name) == 0 && getpriority(PRIO_PROCESS, (id_t)atoi(task->d_name)) == niceness;
    }
    closedir(tasks);
    return count;
}

/* The main thread, and the coordinator's, where librdkafka keeps the one busy (main_thread.h), from the first commit on; no other. */
static void
test_the_main_thread_of_a_producer_lets_others_go_first(void **state)
{
    (void)state;
    struct of_error err;
    struct of_sink sink;
    struct end end = { .told = 0 };
    const struct of_sink_listener listener = { .arg = &end, .settled = ignore_settled, .ended = note_end };
    const struct of_outgoing record = { OF_TO_RETRY, 0, of_slice_str("k"), of_slice_str("v"), NULL, 0, 0 };
    const int lower = getpriority(PRIO_PROCESS, 0) + 5, expected = rd_kafka_version() < 0x020500ff ? 1 : 0;
    struct of_kafka_options options;
    rd_kafka_t *host;
    rd_kafka_mock_cluster_t *cluster = open_transactional(&sink, &options, &host);
    for (uint32_t commits = 1; commits <= 2; commits++) {
        assert_int_equal(sink.ops->produce(sink.self, &record, 1, &err), OF_OK);
        sink.ops->commit(sink.self, NULL, 0, NULL);
        await_end(&sink, &listener, commits);
        assert_int_equal(end.status, OF_OK);
        assert_int_equal(count_threads("rdk:main", lower), expected);
        assert_int_equal(count_threads("rdk:broker-1", lower), expected);
    }
    for (int broker = 1; broker <= 3; broker++) {
        char name[32];
        snprintf(name, sizeof name, "rdk:broker%d", broker);
        assert_true(count_threads(name, lower - 5) > 0);
        assert_int_equal(count_threads(name, lower), 0);
    }
    sink.ops->close(sink.self);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
}

/* Where its threads are looked for its configuration is lost (main_thread.c), and not for LeakSanitizer to find. */
static void
test_a_producer_that_cannot_be_made_says_why(void **state)
{
    (void)state;
    struct of_error err;
    struct of_sink sink;
    struct of_kafka_options options = options_at("localhost:1");
    const struct of_kafka_property properties[] = { { "security.protocol", "ssl" },
                                                    { "ssl.ca.location", "/no/such/file" } };
    options.properties = properties;
    options.property_count = sizeof properties / sizeof *properties;
    assert_int_equal(of_sink_librdkafka_open(&options, &sink, &err), OF_FATAL);
    assert_non_null(strstr(err.text, "ssl.ca.location"));
    leaks_begin();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(of_sink_transactional_open(&options, 1000, &sink, &err), OF_FATAL);
        assert_non_null(strstr(err.text, "ssl.ca.location"));
    }
    leaks_end();
}

static int asked;

static bool
note_asked(void)
{
    asked++;
    return true;
}

/* Where no broker answers, a start is given up as soon as the process is to end. */
static void
test_a_start_hears_that_the_process_is_to_end(void **state)
{
    (void)state;
    struct of_error err;
    struct of_sink sink;
    struct of_kafka_options options = options_at("localhost:1");
    options.interrupted = note_asked;
    assert_int_equal(of_sink_transactional_open(&options, 1000, &sink, &err), OF_OK);
    assert_int_equal(sink.ops->start(sink.self, -1, &err), OF_RETRY);
    assert_int_equal(asked, 1);
    sink.ops->close(sink.self);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_arrive_as_they_are),
        cmocka_unit_test(test_a_full_queue_says_again),
        cmocka_unit_test(test_too_large_is_poison),
        cmocka_unit_test(test_a_broker_that_is_down_is_reported),
        cmocka_unit_test(test_records_wait_for_less_than_a_session),
        cmocka_unit_test(test_what_is_purged_is_not_written),
        cmocka_unit_test(test_a_producer_that_dies_in_a_transaction_is_replaced),
        cmocka_unit_test(test_the_main_thread_of_a_producer_lets_others_go_first),
        cmocka_unit_test(test_a_producer_that_cannot_be_made_says_why),
        cmocka_unit_test(test_a_start_hears_that_the_process_is_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
