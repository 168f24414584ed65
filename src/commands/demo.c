/* Producer and pipeline in one process, on the embedded cluster and a registry in memory.
 *
 * The embedded cluster drops the oldest records of a partition beyond 5 MiB or 100,000 batches without a word. So the
 * producer waits while what is not committed yet, of orders and retries, could fill more than BACKLOG_BYTES if all of
 * it stood in one partition with a batch for each record. (Dead letters may be dropped: nobody reads them here.) */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "commands/commands.h"
#include "commands/embedded.h"
#include "commands/endpoints.h"
#include "commands/interrupt.h"
#include "commands/kafka_options.h"
#include "commands/publisher.h"
#include "commands/session.h"
#include "core/log.h"
#include "kafka/embedded.h"
#include "kafka/end_check.h"
#include "registry/mock.h"

enum {
    BACKLOG_BYTES = 3 << 20, /* beyond it one record of 1 MiB may still come */
    RECORD_BYTES = 192,      /* that a retry record is larger than its order, names apart, as a batch of its own */
    PACE_ORDERS = 256,       /* published between two looks at what is committed, at most */
    END_CHECK_MS = 100,
    COMMIT_INTERVAL_MS = 100,
};

#define REGISTRY "demo"

struct demo {
    struct of_settings settings; /* those of the command line, but for what is embedded */
    struct of_kafka_options kafka;
    struct of_embedded *cluster;
    struct of_session session;
    struct of_endpoints *endpoints; /* NULL without --http */
    struct of_end_check *end_check; /* once everything is published */
    int64_t next_check_ns;

    pthread_t producer;
    bool producing;           /* the thread is to be joined */
    _Atomic bool published;   /* the thread has ended */
    _Atomic bool end_wanted;  /* it is to end */
    struct of_publisher publisher; /* the thread's, until it has ended */
    uint64_t pace_limit;           /* so many orders may be published before the next look; the thread's */
    int publisher_status;
};

/* ---- the producer's thread ---- */

/* How many records may be published and not committed, retries included. */
static int64_t
backlog_limit(const struct demo *demo)
{
    size_t names = strlen(demo->settings.group) + strlen(demo->settings.topic);
    return (int64_t)(BACKLOG_BYTES / (RECORD_BYTES + names + demo->publisher.largest_bytes));
}

static enum of_pace
pace(void *context)
{
    struct demo *demo = context;
    if (atomic_load_explicit(&demo->end_wanted, memory_order_relaxed))
        return OF_PACE_END;
    uint64_t published = demo->publisher.published;
    if (published < demo->pace_limit)
        return OF_PACE_GO;
    struct of_pipeline_progress progress;
    of_pipeline_progress(demo->session.pipeline, &progress);
    int64_t backlog = (int64_t)published + (int64_t)progress.retries - progress.committed;
    int64_t room = backlog_limit(demo) - backlog;
    if (progress.first_assigned_ns == 0 || room <= 0)
        return OF_PACE_WAIT;
    demo->pace_limit = published + (uint64_t)(room < PACE_ORDERS ? room : PACE_ORDERS);
    return OF_PACE_GO;
}

/* Orders come once somebody is there to take them: joining a group takes some seconds. */
static void
wait_for_assignment(struct demo *demo)
{
    while (pace(demo) == OF_PACE_WAIT && !of_interrupt_requested())
        nanosleep(&(struct timespec) { .tv_nsec = 10 * OF_MS_NS }, NULL);
}

static void *
produce(void *context)
{
    struct demo *demo = context;
    wait_for_assignment(demo);
    demo->publisher_status = of_publisher_run(&demo->publisher);
    atomic_store_explicit(&demo->published, true, memory_order_release);
    return NULL;
}

static enum of_status
start_producer(struct demo *demo, struct of_error *err)
{
    int failed = pthread_create(&demo->producer, NULL, produce, demo);
    if (failed != 0)
        return of_error_set(err, OF_FATAL, "no thread: %s", strerror(failed));
    demo->producing = true;
    return OF_OK;
}

static void
join_producer(struct demo *demo)
{
    if (!demo->producing)
        return;
    atomic_store_explicit(&demo->end_wanted, true, memory_order_relaxed);
    pthread_join(demo->producer, NULL);
    demo->producing = false;
}

/* ---- begin and end ---- */

static enum of_status
open_cluster(struct demo *demo, struct of_error *err)
{
    enum of_status status = of_embedded_open(&demo->cluster, err);
    if (status != OF_OK)
        return status;
    struct of_settings *settings = &demo->settings;
    const char *const topics[] = { settings->topic, settings->retry_topic, settings->dlq_topic,
                                   settings->aggregates_topic };
    for (int i = 0; status == OF_OK && i < 4; i++)
        status = of_embedded_create_topic(demo->cluster, topics[i], (int32_t)settings->partitions, err);
    settings->brokers = of_embedded_brokers(demo->cluster);
    settings->registry = "mock://" REGISTRY;
    demo->kafka.brokers = settings->brokers;
    demo->kafka.embedded = true;
    demo->kafka.retry_partitions = (int32_t)settings->partitions;
    demo->kafka.property_count = 0; /* those of the configuration file are for real brokers */
    demo->publisher.schema_id = of_registry_mock_register(REGISTRY, of_embedded_order_schema);
    return status;
}

static enum of_status
begin(struct demo *demo, struct of_error *err)
{
    enum of_status status = open_cluster(demo, err);
    if (status == OF_OK)
        status = of_publisher_open(&demo->publisher, &demo->kafka, err);
    if (status == OF_OK)
        status = of_endpoints_open(&demo->session, NULL, &demo->endpoints, err);
    if (status == OF_OK)
        status = of_session_open(&demo->session, err);
    if (status == OF_OK)
        status = start_producer(demo, err);
    return status;
}

static void
end(struct demo *demo)
{
    join_producer(demo);
    of_endpoints_close(&demo->endpoints);
    of_session_close(&demo->session);
    of_end_check_close(&demo->end_check);
    of_publisher_fini(&demo->publisher);
    of_embedded_close(&demo->cluster);
    of_kafka_options_fini(&demo->kafka);
}

/* ---- running ---- */

/* The ends are taken once nothing more is published. */
static const char *
reason_to_stop(void *context, int *exit_status)
{
    struct demo *demo = context;
    int64_t now_ns = of_clock_mono_ns(demo->session.clock);
    if (!atomic_load_explicit(&demo->published, memory_order_acquire) || now_ns < demo->next_check_ns)
        return NULL;
    demo->next_check_ns = now_ns + END_CHECK_MS * OF_MS_NS;
    struct of_error err;
    enum of_status status = OF_OK;
    int32_t partitions = (int32_t)demo->settings.partitions;
    if (demo->end_check == NULL)
        status = of_end_check_open(&demo->kafka, partitions, partitions, &demo->end_check, &err);
    if (status == OF_OK)
        status = of_end_check_step(demo->end_check, &err);
    if (status == OF_FATAL) {
        of_log_error("demo", "cannot tell whether everything is settled: %s", err.text);
        *exit_status = OF_EXIT_FAILED;
        return "the end cannot be found";
    }
    return status == OF_OK ? "everything is settled" : NULL;
}

/* Every order that was delivered is counted or a dead letter, exactly once; only a crash could change that. */
static int
check_totals(const struct demo *demo, const struct of_totals *totals)
{
    uint64_t published = demo->publisher.delivered;
    if (totals->orders_processed + totals->dead_letters != published) {
        of_log_error("demo", "%" PRIu64 " orders were published, but %" PRIu64 " processed and %" PRIu64
                     " dead letters written", published, totals->orders_processed, totals->dead_letters);
        return OF_EXIT_FAILED;
    }
    return OF_EXIT_DONE;
}

static int
run(struct demo *demo)
{
    struct of_totals totals;
    int exit_status = of_session_run(&demo->session);
    bool settled = exit_status == OF_EXIT_DONE && demo->end_check != NULL && !of_interrupt_requested();
    join_producer(demo);
    of_endpoints_close(&demo->endpoints);
    of_session_report(&demo->session, &totals);
    if (settled)
        exit_status = check_totals(demo, &totals);
    if (exit_status == OF_EXIT_DONE)
        exit_status = demo->publisher_status;
    of_totals_fini(&totals);
    return exit_status;
}

static int
run_to_end(struct demo *demo)
{
    struct of_error err;
    if (begin(demo, &err) == OF_OK)
        return run(demo);
    fprintf(stderr, "orderflow demo: %s\n", err.text);
    return OF_EXIT_FAILED;
}

static int
open_and_run(const struct of_command_line *line)
{
    of_interrupt_install();
    of_interrupt_install_requests();
    struct demo demo = {
        .settings = line->settings,
        .session = {
            .command = "demo",
            .line = line,
            .settings = &demo.settings,
            .kafka = &demo.kafka,
            .about = "  demonstration      producer, Kafka and registry are inside this process\n"
                     "                     (its Kafka keeps no transactions: no exactly-once)\n",
            .reason_to_stop = reason_to_stop,
            .context = &demo,
        },
        .publisher = {
            .command = "demo",
            .settings = &demo.settings,
            .quiet = true,
            .pace = pace,
            .context = &demo,
        },
    };
    demo.settings.fetch_threads = 1;
    demo.settings.guarantee = OF_GUARANTEE_AT_LEAST_ONCE;
    demo.settings.commit_interval_ms = COMMIT_INTERVAL_MS;
    demo.settings.from = OF_FROM_EARLIEST;
    if (demo.settings.print_wiring)
        return of_session_print_wiring(&demo.session);
    struct of_error err;
    int exit_status = OF_EXIT_USAGE;
    of_kafka_options_init(&demo.kafka, line);
    demo.kafka.from = OF_KAFKA_FROM_EARLIEST;
    if (of_publisher_init(&demo.publisher, line, &err) == OF_OK)
        exit_status = run_to_end(&demo);
    else
        fprintf(stderr, "orderflow demo: %s\n", err.text);
    end(&demo);
    return exit_status;
}

int
of_command_demo(int argc, char **argv)
{
    return of_command_line_run(OF_COMMAND_DEMO, argc, argv, open_and_run);
}
