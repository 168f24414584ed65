#include "commands/run_topics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands/interrupt.h"
#include "core/clock.h"
#include "core/log.h"
#include "kafka/admin.h"

enum { LOOK_UP_MS = 1000, CREATE_MS = 10000, CHECK_MS = 5000, PAUSE_MS = 500 };

/* How long a record may wait in the retry topic, whatever else is down: a month. Dead letters stay until somebody has
 * looked at them. */
static const char retry_retention_ms[] = "2592000000";
static const char dead_letter_retention_ms[] = "-1";

/* A retry topic that was there keeps records for a day at least, or the user is told. How long dead letters stay is the
 * user's affair once the topic is there. */
#define RETRY_RETENTION_AT_LEAST_MS (INT64_C(24) * 60 * 60 * 1000)

/* Of the aggregates topic. The newest records are few beside all that are written, so it is compacted eagerly: what is
 * not compacted yet, the open segment at least, is what a start reads in vain. */
static const struct of_kafka_property aggregates_configs[] = {
    { "cleanup.policy", "compact" },
    { "min.cleanable.dirty.ratio", "0.2" },
    { "segment.bytes", "16777216" },
    { "segment.ms", "3600000" },
};

static enum of_status
create(struct of_admin *admin, const struct of_settings *settings, const struct of_topic_spec *spec,
       struct of_error *err)
{
    if (!settings->create_topics)
        return of_error_set(err, OF_FATAL,
                            "topic %s does not exist: create it with %" PRId32 " partitions, or allow --create-topics",
                            spec->name, spec->partitions);
    enum of_status status = of_admin_create_topic(admin, spec, CREATE_MS, err);
    if (status == OF_OK)
        of_log_info("run", "created topic %s with %" PRId32 " partitions", spec->name, spec->partitions);
    return status;
}

/* A topic that was there already and is to hold failed records. */
static enum of_status
check(struct of_admin *admin, const struct of_settings *settings, const struct of_topic_spec *spec, int32_t partitions,
      struct of_error *err)
{
    if (partitions < spec->partitions)
        of_log_warning("run", "topic %s has %" PRId32 " partitions and %s %" PRId32 ": several share one", spec->name,
                       partitions, settings->topic, spec->partitions);
    int64_t keep_ms = spec->retention_ms == retry_retention_ms ? RETRY_RETENTION_AT_LEAST_MS : 0;
    enum of_status status = of_admin_check_retention(admin, spec->name, keep_ms, CHECK_MS, err);
    if (status != OF_POISON)
        return status;
    of_log_warning("run", "%s", err->text);
    return OF_OK;
}

/* *partitions: what the topic has. */
static enum of_status
prepare(struct of_admin *admin, const struct of_settings *settings, struct of_topic_spec spec, int32_t *partitions,
        struct of_error *err)
{
    spec.replication = (int32_t)settings->replication;
    enum of_status status = of_admin_look_up(admin, spec.name, LOOK_UP_MS, partitions, err);
    if (status != OF_OK)
        return status;
    if (*partitions > 0)
        return spec.retention_ms == NULL ? OF_OK : check(admin, settings, &spec, *partitions, err);
    *partitions = spec.partitions;
    return create(admin, settings, &spec, err);
}

/* The aggregates topic, which was there already, must have each partition that orders or retries have. */
static enum of_status
check_aggregates(struct of_admin *admin, const struct of_settings *settings, const struct of_topic_spec *spec,
                 int32_t partitions, struct of_error *err)
{
    enum of_status status = of_admin_check_compaction(admin, spec->name, CHECK_MS, err);
    if (status != OF_OK || partitions >= spec->partitions)
        return status;
    if (!settings->create_topics)
        return of_error_set(err, OF_FATAL, "topic %s has %" PRId32 " partitions, and %" PRId32 " are needed, as many as "
                            "topic %s or %s has: add partitions to it, or allow --create-topics", spec->name, partitions,
                            spec->partitions, settings->topic, settings->retry_topic);
    status = of_admin_add_partitions(admin, spec->name, spec->partitions, CREATE_MS, err);
    if (status == OF_OK)
        of_log_info("run", "topic %s had %" PRId32 " partitions, now %" PRId32, spec->name, partitions,
                    spec->partitions);
    return status;
}

static enum of_status
prepare_aggregates(struct of_admin *admin, const struct of_settings *settings, int32_t partitions,
                   struct of_error *err)
{
    const struct of_topic_spec spec = {
        .name = settings->aggregates_topic,
        .partitions = partitions,
        .replication = (int32_t)settings->replication,
        .configs = aggregates_configs,
        .config_count = sizeof aggregates_configs / sizeof *aggregates_configs,
    };
    int32_t there;
    enum of_status status = of_admin_look_up(admin, spec.name, LOOK_UP_MS, &there, err);
    if (status != OF_OK)
        return status;
    return there > 0 ? check_aggregates(admin, settings, &spec, there, err) : create(admin, settings, &spec, err);
}

static enum of_status
prepare_all(struct of_admin *admin, struct of_kafka_options *options, const struct of_settings *settings,
            int32_t *orders, struct of_error *err)
{
    int32_t dead;
    enum of_status status = prepare(admin, settings, (struct of_topic_spec) {
        .name = settings->topic, .partitions = (int32_t)settings->partitions }, orders, err);
    if (status == OF_OK)
        status = prepare(admin, settings, (struct of_topic_spec) {
            .name = settings->retry_topic, .partitions = *orders, .retention_ms = retry_retention_ms },
            &options->retry_partitions, err);
    if (status == OF_OK)
        status = prepare(admin, settings, (struct of_topic_spec) {
            .name = settings->dlq_topic, .partitions = *orders, .retention_ms = dead_letter_retention_ms }, &dead, err);
    int32_t retry = options->retry_partitions;
    if (status == OF_OK)
        status = prepare_aggregates(admin, settings, *orders > retry ? *orders : retry, err);
    return status;
}

/* ---- what they take ---- */

static void
take_setting(void *context, const char *name, const char *value)
{
    int64_t *most = context;
    if (value == NULL || strcmp(name, "max.message.bytes") != 0)
        return;
    int64_t bytes = strtoll(value, NULL, 10);
    if (bytes > 0 && bytes < *most)
        *most = bytes;
}

/* Not being told is no reason not to start. */
static int32_t
look_up_batch_bytes(struct of_admin *admin, const struct of_kafka_options *options)
{
    const char *const topics[] = { options->retry_topic, options->dead_letter_topic, options->aggregates_topic };
    int64_t most = INT32_MAX;
    struct of_error err;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (of_admin_settings(admin, topics[i], CHECK_MS, take_setting, &most, &err) != OF_OK)
            return 0;
    return most == INT32_MAX ? 0 : (int32_t)most;
}

enum of_status
of_run_prepare_topics(struct of_kafka_options *options, const struct of_settings *settings,
                      int32_t *orders_partitions, char **cluster, struct of_error *err)
{
    struct of_admin *admin;
    struct of_log_last last = { 0 };
    enum of_status status = of_admin_open(options, &admin, err);
    if (status != OF_OK)
        return status;
    while ((status = prepare_all(admin, options, settings, orders_partitions, err)) == OF_RETRY
           || (status == OF_OK && (status = of_admin_cluster_id(admin, LOOK_UP_MS, cluster, err)) == OF_RETRY)) {
        if (of_interrupt_requested())
            break;
        if (of_interrupt_take_dump())
            of_log_info("run", "there is no pipeline yet: %s", err->text);
        of_log_changed(&last, OF_LOG_WARNING, "run", "%s; trying again", err->text);
        nanosleep(&(struct timespec) { .tv_nsec = PAUSE_MS * OF_MS_NS }, NULL);
    }
    if (status == OF_OK && !options->embedded)
        options->batch_bytes = look_up_batch_bytes(admin, options);
    of_admin_close(&admin);
    return status == OF_RETRY ? of_error_prefix(err, "interrupted") : status;
}
