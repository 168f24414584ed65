/* Health of a pipeline that runs on one thread under a clock that stands still, asked through a real socket. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <jansson.h>

#include "commands/health.h"
#include "registry/mock.h"
#include "support/http_ask.h"
#include "support/world.h"

static struct world world;
static struct of_health *health;
static struct of_pipeline *_Atomic shown;
static struct of_aggregate_schema *state_schema;

/* A broker that answers when the test lets it. */
static struct {
    sem_t asked, may_answer;
    int32_t partitions;
    enum of_status status;
} broker;

/* Partitions in the world; not started, and health does not see it yet. */
static int
set_up(void **state)
{
    (void)state;
    struct of_error err;
    world_create(&world, &(struct world_options) { .partitions = 3 });
    atomic_store(&shown, NULL);
    const struct of_health_options options = {
        .address = "0", .clock = &world.clock, .pipeline = &shown, .state_schema = &state_schema,
    };
    return of_health_open(&options, &health, &err) == OF_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    sem_post(&broker.may_answer); /* who waits for it could not be closed */
    of_health_close(&health);
    of_aggregate_schema_close(&state_schema);
    world_destroy(&world);
    return 0;
}

static void
show(void)
{
    world_start(&world);
    atomic_store(&shown, atomic_load(&world.pipeline));
}

static json_t *
ask(const char *path, int status)
{
    static struct http_answer answer;
    http_ask(of_health_address(health), "GET", path, &answer);
    if (answer.status != status)
        fail_msg("%s answers %d: %s", path, answer.status, answer.body);
    json_error_t error;
    json_t *found = json_loads(answer.body, 0, &error);
    if (found == NULL)
        fail_msg("%s: %s", error.text, answer.body);
    return found;
}

static void
assert_ready(int partitions)
{
    json_t *answer = ask("/readyz", 200);
    assert_true(json_is_true(json_object_get(answer, "ready")));
    assert_int_equal(json_array_size(json_object_get(answer, "reasons")), 0);
    assert_int_equal(json_integer_value(json_object_get(answer, "partitions")), partitions);
    json_decref(answer);
}

/* Not ready, for this one reason, which is returned; the caller releases *answer. */
static json_t *
assert_reason(const char *reason, json_t **answer)
{
    *answer = ask("/readyz", 503);
    assert_true(json_is_false(json_object_get(*answer, "ready")));
    json_t *reasons = json_object_get(*answer, "reasons");
    assert_int_equal(json_array_size(reasons), 1);
    json_t *first = json_array_get(reasons, 0);
    assert_string_equal(json_string_value(json_object_get(first, "reason")), reason);
    assert_true(json_string_length(json_object_get(first, "text")) > 0);
    return first;
}

static void
assert_only_reason(const char *reason)
{
    json_t *answer;
    assert_reason(reason, &answer);
    json_decref(answer);
}

static void
it_is_alive_before_it_is_ready(void **state)
{
    (void)state;
    json_decref(ask("/healthz", 200));
    assert_only_reason("starting");
    show();
    assert_only_reason("joining");
    world_pass_ms(&world, 10);
    assert_ready(6);
    json_decref(ask("/", 404));
}

static void
a_member_with_nothing_to_do_is_ready(void **state)
{
    (void)state;
    show();
    world_pass_ms(&world, 10);
    of_memory_revoke(world.cluster, 0);
    world_pass_ms(&world, 10);
    assert_only_reason("joining");
    of_memory_assign(world.cluster, 0);
    world_pass_ms(&world, 10);
    assert_ready(6);
}

static void
held_partitions_say_why(void **state)
{
    (void)state;
    of_registry_mock_inject(world.registry, 503, NULL, OF_MOCK_FOREVER);
    world_append_order(&world, 1, 0);
    show();
    int64_t began_ms = world.clock.fake_wall_ms;
    for (int i = 0; i < 20; i++) { /* through every try */
        world_pass_ms(&world, 997);
        json_t *answer, *reason = assert_reason("held", &answer);
        assert_string_equal(json_string_value(json_object_get(reason, "topic")), "orders");
        assert_int_equal(json_integer_value(json_object_get(reason, "partition")), 1);
        assert_int_equal(json_integer_value(json_object_get(reason, "offset")), 0);
        assert_string_equal(json_string_value(json_object_get(reason, "cause")), "registry_unavailable");
        assert_in_range(json_integer_value(json_object_get(reason, "since")), began_ms, began_ms + 900);
        assert_non_null(strstr(json_string_value(json_object_get(reason, "text")), "503"));
        json_decref(answer);
    }
    json_decref(ask("/healthz", 200));
    of_registry_mock_inject(world.registry, 0, NULL, 0);
    world_run_to_end(&world, 10000);
    assert_ready(6);
}

static void
partitions_that_were_given_up_hold_nothing(void **state)
{
    (void)state;
    of_registry_mock_inject(world.registry, 503, NULL, OF_MOCK_FOREVER);
    world_append_order(&world, 1, 0);
    show();
    world_pass_ms(&world, 1000);
    assert_only_reason("held");
    of_memory_revoke(world.cluster, 0);
    world_pass_ms(&world, 500);
    assert_only_reason("joining");
}

static void
a_thread_that_does_not_turn_is_told(void **state)
{
    (void)state;
    show();
    world_pass_ms(&world, 10);
    of_clock_advance(&world.clock, 29 * OF_SECOND_NS);
    json_decref(ask("/healthz", 200));
    of_clock_advance(&world.clock, 2 * OF_SECOND_NS);
    json_t *answer = ask("/healthz", 503);
    json_t *stalled = json_array_get(json_object_get(answer, "stalled"), 0);
    assert_string_equal(json_string_value(json_object_get(stalled, "thread")), "all");
    assert_true(json_number_value(json_object_get(stalled, "seconds")) >= 30);
    json_decref(answer);
    world_pass_ms(&world, 1);
    json_decref(ask("/healthz", 200));
}

static struct of_aggregate_schema *
open_state_schema(const char *url)
{
    const struct of_settings settings = { .registry = url, .aggregates_topic = "totals", .registry_timeout_ms = 1000 };
    struct of_aggregate_schema *schema;
    struct of_error err;
    assert_int_equal(of_aggregate_schema_open(&(struct of_aggregate_schema_options) { &settings, NULL, NULL, &world.clock },
                                              &schema, &err), OF_OK);
    return schema;
}

static void
rest_ms(int64_t ms)
{
    nanosleep(&(struct timespec) { .tv_nsec = ms * OF_MS_NS }, NULL);
}

/* Its thread goes by the real clock, how long it may take by the health's. */
static void
a_schema_of_totals_that_is_refused_is_told(void **state)
{
    (void)state;
    of_registry_mock_reset("refuses");
    of_registry_mock_inject("refuses", 403, NULL, OF_MOCK_FOREVER);
    state_schema = open_state_schema("mock://refuses");
    show();
    for (int i = 0; of_registry_mock_requests("refuses") < 3; i++) { /* one attempt is two */
        assert_in_range(i, 0, 10000);
        rest_ms(1);
    }
    world_pass_ms(&world, 4990);
    assert_ready(6);
    world_pass_ms(&world, 20);
    json_t *answer, *reason = assert_reason("state_schema", &answer);
    assert_non_null(strstr(json_string_value(json_object_get(reason, "text")), "403"));
    json_decref(answer);
    of_registry_mock_inject("refuses", 0, NULL, 0);
    for (int i = 0; atomic_load(of_aggregate_schema_id(state_schema)) < 0; i++) {
        assert_in_range(i, 0, 10000);
        rest_ms(1);
    }
    assert_ready(6);
}

static enum of_status
ask_broker(void *context, int32_t *partitions, struct of_error *err)
{
    (void)context;
    sem_post(&broker.asked);
    while (sem_wait(&broker.may_answer) != 0)
        continue;
    *partitions = broker.partitions;
    return broker.status == OF_OK ? OF_OK : of_error_set(err, broker.status, "the broker says no");
}

/* Lets the broker give this answer, and waits until it is known: it is asked again a second later. */
static void
let_answer(enum of_status status, int32_t partitions)
{
    broker.status = status;
    broker.partitions = partitions;
    sem_post(&broker.may_answer);
    sem_wait(&broker.asked);
}

static void
open_with_broker(void)
{
    struct of_error err;
    const struct of_health_options options = {
        .address = "0", .clock = &world.clock, .pipeline = &shown, .look = ask_broker,
    };
    of_health_close(&health);
    sem_init(&broker.asked, 0, 0);
    sem_init(&broker.may_answer, 0, 0);
    assert_int_equal(of_health_open(&options, &health, &err), OF_OK);
    sem_wait(&broker.asked);
}

static double
broker_age(int status)
{
    json_t *answer = ask("/readyz", status);
    json_t *age = json_object_get(answer, "broker_age");
    double seconds = age != NULL ? json_number_value(age) : -1;
    json_decref(answer);
    return seconds;
}

/* Each answer here is given while a broker is being asked that does not answer. */
static void
nobody_waits_for_a_broker(void **state)
{
    (void)state;
    show();
    world_pass_ms(&world, 10);
    open_with_broker();
    assert_only_reason("broker_unknown");
    assert_true(broker_age(503) < 0);
    json_decref(ask("/healthz", 200));
    let_answer(OF_OK, 3);
    assert_ready(6);
    assert_true(broker_age(200) >= 0);
    let_answer(OF_RETRY, 0);
    assert_only_reason("broker_unreachable");
    json_decref(ask("/healthz", 200));
    let_answer(OF_FATAL, 0);
    assert_only_reason("broker_refuses");
    let_answer(OF_OK, 0);
    assert_only_reason("topic_missing");
    let_answer(OF_OK, 3);
    assert_ready(6);
}

static void
the_end_is_told(void **state)
{
    (void)state;
    show();
    world_pass_ms(&world, 10);
    of_pipeline_stop(world.pipeline);
    world_pass_ms(&world, 100);
    assert_only_reason("left");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_alive_before_it_is_ready),
        TEST(a_member_with_nothing_to_do_is_ready),
        TEST(held_partitions_say_why),
        TEST(partitions_that_were_given_up_hold_nothing),
        TEST(a_thread_that_does_not_turn_is_told),
        TEST(a_schema_of_totals_that_is_refused_is_told),
        TEST(nobody_waits_for_a_broker),
        TEST(the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
