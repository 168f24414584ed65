/* One line at a terminal that is drawn again in place: how much of a known whole is done, how fast it goes, how long it
 * will take.
 *
 *     publishing  ████████░░░░░░░░░░░░  42%  420,000 of 1,000,000 orders  312,408/s  2 s left
 *
 * Without a known whole there is neither bar nor time left. The rate is that of the last seconds. The line is never wider
 * than the terminal; when a line of the log has come in between, a new one begins below it. Whatever else is printed must
 * come after erase.
 * Owner: the caller's memory, all zero at first. Threads: one at a time. Only for terminals that redraw. */
#ifndef OF_OPS_PROGRESS_BAR_H
#define OF_OPS_PROGRESS_BAR_H

#include "ops/terminal.h"

#define OF_PROGRESS_UNKNOWN UINT64_MAX

struct of_progress_bar {
    bool drawn;         /* it is on the screen */
    uint64_t log_lines; /* that had been written then */
    double seconds;     /* at the last draw */
    uint64_t done;
    double per_second;  /* smoothed; 0: not known yet */
};

struct of_progress_state {
    const char *doing, *unit; /* "publishing", "orders": text of ours */
    uint64_t done, all;       /* all: OF_PROGRESS_UNKNOWN, or at least `done` */
    uint64_t bytes_done, bytes_all; /* in place of an unknown `all`: of what is read for it; bytes_all 0: not known */
    double seconds;           /* since it began */
    uint64_t failed;          /* of `done`; shown if there are any */
};

void of_progress_bar_draw(struct of_progress_bar *bar, FILE *out, struct of_terminal *terminal,
                          const struct of_progress_state *state);
void of_progress_bar_erase(struct of_progress_bar *bar, FILE *out);

/* "12 s left", "4 min 5 s left", "2 h 10 min left"; "" when nothing is known. */
enum { OF_TIME_LEFT_BYTES = 64 };
void of_progress_time_left(double seconds, char text[OF_TIME_LEFT_BYTES]);

#endif
