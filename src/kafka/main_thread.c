#include "kafka/main_thread.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    REPAIRED = 0x020500ff, /* as rd_kafka_version() says it */
    OTHER = 0,             /* SCHED_OTHER; sched.h does not go with linux/sched/types.h */
    NICER_BY = 5,
    NICEST = 19,
    SLICE_NS = 100000000, /* the longest that Linux gives */
};

/* The first call on each thread of the handle. */
static rd_kafka_resp_err_t
on_thread_start(rd_kafka_t *rk, rd_kafka_thread_type_t type, const char *name, void *context)
{
    static const char coordinator[] = "TxnCoordinator";
    (void)rk;
    struct of_main_thread *thread = context;
    int id = (int)syscall(SYS_gettid);
    if (type == RD_KAFKA_THREAD_MAIN)
        atomic_store_explicit(&thread->id, id, memory_order_relaxed);
    else if (strncmp(name, coordinator, strlen(coordinator)) == 0)
        atomic_store_explicit(&thread->coordinator_id, id, memory_order_relaxed);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

struct beginning {
    struct of_main_thread *thread;
    bool came; /* as far as on_new() */
};

static rd_kafka_resp_err_t
on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *context, char *why, size_t size)
{
    (void)conf, (void)why, (void)size;
    struct beginning *beginning = context;
    beginning->came = true;
    return rd_kafka_interceptor_add_on_thread_start(rk, "orderflow", on_thread_start, beginning->thread);
}

static bool
is_transactional(const rd_kafka_conf_t *conf)
{
    size_t length = 0;
    return rd_kafka_conf_get(conf, "transactional.id", NULL, &length) == RD_KAFKA_CONF_OK && length > 1;
}

/* A conf with an interceptor that rd_kafka_new() gives back after on_new() is lost: librdkafka has freed the interceptors and
 * left the pointers to them (seen in 2.0.2), so rd_kafka_conf_destroy() would free them again. */
rd_kafka_t *
of_main_thread_open(struct of_main_thread *thread, rd_kafka_type_t type, rd_kafka_conf_t *conf, char *why, size_t size)
{
    struct beginning beginning = { .thread = thread };
    if (rd_kafka_version() < REPAIRED && is_transactional(conf))
        rd_kafka_conf_interceptor_add_on_new(conf, "orderflow", on_new, &beginning);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, size);
    if (rk == NULL && !beginning.came)
        rd_kafka_conf_destroy(conf);
    return rk;
}

/* What Linux refuses is left as it is. */
static void
lower(int id)
{
    struct sched_attr attr;
    if (id == 0 || syscall(SYS_sched_getattr, id, &attr, sizeof attr, 0) != 0 || attr.sched_policy != OTHER)
        return;
    attr.sched_flags = SCHED_FLAG_RESET_ON_FORK; /* of the slice, and of what is below 0 */
    attr.sched_nice = attr.sched_nice + NICER_BY < NICEST ? attr.sched_nice + NICER_BY : NICEST;
    attr.sched_runtime = SLICE_NS;
    syscall(SYS_sched_setattr, id, &attr, 0);
}

void
of_main_thread_lower(struct of_main_thread *thread)
{
    lower(atomic_exchange_explicit(&thread->id, 0, memory_order_relaxed));
    lower(atomic_exchange_explicit(&thread->coordinator_id, 0, memory_order_relaxed));
}
