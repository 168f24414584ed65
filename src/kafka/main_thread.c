#include "kafka/main_thread.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    REPAIRED = 0x020500ff, /* as rd_kafka_version() says it */
    NICER_BY = 5,
    NICEST = 19,
    SLICE_NS = 100000000, /* the longest that Linux gives */
};

/* The first call on each thread of the handle. What Linux refuses is left as it is. */
static rd_kafka_resp_err_t
on_thread_start(rd_kafka_t *rk, rd_kafka_thread_type_t type, const char *name, void *context)
{
    (void)rk, (void)name, (void)context;
    if (type != RD_KAFKA_THREAD_MAIN)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    int nice = getpriority(PRIO_PROCESS, 0) + NICER_BY; /* in Linux, of this thread */
    const struct sched_attr attr = {
        .size = SCHED_ATTR_SIZE_VER0,
        .sched_flags = SCHED_FLAG_KEEP_POLICY,
        .sched_nice = nice < NICEST ? nice : NICEST,
        .sched_runtime = SLICE_NS,
    };
    syscall(SYS_sched_setattr, 0, &attr, 0);
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
