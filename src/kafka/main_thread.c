#include "kafka/main_thread.h"

#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    REPAIRED = 0x020500ff, /* as rd_kafka_version() says it */
    OTHER = 0,             /* SCHED_OTHER; sched.h does not go with linux/sched/types.h */
    NICER_BY = 5,
    NICEST = 19,
    SLICE_NS = 100000000, /* the longest that Linux gives */
};

/* Of the calling thread. What Linux refuses is left as it is. */
static void
lower(void)
{
    struct sched_attr attr;
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) != 0 || attr.sched_policy != OTHER)
        return;
    attr.sched_nice = attr.sched_nice + NICER_BY < NICEST ? attr.sched_nice + NICER_BY : NICEST;
    attr.sched_runtime = SLICE_NS;
    syscall(SYS_sched_setattr, 0, &attr, 0);
}

/* The first call on each thread of the handle. */
static rd_kafka_resp_err_t
on_thread_start(rd_kafka_t *rk, rd_kafka_thread_type_t type, const char *name, void *context)
{
    (void)rk, (void)name, (void)context;
    if (type == RD_KAFKA_THREAD_MAIN)
        lower();
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *context, char *why, size_t size)
{
    (void)conf, (void)context, (void)why, (void)size;
    return rd_kafka_interceptor_add_on_thread_start(rk, "orderflow", on_thread_start, NULL);
}

void
of_kafka_lower_main_thread(rd_kafka_conf_t *conf)
{
    if (rd_kafka_version() < REPAIRED)
        rd_kafka_conf_interceptor_add_on_new(conf, "orderflow", on_new, NULL);
}
