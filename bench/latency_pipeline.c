/* The pipeline of `orderflow run` in a process of the benchmark, which hears of every count that the aggregate stage tells, on
 * the thread that tells it: the linker puts a function of ours in the place of of_live_total_set (bench/CMakeLists.txt). A
 * thread that looked would take a processor from broker and producer ten thousand times a second. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands/commands.h"
#include "commands/kafka_options.h"
#include "commands/run_topics.h"
#include "commands/session.h"
#include "core/flow.h"
#include "core/log.h"
#include "latency.h"
#include "order/live_total.h"

enum { PATIENCE_MS = 60000 };

struct watch {
    struct of_session session;
    struct of_kafka_options kafka;
    struct of_identity *identity;
    struct latency_track *track;
    int64_t seen, until_ns; /* the main thread's: moved on as orders are counted */
};

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

/* ---- counts, as they are told ---- */

/* By aggregate instance. */
static struct {
    pthread_mutex_t mutex;
    struct latency_track *track;
    struct {
        const struct of_live_total *live;
        uint64_t count;
    } told[OF_THREADS_PER_STAGE];
} counts = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void __real_of_live_total_set(struct of_live_total *live, uint64_t count, const struct of_exact_sum *sum);
void __wrap_of_live_total_set(struct of_live_total *live, uint64_t count, const struct of_exact_sum *sum);

void
__wrap_of_live_total_set(struct of_live_total *live, uint64_t count, const struct of_exact_sum *sum)
{
    uint64_t all = 0;
    __real_of_live_total_set(live, count, sum);
    pthread_mutex_lock(&counts.mutex);
    for (size_t i = 0; i < OF_THREADS_PER_STAGE; i++) {
        if (counts.told[i].live == NULL)
            counts.told[i].live = live;
        if (counts.told[i].live == live) {
            counts.told[i].count = count;
            break;
        }
    }
    for (size_t i = 0; i < OF_THREADS_PER_STAGE && counts.told[i].live != NULL; i++)
        all += counts.told[i].count;
    latency_note(counts.track, (int64_t)all, now_ns());
    pthread_mutex_unlock(&counts.mutex);
}

/* ---- the pipeline ---- */

static const char *
reason_to_stop(void *context, int *exit_status)
{
    (void)exit_status;
    struct watch *watch = context;
    int64_t counted = atomic_load(&watch->track->counted);
    if (counted != watch->seen)
        watch->until_ns = now_ns() + PATIENCE_MS * OF_MS_NS;
    watch->seen = counted;
    return latency_is_over(watch->track) ? "measured" : now_ns() > watch->until_ns ? "nothing more comes" : NULL;
}

static enum of_status
open_pipeline(struct watch *watch, struct of_error *err)
{
    const struct of_settings *settings = watch->session.settings;
    int32_t partitions;
    char *cluster = NULL;
    struct of_host host;
    enum of_status status = of_run_prepare_topics(&watch->kafka, settings, &partitions, &cluster, err);
    of_host_look(&host, "");
    const struct of_identity_options options = {
        .wanted = settings->instance_id, .cluster = cluster, .group = settings->group, .host = &host,
        .members = (uint32_t)settings->fetch_threads,
    };
    if (status == OF_OK)
        status = of_identity_open(&options, &watch->identity, err);
    free(cluster);
    watch->session.identity = watch->identity;
    return status == OF_OK ? of_session_open(&watch->session, err) : status;
}

int
latency_pipeline(void *context)
{
    const struct latency_run *run = context;
    struct of_command_line line;
    struct of_error err;
    int status = OF_EXIT_FAILED;
    const char *const nothing[] = { NULL }; /* of the environment */
    if (of_settings_read(&line, OF_COMMAND_RUN, (const char *const *)run->arguments + 1, nothing, &err) != OF_OK) {
        fprintf(stderr, "latency: %s\n", err.text);
        return OF_EXIT_USAGE;
    }
    of_log_set_levels(line.settings.log_level);
    static struct watch watch;
    watch.track = counts.track = run->track;
    watch.until_ns = now_ns() + PATIENCE_MS * OF_MS_NS;
    watch.session = (struct of_session) {
        .command = "run", .line = &line, .settings = &line.settings, .kafka = &watch.kafka,
        .reason_to_stop = reason_to_stop, .context = &watch,
    };
    of_kafka_options_init(&watch.kafka, &line);
    if (open_pipeline(&watch, &err) == OF_OK)
        status = of_session_run(&watch.session);
    else
        fprintf(stderr, "latency: %s\n", err.text);
    of_session_close(&watch.session);
    of_identity_close(&watch.identity);
    of_kafka_options_fini(&watch.kafka);
    of_settings_fini(&line);
    return status != 0 || !latency_is_over(run->track);
}
