#include "embedded/member.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "kafka/restorer.h"
#include "kafka/sink_librdkafka.h"

enum { SEED = 1, STOP_MS = 20000, EVENTS = 1000 };

static void
wake_pipeline(void *arg)
{
    struct member *member = arg;
    struct of_pipeline *pipeline = atomic_load(&member->pipeline);
    if (pipeline != NULL)
        of_pipeline_wake(pipeline);
}

static void
open_schemas(struct member *member)
{
    struct of_error err;
    char url[80];
    snprintf(url, sizeof url, "mock://%s", member->shop->registry);
    struct of_registry_client *client;
    assert_int_equal(of_registry_client_open(&(struct of_registry_options) { .urls = url }, &client, &err), OF_OK);
    const struct of_schema_cache_options options = {
        .fields = { .value = "price", .group_by = "product", .id = "orderId" },
        .max_field_bytes = 1 << 20,
        .threaded = true,
        .changed = wake_pipeline,
        .ctx = member,
    };
    assert_int_equal(of_schema_cache_create(&options, &client, &member->schemas, &err), OF_OK);
}

static const struct of_state_fields fields = { { (const uint8_t *)"price", 5 }, { (const uint8_t *)"product", 7 } };
static const _Atomic int64_t state_schema_id = 99;

static void
open_pipeline(struct member *member)
{
    const struct member_options *options = &member->options;
    struct of_error err;
    for (uint32_t lane = 0; lane < options->lanes; lane++) {
        const struct of_kafka_options *kafka = &member->shop->fixture.options;
        assert_int_equal(FIXTURE_OPEN_SOURCE(kafka, &member->sources[lane], &err), OF_OK);
        assert_int_equal(of_sink_librdkafka_open(kafka, &member->sinks[lane], &err), OF_OK);
        assert_int_equal(of_restorer_librdkafka_open(kafka, member->shop->groups, &fields, &member->restorers[lane], &err),
                         OF_OK);
        member->events[lane] = of_event_queue_create(EVENTS);
    }
    const struct of_pipeline_options wanted = {
        .fetch_threads = options->lanes,
        .decode_threads = options->decode_threads,
        .process_threads = options->process_threads,
        .aggregate_threads = options->aggregate_threads,
        .threads = true,
        .clock = of_clock_system(),
        .sources = member->sources,
        .sinks = member->sinks,
        .restorers = member->restorers,
        .state_schema_id = &state_schema_id,
        .value_field = fields.value,
        .group_by_field = fields.group_by,
        .partition_events = member->events,
        .groups = member->shop->groups,
        .schemas = member->schemas,
        .group = of_slice_str(member->shop->fixture.options.group),
        .max_retries = options->max_retries,
        .retry_delay_ms = options->retry_delay_ms,
        .commit_interval_ms = options->commit_interval_ms,
        .drain_timeout_ms = 10000,
        .memory_bytes = 64 << 20,
        .letters_in_flight = 10000,
        .process = {
            .min_value = -INFINITY,
            .max_value = INFINITY,
            .failure_rate = options->failure_rate,
            .seed = SEED,
        },
    };
    struct of_pipeline *pipeline;
    if (of_pipeline_create(&wanted, &pipeline, &err) != OF_OK)
        fail_msg("%s", err.text);
    atomic_store(&member->pipeline, pipeline);
}

void
member_start(struct member *member, struct shop *shop, const struct member_options *options)
{
    struct of_error err;
    memset(member, 0, sizeof *member);
    member->shop = shop;
    member->options = *options;
    member->options.lanes = options->lanes ? options->lanes : 1;
    member->options.max_retries = options->max_retries ? options->max_retries : 3;
    member->options.retry_delay_ms = options->retry_delay_ms ? options->retry_delay_ms : 100;
    member->options.commit_interval_ms = options->commit_interval_ms ? options->commit_interval_ms : 100;
    open_schemas(member);
    open_pipeline(member);
    if (of_pipeline_start(member->pipeline, &err) != OF_OK)
        fail_msg("%s", err.text);
}

/* ---- ending ---- */

static void
add_row(struct of_totals *totals, const struct of_totals_row *from)
{
    struct of_totals_row *row = NULL;
    for (size_t i = 0; i < totals->row_count && row == NULL; i++)
        if (of_slice_equal(totals->rows[i].product, from->product))
            row = &totals->rows[i];
    if (row == NULL)
        row = of_totals_add_row(totals, from->product);
    row->orders_processed += from->orders_processed;
    of_exact_sum_merge(&row->sum, &from->sum);
}

static void
add_totals(const struct member *member, bool all, struct of_totals *totals)
{
    struct of_totals own;
    of_totals_init(&own);
    if (all)
        of_pipeline_add_totals(member->pipeline, &own);
    else
        of_pipeline_add_run_totals(member->pipeline, &own);
    totals->orders_processed += own.orders_processed;
    totals->retry_attempts += own.retry_attempts;
    totals->dead_letters += own.dead_letters;
    of_exact_sum_merge(&totals->sum, &own.sum);
    for (size_t i = 0; i < own.row_count; i++)
        add_row(totals, &own.rows[i]);
    of_totals_fini(&own);
}

static void
stop(struct member *member, bool all, struct of_totals *totals)
{
    struct of_pipeline *pipeline = member->pipeline;
    struct of_pipeline_progress progress;
    bool fenced;
    int64_t until_ms = test_now_ms() + STOP_MS;
    of_pipeline_stop(pipeline);
    while (of_pipeline_state(pipeline) == OF_PIPELINE_RUNNING && test_now_ms() < until_ms)
        usleep(5000);
    if (of_pipeline_state(pipeline) != OF_PIPELINE_LEFT)
        fail_msg("did not leave: %s", of_pipeline_error(pipeline, &fenced));
    of_pipeline_progress(pipeline, &progress);
    assert_false(progress.drain_timed_out);
    of_pipeline_finish(pipeline);
    add_totals(member, all, totals);
    /* The lookup thread may still wake the pipeline: it ends first. */
    int64_t deadline_ns = of_clock_mono_ns(of_clock_system()) + 10 * OF_SECOND_NS;
    assert_int_equal(of_schema_cache_stop(member->schemas, deadline_ns), OF_OK);
    of_pipeline_destroy(&pipeline);
    of_schema_cache_destroy(&member->schemas);
    for (uint32_t lane = 0; lane < member->options.lanes; lane++)
        of_event_queue_destroy(&member->events[lane]);
}

void
member_stop(struct member *member, struct of_totals *totals)
{
    stop(member, false, totals);
}

void
member_stop_last(struct member *member, struct of_totals *totals)
{
    stop(member, true, totals);
}

/* ---- looking ---- */

static void
take_events(struct member *member, uint32_t lane)
{
    struct of_event_queue *queue = member->events[lane];
    for (struct of_event *event; (event = of_event_queue_receive(queue)) != NULL;) {
        member->slots[lane] += event->kind == OF_EVENT_ASSIGNED;
        member->slots[lane] -= event->kind == OF_EVENT_REVOKED || event->kind == OF_EVENT_LOST;
        of_event_queue_give_back(queue, event);
    }
}

void
member_wait_for_lanes(struct member *member, int limit_ms)
{
    int64_t until_ms = test_now_ms() + limit_ms;
    for (uint32_t lane = 0; lane < member->options.lanes; usleep(10000)) {
        assert_true(test_now_ms() < until_ms);
        for (lane = 0; lane < member->options.lanes; lane++) {
            take_events(member, lane);
            if (member->slots[lane] == 0)
                break;
        }
    }
}

void
member_progress(const struct member *member, struct of_pipeline_progress *progress)
{
    of_pipeline_progress(member->pipeline, progress);
}

uint64_t
member_live_orders(const struct member *member)
{
    struct of_live_totals live;
    of_pipeline_live(member->pipeline, &live);
    of_exact_sum_fini(&live.sum);
    return live.orders_processed;
}

uint64_t
member_committed_orders(const struct member *member)
{
    struct of_totals totals;
    of_totals_init(&totals);
    of_pipeline_add_run_totals(member->pipeline, &totals);
    uint64_t orders = totals.orders_processed;
    of_totals_fini(&totals);
    return orders;
}

uint64_t
member_live_retries(const struct member *member)
{
    struct of_live_totals live;
    of_pipeline_live(member->pipeline, &live);
    of_exact_sum_fini(&live.sum);
    return live.retry_attempts;
}

static void
wait_for(uint64_t (*counted)(const struct member *), const struct member *member, uint64_t orders, int limit_ms)
{
    int64_t until_ms = test_now_ms() + limit_ms;
    while (counted(member) < orders) {
        if (test_now_ms() >= until_ms)
            fail_msg("%d of %d orders after %d ms", (int)counted(member), (int)orders, limit_ms);
        usleep(1000);
    }
}

void
member_wait_for_orders(const struct member *member, uint64_t orders, int limit_ms)
{
    wait_for(member_live_orders, member, orders, limit_ms);
}

void
member_wait_for_committed(const struct member *member, uint64_t orders, int limit_ms)
{
    wait_for(member_committed_orders, member, orders, limit_ms);
}

void
member_check(const struct member *member, const struct of_totals *totals, int count)
{
    const struct orders_rules rules = {
        .partitions = FIXTURE_PARTITIONS,
        .max_retries = member->options.max_retries,
        .failure_rate = member->options.failure_rate,
        .seed = SEED,
    };
    struct orders_expected expected;
    orders_expect(&rules, count, &expected);
    orders_check(totals, &expected);
    orders_expected_fini(&expected);
}
