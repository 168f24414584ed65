#include "commands/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/interrupt.h"
#include "commands/registry_options.h"
#include "commands/schema_file.h"
#include "core/log.h"
#include "core/memory_cluster.h"
#include "order/memory_restorer.h"
#include "kafka/restorer.h"
#include "kafka/sink_librdkafka.h"
#include "kafka/sink_transactional.h"
#include "kafka/source_direct.h"
#include "kafka/source_librdkafka.h"

enum {
    LOOK_MS = 50,               /* how often the command looks after the pipeline */
    LIVE_GROUPS = 10000,        /* beyond, gathering them every second would hold up commits */
    LETTERS_IN_FLIGHT = 100000, /* of one lane, not acknowledged */
    LEAVE_MS = 15000,           /* beyond the drain time-out: leaving the group, closing handles */
};

/* ---- building ---- */

static void
init(struct of_session *session)
{
    session->clock = of_clock_system();
    session->lanes = (uint32_t)session->settings->fetch_threads;
    session->topic_ids = of_topic_ids_create();
    session->groups = of_groups_create((uint32_t)session->settings->max_groups);
    of_reload_init(&session->reload, session->line);
    atomic_store(&session->retry_delay_ms, session->settings->retry_delay_ms);
}

static void
wake_pipeline(void *ctx)
{
    struct of_pipeline *pipeline = atomic_load(&((struct of_session *)ctx)->pipeline);
    if (pipeline != NULL)
        of_pipeline_wake(pipeline);
}

static enum of_status
open_schemas(struct of_session *session, struct of_error *err)
{
    const struct of_settings *settings = session->settings;
    struct of_registry_client *client;
    char *reader_schema = NULL;
    enum of_status status = OF_OK;
    if (settings->reader_schema != NULL)
        status = of_schema_file_read(settings->reader_schema, &reader_schema, err);
    if (status == OF_OK)
        status = of_registry_open(settings, &client, err);
    if (status != OF_OK) {
        free(reader_schema);
        return status;
    }
    const struct of_schema_cache_options options = {
        .fields = { .value = settings->value_field, .group_by = settings->group_by_field, .id = settings->id_field,
                    .reader_schema = reader_schema },
        .max_field_bytes = (size_t)settings->max_field_bytes,
        .directory = settings->registry_cache_dir,
        .threaded = true,
        .changed = wake_pipeline,
        .ctx = session,
    };
    status = of_schema_cache_create(&options, &client, &session->schemas, err);
    free(reader_schema);
    return status;
}

static bool
wants_records(const void *arg)
{
    return of_console_wants_records(arg);
}

static void
live_totals(void *context, struct of_live_totals *live)
{
    of_pipeline_live(((struct of_session *)context)->pipeline, live);
}

static void
live_detail(void *context, struct of_live_detail *detail)
{
    const struct of_session *session = context;
    struct of_pipeline_progress progress;
    of_pipeline_progress(session->pipeline, &progress);
    detail->behind = progress.behind;
    detail->load_count = of_pipeline_loads(session->pipeline, detail->loads, OF_STAGE_LOADS_MAX);
    of_pipeline_latencies(session->pipeline, &detail->age, &detail->commit);
    if (of_groups_count(session->groups) > LIVE_GROUPS)
        return;
    of_pipeline_add_totals(session->pipeline, &detail->committed);
    of_totals_sort(&detail->committed);
}

static void
restoring(void *context, uint64_t *done, uint64_t *all)
{
    const struct of_session *session = context;
    for (uint32_t lane = 0; lane < session->lanes; lane++) {
        uint64_t of_lane, whole;
        session->restorers[lane].ops->progress(session->restorers[lane].self, &of_lane, &whole);
        *done += of_lane;
        *all += whole;
    }
}

static void
open_console(struct of_session *session)
{
    const struct of_settings *settings = session->settings;
    struct of_terminal terminal;
    of_terminal_init(&terminal, stdout, (enum of_color)settings->color);
    session->console = of_console_create(&(struct of_console_config) {
        .mode = (enum of_console_mode)settings->console,
        .out = stdout,
        .terminal = terminal,
        .clock = session->clock,
        .lanes = 2 * session->lanes, /* publish and fetch of a lane make events, each into a queue of its own */
        .banner = {
            .brokers = settings->brokers,
            .registry = settings->registry,
            .group = settings->group,
            .topic = settings->topic,
            .retry_topic = settings->retry_topic,
            .dlq_topic = settings->dlq_topic,
            .guarantee = of_guarantee_names[settings->guarantee],
            .instance = session->identity != NULL ? of_identity_name(session->identity) : NULL,
            .about = session->about,
            .max_retries = settings->max_retries,
            .retry_delay_ms = &session->retry_delay_ms,
            .options = &session->line->options,
        },
        .live = live_totals,
        .detail = live_detail,
        .restoring = restoring,
        .context = session,
    });
    for (uint32_t lane = 0; lane < session->lanes; lane++) {
        session->listeners[lane] = (struct of_listener) {
            .queue = of_console_queue(session->console, lane),
            .wants_records = wants_records,
            .waits = of_console_waits(session->console),
            .arg = session->console,
        };
        session->partition_events[lane] = of_console_queue(session->console, session->lanes + lane);
    }
}

/* Which source reads, and says so, with the reason where the choice is ours. */
static enum of_status
choose_source(struct of_session *session, struct of_error *err)
{
    struct of_error why;
    session->direct = false;
    if (session->settings->source == OF_SOURCE_LIBRDKAFKA || session->kafka->embedded)
        return OF_OK;
    session->direct = of_source_direct_applies(session->kafka, &why) == OF_OK;
    if (session->settings->source == OF_SOURCE_DIRECT)
        return session->direct ? OF_OK
                               : of_error_set(err, OF_FATAL, "--source direct is not possible: %s", why.text);
    if (session->direct)
        of_log_info(session->command, "source: direct, as nothing speaks against it");
    else
        of_log_info(session->command, "source: librdkafka, because for the direct one %s", why.text);
    return OF_OK;
}

static enum of_status
open_source(const struct of_session *session, const struct of_kafka_options *options, struct of_source *source,
            struct of_error *err)
{
    return session->direct ? of_source_direct_open(options, source, err)
                           : of_source_librdkafka_open(options, source, err);
}

/* Whether somebody may ask how it goes. */
static bool
is_watched(const struct of_session *session)
{
    return session->settings->http != NULL;
}

/* Whether there is a live view, which shows how long things take. */
static bool
is_drawn(const struct of_session *session)
{
    struct of_terminal terminal;
    of_terminal_init(&terminal, stdout, (enum of_color)session->settings->color);
    return terminal.redraws;
}

static const struct of_kafka_options *
lane_options(struct of_session *session, uint32_t lane)
{
    struct of_kafka_options *options = &session->lane_kafka[lane];
    *options = *session->kafka;
    options->memory_bytes /= session->lanes;
    options->topic_ids = session->topic_ids;
    options->interrupted = of_interrupt_requested;
    if (is_watched(session)) {
        options->consumer_statistics = of_kafka_statistics_create();
        options->producer_statistics = of_kafka_statistics_create();
    }
    if (session->identity != NULL) {
        options->group_instance_id = of_identity_instance_id(session->identity, lane);
        options->transactional_id = of_identity_transactional_id(session->identity, lane);
    }
    return options;
}

static enum of_status
open_sink(const struct of_session *session, const struct of_kafka_options *options, struct of_sink *sink,
          struct of_error *err)
{
    if (session->settings->guarantee == OF_GUARANTEE_EXACTLY_ONCE)
        return of_sink_transactional_open(options, session->settings->commit_interval_ms, sink, err);
    return of_sink_librdkafka_open(options, sink, err);
}

static void
close_lane(const struct of_session *session, uint32_t lane)
{
    if (session->restorers[lane].ops != NULL)
        session->restorers[lane].ops->close(session->restorers[lane].self);
    if (session->sinks[lane].ops != NULL)
        session->sinks[lane].ops->close(session->sinks[lane].self);
    if (session->sources[lane].ops != NULL)
        session->sources[lane].ops->close(session->sources[lane].self);
}

static enum of_status
open_lane(struct of_session *session, uint32_t lane, struct of_error *err)
{
    const struct of_kafka_options *options = lane_options(session, lane);
    const struct of_state_fields fields = {
        .value = of_slice_str(session->settings->value_field),
        .group_by = of_slice_str(session->settings->group_by_field),
    };
    enum of_status status = open_source(session, options, &session->sources[lane], err);
    if (status == OF_OK)
        status = open_sink(session, options, &session->sinks[lane], err);
    if (status == OF_OK)
        status = of_restorer_librdkafka_open(options, session->groups, &fields, &session->restorers[lane], err);
    if (status != OF_OK)
        close_lane(session, lane);
    return status;
}

static enum of_status
open_lanes(struct of_session *session, struct of_error *err)
{
    enum of_status status = choose_source(session, err);
    while (status == OF_OK && session->opened < session->lanes) {
        status = open_lane(session, session->opened, err);
        session->opened += status == OF_OK;
    }
    return status;
}

static enum of_status
open_state_schema(struct of_session *session, struct of_error *err)
{
    return of_aggregate_schema_open(&(struct of_aggregate_schema_options) {
        .settings = session->settings,
        .known = wake_pipeline,
        .context = session,
        .clock = session->clock,
    }, &session->state_schema, err);
}

static enum of_status
build_pipeline(struct of_session *session, struct of_error *err)
{
    const struct of_settings *settings = session->settings;
    const struct of_pipeline_options options = {
        .fetch_threads = session->lanes,
        .decode_threads = (uint32_t)settings->decode_threads,
        .process_threads = (uint32_t)settings->process_threads,
        .aggregate_threads = (uint32_t)settings->aggregate_threads,
        .threads = true,
        .clock = session->clock,
        .sources = session->sources,
        .sinks = session->sinks,
        .restorers = session->restorers,
        .state_schema_id = session->state_schema != NULL ? of_aggregate_schema_id(session->state_schema) : NULL,
        .value_field = of_slice_str(settings->value_field),
        .group_by_field = of_slice_str(settings->group_by_field),
        .listeners = session->console != NULL ? session->listeners : NULL,
        .partition_events = session->console != NULL ? session->partition_events : NULL,
        .quiet = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) && settings->console != OF_CONSOLE_NONE,
        .groups = session->groups,
        .schemas = session->schemas,
        .group = of_slice_str(settings->group),
        .max_retries = (uint32_t)settings->max_retries,
        .retry_delay_ms = settings->retry_delay_ms,
        .commit_interval_ms = settings->commit_interval_ms,
        .drain_timeout_ms = settings->drain_timeout_ms,
        .stopping = of_interrupt_requested,
        .memory_bytes = (size_t)settings->memory_mb << 20,
        .letters_in_flight = LETTERS_IN_FLIGHT,
        .measure = is_watched(session) || is_drawn(session),
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
    session->opened = 0;
    atomic_store(&session->pipeline, pipeline);
    return OF_OK;
}

/* Console last, so that nothing is shown of a run that cannot begin. */
enum of_status
of_session_open(struct of_session *session, struct of_error *err)
{
    init(session);
    enum of_status status = open_schemas(session, err);
    if (status == OF_OK)
        status = open_state_schema(session, err);
    if (status == OF_OK)
        status = open_lanes(session, err);
    if (status != OF_OK)
        return status;
    open_console(session);
    status = build_pipeline(session, err);
    if (status == OF_OK)
        status = of_console_start(session->console, err);
    if (status == OF_OK)
        status = of_pipeline_start(session->pipeline, err);
    return status;
}

/* The group is left and everything committed when this is called. */
static void
stop_console(const struct of_session *session, const struct of_console_result *result)
{
    if (of_console_stop(session->console, result))
        return;
    of_log_error(session->command, "nobody reads standard output; ending without what was still to be printed");
    _exit(OF_EXIT_STOPPED);
}

void
of_session_close(struct of_session *session)
{
    struct of_pipeline *pipeline = session->pipeline;
    if (pipeline != NULL)
        of_pipeline_finish(pipeline);
    if (session->console != NULL)
        stop_console(session, NULL);
    /* Their threads may wake the pipeline, so they end first. */
    of_aggregate_schema_close(&session->state_schema);
    if (session->schemas != NULL
        && of_schema_cache_stop(session->schemas, of_clock_mono_ns(session->clock) + 5 * OF_SECOND_NS) != OF_OK)
        return; /* a request hangs: everything is committed, and the process ends now */
    of_pipeline_destroy(&pipeline);
    for (uint32_t lane = 0; lane < session->opened; lane++)
        close_lane(session, lane);
    for (uint32_t lane = 0; lane < session->lanes; lane++) {
        of_kafka_statistics_destroy(&session->lane_kafka[lane].consumer_statistics);
        of_kafka_statistics_destroy(&session->lane_kafka[lane].producer_statistics);
    }
    of_console_destroy(&session->console);
    of_schema_cache_destroy(&session->schemas);
    of_groups_destroy(&session->groups);
    of_topic_ids_destroy(&session->topic_ids);
    of_reload_fini(&session->reload);
}

/* ---- running ---- */

static void
rest(int64_t ms)
{
    nanosleep(&(struct timespec) { ms / 1000, ms % 1000 * OF_MS_NS }, NULL);
}

/* The service manager waits for the second word before it calls the reload done. */
static void
reload(struct of_session *session)
{
    of_service_reloading(session->service);
    of_reload_now(&session->reload, session->pipeline, &session->retry_delay_ms);
    of_service_reloaded(session->service);
}

static void
dump(struct of_session *session)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return;
    fprintf(out, "state of process %ld\n", (long)getpid());
    of_pipeline_dump(session->pipeline, out);
    fclose(out);
    of_log_block(OF_LOG_INFO, session->command, text);
    free(text);
}

static void
take_requests(struct of_session *session)
{
    if (of_interrupt_take_reload())
        reload(session);
    if (of_interrupt_take_dump())
        dump(session);
}

/* Why the run is to stop now; NULL: it goes on. */
static const char *
reason_to_stop(struct of_session *session, int64_t deadline_ns, int *exit_status)
{
    if (of_interrupt_requested())
        return "asked to stop";
    if (of_console_broken(session->console))
        return "standard output is gone";
    if (of_clock_mono_ns(session->clock) >= deadline_ns) {
        *exit_status = OF_EXIT_STOPPED;
        return "the exit time-out is over";
    }
    return session->reason_to_stop != NULL ? session->reason_to_stop(session->context, exit_status) : NULL;
}

/* Until there is a reason to stop, or the pipeline has stopped by itself. */
static void
watch(struct of_session *session, int *exit_status)
{
    int64_t timeout_ms = session->settings->exit_timeout_ms;
    int64_t deadline_ns = timeout_ms > 0 ? of_clock_mono_ns(session->clock) + timeout_ms * OF_MS_NS : OF_NEVER_NS;
    while (of_pipeline_state(session->pipeline) == OF_PIPELINE_RUNNING) {
        const char *reason = reason_to_stop(session, deadline_ns, exit_status);
        if (reason != NULL) {
            of_log_debug(session->command, "stopping: %s", reason);
            return;
        }
        take_requests(session);
        rest(LOOK_MS);
    }
}

/* Drains, commits, leaves. */
static void
stop(struct of_session *session, int *exit_status)
{
    int64_t patience_ms = session->settings->drain_timeout_ms + LEAVE_MS;
    int64_t deadline_ns = of_clock_mono_ns(session->clock) + patience_ms * OF_MS_NS;
    struct of_pipeline *pipeline = session->pipeline;
    of_pipeline_stop(pipeline);
    while (of_pipeline_state(pipeline) == OF_PIPELINE_RUNNING && of_clock_mono_ns(session->clock) < deadline_ns) {
        take_requests(session);
        rest(5);
    }
    bool fenced;
    switch (of_pipeline_state(pipeline)) {
    case OF_PIPELINE_RUNNING:
        of_log_error(session->command,
                     "did not leave the group within %lld ms; what was not committed will be read again",
                     (long long)patience_ms);
        *exit_status = OF_EXIT_STOPPED;
        break;
    case OF_PIPELINE_FAILED:
        of_log_error(session->command, "%s", of_pipeline_error(pipeline, &fenced));
        *exit_status = fenced ? OF_EXIT_FENCED : OF_EXIT_FAILED;
        break;
    case OF_PIPELINE_LEFT: break;
    }
    struct of_pipeline_progress progress;
    of_pipeline_progress(pipeline, &progress);
    if (progress.drain_timed_out && *exit_status == OF_EXIT_DONE) {
        of_log_warning(session->command,
                       "draining took longer than --drain-timeout-ms; what was not committed will be read again");
        *exit_status = OF_EXIT_STOPPED;
    }
}

int
of_session_run(struct of_session *session)
{
    int exit_status = OF_EXIT_DONE;
    watch(session, &exit_status);
    stop(session, &exit_status);
    of_pipeline_finish(session->pipeline);
    return exit_status;
}

void
of_session_report(struct of_session *session, struct of_totals *run)
{
    struct of_totals total;
    struct of_pipeline_progress progress;
    of_pipeline_progress(session->pipeline, &progress);
    of_totals_init(run);
    of_totals_init(&total);
    of_pipeline_add_run_totals(session->pipeline, run);
    of_pipeline_add_totals(session->pipeline, &total);
    of_totals_sort(run);
    of_totals_sort(&total);
    double seconds = 0;
    if (progress.last_settled_ns > progress.first_assigned_ns && progress.first_assigned_ns > 0)
        seconds = (double)(progress.last_settled_ns - progress.first_assigned_ns) / (double)OF_SECOND_NS;
    stop_console(session, &(struct of_console_result) { .run = run, .total = &total, .seconds = seconds });
    of_totals_fini(&total);
}

/* ---- the wiring ---- */

/* It depends on thread counts alone; sources and sinks in memory stand for the real ones. */
int
of_session_print_wiring(struct of_session *session)
{
    init(session);
    struct of_memory_cluster *cluster = of_memory_cluster_create(1, session->lanes);
    for (uint32_t lane = 0; lane < session->lanes; lane++) {
        session->sources[lane] = of_memory_source(cluster, lane);
        session->sinks[lane] = of_memory_sink(cluster, lane);
        session->restorers[lane] = of_memory_restorer(cluster, session->groups, of_slice_str(""));
    }
    struct of_error err;
    enum of_status status = build_pipeline(session, &err);
    struct of_pipeline *pipeline = session->pipeline;
    if (status == OF_OK)
        of_pipeline_print_wiring(pipeline, stdout);
    else
        fprintf(stderr, "orderflow %s: %s\n", session->command, err.text);
    of_pipeline_destroy(&pipeline);
    of_groups_destroy(&session->groups);
    of_topic_ids_destroy(&session->topic_ids);
    of_memory_cluster_destroy(&cluster);
    return status == OF_OK ? OF_EXIT_DONE : OF_EXIT_FAILED;
}
