#include "commands/service.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/memory.h"
#include "ops/notifier.h"

enum {
    TURN_MS = 200,       /* how often the run is looked at */
    PATIENCE_MS = 10000, /* waiting for so long is as good as ready */
    STATUS_MS = 1000,    /* between two lines of status */
    PINGS = 4,           /* per watchdog interval */
    TEXT_BYTES = 256,
};

static const char stopping_lines[] = "STOPPING=1\nSTATUS=stopping";

struct of_service {
    struct of_service_options options;
    struct of_notifier notifier;
    pthread_t thread;
    pthread_cond_t changed;
    pthread_mutex_t lock; /* of all below, which turns of the thread and the command's calls share */
    bool ending;
    int64_t opened_ns;
    bool ready_told, stopping_told;
    bool reloading;
    int64_t pinged_ns, status_told_ns;
    char status[TEXT_BYTES];
};

/* What a look at the run found. */
struct look {
    int64_t now_ns;
    bool settled; /* every lane is a member and reads what it has */
    bool turning; /* every thread */
    bool over;    /* nothing is read any more */
    char text[TEXT_BYTES];
};

/* ---- looking ---- */

static const char *const doing[] = {
    [OF_FETCH_JOINING] = "waiting for the group to assign partitions",
    [OF_FETCH_ASSIGNING] = "looking up where to begin",
    [OF_FETCH_RESTORING] = "restoring the recorded totals",
    [OF_FETCH_READING] = NULL,
    [OF_FETCH_DRAINING] = "finishing what is under way",
    [OF_FETCH_CLEARING] = "giving partitions up",
    [OF_FETCH_LEFT] = "has left the group",
    [OF_FETCH_FAILED] = "failed",
};

static void
look_at_lanes(const struct of_pipeline *pipeline, struct look *look)
{
    struct of_pipeline_lane lane;
    for (uint32_t i = 0; of_pipeline_lane(pipeline, i, &lane); i++) {
        look->settled &= lane.phase == OF_FETCH_READING;
        if (doing[lane.phase] != NULL && look->text[0] == '\0')
            snprintf(look->text, sizeof look->text, "%s", doing[lane.phase]);
    }
    look->over = of_pipeline_state(pipeline) != OF_PIPELINE_RUNNING;
}

static void
look_at_threads(const struct of_pipeline *pipeline, int64_t watchdog_ns, struct look *look)
{
    int64_t turned_ns;
    for (uint32_t i = 0; of_pipeline_thread(pipeline, i, &turned_ns) != NULL; i++)
        if (turned_ns != 0 && look->now_ns - turned_ns > watchdog_ns / 2)
            look->turning = false;
}

/* Numbers once it reads: they change all the time, and are told once a second. */
static void
describe_progress(const struct of_pipeline *pipeline, struct look *look)
{
    struct of_pipeline_progress progress;
    of_pipeline_progress(pipeline, &progress);
    int length = snprintf(look->text, sizeof look->text, "%" PRIu32 " partitions, %" PRIu64 " records read",
                          progress.slots, progress.records);
    if (progress.held > 0)
        length += snprintf(look->text + length, sizeof look->text - (size_t)length, ", %" PRIu32 " held", progress.held);
    if (progress.behind >= 0)
        snprintf(look->text + length, sizeof look->text - (size_t)length, ", lag %" PRId64, progress.behind);
}

static void
look_at(const struct of_service *service, struct look *look)
{
    const struct of_pipeline *pipeline = atomic_load(service->options.pipeline);
    *look = (struct look) { .now_ns = of_clock_mono_ns(service->options.clock), .turning = true };
    if (pipeline == NULL) {
        snprintf(look->text, sizeof look->text, "waiting for Kafka");
        return;
    }
    look->settled = true;
    look_at_lanes(pipeline, look);
    look_at_threads(pipeline, service->notifier.watchdog_ns, look);
    if (look->settled)
        describe_progress(pipeline, look);
}

/* ---- telling ---- */

static bool
tell(const struct of_service *service, const char *lines)
{
    return of_notifier_send(&service->notifier, lines);
}

static void
tell_state(struct of_service *service, const struct look *look)
{
    bool stopping = look->over || (service->options.stopping != NULL && service->options.stopping());
    bool waited = look->now_ns - service->opened_ns >= PATIENCE_MS * OF_MS_NS;
    if (stopping && !service->stopping_told)
        service->stopping_told = tell(service, stopping_lines);
    if (!stopping && !service->ready_told && !service->reloading && (look->settled || waited))
        service->ready_told = tell(service, "READY=1");
}

static void
tell_status(struct of_service *service, const struct look *look)
{
    char lines[TEXT_BYTES + 16];
    bool due = service->status[0] == '\0' || look->now_ns - service->status_told_ns >= STATUS_MS * OF_MS_NS;
    if (service->stopping_told || !due || strcmp(look->text, service->status) == 0)
        return;
    snprintf(lines, sizeof lines, "STATUS=%s", look->text);
    if (!tell(service, lines))
        return;
    snprintf(service->status, sizeof service->status, "%s", look->text);
    service->status_told_ns = look->now_ns;
}

static void
tell_alive(struct of_service *service, const struct look *look)
{
    int64_t interval_ns = service->notifier.watchdog_ns;
    if (interval_ns == 0 || !look->turning || look->now_ns - service->pinged_ns < interval_ns / PINGS)
        return;
    if (tell(service, "WATCHDOG=1"))
        service->pinged_ns = look->now_ns;
}

static void
turn(struct of_service *service)
{
    struct look look;
    look_at(service, &look);
    tell_state(service, &look);
    tell_status(service, &look);
    tell_alive(service, &look);
}

void
of_service_turn(struct of_service *service)
{
    pthread_mutex_lock(&service->lock);
    turn(service);
    pthread_mutex_unlock(&service->lock);
}

static void *
keep_turning(void *self)
{
    struct of_service *service = self;
    pthread_mutex_lock(&service->lock);
    while (!service->ending) {
        turn(service);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TURN_MS * OF_MS_NS;
        until.tv_sec += until.tv_nsec / OF_SECOND_NS;
        until.tv_nsec %= OF_SECOND_NS;
        pthread_cond_timedwait(&service->changed, &service->lock, &until);
    }
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

/* ---- the service ---- */

static void
destroy(struct of_service *service)
{
    of_notifier_close(&service->notifier);
    pthread_cond_destroy(&service->changed);
    pthread_mutex_destroy(&service->lock);
    free(service);
}

void
of_service_open(const struct of_service_options *options, struct of_service **out)
{
    struct of_error err;
    struct of_notifier notifier;
    *out = NULL;
    if (of_notifier_open(&notifier, &err) != OF_OK)
        of_log_warning("run", "the service manager will not be told: %s", err.text);
    if (!of_notifier_listens(&notifier))
        return;
    struct of_service *service = of_alloc(sizeof *service);
    *service = (struct of_service) { .options = *options, .notifier = notifier };
    service->opened_ns = of_clock_mono_ns(options->clock);
    service->pinged_ns = service->opened_ns;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&service->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&service->lock, NULL);
    if (options->by_hand || pthread_create(&service->thread, NULL, keep_turning, service) == 0) {
        *out = service;
        return;
    }
    of_log_warning("run", "the service manager will not be told: no thread for it");
    destroy(service);
}

void
of_service_close(struct of_service **service)
{
    struct of_service *closed = *service;
    if (closed == NULL)
        return;
    *service = NULL;
    pthread_mutex_lock(&closed->lock);
    closed->ending = true;
    pthread_cond_signal(&closed->changed);
    pthread_mutex_unlock(&closed->lock);
    if (!closed->options.by_hand)
        pthread_join(closed->thread, NULL);
    if (!closed->stopping_told && !tell(closed, stopping_lines))
        of_log_debug("run", "the service manager was not told of the end");
    destroy(closed);
}

void
of_service_reloading(struct of_service *service)
{
    char lines[64];
    struct timespec now;
    if (service == NULL)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
             (int64_t)now.tv_sec * 1000000 + (int64_t)now.tv_nsec / 1000);
    pthread_mutex_lock(&service->lock);
    service->reloading = true;
    (void)!tell(service, lines);
    pthread_mutex_unlock(&service->lock);
}

/* If it cannot be told now, the next turn does. */
void
of_service_reloaded(struct of_service *service)
{
    if (service == NULL)
        return;
    pthread_mutex_lock(&service->lock);
    service->reloading = false;
    service->ready_told = tell(service, "READY=1");
    pthread_mutex_unlock(&service->lock);
}
