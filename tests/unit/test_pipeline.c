/* The whole pipeline on one thread under a clock that stands still: every ordering, hold, drop and deadline on purpose. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "avro/framing.h"
#include "avro/plan.h"
#include "order/retry_header.h"
#include "registry/mock.h"
#include "stages/letter.h"
#include "support/world.h"

/* ---- counting ---- */

static void
test_counts_every_order_once_whatever_the_threads(void **state)
{
    (void)state;
    for (uint32_t layout = 0; layout < 54; layout++) {
        struct world world;
        world_create(&world, &(struct world_options) {
            .partitions = 5,
            .lanes = 1 + layout % 2,
            .decode_threads = layout / 2 % 3,
            .process_threads = layout / 6 % 3,
            .aggregate_threads = layout / 18 % 3,
            .failure_rate = 0.1,
            .retry_delay_ms = 20,
        });
        world_append_orders(&world, 0, 1500);
        world_start(&world);
        world_pass_ms(&world, 300);
        world_append_orders(&world, 1500, 500);
        world_run_to_end(&world, 2000);
        world_stop_and_check(&world, 2000);
        world_destroy(&world);
    }
}

static void
test_live_totals_follow_at_once(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { 0 });
    world_append_orders(&world, 0, 100);
    world_start(&world);
    world_pass_ms(&world, 2);
    assert_int_equal(world_live_orders(&world), 100);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), -1); /* the interval is not over */
    world_pass_ms(&world, 100);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 34);
    world_stop_and_check(&world, 100);
    world_destroy(&world);
}

static void
test_gaps_and_empty_partitions_are_normal(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 2 });
    of_memory_skip_offsets(world.cluster, OF_MEMORY_ORDERS, 0, 1000);
    world_append_order(&world, 0, 0);
    of_memory_skip_offsets(world.cluster, OF_MEMORY_ORDERS, 0, 7);
    assert_int_equal(world_append_order(&world, 0, 1), 1008);
    world_start(&world);
    world_pass_ms(&world, 300);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 1009);
    world_stop_and_check(&world, 2);
    world_destroy(&world);
}

/* ---- retries and dead letters ---- */

static void
test_a_retry_waits_its_time_and_nothing_else_does(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0 });
    world_append_order(&world, 0, 0);
    world_start(&world);
    world_pass_ms(&world, 1);
    assert_int_equal(of_memory_count(world.cluster, OF_MEMORY_RETRY, 0), 1);
    world_pass_ms(&world, 1990);
    world_append_order(&world, 0, 1); /* flows while the other waits */
    world_pass_ms(&world, 1);
    assert_int_equal(of_memory_count(world.cluster, OF_MEMORY_RETRY, 0), 2);
    world_pass_ms(&world, 20); /* the first is due: its second failure */
    assert_int_equal(of_memory_count(world.cluster, OF_MEMORY_RETRY, 0), 3);
    world_run_to_end(&world, 8000);
    assert_int_equal(world_dead_count(&world), 2);
    world_stop_and_check(&world, 2);
    world_destroy(&world);
}

/* A real clock goes on between two looks at it within one turn. */
static int64_t
restless_mono_ns(const struct of_clock *clock)
{
    static int64_t looks;
    return clock->fake_mono_ns + ++looks;
}

static void
test_retries_that_are_due_are_read_in_one_turn(void **state)
{
    (void)state;
    struct world world;
    struct of_pipeline_progress progress;
    int64_t deadline_ns;
    enum { COUNT = 100 };
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0 });
    for (int i = 0; i < COUNT; i++)
        world_append_order(&world, 0, i);
    world_start(&world);
    world_pass_ms(&world, 1);
    assert_int_equal(of_memory_count(world.cluster, OF_MEMORY_RETRY, 0), COUNT);
    of_pipeline_progress(world.pipeline, &progress);
    uint64_t before = progress.records;
    of_clock_advance(&world.clock, 2000 * OF_MS_NS);
    world.clock.mono_ns = restless_mono_ns;
    of_pipeline_turn(world.pipeline, &deadline_ns);
    of_pipeline_progress(world.pipeline, &progress);
    assert_int_equal(progress.records, before + COUNT);
    world_run_to_end(&world, 8000);
    world_stop_and_check(&world, COUNT);
    world_destroy(&world);
}

static void
test_a_clock_step_keeps_no_retry_for_long(void **state)
{
    (void)state;
    struct world world;
    enum { COUNT = 100 };
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0 });
    for (int i = 0; i < COUNT; i++)
        world_append_order(&world, 0, i);
    world_start(&world);
    world_pass_ms(&world, 1);
    world.clock.fake_wall_ms -= 3600 * 1000; /* the wall clock goes back by an hour before the head is looked at again */
    world_run_to_end(&world, 8000);
    assert_int_equal(world_dead_count(&world), COUNT);
    world_stop_and_check(&world, COUNT);
    world_destroy(&world);
}

static void
test_dead_letters_say_what_happened(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 3, .failure_rate = 1.0 });
    const struct of_header header = { "trace", of_slice_str("abc") };
    uint8_t value[64];
    size_t length = orders_encode(world.schema_id, "1001", "Laptop", 756.32F, value, sizeof value);
    of_memory_append(world.cluster, OF_MEMORY_ORDERS, 2, of_slice_str("1001"), of_slice_of(value, length), &header, 1);
    world_start(&world);
    world_run_to_end(&world, 10000);
    const struct of_memory_record *dead = of_memory_at(world.cluster, OF_MEMORY_DEAD, 2, 0);
    assert_true(of_slice_equal(dead->key, of_slice_str("1001")));
    assert_true(of_slice_equal(dead->value, of_slice_of(value, length)));
    static const char *const wanted[][2] = {
        { "trace", "abc" },
        { "__orderflow.errors.topic", "orders" },
        { "__orderflow.errors.partition", "2" },
        { "__orderflow.errors.offset", "0" },
        { "__orderflow.errors.group", "order-consumer-group" },
        { "__orderflow.errors.attempts", "4" },
        { "__orderflow.errors.class", "transient" },
        { "__orderflow.errors.cause", "simulated" },
        { "__orderflow.errors.stage", "process" },
        { "__orderflow.errors.first_failed", "1700000000000" },
        { "__orderflow.errors.last_failed", "1700000006000" },
        { "__orderflow.errors.schema_id", "1" },
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const char *found = world_dead_header(&world, 2, 0, wanted[i][0]);
        assert_non_null(found);
        assert_string_equal(found, wanted[i][1]);
    }
    assert_null(world_dead_header(&world, 2, 0, OF_RETRY_HEADER_NAME));
    char timestamp[32];
    snprintf(timestamp, sizeof timestamp, "%lld",
             (long long)of_memory_at(world.cluster, OF_MEMORY_ORDERS, 2, 0)->timestamp_ms);
    assert_string_equal(world_dead_header(&world, 2, 0, "__orderflow.errors.timestamp"), timestamp);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.retry_attempts, 3);
    assert_int_equal(totals.dead_letters, 1);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_poison_is_dead_at_once_with_its_cause(void **state)
{
    (void)state;
    static const uint8_t bare[] = { 0, 0, 0, 0, 1 };
    static const uint8_t magic[] = { 7, 0, 0, 0, 1, 2, 'a', 2, 'b', 0, 0, 0, 0 };
    static const uint8_t unknown[] = { 0, 0, 0, 0, 99, 2, 'a', 2, 'b', 0, 0, 0, 0 };
    static const uint8_t trailing[] = { 0, 0, 0, 0, 1, 2, 'a', 2, 'b', 0, 0, 0, 0, 0 };
    static const uint8_t forged[] = { 0, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 'a' };
    static const uint8_t unusable[] = { 0, 0, 0, 0, 2, 2, 'a' };
    static const uint8_t not_a_number[] = { 0, 0, 0, 0, 1, 2, 'a', 2, 'b', 0, 0, 0xc0, 0x7f };
    static const uint8_t infinite[] = { 0, 0, 0, 0, 1, 2, 'a', 2, 'b', 0, 0, 0x80, 0xff };
    static const uint8_t too_much[] = { 0, 0, 0, 0, 1, 2, 'a', 2, 'b', 0, 0, 0x7a, 0x44 }; /* 1000 */
    static const struct {
        const uint8_t *value;
        size_t length;
        const char *cause, *stage;
    } poison[] = {
        { NULL, 0, "null_value", "decode" },
        { bare, 3, "bad_framing", "decode" },
        { bare, 0, "bad_framing", "decode" },
        { magic, sizeof magic, "bad_framing", "decode" },
        { bare, sizeof bare, "undecodable", "decode" },
        { trailing, sizeof trailing, "undecodable", "decode" },
        { forged, sizeof forged, "undecodable", "decode" },
        { unknown, sizeof unknown, "unknown_schema", "decode" },
        { unusable, sizeof unusable, "unresolvable_schema", "decode" },
        { not_a_number, sizeof not_a_number, "invalid_value", "process" },
        { infinite, sizeof infinite, "invalid_value", "process" },
        { too_much, sizeof too_much, "invalid_value", "process" },
    };
    enum { COUNT = sizeof poison / sizeof *poison };
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .min_value = -1, .max_value = 999.99 });
    assert_int_equal(of_registry_mock_register(world.registry, "{\"type\":\"record\",\"name\":\"X\",\"fields\":[]}"), 2);
    for (int i = 0; i < COUNT; i++) {
        world_append_order(&world, 0, 2 * i);
        world_append_raw(&world, 0, poison[i].value, poison[i].length);
    }
    world_start(&world);
    world_run_to_end(&world, 5000);
    assert_int_equal(world_dead_count(&world), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct of_memory_record *dead = of_memory_at(world.cluster, OF_MEMORY_DEAD, 0, i);
        assert_true(of_slice_equal(dead->value, of_slice_of(poison[i].value, poison[i].length)));
        assert_string_equal(world_dead_header(&world, 0, i, "__orderflow.errors.cause"), poison[i].cause);
        assert_string_equal(world_dead_header(&world, 0, i, "__orderflow.errors.class"), "poison");
        assert_string_equal(world_dead_header(&world, 0, i, "__orderflow.errors.attempts"), "0");
        assert_string_equal(world_dead_header(&world, 0, i, "__orderflow.errors.stage"), poison[i].stage);
    }
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.orders_processed, COUNT);
    assert_int_equal(totals.retry_attempts, 0);
    assert_int_equal(totals.dead_letters, COUNT);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
append_with_retry_header(struct world *world, enum of_memory_topic topic, const char *group, int number)
{
    uint8_t value[64], packed[256];
    char id[16];
    snprintf(id, sizeof id, "%d", number);
    size_t length = orders_encode(world->schema_id, id, "Phone", 1.5F, value, sizeof value);
    const struct of_retry_header header = {
        .group = of_slice_str(group), .origin_topic = of_slice_str("orders"), .origin_offset = 5, .attempts = 3,
        .due_ms = 1, .first_failed_ms = 1, .cause = OF_CAUSE_SIMULATED,
    };
    size_t bytes = of_retry_header_encode(&header, packed, sizeof packed);
    assert_int_not_equal(bytes, 0);
    const struct of_header headers[] = { { OF_RETRY_HEADER_NAME, of_slice_of(packed, bytes) } };
    of_memory_append(world->cluster, topic, 0, of_slice_str(id), of_slice_of(value, length), headers, 1);
}

static void
test_retry_headers_count_only_where_they_belong(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0 });
    append_with_retry_header(&world, OF_MEMORY_ORDERS, "order-consumer-group", 1); /* ignored: a new order */
    append_with_retry_header(&world, OF_MEMORY_RETRY, "another-group", 2);         /* passed over */
    append_with_retry_header(&world, OF_MEMORY_RETRY, "order-consumer-group", 3);  /* its last attempt */
    uint8_t value[64];
    size_t length = orders_encode(world.schema_id, "4", "Phone", 1.5F, value, sizeof value);
    const struct of_header garbage = { OF_RETRY_HEADER_NAME, of_slice_str("garbage") };
    of_memory_append(world.cluster, OF_MEMORY_RETRY, 0, of_slice_str("4"), of_slice_of(value, length), &garbage, 1);
    world_start(&world);
    world_run_to_end(&world, 20000);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.dead_letters, 3);
    assert_int_equal(totals.retry_attempts, 3 + 0 + 3);
    assert_int_equal(totals.orders_processed, 0);
    assert_true(of_slice_equal(of_memory_at(world.cluster, OF_MEMORY_DEAD, 0, 0)->key, of_slice_str("3")));
    assert_string_equal(world_dead_header(&world, 0, 0, "__orderflow.errors.offset"), "5");
    for (uint32_t i = 1; i < 3; i++) { /* 1 and 4, in either order */
        bool from_retry = strcmp(world_dead_header(&world, 0, i, "__orderflow.errors.topic"), "orders-retry") == 0;
        const char *offset = world_dead_header(&world, 0, i, "__orderflow.errors.offset");
        assert_string_equal(offset, from_retry ? "2" : "0");
    }
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
append_framed_by_guid(struct world *world, struct of_schema_key key, bool in_header, const char *id)
{
    uint8_t bytes[128], guid[OF_FRAMING_GUID_BYTES] = { OF_FRAMING_GUID_MAGIC };
    for (int i = 0; i < 16; i++)
        guid[1 + i] = (uint8_t)((i < 8 ? key.high : key.low) >> 8 * (7 - i % 8));
    uint8_t *value = bytes + sizeof guid - OF_FRAMING_BYTES;
    size_t length = orders_encode(1, id, "Phone", 1.5F, value, sizeof bytes - sizeof guid) - OF_FRAMING_BYTES;
    memcpy(bytes, guid, sizeof guid); /* in place of the id */
    const struct of_header header = { OF_FRAMING_HEADER, of_slice_of(guid, sizeof guid) };
    struct of_slice whole = in_header ? of_slice_of(bytes + sizeof guid, length)
                                      : of_slice_of(bytes, sizeof guid + length);
    of_memory_append(world->cluster, OF_MEMORY_ORDERS, 0, of_slice_str(id), whole, &header, in_header);
}

static void
test_orders_may_name_their_schema_by_guid_and_in_a_header(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    struct of_schema_key good = of_registry_mock_guid(world.schema_id), unknown = of_registry_mock_guid(77);
    append_framed_by_guid(&world, good, false, "1");
    append_framed_by_guid(&world, good, true, "2");
    append_framed_by_guid(&world, good, true, ""); /* a body that begins like an id */
    world_append_order(&world, 0, 3);
    append_framed_by_guid(&world, unknown, true, "4");
    append_framed_by_guid(&world, good, true, "5");
    const struct of_header guid = { OF_FRAMING_HEADER, of_slice_str("\1" "0123456789abcde") };
    of_memory_append(world.cluster, OF_MEMORY_ORDERS, 0, of_slice_str("6"), of_slice_str("x"), &guid, 1);
    world_start(&world);
    world_run_to_end(&world, 20000);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.orders_processed, 5);
    assert_int_equal(totals.dead_letters, 2);
    assert_string_equal(world_dead_header(&world, 0, 0, "__orderflow.errors.cause"), "unknown_schema");
    assert_string_equal(world_dead_header(&world, 0, 0, "__orderflow.errors.schema_id"),
                        "6d6f636b-0000-4000-8000-00000000004d");
    assert_string_equal(world_dead_header(&world, 0, 1, "__orderflow.errors.cause"), "bad_framing");
    assert_null(world_dead_header(&world, 0, 1, "__orderflow.errors.schema_id"));
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_a_bare_body_may_begin_like_the_value_before_it(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    assert_int_equal(world.schema_id, 1);
    uint8_t guid[OF_FRAMING_GUID_BYTES] = { OF_FRAMING_GUID_MAGIC };
    const struct of_schema_key key = of_registry_mock_guid(1);
    for (int i = 0; i < 16; i++)
        guid[1 + i] = (uint8_t)((i < 8 ? key.high : key.low) >> 8 * (7 - i % 8));
    const struct of_header header = { OF_FRAMING_HEADER, of_slice_of(guid, sizeof guid) };
    for (int i = 0; i < 3; i++) {
        world_append_order(&world, 0, i);
        /* no id, no product, 8.0625; or a zero byte, schema id 1, and an order that is cut off */
        of_memory_append(world.cluster, OF_MEMORY_ORDERS, 0, of_slice_str("b"), of_slice_of("\0\0\0\0\1\x41", 6), &header,
                         1);
    }
    world_start(&world);
    world_run_to_end(&world, 20000);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.orders_processed, 6);
    assert_int_equal(totals.dead_letters, 0);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_what_does_not_match_the_schema_of_its_header_says_why(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    const uint8_t id[] = { 0, 0, 0, 0, (uint8_t)world.schema_id };
    const struct of_header by_id = { OF_FRAMING_HEADER, of_slice_of(id, sizeof id) };
    world_append_order(&world, 0, 1);
    of_memory_append(world.cluster, OF_MEMORY_ORDERS, 0, of_slice_str("2"), of_slice_str("\2a\2b"), &by_id, 1);
    world_start(&world);
    world_run_to_end(&world, 20000);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.orders_processed, 1);
    assert_string_equal(world_dead_header(&world, 0, 0, "__orderflow.errors.cause"), "undecodable");
    assert_string_equal(world_dead_header(&world, 0, 0, "__orderflow.errors.schema_id"), "1");
    assert_non_null(strstr(world_dead_header(&world, 0, 0, "__orderflow.errors.message"),
                           of_decode_result_text(OF_DECODE_TRUNCATED)));
    of_totals_fini(&totals);
    world_destroy(&world);
}

/* ---- holds ---- */

static void
test_registry_down_holds_only_the_partition_that_needs_it(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 3 });
    world_append_orders(&world, 0, 30);
    world_start(&world);
    world_pass_ms(&world, 200);
    assert_int_equal(world_live_orders(&world), 30);

    uint32_t second = of_registry_mock_register(
        world.registry, "{\"type\":\"record\",\"name\":\"Order2\",\"fields\":["
                        "{\"name\":\"orderId\",\"type\":\"string\"},{\"name\":\"product\",\"type\":\"string\"},"
                        "{\"name\":\"price\",\"type\":\"float\"}]}");
    of_registry_mock_inject(world.registry, OF_MOCK_SILENT, NULL, OF_MOCK_FOREVER);
    world_append_order(&world, 1, 31); /* before the cut: counted */
    uint8_t value[64];
    size_t length = orders_encode(second, "x", "Desk", 2.0F, value, sizeof value);
    world_append_raw(&world, 1, value, length);
    world_append_order(&world, 1, 34); /* behind it: waits, although its schema is known */
    world_append_order(&world, 0, 30);
    world_append_order(&world, 2, 32);
    world_pass_ms(&world, 20000);
    assert_int_equal(world_live_orders(&world), 33);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 11);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 1), 11);
    assert_int_equal(world_dead_count(&world), 0);
    struct of_pipeline_progress progress;
    of_pipeline_progress(world.pipeline, &progress);
    assert_int_equal(progress.held, 1);

    of_registry_mock_inject(world.registry, 0, NULL, 0);
    world_run_to_end(&world, 10000);
    assert_int_equal(world_live_orders(&world), 35);
    of_pipeline_progress(world.pipeline, &progress);
    assert_int_equal(progress.held, 0);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.orders_processed, 35);
    assert_int_equal(totals.dead_letters, 0);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_a_held_partition_can_be_revoked(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 2 });
    of_registry_mock_inject(world.registry, 503, NULL, OF_MOCK_FOREVER);
    world_append_orders(&world, 0, 10);
    world_start(&world);
    world_pass_ms(&world, 1000);
    of_memory_revoke(world.cluster, 0);
    world_pass_ms(&world, 500);
    of_registry_mock_inject(world.registry, 0, NULL, 0);
    of_memory_assign(world.cluster, 0);
    world_run_to_end(&world, 10000);
    world_stop_and_check(&world, 10);
    world_destroy(&world);
}

/* A letter is refused, at once or by its report: the partition starts again from what is committed, the others go on,
 * and nothing is counted twice. */
static void
refuse_letters(enum of_memory_topic topic, bool later)
{
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 3, .failure_rate = 0.3, .retry_delay_ms = 50 });
    world_append_orders(&world, 0, 600);
    world_start(&world);
    world_pass_ms(&world, 5);
    of_memory_fail_letters(world.cluster, topic, 40, OF_RETRY, later);
    world_append_orders(&world, 600, 600);
    world_run_to_end(&world, 120000);
    struct orders_expected expected;
    world_expect(&world, 1200, &expected);
    assert_int_equal(world_dead_count(&world), expected.dead); /* written once each */
    orders_expected_fini(&expected);
    world_stop_and_check(&world, 1200);
    world_destroy(&world);
}

static void
test_refused_letters_lose_and_double_nothing(void **state)
{
    (void)state;
    refuse_letters(OF_MEMORY_RETRY, false);
    refuse_letters(OF_MEMORY_RETRY, true);
    refuse_letters(OF_MEMORY_DEAD, false);
    refuse_letters(OF_MEMORY_DEAD, true);
}

/* Barriers go on between the refusal and the new epoch, because other partitions move: they must not make publish forget
 * what of the refused partition is written and not committed. */
static void
test_refusals_while_others_flow_double_nothing(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 3, .failure_rate = 0.3, .retry_delay_ms = 50 });
    world_start(&world);
    int orders = 0;
    for (int round = 0; round < 200; round++) {
        world_append_orders(&world, orders, 30);
        orders += 30;
        if (round % 5 == 0)
            of_memory_fail_letters(world.cluster, OF_MEMORY_RETRY, 1, OF_RETRY, true);
        /* A report that comes late, behind the barrier's arrival. */
        of_memory_hold_reports(world.cluster, round % 4 != 3);
        world_pass_ms(&world, 40);
    }
    of_memory_hold_reports(world.cluster, false);
    world_run_to_end(&world, 120000);
    world_stop_and_check(&world, orders);
    world_destroy(&world);
}

/* One of ten letters is refused while a barrier waits for them, and the next barrier comes before the partition is read
 * again: the nine that are written stay known. */
static void
test_a_barrier_between_refusal_and_restart_forgets_no_letter(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 2, .failure_rate = 1.0, .max_retries = UINT32_MAX });
    of_memory_hold_reports(world.cluster, true);
    of_memory_fail_letters(world.cluster, OF_MEMORY_DEAD, 1, OF_RETRY, true);
    for (int number = 0; number < 20; number += 2)
        world_append_order(&world, 0, number);
    world_start(&world);
    world_pass_ms(&world, 180); /* the barrier came after 100 ms */
    of_memory_hold_reports(world.cluster, false);
    world_append_order(&world, 1, 1); /* gives the next one a reason; it comes before the back-off of 100 ms is over */
    world_run_to_end(&world, 5000);
    assert_int_equal(world_dead_count(&world), 11);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.dead_letters, 11);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_offsets_wait_for_acknowledged_letters(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0, .max_retries = UINT32_MAX });
    of_memory_hold_reports(world.cluster, true);
    world_append_orders(&world, 0, 10);
    world_start(&world);
    world_pass_ms(&world, 5000);
    assert_int_equal(world_dead_count(&world), 10);
    assert_true(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0) <= 0);
    of_memory_hold_reports(world.cluster, false);
    world_pass_ms(&world, 200);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 10);
    world_stop_and_check(&world, 10);
    world_destroy(&world);
}

/* While a barrier waits for letters, letters of both slots are refused at once, so that the whole lane starts again and
 * the barrier need not wait: but what it waits for is not acknowledged. */
static void
test_a_barrier_that_need_not_wait_commits_nothing(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0, .max_retries = 1,
                                                   .retry_delay_ms = 400 });
    world_append_orders(&world, 0, 1);
    world_start(&world);
    world_pass_ms(&world, 250);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 1);
    of_memory_hold_reports(world.cluster, true);
    world_append_orders(&world, 1, 10);
    world_pass_ms(&world, 110); /* the barrier waits */
    of_memory_fail_letters(world.cluster, OF_MEMORY_RETRY, 1, OF_RETRY, false);
    of_memory_fail_letters(world.cluster, OF_MEMORY_DEAD, 1, OF_RETRY, false);
    world_append_orders(&world, 11, 1);
    world_pass_ms(&world, 1000); /* the first order's retry has become due, too */
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 1);
    of_memory_hold_reports(world.cluster, false);
    world_run_to_end(&world, 10000);
    assert_int_equal(world_dead_count(&world), 12);
    world_stop_and_check(&world, 12);
    world_destroy(&world);
}

static void
test_an_order_with_too_many_headers_is_not_retried_and_loses_them(void **state)
{
    (void)state;
    static struct of_header headers[OF_LETTER_HEADERS_MOST + 1];
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0 });
    for (uint32_t i = 0; i < OF_LETTER_HEADERS_MOST + 1; i++)
        headers[i] = (struct of_header) { "foreign", of_slice_str("x") };
    for (int more = 1; more >= 0; more--) {
        char id[16];
        uint8_t value[ORDERS_VALUE_BYTES];
        size_t length = orders_encode_number(world.schema_id, more, id, value);
        of_memory_append(world.cluster, OF_MEMORY_ORDERS, 0, of_slice_str(id), of_slice_of(value, length), headers,
                         (uint32_t)(OF_LETTER_HEADERS_MOST + more));
    }
    world_start(&world);
    world_run_to_end(&world, 60000);
    assert_int_equal(world_dead_count(&world), 2);
    assert_string_equal(world_dead_header(&world, 0, 0, "__orderflow.errors.attempts"), "1");
    assert_null(world_dead_header(&world, 0, 0, "foreign"));
    assert_string_equal(world_dead_header(&world, 0, 1, "__orderflow.errors.attempts"), "4");
    assert_string_equal(world_dead_header(&world, 0, 1, "foreign"), "x");
    struct of_totals totals;
    world_stop(&world, &totals);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_oversize_dead_letters_shrink(void **state)
{
    (void)state;
    static uint8_t big[8000];
    memset(big, 'x', sizeof big);
    const struct of_header foreign = { "foreign", of_slice_of(big, 3000) };
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    of_memory_append(world.cluster, OF_MEMORY_ORDERS, 0, of_slice_str("a"), of_slice_of(big, 1000), &foreign, 1);
    of_memory_append(world.cluster, OF_MEMORY_ORDERS, 0, of_slice_str("b"), of_slice_of(big, 8000), NULL, 0);
    of_memory_limit_letters(world.cluster, 3000);
    world_start(&world);
    world_run_to_end(&world, 5000);
    assert_int_equal(world_dead_count(&world), 2);
    assert_null(world_dead_header(&world, 0, 0, "foreign"));
    assert_int_equal(of_memory_at(world.cluster, OF_MEMORY_DEAD, 0, 0)->value.length, 1000);
    assert_int_equal(of_memory_at(world.cluster, OF_MEMORY_DEAD, 0, 1)->value.length, 1024);
    assert_string_equal(world_dead_header(&world, 0, 1, "__orderflow.errors.value_bytes"), "8000");
    assert_int_equal(strlen(world_dead_header(&world, 0, 1, "__orderflow.errors.value_sha256")), 64);
    struct of_totals totals;
    world_stop(&world, &totals);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_letters_too_large_by_report_shrink_too(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0 });
    of_memory_fail_letters(world.cluster, OF_MEMORY_RETRY, 1, OF_POISON, true);
    world_append_orders(&world, 0, 1);
    world_start(&world);
    world_run_to_end(&world, 10000);
    assert_int_equal(world_dead_count(&world), 1); /* it cannot be retried, so it is dead after its first attempt */
    assert_string_equal(world_dead_header(&world, 0, 0, "__orderflow.errors.attempts"), "1");
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.dead_letters, 1);
    assert_int_equal(totals.retry_attempts, 0);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_a_full_producer_is_back_pressure(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) {
        .partitions = 2, .failure_rate = 0.5, .retry_delay_ms = 10, .letters_in_flight = 7 });
    of_memory_limit_queue(world.cluster, 5);
    world_append_orders(&world, 0, 3000);
    world_start(&world);
    world_run_to_end(&world, 60000);
    world_stop_and_check(&world, 3000);
    world_destroy(&world);
}

/* ---- commits and rebalances ---- */

static void
test_a_commit_that_fails_is_sent_again(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .failure_rate = 0.1, .retry_delay_ms = 20 });
    of_memory_fail_commits(world.cluster, 3, OF_RETRY);
    world_append_orders(&world, 0, 300);
    world_start(&world);
    world_run_to_end(&world, 5000);
    world_stop_and_check(&world, 300);
    world_destroy(&world);
}

static void
test_a_commit_that_is_refused_takes_everything_back(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 2 });
    world_append_orders(&world, 0, 100);
    world_start(&world);
    world_pass_ms(&world, 150);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 50);
    of_memory_fail_commits(world.cluster, 1, OF_ABORT);
    world_append_orders(&world, 100, 100);
    world_pass_ms(&world, 110);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 50);
    world_run_to_end(&world, 5000);
    assert_int_equal(world_live_orders(&world), 200);
    world_stop_and_check(&world, 200);
    world_destroy(&world);
}

/* When the commit is refused one batch behind its barrier is through and another, counted by aggregate, still waits for
 * the producer. The next barrier must not commit the one with what was counted of the other. */
static void
test_a_refused_commit_voids_what_is_behind_its_barrier(void **state)
{
    (void)state;
    struct orders_expected before, all;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 0.5, .max_retries = UINT32_MAX });
    world_expect(&world, 10 + OF_BATCH_RECORDS, &before);
    world_expect(&world, 400, &all);
    of_memory_hold_reports(world.cluster, true);
    world_append_orders(&world, 0, 10);
    world_start(&world);
    world_pass_ms(&world, 110); /* the barrier waits for the letters of these */
    of_memory_limit_queue(world.cluster, (uint32_t)before.dead + 1);
    world_append_orders(&world, 10, 390);
    world_pass_ms(&world, 100);
    of_memory_fail_commits(world.cluster, 1, OF_ABORT);
    of_memory_hold_reports(world.cluster, false);
    world_run_to_end(&world, 5000);
    assert_int_equal(world_dead_count(&world), all.dead);
    world_stop_and_check(&world, 400);
    orders_expected_fini(&before);
    orders_expected_fini(&all);
    world_destroy(&world);
}

static void
test_revoked_partitions_are_drained_and_committed(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .lanes = 2, .partitions = 4, .decode_threads = 2,
                                                   .failure_rate = 0.2, .retry_delay_ms = 100 });
    world_start(&world);
    for (int round = 0; round < 20; round++) {
        world_append_orders(&world, 100 * round, 100);
        world_pass_ms(&world, 7 * round);
        of_memory_revoke(world.cluster, (uint32_t)round % 2);
        world_pass_ms(&world, 3);
        int64_t end = of_memory_end(world.cluster, OF_MEMORY_ORDERS, (uint32_t)round % 2);
        assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, (uint32_t)round % 2), end);
        of_memory_assign(world.cluster, (uint32_t)round % 2);
    }
    world_run_to_end(&world, 10000);
    world_stop_and_check(&world, 2000);
    world_destroy(&world);
}

/* The group asks again while the lane is draining: that changes nothing. */
static void
test_a_second_revocation_drops_nothing(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 0.5, .retry_delay_ms = 20 });
    world_start(&world);
    world_append_orders(&world, 0, 100);
    of_memory_hold_reports(world.cluster, true);
    world_pass_ms(&world, 10);
    of_memory_revoke(world.cluster, 0);
    world_pass_ms(&world, 10);
    of_memory_revoke(world.cluster, 0);
    world_pass_ms(&world, 10);
    of_memory_hold_reports(world.cluster, false);
    world_pass_ms(&world, 10);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 100);
    of_memory_assign(world.cluster, 0);
    world_run_to_end(&world, 5000);
    world_stop_and_check(&world, 100);
    world_destroy(&world);
}

static void
test_lost_partitions_count_only_what_was_committed(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 2 });
    world_append_orders(&world, 0, 100);
    world_start(&world);
    world_pass_ms(&world, 150);
    world_append_orders(&world, 100, 60);
    world_pass_ms(&world, 2);
    assert_int_equal(world_live_orders(&world), 160);
    of_memory_lose(world.cluster, 0);
    world_pass_ms(&world, 2);
    assert_int_equal(world_live_orders(&world), 0);
    assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0), 50);
    of_memory_assign(world.cluster, 0);
    world_run_to_end(&world, 5000);
    world_stop_and_check(&world, 160);
    world_destroy(&world);
}

/* The refusal of a letter is reported after its partition was lost, and before anything of it is home. */
static void
test_a_letter_is_refused_when_its_partition_is_lost(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0, .max_retries = UINT32_MAX });
    of_memory_hold_reports(world.cluster, true);
    of_memory_fail_letters(world.cluster, OF_MEMORY_DEAD, 1, OF_RETRY, true);
    world_append_orders(&world, 0, 10);
    world_start(&world);
    world_pass_ms(&world, 200);
    of_memory_lose(world.cluster, 0);
    of_memory_hold_reports(world.cluster, false);
    world_pass_ms(&world, 200);
    of_memory_assign(world.cluster, 0);
    world_run_to_end(&world, 5000);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.dead_letters, 10);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_draining_gives_up_at_its_deadline(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .partitions = 1, .failure_rate = 1.0, .max_retries = UINT32_MAX,
                                                   .drain_timeout_ms = 3000 });
    of_memory_hold_reports(world.cluster, true);
    world_append_orders(&world, 0, 10);
    world_start(&world);
    world_pass_ms(&world, 500);
    of_memory_revoke(world.cluster, 0);
    world_pass_ms(&world, 2900);
    struct of_pipeline_progress progress;
    of_pipeline_progress(world.pipeline, &progress);
    assert_false(progress.drain_timed_out);
    world_pass_ms(&world, 200);
    of_pipeline_progress(world.pipeline, &progress);
    assert_true(progress.drain_timed_out);
    assert_int_equal(progress.slots, 0);
    assert_true(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, 0) <= 0);

    /* The next owner, here the same member, reads them again; late reports of the first time concern nobody. */
    of_memory_hold_reports(world.cluster, false);
    of_memory_assign(world.cluster, 0);
    world_run_to_end(&world, 5000);
    struct of_totals totals;
    world_stop(&world, &totals);
    assert_int_equal(totals.dead_letters, 10);
    of_totals_fini(&totals);
    world_destroy(&world);
}

static void
test_positions_are_asked_for_until_they_are_known(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { 0 });
    of_memory_fail_positions(world.cluster, 5);
    world_append_orders(&world, 0, 30);
    world_start(&world);
    world_pass_ms(&world, 1000);
    assert_int_equal(world_live_orders(&world), 0);
    world_run_to_end(&world, 5000);
    world_stop_and_check(&world, 30);
    world_destroy(&world);
}

static void
test_stops_before_anything_is_assigned(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .lanes = 3, .partitions = 2 });
    world_start(&world);
    world_stop_and_check(&world, 0);
    world_destroy(&world);
}

static void
test_a_second_run_goes_on_where_the_first_stopped(void **state)
{
    (void)state;
    struct world world;
    world_create(&world, &(struct world_options) { .failure_rate = 0.3 });
    world_append_orders(&world, 0, 500);
    world_start(&world);
    world_pass_ms(&world, 150);
    struct of_totals totals;
    world_stop(&world, &totals); /* retries wait in their topic */
    assert_true(totals.orders_processed < 500 && totals.orders_processed > 300);
    for (uint32_t p = 0; p < 3; p++)
        assert_int_equal(of_memory_committed(world.cluster, OF_MEMORY_ORDERS, p),
                         of_memory_end(world.cluster, OF_MEMORY_ORDERS, p));
    of_totals_fini(&totals);
    world_destroy(&world);
}

static uint32_t closed;

static void
count_close(void *self)
{
    (void)self;
    closed++;
}

/* What could not be built has closed nothing: who opened the sources and sinks can still close them. */
static void
test_a_pipeline_that_cannot_be_built_closes_nothing(void **state)
{
    (void)state;
    struct of_memory_cluster *cluster = of_memory_cluster_create(1, 2);
    struct of_source_ops source_ops = *of_memory_source(cluster, 0).ops;
    struct of_sink_ops sink_ops = *of_memory_sink(cluster, 0).ops;
    source_ops.close = sink_ops.close = count_close;
    struct of_source sources[2] = { { &source_ops, NULL }, { &source_ops, NULL } };
    struct of_sink sinks[2] = { { &sink_ops, NULL }, { &sink_ops, NULL } };
    const struct of_restorer_ops restorer_ops = { .close = count_close };
    struct of_restorer restorers[2] = { { &restorer_ops, NULL }, { &restorer_ops, NULL } };
    const struct of_pipeline_options options = {
        .fetch_threads = 2, .decode_threads = 1, .threads = true, .clock = of_clock_system(), .sources = sources,
        .sinks = sinks, .restorers = restorers, .memory_bytes = 1 << 20, .letters_in_flight = 1 };
    struct of_pipeline *pipeline;
    struct of_error err;
    struct rlimit before, few;
    int next_fd = dup(0);
    close(next_fd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit) { (rlim_t)next_fd + 1, before.rlim_max }; /* one more, of the four that it needs */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    enum of_status status = of_pipeline_create(&options, &pipeline, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, OF_FATAL);
    assert_int_equal(closed, 0);

    assert_int_equal(of_pipeline_create(&options, &pipeline, &err), OF_OK);
    of_pipeline_destroy(&pipeline); /* never started */
    assert_int_equal(closed, 6);
    of_memory_cluster_destroy(&cluster);
}

/* ---- a broker that is away at the start ---- */

static int starts;

static enum of_status
start_at_the_second_try(void *self, int wake_fd, struct of_error *err)
{
    (void)self;
    (void)wake_fd;
    return ++starts < 2 ? of_error_set(err, OF_RETRY, "no broker answers") : OF_OK;
}

static bool
after_the_first_try(void)
{
    return starts >= 1;
}

static bool
never(void)
{
    return false;
}

static void
replace_start(struct world *world, struct of_sink_ops *ops)
{
    *ops = *world->sinks[0].ops;
    ops->start = start_at_the_second_try;
    world->sinks[0].ops = ops;
    starts = 0;
}

static void
test_a_start_waits_for_the_broker(void **state)
{
    (void)state;
    struct world world;
    struct of_sink_ops ops;
    world_create(&world, &(struct world_options) { .stopping = never });
    replace_start(&world, &ops);
    world_append_orders(&world, 0, 30);
    world_start(&world);
    assert_int_equal(starts, 2);
    world_run_to_end(&world, 2000);
    world_stop_and_check(&world, 30);
    world_destroy(&world);
}

static void
test_a_start_that_waits_can_be_stopped(void **state)
{
    (void)state;
    struct world world;
    struct of_sink_ops ops;
    struct of_error err;
    world_create(&world, &(struct world_options) { .stopping = after_the_first_try });
    replace_start(&world, &ops);
    assert_int_equal(of_pipeline_start(world.pipeline, &err), OF_RETRY);
    assert_string_equal(err.text, "lane 0: no broker answers");
    world_destroy(&world);
}

static void
test_wiring_can_be_printed(void **state)
{
    (void)state;
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    struct world world;
    world_create(&world, &(struct world_options) { .lanes = 2, .decode_threads = 2 });
    of_pipeline_print_wiring(world.pipeline, out);
    fclose(out);
    assert_non_null(strstr(text, "fetch[1]"));
    assert_non_null(strstr(text, "batches home"));
    free(text);
    world_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_every_order_once_whatever_the_threads),
        cmocka_unit_test(test_live_totals_follow_at_once),
        cmocka_unit_test(test_gaps_and_empty_partitions_are_normal),
        cmocka_unit_test(test_a_retry_waits_its_time_and_nothing_else_does),
        cmocka_unit_test(test_retries_that_are_due_are_read_in_one_turn),
        cmocka_unit_test(test_a_clock_step_keeps_no_retry_for_long),
        cmocka_unit_test(test_dead_letters_say_what_happened),
        cmocka_unit_test(test_poison_is_dead_at_once_with_its_cause),
        cmocka_unit_test(test_orders_may_name_their_schema_by_guid_and_in_a_header),
        cmocka_unit_test(test_a_bare_body_may_begin_like_the_value_before_it),
        cmocka_unit_test(test_what_does_not_match_the_schema_of_its_header_says_why),
        cmocka_unit_test(test_retry_headers_count_only_where_they_belong),
        cmocka_unit_test(test_registry_down_holds_only_the_partition_that_needs_it),
        cmocka_unit_test(test_a_held_partition_can_be_revoked),
        cmocka_unit_test(test_refused_letters_lose_and_double_nothing),
        cmocka_unit_test(test_refusals_while_others_flow_double_nothing),
        cmocka_unit_test(test_a_barrier_between_refusal_and_restart_forgets_no_letter),
        cmocka_unit_test(test_offsets_wait_for_acknowledged_letters),
        cmocka_unit_test(test_a_barrier_that_need_not_wait_commits_nothing),
        cmocka_unit_test(test_an_order_with_too_many_headers_is_not_retried_and_loses_them),
        cmocka_unit_test(test_oversize_dead_letters_shrink),
        cmocka_unit_test(test_letters_too_large_by_report_shrink_too),
        cmocka_unit_test(test_a_full_producer_is_back_pressure),
        cmocka_unit_test(test_a_commit_that_fails_is_sent_again),
        cmocka_unit_test(test_a_commit_that_is_refused_takes_everything_back),
        cmocka_unit_test(test_a_refused_commit_voids_what_is_behind_its_barrier),
        cmocka_unit_test(test_revoked_partitions_are_drained_and_committed),
        cmocka_unit_test(test_a_second_revocation_drops_nothing),
        cmocka_unit_test(test_lost_partitions_count_only_what_was_committed),
        cmocka_unit_test(test_a_letter_is_refused_when_its_partition_is_lost),
        cmocka_unit_test(test_draining_gives_up_at_its_deadline),
        cmocka_unit_test(test_positions_are_asked_for_until_they_are_known),
        cmocka_unit_test(test_stops_before_anything_is_assigned),
        cmocka_unit_test(test_a_second_run_goes_on_where_the_first_stopped),
        cmocka_unit_test(test_a_pipeline_that_cannot_be_built_closes_nothing),
        cmocka_unit_test(test_a_start_waits_for_the_broker),
        cmocka_unit_test(test_a_start_that_waits_can_be_stopped),
        cmocka_unit_test(test_wiring_can_be_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
