/* The whole pipeline on a source in memory: what the stages themselves cost, by the number of their threads. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "bench.h"
#include "core/assert.h"
#include "core/memory_cluster.h"
#include "order/memory_restorer.h"
#include "machine.h"
#include "orders.h"
#include "pipeline.h"
#include "registry/mock.h"

enum { PARTITIONS = 8, ORDERS_HELD = 10000, LOOK_MS = 2, PATIENCE_S = 120 };

static const char registry[] = "bench";

struct settings {
    struct bench_settings common;
    int64_t count;
    double failing;
};

#define AT(field) .commands = 1, .offset = offsetof(struct settings, field)
static const struct of_option rows[] = {
    BENCH_OPTIONS(struct settings),
    { .name = "count", .section = "Orders", .type = OF_OPTION_INT, .min = PARTITIONS, .max = INT64_C(1) << 40,
      .initial = "5000000", AT(count), .placeholder = "COUNT", .help = "orders that each run processes" },
    { .name = "failing", .section = "Orders", .type = OF_OPTION_DOUBLE, .low = 0, .high = 1, .initial = "0",
      AT(failing), .placeholder = "RATE", .help = "share of attempts that fail, and are retried at once" },
};
#undef AT

struct threads {
    const char *title;
    uint32_t fetch, decode, process, aggregate;
};

struct stages {
    struct settings settings;
    struct bench bench;
    struct bench_orders orders;
};

/* One run. */
struct run {
    const struct stages *stages;
    const struct threads *threads;
    struct of_memory_cluster *cluster;
    struct of_groups *groups;
    struct of_schema_cache *schemas;
    struct of_pipeline *_Atomic pipeline;
    struct of_source sources[OF_THREADS_PER_STAGE];
    struct of_sink sinks[OF_THREADS_PER_STAGE];
    struct of_restorer restorers[OF_THREADS_PER_STAGE];
};

static const _Atomic int64_t state_schema_id = 1;

static void
wake(void *context)
{
    struct of_pipeline *pipeline = atomic_load(&((struct run *)context)->pipeline);
    if (pipeline != NULL)
        of_pipeline_wake(pipeline);
}

static enum of_status
open_schemas(struct run *run, struct of_error *err)
{
    char url[32];
    snprintf(url, sizeof url, "mock://%s", registry);
    struct of_registry_client *client;
    enum of_status status = of_registry_client_open(&(struct of_registry_options) { .urls = url }, &client, err);
    if (status != OF_OK)
        return status;
    const struct of_schema_cache_options options = {
        .fields = { .value = "price", .group_by = "product", .id = "orderId" },
        .max_field_bytes = 1 << 20,
        .threaded = true,
        .changed = wake,
        .ctx = run,
    };
    return of_schema_cache_create(&options, &client, &run->schemas, err);
}

static void
fill_cluster(struct run *run)
{
    const struct bench_orders *orders = &run->stages->orders;
    for (uint32_t i = 0; i < orders->count; i++)
        of_memory_append(run->cluster, OF_MEMORY_ORDERS, i % PARTITIONS, of_slice_str("key"), orders->values[i], NULL,
                         0);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        of_memory_repeat(run->cluster, p, run->stages->settings.count / PARTITIONS);
}

static enum of_status
build(struct run *run, struct of_error *err)
{
    const struct threads *threads = run->threads;
    run->cluster = of_memory_cluster_create(PARTITIONS, threads->fetch);
    run->groups = of_groups_create(1000);
    fill_cluster(run);
    for (uint32_t lane = 0; lane < threads->fetch; lane++) {
        run->sources[lane] = of_memory_source(run->cluster, lane);
        run->sinks[lane] = of_memory_sink(run->cluster, lane);
        run->restorers[lane] = of_memory_restorer(run->cluster, run->groups, of_slice_str("bench"));
    }
    enum of_status status = open_schemas(run, err);
    if (status != OF_OK)
        return status;
    const struct of_pipeline_options options = {
        .fetch_threads = threads->fetch,
        .decode_threads = threads->decode,
        .process_threads = threads->process,
        .aggregate_threads = threads->aggregate,
        .threads = true,
        .clock = of_clock_system(),
        .sources = run->sources,
        .sinks = run->sinks,
        .restorers = run->restorers,
        .state_schema_id = &state_schema_id,
        .value_field = of_slice_str("price"),
        .group_by_field = of_slice_str("product"),
        .groups = run->groups,
        .schemas = run->schemas,
        .group = of_slice_str("bench"),
        .max_retries = 3,
        .commit_interval_ms = 100,
        .drain_timeout_ms = 10000,
        .memory_bytes = 256 << 20,
        .letters_in_flight = 100000,
        .process = {
            .min_value = -INFINITY,
            .max_value = INFINITY,
            .failure_rate = run->stages->settings.failing,
            .seed = 1,
        },
    };
    struct of_pipeline *pipeline;
    status = of_pipeline_create(&options, &pipeline, err);
    if (status == OF_OK)
        atomic_store(&run->pipeline, pipeline);
    return status;
}

static void
end(struct run *run)
{
    struct of_pipeline *pipeline = run->pipeline;
    if (pipeline != NULL)
        of_pipeline_finish(pipeline);
    if (run->schemas != NULL)
        OF_ASSERT(of_schema_cache_stop(run->schemas, of_clock_mono_ns(of_clock_system()) + OF_SECOND_NS) == OF_OK);
    of_pipeline_destroy(&pipeline);
    of_schema_cache_destroy(&run->schemas);
    of_groups_destroy(&run->groups);
    of_memory_cluster_destroy(&run->cluster);
}

static void
rest(void)
{
    nanosleep(&(struct timespec) { .tv_nsec = LOOK_MS * OF_MS_NS }, NULL);
}

static bool
all_committed(const struct run *run)
{
    for (enum of_memory_topic topic = OF_MEMORY_ORDERS; topic <= OF_MEMORY_RETRY; topic++)
        for (uint32_t p = 0; p < PARTITIONS; p++) {
            int64_t last = of_memory_end(run->cluster, topic, p);
            if (last > 0 && of_memory_committed(run->cluster, topic, p) < last)
                return false;
        }
    return true;
}

/* Until everything is committed, and the pipeline has left. */
static bool
drain(struct run *run)
{
    int64_t deadline_ns = of_clock_mono_ns(of_clock_system()) + PATIENCE_S * OF_SECOND_NS;
    while (!all_committed(run) && of_clock_mono_ns(of_clock_system()) < deadline_ns)
        rest();
    of_pipeline_stop(run->pipeline);
    while (of_pipeline_state(run->pipeline) == OF_PIPELINE_RUNNING && of_clock_mono_ns(of_clock_system()) < deadline_ns)
        rest();
    return of_pipeline_state(run->pipeline) == OF_PIPELINE_LEFT;
}

static bool
measure(struct run *run, double *values)
{
    struct of_error err;
    if (of_pipeline_start(run->pipeline, &err) != OF_OK || !drain(run)) {
        fprintf(stderr, "stages: the pipeline did not drain\n");
        return false;
    }
    struct of_pipeline_progress progress;
    of_pipeline_progress(run->pipeline, &progress);
    double count = (double)(run->stages->settings.count / PARTITIONS * PARTITIONS);
    values[0] = count / ((double)(progress.last_settled_ns - progress.first_assigned_ns) / 1e9);
    return true;
}

static bool
run_pipeline(const struct stages *stages, const struct threads *threads, double *values)
{
    struct run run = { .stages = stages, .threads = threads };
    struct of_error err;
    bool ok = build(&run, &err) == OF_OK;
    struct bench_busy from = bench_busy();
    if (ok)
        ok = measure(&run, values);
    else
        fprintf(stderr, "stages: %s\n", err.text);
    struct bench_busy to = bench_busy();
    values[1] = (to.own_s - from.own_s) * 1e9 / (double)stages->settings.count;
    end(&run);
    return ok;
}

static const struct threads least = { "two threads: fetch to aggregate, and publish", 1, 0, 0, 0 };
static const struct threads choices[] = {
    { "a thread per stage", 1, 1, 1, 1 },
    { "decode apart, process and aggregate inside", 1, 1, 0, 0 },
    { "decode, and process with aggregate", 1, 1, 1, 0 },
    { "two decode threads", 1, 2, 1, 1 },
    { "two lanes, everything inside", 2, 0, 0, 0 },
};

struct variant {
    const struct stages *stages;
    const struct threads *threads;
};

static bool
run_variant(void *context, double *values)
{
    const struct variant *variant = context;
    return run_pipeline(variant->stages, variant->threads, values);
}

static bool
compare(struct stages *self, const struct threads *threads)
{
    static const struct bench_metric metrics[] = { { "orders/s", 0 }, { "CPU ns/order", 0 } };
    struct variant baseline = { self, &least }, candidate = { self, threads };
    char name[64];
    snprintf(name, sizeof name, "threads %u %u %u %u", threads->fetch, threads->decode, threads->process,
             threads->aggregate);
    const struct bench_case what = {
        .title = threads->title,
        .metrics = metrics,
        .metric_count = 2,
        .baseline = { "threads 1 0 0 0", run_variant, &baseline },
        .candidate = { name, run_variant, &candidate },
    };
    return bench_compare(&self->bench, &what);
}

int
main(int argc, char **argv)
{
    static const struct bench_description description = { "stages", rows, sizeof rows / sizeof *rows, false, false };
    static struct stages self;
    int status;
    if (!bench_open(&self.bench, &description, argc, argv, &self.settings, &status))
        return status;
    bench_orders_make(&self.orders, ORDERS_HELD, of_registry_mock_register(registry, bench_order_schema));
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof choices / sizeof *choices; i++)
        ok = compare(&self, &choices[i]);
    bench_orders_free(&self.orders);
    return bench_close(&self.bench, ok);
}
