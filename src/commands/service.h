/* How a run tells its service manager (systemd, Type=notify) what it does.
 *
 *   READY=1      once: every lane has its partitions, or is a member of the group with none; or the process has been
 *                waiting for a broker, a registry or its group for 10 s, which is no reason to start it anew
 *   STATUS=      what it does, in words, when that changes, once a second at most
 *   WATCHDOG=1   four times per watchdog interval, while every thread of the pipeline has turned within half of it.
 *                Waiting for the first broker, the pipeline not built yet, counts as alive
 *   RELOADING=1  with MONOTONIC_USEC, until READY=1 follows
 *   STOPPING=1   when the run is asked to stop, or has ended by itself
 *
 * Owner: the command; what the options point to outlives the service, which is closed before the pipeline is destroyed.
 * Threads: open, close, reloading and reloaded by one; a thread of the service's own tells the rest. Nothing happens
 * without NOTIFY_SOCKET. Errors: none; who does not listen is not told. */
#ifndef OF_COMMANDS_SERVICE_H
#define OF_COMMANDS_SERVICE_H

#include "core/clock.h"
#include "pipeline.h"

struct of_service_options {
    const struct of_clock *clock;
    struct of_pipeline *_Atomic *pipeline; /* where it will be; NULL until then */
    bool (*stopping)(void);                /* whether the run was asked to stop; any thread */
    bool by_hand;                          /* no thread: of_service_turn is called, by tests */
};

struct of_service;

/* *out is NULL when there is no manager to be told. */
void of_service_open(const struct of_service_options *options, struct of_service **out);
/* Tells of the end, if it was not told yet, and waits for the thread: not longer than a system call. NULL inside is fine. */
void of_service_close(struct of_service **service);

/* Around a new reading of the configuration; service NULL is fine. */
void of_service_reloading(struct of_service *service);
void of_service_reloaded(struct of_service *service);

/* Looks at the run and tells what there is to tell. */
void of_service_turn(struct of_service *service);

#endif
