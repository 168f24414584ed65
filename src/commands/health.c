#include "commands/health.h"

#include <stdlib.h>
#include <string.h>

#include "commands/broker_probe.h"
#include "core/memory.h"
#include "ops/http_server.h"
#include "ops/json.h"

enum {
    OK = 200,
    NOT_FOUND = 404,
    NOT_NOW = 503,
    STALLED_MS = 30000,  /* a thread that has not turned for so long; idle ones turn every 100 ms */
    KNOWN_MS = 10000,    /* what was known so long ago of brokers, which are asked every second or two, is not known */
    SETTLED_MS = 10000,  /* a partition that was held and has been read so long without a hold is well */
    REGISTERED_MS = 5000, /* how long the id of the schema of totals may take before it is a reason */
    HELD_LISTED = 100,   /* of one lane, at most */
};

struct of_health {
    struct of_health_options options;
    struct of_broker_probe *probe; /* NULL: not looked */
    struct of_http_server *server;
    struct of_held held[HELD_LISTED]; /* the server's thread's */
};

/* An answer in the making. */
struct answer {
    struct of_json json;
    int64_t now_ns;
    bool good;
};

static double
seconds(int64_t ns)
{
    return (double)(ns / OF_MS_NS) / 1000.0;
}

/* ---- alive ---- */

static void
write_stalled(struct answer *answer, const char *name, int64_t still_ns)
{
    answer->good = false;
    of_json_open(&answer->json, NULL, '{');
    of_json_string(&answer->json, "thread", name);
    of_json_number(&answer->json, "seconds", seconds(still_ns));
    of_json_close(&answer->json, '}');
}

static void
write_alive(const struct of_pipeline *pipeline, struct answer *answer)
{
    of_json_open(&answer->json, "stalled", '[');
    const char *name;
    int64_t turned_ns;
    for (uint32_t i = 0; pipeline != NULL && (name = of_pipeline_thread(pipeline, i, &turned_ns)) != NULL; i++)
        if (turned_ns != 0 && answer->now_ns - turned_ns >= STALLED_MS * OF_MS_NS)
            write_stalled(answer, name, answer->now_ns - turned_ns);
    of_json_close(&answer->json, ']');
    of_json_bool(&answer->json, "alive", answer->good);
}

/* ---- ready ---- */

/* Opens a reason; the caller adds what else there is to say and closes it. */
static void
open_reason(struct answer *answer, const char *reason, const char *text)
{
    answer->good = false;
    of_json_open(&answer->json, NULL, '{');
    of_json_string(&answer->json, "reason", reason);
    of_json_string(&answer->json, "text", text);
}

static void
add_reason(struct answer *answer, const char *reason, const char *text)
{
    open_reason(answer, reason, text);
    of_json_close(&answer->json, '}');
}

static void
add_unknown_broker(const struct of_broker_known *known, struct answer *answer)
{
    char text[128] = "a broker is being asked for the first time";
    if (known->known)
        snprintf(text, sizeof text, "no broker has answered or refused for %.0f s", seconds(known->age_ns));
    add_reason(answer, "broker_unknown", text);
}

/* As the probe's last look found it: nobody waits here for a broker that does not answer. */
static void
add_broker(const struct of_broker_known *broker, struct answer *answer)
{
    if (!broker->known || broker->age_ns >= KNOWN_MS * OF_MS_NS)
        add_unknown_broker(broker, answer);
    else if (broker->reached == OF_RETRY)
        add_reason(answer, "broker_unreachable", broker->why.text);
    else if (broker->reached != OF_OK)
        add_reason(answer, "broker_refuses", broker->why.text);
    else if (broker->topic_missing)
        add_reason(answer, "topic_missing", "the topic of the orders does not exist");
}

static const struct {
    const char *reason; /* NULL: nothing stands in the way */
    const char *text;
} phases[] = {
    [OF_FETCH_JOINING] = { "joining", "waits for the group to assign partitions" },
    [OF_FETCH_ASSIGNING] = { "assigning", "looks up where to begin in its partitions" },
    [OF_FETCH_RESTORING] = { "restoring", "reads the recorded state of its partitions" },
    [OF_FETCH_READING] = { NULL, NULL },
    [OF_FETCH_DRAINING] = { "rebalancing", "finishes what is under way before it gives its partitions up" },
    [OF_FETCH_CLEARING] = { "rebalancing", "has lost its partitions and waits for new ones" },
    [OF_FETCH_LEFT] = { "left", "has left the group" },
    [OF_FETCH_FAILED] = { "failed", NULL },
};

static void
add_phase(const struct of_pipeline *pipeline, uint32_t number, const struct of_pipeline_lane *lane,
          struct answer *answer)
{
    if (phases[lane->phase].reason == NULL)
        return;
    bool fenced;
    const char *text = phases[lane->phase].text;
    open_reason(answer, phases[lane->phase].reason, text != NULL ? text : of_pipeline_error(pipeline, &fenced));
    of_json_count(&answer->json, "lane", number);
    of_json_close(&answer->json, '}');
}

static void
add_held(struct of_health *health, const struct of_pipeline_lane *lane, struct answer *answer)
{
    uint32_t count = of_board_list(lane->board, health->held, HELD_LISTED);
    for (uint32_t i = 0; i < count; i++) {
        const struct of_held *held = &health->held[i];
        if (held->reading_since_ns != 0 && answer->now_ns - held->reading_since_ns >= SETTLED_MS * OF_MS_NS)
            continue;
        open_reason(answer, "held", held->text);
        of_json_string(&answer->json, "topic", held->topic);
        of_json_int(&answer->json, "partition", held->partition);
        of_json_int(&answer->json, "offset", held->offset);
        of_json_string(&answer->json, "cause", of_cause_name(held->cause));
        of_json_int(&answer->json, "since", held->since_ms);
        of_json_close(&answer->json, '}');
    }
}

/* Orders are read on without the id, but nothing is committed. */
static void
add_state_schema(const struct of_health *health, struct answer *answer)
{
    struct of_aggregate_schema *schema = health->options.state_schema != NULL ? *health->options.state_schema : NULL;
    int64_t since_ns;
    struct of_error why;
    if (schema != NULL && of_aggregate_schema_obstacle(schema, &since_ns, &why)
        && answer->now_ns - since_ns >= REGISTERED_MS * OF_MS_NS)
        add_reason(answer, "state_schema", why.text);
}

static void
write_ready(struct of_health *health, const struct of_pipeline *pipeline, struct answer *answer)
{
    uint64_t partitions = 0;
    struct of_pipeline_lane lane;
    struct of_broker_known broker = { .known = false };
    if (health->probe != NULL)
        of_broker_probe_read(health->probe, &broker);
    of_json_open(&answer->json, "reasons", '[');
    if (pipeline == NULL)
        add_reason(answer, "starting", "the pipeline is not built yet: topics are looked up and made first");
    if (health->probe != NULL)
        add_broker(&broker, answer);
    if (pipeline != NULL)
        add_state_schema(health, answer);
    for (uint32_t i = 0; pipeline != NULL && of_pipeline_lane(pipeline, i, &lane); i++) {
        partitions += lane.slots;
        add_phase(pipeline, i, &lane, answer);
        add_held(health, &lane, answer);
    }
    of_json_close(&answer->json, ']');
    of_json_bool(&answer->json, "ready", answer->good);
    of_json_count(&answer->json, "partitions", partitions);
    if (broker.known)
        of_json_number(&answer->json, "broker_age", seconds(broker.age_ns));
}

/* ---- serving ---- */

static const char *const open_paths[] = { "/", "/healthz", "/readyz", NULL }; /* the page holds no data */

static bool
is_health(const char *path)
{
    return strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0;
}

static unsigned
handle(void *context, const struct of_http_request *request, struct of_http_response *response)
{
    struct of_health *health = context;
    const char *path = request->path;
    if (!is_health(path) && health->options.observer != NULL
        && of_observer_answer(health->options.observer, request, response))
        return OK;
    const struct of_pipeline *pipeline = atomic_load(health->options.pipeline);
    struct answer answer = { of_json_to(response->body), of_clock_mono_ns(health->options.clock), true };
    unsigned bad = NOT_NOW;
    of_json_open(&answer.json, NULL, '{');
    if (strcmp(path, "/healthz") == 0) {
        write_alive(pipeline, &answer);
    } else if (strcmp(path, "/readyz") == 0) {
        write_ready(health, pipeline, &answer);
    } else {
        of_json_string(&answer.json, "error",
                       health->options.observer != NULL
                           ? "there is /, /metrics, /api/stats, /api/events, /api/history, /healthz and /readyz"
                           : "there is /healthz and /readyz");
        answer.good = false;
        bad = NOT_FOUND;
    }
    of_json_close(&answer.json, '}');
    of_json_end_line(&answer.json);
    return answer.good ? OK : bad;
}

static void
write_event(void *context, FILE *out)
{
    of_observer_write_event(((struct of_health *)context)->options.observer, out);
}

static void
tick(void *context)
{
    of_observer_tick(((struct of_health *)context)->options.observer);
}

enum of_status
of_health_open(const struct of_health_options *options, struct of_health **out, struct of_error *err)
{
    struct of_health *health = of_alloc(sizeof *health);
    health->options = *options;
    const struct of_http_server_options server = {
        .address = options->address,
        .handler = handle,
        .event = options->observer != NULL ? write_event : NULL,
        .tick = options->observer != NULL ? tick : NULL,
        .context = health,
        .token = options->token,
        .open_paths = open_paths,
    };
    enum of_status status = OF_OK;
    if (options->kafka != NULL || options->look != NULL)
        status = of_broker_probe_open(options->kafka, options->look, options->look_context, &health->probe, err);
    if (status == OF_OK)
        status = of_http_server_open(&server, &health->server, err);
    if (status != OF_OK) {
        of_broker_probe_close(&health->probe);
        free(health);
        return status;
    }
    *out = health;
    return OF_OK;
}

void
of_health_close(struct of_health **health)
{
    if (*health == NULL)
        return;
    of_http_server_close(&(*health)->server);
    of_broker_probe_close(&(*health)->probe);
    free(*health);
    *health = NULL;
}

bool
of_health_is_local(const struct of_health *health)
{
    return of_http_server_is_local(health->server);
}

const char *
of_health_address(const struct of_health *health)
{
    return of_http_server_address(health->server);
}
