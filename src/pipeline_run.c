/* Starting, turning, stopping, and how it is going. */
#include <time.h>

#include "core/assert.h"
#include "core/log.h"
#include "pipeline_private.h"

enum { START_PAUSE_MS = 500 }; /* before a sink that has found no broker is started again */

/* A broker that goes down just now comes back. */
static enum of_status
start_sink(const struct of_pipeline *pipeline, uint32_t lane, struct of_error *err)
{
    const struct of_pipeline_options *options = &pipeline->options;
    const struct of_sink *sink = &options->sinks[lane];
    int wake_fd = of_bell_fd(&pipeline->instances[OF_PUBLISH][lane].crew->bell);
    enum of_status status;
    while ((status = sink->ops->start(sink->self, wake_fd, err)) == OF_RETRY && options->stopping != NULL
           && !options->stopping()) {
        of_log_warning("publish", "lane %u: %s; trying again", lane, err->text);
        nanosleep(&(struct timespec) { .tv_nsec = START_PAUSE_MS * OF_MS_NS }, NULL);
    }
    return status;
}

/* Sinks before sources, last stages before first ones: whoever is sent something is there to take it. */
enum of_status
of_pipeline_start(struct of_pipeline *pipeline, struct of_error *err)
{
    const struct of_pipeline_options *options = &pipeline->options;
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        const struct of_source *source = &options->sources[lane];
        struct of_bell *fetch_bell = &pipeline->instances[OF_FETCH][lane].crew->bell;
        const struct of_restorer *restorer = &options->restorers[lane];
        enum of_status status = start_sink(pipeline, lane, err);
        if (status == OF_OK)
            status = restorer->ops->start(restorer->self, of_bell_fd(fetch_bell), err);
        if (status == OF_OK)
            status = source->ops->start(source->self, of_bell_fd(fetch_bell), err);
        if (status != OF_OK)
            return of_error_prefix(err, "lane %u", lane);
        if (source->ops->wait_fd != NULL)
            of_bell_watch(fetch_bell, source->ops->wait_fd(source->self));
    }
    for (uint32_t i = pipeline->crew_count; options->threads && i > 0; i--) {
        enum of_status status = of_crew_start(pipeline->crews[i - 1], err);
        if (status != OF_OK)
            return status;
    }
    return OF_OK;
}

uint32_t
of_pipeline_turn(struct of_pipeline *pipeline, int64_t *deadline_ns)
{
    OF_ASSERT(!pipeline->options.threads);
    return of_crew_turn(pipeline->crews[0], deadline_ns);
}

void
of_pipeline_wake(struct of_pipeline *pipeline)
{
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        of_bell_ring(&pipeline->instances[OF_FETCH][lane].crew->bell);
}

void
of_pipeline_tune(struct of_pipeline *pipeline, int64_t commit_interval_ms, int64_t retry_delay_ms, double failure_rate)
{
    struct of_tuning *tuning = &pipeline->tuning;
    atomic_store_explicit(&tuning->commit_interval_ms, commit_interval_ms, memory_order_relaxed);
    atomic_store_explicit(&tuning->retry_delay_ms, retry_delay_ms, memory_order_relaxed);
    atomic_store_explicit(&tuning->failure_rate, failure_rate, memory_order_relaxed);
    if (pipeline->complete)
        of_pipeline_wake(pipeline);
}

void
of_pipeline_stop(struct of_pipeline *pipeline)
{
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        of_fetch_stop(of_pipeline_fetch(pipeline, lane));
    of_pipeline_wake(pipeline);
}

void
of_pipeline_finish(struct of_pipeline *pipeline)
{
    for (uint32_t i = 0; i < pipeline->crew_count; i++)
        of_crew_stop(pipeline->crews[i]);
}

/* ---- how it is going ---- */

enum of_pipeline_state
of_pipeline_state(const struct of_pipeline *pipeline)
{
    uint32_t left = 0;
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        enum of_fetch_phase phase = of_pipeline_phase(pipeline, lane);
        if (phase == OF_FETCH_FAILED)
            return OF_PIPELINE_FAILED;
        left += phase == OF_FETCH_LEFT;
    }
    return left == pipeline->lanes ? OF_PIPELINE_LEFT : OF_PIPELINE_RUNNING;
}

const char *
of_pipeline_error(const struct of_pipeline *pipeline, bool *fenced)
{
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        if (of_pipeline_phase(pipeline, lane) == OF_FETCH_FAILED) {
            *fenced = atomic_load_explicit(&of_pipeline_status(pipeline, lane)->fenced, memory_order_relaxed);
            return of_fetch_error(of_pipeline_fetch(pipeline, lane));
        }
    *fenced = false;
    return "";
}
