#include "commands/observer.h"

#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/memory.h"
#include "ops/dashboard.h"
#include "ops/history.h"
#include "ops/metrics.h"
#include "ops/stats_json.h"

enum {
    PRODUCTS_MOST = 10000, /* beyond, gathering them would hold up commits */
    SHARED_MS = 100,       /* how old an answer of /api/stats may be that is given again */
};

/* What is gathered of the total: going through every product of every partition takes ten times as long as all else. */
enum detail { WITH_TOTAL_SUM, WITH_TOTAL_ROWS };

struct of_observer {
    const struct of_session *session;
    const struct of_clock *clock;
    int64_t started_ms;
    struct of_history *history;
    /* the server's thread's */
    struct of_metrics_products products;
    char policy[OF_DASHBOARD_POLICY_BYTES];
    char *stats; /* the last answer of /api/stats; NULL: none yet */
    size_t stats_length;
    int64_t stats_ns;
};

struct of_observer *
of_observer_create(const struct of_session *session)
{
    struct of_observer *observer = of_alloc(sizeof *observer);
    observer->session = session;
    observer->clock = of_clock_system();
    observer->started_ms = of_clock_wall_ms(observer->clock);
    observer->history = of_history_create();
    return observer;
}

void
of_observer_destroy(struct of_observer **observer)
{
    if (*observer == NULL)
        return;
    of_history_destroy(&(*observer)->history);
    free((*observer)->stats);
    free(*observer);
    *observer = NULL;
}

/* ---- gathering ---- */

static void
add_about(const struct of_observer *observer, struct of_measured *measured)
{
    const struct of_settings *settings = observer->session->settings;
    measured->version = ORDERFLOW_VERSION;
    measured->group = settings->group;
    measured->topic = settings->topic;
    measured->guarantee = of_guarantee_names[settings->guarantee];
    measured->wall_ms = of_clock_wall_ms(observer->clock);
    measured->started_ms = observer->started_ms;
}

static void
add_registry(const struct of_session *session, struct of_measured *measured)
{
    const struct of_schema_cache_counts *counts = of_schema_cache_counts(session->schemas);
    for (uint32_t i = 0; i < OF_REGISTRY_ANSWERS; i++)
        measured->registry[i] = of_counter_read(&counts->requests[i]);
    measured->schemas_from_directory = of_counter_read(&counts->from_directory);
    of_histogram_add_to(&counts->request, &measured->registry_request);
}

static void
add_client(struct of_measured *measured, const char *name, uint32_t lane, struct of_kafka_statistics *statistics)
{
    struct of_measured_client *client = of_measured_add(&measured->clients, &measured->client_count, sizeof *client);
    client->client = name;
    client->lane = lane;
    of_kafka_statistics_read(statistics, &client->numbers);
}

static void
add_products(const struct of_session *session, const struct of_pipeline *pipeline, enum detail detail,
             struct of_measured *measured)
{
    measured->products = of_groups_count(session->groups) - 1;
    measured->by_product = measured->products <= PRODUCTS_MOST;
    if (!measured->by_product) {
        of_pipeline_add_run_sum(pipeline, &measured->run);
        return;
    }
    of_pipeline_add_run_totals(pipeline, &measured->run);
    if (detail == WITH_TOTAL_ROWS)
        of_pipeline_add_totals(pipeline, &measured->total);
    else
        of_pipeline_add_total_sum(pipeline, &measured->total);
}

/* All that the session points to was there before the pipeline. */
static void
add_run(const struct of_session *session, const struct of_pipeline *pipeline, enum detail detail,
        struct of_measured *measured)
{
    measured->source = session->direct ? "direct" : "librdkafka";
    measured->instance = session->identity != NULL ? of_identity_name(session->identity) : NULL;
    of_pipeline_measure(pipeline, measured);
    add_registry(session, measured);
    for (uint32_t lane = 0; lane < session->lanes; lane++) {
        add_client(measured, "consumer", lane, session->lane_kafka[lane].consumer_statistics);
        add_client(measured, "producer", lane, session->lane_kafka[lane].producer_statistics);
    }
    add_products(session, pipeline, detail, measured);
}

static void
gather(const struct of_observer *observer, enum detail detail, struct of_measured *measured)
{
    int64_t began_ns = of_clock_mono_ns(observer->clock);
    const struct of_pipeline *pipeline = atomic_load(&observer->session->pipeline);
    of_measured_init(measured);
    add_about(observer, measured);
    if (pipeline != NULL)
        add_run(observer->session, pipeline, detail, measured);
    measured->took_ns = of_clock_mono_ns(observer->clock) - began_ns;
}

/* ---- answering ---- */

void
of_observer_write_event(struct of_observer *observer, FILE *out)
{
    struct of_measured measured;
    gather(observer, WITH_TOTAL_ROWS, &measured);
    of_stats_json_write(out, &measured);
    of_measured_fini(&measured);
}

/* Whether anybody will ask for it is not known: it is too late to gather it then. */
void
of_observer_tick(struct of_observer *observer)
{
    struct of_measured measured;
    const struct of_pipeline *pipeline = atomic_load(&observer->session->pipeline);
    if (pipeline == NULL)
        return;
    of_measured_init(&measured);
    measured.wall_ms = of_clock_wall_ms(observer->clock);
    of_pipeline_measure(pipeline, &measured);
    of_history_add(observer->history, &measured);
    of_measured_fini(&measured);
}

static void
render_stats(struct of_observer *observer)
{
    free(observer->stats);
    FILE *out = open_memstream(&observer->stats, &observer->stats_length);
    OF_ASSERT(out != NULL);
    of_observer_write_event(observer, out);
    int failed = fclose(out);
    OF_ASSERT(failed == 0);
    observer->stats_ns = of_clock_mono_ns(observer->clock);
}

static void
answer_stats(struct of_observer *observer, struct of_http_response *response)
{
    int64_t now_ns = of_clock_mono_ns(observer->clock);
    if (observer->stats == NULL || now_ns - observer->stats_ns >= SHARED_MS * OF_MS_NS)
        render_stats(observer);
    fwrite(observer->stats, 1, observer->stats_length, response->body);
}

static void
answer_metrics(struct of_observer *observer, const struct of_http_request *request, struct of_http_response *response)
{
    struct of_measured measured;
    enum of_metrics_format format = of_metrics_choose(request->accept);
    response->type = of_metrics_content_type(format);
    gather(observer, WITH_TOTAL_SUM, &measured);
    of_metrics_write(response->body, format, &measured, &observer->products);
    of_measured_fini(&measured);
}

bool
of_observer_answer(struct of_observer *observer, const struct of_http_request *request,
                   struct of_http_response *response)
{
    if (strcmp(request->path, "/metrics") == 0) {
        answer_metrics(observer, request, response);
    } else if (strcmp(request->path, "/api/stats") == 0) {
        answer_stats(observer, response);
    } else if (strcmp(request->path, "/api/events") == 0) {
        response->events = true;
    } else if (strcmp(request->path, "/api/history") == 0) {
        of_history_write(observer->history, observer->started_ms, response->body);
    } else if (strcmp(request->path, "/") == 0) {
        of_dashboard_write(response->body, observer->policy);
        response->policy = observer->policy;
        response->type = "text/html; charset=utf-8";
    } else {
        return false;
    }
    return true;
}
