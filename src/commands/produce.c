#include <stdio.h>
#include <time.h>

#include "commands/commands.h"
#include "commands/interrupt.h"
#include "commands/kafka_options.h"
#include "commands/publisher.h"
#include "commands/registry_options.h"
#include "commands/given_schema.h"
#include "core/log.h"
#include "kafka/admin.h"
#include "registry/back_off.h"

enum {
    START_TIMEOUT_MS = 60000, /* for brokers and registry to answer */
    LOOK_UP_MS = 1000,
    CREATE_MS = 10000,
};

/* All that a run needs, and what it opened. */
struct produce {
    const struct of_settings *settings;
    struct of_kafka_options kafka;
    struct of_admin *admin;
    struct of_registry_client *registry;
    int64_t wait_ms; /* how long the registry wants to be left alone */
    struct of_publisher publisher;
};

static void
rest(int64_t wait_ns)
{
    nanosleep(&(struct timespec) { .tv_sec = wait_ns / OF_SECOND_NS, .tv_nsec = wait_ns % OF_SECOND_NS }, NULL);
}

/* Tries again for START_TIMEOUT_MS: brokers and registry may be starting, too. */
static enum of_status
insist(struct produce *produce, enum of_status (*step)(struct produce *, struct of_error *), struct of_error *err)
{
    int64_t start_ns = of_clock_mono_ns(produce->publisher.clock), back_off_ns = 0;
    struct of_jitter jitter = { (uint64_t)start_ns };
    struct of_log_last last = { 0 };
    enum of_status status;
    while ((status = step(produce, err)) == OF_RETRY && !of_interrupt_requested() &&
           of_clock_mono_ns(produce->publisher.clock) - start_ns < START_TIMEOUT_MS * OF_MS_NS) {
        of_log_changed(&last, OF_LOG_WARNING, "produce", "%s; trying again", err->text);
        rest(of_back_off_next(&jitter, &back_off_ns, produce->wait_ms)); /* ends early at a signal */
        produce->wait_ms = 0;
    }
    return status;
}

static enum of_status
register_schema(struct produce *produce, struct of_error *err)
{
    char subject[OF_SUBJECT_BYTES];
    const struct of_settings *settings = produce->settings;
    struct of_publisher *publisher = &produce->publisher;
    of_given_schema_subject(settings, subject);
    enum of_registry_answer answer =
        settings->auto_register
            ? of_registry_register(produce->registry, subject, publisher->schema, &publisher->schema_id, err)
            : of_registry_look_up(produce->registry, subject, publisher->schema, &publisher->schema_id, err);
    if (answer == OF_REGISTRY_FOUND)
        return OF_OK;
    produce->wait_ms = of_registry_client_wait_ms(produce->registry);
    of_error_prefix(err, "cannot %s the schema as subject %s", settings->auto_register ? "register" : "find", subject);
    return answer == OF_REGISTRY_UNAVAILABLE ? OF_RETRY : OF_FATAL;
}

/* The producer itself waits until a new topic is known everywhere. */
static enum of_status
prepare_topic(struct produce *produce, struct of_error *err)
{
    const struct of_settings *settings = produce->settings;
    int32_t partitions;
    enum of_status status = of_admin_look_up(produce->admin, settings->topic, LOOK_UP_MS, &partitions, err);
    if (status != OF_OK || partitions > 0)
        return status;
    if (!settings->create_topics)
        return of_error_set(err, OF_FATAL, "topic %s does not exist: create it, or allow --create-topics",
                            settings->topic);
    const struct of_topic_spec spec = {
        .name = settings->topic,
        .partitions = (int32_t)settings->partitions,
        .replication = (int32_t)settings->replication,
    };
    status = of_admin_create_topic(produce->admin, &spec, CREATE_MS, err);
    if (status == OF_OK)
        of_log_info("produce", "created topic %s with %d partitions", spec.name, (int)spec.partitions);
    return status;
}

static enum of_status
begin(struct produce *produce, struct of_error *err)
{
    enum of_status status = of_admin_open(&produce->kafka, &produce->admin, err);
    if (status == OF_OK)
        status = of_registry_open(produce->settings, &produce->registry, err);
    if (status == OF_OK)
        status = insist(produce, prepare_topic, err);
    if (status == OF_OK)
        status = insist(produce, register_schema, err);
    if (status == OF_OK)
        status = of_publisher_open(&produce->publisher, &produce->kafka, err);
    return status;
}

static void
end(struct produce *produce)
{
    of_registry_client_close(&produce->registry);
    of_admin_close(&produce->admin);
    of_publisher_fini(&produce->publisher);
    of_kafka_options_fini(&produce->kafka);
}

static int
open_and_run(const struct of_command_line *line)
{
    of_interrupt_install();
    const struct of_settings *settings = &line->settings;
    struct produce produce = {
        .settings = settings,
        .publisher = { .command = "produce", .settings = settings },
    };
    struct of_error err;
    of_kafka_options_init(&produce.kafka, line);
    int exit_status = OF_EXIT_USAGE;
    enum of_status status = of_kafka_check_properties(&produce.kafka, &err);
    if (status == OF_OK)
        status = of_publisher_init(&produce.publisher, line, &err);
    if (status == OF_OK) {
        exit_status = OF_EXIT_FAILED;
        status = begin(&produce, &err);
    }
    if (status == OF_OK)
        exit_status = of_publisher_run(&produce.publisher);
    else
        fprintf(stderr, "orderflow produce: %s\n", err.text);
    end(&produce);
    return exit_status;
}

int
of_command_produce(int argc, char **argv)
{
    return of_command_line_run(OF_COMMAND_PRODUCE, argc, argv, open_and_run);
}
