/* The pipeline of `orderflow run` in a process of the benchmark, so that its totals can be looked at as often as it
 * takes: by a thread that only does that. How late it looks counts as the pipeline's latency; what it spends is told, and
 * taken off. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "commands/commands.h"
#include "commands/kafka_options.h"
#include "commands/run_topics.h"
#include "commands/session.h"
#include "core/log.h"
#include "latency.h"

enum { LOOK_US = 100, PATIENCE_MS = 60000 };

struct watch {
    struct of_session session;
    struct of_kafka_options kafka;
    struct of_identity *identity;
    struct latency_track *track;
    int64_t until_ns; /* moved on as orders are counted */
    double looking_s; /* processor time of the looks */
    _Atomic bool over;
};

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

static void *
look(void *context)
{
    struct watch *watch = context;
    struct of_live_totals live;
    prctl(PR_SET_TIMERSLACK, 1);
    while (!latency_is_over(watch->track) && now_ns() < watch->until_ns) {
        of_pipeline_live(watch->session.pipeline, &live);
        int64_t before = watch->track->counted;
        latency_note(watch->track, (int64_t)live.orders_processed, now_ns());
        if (watch->track->counted != before)
            watch->until_ns = now_ns() + PATIENCE_MS * OF_MS_NS;
        nanosleep(&(struct timespec) { .tv_nsec = LOOK_US * 1000 }, NULL);
    }
    struct timespec spent;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    watch->looking_s = (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
    atomic_store(&watch->over, true);
    return NULL;
}

static const char *
reason_to_stop(void *context, int *exit_status)
{
    (void)exit_status;
    return atomic_load(&((struct watch *)context)->over) ? "measured" : NULL;
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

static int
measure(struct watch *watch)
{
    pthread_t looker;
    watch->until_ns = now_ns() + PATIENCE_MS * OF_MS_NS;
    if (pthread_create(&looker, NULL, look, watch) != 0)
        return 1;
    int status = of_session_run(&watch->session);
    atomic_store(&watch->over, true);
    pthread_join(looker, NULL);
    printf("looking %.6f\n", watch->looking_s);
    return status;
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
    watch.track = run->track;
    watch.session = (struct of_session) {
        .command = "run", .line = &line, .settings = &line.settings, .kafka = &watch.kafka,
        .reason_to_stop = reason_to_stop, .context = &watch,
    };
    of_kafka_options_init(&watch.kafka, &line);
    if (open_pipeline(&watch, &err) == OF_OK) {
        status = measure(&watch);
    } else {
        fprintf(stderr, "latency: %s\n", err.text);
    }
    of_session_close(&watch.session);
    of_identity_close(&watch.identity);
    of_kafka_options_fini(&watch.kafka);
    of_settings_fini(&line);
    return status != 0 || !latency_is_over(run->track);
}
