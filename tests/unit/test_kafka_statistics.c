#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kafka/statistics.h"

static struct of_kafka_statistics *statistics;
static struct of_kafka_numbers numbers;

static int
set_up(void **state)
{
    (void)state;
    statistics = of_kafka_statistics_create();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    of_kafka_statistics_destroy(&statistics);
    return 0;
}

static void
read_text(const char *text)
{
    of_kafka_statistics_put(statistics, text, strlen(text));
    of_kafka_statistics_read(statistics, &numbers);
}

static void
numbers_are_found(void **state)
{
    (void)state;
    read_text("{\"tx\":5,\"tx_bytes\":100,\"rx_bytes\":200,\"msg_cnt\":3,\"msg_size\":30,\"brokers\":{"
              "\"b:1/bootstrap\":{\"name\":\"b:1/bootstrap\",\"nodeid\":-1,\"source\":\"configured\",\"state\":\"UP\"},"
              "\"b:1/7\":{\"name\":\"b:1/7\",\"nodeid\":7,\"source\":\"learned\",\"state\":\"UP\",\"waitresp_cnt\":2,"
              "\"outbuf_cnt\":1,\"txerrs\":1,\"rxerrs\":2,\"req_timeouts\":4,\"txretries\":6,\"rtt\":{\"avg\":1500,\"p99\":9000},"
              "\"throttle\":{\"avg\":250}},"
              "\"b:2/8\":{\"name\":\"b:2/8\",\"nodeid\":8,\"source\":\"learned\",\"state\":\"DOWN\"},"
              "\"GroupCoordinator\":{\"name\":\"GroupCoordinator\",\"nodeid\":7,\"source\":\"logical\",\"state\":\"UP\"}},"
              "\"topics\":{\"orders\":{\"partitions\":{\"0\":{\"fetchq_cnt\":10,\"fetchq_size\":1000}}}},"
              "\"cgrp\":{\"state\":\"up\"},\"eos\":{\"txn_state\":\"Ready\"}}");
    assert_true(numbers.known);
    assert_int_equal(numbers.requests, 5);
    assert_int_equal(numbers.sent_bytes, 100);
    assert_int_equal(numbers.received_bytes, 200);
    assert_int_equal(numbers.queued_records, 13);
    assert_int_equal(numbers.queued_bytes, 1030);
    assert_string_equal(numbers.transaction_state, "Ready");
    assert_string_equal(numbers.group_state, "up");
    assert_int_equal(numbers.broker_count, 2);
    const struct of_kafka_broker_numbers *broker = &numbers.brokers[0];
    assert_string_equal(broker->name, "b:1/7");
    assert_true(broker->up && !numbers.brokers[1].up);
    assert_true(broker->rtt_s == 0.0015 && broker->rtt_p99_s == 0.009 && broker->throttle_s == 0.25);
    assert_int_equal(broker->waiting, 2);
    assert_int_equal(broker->queued, 1);
    assert_int_equal(broker->errors, 3);
    assert_int_equal(broker->timeouts, 4);
    assert_int_equal(broker->retries, 6);
}

static void
what_is_no_such_text_gives_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "{", "[]", "null", "{\"brokers\":[],\"topics\":7,\"cgrp\":\"x\",\"tx\":-1}",
                                         "{\"brokers\":{\"a\":1}}" };
    of_kafka_statistics_read(statistics, &numbers);
    assert_false(numbers.known);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        read_text(texts[i]);
        assert_int_equal(numbers.broker_count, 0);
        assert_int_equal(numbers.requests, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_such_text_gives_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
