/* The librdkafka source against the contract of core/source.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "kafka/source_librdkafka.h"
#include "order/cause.h"

/* Reads orders until every partition has reached upto[partition], and checks that records come in order, once each and
 * without a gap, from seen[partition] on. */
struct progress {
    int64_t seen[FIXTURE_PARTITIONS]; /* next number expected: number and offset are the same in these tests */
    uint64_t records;
};

static void
check_chunk(struct reader *reader, struct progress *progress)
{
    struct of_chunk *chunk = &reader->chunk;
    int32_t partition = chunk->slot->partition;
    assert_int_equal(chunk->first_offset, progress->seen[partition]);
    for (uint32_t i = 0; i < chunk->count; i++) {
        struct of_record record;
        chunk->ops->record(chunk, i, &record);
        assert_int_equal(record.offset, progress->seen[partition]);
        assert_int_equal(record_number(&record), record.offset);
        assert_true(of_slice_equal(record.key, of_slice_str("k")));
        assert_true(chunk->ops->timestamp_ms(&record) > 0);
        progress->seen[partition]++;
        progress->records++;
    }
    assert_int_equal(chunk->next_offset, progress->seen[partition]);
}

static void
read_until(struct reader *reader, struct progress *progress, uint64_t records, int timeout_ms)
{
    bool never = false;
    int64_t until_ms = test_now_ms() + timeout_ms;
    while (progress->records < records) {
        if (test_now_ms() >= until_ms)
            fail_msg("%d of %d records", (int)progress->records, (int)records);
        if (!reader->source.ops->read(reader->source.self, &reader->chunk)) {
            reader_wait(reader, &never, 10);
            continue;
        }
        check_chunk(reader, progress);
        reader->source.ops->release(reader->source.self, &reader->chunk);
    }
}

/* Nothing more comes. */
static void
read_nothing(struct reader *reader, int for_ms)
{
    bool never = false;
    for (int64_t until_ms = test_now_ms() + for_ms; test_now_ms() < until_ms; reader_wait(reader, &never, 10))
        assert_false(reader->source.ops->read(reader->source.self, &reader->chunk));
}

static void
test_every_record_once_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    struct progress progress = { .records = 0 };
    fixture_open(&fixture);
    for (int32_t p = 0; p < FIXTURE_PARTITIONS; p++)
        fixture_produce_orders(&fixture, p, 0, 5000);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    assert_int_equal(reader.slot_count, 2 * FIXTURE_PARTITIONS);
    read_until(&reader, &progress, 5000 * FIXTURE_PARTITIONS, 10000);
    for (int32_t p = 0; p < FIXTURE_PARTITIONS; p++)
        fixture_produce_orders(&fixture, p, 5000, 10);
    read_until(&reader, &progress, 5010 * FIXTURE_PARTITIONS, 10000);
    read_nothing(&reader, 100);
    reader_close(&reader);
    fixture_close(&fixture);
}

/* Writers choose timestamps as they like. One from before 1970 is as good as none. */
static void
test_a_negative_timestamp_is_unknown(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    fixture_open(&fixture);
    fixture_produce_order_at(&fixture, 0, -1234567);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    bool never = false;
    for (int i = 0; i < 1000 && !reader.source.ops->read(reader.source.self, &reader.chunk); i++)
        reader_wait(&reader, &never, 10);
    assert_int_equal(reader.chunk.count, 1);
    struct of_record record;
    reader.chunk.ops->record(&reader.chunk, 0, &record);
    assert_int_equal(reader.chunk.ops->timestamp_ms(&record), -1);
    reader.source.ops->release(reader.source.self, &reader.chunk);
    reader_close(&reader);
    fixture_close(&fixture);
}

static void
test_a_restart_goes_on_at_the_committed_offset(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    struct progress progress = { .records = 0 };
    fixture_open(&fixture);
    fixture_produce_orders(&fixture, 1, 0, 100);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    read_until(&reader, &progress, 100, 10000);
    struct of_slot *slot = reader_slot(&reader, OF_ROLE_ORDERS, 1);
    assert_false(reader.committed[slot->index]);
    assert_int_equal(reader_commit(&reader, slot, 60), OF_OK);
    reader_close(&reader);

    progress = (struct progress) { .seen = { 0, 60, 0, 0 } };
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    assert_true(reader.committed[reader_slot(&reader, OF_ROLE_ORDERS, 1)->index]);
    assert_false(reader.committed[reader_slot(&reader, OF_ROLE_ORDERS, 2)->index]);
    read_until(&reader, &progress, 40, 10000);
    reader_close(&reader);
    fixture_close(&fixture);
}

/* Holds partition 1 again and again while all are read, and resumes it at the offset where it was cut. */
static void
test_hold_and_resume_lose_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    struct progress progress = { .records = 0 };
    struct of_error err;
    enum { RECORDS = 20000 };
    fixture_open(&fixture);
    for (int32_t p = 0; p < FIXTURE_PARTITIONS; p++)
        fixture_produce_orders(&fixture, p, 0, RECORDS);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    struct of_slot *slot = reader_slot(&reader, OF_ROLE_ORDERS, 1);
    int holds = 0;
    bool never = false;
    int64_t until_ms = test_now_ms() + 30000;
    while (progress.records < RECORDS * FIXTURE_PARTITIONS) {
        assert_true(test_now_ms() < until_ms);
        if (!reader.source.ops->read(reader.source.self, &reader.chunk)) {
            reader_wait(&reader, &never, 5);
            continue;
        }
        check_chunk(&reader, &progress);
        bool cut = reader.chunk.slot == slot && reader.chunk.count > 1;
        reader.source.ops->release(reader.source.self, &reader.chunk);
        if (!cut)
            continue;
        /* Half of it is to be read again; meanwhile only others come. */
        uint32_t again = (uint32_t)(progress.seen[1] - reader.chunk.first_offset) / 2;
        reader.source.ops->hold(reader.source.self, slot);
        for (int i = 0; i < 3; i++) {
            if (reader.source.ops->read(reader.source.self, &reader.chunk)) {
                assert_ptr_not_equal(reader.chunk.slot, slot);
                check_chunk(&reader, &progress);
                reader.source.ops->release(reader.source.self, &reader.chunk);
            }
        }
        progress.seen[1] -= again;
        progress.records -= again;
        assert_int_equal(reader.source.ops->resume(reader.source.self, slot, progress.seen[1], &err), OF_OK);
        holds++;
    }
    assert_true(holds > 10);
    read_nothing(&reader, 100);
    reader_close(&reader);
    fixture_close(&fixture);
}

static void
test_a_held_partition_stays_silent(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    struct progress progress = { .records = 0 };
    struct of_error err;
    fixture_open(&fixture);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    struct of_slot *slot = reader_slot(&reader, OF_ROLE_ORDERS, 2);
    reader.source.ops->hold(reader.source.self, slot);
    fixture_produce_orders(&fixture, 2, 0, 10);
    fixture_produce_orders(&fixture, 3, 0, 10);
    read_until(&reader, &progress, 10, 5000);
    read_nothing(&reader, 200);
    assert_int_equal(progress.seen[3], 10);
    assert_int_equal(reader.source.ops->resume(reader.source.self, slot, 0, &err), OF_OK);
    read_until(&reader, &progress, 20, 5000);
    reader_close(&reader);
    fixture_close(&fixture);
}

/* Brokers keep a text with each offset: in it the epoch of the leader comes back. */
static void
test_the_leader_epoch_is_committed_with_the_offset(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    bool never = false;
    fixture_open(&fixture);
    fixture_produce_orders(&fixture, 0, 0, 10);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    const struct of_offset offsets[] = {
        { reader_slot(&reader, OF_ROLE_ORDERS, 0), 5, 1234567890 },
        { reader_slot(&reader, OF_ROLE_ORDERS, 1), 0, 0 },
        { reader_slot(&reader, OF_ROLE_ORDERS, 2), 0, -1 },
    };
    reader.source.ops->commit(reader.source.self, offsets, 3);
    for (int i = 0; i < 100 && reader.commits == 0; i++)
        reader_wait(&reader, &never, 100);
    assert_int_equal(reader.commit_status, OF_OK);
    reader_close(&reader);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    static const int32_t epochs[] = { 1234567890, 0, -1, -1 }; /* nothing is committed of the last */
    for (int32_t p = 0; p < 4; p++)
        assert_int_equal(reader_slot(&reader, OF_ROLE_ORDERS, p)->start_epoch, epochs[p]);
    reader_close(&reader);
    fixture_close(&fixture);
}

/* A reader with all partitions, whose orders partition 0 is broken, as the topic holds ten and 5000 is committed. */
static void
open_out_of_range(struct fixture *fixture, struct reader *reader)
{
    bool never = false;
    fixture_open(fixture);
    fixture_produce_orders(fixture, 0, 0, 10);
    reader_open(reader, &fixture->options);
    assert_true(reader_wait(reader, &reader->assigned, 10000));
    assert_int_equal(reader_commit(reader, reader_slot(reader, OF_ROLE_ORDERS, 0), 5000), OF_OK);
    reader_close(reader);

    reader_open(reader, &fixture->options);
    assert_true(reader_wait(reader, &reader->assigned, 10000));
    for (int i = 0; i < 500 && reader->broken_count == 0; i++) {
        assert_false(reader->source.ops->read(reader->source.self, &reader->chunk));
        reader_wait(reader, &never, 10);
    }
    assert_int_equal(reader->broken_count, 1);
}

/* A committed offset that the topic does not hold breaks the partition, and is told as such once what it holds was looked
 * up; the others go on; it can be resumed at an offset that exists. */
static void
test_an_offset_out_of_range_breaks_the_partition(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    struct progress progress = { .records = 0 };
    struct of_error err;
    bool never = false;
    open_out_of_range(&fixture, &reader);
    struct of_slot *slot = reader_slot(&reader, OF_ROLE_ORDERS, 0);
    assert_ptr_equal(reader.broken.slot, slot);
    assert_int_equal(reader.broken.cause, OF_CAUSE_FETCH_FAILED);
    assert_int_equal(reader.broken.offset, 5000);
    assert_int_equal(reader.source.ops->resume(reader.source.self, slot, 5000, &err), OF_RETRY);
    reader_wait(&reader, &never, 10);
    assert_int_equal(reader.broken_count, 2);
    assert_int_equal(reader.broken.cause, OF_CAUSE_OFFSET_OUT_OF_RANGE);
    assert_int_equal(reader.broken.offset, 5000);
    assert_non_null(strstr(reader.broken.error.text, "ends at offset 10 and does not hold offset 5000"));
    assert_non_null(strstr(reader.broken.error.text, "orderflow reset"));

    fixture_produce_orders(&fixture, 1, 0, 10);
    read_until(&reader, &progress, 10, 5000);
    assert_int_equal(reader.source.ops->resume(reader.source.self, slot, 5000, &err), OF_RETRY);
    assert_int_equal(reader.source.ops->resume(reader.source.self, slot, 0, &err), OF_OK);
    fixture_produce_orders(&fixture, 1, 10, 10);
    read_until(&reader, &progress, 30, 5000);
    read_nothing(&reader, 100);
    reader_close(&reader);
    fixture_close(&fixture);
}

static void
test_retry_records_come_one_by_one(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    struct of_record record;
    struct of_error err;
    bool never = false;
    const struct of_header headers[] = {
        { "first", of_slice_str("1") }, { "nothing", { NULL, 0 } }, { "first", of_slice_str("2") },
    };
    fixture_open(&fixture);
    fixture_produce(&fixture, OF_TO_RETRY, 1, 0, 50, headers, 3);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    struct of_slot *slot = reader_slot(&reader, OF_ROLE_RETRY, 1);
    void *self = reader.source.self;
    const struct of_source_ops *ops = reader.source.ops;
    struct of_chunk *chunk = &reader.chunk;

    chunk->count = 0;
    for (int i = 0; i < 50; i++) {
        for (int turn = 0; turn < 500 && !ops->peek(self, slot, &record); turn++)
            reader_wait(&reader, &never, 10);
        assert_true(ops->peek(self, slot, &record)); /* looking again shows the same */
        assert_int_equal(record_number(&record), i);
        struct of_slice value;
        assert_true(of_record_header(ops->chunk_ops, &record, of_slice_str("first"), &value));
        assert_true(of_slice_equal(value, of_slice_str("2")));
        assert_true(of_record_header(ops->chunk_ops, &record, of_slice_str("nothing"), &value));
        assert_null(value.data);
        assert_false(of_record_header(ops->chunk_ops, &record, of_slice_str("other"), &value));
        if (i == 20) { /* what was peeked is forgotten by a hold */
            ops->hold(self, slot);
            assert_false(ops->peek(self, slot, &record));
            assert_int_equal(ops->resume(self, slot, 20, &err), OF_OK);
            i--;
            slot = reader_slot(&reader, OF_ROLE_RETRY, 1);
            for (int turn = 0; turn < 500 && !ops->peek(self, slot, &record); turn++)
                reader_wait(&reader, &never, 10);
            ops->take(self, slot, &record, chunk);
            i++;
            continue;
        }
        ops->take(self, slot, &record, chunk);
        assert_int_equal(chunk->count, i + 1);
        assert_int_equal(chunk->next_offset, i + 1);
    }
    assert_int_equal(chunk->first_offset, 0);
    for (int turn = 0; turn < 500 && (ops->peek(self, slot, &record) || ops->end(self, slot) < 0); turn++)
        reader_wait(&reader, &never, 10);
    assert_int_equal(ops->end(self, slot), 50);
    ops->release(self, chunk);
    fixture_produce(&fixture, OF_TO_RETRY, 1, 50, 1, NULL, 0);
    for (int turn = 0; turn < 500 && !ops->peek(self, slot, &record); turn++)
        reader_wait(&reader, &never, 10);
    assert_int_equal(record_number(&record), 50);
    assert_int_equal(ops->end(self, slot), -1);
    reader_close(&reader);
    fixture_close(&fixture);
}

/* Until each has half. A member that joins late takes part in the next rebalance only. */
static void
share(struct reader *first, struct reader *second)
{
    bool never = false;
    struct reader *const both[] = { first, second };
    for (int64_t until_ms = test_now_ms() + 20000; test_now_ms() < until_ms;) {
        if (first->assigned && second->assigned && first->slot_count + second->slot_count == 2 * FIXTURE_PARTITIONS)
            return;
        for (int i = 0; i < 2; i++) {
            reader_wait(both[i], &never, 10);
            if (!both[i]->revoking)
                continue;
            both[i]->source.ops->unassign(both[i]->source.self);
            both[i]->assigned = both[i]->revoking = false;
        }
    }
    fail_msg("one has %u partitions, the other %u", first->slot_count, second->slot_count);
}

/* A second member takes half; what the first commits while it gives up is where the second begins. */
static void
test_a_second_member_takes_half(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader first, second;
    struct progress progress = { .records = 0 };
    fixture_open(&fixture);
    for (int32_t p = 0; p < FIXTURE_PARTITIONS; p++)
        fixture_produce_orders(&fixture, p, 0, 100);
    reader_open(&first, &fixture.options);
    assert_true(reader_wait(&first, &first.assigned, 10000));
    read_until(&first, &progress, 100 * FIXTURE_PARTITIONS, 10000);
    for (int32_t p = 0; p < FIXTURE_PARTITIONS; p++)
        assert_int_equal(reader_commit(&first, reader_slot(&first, OF_ROLE_ORDERS, p), 100), OF_OK);
    reader_open(&second, &fixture.options);
    assert_true(reader_wait(&first, &first.revoking, 10000));
    assert_false(first.lost);
    bool never = false;
    share(&first, &second);
    assert_int_equal(first.slot_count, FIXTURE_PARTITIONS);
    assert_int_equal(second.slot_count, FIXTURE_PARTITIONS);
    reader_slot(&first, OF_ROLE_RETRY, reader_slot(&first, OF_ROLE_ORDERS, first.slots[0].partition)->partition);
    for (uint32_t i = 0; i < second.slot_count; i++)
        assert_int_equal(second.committed[i], second.slots[i].role == OF_ROLE_ORDERS);
    for (int32_t p = 0; p < FIXTURE_PARTITIONS; p++)
        fixture_produce_orders(&fixture, p, 100, 10);
    struct progress one = progress, two = progress;
    read_until(&first, &one, progress.records + 20, 5000);
    read_until(&second, &two, progress.records + 20, 5000);
    reader_wait(&first, &never, 10);
    reader_close(&second);
    reader_close(&first);
    fixture_close(&fixture);
}

/* To take a partition up again whose offset was out of range does not answer a revoke that nobody has heard of yet: its partitions
 * would be another's while they are still being drained. */
static void
test_a_partition_taken_up_again_answers_no_revoke(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader first, second;
    struct of_error err;
    open_out_of_range(&fixture, &first);
    reader_open(&second, &fixture.options);
    assert_false(reader_wait(&second, &second.assigned, 1500)); /* several heartbeats: the first is told to revoke */
    assert_int_equal(first.source.ops->resume(first.source.self, reader_slot(&first, OF_ROLE_ORDERS, 0), 0, &err), OF_OK);
    assert_false(reader_wait(&second, &second.assigned, 1500));
    assert_true(reader_wait(&first, &first.revoking, 5000));
    share(&first, &second);
    reader_close(&second);
    reader_close(&first);
    fixture_close(&fixture);
}

static void
test_latest_begins_at_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    fixture_open(&fixture);
    fixture_produce_orders(&fixture, 0, 0, 10);
    fixture.options.from = OF_KAFKA_FROM_LATEST;
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    struct progress progress = { .seen = { 10, 0, 0, 0 } };
    fixture_produce_orders(&fixture, 0, 10, 5);
    read_until(&reader, &progress, 5, 5000);
    assert_int_equal(reader_commit(&reader, reader_slot(&reader, OF_ROLE_ORDERS, 0), 15), OF_OK);
    reader_close(&reader);

    /* The group has begun: what it has not committed counts as added later, and is read from its beginning. */
    fixture_produce_orders(&fixture, 1, 0, 7);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    progress = (struct progress) { .seen = { 15, 0, 0, 0 } };
    read_until(&reader, &progress, 7, 5000);
    reader_close(&reader);
    fixture_close(&fixture);
}

static bool
is_committed(struct reader *reader, enum of_role role, int32_t partition)
{
    return reader->committed[reader_slot(reader, role, partition) - reader->slots];
}

/* Of a group that begins at the end one lane is faster than another: it has counted an order, and written its retry where the
 * other will read, before that one asks where to begin. */
static void
test_a_group_begins_at_one_moment(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    struct of_record record;
    bool seen = false, never = false;
    fixture_open(&fixture);
    fixture_produce_orders(&fixture, 0, 0, 10);
    fixture_produce_orders(&fixture, 1, 0, 10);
    fixture.options.from = OF_KAFKA_FROM_LATEST;
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    fixture_produce_orders(&fixture, 0, 10, 1);
    assert_int_equal(reader_commit(&reader, reader_slot(&reader, OF_ROLE_ORDERS, 0), 11), OF_OK);
    reader_close(&reader);
    fixture_produce(&fixture, OF_TO_RETRY, 0, 10, 1, NULL, 0);
    fixture_produce_orders(&fixture, 1, 10, 5);

    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    assert_true(is_committed(&reader, OF_ROLE_ORDERS, 0));
    assert_false(is_committed(&reader, OF_ROLE_ORDERS, 1)); /* a note is no offset */
    struct of_slot *slot = reader_slot(&reader, OF_ROLE_RETRY, 0);
    for (int turn = 0; turn < 1000 && !seen; turn++) {
        seen = reader.source.ops->peek(reader.source.self, slot, &record);
        reader_wait(&reader, &never, 10);
    }
    assert_true(seen);
    struct progress progress = { .seen = { 11, 10, 0, 0 } };
    read_until(&reader, &progress, 5, 10000);
    reader_close(&reader);
    fixture_close(&fixture);
}

/* The first commit came to nothing: what was read by then is read again. A group that has committed elsewhere, without a note
 * here, had this partition added. */
static void
test_where_a_group_began_stays(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    struct of_error err;
    fixture_open(&fixture);
    fixture_produce_orders(&fixture, 0, 0, 10);
    fixture.options.from = OF_KAFKA_FROM_LATEST;
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    fixture_produce_orders(&fixture, 0, 10, 5);
    struct of_partition again = { .topic = "orders", .partition = 0, .start = 10 };
    assert_int_equal(reader.source.ops->positions(reader.source.self, &again, 1, &err), OF_OK);
    assert_int_equal(again.start, 10);
    assert_false(again.committed);
    again.start = 8; /* this one looked before the member whose note stands */
    assert_int_equal(reader.source.ops->positions(reader.source.self, &again, 1, &err), OF_OK);
    assert_int_equal(again.start, 8);
    reader_close(&reader);

    fixture.options.group = "another";
    fixture.options.from = OF_KAFKA_FROM_EARLIEST;
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    assert_int_equal(reader_commit(&reader, reader_slot(&reader, OF_ROLE_ORDERS, 1), 0), OF_OK);
    reader_close(&reader);
    fixture.options.from = OF_KAFKA_FROM_LATEST;
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    struct progress progress = { .records = 0 };
    read_until(&reader, &progress, 15, 10000);
    reader_close(&reader);
    fixture_close(&fixture);
}

static void
test_wrong_properties_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        struct of_kafka_property property;
        const char *text;
    } cases[] = {
        { { "enable.auto.commit", "true" }, "--commit-interval-ms" },
        { { "no.such.property", "1" }, "no.such.property" },
        { { "session.timeout.ms", "soon" }, "session.timeout.ms = soon" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct of_kafka_options options = { .brokers = "localhost:1", .group = "g", .orders_topic = "o",
                                            .properties = &cases[i].property, .property_count = 1 };
        struct of_source source;
        struct of_error err;
        assert_int_equal(of_source_librdkafka_open(&options, &source, &err), OF_FATAL);
        assert_non_null(strstr(err.text, cases[i].text));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_record_once_in_order),
        cmocka_unit_test(test_a_negative_timestamp_is_unknown),
        cmocka_unit_test(test_a_restart_goes_on_at_the_committed_offset),
        cmocka_unit_test(test_hold_and_resume_lose_nothing),
        cmocka_unit_test(test_a_held_partition_stays_silent),
        cmocka_unit_test(test_the_leader_epoch_is_committed_with_the_offset),
        cmocka_unit_test(test_an_offset_out_of_range_breaks_the_partition),
        cmocka_unit_test(test_retry_records_come_one_by_one),
        cmocka_unit_test(test_a_second_member_takes_half),
        cmocka_unit_test(test_a_partition_taken_up_again_answers_no_revoke),
        cmocka_unit_test(test_latest_begins_at_the_end),
        cmocka_unit_test(test_a_group_begins_at_one_moment),
        cmocka_unit_test(test_where_a_group_began_stays),
        cmocka_unit_test(test_wrong_properties_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
