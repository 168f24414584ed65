#include "commands/aggregate_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/log.h"
#include "registry/mock.h"
#include "support/log_reader.h"

#define MOCK "aggregate-schema"

static _Atomic int woken;

static const struct of_settings settings = {
    .registry = "mock://" MOCK,
    .aggregates_topic = "orders-aggregates",
    .registry_timeout_ms = 10000,
};

static void
wake(void *context)
{
    assert_ptr_equal(context, &woken);
    atomic_fetch_add(&woken, 1);
}

static struct of_aggregate_schema *
open_schema(void)
{
    const struct of_aggregate_schema_options options = { &settings, wake, &woken, of_clock_system() };
    struct of_aggregate_schema *schema;
    struct of_error err;
    atomic_store(&woken, 0);
    assert_int_equal(of_aggregate_schema_open(&options, &schema, &err), OF_OK);
    return schema;
}

static void
rest_ms(int64_t ms)
{
    nanosleep(&(struct timespec) { .tv_nsec = ms * OF_MS_NS }, NULL);
}

static void
await_requests(uint64_t count)
{
    for (int i = 0; of_registry_mock_requests(MOCK) < count; i++) {
        assert_in_range(i, 0, 10000);
        rest_ms(1);
    }
}

static void
await_id(const struct of_aggregate_schema *schema)
{
    for (int i = 0; atomic_load(of_aggregate_schema_id(schema)) < 0 || atomic_load(&woken) == 0; i++) {
        assert_in_range(i, 0, 10000);
        rest_ms(1);
    }
}

static void
the_id_becomes_known(void **state)
{
    (void)state;
    uint32_t again;
    struct of_error err;
    of_registry_mock_reset(MOCK);
    struct of_aggregate_schema *schema = open_schema();
    await_id(schema);
    assert_int_equal(of_aggregate_schema_register(&settings, &again, &err), OF_OK);
    assert_int_equal(atomic_load(of_aggregate_schema_id(schema)), again);
    assert_int_equal(atomic_load(&woken), 1);
    of_aggregate_schema_close(&schema);
    of_aggregate_schema_close(&schema);
}

static void
a_registry_that_is_down_is_asked_again_and_told_of_once(void **state)
{
    (void)state;
    log_hide();
    of_registry_mock_reset(MOCK);
    of_registry_mock_inject(MOCK, OF_MOCK_SILENT, NULL, OF_MOCK_FOREVER);
    uint64_t lines = of_log_lines();
    struct of_aggregate_schema *schema = open_schema();
    await_requests(3);
    assert_int_equal(atomic_load(of_aggregate_schema_id(schema)), -1);
    assert_int_equal(of_log_lines() - lines, 1);
    of_registry_mock_inject(MOCK, 403, NULL, 1); /* another trouble, then none */
    await_id(schema);
    assert_int_equal(of_log_lines() - lines, 3);
    of_aggregate_schema_close(&schema);
    log_show();
}

static void
what_stands_in_the_way_can_be_asked(void **state)
{
    (void)state;
    struct of_error why;
    int64_t begun_ns = of_clock_mono_ns(of_clock_system()), since_ns;
    of_log_set_levels("error");
    of_registry_mock_reset(MOCK);
    of_registry_mock_inject(MOCK, 503, NULL, OF_MOCK_FOREVER);
    struct of_aggregate_schema *schema = open_schema();
    await_requests(2); /* the first has been answered, and the answer kept */
    assert_true(of_aggregate_schema_obstacle(schema, &since_ns, &why));
    assert_non_null(strstr(why.text, "503"));
    assert_in_range(since_ns, begun_ns, of_clock_mono_ns(of_clock_system()));
    of_registry_mock_inject(MOCK, 0, NULL, 0);
    await_id(schema);
    assert_false(of_aggregate_schema_obstacle(schema, &since_ns, &why));
    of_aggregate_schema_close(&schema);
    of_log_set_levels("info");
}

static void
closing_does_not_wait_for_the_registry(void **state)
{
    (void)state;
    of_log_set_levels("error");
    of_registry_mock_reset(MOCK);
    of_registry_mock_inject(MOCK, 503, NULL, OF_MOCK_FOREVER);
    struct of_aggregate_schema *schema = open_schema();
    await_requests(5); /* the next one is due in 1.6 s */
    int64_t begun_ns = of_clock_mono_ns(of_clock_system());
    of_aggregate_schema_close(&schema);
    assert_in_range(of_clock_mono_ns(of_clock_system()) - begun_ns, 0, OF_SECOND_NS);
    assert_int_equal(atomic_load(&woken), 0);
    of_log_set_levels("info");
}

/* A directory for schemas spares the registry the second time. */
static void
an_id_that_was_kept_is_known_at_once(void **state)
{
    (void)state;
    char folder[] = "/tmp/aggregate-schema-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    struct of_settings keeping = settings;
    keeping.registry_cache_dir = folder;
    const struct of_aggregate_schema_options options = { &keeping, wake, &woken, of_clock_system() };
    struct of_aggregate_schema *schema;
    struct of_error err;
    of_registry_mock_reset(MOCK);
    atomic_store(&woken, 0);
    assert_int_equal(of_aggregate_schema_open(&options, &schema, &err), OF_OK);
    await_id(schema);
    int64_t id = atomic_load(of_aggregate_schema_id(schema));
    of_aggregate_schema_close(&schema);
    of_registry_mock_inject(MOCK, 503, NULL, OF_MOCK_FOREVER);
    assert_int_equal(of_aggregate_schema_open(&options, &schema, &err), OF_OK);
    assert_int_equal(atomic_load(of_aggregate_schema_id(schema)), id);
    of_aggregate_schema_close(&schema);
    of_registry_mock_reset(MOCK);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void
what_is_no_registry_is_refused(void **state)
{
    (void)state;
    struct of_aggregate_schema *schema;
    struct of_error err;
    const struct of_settings wrong = { .registry = "ftp://x", .aggregates_topic = "a" };
    const struct of_aggregate_schema_options options = { &wrong, NULL, NULL, of_clock_system() };
    assert_int_equal(of_aggregate_schema_open(&options, &schema, &err), OF_FATAL);
    assert_null(schema);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_becomes_known),
        cmocka_unit_test(a_registry_that_is_down_is_asked_again_and_told_of_once),
        cmocka_unit_test(what_stands_in_the_way_can_be_asked),
        cmocka_unit_test(closing_does_not_wait_for_the_registry),
        cmocka_unit_test(an_id_that_was_kept_is_known_at_once),
        cmocka_unit_test(what_is_no_registry_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
