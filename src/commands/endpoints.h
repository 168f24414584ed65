/* All that --http serves of a run: its health and what is measured, behind a token if there is one.
 *
 * Owner: the command; the session outlives the endpoints. Close before the session is closed.
 * Threads: open and close by one. */
#ifndef OF_COMMANDS_ENDPOINTS_H
#define OF_COMMANDS_ENDPOINTS_H

#include "commands/session.h"

struct of_endpoints;

/* Opens nothing, and *out is NULL, without --http. probe: where readiness looks whether a broker answers; NULL: nowhere.
 * OF_FATAL: cannot listen there, or the token cannot be read. */
OF_MUST_USE enum of_status of_endpoints_open(const struct of_session *session, const struct of_kafka_options *probe,
                                             struct of_endpoints **out, struct of_error *err);
/* Whether the token that the settings ask for, if any, can be read. OF_FATAL: no, and why. */
OF_MUST_USE enum of_status of_endpoints_check_token(const struct of_settings *settings, struct of_error *err);
void of_endpoints_close(struct of_endpoints **endpoints); /* NULL inside is fine */

#endif
