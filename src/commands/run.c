#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/interrupt.h"
#include "commands/kafka_options.h"
#include "commands/run_topics.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/memory_cluster.h"
#include "kafka/end_check.h"
#include "kafka/sink_librdkafka.h"
#include "kafka/source_librdkafka.h"
#include "ops/console.h"
#include "pipeline.h"

enum {
    LOOK_MS = 50,               /* how often the command looks after the pipeline */
    END_CHECK_MS = 200,         /* and, with --exit-at-end, after the group's offsets */
    LETTERS_IN_FLIGHT = 100000, /* of one lane, not acknowledged */
    LEAVE_MS = 15000,           /* beyond the drain time-out: leaving the group, closing handles */
};

/* All that a run needs, and what it opened. */
struct run {
    const struct of_command_line *line;
    const struct of_settings *settings;
    const struct of_clock *clock;
    uint32_t lanes;
    struct of_kafka_options kafka;
    struct of_groups *groups;
    struct of_schema_cache *schemas;
    struct of_console *console;
    struct of_pipeline *_Atomic pipeline;
    struct of_end_check *end_check;
    struct of_source sources[OF_THREADS_PER_STAGE];
    struct of_sink sinks[OF_THREADS_PER_STAGE];
    struct of_listener listeners[OF_THREADS_PER_STAGE];
    struct of_event_queue *partition_events[OF_THREADS_PER_STAGE];
    uint32_t opened; /* lanes whose source and sink are open and not yet the pipeline's */
};

/* ---- building ---- */

static void
wake_pipeline(void *ctx)
{
    struct of_pipeline *pipeline = atomic_load(&((struct run *)ctx)->pipeline);
    if (pipeline != NULL)
        of_pipeline_wake(pipeline);
}

static enum of_status
open_schemas(struct run *run, struct of_error *err)
{
    const struct of_settings *settings = run->settings;
    struct of_registry_client *client;
    enum of_status status = of_registry_client_open(&(struct of_registry_options) { .urls = settings->registry },
                                                    &client, err);
    if (status != OF_OK)
        return status;
    const struct of_schema_cache_options options = {
        .fields = { .value = settings->value_field, .group_by = settings->group_by_field, .id = settings->id_field },
        .max_field_bytes = (size_t)settings->max_field_bytes,
        .threaded = true,
        .changed = wake_pipeline,
        .ctx = run,
    };
    return of_schema_cache_create(&options, &client, &run->schemas, err);
}

static bool
wants_records(const void *arg)
{
    return of_console_wants_records(arg);
}

static void
live_totals(void *context, struct of_live_totals *live)
{
    of_pipeline_live(((struct run *)context)->pipeline, live);
}

static void
open_console(struct run *run)
{
    const struct of_settings *settings = run->settings;
    run->console = of_console_create(&(struct of_console_config) {
        .mode = (enum of_console_mode)settings->console,
        .out = stdout,
        .clock = run->clock,
        .lanes = 2 * run->lanes, /* publish and fetch of a lane make events, each into a queue of its own */
        .banner = {
            .brokers = settings->brokers,
            .registry = settings->registry,
            .group = settings->group,
            .topic = settings->topic,
            .retry_topic = settings->retry_topic,
            .dlq_topic = settings->dlq_topic,
            .guarantee = "at-least-once",
            .max_retries = settings->max_retries,
            .retry_delay_ms = settings->retry_delay_ms,
            .options = &run->line->options,
        },
        .live = live_totals,
        .context = run,
    });
    for (uint32_t lane = 0; lane < run->lanes; lane++) {
        run->listeners[lane] = (struct of_listener) {
            .queue = of_console_queue(run->console, lane),
            .wants_records = wants_records,
            .waits = of_console_waits(run->console),
            .arg = run->console,
        };
        run->partition_events[lane] = of_console_queue(run->console, run->lanes + lane);
    }
}

static enum of_status
open_lanes(struct run *run, struct of_error *err)
{
    struct of_kafka_options *options = &run->kafka;
    options->memory_bytes /= run->lanes;
    for (; run->opened < run->lanes; run->opened++) {
        enum of_status status = of_source_librdkafka_open(options, &run->sources[run->opened], err);
        if (status != OF_OK)
            return status;
        status = of_sink_librdkafka_open(options, &run->sinks[run->opened], err);
        if (status != OF_OK) {
            run->sources[run->opened].ops->close(run->sources[run->opened].self);
            return status;
        }
    }
    return OF_OK;
}

static enum of_status
build_pipeline(struct run *run, struct of_error *err)
{
    const struct of_settings *settings = run->settings;
    const struct of_pipeline_options options = {
        .fetch_threads = run->lanes,
        .decode_threads = (uint32_t)settings->decode_threads,
        .process_threads = (uint32_t)settings->process_threads,
        .aggregate_threads = (uint32_t)settings->aggregate_threads,
        .threads = true,
        .clock = run->clock,
        .sources = run->sources,
        .sinks = run->sinks,
        .listeners = run->console != NULL ? run->listeners : NULL,
        .partition_events = run->console != NULL ? run->partition_events : NULL,
        .groups = run->groups,
        .schemas = run->schemas,
        .group = of_slice_str(settings->group),
        .max_retries = (uint32_t)settings->max_retries,
        .retry_delay_ms = settings->retry_delay_ms,
        .commit_interval_ms = settings->commit_interval_ms,
        .drain_timeout_ms = settings->drain_timeout_ms,
        .memory_bytes = (size_t)settings->memory_mb << 20,
        .letters_in_flight = LETTERS_IN_FLIGHT,
        .process = {
            .min_value = isnan(settings->min_value) ? -INFINITY : settings->min_value,
            .max_value = isnan(settings->max_value) ? INFINITY : settings->max_value,
            .failure_rate = settings->failure_rate,
            .seed = (uint64_t)settings->seed,
        },
    };
    struct of_pipeline *pipeline;
    enum of_status status = of_pipeline_create(&options, &pipeline, err);
    if (status != OF_OK)
        return status;
    run->opened = 0;
    atomic_store(&run->pipeline, pipeline);
    return OF_OK;
}

/* Everything up to the first record. Console last, so that nothing is shown of a run that cannot begin. */
static enum of_status
begin(struct run *run, struct of_error *err)
{
    int32_t orders_partitions;
    enum of_status status = of_run_prepare_topics(&run->kafka, run->settings, &orders_partitions, err);
    if (status == OF_OK)
        status = open_schemas(run, err);
    if (status == OF_OK && run->settings->exit_at_end)
        status = of_end_check_open(&run->kafka, orders_partitions, run->kafka.retry_partitions, &run->end_check, err);
    if (status == OF_OK)
        status = open_lanes(run, err);
    if (status != OF_OK)
        return status;
    open_console(run);
    status = build_pipeline(run, err);
    if (status == OF_OK)
        status = of_console_start(run->console, err);
    if (status == OF_OK)
        status = of_pipeline_start(run->pipeline, err);
    return status;
}

static void
end(struct run *run)
{
    struct of_pipeline *pipeline = run->pipeline;
    if (pipeline != NULL)
        of_pipeline_finish(pipeline);
    /* Its thread may wake the pipeline, so it ends first. */
    if (run->schemas != NULL
        && of_schema_cache_stop(run->schemas, of_clock_mono_ns(run->clock) + 5 * OF_SECOND_NS) != OF_OK)
        return; /* a request hangs: everything is committed, and the process ends now */
    of_pipeline_destroy(&pipeline);
    for (uint32_t lane = 0; lane < run->opened; lane++) {
        run->sources[lane].ops->close(run->sources[lane].self);
        run->sinks[lane].ops->close(run->sinks[lane].self);
    }
    of_end_check_close(&run->end_check);
    of_console_destroy(&run->console);
    of_schema_cache_destroy(&run->schemas);
    of_groups_destroy(&run->groups);
    of_kafka_options_fini(&run->kafka);
}

/* ---- running ---- */

static void
rest(int64_t ms)
{
    nanosleep(&(struct timespec) { ms / 1000, ms % 1000 * OF_MS_NS }, NULL);
}

/* Why the run is to stop now; NULL: it goes on. */
static const char *
reason_to_stop(struct run *run, int64_t now_ns, int64_t deadline_ns, int64_t *next_check_ns, int *exit_status)
{
    if (of_interrupt_requested())
        return "asked to stop";
    if (of_console_broken(run->console))
        return "standard output is gone";
    if (now_ns >= deadline_ns) {
        *exit_status = OF_EXIT_STOPPED;
        return "the exit time-out is over";
    }
    if (run->end_check == NULL || now_ns < *next_check_ns)
        return NULL;
    struct of_error err;
    enum of_status status = of_end_check_step(run->end_check, &err);
    *next_check_ns = of_clock_mono_ns(run->clock) + END_CHECK_MS * OF_MS_NS;
    if (status == OF_RETRY)
        of_log_limited(OF_LOG_WARNING, "run", "cannot tell whether the end is reached: %s", err.text);
    return status == OF_OK ? "the end is reached" : NULL;
}

/* Until there is a reason to stop, or the pipeline has stopped by itself. */
static void
watch(struct run *run, int *exit_status)
{
    const struct of_settings *settings = run->settings;
    int64_t started_ns = of_clock_mono_ns(run->clock), next_check_ns = started_ns;
    int64_t deadline_ns = settings->exit_timeout_ms > 0 ? started_ns + settings->exit_timeout_ms * OF_MS_NS
                                                        : OF_NEVER_NS;
    while (of_pipeline_state(run->pipeline) == OF_PIPELINE_RUNNING) {
        const char *reason = reason_to_stop(run, of_clock_mono_ns(run->clock), deadline_ns, &next_check_ns,
                                            exit_status);
        if (reason != NULL) {
            of_log_debug("run", "stopping: %s", reason);
            return;
        }
        rest(LOOK_MS);
    }
}

/* Drains, commits, leaves. */
static void
stop(struct run *run, int *exit_status)
{
    int64_t patience_ms = run->settings->drain_timeout_ms + LEAVE_MS;
    int64_t deadline_ns = of_clock_mono_ns(run->clock) + patience_ms * OF_MS_NS;
    of_pipeline_stop(run->pipeline);
    while (of_pipeline_state(run->pipeline) == OF_PIPELINE_RUNNING && of_clock_mono_ns(run->clock) < deadline_ns)
        rest(5);
    bool fenced;
    switch (of_pipeline_state(run->pipeline)) {
    case OF_PIPELINE_RUNNING:
        of_log_error("run", "did not leave the group within %lld ms; what was not committed will be read again",
                     (long long)patience_ms);
        *exit_status = OF_EXIT_STOPPED;
        break;
    case OF_PIPELINE_FAILED:
        of_log_error("run", "%s", of_pipeline_error(run->pipeline, &fenced));
        *exit_status = fenced ? OF_EXIT_FENCED : OF_EXIT_FAILED;
        break;
    case OF_PIPELINE_LEFT: break;
    }
    struct of_pipeline_progress progress;
    of_pipeline_progress(run->pipeline, &progress);
    if (progress.drain_timed_out && *exit_status == OF_EXIT_DONE) {
        of_log_warning("run", "draining took longer than --drain-timeout-ms; what was not committed will be read again");
        *exit_status = OF_EXIT_STOPPED;
    }
}

static void
report(struct run *run)
{
    struct of_pipeline_progress progress;
    struct of_totals totals;
    of_pipeline_progress(run->pipeline, &progress);
    of_totals_init(&totals);
    of_pipeline_add_run_totals(run->pipeline, &totals);
    double seconds = 0;
    if (progress.last_settled_ns > progress.first_assigned_ns && progress.first_assigned_ns > 0)
        seconds = (double)(progress.last_settled_ns - progress.first_assigned_ns) / (double)OF_SECOND_NS;
    of_console_stop(run->console, &(struct of_console_result) { .run = &totals, .total = &totals, .seconds = seconds });
    of_totals_fini(&totals);
}

static int
run_to_end(struct run *run)
{
    struct of_error err;
    if (begin(run, &err) != OF_OK) {
        bool interrupted = of_interrupt_requested();
        if (!interrupted)
            fprintf(stderr, "orderflow run: %s\n", err.text);
        if (run->console != NULL)
            of_console_stop(run->console, NULL);
        end(run);
        return interrupted ? OF_EXIT_DONE : OF_EXIT_FAILED;
    }
    int exit_status = OF_EXIT_DONE;
    watch(run, &exit_status);
    stop(run, &exit_status);
    of_pipeline_finish(run->pipeline);
    report(run);
    end(run);
    return exit_status;
}

/* ---- the command ---- */

/* The wiring depends on thread counts alone; sources and sinks in memory stand for the real ones. */
static int
print_wiring(struct run *run)
{
    struct of_memory_cluster *cluster = of_memory_cluster_create(1, run->lanes);
    for (uint32_t lane = 0; lane < run->lanes; lane++) {
        run->sources[lane] = of_memory_source(cluster, lane);
        run->sinks[lane] = of_memory_sink(cluster, lane);
    }
    struct of_error err;
    enum of_status status = build_pipeline(run, &err);
    struct of_pipeline *pipeline = run->pipeline;
    if (status == OF_OK)
        of_pipeline_print_wiring(pipeline, stdout);
    else
        fprintf(stderr, "orderflow run: %s\n", err.text);
    of_pipeline_destroy(&pipeline);
    of_groups_destroy(&run->groups);
    of_memory_cluster_destroy(&cluster);
    return status == OF_OK ? OF_EXIT_DONE : OF_EXIT_FAILED;
}

static int
open_and_run(const struct of_command_line *line)
{
    struct of_error err;
    struct run run = {
        .line = line,
        .settings = &line->settings,
        .clock = of_clock_system(),
        .lanes = (uint32_t)line->settings.fetch_threads,
        .groups = of_groups_create((uint32_t)line->settings.max_groups),
    };
    if (line->settings.print_wiring)
        return print_wiring(&run);
    of_kafka_options_init(&run.kafka, line);
    if (of_kafka_check_properties(&run.kafka, &err) != OF_OK) {
        fprintf(stderr, "orderflow run: %s\n", err.text);
        end(&run);
        return OF_EXIT_USAGE;
    }
    return run_to_end(&run);
}

int
of_command_run(int argc, char **argv)
{
    struct of_command_line line;
    int status;
    if (!of_settings_load(&line, OF_COMMAND_RUN, argc, argv, &status))
        return status;
    of_interrupt_install();
    status = open_and_run(&line);
    of_settings_fini(&line);
    return status;
}
