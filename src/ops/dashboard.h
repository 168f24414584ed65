/* The page that shows a run in a browser: src/ops/dashboard.html, which is inside the program, and asks for /api/events.
 *
 * It holds no data, so it may be given to anybody. Its policy lets nothing run but its own script, whatever a record
 * holds. Threads: any. Errors: those of the FILE. */
#ifndef OF_OPS_DASHBOARD_H
#define OF_OPS_DASHBOARD_H

#include <stdio.h>

enum { OF_DASHBOARD_POLICY_BYTES = 320 };

/* Writes the page, whose script and style are let through by a number used once, and the policy that says so. */
void of_dashboard_write(FILE *out, char policy[OF_DASHBOARD_POLICY_BYTES]);

#endif
