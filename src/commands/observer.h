/* What a run shows of itself over HTTP, beside its health:
 *
 *   GET /             the dashboard
 *   GET /metrics      for Prometheus: docs/metrics.md
 *   GET /api/stats    the same as JSON: docs/stats-json.md
 *   GET /api/events   that JSON once a second, as server-sent events
 *   GET /api/history  the last minutes, a point a second
 *
 * Owner: the command; the session outlives the observer. Threads: answer by the HTTP server's, event and tick by its other
 * one; both only read. Cost while nobody asks: what a point of the history takes, some 50 us a second. Cost of those who
 * ask: events are made once for all who listen, and /api/stats ten times a second at most, however many ask. */
#ifndef OF_COMMANDS_OBSERVER_H
#define OF_COMMANDS_OBSERVER_H

#include "commands/session.h"
#include "ops/http_server.h"

struct of_observer;

struct of_observer *of_observer_create(const struct of_session *session);
void of_observer_destroy(struct of_observer **observer); /* NULL inside is fine */

/* False: the path is none of its. */
bool of_observer_answer(struct of_observer *observer, const struct of_http_request *request,
                        struct of_http_response *response);

/* One line of JSON. */
void of_observer_write_event(struct of_observer *observer, FILE *out);

/* Once a second: adds a point to the history. */
void of_observer_tick(struct of_observer *observer);

#endif
