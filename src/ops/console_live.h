/* The summary at a terminal: a block of lines that is drawn again in place. Part of ops/console.
 *
 * The block never is wider or higher than the terminal, which is asked for its size each time. When the size changed
 * the screen is cleared, as nobody can tell where a terminal moved the lines to; when lines of the log have come in
 * between a new block begins below them. Whatever else is printed must come after erase.
 * Owner: the caller's memory, all zero at first. Threads: one at a time. */
#ifndef OF_OPS_CONSOLE_LIVE_H
#define OF_OPS_CONSOLE_LIVE_H

#include "ops/console_views.h"

struct of_live_view {
    unsigned lines; /* of the block on the screen; 0: there is none */
    unsigned columns, rows; /* when it was drawn */
    uint64_t log_lines;     /* that had been written then */
    uint64_t busy_ns[OF_STAGE_LOADS_MAX]; /* at the last draw, as a base for shares */
    struct of_histogram_view age, commit; /* the same */
    double seconds;                       /* of the last draw */
};

/* detail->loads are compared with those of the last draw; its products may be reordered. */
void of_live_view_draw(struct of_live_view *view, FILE *out, struct of_terminal *terminal,
                       const struct of_progress *progress, struct of_live_detail *detail);

void of_live_view_erase(struct of_live_view *view, FILE *out);

#endif
