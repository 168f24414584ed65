/* What becomes of a partition of the librdkafka source whose offset the log does not hold. The calls that ask brokers, or
 * move what is fetched, are answered here, in place of librdkafka's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kafka/assignment.h"
#include "kafka/source_records.h"
#include "order/cause.h"

/* ---- librdkafka ---- */

static struct {
    int64_t low, high;
    rd_kafka_resp_err_t query, assign; /* what the next calls come to */
    int64_t assigned;                  /* the first partition's offset, of the last one that was accepted; -1: none yet */
} log_is;

rd_kafka_resp_err_t
rd_kafka_query_watermark_offsets(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t *low, int64_t *high,
                                 int timeout_ms)
{
    (void)rk, (void)topic, (void)partition;
    assert_true(timeout_ms > 0);
    *low = log_is.low;
    *high = log_is.high;
    return log_is.query;
}

rd_kafka_resp_err_t
rd_kafka_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    (void)rk;
    if (list == NULL)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (log_is.assign == RD_KAFKA_RESP_ERR_NO_ERROR)
        log_is.assigned = list->elems[0].offset;
    return log_is.assign;
}

rd_kafka_resp_err_t
rd_kafka_assignment(rd_kafka_t *rk, rd_kafka_topic_partition_list_t **list)
{
    (void)rk;
    *list = NULL;
    return RD_KAFKA_RESP_ERR__STATE;
}

void
rd_kafka_queue_forward(rd_kafka_queue_t *from, rd_kafka_queue_t *to)
{
    (void)from, (void)to;
}

ssize_t
rd_kafka_consume_batch_queue(rd_kafka_queue_t *queue, int timeout_ms, rd_kafka_message_t **messages, size_t size)
{
    (void)queue, (void)timeout_ms, (void)messages, (void)size;
    return 0;
}

/* ---- one partition ---- */

enum { POSITION = 100 };

struct bench {
    struct of_kafka_options options;
    struct of_kafka_client client;
    struct of_kafka_assignment assignment;
    struct of_kafka_part part;
    struct of_slot slot;
};

/* It has just been said that the partition does not hold its offset. */
static void
set_up(struct bench *bench, enum of_kafka_out_of_range policy, int64_t low, int64_t high)
{
    memset(bench, 0, sizeof *bench);
    log_is.query = log_is.assign = RD_KAFKA_RESP_ERR_NO_ERROR;
    log_is.low = low;
    log_is.high = high;
    log_is.assigned = -1;
    bench->options.on_out_of_range = policy;
    bench->client.options = &bench->options;
    bench->slot = (struct of_slot) { .topic = "orders", .role = OF_ROLE_ORDERS, .partition = 3 };
    bench->part = (struct of_kafka_part) { .slot = &bench->slot, .expected = POSITION, .end = -1, .gap_from = -1 };
    bench->assignment.options = &bench->options;
    bench->assignment.parts = &bench->part;
    bench->assignment.part_count = 1;
    bench->assignment.ahead.messages = bench->assignment.messages;
    for (int role = 0; role < 2; role++)
        bench->assignment.readers[role].client = &bench->client;
    bench->part.reader = &bench->assignment.readers[OF_ROLE_ORDERS];
    const rd_kafka_message_t message = { .err = RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET };
    of_kafka_part_break(&bench->assignment, &bench->part, &message);
}

static enum of_status
resume(struct bench *bench)
{
    struct of_error err;
    return of_kafka_part_resume(&bench->assignment, &bench->part, POSITION, &err);
}

/* As the source does when it has told it. */
static void
take_news(struct bench *bench)
{
    assert_true(bench->part.broken);
    bench->part.broken = false;
    bench->assignment.news_count--;
}

/* Whatever the options say: who hears that a place is gone does not look there again. */
static void
nothing_is_said_to_be_gone_before_that_is_known(void **state)
{
    (void)state;
    for (int policy = OF_KAFKA_HOLD; policy <= OF_KAFKA_SKIP_TO_LAST; policy++) {
        struct bench bench;
        set_up(&bench, (enum of_kafka_out_of_range)policy, 50, 200);
        assert_true(bench.part.held);
        assert_int_equal(bench.part.cause, OF_CAUSE_FETCH_FAILED);
        assert_non_null(strstr(bench.part.why, "orders [3] does not hold offset 100; what it holds is looked up"));
        take_news(&bench);
        log_is.query = RD_KAFKA_RESP_ERR__TIMED_OUT;
        assert_int_equal(resume(&bench), OF_RETRY);
        assert_false(bench.part.broken);
        log_is.query = RD_KAFKA_RESP_ERR_NO_ERROR; /* a leader that lacked it, and had it again */
        assert_int_equal(resume(&bench), OF_OK);
        assert_int_equal(log_is.assigned, POSITION);
        assert_false(bench.part.held);
        assert_int_equal(bench.assignment.news_count, 0);
    }
}

static void
what_retention_has_passed_is_told_with_numbers(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, OF_KAFKA_HOLD, 130, 200);
    take_news(&bench);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(resume(&bench), OF_RETRY);
        assert_int_equal(log_is.assigned, -1);
        assert_true(bench.part.held);
        assert_int_equal(bench.assignment.news_count, i == 0);
        if (i > 0) /* once is enough */
            continue;
        take_news(&bench);
        assert_int_equal(bench.part.cause, OF_CAUSE_OFFSET_OUT_OF_RANGE);
        assert_non_null(strstr(bench.part.why, "does not hold offset 100 any more, the first is 130"));
        assert_non_null(strstr(bench.part.why, "retention has passed 30 offsets"));
    }
}

static void
a_log_that_ends_before_is_told_whatever_may_be_skipped(void **state)
{
    (void)state;
    for (int policy = OF_KAFKA_HOLD; policy <= OF_KAFKA_SKIP_TO_LAST; policy++) {
        struct bench bench;
        set_up(&bench, (enum of_kafka_out_of_range)policy, 0, 60);
        take_news(&bench);
        assert_int_equal(resume(&bench), OF_RETRY);
        take_news(&bench);
        assert_int_equal(bench.part.cause, OF_CAUSE_OFFSET_OUT_OF_RANGE);
        assert_non_null(strstr(bench.part.why, "ends at offset 60 and does not hold offset 100"));
    }
}

/* Where librdkafka does not take the new assignment what was passed over is passed over again, and is there once. */
static void
what_is_passed_over_twice_is_delivered_once(void **state)
{
    (void)state;
    struct bench bench;
    struct of_chunk chunk = { .count = 0 };
    set_up(&bench, OF_KAFKA_SKIP_TO_FIRST, 130, 200);
    take_news(&bench);
    log_is.assign = RD_KAFKA_RESP_ERR__STATE;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(resume(&bench), OF_FATAL);
        assert_false(of_kafka_records_read(&bench.assignment, &chunk));
    }
    log_is.assign = RD_KAFKA_RESP_ERR_NO_ERROR;
    assert_int_equal(resume(&bench), OF_OK);
    assert_int_equal(log_is.assigned, 130);
    assert_true(of_kafka_records_read(&bench.assignment, &chunk));
    assert_int_equal(chunk.first_offset, POSITION);
    assert_int_equal(chunk.next_offset, 130);
    assert_int_equal(bench.assignment.gap_count, 0);
    assert_int_equal(bench.assignment.news_count, 1); /* that it was skipped */
    assert_false(of_kafka_records_read(&bench.assignment, &chunk));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_to_be_gone_before_that_is_known),
        cmocka_unit_test(what_retention_has_passed_is_told_with_numbers),
        cmocka_unit_test(a_log_that_ends_before_is_told_whatever_may_be_skipped),
        cmocka_unit_test(what_is_passed_over_twice_is_delivered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
