#include "commands/broker_probe.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/memory.h"
#include "kafka/admin.h"

enum {
    LOOK_MS = 1000,  /* how long a broker may take to answer */
    PAUSE_MS = 1000, /* between two looks */
};

struct of_broker_probe {
    struct of_kafka_options kafka; /* as given, but silent: what it would say, others say */
    of_broker_look *look;
    void *context;
    struct of_admin *admin; /* the thread's; NULL until it is open */
    pthread_t thread;
    pthread_cond_t wake;
    pthread_mutex_t lock; /* over all below; never held while a broker is asked */
    bool closing;
    struct of_broker_known last;
    int64_t ended_ns; /* of the last look */
};

static enum of_status
ask_broker(void *context, int32_t *partitions, struct of_error *err)
{
    struct of_broker_probe *probe = context;
    enum of_status status = probe->admin == NULL ? of_admin_open(&probe->kafka, &probe->admin, err) : OF_OK;
    return status == OF_OK ? of_admin_look_up(probe->admin, probe->kafka.orders_topic, LOOK_MS, partitions, err) : status;
}

static void
look(struct of_broker_probe *probe)
{
    int32_t partitions = 0;
    struct of_broker_known found = { .known = true };
    pthread_mutex_unlock(&probe->lock);
    found.reached = probe->look(probe->context, &partitions, &found.why);
    found.topic_missing = found.reached == OF_OK && partitions == 0;
    pthread_mutex_lock(&probe->lock);
    probe->last = found;
    probe->ended_ns = of_clock_mono_ns(of_clock_system());
}

static void
rest(struct of_broker_probe *probe)
{
    int64_t until_ns = of_clock_mono_ns(of_clock_system()) + PAUSE_MS * OF_MS_NS;
    struct timespec until = { .tv_sec = until_ns / OF_SECOND_NS, .tv_nsec = until_ns % OF_SECOND_NS };
    while (!probe->closing && of_clock_mono_ns(of_clock_system()) < until_ns)
        pthread_cond_timedwait(&probe->wake, &probe->lock, &until);
}

static void *
keep_looking(void *self)
{
    struct of_broker_probe *probe = self;
    pthread_mutex_lock(&probe->lock);
    while (!probe->closing) {
        look(probe);
        rest(probe);
    }
    pthread_mutex_unlock(&probe->lock);
    return NULL;
}

static void
destroy(struct of_broker_probe *probe)
{
    if (probe->admin != NULL)
        of_admin_close(&probe->admin);
    pthread_cond_destroy(&probe->wake);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
}

enum of_status
of_broker_probe_open(const struct of_kafka_options *kafka, of_broker_look *look_up, void *context,
                     struct of_broker_probe **out, struct of_error *err)
{
    struct of_broker_probe *probe = of_alloc(sizeof *probe);
    if (kafka != NULL)
        probe->kafka = *kafka;
    probe->kafka.log = NULL;
    probe->look = look_up != NULL ? look_up : ask_broker;
    probe->context = look_up != NULL ? context : probe;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&probe->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&probe->lock, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's business */
    int failed = pthread_create(&probe->thread, NULL, keep_looking, probe);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        destroy(probe);
        return of_error_set(err, OF_FATAL, "cannot start a thread that asks brokers: %s", strerror(failed));
    }
    *out = probe;
    return OF_OK;
}

void
of_broker_probe_read(struct of_broker_probe *probe, struct of_broker_known *known)
{
    pthread_mutex_lock(&probe->lock);
    *known = probe->last;
    known->age_ns = known->known ? of_clock_mono_ns(of_clock_system()) - probe->ended_ns : 0;
    pthread_mutex_unlock(&probe->lock);
}

void
of_broker_probe_close(struct of_broker_probe **probe)
{
    struct of_broker_probe *closed = *probe;
    if (closed == NULL)
        return;
    *probe = NULL;
    pthread_mutex_lock(&closed->lock);
    closed->closing = true;
    pthread_cond_signal(&closed->wake);
    pthread_mutex_unlock(&closed->lock);
    pthread_join(closed->thread, NULL);
    destroy(closed);
}
