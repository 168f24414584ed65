/* One run of the pipeline, as the commands that have one share it: schemas, console, lanes and pipeline are opened,
 * watched until there is a reason to stop, drained, reported and closed.
 *
 * Owner: the caller fills the upper part, whose objects stay its own and outlive the session, and zeroes the rest.
 * After open, whatever it answered, close must be called.
 * Threads: one, which runs the command; `pipeline` may be read by others while run is under way. */
#ifndef OF_COMMANDS_SESSION_H
#define OF_COMMANDS_SESSION_H

#include <stdatomic.h>

#include "commands/identity.h"
#include "commands/aggregate_schema.h"
#include "commands/reload.h"
#include "commands/service.h"
#include "commands/settings.h"
#include "kafka/options.h"
#include "ops/console.h"
#include "pipeline.h"

struct of_session {
    const char *command; /* its name, for messages */
    const struct of_command_line *line;
    const struct of_settings *settings;
    const struct of_kafka_options *kafka; /* memory_bytes: of all lanes together */
    const struct of_identity *identity;   /* NULL: dynamic members, no transactions */
    struct of_service *service;           /* hears when the configuration is read again; NULL: nobody does */
    const char *about;                    /* what else the banner says, whole lines; NULL: nothing */
    /* Asked every 50 ms: why to stop now, NULL to go on; may set *exit_status. May be NULL. */
    const char *(*reason_to_stop)(void *context, int *exit_status);
    void *context;

    const struct of_clock *clock;
    uint32_t lanes;
    struct of_kafka_options lane_kafka[OF_THREADS_PER_STAGE]; /* each has its share of the memory, and its names */
    struct of_topic_ids *topic_ids;
    struct of_groups *groups;
    struct of_schema_cache *schemas;
    struct of_console *console;
    struct of_pipeline *_Atomic pipeline;
    struct of_reload reload;
    _Atomic int64_t retry_delay_ms; /* as it is now, for the console */
    bool direct; /* which kind of source */
    struct of_source sources[OF_THREADS_PER_STAGE];
    struct of_sink sinks[OF_THREADS_PER_STAGE];
    struct of_restorer restorers[OF_THREADS_PER_STAGE];
    struct of_aggregate_schema *state_schema;
    struct of_listener listeners[OF_THREADS_PER_STAGE];
    struct of_event_queue *partition_events[OF_THREADS_PER_STAGE];
    uint32_t opened; /* lanes whose source and sink are open and not yet the pipeline's */
};

/* Opens and starts everything; topics must exist. OF_FATAL, OF_RETRY: the text says why there can be no run. */
OF_MUST_USE enum of_status of_session_open(struct of_session *session, struct of_error *err);

/* Takes the requests of commands/interrupt.h meanwhile.
 *
 * Until Ctrl+C, the exit time-out, a reader that is gone, a reason to stop, or the pipeline's own end; then drains,
 * commits and leaves the group, bounded by the drain time-out and some seconds. Returns the exit status. */
OF_MUST_USE int of_session_run(struct of_session *session);

/* After run: prints the final statistics. *totals, what the run committed, is initialised by the call; the caller ends
 * it before close, as its names live no longer. */
void of_session_report(struct of_session *session, struct of_totals *totals);

void of_session_close(struct of_session *session);

/* Prints threads, stages and edges as these settings make them; opens nothing. Returns the exit status. */
OF_MUST_USE int of_session_print_wiring(struct of_session *session);

#endif
