#include "kafka/survey.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "kafka/direct/fetcher.h"

enum {
    LOOK_MS = 20,
    UNKNOWN_TOPIC = 3,
    TOPIC_DENIED = 29,
    SAFE_METADATA = 4, /* older versions create the topics that they are asked about */
};

struct look {
    struct of_fetcher fetcher; /* settings, TLS, epoll, the brokers' addresses */
    struct of_survey *survey;
    int each_ms;
};

const char *
of_survey_step_name(enum of_survey_step step)
{
    static const char *const names[] = { "resolving its name", "TCP", "TLS", "ApiVersions", "SASL", "all steps" };
    return names[step];
}

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

static enum of_survey_step
step_of(enum of_connection_state state)
{
    switch (state) {
    case OF_CONNECTION_DOWN:
    case OF_CONNECTION_RESOLVING: return OF_SURVEY_RESOLVE;
    case OF_CONNECTION_CONNECTING: return OF_SURVEY_CONNECT;
    case OF_CONNECTION_SECURING: return OF_SURVEY_SECURE;
    case OF_CONNECTION_NEGOTIATING: return OF_SURVEY_VERSIONS;
    case OF_CONNECTION_AUTHENTICATING: return OF_SURVEY_LOGIN;
    case OF_CONNECTION_UP: return OF_SURVEY_UP;
    }
    return OF_SURVEY_RESOLVE;
}

/* Goes on until `done` is true of the connection, it goes down, or the time is over. The answer, if one comes, is kept. */
static void
turn_until(struct look *look, struct of_connection *connection, bool for_answer, int64_t until_ns,
           struct of_received *received, bool *answered)
{
    *answered = false;
    while (connection->downs == 0 && !*answered && now_ns() < until_ns) {
        of_connection_turn(connection, look->fetcher.tls, now_ns());
        *answered = of_connection_receive(connection, now_ns(), received);
        if (*answered && !for_answer) {
            of_slab_drop(received->slab);
            *answered = false;
        }
        if (*answered || (!for_answer && connection->state == OF_CONNECTION_UP))
            return;
        struct pollfd fd = { .fd = look->fetcher.epoll_fd, .events = POLLIN };
        poll(&fd, 1, LOOK_MS);
    }
}

/* ---- what a broker tells of the cluster ---- */

static void
take_topic(struct of_survey_topic *topic, const struct of_metadata_topic *told)
{
    topic->told = true;
    topic->hidden = told->error_code == TOPIC_DENIED;
    topic->operations = told->topic_authorized_operations;
    topic->partitions = told->error_code == UNKNOWN_TOPIC || topic->hidden ? 0 : (int32_t)told->partitions.count;
    const struct of_metadata_partition *partitions = told->partitions.items;
    for (int32_t i = 0; i < topic->partitions; i++) {
        int32_t replicas = (int32_t)partitions[i].replica_nodes.count, in_sync = (int32_t)partitions[i].isr_nodes.count;
        topic->leaderless += partitions[i].leader_id < 0;
        topic->replicas = i == 0 || replicas < topic->replicas ? replicas : topic->replicas;
        topic->in_sync = i == 0 || in_sync < topic->in_sync ? in_sync : topic->in_sync;
    }
}

static void
add_told(struct of_survey *survey, const struct of_metadata_broker *told)
{
    if (survey->broker_count == OF_SURVEY_BROKERS || told->host.length == 0 || told->host.length >= OF_HOST_BYTES)
        return;
    struct of_survey_broker *broker = &survey->brokers[survey->broker_count++];
    *broker = (struct of_survey_broker) { .node = told->node_id, .fetch_version = -1 };
    snprintf(broker->address, sizeof broker->address, "%.*s:%d", (int)told->host.length, (const char *)told->host.data,
             told->port);
}

static void
take_cluster(struct of_survey *survey, const struct of_metadata_answer *answer)
{
    const struct of_metadata_broker *brokers = answer->brokers.items;
    const struct of_metadata_topic *topics = answer->topics.items;
    survey->reached = true;
    survey->operations = answer->cluster_authorized_operations;
    survey->told_of = answer->brokers.count;
    for (uint32_t i = 0; i < answer->brokers.count; i++)
        add_told(survey, &brokers[i]);
    for (uint32_t i = 0; i < answer->topics.count; i++)
        for (uint32_t k = 0; k < survey->topic_count; k++)
            if (of_slice_equal(topics[i].name, of_slice_str(survey->topics[k].name)))
                take_topic(&survey->topics[k], &topics[i]);
}

static void
ask_cluster(struct look *look, struct of_connection *connection, int64_t until_ns, struct of_survey_broker *broker)
{
    int16_t version = of_connection_version(connection, OF_API_METADATA);
    if (version < SAFE_METADATA)
        return;
    struct of_survey *survey = look->survey;
    struct of_topic_name names[OF_SURVEY_TOPICS];
    for (uint32_t i = 0; i < survey->topic_count; i++)
        names[i] = (struct of_topic_name) { .name = of_slice_str(survey->topics[i].name) };
    const struct of_metadata_request request = {
        .topics = { .items = names, .count = survey->topic_count },
        .include_cluster_authorized_operations = version >= 8,
        .include_topic_authorized_operations = version >= 8,
    };
    struct of_received received;
    struct of_metadata_answer answer;
    struct of_error err;
    bool answered;
    of_connection_ask(connection, OF_API_METADATA, &request, 0, now_ns());
    turn_until(look, connection, true, until_ns, &received, &answered);
    if (!answered) {
        snprintf(broker->why, sizeof broker->why, "no answer about the cluster: %.150s", connection->error.text);
        broker->step = OF_SURVEY_VERSIONS;
        return;
    }
    if (of_message_read_answer(received.asked.message, received.asked.version, received.asked.correlation,
                               received.bytes, &answer, &look->fetcher.arena, &err) == OF_OK)
        take_cluster(survey, &answer);
    of_arena_empty(&look->fetcher.arena);
    of_slab_drop(received.slab);
    if (version < 8)
        survey->operations = OF_SURVEY_UNKNOWN;
    for (uint32_t i = 0; version < 8 && i < survey->topic_count; i++)
        survey->topics[i].operations = OF_SURVEY_UNKNOWN;
}

/* ---- one broker ---- */

static void
look_at(struct look *look, struct of_survey_broker *broker, const char *host, int port, bool ask)
{
    struct of_connection connection;
    struct of_received received;
    bool answered;
    int64_t began_ns = now_ns(), until_ns = began_ns + look->each_ms * OF_MS_NS;
    of_connection_init(&connection, &look->fetcher.settings, &look->fetcher.slabs[OF_ROLE_ORDERS],
                       look->fetcher.epoll_fd, host, port);
    turn_until(look, &connection, false, until_ns, &received, &answered);
    broker->took_ms = (now_ns() - began_ns) / OF_MS_NS;
    broker->step = step_of(connection.downs > 0 ? connection.failed_in : connection.state);
    if (connection.downs > 0)
        snprintf(broker->why, sizeof broker->why, "%.190s", connection.error.text);
    else if (broker->step != OF_SURVEY_UP)
        snprintf(broker->why, sizeof broker->why, "no answer within %d ms", look->each_ms);
    if (broker->step == OF_SURVEY_UP) {
        broker->fetch_version = connection.versions[of_message_find(OF_API_FETCH) - of_messages].max_version;
        broker->fit_for_direct = of_connection_version(&connection, OF_API_FETCH) >= 0;
        if (ask)
            ask_cluster(look, &connection, until_ns + look->each_ms * OF_MS_NS, broker);
    }
    of_connection_fini(&connection);
}

static void
look_at_named(struct look *look)
{
    struct of_survey *survey = look->survey;
    const uint32_t most = OF_SURVEY_BROKERS / 2;
    uint32_t named = look->fetcher.named_count < most ? look->fetcher.named_count : most;
    survey->broker_count = named;
    for (uint32_t i = 0; i < named; i++) {
        const struct of_broker_address *address = &look->fetcher.brokers[i];
        struct of_survey_broker *broker = &survey->brokers[i];
        *broker = (struct of_survey_broker) { .node = -1, .fetch_version = -1 };
        snprintf(broker->address, sizeof broker->address, "%s:%d", address->host, address->port);
        look_at(look, broker, address->host, address->port, !survey->reached);
    }
}

/* Where a broker is told to be may not be where we can reach it. */
static void
look_at_told(struct look *look)
{
    struct of_survey *survey = look->survey;
    for (uint32_t i = 0; i < survey->broker_count; i++) {
        struct of_survey_broker *broker = &survey->brokers[i];
        char host[OF_HOST_BYTES];
        const char *colon = strrchr(broker->address, ':');
        if (broker->node < 0 || colon == NULL)
            continue;
        snprintf(host, sizeof host, "%.*s", (int)(colon - broker->address), broker->address);
        int port = 0;
        if (sscanf(colon + 1, "%d", &port) == 1)
            look_at(look, broker, host, port, false);
    }
}

enum of_status
of_survey_look(const struct of_kafka_options *options, const char *const *topics, uint32_t topic_count, int each_ms,
               struct of_survey *survey, struct of_error *err)
{
    struct look look = { .survey = survey, .each_ms = each_ms };
    memset(survey, 0, sizeof *survey);
    survey->operations = OF_SURVEY_UNKNOWN;
    for (uint32_t i = 0; i < topic_count && i < OF_SURVEY_TOPICS; i++)
        survey->topics[survey->topic_count++] =
            (struct of_survey_topic) { .name = topics[i], .operations = OF_SURVEY_UNKNOWN };
    if (of_fetcher_open(&look.fetcher, options, err) != OF_OK)
        return OF_POISON;
    look_at_named(&look);
    look_at_told(&look);
    of_fetcher_close(&look.fetcher);
    return OF_OK;
}
