/* The last minutes of a run, a point a second: what a dashboard that is opened begins with.
 *
 * A point's rate is told where the two points before own the same partitions as it does: what is restored, or given up,
 * is no orders. Its latencies are of the orders of the minute before it.
 *
 * Owner: whoever created it. Threads: any; one at a time adds. Cost: some 80 KiB; adding 1 us, writing 200 us, without
 * holding up who adds. */
#ifndef OF_OPS_HISTORY_H
#define OF_OPS_HISTORY_H

#include <stdio.h>

#include "ops/measured.h"

enum { OF_HISTORY_POINTS = 300 };

struct of_history;

struct of_history *of_history_create(void);
void of_history_destroy(struct of_history **history); /* NULL inside is fine */

/* Adds what is measured (measured->live, assignments, age) at measured->wall_ms. Nothing is added within half a second
 * after the last point; all points are forgotten when the clock was set back. */
void of_history_add(struct of_history *history, const struct of_measured *measured);

/* One line of JSON, as docs/stats-json.md describes it. started_ms: of the process. */
void of_history_write(struct of_history *history, int64_t started_ms, FILE *out);

#endif
