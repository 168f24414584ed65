/* Health over HTTP: whether the process lives, and whether it does what it is for.
 *
 *   GET /healthz   200: every thread of the pipeline turns; 503 names those that do not
 *   GET /readyz    200: every lane is a member of the group and has its partitions (or was given none), no partition is
 *                  held, a broker answers, and the schema of totals has its id; 503 says what stands in the way
 *
 * docs/operations.md describes the answers. Before there is a pipeline the process is alive and not ready.
 * Owner: the command; what the options point to outlives the health. Close before the pipeline is destroyed.
 * Threads: open and close by one; answers are made on a thread of the server's, at once, of what is known: a broker is
 * asked in the background (commands/broker_probe.h), whether anybody wants to know or not. Cost while nobody asks: that. */
#ifndef OF_COMMANDS_HEALTH_H
#define OF_COMMANDS_HEALTH_H

#include "commands/aggregate_schema.h"
#include "commands/broker_probe.h"
#include "commands/observer.h"
#include "pipeline.h"

struct of_health_options {
    const char *address; /* as of_http_server_open takes it */
    const char *token;   /* whoever asks for more than health, or the page, has to send it; NULL: nobody has to. Copied */
    struct of_observer *observer; /* answers what is not health, and outlives it; NULL: nobody does */
    const struct of_clock *clock;
    struct of_pipeline *_Atomic const *pipeline; /* where it will be; NULL until then */
    const struct of_kafka_options *kafka; /* where to look whether a broker answers; NULL: not looked */
    of_broker_look *look; /* asked in place of a broker, by tests; NULL: a broker is */
    void *look_context;
    /* Where the schema of totals is, set before the pipeline is and closed after the health; NULL, or NULL there: not looked. */
    struct of_aggregate_schema *const *state_schema;
};

struct of_health;

/* OF_FATAL: cannot listen at that address. */
OF_MUST_USE enum of_status of_health_open(const struct of_health_options *options, struct of_health **out,
                                          struct of_error *err);

/* Waits for an answer that is being made, and for the broker that is being asked: some two seconds at most. NULL inside is
 * fine. */
void of_health_close(struct of_health **health);

/* Whether only this machine can reach it. */
bool of_health_is_local(const struct of_health *health);

/* "127.0.0.1:8080" */
const char *of_health_address(const struct of_health *health);

#endif
