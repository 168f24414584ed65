#include "support/world.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "registry/mock.h"
#include "support/orders.h"

enum { EVENTS = 1000 };

static void
wake_pipeline(void *arg)
{
    struct world *world = arg;
    struct of_pipeline *pipeline = atomic_load(&world->pipeline);
    if (pipeline != NULL)
        of_pipeline_wake(pipeline);
}

static void
set_defaults(struct world_options *options)
{
    options->partitions = options->partitions ? options->partitions : 3;
    options->lanes = options->lanes ? options->lanes : 1;
    options->max_retries = options->max_retries == 0 ? 3 : options->max_retries;
    if (options->max_retries == UINT32_MAX)
        options->max_retries = 0;
    options->retry_delay_ms = options->retry_delay_ms ? options->retry_delay_ms : 2000;
    options->drain_timeout_ms = options->drain_timeout_ms ? options->drain_timeout_ms : 10000;
    options->commit_interval_ms = options->commit_interval_ms ? options->commit_interval_ms : 100;
    options->letters_in_flight = options->letters_in_flight ? options->letters_in_flight : 1000;
    if (options->min_value == 0 && options->max_value == 0) {
        options->min_value = -INFINITY;
        options->max_value = INFINITY;
    }
}

static void
create_schemas(struct world *world)
{
    static int number;
    struct of_error err;
    snprintf(world->registry, sizeof world->registry, "world-%d", number++);
    world->schema_id = of_registry_mock_register(world->registry, orders_schema);
    assert_int_not_equal(world->schema_id, 0);
    char url[80];
    snprintf(url, sizeof url, "mock://%s", world->registry);
    struct of_registry_client *client;
    assert_int_equal(of_registry_client_open(&(struct of_registry_options) { .urls = url }, &client, &err), OF_OK);
    const struct of_schema_cache_options options = {
        .fields = { .value = "price", .group_by = "product", .id = "orderId" },
        .max_field_bytes = 1 << 20,
        .threaded = world->options.threads,
        .changed = wake_pipeline,
        .ctx = world,
    };
    assert_int_equal(of_schema_cache_create(&options, &client, &world->schemas, &err), OF_OK);
}

static void
create_pipeline(struct world *world)
{
    const struct of_pipeline_options options = {
        .fetch_threads = world->options.lanes,
        .decode_threads = world->options.decode_threads,
        .process_threads = world->options.process_threads,
        .aggregate_threads = world->options.aggregate_threads,
        .threads = world->options.threads,
        .clock = world->options.threads ? of_clock_system() : &world->clock,
        .sources = world->sources,
        .sinks = world->sinks,
        .restorers = world->restorers,
        .state_schema_id = &world->state_schema_id,
        .value_field = of_slice_str("price"),
        .group_by_field = of_slice_str("product"),
        .groups = world->groups,
        .schemas = world->schemas,
        .group = of_slice_str("order-consumer-group"),
        .partition_events = world->options.events ? world->events : NULL,
        .listeners = world->options.listeners,
        .max_retries = world->options.max_retries,
        .retry_delay_ms = world->options.retry_delay_ms,
        .commit_interval_ms = world->options.commit_interval_ms,
        .drain_timeout_ms = world->options.drain_timeout_ms,
        .stopping = world->options.stopping,
        .memory_bytes = 8 << 20,
        .letters_in_flight = world->options.letters_in_flight,
        .measure = !world->options.unmeasured,
        .process = {
            .min_value = world->options.min_value,
            .max_value = world->options.max_value,
            .failure_rate = world->options.failure_rate,
            .seed = world->seed,
        },
    };
    struct of_error err;
    struct of_pipeline *pipeline;
    if (of_pipeline_create(&options, &pipeline, &err) != OF_OK)
        fail_msg("%s", err.text);
    atomic_store(&world->pipeline, pipeline);
}

static void
open_lanes(struct world *world)
{
    for (uint32_t lane = 0; lane < world->options.lanes; lane++) {
        world->sources[lane] = of_memory_source(world->cluster, lane);
        world->sinks[lane] = world->options.exactly_once ? of_memory_transactional_sink(world->cluster, lane)
                                                         : of_memory_sink(world->cluster, lane);
        if (world->options.wrap != NULL)
            world->sinks[lane] = world->options.wrap(world->sinks[lane]);
        world->restorers[lane] = of_memory_restorer(world->cluster, world->groups,
                                                    of_slice_str("order-consumer-group"));
    }
}

void
world_create(struct world *world, const struct world_options *options)
{
    memset(world, 0, sizeof *world);
    world->options = *options;
    set_defaults(&world->options);
    world->seed = 1;
    world->clock = of_clock_fake(1000 * OF_SECOND_NS, INT64_C(1700000000000));
    world->cluster = of_memory_cluster_create(world->options.partitions, world->options.lanes);
    world->groups = of_groups_create(1000);
    for (uint32_t lane = 0; world->options.events && lane < world->options.lanes; lane++)
        world->events[lane] = of_event_queue_create(EVENTS);
    world->state_schema_id = 99;
    open_lanes(world);
    create_schemas(world);
    create_pipeline(world);
    if (!world->options.threads)
        of_schema_cache_enter(); /* as the pipeline's threads would, if there were any */
}

void
world_destroy(struct world *world)
{
    /* The lookup thread may still wake the pipeline: it ends first. */
    of_pipeline_finish(world->pipeline);
    if (!world->options.threads)
        of_schema_cache_leave();
    int64_t deadline_ns = of_clock_mono_ns(of_clock_system()) + 10 * OF_SECOND_NS;
    assert_int_equal(of_schema_cache_stop(world->schemas, deadline_ns), OF_OK);
    struct of_pipeline *pipeline = world->pipeline;
    of_pipeline_destroy(&pipeline);
    of_schema_cache_destroy(&world->schemas);
    for (uint32_t lane = 0; lane < world->options.lanes; lane++)
        if (world->events[lane] != NULL)
            of_event_queue_destroy(&world->events[lane]);
    of_groups_destroy(&world->groups);
    of_memory_cluster_destroy(&world->cluster);
}

void
world_start(struct world *world)
{
    struct of_error err;
    if (of_pipeline_start(world->pipeline, &err) != OF_OK)
        fail_msg("%s", err.text);
}

void
world_crash(struct world *world)
{
    struct of_pipeline *pipeline = world->pipeline;
    of_pipeline_finish(pipeline);
    of_pipeline_destroy(&pipeline);
    of_memory_members_die(world->cluster);
    open_lanes(world);
    create_pipeline(world);
    world_start(world);
}

/* ---- time ---- */

static void
do_all_work(struct world *world)
{
    for (int turns = 0; turns < 100000; turns++) {
        int64_t deadline_ns = OF_NEVER_NS;
        of_schema_cache_step(world->schemas, of_clock_mono_ns(&world->clock));
        if (of_pipeline_turn(world->pipeline, &deadline_ns) == 0)
            return;
    }
    fail_msg("the pipeline never comes to rest");
}

void
world_pass_ms(struct world *world, int64_t ms)
{
    if (world->options.threads) {
        nanosleep(&(struct timespec) { ms / 1000, ms % 1000 * 1000000 }, NULL);
        return;
    }
    for (int64_t i = 0; i < ms; i++) {
        do_all_work(world);
        of_clock_advance(&world->clock, OF_MS_NS);
    }
    do_all_work(world);
}

static bool
all_committed(struct world *world)
{
    for (int topic = OF_MEMORY_ORDERS; topic <= OF_MEMORY_RETRY; topic++)
        for (uint32_t p = 0; p < world->options.partitions; p++) {
            int64_t end = of_memory_end(world->cluster, (enum of_memory_topic)topic, p);
            if (end > 0 && of_memory_committed(world->cluster, (enum of_memory_topic)topic, p) < end)
                return false;
        }
    return true;
}

void
world_run_to_end(struct world *world, int64_t limit_ms)
{
    for (int64_t passed = 0; passed <= limit_ms; passed += 10) {
        world_pass_ms(world, 10);
        if (all_committed(world))
            return;
    }
    fail_msg("not everything is committed after %d ms", (int)limit_ms);
}

static void
stop(struct world *world)
{
    of_pipeline_stop(world->pipeline);
    for (int i = 0; i < 30000 && of_pipeline_state(world->pipeline) == OF_PIPELINE_RUNNING; i++)
        world_pass_ms(world, 1);
    bool fenced;
    if (of_pipeline_state(world->pipeline) != OF_PIPELINE_LEFT)
        fail_msg("did not leave: %s", of_pipeline_error(world->pipeline, &fenced));
    of_pipeline_finish(world->pipeline);
}

void
world_stop(struct world *world, struct of_totals *totals)
{
    stop(world);
    of_totals_init(totals);
    of_pipeline_add_run_totals(world->pipeline, totals);
}

void
world_stop_total(struct world *world, struct of_totals *totals)
{
    stop(world);
    of_totals_init(totals);
    of_pipeline_add_totals(world->pipeline, totals);
}

bool
world_take_event(struct world *world, uint32_t lane, enum of_event_kind kind, struct of_event *out)
{
    struct of_event *event;
    for (bool found = false; !found;) {
        if ((event = of_event_queue_receive(world->events[lane])) == NULL)
            return false;
        found = event->kind == kind;
        *out = *event;
        of_event_queue_give_back(world->events[lane], event);
    }
    return true;
}

/* ---- records ---- */

int64_t
world_append_order(struct world *world, uint32_t partition, int number)
{
    char id[16];
    uint8_t value[ORDERS_VALUE_BYTES];
    size_t length = orders_encode_number(world->schema_id, number, id, value);
    return of_memory_append(world->cluster, OF_MEMORY_ORDERS, partition, of_slice_str(id),
                            of_slice_of(value, length), NULL, 0);
}

void
world_append_orders(struct world *world, int first, int count)
{
    for (int number = first; number < first + count; number++)
        world_append_order(world, (uint32_t)number % world->options.partitions, number);
}

int64_t
world_append_raw(struct world *world, uint32_t partition, const void *value, size_t length)
{
    return of_memory_append(world->cluster, OF_MEMORY_ORDERS, partition, of_slice_str("key"),
                            of_slice_of(value, length), NULL, 0);
}

const char *
world_dead_header(struct world *world, uint32_t partition, uint32_t index, const char *name)
{
    static char text[2048];
    const struct of_memory_record *record = of_memory_at(world->cluster, OF_MEMORY_DEAD, partition, index);
    for (uint32_t i = 0; i < record->header_count; i++)
        if (strcmp(record->headers[i].name, name) == 0) {
            snprintf(text, sizeof text, "%.*s", (int)record->headers[i].value.length,
                     (const char *)record->headers[i].value.data);
            return text;
        }
    return NULL;
}

uint32_t
world_dead_count(struct world *world)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < world->options.partitions; p++)
        count += of_memory_count(world->cluster, OF_MEMORY_DEAD, p);
    return count;
}

uint64_t
world_live_orders(struct world *world)
{
    struct of_live_totals live;
    of_pipeline_live(world->pipeline, &live);
    of_exact_sum_fini(&live.sum);
    return live.orders_processed;
}

/* ---- what must come out ---- */

void
world_expect(const struct world *world, int count, struct orders_expected *expected)
{
    const struct orders_rules rules = {
        .partitions = world->options.partitions,
        .max_retries = world->options.max_retries,
        .failure_rate = world->options.failure_rate,
        .seed = world->seed,
    };
    orders_expect(&rules, count, expected);
}

void
world_stop_and_check(struct world *world, int count)
{
    struct of_totals totals;
    struct orders_expected expected;
    world_stop(world, &totals);
    world_expect(world, count, &expected);
    orders_check(&totals, &expected);
    orders_expected_fini(&expected);
    of_totals_fini(&totals);
}
