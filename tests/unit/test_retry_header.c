#include "order/retry_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The example of docs/headers.md, made by another program. */
static const uint8_t example[] =
    "\x01\x00\x14order-consumer-group\x00\x06orders"
    "\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x29\x00\x00\x01\x8b\xcf\xe5\x68\x7b\x00\x00\x00\x01"
    "\x00\x00\x01\x8b\xcf\xe5\x72\x3f\x00\x00\x01\x8b\xcf\xe5\x6a\x6f\x09";

enum {
    EXAMPLE_BYTES = sizeof example - 1,
    GROUP_LENGTH_AT = 1,
    TOPIC_LENGTH_AT = 23,
    PARTITION_AT = 31,
    OFFSET_AT = 35,
    TIMESTAMP_AT = 43,
    ATTEMPTS_AT = 51,
    DUE_AT = 55,
    FIRST_FAILED_AT = 63,
    CAUSE_AT = 71,
};

static struct of_retry_header
example_header(void)
{
    return (struct of_retry_header) {
        .group = of_slice_str("order-consumer-group"),
        .origin_topic = of_slice_str("orders"),
        .origin_partition = 2,
        .origin_offset = 41,
        .origin_timestamp_ms = 1700000000123,
        .attempts = 1,
        .due_ms = 1700000002623,
        .first_failed_ms = 1700000000623,
        .cause = OF_CAUSE_SIMULATED,
    };
}

static void
assert_same(const struct of_retry_header *a, const struct of_retry_header *b)
{
    assert_true(of_slice_equal(a->group, b->group));
    assert_true(of_slice_equal(a->origin_topic, b->origin_topic));
    assert_int_equal(a->origin_partition, b->origin_partition);
    assert_int_equal(a->origin_offset, b->origin_offset);
    assert_int_equal(a->origin_timestamp_ms, b->origin_timestamp_ms);
    assert_int_equal(a->attempts, b->attempts);
    assert_int_equal(a->due_ms, b->due_ms);
    assert_int_equal(a->first_failed_ms, b->first_failed_ms);
    assert_int_equal(a->cause, b->cause);
}

static void
the_documented_bytes_are_written_and_read(void **state)
{
    (void)state;
    struct of_retry_header header = example_header(), parsed;
    uint8_t bytes[EXAMPLE_BYTES];
    assert_int_equal(of_retry_header_bytes(&header), EXAMPLE_BYTES);
    assert_int_equal(of_retry_header_encode(&header, bytes, EXAMPLE_BYTES - 1), 0);
    assert_int_equal(of_retry_header_encode(&header, bytes, EXAMPLE_BYTES), EXAMPLE_BYTES);
    assert_memory_equal(bytes, example, EXAMPLE_BYTES);
    assert_true(of_retry_header_parse(of_slice_of(example, EXAMPLE_BYTES), &parsed));
    assert_same(&parsed, &header);
}

static void
extremes_come_back(void **state)
{
    (void)state;
    struct of_retry_header header = example_header(), parsed;
    uint8_t *longest = calloc(1, OF_RETRY_HEADER_TEXT_BYTES_MAX);
    assert_non_null(longest);
    header.group = of_slice_of(longest, OF_RETRY_HEADER_TEXT_BYTES_MAX);
    header.origin_topic = of_slice_of("\xff", 1);
    header.origin_partition = INT32_MAX;
    header.origin_offset = INT64_MAX;
    header.origin_timestamp_ms = -1;
    header.attempts = OF_RETRY_HEADER_ATTEMPTS_MAX;
    header.due_ms = INT64_MAX;
    header.first_failed_ms = 0;
    header.cause = OF_CAUSE_COUNT - 1;
    size_t size = of_retry_header_bytes(&header);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(of_retry_header_encode(&header, bytes, size), size);
    assert_true(of_retry_header_parse(of_slice_of(bytes, size), &parsed));
    assert_same(&parsed, &header);
    free(bytes);
    free(longest);
}

static void
every_other_length_is_refused(void **state)
{
    (void)state;
    struct of_retry_header parsed;
    for (size_t length = 0; length < EXAMPLE_BYTES; length++) {
        uint8_t *exact = malloc(length + 1); /* so that reading beyond is seen by the sanitizer */
        assert_non_null(exact);
        memcpy(exact + 1, example, length);
        assert_false(of_retry_header_parse(of_slice_of(exact + 1, length), &parsed));
        free(exact);
    }
    assert_false(of_retry_header_parse(of_slice_of(example, EXAMPLE_BYTES + 1), &parsed));
    assert_false(of_retry_header_parse(of_slice_of(NULL, 0), &parsed));
}

static void
impossible_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t bytes[8];
        size_t count;
    } changes[] = {
        { 0, { 0 }, 1 },
        { 0, { 2 }, 1 },
        { GROUP_LENGTH_AT, { 0, 0 }, 2 },
        { GROUP_LENGTH_AT, { 0xff, 0xff }, 2 },
        { TOPIC_LENGTH_AT, { 0, 0 }, 2 },
        { TOPIC_LENGTH_AT, { 0, 7 }, 2 },
        { PARTITION_AT, { 0x80 }, 1 },
        { OFFSET_AT, { 0x80 }, 1 },
        { TIMESTAMP_AT, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe }, 8 },
        { ATTEMPTS_AT, { 0, 0, 0, 0 }, 4 },
        { ATTEMPTS_AT, { 0x00, 0x0f, 0x42, 0x41 }, 4 },
        { ATTEMPTS_AT, { 0xff, 0xff, 0xff, 0xff }, 4 },
        { DUE_AT, { 0x80 }, 1 },
        { FIRST_FAILED_AT, { 0x80 }, 1 },
        { CAUSE_AT, { OF_CAUSE_NONE }, 1 },
        { CAUSE_AT, { OF_CAUSE_COUNT }, 1 },
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t bytes[EXAMPLE_BYTES];
        struct of_retry_header parsed;
        memcpy(bytes, example, EXAMPLE_BYTES);
        memcpy(bytes + changes[i].at, changes[i].bytes, changes[i].count);
        assert_false(of_retry_header_parse(of_slice_of(bytes, EXAMPLE_BYTES), &parsed));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_bytes_are_written_and_read),
        cmocka_unit_test(extremes_come_back),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(impossible_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
