/* Record batches and what walks them: every codec, every way of being broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/memory.h"
#include "kafka/direct/codec.h"
#include "kafka/direct/crc32c.h"
#include "kafka/direct/stretch.h"
#include "support/batches.h"

static struct of_slice
written(const struct of_wire_writer *writer)
{
    return of_slice_of(writer->data, writer->length);
}

/* All whole batches of the bytes. */
static struct of_stretch *
stretch_of(struct of_slice bytes, int64_t first_offset)
{
    struct of_stretch *stretch = of_alloc(sizeof *stretch);
    struct of_record_batch batch;
    stretch->first_offset = first_offset;
    stretch->shown_offset = -1;
    while (bytes.length > 0 && of_record_batch_look(bytes, &batch) == OF_BATCH_WHOLE) {
        of_stretch_add(stretch, &batch);
        bytes = of_slice_of(bytes.data + batch.bytes.length, bytes.length - batch.bytes.length);
    }
    return stretch;
}

static void
free_stretch(struct of_stretch *stretch)
{
    of_stretch_empty(stretch);
    free(stretch);
}

static void
expect_number(const struct of_record *record, int64_t offset, int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    assert_int_equal(record->offset, offset);
    assert_true(of_slice_equal(record->value, of_slice_str(text)));
    assert_true(of_slice_equal(record->key, of_slice_str("k")));
}

/* ---- checksums ---- */

static void
checksums_are_castagnoli(void **state)
{
    (void)state;
    uint8_t bytes[10000] = { 0 };
    assert_int_equal(of_crc32c(of_slice_str("123456789")), 0xe3069283);
    assert_int_equal(of_crc32c(of_slice_of(bytes, 32)), 0x8a9136aa); /* RFC 3720, B.4 */
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i >> 3);
    for (size_t length = 0; length <= sizeof bytes; length += length < 64 ? 1 : 61)
        assert_int_equal(of_crc32c(of_slice_of(bytes, length)), of_crc32c_plain(of_slice_of(bytes, length)));
}

/* ---- codecs ---- */

static void
every_codec_unpacks(void **state)
{
    (void)state;
    static uint8_t bytes[300000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i / 7 * 31 ^ i >> 5);
    for (int codec = OF_CODEC_GZIP; codec < OF_CODECS; codec++)
        for (int xerial = 0; xerial <= (codec == OF_CODEC_SNAPPY); xerial++)
            for (size_t length = 1; length <= sizeof bytes; length *= 17) {
                struct of_wire_writer packed = { 0 };
                struct of_error err;
                uint8_t *out;
                size_t got;
                test_pack(&packed, codec, xerial, of_slice_of(bytes, length));
                assert_int_equal(of_codec_unpack(codec, written(&packed), length, &out, &got, &err), OF_OK);
                assert_int_equal(got, length);
                assert_memory_equal(out, bytes, length);
                free(out);
                /* one byte less than it needs */
                assert_int_equal(of_codec_unpack(codec, written(&packed), length - 1, &out, &got, &err), OF_POISON);
                assert_null(out);
                /* cut */
                packed.length -= 1 + packed.length / 3;
                assert_int_equal(of_codec_unpack(codec, written(&packed), length, &out, &got, &err), OF_POISON);
                of_wire_writer_fini(&packed);
            }
    struct of_error err;
    uint8_t *out;
    size_t got;
    assert_int_equal(of_codec_unpack(7, of_slice_str("x"), 10, &out, &got, &err), OF_POISON);
    assert_string_equal(err.text, "it is packed by codec 7, which is not known");
}

/* ---- walking ---- */

static void
records_come_in_order_and_are_found_again(void **state)
{
    (void)state;
    for (int codec = OF_CODEC_NONE; codec < OF_CODECS; codec++) {
        struct of_wire_writer bytes = { 0 };
        struct of_error err;
        struct of_record record;
        uint32_t places[300], cursor = 0, count = 0;
        test_batch_numbers(&bytes, codec, 100, 100, 200);
        test_batch_numbers(&bytes, codec, 400, 400, 1); /* compaction leaves gaps */
        test_batch_numbers(&bytes, codec, 500, 500, 99);
        struct of_stretch *stretch = stretch_of(written(&bytes), 150);
        assert_int_equal(stretch->next_offset, 599);
        while (of_stretch_next(stretch, &cursor, &record, &err) == OF_CHUNK_RECORD) {
            int64_t offset = count < 150 ? 150 + count : count == 150 ? 400 : 500 + count - 151;
            expect_number(&record, offset, (int)offset);
            struct of_record again;
            assert_int_equal(of_stretch_next(stretch, &cursor, &again, &err), OF_CHUNK_RECORD);
            assert_int_equal(again.at, record.at);
            places[count++] = record.at;
            cursor = record.behind;
        }
        assert_int_equal(count, 250);
        assert_int_equal(of_stretch_next(stretch, &cursor, &record, &err), OF_CHUNK_END);
        of_stretch_record(stretch, places[150], &record);
        expect_number(&record, 400, 400);
        of_stretch_record(stretch, places[249], &record);
        expect_number(&record, 598, 598);
        assert_int_equal(of_stretch_timestamp_ms(&record), 1098);
        free_stretch(stretch);
        of_wire_writer_fini(&bytes);
    }
}

/* Who looks ahead sets the cursor back. */
static void
a_cursor_may_be_set_back(void **state)
{
    (void)state;
    struct of_wire_writer bytes = { 0 };
    struct of_error err;
    struct of_record record;
    uint32_t cursor = 0, third = 0;
    test_batch_numbers(&bytes, OF_CODEC_LZ4, 0, 0, 5);
    test_batch_numbers(&bytes, OF_CODEC_NONE, 5, 5, 5);
    struct of_stretch *stretch = stretch_of(written(&bytes), 0);
    for (int round = 0; round < 2; round++) {
        int64_t offset = round == 0 ? 0 : 2;
        for (; of_stretch_next(stretch, &cursor, &record, &err) == OF_CHUNK_RECORD; cursor = record.behind) {
            expect_number(&record, offset, (int)offset);
            if (offset++ == 2)
                third = cursor;
        }
        assert_int_equal(offset, 10);
        cursor = third;
    }
    free_stretch(stretch);
    of_wire_writer_fini(&bytes);
}

static void
as_many_batches_as_a_cursor_can_count(void **state)
{
    (void)state;
    struct of_wire_writer bytes = { 0 };
    struct of_error err;
    struct of_record record;
    uint32_t cursor = 0, count = 0;
    for (int i = 0; i < OF_STRETCH_BATCHES; i++)
        test_batch_numbers(&bytes, OF_CODEC_NONE, i, i, 1);
    struct of_stretch *stretch = stretch_of(written(&bytes), 0);
    for (; of_stretch_next(stretch, &cursor, &record, &err) == OF_CHUNK_RECORD; cursor = record.behind)
        assert_int_equal(record.offset, count++);
    assert_int_equal(count, OF_STRETCH_BATCHES);
    free_stretch(stretch);
    of_wire_writer_fini(&bytes);
}

static void
nulls_headers_and_times(void **state)
{
    (void)state;
    static const struct test_header headers[] = {
        { "a", { (const uint8_t *)"1", 1 } }, { "", { NULL, 0 } }, { "a", { (const uint8_t *)"", 0 } },
    };
    const struct test_record records[] = {
        { .offset_delta = 0, .timestamp_delta_ms = -3, .headers = headers, .header_count = 3 },
        { .offset_delta = 5, .timestamp_delta_ms = 4, .key = of_slice_str(""), .value = of_slice_str("") },
    };
    for (int append_time = 0; append_time <= 1; append_time++) {
        struct of_wire_writer bytes = { 0 };
        struct of_error err;
        struct of_record record;
        struct of_slice name, value;
        uint32_t cursor = 0;
        test_batch_write(&bytes, &(struct test_batch) { .base_offset = 10, .last_delta = 9, .append_time = append_time,
                         .base_timestamp_ms = 1000, .max_timestamp_ms = 2000, .records = records, .count = 2 });
        struct of_stretch *stretch = stretch_of(written(&bytes), 0);
        assert_int_equal(stretch->next_offset, 20);
        assert_int_equal(of_stretch_next(stretch, &cursor, &record, &err), OF_CHUNK_RECORD);
        assert_null(record.key.data);
        assert_null(record.value.data);
        assert_int_equal(of_stretch_timestamp_ms(&record), append_time ? 2000 : 997);
        struct of_header_walk walk = { 0 };
        for (uint32_t i = 0; i < 3; i++) {
            assert_true(of_stretch_header(&record, &walk, &name, &value));
            assert_true(of_slice_equal(name, of_slice_str(headers[i].name)));
            assert_true(of_slice_equal(value, headers[i].value));
        }
        assert_false(of_stretch_header(&record, &walk, &name, &value));
        cursor = record.behind;
        assert_int_equal(of_stretch_next(stretch, &cursor, &record, &err), OF_CHUNK_RECORD);
        assert_int_equal(record.offset, 15);
        assert_true(record.key.data != NULL && record.key.length == 0);
        assert_true(record.value.data != NULL && record.value.length == 0);
        assert_false(of_stretch_header(&record, &(struct of_header_walk) { 0 }, &name, &value));
        free_stretch(stretch);
        of_wire_writer_fini(&bytes);
    }
}

/* ---- what is broken ---- */

static void
expect_broken(struct of_slice bytes, int64_t reached, const char *why)
{
    struct of_error err;
    struct of_record record;
    uint32_t cursor = 0;
    enum of_chunk_step step;
    struct of_stretch *stretch = stretch_of(bytes, 0);
    while ((step = of_stretch_next(stretch, &cursor, &record, &err)) == OF_CHUNK_RECORD)
        cursor = record.behind;
    assert_int_equal(step, OF_CHUNK_BROKEN);
    assert_int_equal(stretch->reached, reached);
    assert_non_null(strstr(err.text, why));
    free_stretch(stretch);
}

static void
a_wrong_checksum_stops_at_its_batch(void **state)
{
    (void)state;
    struct of_wire_writer bytes = { 0 };
    test_batch_numbers(&bytes, OF_CODEC_NONE, 0, 0, 3);
    size_t second = bytes.length;
    test_batch_numbers(&bytes, OF_CODEC_ZSTD, 10, 10, 3);
    for (size_t at = second + 21; at < bytes.length; at++) {
        bytes.data[at] ^= 0x10;
        struct of_record_batch batch;
        if (of_record_batch_look(of_slice_of(bytes.data + second, bytes.length - second), &batch) == OF_BATCH_WHOLE)
            expect_broken(written(&bytes), 10, "checksum");
        bytes.data[at] ^= 0x10;
    }
    of_wire_writer_fini(&bytes);
}

/* With a right checksum: a producer's bug. */
static void
reseal(struct of_wire_writer *bytes)
{
    of_big_endian_put_u32(bytes->data + 17, of_crc32c(of_slice_of(bytes->data + 21, bytes->length - 21)));
}

static void
malformed_records_stop_behind_the_last_good_one(void **state)
{
    (void)state;
    struct of_wire_writer bytes = { 0 };
    test_batch_numbers(&bytes, OF_CODEC_NONE, 5, 5, 3);
    size_t record_bytes = (bytes.length - OF_BATCH_HEAD_BYTES) / 3;
    uint8_t *second = bytes.data + OF_BATCH_HEAD_BYTES + record_bytes;
    second[0] += 2; /* longer */
    reseal(&bytes);
    expect_broken(written(&bytes), 6, "malformed");
    second[0] = 0x7f; /* negative length */
    reseal(&bytes);
    expect_broken(written(&bytes), 6, "malformed");
    second[0] = bytes.data[OF_BATCH_HEAD_BYTES];
    second[3] = 0; /* the offset of the first again */
    reseal(&bytes);
    expect_broken(written(&bytes), 6, "order");
    second[3] = 2 * 3; /* beyond the batch */
    reseal(&bytes);
    expect_broken(written(&bytes), 6, "order");
    bytes.length = 0;
    const struct test_record last = { .offset_delta = 2 }; /* beyond all offsets */
    test_batch_write(&bytes, &(struct test_batch) { .base_offset = INT64_MAX - 1, .records = &last, .count = 1 });
    expect_broken(written(&bytes), INT64_MAX - 1, "order");
    of_wire_writer_fini(&bytes);
}

static void
heads_that_cannot_be(void **state)
{
    (void)state;
    struct of_record_batch batch;
    struct of_wire_writer bytes = { 0 };
    test_batch_numbers(&bytes, OF_CODEC_NONE, 5, 5, 3);
    for (size_t length = 0; length < bytes.length; length++)
        assert_int_equal(of_record_batch_look(of_slice_of(bytes.data, length), &batch), OF_BATCH_CUT_OFF);
    bytes.data[16] = 1;
    assert_int_equal(of_record_batch_look(written(&bytes), &batch), OF_BATCH_OLD);
    bytes.data[16] = 3;
    assert_int_equal(of_record_batch_look(written(&bytes), &batch), OF_BATCH_MALFORMED);
    bytes.data[16] = 2;
    bytes.data[0] = 0x80; /* a negative offset */
    assert_int_equal(of_record_batch_look(written(&bytes), &batch), OF_BATCH_MALFORMED);
    bytes.data[0] = 0;
    of_big_endian_put_u32(bytes.data + 8, 10); /* shorter than a head */
    assert_int_equal(of_record_batch_look(written(&bytes), &batch), OF_BATCH_MALFORMED);
    of_wire_writer_fini(&bytes);
}

static void
markers_say_how_a_transaction_ended(void **state)
{
    (void)state;
    for (int commit = 0; commit <= 1; commit++) {
        struct of_record_batch batch;
        struct of_wire_writer bytes = { 0 };
        test_batch_marker(&bytes, 7, 99, commit);
        assert_int_equal(of_record_batch_look(written(&bytes), &batch), OF_BATCH_WHOLE);
        assert_true(batch.control && batch.transactional && of_record_batch_intact(&batch));
        assert_int_equal(batch.producer_id, 99);
        assert_int_equal(of_record_batch_marker(&batch), commit ? OF_MARKER_COMMIT : OF_MARKER_ABORT);
        of_wire_writer_fini(&bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_castagnoli),
        cmocka_unit_test(every_codec_unpacks),
        cmocka_unit_test(records_come_in_order_and_are_found_again),
        cmocka_unit_test(a_cursor_may_be_set_back),
        cmocka_unit_test(as_many_batches_as_a_cursor_can_count),
        cmocka_unit_test(nulls_headers_and_times),
        cmocka_unit_test(a_wrong_checksum_stops_at_its_batch),
        cmocka_unit_test(malformed_records_stop_behind_the_last_good_one),
        cmocka_unit_test(heads_that_cannot_be),
        cmocka_unit_test(markers_say_how_a_transaction_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
