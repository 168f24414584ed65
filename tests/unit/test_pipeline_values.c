/* Values of every kind through a whole pipeline: doubles, longs and decimals of several scales on one topic, unions
 * that change the kind from record to record, and schemas of which there is no plan. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "registry/mock.h"
#include "support/world.h"

#define RECORD(price)                                                                                                  \
    "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"orderId\",\"type\":\"string\"},"                    \
    "{\"name\":\"product\",\"type\":\"string\"},{\"name\":\"price\",\"type\":" price "}]}"
#define DECIMAL(scale) "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":" #scale "}"

/* An order "a" of product "b" with these bytes as price. */
static void
append(struct world *world, uint32_t schema_id, const void *price, size_t length)
{
    uint8_t value[64] = { 0, 0, 0, (uint8_t)(schema_id >> 8), (uint8_t)schema_id, 2, 'a', 2, 'b' };
    assert_true(length <= sizeof value - 9);
    memcpy(value + 9, price, length);
    world_append_raw(world, 0, value, 9 + length);
}

#define APPEND(world, schema, bytes) append(world, schema, bytes, sizeof(bytes) - 1)

static void
check(struct world *world, const char *sum, double average, uint64_t orders, uint64_t dead)
{
    struct of_totals totals;
    world_run_to_end(world, 30000);
    world_stop(world, &totals);
    assert_int_equal(totals.orders_processed, orders);
    assert_int_equal(totals.dead_letters, dead);
    char *text = of_exact_sum_decimal(&totals.sum);
    assert_string_equal(text, sum);
    free(text);
    assert_int_equal(totals.row_count, 1);
    text = of_exact_sum_decimal(&totals.rows[0].sum);
    assert_string_equal(text, sum);
    free(text);
    assert_true(of_exact_sum_average(&totals.sum, orders) == average);
    of_totals_fini(&totals);
    world_destroy(world);
}

static void
kinds_and_scales_on_one_topic_stay_exact(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    uint32_t two = of_registry_mock_register(world.registry, RECORD(DECIMAL(2)));
    uint32_t three = of_registry_mock_register(world.registry, RECORD(DECIMAL(3)));
    uint32_t number = of_registry_mock_register(world.registry, RECORD("\"long\""));
    uint32_t binary = of_registry_mock_register(world.registry, RECORD("\"double\""));
    uint32_t either = of_registry_mock_register(world.registry, RECORD("[\"double\",\"long\"," DECIMAL(2) "]"));
    for (int i = 0; i < 10; i++) {
        APPEND(&world, two, "\2\x0a");                                             /* 0.10 */
        APPEND(&world, three, "\2\x01");                                           /* 0.001 */
        APPEND(&world, number, "\x82\x80\x80\x80\x80\x80\x80\x20");                /* 2^53 + 1 */
        APPEND(&world, binary, "\0\0\0\0\0\0\xe0\x3f");                            /* 0.5 */
        APPEND(&world, either, "\0\0\0\0\0\0\0\xe0\x3f");                          /* 0.5 */
        APPEND(&world, either, "\2\2");                                            /* 1 */
        APPEND(&world, either, "\4\2\xff");                                        /* -0.01 */
    }
    world_start(&world);
    /* 10 * (0.1 + 0.001 + 9007199254740993 + 0.5 + 0.5 + 1 - 0.01) */
    check(&world, "90071992547409950.91", 90071992547409950.91 / 70, 70, 0);
}

static void
limits_hold_for_decimals(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .min_value = 0.1, .max_value = 1 });
    uint32_t id = of_registry_mock_register(world.registry, RECORD(DECIMAL(2)));
    APPEND(&world, id, "\2\x0a"); /* 0.10 */
    APPEND(&world, id, "\2\x09"); /* 0.09 */
    APPEND(&world, id, "\2\x64"); /* 1.00 */
    APPEND(&world, id, "\2\x65"); /* 1.01 */
    APPEND(&world, id, "\2\xf6"); /* -0.10 */
    world_start(&world);
    check(&world, "1.1", 0.55, 2, 3);
}

static void
decimals_are_retried_like_all_others(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 0.5, .max_retries = 100 });
    uint32_t id = of_registry_mock_register(world.registry, RECORD(DECIMAL(2)));
    for (int i = 0; i < 300; i++)
        APPEND(&world, id, "\2\x01");
    world_start(&world);
    check(&world, "3", 0.01, 300, 0);
}

static void
dead_letters_say_where_and_why(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *bytes;
        size_t length;
        const char *message;
    } rows[] = {
        { RECORD("\"float\""), "", 0, "field \"price\" (float), byte 4: the value ends before its last field does" },
        { RECORD("\"float\""), "\0\0\0\0\0", 5, "byte 8: bytes follow the last field" },
        { RECORD("[\"null\",\"float\"]"), "\0", 1,
          "field \"price\" (union of null and float), byte 4: a field that is needed is null" },
        { RECORD("[\"null\",\"float\"]"), "\4", 1,
          "field \"price\" (union of null and float), byte 4: a union has an index that its schema does not have" },
        { RECORD(DECIMAL(2)), "\0", 1, "field \"price\" (decimal(9,2) as bytes), byte 4: a decimal has no bytes" },
        { RECORD("\"string\""), "\0", 1, "schema id 7: the value field \"price\" is of type string; it must be" },
        { RECORD("\"boolean\""), "\0", 1, "schema id 8: the value field \"price\" is of type boolean; it must be" },
        { RECORD("\"string\""), "\0", 1, "schema id 7: the value field \"price\" is of type string; it must be" },
    };
    enum { COUNT = sizeof rows / sizeof *rows };
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    of_registry_mock_register(world.registry, "\"int\""); /* so that the ids are as above */
    of_registry_mock_register(world.registry, "\"long\"");
    for (int i = 0; i < COUNT; i++)
        append(&world, of_registry_mock_register(world.registry, rows[i].schema), rows[i].bytes, rows[i].length);
    world_start(&world);
    world_run_to_end(&world, 10000);
    assert_int_equal(world_dead_count(&world), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        const char *message = world_dead_header(&world, 0, i, "__orderflow.errors.message");
        if (strstr(message, rows[i].message) == NULL)
            fail_msg("row %u: \"%s\" does not say \"%s\"", i, message, rows[i].message);
    }
    struct of_totals totals;
    world_stop(&world, &totals);
    of_totals_fini(&totals);
    world_destroy(&world);
}

/* Orders of two schemas in turn come in batches of one. Those that fail, and what is behind them, wait for the next
 * transaction; there are more of them than may otherwise be under way. */
static void
a_transaction_that_ends_stops_no_stage(void **state)
{
    (void)state;
    enum { EACH = 200 };
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .exactly_once = true });
    uint32_t number = of_registry_mock_register(world.registry, RECORD("\"long\""));
    uint32_t binary = of_registry_mock_register(world.registry, RECORD("\"double\""));
    APPEND(&world, number, "\2"); /* 1 */
    APPEND(&world, binary, "\0\0\0\0\0\0\xe0\x3f");
    world_start(&world);
    world_run_to_end(&world, 1000);
    of_memory_hold_transactions(world.cluster, true);
    world_append_raw(&world, 0, "?", 1);
    world_pass_ms(&world, 200);
    world_append_raw(&world, 0, "?", 1);
    for (int i = 1; i < EACH; i++) {
        APPEND(&world, number, "\2");                     /* 1 */
        APPEND(&world, binary, "\0\0\0\0\0\0\xe0\x3f"); /* 0.5 */
    }
    world_pass_ms(&world, 50);
    assert_int_equal(world_live_orders(&world), 2 * EACH);
    of_memory_hold_transactions(world.cluster, false);
    check(&world, "300", 0.75, 2 * EACH, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_scales_on_one_topic_stay_exact),
        cmocka_unit_test(limits_hold_for_decimals),
        cmocka_unit_test(decimals_are_retried_like_all_others),
        cmocka_unit_test(dead_letters_say_where_and_why),
        cmocka_unit_test(a_transaction_that_ends_stops_no_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
