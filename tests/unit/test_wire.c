/* The protocol's primitive types, and the messages that are made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kafka/direct/messages.h"

static struct of_slice
written(const struct of_wire_writer *writer)
{
    return of_slice_of(writer->data, writer->length);
}

static void
numbers_come_back(void **state)
{
    static const int64_t numbers[] = { 0, 1, -1, 63, 64, -64, -65, 127, 128, 300, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN };
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct of_wire_writer writer = { 0 };
        of_wire_write_varlong(&writer, numbers[i]);
        of_wire_write_i64(&writer, numbers[i]);
        of_wire_write_i32(&writer, (int32_t)numbers[i]);
        of_wire_write_i16(&writer, (int16_t)numbers[i]);
        struct of_wire_reader reader = of_wire_read(written(&writer));
        assert_int_equal(of_wire_varlong(&reader), numbers[i]);
        assert_int_equal(of_wire_i64(&reader), numbers[i]);
        assert_int_equal(of_wire_i32(&reader), (int32_t)numbers[i]);
        assert_int_equal(of_wire_i16(&reader), (int16_t)numbers[i]);
        assert_false(reader.bad);
        assert_int_equal(of_wire_left(&reader), 0);
        of_wire_writer_fini(&writer);
    }
}

/* From the protocol's own examples: zigzag, seven bits a byte, the lowest first. */
static void
varints_are_those_of_the_protocol(void **state)
{
    static const struct { const char *bytes; size_t length; int64_t number; } rows[] = {
        { "\x00", 1, 0 }, { "\x01", 1, -1 }, { "\x02", 1, 1 }, { "\x7f", 1, -64 }, { "\x80\x01", 2, 64 },
        { "\xac\x02", 2, 150 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct of_wire_reader reader = of_wire_read(of_slice_of(rows[i].bytes, rows[i].length));
        assert_int_equal(of_wire_varint(&reader), rows[i].number);
        assert_false(reader.bad);
    }
}

static void
what_cannot_be_is_bad(void **state)
{
    static const char *const varints[] = { "", "\x80", "\xff\xff\xff\xff\x1f", "\xff\xff\xff\xff\xff\x01" };
    (void)state;
    for (size_t i = 0; i < sizeof varints / sizeof *varints; i++) {
        struct of_wire_reader reader = of_wire_read(of_slice_str(varints[i]));
        of_wire_varint(&reader);
        assert_true(reader.bad);
        assert_int_equal(of_wire_i64(&reader), 0); /* and stays so */
    }
    struct of_wire_reader reader = of_wire_read(of_slice_of("\0\0\0", 3));
    assert_int_equal(of_wire_i32(&reader), 0);
    assert_true(reader.bad);
}

/* ---- messages ---- */

static const struct of_fetched_partition partition = {
    .partition_index = 3, .error_code = 6, .high_watermark = 70, .last_stable_offset = 60, .log_start_offset = 5,
    .diverging_epoch = { 4, 50 }, .current_leader = { 2, 9 }, .preferred_read_replica = -1,
    .records = { (const uint8_t *)"batch", 5 },
};

static struct of_fetch_answer
fetch_answer(struct of_fetched_topic *topic, struct of_fetched_partition *partitions)
{
    partitions[0] = partitions[1] = partition;
    partitions[1].partition_index = 4;
    *topic = (struct of_fetched_topic) { of_slice_str("orders"), { .items = partitions, .count = 2 } };
    return (struct of_fetch_answer) { .throttle_time_ms = 7, .session_id = 1, .responses = { topic, 1, false } };
}

static void
write_answer(struct of_wire_writer *writer, int16_t version, int32_t correlation, const void *answer)
{
    const struct of_message *fetch = of_message_find(OF_API_FETCH);
    of_wire_write_i32(writer, correlation);
    if (version >= fetch->flexible)
        of_wire_write_uvarint(writer, 0);
    of_message_write(writer, fetch->answer, version, version >= fetch->flexible, answer);
}

static void
every_version_of_an_answer_comes_back(void **state)
{
    (void)state;
    const struct of_message *fetch = of_message_find(OF_API_FETCH);
    for (int16_t version = fetch->lowest; version <= fetch->highest; version++) {
        struct of_error err;
        struct of_fetched_topic topic;
        struct of_fetched_partition partitions[2];
        struct of_fetch_answer sent = fetch_answer(&topic, partitions), got;
        struct of_wire_writer writer = { 0 };
        struct of_arena arena = { .limit = 1 << 20 };
        write_answer(&writer, version, 11, &sent);
        assert_int_equal(of_message_read_answer(fetch, version, 11, written(&writer), &got, &arena, &err), OF_OK);
        assert_int_equal(got.throttle_time_ms, 7);
        const struct of_fetched_topic *got_topic = got.responses.items;
        assert_true(of_slice_equal(got_topic->topic, topic.topic));
        assert_int_equal(got_topic->partitions.count, 2);
        const struct of_fetched_partition *second = (const struct of_fetched_partition *)got_topic->partitions.items + 1;
        assert_int_equal(second->partition_index, 4);
        assert_int_equal(second->last_stable_offset, 60);
        assert_int_equal(second->log_start_offset, version >= 5 ? 5 : -1);
        assert_int_equal(second->diverging_epoch.end_offset, version >= 12 ? 50 : -1);
        assert_int_equal(second->current_leader.leader_epoch, version >= 12 ? 9 : -1);
        assert_true(of_slice_equal(second->records, partition.records));
        of_arena_empty(&arena);
        of_wire_writer_fini(&writer);
    }
}

/* Cut at every byte, with every byte more but for tags once again, which are one zero, and with the wrong number. */
static void
an_answer_that_is_not_whole_is_refused(void **state)
{
    (void)state;
    const struct of_message *fetch = of_message_find(OF_API_FETCH);
    for (int16_t version = 11; version <= 12; version++) {
        struct of_error err;
        struct of_fetched_topic topic;
        struct of_fetched_partition partitions[2];
        struct of_fetch_answer sent = fetch_answer(&topic, partitions), got;
        struct of_wire_writer writer = { 0 };
        struct of_arena arena = { .limit = 1 << 20 };
        write_answer(&writer, version, 11, &sent);
        for (size_t length = 0; length < writer.length; length++) {
            uint8_t *cut = malloc(length + 1);
            memcpy(cut, writer.data, length);
            assert_int_equal(of_message_read_answer(fetch, version, 11, of_slice_of(cut, length), &got, &arena, &err),
                             OF_POISON);
            free(cut);
        }
        assert_int_equal(of_message_read_answer(fetch, version, 12, written(&writer), &got, &arena, &err), OF_POISON);
        of_wire_write_i8(&writer, 0);
        assert_int_equal(of_message_read_answer(fetch, version, 11, written(&writer), &got, &arena, &err),
                         version >= 12 ? OF_OK : OF_POISON);
        for (int more = 1; more <= UINT8_MAX; more++) {
            writer.data[writer.length - 1] = (uint8_t)more;
            assert_int_equal(of_message_read_answer(fetch, version, 11, written(&writer), &got, &arena, &err), OF_POISON);
        }
        of_arena_empty(&arena);
        of_wire_writer_fini(&writer);
    }
}

/* Counts that promise more than there is, or more than we are willing to hold. */
static void
a_count_that_lies_costs_nothing(void **state)
{
    (void)state;
    const struct of_message *fetch = of_message_find(OF_API_FETCH);
    struct of_error err;
    struct of_fetch_answer got;
    struct of_arena arena = { .limit = 1000 };
    struct of_wire_writer writer = { 0 };
    of_wire_write_i32(&writer, 1);
    of_wire_write_i32(&writer, 0);
    of_wire_write_i32(&writer, INT32_MAX);
    assert_int_equal(of_message_read_answer(fetch, 4, 1, written(&writer), &got, &arena, &err), OF_POISON);
    assert_int_equal(arena.used, 0);
    of_big_endian_put_u32(writer.data + 8, 500);
    of_wire_extend(&writer, 1000);
    assert_int_equal(of_message_read_answer(fetch, 4, 1, written(&writer), &got, &arena, &err), OF_POISON);
    assert_int_equal(arena.used, 0);
    of_wire_writer_fini(&writer);
}

/* Byte by byte, as the protocol guide has it. */
static void
a_request_is_as_the_protocol_has_it(void **state)
{
    (void)state;
    struct of_wire_writer writer = { 0 };
    struct of_topic_name name = { .name = of_slice_str("t") };
    const struct of_metadata_request request = { .topics = { &name, 1, false } };
    of_message_write_request(&writer, of_message_find(OF_API_METADATA), 4, 5, "me", &request);
    static const char old[] = "\0\0\0\x14" "\0\3" "\0\4" "\0\0\0\5" "\0\2me" "\0\0\0\1" "\0\1t" "\0";
    assert_int_equal(writer.length, sizeof old - 1);
    assert_memory_equal(writer.data, old, sizeof old - 1);
    writer.length = 0;
    of_message_write_request(&writer, of_message_find(OF_API_METADATA), 9, 5, "me", &request);
    static const char flexible[] = "\0\0\0\x15" "\0\3" "\0\x9" "\0\0\0\5" "\0\2me" "\0" "\2" "\2t" "\0" "\0\0\0" "\0";
    assert_int_equal(writer.length, sizeof flexible - 1);
    assert_memory_equal(writer.data, flexible, sizeof flexible - 1);
    writer.length = 0;
    of_message_write_request(&writer, of_message_find(OF_API_METADATA), 10, 5, "me", &request);
    static const char with_ids[] = "\0\0\0\x25" "\0\3" "\0\xa" "\0\0\0\5" "\0\2me" "\0" "\2"
                                   "\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0" "\2t" "\0" "\0\0\0" "\0";
    assert_int_equal(writer.length, sizeof with_ids - 1);
    assert_memory_equal(writer.data, with_ids, sizeof with_ids - 1);
    of_wire_writer_fini(&writer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(varints_are_those_of_the_protocol),
        cmocka_unit_test(what_cannot_be_is_bad),
        cmocka_unit_test(every_version_of_an_answer_comes_back),
        cmocka_unit_test(an_answer_that_is_not_whole_is_refused),
        cmocka_unit_test(a_count_that_lies_costs_nothing),
        cmocka_unit_test(a_request_is_as_the_protocol_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
