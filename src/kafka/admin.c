#include "kafka/admin.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/memory.h"
#include "kafka/client.h"

enum { DESTROY_MS = 1000 };

struct of_admin {
    struct of_kafka_client client;
};

/* A consumer, although it never reads: only consumers can ask for a topic without having it created. */
enum of_status
of_admin_open(const struct of_kafka_options *options, struct of_admin **out, struct of_error *err)
{
    static const struct of_kafka_property settings[] = { { "allow.auto.create.topics", "false" } };
    struct of_admin *admin = of_alloc(sizeof *admin);
    enum of_status status = of_kafka_client_open(&admin->client, RD_KAFKA_CONSUMER, options, settings,
                                                 sizeof settings / sizeof *settings, 0, err);
    *out = admin;
    if (status != OF_OK) {
        free(admin);
        *out = NULL;
    }
    return status;
}

void
of_admin_close(struct of_admin **admin)
{
    if (*admin == NULL)
        return;
    of_kafka_client_close(&(*admin)->client, DESTROY_MS);
    free(*admin);
    *admin = NULL;
}

static enum of_status
fail(struct of_admin *admin, rd_kafka_resp_err_t code, const char *what, const char *topic, const char *text,
     struct of_error *err)
{
    of_kafka_client_serve(&admin->client);
    return of_error_set(err, of_kafka_transient(code) ? OF_RETRY : OF_FATAL, "cannot %s topic %s at %s: %s", what,
                        topic, admin->client.options->brokers, text != NULL ? text : rd_kafka_err2str(code));
}

/* ---- looking up ---- */

/* Brokers of long ago have no such id: then all of them count as one cluster. */
enum of_status
of_admin_cluster_id(struct of_admin *admin, int timeout_ms, char **id, struct of_error *err)
{
    char *found = rd_kafka_clusterid(admin->client.rk, timeout_ms);
    of_kafka_client_serve(&admin->client);
    if (found == NULL && rd_kafka_controllerid(admin->client.rk, 0) < 0)
        return of_error_set(err, OF_RETRY, "Kafka at %s does not tell its cluster id", admin->client.options->brokers);
    *id = of_strdup(found != NULL ? found : "");
    if (found != NULL)
        rd_kafka_mem_free(admin->client.rk, found);
    return OF_OK;
}

static bool
all_led(const rd_kafka_metadata_topic_t *topic)
{
    for (int i = 0; i < topic->partition_cnt; i++)
        if (topic->partitions[i].leader < 0)
            return false;
    return topic->partition_cnt > 0;
}

enum of_status
of_admin_look_up(struct of_admin *admin, const char *topic, int timeout_ms, int32_t *partitions, struct of_error *err)
{
    *partitions = 0;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(admin->client.rk, topic, NULL);
    if (handle == NULL)
        return fail(admin, rd_kafka_last_error(), "look up", topic, NULL, err);
    rd_kafka_resp_err_t code = of_kafka_client_count_partitions(&admin->client, handle, timeout_ms, partitions);
    rd_kafka_topic_destroy(handle);
    of_kafka_client_serve(&admin->client);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? OF_OK : fail(admin, code, "look up", topic, NULL, err);
}

/* ---- creating ---- */

static enum of_status
take_result(struct of_admin *admin, const char *topic, rd_kafka_event_t *event, struct of_error *err)
{
    if (event == NULL)
        return fail(admin, RD_KAFKA_RESP_ERR__TIMED_OUT, "create", topic, NULL, err);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && result != NULL) {
        size_t count;
        const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &count);
        if (count == 1) {
            code = rd_kafka_topic_result_error(topics[0]);
            text = rd_kafka_topic_result_error_string(topics[0]);
        }
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return OF_OK;
    return fail(admin, code, "create", topic, text, err);
}

/* Options and queue of one request, and its answer. */
struct call {
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *event;
};

static struct call
begin_call(struct of_admin *admin, rd_kafka_admin_op_t op, int timeout_ms)
{
    char why[256];
    struct call call = {
        .options = rd_kafka_AdminOptions_new(admin->client.rk, op),
        .queue = rd_kafka_queue_new(admin->client.rk),
    };
    rd_kafka_AdminOptions_set_request_timeout(call.options, timeout_ms, why, sizeof why);
    if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS || op == RD_KAFKA_ADMIN_OP_CREATEPARTITIONS)
        rd_kafka_AdminOptions_set_operation_timeout(call.options, timeout_ms, why, sizeof why);
    return call;
}

static void
end_call(struct call *call)
{
    if (call->event != NULL)
        rd_kafka_event_destroy(call->event);
    rd_kafka_queue_destroy(call->queue);
    rd_kafka_AdminOptions_destroy(call->options);
}

static enum of_status
request(struct of_admin *admin, rd_kafka_NewTopic_t *topic, const char *name, int timeout_ms, struct of_error *err)
{
    struct call call = begin_call(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms);
    rd_kafka_CreateTopics(admin->client.rk, &topic, 1, call.options, call.queue);
    call.event = rd_kafka_queue_poll(call.queue, timeout_ms);
    enum of_status status = take_result(admin, name, call.event, err);
    end_call(&call);
    return status;
}

/* A new topic is known to one broker before the next, and to all before each of its partitions has a leader. */
static enum of_status
await_leaders(struct of_admin *admin, const char *topic, int32_t partitions, int timeout_ms, struct of_error *err)
{
    int64_t until_ns = of_clock_mono_ns(of_clock_system()) + timeout_ms * OF_MS_NS;
    const struct timespec pause = { .tv_nsec = 20 * OF_MS_NS };
    rd_kafka_topic_t *handle = rd_kafka_topic_new(admin->client.rk, topic, NULL);
    bool led = false;
    while (!led && of_clock_mono_ns(of_clock_system()) < until_ns) {
        const struct rd_kafka_metadata *metadata;
        if (rd_kafka_metadata(admin->client.rk, 0, handle, &metadata, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            led = metadata->topic_cnt == 1 && all_led(&metadata->topics[0])
                  && metadata->topics[0].partition_cnt >= partitions;
            rd_kafka_metadata_destroy(metadata);
        }
        if (!led)
            nanosleep(&pause, NULL);
    }
    rd_kafka_topic_destroy(handle);
    return led ? OF_OK : fail(admin, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "create", topic, NULL, err);
}

enum of_status
of_admin_create_topic(struct of_admin *admin, const struct of_topic_spec *spec, int timeout_ms, struct of_error *err)
{
    char why[256];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(spec->name, spec->partitions, spec->replication, why, sizeof why);
    if (topic == NULL)
        return of_error_set(err, OF_FATAL, "cannot create topic %s: %s", spec->name, why);
    if (spec->retention_ms != NULL)
        rd_kafka_NewTopic_set_config(topic, "retention.ms", spec->retention_ms);
    for (size_t i = 0; i < spec->config_count; i++)
        rd_kafka_NewTopic_set_config(topic, spec->configs[i].name, spec->configs[i].value);
    enum of_status status = request(admin, topic, spec->name, timeout_ms, err);
    rd_kafka_NewTopic_destroy(topic);
    return status == OF_OK ? await_leaders(admin, spec->name, 1, timeout_ms, err) : status;
}

/* ---- partitions ---- */

/* Another process may have been faster, which the broker calls an error; so what counts is what is there afterwards. */
static enum of_status
judge_partitions(struct of_admin *admin, const char *topic, rd_kafka_event_t *event, int32_t partitions,
                 int timeout_ms, struct of_error *err)
{
    if (event == NULL)
        return fail(admin, RD_KAFKA_RESP_ERR__TIMED_OUT, "add partitions to", topic, NULL, err);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    const rd_kafka_CreatePartitions_result_t *result = rd_kafka_event_CreatePartitions_result(event);
    size_t count = 0;
    const rd_kafka_topic_result_t **topics =
        result == NULL ? NULL : rd_kafka_CreatePartitions_result_topics(result, &count);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && count == 1) {
        code = rd_kafka_topic_result_error(topics[0]);
        text = rd_kafka_topic_result_error_string(topics[0]);
    }
    int32_t there = 0;
    if (code == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS
        && of_admin_look_up(admin, topic, timeout_ms, &there, err) == OF_OK && there >= partitions)
        return OF_OK;
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? OF_OK : fail(admin, code, "add partitions to", topic, text, err);
}

enum of_status
of_admin_add_partitions(struct of_admin *admin, const char *topic, int32_t partitions, int timeout_ms,
                        struct of_error *err)
{
    char why[256];
    rd_kafka_NewPartitions_t *wanted = rd_kafka_NewPartitions_new(topic, (size_t)partitions, why, sizeof why);
    if (wanted == NULL)
        return of_error_set(err, OF_FATAL, "cannot add partitions to topic %s: %s", topic, why);
    struct call call = begin_call(admin, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, timeout_ms);
    rd_kafka_CreatePartitions(admin->client.rk, &wanted, 1, call.options, call.queue);
    call.event = rd_kafka_queue_poll(call.queue, timeout_ms);
    enum of_status status = judge_partitions(admin, topic, call.event, partitions, timeout_ms, err);
    end_call(&call);
    rd_kafka_NewPartitions_destroy(wanted);
    return status == OF_OK ? await_leaders(admin, topic, partitions, timeout_ms, err) : status;
}

/* ---- settings, as the broker describes them ---- */

struct description {
    struct call call;
    const rd_kafka_ConfigResource_t *topic; /* NULL: it is not told, */
    rd_kafka_resp_err_t code;               /* because of this */
    const char *text;                       /* NULL: there is only the code */
};

static void
take_description(struct description *description)
{
    rd_kafka_event_t *event = description->call.event;
    description->code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (event == NULL)
        return;
    description->code = rd_kafka_event_error(event);
    description->text = rd_kafka_event_error_string(event);
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    if (description->code != RD_KAFKA_RESP_ERR_NO_ERROR || result == NULL)
        return;
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(result, &count);
    if (count != 1)
        return;
    description->code = rd_kafka_ConfigResource_error(resources[0]);
    description->text = rd_kafka_ConfigResource_error_string(resources[0]);
    if (description->code == RD_KAFKA_RESP_ERR_NO_ERROR)
        description->topic = resources[0];
}

/* To be ended, which ends what is in it. */
static struct description
begin_description(struct of_admin *admin, const char *topic, int timeout_ms)
{
    struct description description = {
        .call = begin_call(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms),
    };
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_DescribeConfigs(admin->client.rk, &resource, 1, description.call.options, description.call.queue);
    rd_kafka_ConfigResource_destroy(resource);
    description.call.event = rd_kafka_queue_poll(description.call.queue, timeout_ms);
    take_description(&description);
    return description;
}

static void
end_description(struct of_admin *admin, struct description *description)
{
    end_call(&description->call);
    of_kafka_client_serve(&admin->client);
}

/* ---- checking ---- */

/* What a setting of a topic means for what the topic is to hold. */
typedef enum of_status judge_entry(const char *topic, const char *name, const char *value, int64_t keep_ms,
                                   struct of_error *err);

static enum of_status
judge_retention(const char *topic, const char *name, const char *value, int64_t keep_ms, struct of_error *err)
{
    if (strcmp(name, "cleanup.policy") == 0 && strstr(value, "compact") != NULL)
        return of_error_set(err, OF_FATAL, "topic %s has cleanup.policy=%s, which deletes records that are still needed: "
                            "set it to delete", topic, value);
    if (strcmp(name, "retention.ms") != 0)
        return OF_OK;
    long long retention_ms = strtoll(value, NULL, 10);
    if (retention_ms < 0 || (keep_ms >= 0 && retention_ms >= keep_ms))
        return OF_OK;
    return of_error_set(err, OF_POISON, "topic %s has retention.ms=%s, after which records are lost: set it to %lld or "
                        "more, -1 is for ever", topic, value, (long long)keep_ms);
}

static enum of_status
judge_compaction(const char *topic, const char *name, const char *value, int64_t keep_ms, struct of_error *err)
{
    (void)keep_ms;
    if (strcmp(name, "cleanup.policy") != 0 || strcmp(value, "compact") == 0)
        return OF_OK;
    return of_error_set(err, OF_FATAL, "topic %s has cleanup.policy=%s, which deletes totals that are still needed: set "
                        "it to compact", topic, value);
}

/* The worst of what its entries give. */
static enum of_status
judge_resource(const char *topic, const rd_kafka_ConfigResource_t *resource, judge_entry *judge, int64_t keep_ms,
               struct of_error *err)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    enum of_status worst = OF_OK;
    for (size_t i = 0; i < count && worst != OF_FATAL; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        enum of_status status =
            value == NULL ? OF_OK : judge(topic, rd_kafka_ConfigEntry_name(entries[i]), value, keep_ms, err);
        if (status > worst)
            worst = status;
    }
    return worst;
}

static enum of_status
judge_description(struct of_admin *admin, const char *topic, const struct description *description, judge_entry *judge,
                  int64_t keep_ms, struct of_error *err)
{
    if (description->topic != NULL)
        return judge_resource(topic, description->topic, judge, keep_ms, err);
    if (of_kafka_transient(description->code))
        return fail(admin, description->code, "check", topic, description->text, err);
    of_kafka_log_line(admin->client.options, 5, "the settings of topic %s cannot be checked: %s", topic,
                      description->text != NULL ? description->text : rd_kafka_err2str(description->code));
    return OF_OK;
}

static enum of_status
check(struct of_admin *admin, const char *topic, judge_entry *judge, int64_t keep_ms, int timeout_ms,
      struct of_error *err)
{
    struct description description = begin_description(admin, topic, timeout_ms);
    enum of_status status = judge_description(admin, topic, &description, judge, keep_ms, err);
    end_description(admin, &description);
    return status;
}

enum of_status
of_admin_check_retention(struct of_admin *admin, const char *topic, int64_t keep_ms, int timeout_ms,
                         struct of_error *err)
{
    return check(admin, topic, judge_retention, keep_ms, timeout_ms, err);
}

enum of_status
of_admin_check_compaction(struct of_admin *admin, const char *topic, int timeout_ms, struct of_error *err)
{
    return check(admin, topic, judge_compaction, -1, timeout_ms, err);
}

/* ---- all settings ---- */

static enum of_status
visit_description(struct of_admin *admin, const char *topic, const struct description *description,
                  of_admin_setting *visit, void *context, struct of_error *err)
{
    if (description->topic == NULL)
        return fail(admin, description->code, "look at the settings of", topic, description->text, err);
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(description->topic, &count);
    for (size_t i = 0; i < count; i++)
        visit(context, rd_kafka_ConfigEntry_name(entries[i]), rd_kafka_ConfigEntry_value(entries[i]));
    return OF_OK;
}

enum of_status
of_admin_settings(struct of_admin *admin, const char *topic, int timeout_ms, of_admin_setting *visit, void *context,
                  struct of_error *err)
{
    struct description description = begin_description(admin, topic, timeout_ms);
    enum of_status status = visit_description(admin, topic, &description, visit, context, err);
    end_description(admin, &description);
    return status;
}
