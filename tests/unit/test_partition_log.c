/* What the log says of partitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/log.h"
#include "stages/partition_log.h"
#include "support/log_reader.h"

static void
an_assignment_is_a_line_for_each_topic(void **state)
{
    (void)state;
    static const char orders[] = "orders", retry[] = "retry";
    static const int32_t numbers[] = { 0, 1, 2, 5, 7, 8 };
    struct of_slot slots[8] = { 0 };
    struct of_slot *handles[8];
    for (int i = 0; i < 8; i++) {
        slots[i].topic = i < 6 ? orders : retry;
        slots[i].partition = i < 6 ? numbers[i] : i;
        handles[i] = &slots[i];
    }
    of_partition_log_all(OF_EVENT_ASSIGNED, handles, 8, false);
    assert_non_null(strstr(log_read(), "info fetch: partitions assigned: 0-2, 5, 7-8 topic=orders\n"));
    assert_non_null(strstr(log_said, "info fetch: partitions assigned: 6-7 topic=retry\n"));
    of_partition_log_all(OF_EVENT_LOST, handles, 1, false);
    assert_non_null(strstr(log_read(), "warning fetch: partitions lost: "));
    of_partition_log_all(OF_EVENT_ASSIGNED, handles, 0, false);
    assert_non_null(strstr(log_read(), "no partitions assigned"));
}

static void
a_hold_says_which_stage_and_why(void **state)
{
    (void)state;
    const struct of_slot slot = { .topic = "orders", .partition = 3 };
    of_partition_log(OF_EVENT_HELD, &slot, 120, OF_CAUSE_RETRY_REFUSED, "no right to", false);
    assert_non_null(strstr(log_read(), "warning fetch: held: no right to stage=publish topic=orders partition=3 offset=120 "
                                     "cause=retry_refused\n"));
    of_partition_log(OF_EVENT_RESUMED, &slot, 120, OF_CAUSE_RETRY_REFUSED, NULL, false);
    assert_non_null(strstr(log_read(), "info fetch: goes on topic=orders partition=3 offset=120\n"));
}

static void
what_is_told_elsewhere_is_for_debugging(void **state)
{
    (void)state;
    const struct of_slot slot = { .topic = "orders", .partition = 3 };
    of_partition_log(OF_EVENT_HELD, &slot, 1, OF_CAUSE_REGISTRY_DENIED, "quietly", true);
    assert_null(strstr(log_read(), "quietly"));
    of_log_set_levels("info,fetch=debug");
    of_partition_log(OF_EVENT_HELD, &slot, 1, OF_CAUSE_REGISTRY_DENIED, "quietly", true);
    assert_non_null(strstr(log_read(), "debug fetch: held: quietly stage=decode"));
}

/* All of a large topic are held when the registry is down. */
static void
many_at_once_are_counted(void **state)
{
    (void)state;
    struct of_slot slot = { .topic = "orders" };
    for (slot.partition = 0; slot.partition < 1000; slot.partition++)
        of_partition_log(OF_EVENT_HELD, &slot, 1, OF_CAUSE_REGISTRY_UNAVAILABLE, "registry down", false);
    uint32_t lines = 0;
    for (const char *at = log_read(); (at = strstr(at, "registry down")) != NULL; at++)
        lines++;
    assert_in_range(lines, 1, 2 * OF_LOG_SITE_MESSAGES); /* two windows at most */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, log_reader_open, log_reader_close)
    const struct CMUnitTest tests[] = {
        TEST(an_assignment_is_a_line_for_each_topic),
        TEST(a_hold_says_which_stage_and_why),
        TEST(what_is_told_elsewhere_is_for_debugging),
        TEST(many_at_once_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
