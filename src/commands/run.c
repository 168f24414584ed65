#include <stdio.h>
#include <stdlib.h>

#include "commands/commands.h"
#include "commands/endpoints.h"
#include "commands/interrupt.h"
#include "commands/kafka_options.h"
#include "commands/run_topics.h"
#include "commands/service.h"
#include "commands/session.h"
#include "core/log.h"
#include "kafka/end_check.h"

/* With --exit-at-end. */
enum {
    END_CHECK_MS = 200, /* how often the group's offsets are looked at */
    SETTLE_MS = 10000,  /* how long partitions may take to come to rest when the end is reached */
};

struct run {
    struct of_session session;
    struct of_kafka_options kafka;
    struct of_identity *identity;
    char about[400];
    int refused; /* exit status if the run does not begin */
    struct of_endpoints *endpoints; /* NULL without --http */
    struct of_service *service;     /* NULL without a service manager that listens */
    struct of_end_check *end_check; /* NULL without --exit-at-end */
    int64_t next_check_ns;
    int64_t end_ns; /* when the end was first seen; 0: not yet */
    struct of_log_last last; /* said about the end check */
};

static bool
all_lanes_read(const struct run *run)
{
    struct of_pipeline_lane lane;
    for (uint32_t i = 0; of_pipeline_lane(run->session.pipeline, i, &lane); i++)
        if (lane.phase != OF_FETCH_READING)
            return false;
    return true;
}

/* While partitions change hands the total is not known: what has been given up is no longer part of it, and what comes is
 * still to be restored. */
static bool
total_is_known(struct run *run)
{
    int64_t now_ns = of_clock_mono_ns(run->session.clock);
    if (run->end_ns == 0)
        run->end_ns = now_ns;
    return all_lanes_read(run) || now_ns - run->end_ns > SETTLE_MS * OF_MS_NS;
}

static const char *
end_is_reached(void *context, int *exit_status)
{
    (void)exit_status;
    struct run *run = context;
    if (run->end_check == NULL || of_clock_mono_ns(run->session.clock) < run->next_check_ns)
        return NULL;
    struct of_error err;
    enum of_status status = of_end_check_step(run->end_check, &err);
    run->next_check_ns = of_clock_mono_ns(run->session.clock) + END_CHECK_MS * OF_MS_NS;
    if (status == OF_RETRY)
        of_log_changed(&run->last, OF_LOG_WARNING, "run", "cannot tell whether the end is reached: %s", err.text);
    return status == OF_OK && total_is_known(run) ? "the end is reached" : NULL;
}

static void
open_service(struct run *run)
{
    const struct of_service_options options = {
        .clock = of_clock_system(),
        .pipeline = &run->session.pipeline,
        .stopping = of_interrupt_requested,
    };
    of_service_open(&options, &run->service);
    run->session.service = run->service;
}

static enum of_status
open_identity(struct run *run, const char *cluster, struct of_error *err)
{
    const struct of_settings *settings = run->session.settings;
    struct of_host host;
    of_host_look(&host, "");
    const struct of_identity_options options = {
        .wanted = settings->instance_id,
        .cluster = cluster,
        .group = settings->group,
        .lock_folder = settings->lock_folder,
        .host = &host,
        .members = (uint32_t)settings->fetch_threads,
    };
    enum of_status status = of_identity_open(&options, &run->identity, err);
    if (status != OF_OK) {
        run->refused = OF_EXIT_USAGE;
        return status;
    }
    const char *reason = of_identity_reason(run->identity);
    of_log_info("run", "instance: %s", reason);
    if (run->kafka.stay && of_identity_name(run->identity) == NULL)
        of_log_warning("run", "--on-stop stay has no effect without a fixed name: see --instance-id");
    snprintf(run->about, sizeof run->about, "  instance           %s\n", reason);
    run->session.identity = run->identity;
    run->session.about = run->about;
    return OF_OK;
}

/* Service and endpoints first: they also tell of a broker that has to be waited for. */
static enum of_status
begin(struct run *run, struct of_error *err)
{
    const struct of_settings *settings = run->session.settings;
    int32_t orders_partitions;
    char *cluster = NULL;
    open_service(run);
    enum of_status status = of_endpoints_open(&run->session, &run->kafka, &run->endpoints, err);
    if (status == OF_OK)
        status = of_run_prepare_topics(&run->kafka, settings, &orders_partitions, &cluster, err);
    if (status == OF_OK)
        status = open_identity(run, cluster, err);
    free(cluster);
    if (status == OF_OK && settings->exit_at_end)
        status = of_end_check_open(&run->kafka, orders_partitions, run->kafka.retry_partitions, &run->end_check, err);
    if (status == OF_OK)
        status = of_session_open(&run->session, err);
    return status;
}

static int
run_to_end(struct run *run)
{
    struct of_error err;
    int exit_status = OF_EXIT_DONE;
    if (begin(run, &err) == OF_OK) {
        struct of_totals totals;
        exit_status = of_session_run(&run->session);
        of_endpoints_close(&run->endpoints);
        of_session_report(&run->session, &totals);
        of_totals_fini(&totals);
    } else if (!of_interrupt_requested()) {
        fprintf(stderr, "orderflow run: %s\n", err.text);
        exit_status = run->refused;
    }
    of_endpoints_close(&run->endpoints);
    of_service_close(&run->service);
    of_session_close(&run->session);
    of_end_check_close(&run->end_check);
    of_identity_close(&run->identity);
    return exit_status;
}

static int
open_and_run(const struct of_command_line *line)
{
    of_interrupt_install();
    of_interrupt_install_requests();
    struct of_error err;
    struct run run = {
        .refused = OF_EXIT_FAILED,
        .session = {
            .command = "run",
            .line = line,
            .settings = &line->settings,
            .kafka = &run.kafka,
            .reason_to_stop = end_is_reached,
            .context = &run,
        },
    };
    if (line->settings.print_wiring)
        return of_session_print_wiring(&run.session);
    int exit_status = OF_EXIT_USAGE;
    of_kafka_options_init(&run.kafka, line);
    if (of_kafka_check_properties(&run.kafka, &err) == OF_OK)
        exit_status = run_to_end(&run);
    else
        fprintf(stderr, "orderflow run: %s\n", err.text);
    of_kafka_options_fini(&run.kafka);
    return exit_status;
}

int
of_command_run(int argc, char **argv)
{
    return of_command_line_run(OF_COMMAND_RUN, argc, argv, open_and_run);
}
