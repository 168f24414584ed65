/* When `--exit-at-end` is at its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "kafka/end_check.h"
#include "order/retry_header.h"

static struct of_end_check *
open_check(struct fixture *fixture)
{
    struct of_end_check *check = NULL;
    struct of_error err;
    assert_int_equal(of_end_check_open(&fixture->options, FIXTURE_PARTITIONS, FIXTURE_PARTITIONS, &check, &err), OF_OK);
    return check;
}

/* The answer, once there is one. */
static enum of_status
step(struct of_end_check *check)
{
    struct of_error err = { .text = "" };
    for (int64_t until_ms = test_now_ms() + 20000; test_now_ms() < until_ms; usleep(20000)) {
        enum of_status status = of_end_check_step(check, &err);
        if (status != OF_RETRY)
            return status;
    }
    fail_msg("no answer: %s", err.text);
    return OF_RETRY;
}

/* A retry record that came of orders [partition] at offset. */
static void
produce_retry(struct fixture *fixture, int32_t partition, const char *group, int64_t origin_offset)
{
    uint8_t bytes[256];
    struct of_retry_header header = {
        .group = of_slice_str(group),
        .origin_topic = of_slice_str(fixture->options.orders_topic),
        .origin_partition = partition,
        .origin_offset = origin_offset,
        .origin_timestamp_ms = 1,
        .attempts = 1,
        .due_ms = 1,
        .first_failed_ms = 1,
        .cause = OF_CAUSE_SIMULATED,
    };
    size_t length = of_retry_header_encode(&header, bytes, sizeof bytes);
    assert_true(length > 0);
    const struct of_header kafka_header = { OF_RETRY_HEADER_NAME, of_slice_of(bytes, length) };
    fixture_produce(fixture, OF_TO_RETRY, partition, 0, 1, &kafka_header, 1);
}

static void
test_nothing_there_is_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    struct of_end_check *check = open_check(&fixture);
    assert_int_equal(step(check), OF_OK);
    of_end_check_close(&check);
    fixture_close(&fixture);
}

static void
test_the_end_waits_for_orders_and_for_what_came_of_them(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    fixture_open(&fixture);
    fixture_produce_orders(&fixture, 0, 0, 10);
    fixture_produce_orders(&fixture, 1, 0, 5);
    struct of_end_check *check = open_check(&fixture);
    assert_int_equal(step(check), OF_AGAIN); /* nothing is committed */

    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    fixture_produce_orders(&fixture, 0, 10, 10); /* later orders do not count */
    assert_int_equal(reader_commit(&reader, reader_slot(&reader, OF_ROLE_ORDERS, 0), 10), OF_OK);
    assert_int_equal(step(check), OF_AGAIN);
    produce_retry(&fixture, 1, "other-group", 2);
    produce_retry(&fixture, 1, fixture.options.group, 5); /* of a later order */
    assert_int_equal(reader_commit(&reader, reader_slot(&reader, OF_ROLE_ORDERS, 1), 5), OF_OK);
    assert_int_equal(step(check), OF_OK);

    struct of_end_check *second = open_check(&fixture);
    of_end_check_close(&second); /* unused */

    produce_retry(&fixture, 1, fixture.options.group, 4); /* of an order that counts, behind two that do not */
    assert_int_equal(step(check), OF_AGAIN);
    assert_int_equal(step(check), OF_AGAIN);
    assert_int_equal(reader_commit(&reader, reader_slot(&reader, OF_ROLE_RETRY, 1), 2), OF_OK);
    assert_int_equal(step(check), OF_AGAIN);
    assert_int_equal(reader_commit(&reader, reader_slot(&reader, OF_ROLE_RETRY, 1), 3), OF_OK);
    assert_int_equal(step(check), OF_OK);
    of_end_check_close(&check);
    reader_close(&reader);
    fixture_close(&fixture);
}

/* Records in the retry topic without a readable header are orders of their own: those that were there at start count. */
static void
test_strangers_in_the_retry_topic_count_if_they_were_there(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader reader;
    fixture_open(&fixture);
    fixture_produce(&fixture, OF_TO_RETRY, 2, 0, 3, NULL, 0);
    struct of_end_check *check = open_check(&fixture);
    assert_int_equal(step(check), OF_AGAIN);
    reader_open(&reader, &fixture.options);
    assert_true(reader_wait(&reader, &reader.assigned, 10000));
    fixture_produce(&fixture, OF_TO_RETRY, 2, 3, 1, NULL, 0);
    assert_int_equal(reader_commit(&reader, reader_slot(&reader, OF_ROLE_RETRY, 2), 3), OF_OK);
    assert_int_equal(step(check), OF_OK);
    of_end_check_close(&check);
    reader_close(&reader);
    fixture_close(&fixture);
}

/* A group that begins at the end has nothing to do with what is there. */
static void
test_a_group_that_begins_at_the_end_is_there(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    fixture_produce_orders(&fixture, 0, 0, 10);
    fixture.options.from = OF_KAFKA_FROM_LATEST;
    struct of_end_check *check = open_check(&fixture);
    assert_int_equal(step(check), OF_OK);
    of_end_check_close(&check);
    fixture_close(&fixture);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_there_is_the_end),
        cmocka_unit_test(test_the_end_waits_for_orders_and_for_what_came_of_them),
        cmocka_unit_test(test_strangers_in_the_retry_topic_count_if_they_were_there),
        cmocka_unit_test(test_a_group_that_begins_at_the_end_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
