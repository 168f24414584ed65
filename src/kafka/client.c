#include "kafka/client.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/assert.h"
#include "core/memory.h"

enum { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6 };

/* ---- opening ---- */

static enum of_status
configure(rd_kafka_conf_t *conf, const struct of_kafka_options *options, const struct of_kafka_property *settings,
          size_t count, struct of_error *err)
{
    char ignored[16];
    const char *metrics = "enable.metrics.push"; /* from librdkafka 2.5 on; waits for a second when a client is closed */
    const struct of_kafka_property common[] = {
        { "bootstrap.servers", options->brokers },
        { "client.id", options->client_id != NULL ? options->client_id : "orderflow" },
        { "socket.nagle.disable", "true" },
        { "socket.keepalive.enable", "true" },
        { "reconnect.backoff.max.ms", "2000" },
        { "log.queue", "true" },
        { "log.connection.close", "false" },
        { metrics, of_kafka_property_default(metrics, ignored, sizeof ignored) ? "false" : NULL },
    };
    enum of_status status = of_kafka_set_properties(conf, common, sizeof common / sizeof *common, err);
    if (status == OF_OK)
        status = of_kafka_set_properties(conf, settings, count, err);
    if (status == OF_OK)
        status = of_kafka_set_properties(conf, options->properties, options->property_count, err);
    return status;
}

enum of_status
of_kafka_client_open(struct of_kafka_client *client, rd_kafka_type_t type, const struct of_kafka_options *options,
                     const struct of_kafka_property *settings, size_t count, int events, struct of_error *err)
{
    *client = (struct of_kafka_client) { .options = options };
    enum of_status status = of_kafka_check_properties(options, err);
    if (status != OF_OK)
        return status;

    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_events(conf, events | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    status = configure(conf, options, settings, count, err);
    if (status != OF_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    client->rk = of_main_thread_open(&client->main_thread, type, conf, why, sizeof why);
    if (client->rk == NULL)
        return of_error_set(err, OF_FATAL, "Kafka client: %s", why);
    rd_kafka_set_log_queue(client->rk, NULL); /* the main queue */
    client->queue = rd_kafka_queue_get_main(client->rk);
    return OF_OK;
}

/* ---- closing ---- */

struct work {
    void (*run)(void *arg);
    void *arg;
};

static void *
work_alone(void *arg)
{
    struct work work = *(struct work *)arg;
    free(arg);
    work.run(work.arg);
    return NULL;
}

static struct timespec
after_ms(int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

bool
of_kafka_within(int timeout_ms, void (*work)(void *arg), void *arg)
{
    pthread_t thread;
    struct work *given = of_alloc(sizeof *given);
    *given = (struct work) { work, arg };
    if (pthread_create(&thread, NULL, work_alone, given) != 0) {
        free(given);
        return false;
    }
    struct timespec until = after_ms(timeout_ms);
    if (pthread_timedjoin_np(thread, NULL, &until) == 0)
        return true;
    pthread_detach(thread);
    return false;
}

static void
destroy_handle(void *rk)
{
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void
of_kafka_client_mute(struct of_kafka_client *client)
{
    static const struct of_kafka_options muted = { .brokers = "" };
    client->options = &muted;
    client->statistics = NULL;
}

/* librdkafka waits without a deadline for what still refers to the handle, and has known ways to wait for ever. */
void
of_kafka_client_close(struct of_kafka_client *client, int timeout_ms)
{
    if (client->rk == NULL)
        return;
    of_kafka_client_serve(client);
    of_kafka_queue_wake(client->queue, -1);
    rd_kafka_queue_destroy(client->queue);
    if (!of_kafka_within(timeout_ms, destroy_handle, client->rk))
        of_kafka_log_line(client->options, LOG_LEVEL_WARNING, "the Kafka client did not end within %d ms", timeout_ms);
    client->rk = NULL;
    client->queue = NULL;
}

/* ---- queues and events ---- */

void
of_kafka_queue_wake(rd_kafka_queue_t *queue, int fd)
{
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, fd, &one, sizeof one);
}

void
of_kafka_log_line(const struct of_kafka_options *options, int level, const char *format, ...)
{
    if (options->log == NULL)
        return;
    char text[OF_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    options->log(level, text);
}

void
of_kafka_client_reached(struct of_kafka_client *client)
{
    if (client->unreachable)
        of_kafka_log_line(client->options, LOG_LEVEL_INFO, "Kafka at %s answers again", client->options->brokers);
    client->unreachable = false;
}

rd_kafka_resp_err_t
of_kafka_client_count_partitions(struct of_kafka_client *client, rd_kafka_topic_t *topic, int timeout_ms,
                                 int32_t *partitions)
{
    *partitions = 0;
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->rk, 0, topic, &metadata, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return code;
    of_kafka_client_reached(client);
    if (metadata->topic_cnt == 1)
        code = metadata->topics[0].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1)
        *partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? RD_KAFKA_RESP_ERR_NO_ERROR : code;
}

void
of_kafka_client_lost(struct of_kafka_client *client, const char *reason)
{
    if (!client->unreachable)
        of_kafka_log_line(client->options, LOG_LEVEL_WARNING,
                          "cannot reach Kafka at %s (%s): is it running? Its address is set by --brokers",
                          client->options->brokers, reason);
    client->unreachable = true;
}

static void
handle_log(struct of_kafka_client *client, rd_kafka_event_t *event)
{
    const char *facility, *text;
    int level;
    /* CONFWARN: a producer's property on a consumer and the like; the same properties are given to both.
     * FAIL: a connection; comes as an error, too. */
    if (rd_kafka_event_log(event, &facility, &text, &level) == 0 && strcmp(facility, "CONFWARN") != 0 &&
        strcmp(facility, "FAIL") != 0)
        of_kafka_log_line(client->options, level, "librdkafka %s: %s", facility, text);
}

static bool
handle_error(struct of_kafka_client *client, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_event_error_is_fatal(event))
        return false;
    const char *text = rd_kafka_event_error_string(event);
    switch (code) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: /* also raised with brokers up */
        if (!client->beside)
            of_kafka_client_lost(client, text);
        break;
    case RD_KAFKA_RESP_ERR__RESOLVE:
        if (client->beside)
            of_kafka_log_line(client->options, LOG_LEVEL_INFO, "Kafka: %s", text);
        else
            of_kafka_client_lost(client, text);
        break;
    case RD_KAFKA_RESP_ERR__TRANSPORT: /* one connection; librdkafka opens the next */
        of_kafka_log_line(client->options, LOG_LEVEL_INFO, "Kafka: %s", text);
        break;
    default:
        of_kafka_log_line(client->options, LOG_LEVEL_WARNING, "Kafka: %s", text);
    }
    return true;
}

static void
handle_statistics(struct of_kafka_client *client, rd_kafka_event_t *event)
{
    const char *text = rd_kafka_event_stats(event);
    if (client->statistics != NULL && text != NULL)
        of_kafka_statistics_put(client->statistics, text, strlen(text));
}

bool
of_kafka_client_handle(struct of_kafka_client *client, rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_LOG:
        handle_log(client, event);
        return true;
    case RD_KAFKA_EVENT_ERROR:
        return handle_error(client, event);
    case RD_KAFKA_EVENT_STATS:
        handle_statistics(client, event);
        return true;
    case RD_KAFKA_EVENT_FETCH: /* every partition has its way before it is fetched */
        OF_ASSERT(rd_kafka_event_message_count(event) == 0);
        return true;
    default:
        return false;
    }
}

void
of_kafka_client_serve(struct of_kafka_client *client)
{
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(client->queue, 0)) != NULL) {
        of_kafka_client_handle(client, event);
        rd_kafka_event_destroy(event);
    }
}

/* ---- errors ---- */

const char *
of_kafka_why(const struct of_kafka_client *client, rd_kafka_resp_err_t code, char *text, size_t size)
{
    if (code != RD_KAFKA_RESP_ERR__FATAL || rd_kafka_fatal_error(client->rk, text, size) == RD_KAFKA_RESP_ERR_NO_ERROR)
        snprintf(text, size, "%s", rd_kafka_err2str(code));
    return text;
}

bool
of_kafka_transient(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__RETRY:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
        return true;
    default:
        return false;
    }
}
