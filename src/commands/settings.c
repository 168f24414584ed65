#include "commands/settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands/identity.h"
#include "commands/registry_options.h"
#include "commands/schema_file.h"
#include "core/assert.h"
#include "core/log.h"
#include "kafka/options.h"
#include "ops/console.h"
#include "ops/http_server.h"
#include "registry/url.h"

enum {
    RUN = 1 << OF_COMMAND_RUN | 1 << OF_COMMAND_DOCTOR, /* which checks what a run with the same options would meet */
    PRODUCE = 1 << OF_COMMAND_PRODUCE,
    DEMO = 1 << OF_COMMAND_DEMO,
    STATS = 1 << OF_COMMAND_STATS,
    RESET = 1 << OF_COMMAND_RESET,
    SCHEMA = 1 << OF_COMMAND_SCHEMA,
    DOCTOR = 1 << OF_COMMAND_DOCTOR,
    CONSUMES = RUN | DEMO,
    PUBLISHES = PRODUCE | DEMO,
    CREATES = RUN | PRODUCE, /* topics */
    CONNECTS = RUN | PRODUCE | STATS | RESET, /* to brokers that are there already */
    REGISTRY = RUN | PRODUCE | RESET | SCHEMA,
    READS = RUN | SCHEMA, /* orders by their schemas */
    WORKS = RUN | PRODUCE | DEMO, /* on orders */
    TOTALS = RUN | DEMO | STATS | RESET, /* reads or writes them */
    TOPICS = WORKS | STATS | RESET,
    ALL = TOPICS | SCHEMA,
};

#define DAY_MS INT64_C(86400000)
#define AT(field) .offset = offsetof(struct of_settings, field)
#define STRING .type = OF_OPTION_STRING
#define INT(lowest, highest) .type = OF_OPTION_INT, .min = (lowest), .max = (highest)
#define DOUBLE(lowest, highest) .type = OF_OPTION_DOUBLE, .low = (lowest), .high = (highest)
#define BOOL .type = OF_OPTION_BOOL
#define CHOICE(names) .type = OF_OPTION_CHOICE, .choices = (names)

static const char *const from_names[] = { "earliest", "latest", NULL };
static const char *const on_out_of_range_names[] = { "error", "earliest", "latest", NULL };
static const char *const source_names[] = { "auto", "direct", "librdkafka", NULL };
static const char *const on_stop_names[] = { "leave", "stay", NULL };
const char *const of_guarantee_names[] = { "exactly-once", "at-least-once", NULL };

static const char *
topic_complaint(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (strlen(name) > 249)
        return "is too long for a topic (249 characters at most)";
    if (name[strspn(name, allowed)] != '\0')
        return "is no topic name (allowed: letters, digits, '.', '_' and '-')";
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? "is no topic name" : NULL;
}

/* Keys of the aggregates topic end the group with a TAB. */
static const char *
group_complaint(const char *name)
{
    return strchr(name, '\t') != NULL ? "may hold no TAB" : NULL;
}

static bool
is_registry_url(const char *url)
{
    static const char *const schemes[] = { "http://", "https://", "mock://" };
    url += strspn(url, " ");
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t length = strlen(schemes[i]);
        if (strncmp(url, schemes[i], length) == 0 && url[length] != '\0' && url[length] != ',')
            return true;
    }
    return false;
}

static const char *
registry_complaint(const char *urls)
{
    for (const char *url = urls;; url++) {
        if (!is_registry_url(url))
            return "is no address of a registry (allowed: http://HOST:PORT or https://HOST:PORT, several with commas)";
        url += strcspn(url, ",");
        if (*url == '\0')
            return NULL;
    }
}

static const char *
replication_complaint(const char *factor)
{
    return strcmp(factor, "0") == 0 ? "is no number of replicas (allowed: -1, or 1 and more)" : NULL;
}

/* The first seed from 1 on with which the twenty orders of the demo show all fates: one of the first ten becomes a dead
 * letter, at least three others succeed after retries, one of them after two. Found by asking order/failure about the
 * places where the orders come to stand in three partitions: the key's CRC-32 modulo 3, offsets as published. */
#define DEMO_SEED "5477"

static const struct of_option rows[] = {
#define SECTION .section = "Connections"
    { .name = "brokers", SECTION, STRING, AT(brokers), .commands = CONNECTS, .initial = "localhost:9092",
      .placeholder = "HOST:PORT,...", .help = "Kafka brokers to ask first" },
    { .name = "registry", SECTION, STRING, AT(registry), .commands = REGISTRY, .initial = "http://localhost:8081",
      .placeholder = "URL,...", .complaint = registry_complaint, .show = of_registry_url_print,
      .help = "schema registry; of several the next is asked while one does not answer" },
    { .name = "group", SECTION, STRING, AT(group), .commands = RUN | STATS | RESET, .initial = "order-consumer-group",
      .placeholder = "NAME", .complaint = group_complaint, .help = "consumer group" },
    { .name = "instance-id", SECTION, STRING, AT(instance_id), .commands = RUN, .initial = "auto",
      .placeholder = "NAME", .complaint = of_identity_complaint,
      .help = "fixed name in the group, this process's alone: 'host' is the host's name and first free slot, 'none' is no "
              "fixed name, 'auto' is host or, in containers, none" },
    { .name = "lock-folder", SECTION, STRING, AT(lock_folder), .commands = RUN, .placeholder = "FOLDER",
      .help = "where the instances of a host lock their names; /run/lock/orderflow or /tmp/orderflow unless given" },
    { .name = "from", SECTION, CHOICE(from_names), AT(from), .commands = RUN, .initial = "earliest",
      .placeholder = "WHERE", .help = "where to start in a partition without committed offset" },
    { .name = "on-out-of-range", SECTION, CHOICE(on_out_of_range_names), AT(on_out_of_range), .commands = RUN,
      .initial = "error", .placeholder = "WHAT",
      .help = "where to go on when retention has passed the committed offset; error: nowhere, the partition is held" },
    { .name = "source", SECTION, CHOICE(source_names), AT(source), .commands = RUN, .initial = "auto",
      .placeholder = "NAME", .help = "what reads from the brokers" },
    { .name = "config", SECTION, STRING, AT(config), .commands = ALL, .placeholder = "FILE", .is_file = true,
      .help = "configuration file with lines 'option = value'" },
#undef SECTION
#define SECTION .section = "Schema registry"
    { .name = "registry-user", SECTION, STRING, AT(registry_user), .commands = REGISTRY, .placeholder = "NAME",
      .help = "user for basic authentication at the registry" },
    { .name = "registry-password", SECTION, STRING, AT(registry_password), .commands = REGISTRY, .is_secret = true,
      .placeholder = "PASSWORD", .help = "its password; in the environment or the configuration file only" },
    { .name = "registry-password-file", SECTION, STRING, AT(registry_password_file), .commands = REGISTRY,
      .placeholder = "FILE", .help = "its password is the first line of this file" },
    { .name = "registry-token", SECTION, STRING, AT(registry_token), .commands = REGISTRY, .is_secret = true,
      .placeholder = "TOKEN",
      .help = "bearer token for the registry; in the environment or the configuration file only" },
    { .name = "registry-token-file", SECTION, STRING, AT(registry_token_file), .commands = REGISTRY,
      .placeholder = "FILE", .help = "file with the bearer token, read again for every request" },
    { .name = "registry-ca", SECTION, STRING, AT(registry_ca), .commands = REGISTRY, .placeholder = "FILE",
      .help = "certificate authorities (PEM) to trust in place of the system's" },
    { .name = "registry-cert", SECTION, STRING, AT(registry_cert), .commands = REGISTRY, .placeholder = "FILE",
      .help = "client certificate (PEM) for the registry" },
    { .name = "registry-key", SECTION, STRING, AT(registry_key), .commands = REGISTRY, .placeholder = "FILE",
      .help = "its private key (PEM), unless it is in the same file" },
    { .name = "registry-timeout-ms", SECTION, INT(1, 600000), AT(registry_timeout_ms), .commands = REGISTRY,
      .initial = "10000", .placeholder = "MS", .help = "how long one request to the registry may take" },
    { .name = "registry-cache-dir", SECTION, STRING, AT(registry_cache_dir), .commands = RUN, .placeholder = "DIR",
      .help = "directory that keeps schemas across restarts" },
    { .name = "subject", SECTION, STRING, AT(subject), .commands = PRODUCE | SCHEMA | DOCTOR, .placeholder = "NAME",
      .help = "subject of the schema in the registry; TOPIC-value unless given" },
    { .name = "schema", SECTION, STRING, AT(schema), .commands = PRODUCE | SCHEMA, .placeholder = "FILE",
      .help = "Avro schema of what is published; the one of orders unless given" },
    { .name = "auto-register", SECTION, BOOL, AT(auto_register), .commands = PRODUCE, .initial = "true",
      .help = "register the schema; otherwise it must be there already" },
#undef SECTION
#define SECTION .section = "Topics"
    { .name = "topic", SECTION, STRING, AT(topic), .commands = ALL, .initial = "orders", .placeholder = "TOPIC",
      .complaint = topic_complaint, .help = "topic of the orders" },
    { .name = "retry-topic", SECTION, STRING, AT(retry_topic), .commands = TOTALS, .initial = "orders-retry",
      .placeholder = "TOPIC", .complaint = topic_complaint, .help = "topic of the orders that wait for a retry" },
    { .name = "dlq-topic", SECTION, STRING, AT(dlq_topic), .commands = CONSUMES, .initial = "orders-dlq",
      .placeholder = "TOPIC", .complaint = topic_complaint, .help = "topic of the dead letters" },
    { .name = "aggregates-topic", SECTION, STRING, AT(aggregates_topic), .commands = TOTALS,
      .initial = "orders-aggregates", .placeholder = "TOPIC", .complaint = topic_complaint,
      .help = "compacted topic of the totals, from which a start goes on" },
    { .name = "create-topics", SECTION, BOOL, AT(create_topics), .commands = CREATES, .initial = "true",
      .help = "create topics that are missing" },
    { .name = "partitions", SECTION, INT(1, 10000), AT(partitions), .commands = WORKS, .initial = "3",
      .placeholder = "COUNT", .help = "partitions of a topic of orders that is created" },
    { .name = "replication", SECTION, INT(-1, 1000), AT(replication), .commands = CREATES, .initial = "-1",
      .placeholder = "COUNT", .complaint = replication_complaint,
      .help = "replicas of topics that are created; -1 is the broker's default" },
#undef SECTION
#define SECTION .section = "Orders"
    { .name = "id-field", SECTION, STRING, AT(id_field), .commands = READS | PRODUCE, .initial = "orderId",
      .placeholder = "FIELD",
      .help = "field that identifies an order, the key of produce; dots lead into nested records" },
    { .name = "value-field", SECTION, STRING, AT(value_field), .commands = READS | PRODUCE, .initial = "price",
      .placeholder = "FIELD", .help = "field whose sum and average is kept; dots lead into nested records" },
    { .name = "group-by-field", SECTION, STRING, AT(group_by_field), .commands = READS, .initial = "product",
      .placeholder = "FIELD", .help = "field by which sums are grouped; dots lead into nested records" },
    { .name = "reader-schema", SECTION, STRING, AT(reader_schema), .commands = READS, .placeholder = "FILE",
      .help = "Avro schema to read orders as, whatever schema they are written with; the fields are then its fields" },
    { .name = "id", SECTION, INT(0, UINT32_MAX), AT(schema_id), .commands = SCHEMA, .placeholder = "NUMBER",
      .help = "schema of the registry with this id" },
    { .name = "min-value", SECTION, DOUBLE(-1e308, 1e308), AT(min_value), .commands = CONSUMES,
      .placeholder = "NUMBER", .help = "smallest valid value; orders below are dead letters" },
    { .name = "max-value", SECTION, DOUBLE(-1e308, 1e308), AT(max_value), .commands = CONSUMES,
      .placeholder = "NUMBER", .help = "largest valid value; orders above are dead letters" },
    { .name = "max-field-bytes", SECTION, INT(1, 64 * 1024 * 1024), AT(max_field_bytes), .commands = READS,
      .initial = "1048576", .placeholder = "BYTES",
      .help = "longest valid field; orders with longer ones are dead letters" },
    { .name = "max-groups", SECTION, INT(1, 10000000), AT(max_groups), .commands = RUN, .initial = "100000",
      .placeholder = "COUNT", .help = "most groups that are kept apart; further ones count as (other)" },
#undef SECTION
#define SECTION .section = "Failures"
    { .name = "max-retries", SECTION, INT(0, 1000), AT(max_retries), .commands = CONSUMES, .initial = "3",
      .placeholder = "COUNT", .help = "retries after the first attempt; what fails then is a dead letter" },
    { .name = "retry-delay-ms", SECTION, INT(0, 7 * DAY_MS), AT(retry_delay_ms), .commands = CONSUMES,
      .initial = "2000", .placeholder = "MS", .help = "how long an order waits before it is tried again" },
    { .name = "failure-rate", SECTION, DOUBLE(0, 1), AT(failure_rate), .commands = CONSUMES, .initial = "0",
      .differs = { DEMO, "0.1" }, .placeholder = "RATE", .help = "share of attempts that fail as a simulation" },
    { .name = "seed", SECTION, INT(0, INT64_MAX), AT(seed), .commands = WORKS, .initial = "1",
      .differs = { DEMO, DEMO_SEED }, .placeholder = "NUMBER",
      .help = "seed of what is random: simulated failures of run, orders of produce" },
#undef SECTION
#define SECTION .section = "Delivery"
    { .name = "guarantee", SECTION, CHOICE(of_guarantee_names), AT(guarantee), .commands = RUN,
      .initial = "exactly-once", .placeholder = "NAME",
      .help = "what holds across crashes: docs/delivery.md" },
    { .name = "commit-interval-ms", SECTION, INT(1, 60000), AT(commit_interval_ms), .commands = RUN, .initial = "100",
      .placeholder = "MS", .help = "pause between commits; up to twice as long where they take long" },
    { .name = "drain-timeout-ms", SECTION, INT(0, 600000), AT(drain_timeout_ms), .commands = CONSUMES,
      .initial = "10000", .placeholder = "MS",
      .help = "how long finishing what is under way may take when stopping or rebalancing" },
    { .name = "on-stop", SECTION, CHOICE(on_stop_names), AT(on_stop), .commands = RUN, .initial = "leave",
      .placeholder = "WHAT",
      .help = "leave: others take the partitions at once; stay: they wait for this instance, for a restart" },
    { .name = "exit-at-end", SECTION, BOOL, AT(exit_at_end), .commands = RUN, .initial = "false",
      .help = "end when all that was there at the start, and the retries that came of it, is settled" },
    { .name = "exit-timeout-ms", SECTION, INT(0, 7 * DAY_MS), AT(exit_timeout_ms), .commands = CONSUMES,
      .initial = "0", .placeholder = "MS",
      .help = "stop after this time, with status 3 if the end was not reached; 0 is never" },
#undef SECTION
#define SECTION .section = "Threads and memory"
    { .name = "fetch-threads", SECTION, INT(1, 64), AT(fetch_threads), .commands = RUN, .initial = "1",
      .placeholder = "COUNT", .help = "members of the group, each with a fetch and a publish thread" },
    { .name = "decode-threads", SECTION, INT(0, 64), AT(decode_threads), .commands = CONSUMES, .initial = "1",
      .placeholder = "COUNT", .help = "threads that decode; 0: inside the stage before" },
    { .name = "process-threads", SECTION, INT(0, 64), AT(process_threads), .commands = CONSUMES, .initial = "1",
      .placeholder = "COUNT", .help = "threads that process; 0: inside the stage before" },
    { .name = "aggregate-threads", SECTION, INT(0, 64), AT(aggregate_threads), .commands = CONSUMES, .initial = "1",
      .placeholder = "COUNT", .help = "threads that aggregate; 0: inside the stage before" },
    { .name = "memory-mb", SECTION, INT(16, 1048576), AT(memory_mb), .commands = CONSUMES, .initial = "256",
      .placeholder = "MB", .help = "memory for fetched data" },
#undef SECTION
#define SECTION .section = "Orders to publish"
    { .name = "count", SECTION, INT(0, INT64_MAX), AT(count), .commands = PUBLISHES, .initial = "20",
      .placeholder = "COUNT", .help = "how many orders; with --file all of them unless given" },
    { .name = "interval-ms", SECTION, INT(0, DAY_MS), AT(interval_ms), .commands = PUBLISHES, .initial = "2000",
      .differs = { DEMO, "500" }, .placeholder = "MS", .help = "time between two orders" },
    { .name = "rate", SECTION, DOUBLE(0, 1e9), AT(rate), .commands = PUBLISHES, .placeholder = "PER-SECOND",
      .help = "orders per second, in place of --interval-ms; 0: as fast as it goes" },
    { .name = "first-id", SECTION, INT(0, INT64_MAX), AT(first_id), .commands = PUBLISHES, .initial = "1001",
      .placeholder = "NUMBER", .help = "id of the first random order; the others count up from it" },
    { .name = "file", SECTION, STRING, AT(file), .commands = PUBLISHES, .placeholder = "FILE",
      .help = "publish the rows of a CSV file (with a header row) or of a file of JSON lines; - is standard input" },
#undef SECTION
#define SECTION .section = "Output"
    { .name = "console", SECTION, CHOICE(of_console_mode_names), AT(console), .commands = CONSUMES, .initial = "auto",
      .placeholder = "MODE",
      .help = "what is printed: each order, a summary (live on a terminal), either by the rate, JSON, nothing" },
    { .name = "color", SECTION, CHOICE(of_color_names), AT(color), .commands = CONSUMES | STATS, .initial = "auto",
      .placeholder = "WHEN", .help = "colours and columns; auto: on a terminal, without colours if NO_COLOR is set" },
    { .name = "json", SECTION, BOOL, AT(json), .commands = STATS | DOCTOR, .initial = "false",
      .help = "one line of JSON in place of a table" },
    { .name = "follow", SECTION, BOOL, AT(follow), .commands = STATS, .initial = "false",
      .help = "go on, and print again when something changed" },
    { .name = "yes", SECTION, BOOL, AT(yes), .commands = RESET, .initial = "false",
      .help = "do what would be done; without it nothing is changed" },
    { .name = "progress-seconds", SECTION, INT(0, 86400), AT(progress_seconds), .commands = PRODUCE, .initial = "0",
      .placeholder = "SECONDS",
      .help = "print a line of progress so often where output is no terminal, which has a bar; 0 is never" },
    { .name = "log-level", SECTION, STRING, AT(log_level), .commands = ALL, .initial = "info",
      .placeholder = "LEVEL,...", .complaint = of_log_levels_complaint,
      .help = "least important messages that are logged to standard error: error, warning, info or debug; of a module "
              "apart: info,registry=debug" },
    { .name = "log-format", SECTION, CHOICE(of_log_format_names), AT(log_format), .commands = ALL, .initial = "text",
      .placeholder = "FORMAT", .help = "what a line of the log looks like" },
    { .name = "http", SECTION, STRING, AT(http), .commands = CONSUMES, .placeholder = "ADDRESS",
      .complaint = of_http_server_complaint,
      .help = "serve dashboard, metrics and health: PORT (this machine alone), HOST:PORT or [IPV6]:PORT" },
    { .name = "http-token", SECTION, STRING, AT(http_token), .commands = CONSUMES, .is_secret = true,
      .placeholder = "TOKEN",
      .help = "bearer token that metrics and dashboard ask for; in the environment or the configuration file only" },
    { .name = "http-token-file", SECTION, STRING, AT(http_token_file), .commands = CONSUMES, .placeholder = "FILE",
      .help = "that token is the first line of this file" },
    { .name = "print-wiring", SECTION, BOOL, AT(print_wiring), .commands = CONSUMES, .initial = "false",
      .help = "print stages, threads and edges, and end" },
#undef SECTION
};

static const char *const command_names[] = { "run", "produce", "demo", "stats", "reset", "schema", "doctor", NULL };

const struct of_option_table of_settings_table = {
    .options = rows,
    .count = sizeof rows / sizeof *rows,
    .commands = command_names,
    .program = "orderflow",
    .environment_prefix = "ORDERFLOW_",
    .property_prefix = "kafka.",
    .property_commands = CONNECTS,
    .property_complaint = of_kafka_refused_property,
    .property_is_secret = of_kafka_secret_property,
};

/* ---- what no single value can tell ---- */

static enum of_status
check_registry(const struct of_command_line *line, struct of_error *err)
{
    return of_registry_settings_check(&line->settings, err);
}

static enum of_status
check_topics(const struct of_command_line *line, struct of_error *err)
{
    const struct of_settings *settings = &line->settings;
    const char *const names[] = { settings->topic, settings->retry_topic, settings->dlq_topic,
                                  settings->aggregates_topic };
    static const char *const flags[] = { "--topic", "--retry-topic", "--dlq-topic", "--aggregates-topic" };
    enum { COUNT = sizeof flags / sizeof *flags };
    for (int i = 0; i < COUNT; i++)
        for (int j = i + 1; j < COUNT; j++)
            if (names[i] != NULL && names[j] != NULL && strcmp(names[i], names[j]) == 0)
                return of_error_set(err, OF_FATAL, "%s and %s are both '%s': they must differ", flags[i], flags[j],
                                    names[i]);
    return OF_OK;
}

static enum of_status
check_reader_schema(const struct of_command_line *line, struct of_error *err)
{
    char *text;
    if (line->settings.reader_schema == NULL)
        return OF_OK;
    enum of_status status = of_schema_file_read(line->settings.reader_schema, &text, err);
    free(text);
    return status == OF_OK ? OF_OK : of_error_prefix(err, "--reader-schema");
}

static enum of_status
check_limits(const struct of_command_line *line, struct of_error *err)
{
    const struct of_settings *settings = &line->settings;
    if (settings->min_value > settings->max_value)
        return of_error_set(err, OF_FATAL, "--min-value %.15g is above --max-value %.15g", settings->min_value,
                            settings->max_value);
    if (settings->http_token != NULL && settings->http_token_file != NULL)
        return of_error_set(err, OF_FATAL, "http-token and --http-token-file exclude each other");
    return OF_OK;
}

static enum of_status
check_publishing(const struct of_command_line *line, struct of_error *err)
{
    bool interval_given = of_options_origin(&line->options, "interval-ms") != OF_ORIGIN_DEFAULT;
    if (interval_given && !isnan(line->settings.rate))
        return of_error_set(err, OF_FATAL, "--rate and --interval-ms say the same thing: give one of them");
    if (line->settings.count > INT64_MAX - line->settings.first_id)
        return of_error_set(err, OF_FATAL, "--first-id and --count lead beyond the largest id");
    return OF_OK;
}

static const struct {
    uint32_t commands;
    enum of_status (*check)(const struct of_command_line *line, struct of_error *err);
} combinations[] = {
    { REGISTRY, check_registry },
    { READS, check_reader_schema },
    { CONSUMES, check_limits },
    { TOTALS, check_topics },
    { PUBLISHES, check_publishing },
};

static enum of_status
read_all(struct of_command_line *line, bool collects, enum of_command_index command, const char *const *arguments,
         const char *const *environment, struct of_error *err)
{
    memset(&line->settings, 0, sizeof line->settings);
    line->command = command;
    line->arguments = NULL;
    of_options_init(&line->options, &of_settings_table, command);
    line->options.collects = collects;
    enum of_status status = of_options_load(&line->options, arguments, environment, &line->settings, err);
    if (status != OF_OK || line->options.help)
        return status;
    if (line->options.operand_count > 0 && command != OF_COMMAND_SCHEMA) {
        status = of_error_set(err, OF_FATAL, "unexpected argument '%s'", line->options.operands[0]);
        status = of_options_complain(&line->options, status, err);
    }
    uint32_t commands = command == OF_COMMAND_ALL ? ALL : 1u << command;
    for (size_t i = 0; status == OF_OK && i < sizeof combinations / sizeof *combinations; i++)
        if (commands & combinations[i].commands)
            status = of_options_complain(&line->options, combinations[i].check(line, err), err);
    return status;
}

enum of_status
of_settings_read(struct of_command_line *line, enum of_command_index command, const char *const *arguments,
                 const char *const *environment, struct of_error *err)
{
    return read_all(line, false, command, arguments, environment, err);
}

void
of_settings_collect(struct of_command_line *line, enum of_command_index command, const char *const *arguments,
                    const char *const *environment)
{
    struct of_error err;
    enum of_status status = read_all(line, true, command, arguments, environment, &err);
    OF_ASSERT(status == OF_OK);
}

void
of_settings_fini(struct of_command_line *line)
{
    of_options_fini(&line->options);
    for (size_t i = 0; line->arguments != NULL && line->arguments[i] != NULL; i++)
        free(line->arguments[i]);
    free(line->arguments);
    line->arguments = NULL;
}
