/* `orderflow run` beside a bare librdkafka loop: how much of what librdkafka can deliver does the pipeline keep? Or
 * beside a single thread that does the same job on librdkafka: what does the pipeline bring? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bare_loop.h"
#include "bench.h"
#include "child.h"
#include "command.h"
#include "core/memory.h"
#include "single.h"

enum { TEXT_BYTES = 1 << 16, NAME_BYTES = 64 };

struct settings {
    struct bench_settings common;
    const char *brokers, *registry;
    int64_t count, partitions, waiting, retry_delay_ms;
    double failing;
    int baseline;
};

enum { BARE, SINGLE };
static const char *const baseline_names[] = { "bare", "single", NULL };
enum { MAX_RETRIES = 3 };

#define AT(field) .commands = 1, .offset = offsetof(struct settings, field)
static const struct of_option rows[] = {
    BENCH_OPTIONS(struct settings),
    { .name = "brokers", .section = "Kafka", .type = OF_OPTION_STRING, .initial = "localhost:9092", AT(brokers),
      .placeholder = "HOST:PORT", .help = "a broker on this machine" },
    { .name = "registry", .section = "Kafka", .type = OF_OPTION_STRING, AT(registry),
      .initial = "http://localhost:8081/apis/ccompat/v7", .placeholder = "URL", .help = "schema registry" },
    { .name = "count", .section = "Orders", .type = OF_OPTION_INT, .min = 1, .max = INT64_C(1) << 40,
      .initial = "10000000", AT(count), .placeholder = "COUNT",
      .help = "orders in the topic, which is filled once and kept" },
    { .name = "partitions", .section = "Orders", .type = OF_OPTION_INT, .min = 1, .max = 1000, .initial = "8",
      AT(partitions), .placeholder = "COUNT", .help = "its partitions" },
    { .name = "failing", .section = "Orders", .type = OF_OPTION_DOUBLE, .low = 0, .high = 1, .initial = "0",
      AT(failing), .placeholder = "RATE", .help = "share of attempts that fail" },
    { .name = "retry-delay-ms", .section = "Orders", .type = OF_OPTION_INT, .min = 0, .max = 600000, .initial = "2000",
      AT(retry_delay_ms), .placeholder = "MS", .help = "how long what failed waits" },
    { .name = "baseline", .section = "Orders", .type = OF_OPTION_CHOICE, .choices = baseline_names, .initial = "bare",
      AT(baseline), .placeholder = "NAME",
      .help = "a loop that only touches records, or one thread that does the same job at least once" },
    { .name = "waiting", .section = "Orders", .type = OF_OPTION_INT, .min = 0, .max = INT64_C(1) << 40,
      .initial = "0", AT(waiting), .placeholder = "COUNT",
      .help = "so many orders fail, and all wait 30 s for their retry; for memory, not for time" },
};
#undef AT

struct throughput {
    struct settings settings;
    struct bench bench;
    char topic[NAME_BYTES], retry_topic[NAME_BYTES], dlq_topic[NAME_BYTES];
    uint32_t runs;
    struct bare_property *properties;
    struct bare_loop loop;
};

/* ---- the baseline ---- */

static int
be_bare_loop(void *context)
{
    const struct throughput *self = context;
    uint64_t records;
    double seconds;
    int status = bare_loop_run(&self->loop, &records, &seconds);
    if (status == 0)
        printf("records %" PRIu64 " seconds %.6f\n", records, seconds);
    return status;
}

static int
be_counter(void *context)
{
    const struct throughput *self = context;
    int64_t records = bare_count(&self->loop);
    printf("records %" PRId64 "\n", records);
    return records < 0;
}

static int
be_cleaner(void *context)
{
    const struct throughput *self = context;
    const char *const topics[] = { self->retry_topic, self->dlq_topic };
    return bare_delete(&self->loop, topics, 2) ? 0 : 1;
}

static void
set_values(const struct throughput *self, double seconds, const struct bench_usage *usage, double *values)
{
    double count = (double)self->settings.count;
    values[0] = count / seconds;
    values[1] = usage->processor_s * 1e9 / count;
    values[2] = usage->peak_mb;
}

static bool
run_bare_loop(void *context, double *values)
{
    struct throughput *self = context;
    char text[256];
    struct bench_usage usage;
    uint64_t records;
    double seconds;
    if (!bench_child("bare loop", be_bare_loop, self, text, sizeof text, &usage))
        return false;
    if (sscanf(text, "records %" SCNu64 " seconds %lf", &records, &seconds) != 2 ||
        records != (uint64_t)self->settings.count) {
        fprintf(stderr, "bare loop: not what was expected: %s\n", text);
        return false;
    }
    set_values(self, seconds, &usage, values);
    return true;
}

/* ---- the other baseline ---- */

static int
be_single(void *context)
{
    const struct throughput *self = context;
    const struct single single = {
        .loop = self->loop, .retry_topic = self->retry_topic, .dlq_topic = self->dlq_topic,
        .orders = self->settings.count, .failing = self->settings.failing,
        .delay_ms = self->settings.retry_delay_ms, .max_retries = MAX_RETRIES,
    };
    struct single_result result;
    int status = single_run(&single, &result);
    if (status == 0)
        printf("processed %" PRIu64 " dead %" PRIu64 " retries %" PRIu64 " seconds %.6f\n", result.processed,
               result.dead, result.retries, result.seconds);
    return status;
}

static void
name_topics(struct throughput *self)
{
    snprintf(self->retry_topic, sizeof self->retry_topic, "%.32s-retry-%d-%u", self->topic, (int)getpid(), self->runs);
    snprintf(self->dlq_topic, sizeof self->dlq_topic, "%.32s-dlq-%d-%u", self->topic, (int)getpid(), self->runs++);
}

static void
delete_topics(struct throughput *self)
{
    char nothing[16];
    struct bench_usage ignored;
    bench_child("deleting topics", be_cleaner, self, nothing, sizeof nothing, &ignored);
}

static bool
run_single(void *context, double *values)
{
    struct throughput *self = context;
    char text[256];
    struct bench_usage usage;
    uint64_t processed, dead, retries;
    double seconds;
    name_topics(self);
    bool ended = bench_child("single thread", be_single, self, text, sizeof text, &usage);
    delete_topics(self);
    if (!ended || sscanf(text, "processed %" SCNu64 " dead %" SCNu64 " retries %" SCNu64 " seconds %lf", &processed,
                         &dead, &retries, &seconds) != 4 || processed + dead != (uint64_t)self->settings.count) {
        fprintf(stderr, "single thread: not what was expected: %s\n", text);
        return false;
    }
    set_values(self, seconds, &usage, values);
    values[3] = (double)retries;
    return true;
}

/* ---- the candidate ---- */

static void
begin_command(struct bench_command *command, const struct throughput *self, const char *name)
{
    bench_command_begin(command, name, self->settings.brokers, self->settings.registry, self->topic);
    bench_command_add(command, "--partitions=%" PRId64, self->settings.partitions);
    bench_command_add_properties(command, &self->bench.options);
}

static void
add_run_options(struct bench_command *command, const struct throughput *self)
{
    const struct settings *settings = &self->settings;
    bench_command_add(command, "--group=%s", self->retry_topic); /* a new one for each run, too */
    bench_command_add(command, "--retry-topic=%s", self->retry_topic);
    bench_command_add(command, "--dlq-topic=%s", self->dlq_topic);
    bench_command_add(command, "--console=summary");
    bench_command_add(command, "--exit-at-end");
    if (settings->waiting > 0) {
        bench_command_add(command, "--failure-rate=%.9f", (double)settings->waiting / (double)settings->count);
        bench_command_add(command, "--retry-delay-ms=30000");
    } else {
        bench_command_add(command, "--failure-rate=%.9f", settings->failing);
        bench_command_add(command, "--retry-delay-ms=%" PRId64, settings->retry_delay_ms);
        bench_command_add(command, "--max-retries=%d", MAX_RETRIES);
    }
    bench_command_add_operands(command, &self->bench.options);
}

/* The number behind `name` in the final statistics; negative: it is not there. */
static double
read_number(const char *text, const char *name)
{
    const char *statistics = strstr(text, "Final statistics");
    const char *at = statistics != NULL ? strstr(statistics, name) : NULL;
    double number;
    return at != NULL && sscanf(at + strlen(name), "%lf", &number) == 1 ? number : -1;
}

static bool
run_orderflow(void *context, double *values)
{
    struct throughput *self = context;
    static char text[TEXT_BYTES];
    static struct bench_command command;
    struct bench_usage usage;
    name_topics(self);
    begin_command(&command, self, "run");
    add_run_options(&command, self);
    bool ended = bench_child("orderflow run", bench_command_exec, &command, text, sizeof text, &usage);
    delete_topics(self);
    double orders = read_number(text, "orders processed"), dead = read_number(text, "dead letters");
    double seconds = read_number(text, "\n  time ");
    if (!ended || orders + dead != (double)self->settings.count || seconds <= 0) {
        fprintf(stderr, "orderflow run: not what was expected:\n%s\n", text);
        return false;
    }
    set_values(self, seconds, &usage, values);
    values[3] = read_number(text, "retry attempts");
    return true;
}

/* ---- the topic ---- */

static int64_t
count_records(struct throughput *self)
{
    char text[64];
    struct bench_usage usage;
    int64_t records;
    if (!bench_child("counting", be_counter, self, text, sizeof text, &usage) ||
        sscanf(text, "records %" SCNd64, &records) != 1)
        return -1;
    return records;
}

static bool
fill(struct throughput *self)
{
    int64_t there = count_records(self);
    if (there == self->settings.count || there < 0)
        return there > 0;
    if (there > 0) {
        fprintf(stderr, "topic %s holds %" PRId64 " orders: delete it\n", self->topic, there);
        return false;
    }
    static char text[TEXT_BYTES];
    static struct bench_command command;
    struct bench_usage usage;
    fprintf(stderr, "filling topic %s\n", self->topic);
    begin_command(&command, self, "produce");
    bench_command_add(&command, "--count=%" PRId64, self->settings.count);
    bench_command_add(&command, "--rate=0");
    return bench_child("orderflow produce", bench_command_exec, &command, text, sizeof text, &usage) &&
           count_records(self) == self->settings.count;
}

/* ---- all together ---- */

static void
prepare(struct throughput *self)
{
    const struct settings *settings = &self->settings;
    const struct of_options *options = &self->bench.options;
    snprintf(self->topic, sizeof self->topic, "bench-%" PRId64 "-%" PRId64, settings->partitions, settings->count);
    self->properties = of_alloc_array(options->property_count + 1, sizeof *self->properties);
    for (size_t i = 0; i < options->property_count; i++)
        self->properties[i] = (struct bare_property) { options->properties[i].name, options->properties[i].value };
    self->loop = (struct bare_loop) { settings->brokers, self->topic, self->properties, options->property_count };
}

static bool
compare(struct throughput *self)
{
    static const struct bench_metric metrics[] = {
        { "orders/s", 0 }, { "CPU ns/order", 0 }, { "peak MiB", 0 }, { "retries", 0 }
    };
    const struct settings *settings = &self->settings;
    char title[160];
    int length = snprintf(title, sizeof title, "%" PRId64 " orders in %" PRId64 " partitions, ", settings->count,
                          settings->partitions);
    if (settings->waiting > 0)
        snprintf(title + length, sizeof title - (size_t)length, "some %" PRId64 " retries waiting", settings->waiting);
    else
        snprintf(title + length, sizeof title - (size_t)length, "%g %% failing", settings->failing * 100);
    bool retries = settings->waiting > 0 || settings->failing > 0 || settings->baseline == SINGLE;
    const struct bench_variant baselines[] = {
        [BARE] = { "bare librdkafka loop, nothing failing", run_bare_loop, self },
        [SINGLE] = { "one thread on librdkafka, at least once", run_single, self },
    };
    const struct bench_case what = {
        .title = title,
        .metrics = metrics,
        .metric_count = retries ? 4 : 3,
        .baseline = baselines[settings->baseline],
        .candidate = { "orderflow run", run_orderflow, self },
    };
    if (settings->waiting > 0 && settings->baseline == SINGLE) {
        fprintf(stderr, "throughput: --waiting is only for the bare baseline\n");
        return false;
    }
    return fill(self) && bench_compare(&self->bench, &what);
}

int
main(int argc, char **argv)
{
    static const struct bench_description description = {
        .name = "throughput",
        .options = rows,
        .option_count = sizeof rows / sizeof *rows,
        .operands = true,
        .properties = true,
    };
    static struct throughput self;
    int status;
    if (!bench_open(&self.bench, &description, argc, argv, &self.settings, &status))
        return status;
    prepare(&self);
    status = bench_close(&self.bench, compare(&self));
    free(self.properties);
    return status;
}
