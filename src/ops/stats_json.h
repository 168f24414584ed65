/* What is measured as one JSON object: the answer of /api/stats, and one event of /api/events. docs/stats-json.md
 * describes it. Errors: those of the FILE. Threads: any. */
#ifndef OF_OPS_STATS_JSON_H
#define OF_OPS_STATS_JSON_H

#include <stdio.h>

#include "ops/measured.h"

enum { OF_STATS_PRODUCTS = 100 }; /* listed, those with most orders; the others are together */

/* One line. Reorders the rows of measured->total. */
void of_stats_json_write(FILE *out, struct of_measured *measured);

#endif
