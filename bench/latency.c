/* From the time at which an order was to be sent to the time at which it is counted: the pipeline beside a bare
 * librdkafka consumer, at a steady rate. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "child.h"
#include "command.h"
#include "core/memory.h"
#include "latency.h"

enum { NAME_BYTES = 64 };

struct settings {
    struct bench_settings common;
    const char *brokers, *registry;
    int64_t seconds, warm_up_seconds, partitions;
    double rate;
};

#define AT(field) .commands = 1, .offset = offsetof(struct settings, field)
static const struct of_option rows[] = {
    BENCH_OPTIONS(struct settings),
    { .name = "brokers", .section = "Kafka", .type = OF_OPTION_STRING, .initial = "localhost:9092", AT(brokers),
      .placeholder = "HOST:PORT", .help = "a broker on this machine" },
    { .name = "registry", .section = "Kafka", .type = OF_OPTION_STRING, AT(registry),
      .initial = "http://localhost:8081/apis/ccompat/v7", .placeholder = "URL", .help = "schema registry" },
    { .name = "rate", .section = "Orders", .type = OF_OPTION_DOUBLE, .low = 1, .high = 1e7, .initial = "50000",
      AT(rate), .placeholder = "PER-SECOND", .help = "orders per second" },
    { .name = "seconds", .section = "Orders", .type = OF_OPTION_INT, .min = 1, .max = 3600, .initial = "10",
      AT(seconds), .placeholder = "COUNT", .help = "how long orders are sent that count" },
    { .name = "warm-up-seconds", .section = "Orders", .type = OF_OPTION_INT, .min = 0, .max = 3600, .initial = "3",
      AT(warm_up_seconds), .placeholder = "COUNT", .help = "and before them some that do not" },
    { .name = "partitions", .section = "Orders", .type = OF_OPTION_INT, .min = 1, .max = 1000, .initial = "1",
      AT(partitions), .placeholder = "COUNT", .help = "of the topic; with one every order's own latency is known" },
};
#undef AT

struct latency {
    struct settings settings;
    struct bench bench;
    struct bare_property *properties;
    struct latency_track *track;
    size_t track_bytes;
    char topic[NAME_BYTES];
    uint32_t runs;
};

/* ---- the topic ---- */

static void
begin_command(struct bench_command *command, const struct latency *self, const char *name)
{
    bench_command_begin(command, name, self->settings.brokers, self->settings.registry, self->topic);
}

/* A topic of its own for each run, with one order. */
static bool
make_topic(struct latency *self)
{
    static struct bench_command command;
    char text[4096];
    struct bench_usage usage;
    snprintf(self->topic, sizeof self->topic, "bench-latency-%d-%u", (int)getpid(), self->runs++);
    begin_command(&command, self, "produce");
    bench_command_add(&command, "--partitions=%" PRId64, self->settings.partitions);
    bench_command_add(&command, "--count=1");
    return bench_child("orderflow produce", bench_command_exec, &command, text, sizeof text, &usage);
}

static int
be_cleaner(void *context)
{
    const struct latency *self = context;
    const struct bare_loop loop = { self->settings.brokers, self->topic, NULL, 0 };
    char names[4][NAME_BYTES + 16];
    const char *topics[4];
    static const char *const ends[] = { "", "-retry", "-dlq", "-aggregates" };
    for (int i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "%s%s", self->topic, ends[i]);
        topics[i] = names[i];
    }
    return bare_delete(&loop, topics, 4) ? 0 : 1;
}

/* ---- a run ---- */

static void
clear_track(struct latency *self)
{
    struct latency_track *track = self->track;
    const struct settings *settings = &self->settings;
    memset(track, 0, self->track_bytes);
    track->rate = settings->rate;
    track->orders = (int64_t)(settings->rate * (double)(settings->seconds + settings->warm_up_seconds));
}

static pid_t
begin_producer(struct latency_run *run)
{
    fflush(NULL);
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(latency_produce(run));
}

static bool
end_producer(pid_t producer, bool consumed)
{
    int status;
    if (producer < 0)
        return false;
    if (!consumed)
        kill(producer, SIGKILL);
    return waitpid(producer, &status, 0) == producer && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int
compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Of all that count; every one of them has its own. */
static void
set_values(struct latency *self, const struct bench_usage *usage, double *values)
{
    struct latency_track *track = self->track;
    int64_t first = (int64_t)(self->settings.rate * (double)self->settings.warm_up_seconds);
    int64_t count = track->orders - first, *latency_ns = track->counted_ns + first;
    int64_t began_ns = atomic_load(&track->began_ns);
    for (int64_t i = 0; i < count; i++)
        latency_ns[i] -= began_ns + (int64_t)((double)(first + i) / track->rate * 1e9);
    qsort(latency_ns, (size_t)count, sizeof *latency_ns, compare_times);
    values[0] = (double)latency_ns[count / 2] / 1e6;
    values[1] = (double)latency_ns[count - 1 - count / 100] / 1e6;
    values[2] = (double)latency_ns[count - 1] / 1e6;
    values[3] = usage->processor_s * 1e9 / (double)track->orders;
    values[4] = usage->peak_mb;
}

static bool
run_consumer(struct latency *self, const char *name, int (*consumer)(void *), struct bench_command *command,
             double *values)
{
    char text[4096];
    struct bench_usage usage, ignored;
    struct latency_run run = {
        .track = self->track,
        .loop = { self->settings.brokers, self->topic, self->properties, self->bench.options.property_count },
        .partitions = (int32_t)self->settings.partitions,
        .arguments = command != NULL ? command->arguments + 1 : NULL,
    };
    clear_track(self);
    pid_t producer = begin_producer(&run);
    bool consumed = bench_child(name, consumer, &run, text, sizeof text, &usage);
    bool produced = end_producer(producer, consumed);
    bench_child("deleting topics", be_cleaner, self, text, sizeof text, &ignored);
    if (!consumed || !produced) {
        fprintf(stderr, "%s: %" PRId64 " of %" PRId64 " orders came, %s\n", name, self->track->counted,
                self->track->orders, produced ? "all were sent" : "not all were sent");
        return false;
    }
    set_values(self, &usage, values);
    return true;
}

static bool
run_bare(void *context, double *values)
{
    struct latency *self = context;
    return make_topic(self) && run_consumer(self, "bare consumer", latency_bare, NULL, values);
}

static bool
run_pipeline(void *context, double *values)
{
    struct latency *self = context;
    static struct bench_command command;
    const struct of_options *options = &self->bench.options;
    if (!make_topic(self))
        return false;
    begin_command(&command, self, "run");
    bench_command_add(&command, "--group=%s", self->topic);
    bench_command_add(&command, "--retry-topic=%s-retry", self->topic);
    bench_command_add(&command, "--dlq-topic=%s-dlq", self->topic);
    bench_command_add(&command, "--aggregates-topic=%s-aggregates", self->topic);
    bench_command_add(&command, "--instance-id=none");
    bench_command_add(&command, "--console=none");
    bench_command_add_properties(&command, options);
    bench_command_add_operands(&command, options);
    return run_consumer(self, "pipeline", latency_pipeline, &command, values);
}

/* ---- all together ---- */

static bool
open_track(struct latency *self)
{
    const struct settings *settings = &self->settings;
    const struct of_options *options = &self->bench.options;
    double orders = settings->rate * (double)(settings->seconds + settings->warm_up_seconds);
    self->track_bytes = sizeof *self->track + ((size_t)orders + 1) * sizeof self->track->counted_ns[0];
    self->track = mmap(NULL, self->track_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self->track == MAP_FAILED) {
        perror("latency");
        return false;
    }
    self->properties = of_alloc_array(options->property_count + 1, sizeof *self->properties);
    for (size_t i = 0; i < options->property_count; i++)
        self->properties[i] = (struct bare_property) { options->properties[i].name, options->properties[i].value };
    return true;
}

static bool
compare(struct latency *self)
{
    static const struct bench_metric metrics[] = {
        { "p50 ms", 3 }, { "p99 ms", 3 }, { "most ms", 1 }, { "CPU ns/order", 0 }, { "peak MiB", 0 },
    };
    char title[160];
    snprintf(title, sizeof title, "%.0f orders/s for %" PRId64 " s, %" PRId64 " partitions, from when they were to be sent",
             self->settings.rate, self->settings.seconds, self->settings.partitions);
    const struct bench_case what = {
        .title = title,
        .metrics = metrics,
        .metric_count = sizeof metrics / sizeof *metrics,
        .baseline = { "bare librdkafka consumer", run_bare, self },
        .candidate = { "pipeline", run_pipeline, self },
    };
    return open_track(self) && bench_compare(&self->bench, &what);
}

int
main(int argc, char **argv)
{
    static const struct bench_description description = {
        .name = "latency",
        .options = rows,
        .option_count = sizeof rows / sizeof *rows,
        .operands = true,
        .properties = true,
    };
    static struct latency self;
    int status;
    if (!bench_open(&self.bench, &description, argc, argv, &self.settings, &status))
        return status;
    status = bench_close(&self.bench, compare(&self));
    free(self.properties);
    return status;
}
