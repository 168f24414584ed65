#include "ops/progress_bar.h"

#include <math.h>
#include <string.h>

#include "core/log.h"

enum { BAR_COLUMNS = 20, MINUTE_S = 60, HOUR_S = 3600, DAYS_S = 100 * 24 * HOUR_S };

#define MEMORY_S 5.0 /* how long the rate remembers */

void
of_progress_time_left(double seconds, char text[OF_TIME_LEFT_BYTES])
{
    text[0] = '\0';
    if (!(seconds >= 0) || seconds > DAYS_S)
        return;
    long long left = (long long)(seconds + 0.5);
    if (left < MINUTE_S)
        snprintf(text, OF_TIME_LEFT_BYTES, "%lld s left", left);
    else if (left < HOUR_S)
        snprintf(text, OF_TIME_LEFT_BYTES, "%lld min %lld s left", left / MINUTE_S, left % MINUTE_S);
    else
        snprintf(text, OF_TIME_LEFT_BYTES, "%lld h %lld min left", left / HOUR_S, left % HOUR_S / MINUTE_S);
}

/* The first look takes the average since the beginning. */
static void
update_rate(struct of_progress_bar *bar, const struct of_progress_state *state)
{
    double elapsed_s = state->seconds - bar->seconds;
    if (elapsed_s <= 0)
        return;
    uint64_t gained = state->done > bar->done ? state->done - bar->done : 0;
    double now = (double)gained / elapsed_s, weight = bar->per_second > 0 ? 1 - exp(-elapsed_s / MEMORY_S) : 1;
    bar->per_second += weight * (now - bar->per_second);
    bar->seconds = state->seconds;
    bar->done = state->done;
}

/* Between 0 and 1; negative: not known. */
static double
share_of(const struct of_progress_state *state)
{
    if (state->all != OF_PROGRESS_UNKNOWN)
        return state->all > 0 ? (double)state->done / (double)state->all : -1;
    return state->bytes_all > 0 && state->bytes_done <= state->bytes_all
               ? (double)state->bytes_done / (double)state->bytes_all
               : -1;
}

/* By the rate where units are counted, by the time so far where bytes are. */
static double
seconds_left(const struct of_progress_bar *bar, const struct of_progress_state *state)
{
    if (state->all != OF_PROGRESS_UNKNOWN)
        return bar->per_second > 0 ? (double)(state->all - state->done) / bar->per_second : -1;
    double share = share_of(state);
    return share > 0 ? state->seconds * (1 - share) / share : -1;
}

/* ---- the line ---- */

static void
put_bar(struct of_terminal_line *line, double share)
{
    char done[3 * BAR_COLUMNS + 1] = "", left[3 * BAR_COLUMNS + 1] = "";
    int full = (int)(share * BAR_COLUMNS + 0.5);
    bool utf8 = line->terminal->utf8;
    for (int i = 0; i < BAR_COLUMNS; i++)
        if (i < full)
            strcat(done, utf8 ? "\xE2\x96\x88" : "#");
        else
            strcat(left, utf8 ? "\xE2\x96\x91" : ".");
    of_terminal_put(line, OF_STYLE_GOOD, "%s", done);
    of_terminal_put(line, OF_STYLE_DIM, "%s", left);
    of_terminal_put(line, OF_STYLE_PLAIN, " %3.0f%%  ", floor(share * 100));
}

static void
put_counts(struct of_terminal_line *line, const struct of_progress_bar *bar, const struct of_progress_state *state)
{
    char done[OF_TERMINAL_NUMBER_BYTES], all[OF_TERMINAL_NUMBER_BYTES], left[OF_TIME_LEFT_BYTES];
    bool known = state->all != OF_PROGRESS_UNKNOWN;
    of_terminal_put(line, OF_STYLE_PLAIN, "%s", of_terminal_number(state->done, done));
    if (known)
        of_terminal_put(line, OF_STYLE_PLAIN, " of %s", of_terminal_number(state->all, all));
    of_terminal_put(line, OF_STYLE_PLAIN, " %s", state->unit);
    if (bar->per_second > 0)
        of_terminal_put(line, OF_STYLE_BOLD, "  %s/s", of_terminal_number((uint64_t)(bar->per_second + 0.5), done));
    of_progress_time_left(seconds_left(bar, state), left);
    if (left[0] != '\0')
        of_terminal_put(line, OF_STYLE_DIM, "  %s", left);
    if (state->failed > 0)
        of_terminal_put(line, OF_STYLE_BAD, "  %s failed", of_terminal_number(state->failed, done));
}

void
of_progress_bar_draw(struct of_progress_bar *bar, FILE *out, struct of_terminal *terminal,
                     const struct of_progress_state *state)
{
    uint64_t log_lines = of_log_lines();
    update_rate(bar, state);
    of_terminal_measure(terminal);
    if (bar->drawn && !(terminal->shows_log && log_lines != bar->log_lines))
        fputs("\r\33[1A", out);
    struct of_terminal_line line = { out, terminal, 0 };
    of_terminal_put(&line, OF_STYLE_PLAIN, "%s  ", state->doing);
    if (share_of(state) >= 0)
        put_bar(&line, share_of(state));
    put_counts(&line, bar, state);
    fputs("\33[K\n", out);
    bar->drawn = true;
    bar->log_lines = log_lines;
}

void
of_progress_bar_erase(struct of_progress_bar *bar, FILE *out)
{
    if (bar->drawn)
        fputs("\r\33[1A\33[J", out);
    bar->drawn = false;
}
