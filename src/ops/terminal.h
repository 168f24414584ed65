/* What the terminal behind a stream can do, and text that fits it.
 *
 *   laid_out   somebody looks: text is aligned in columns
 *   colour     not with NO_COLOR in the environment or TERM=dumb, unless asked for
 *   redraws    the cursor may be moved, so that lines are drawn again in place
 *   utf8       by LC_ALL, LC_CTYPE or LANG; otherwise every character outside ASCII is shown as '?'
 *
 * The cursor is never hidden and colours never last beyond a line, so nothing needs to be restored whatever ends the
 * process. Threads: one at a time. All zero is no terminal. */
#ifndef OF_OPS_TERMINAL_H
#define OF_OPS_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"
#include "core/slice.h"

enum of_color { OF_COLOR_AUTO, OF_COLOR_ALWAYS, OF_COLOR_NEVER };

/* "auto", "always", "never", and NULL after the last. */
extern const char *const of_color_names[];

enum of_style { OF_STYLE_PLAIN, OF_STYLE_BOLD, OF_STYLE_DIM, OF_STYLE_GOOD, OF_STYLE_WARN, OF_STYLE_BAD };

struct of_terminal {
    bool laid_out, colour, redraws, utf8;
    bool shows_log; /* lines of the log appear on a terminal, too */
    int descriptor; /* whose size is asked for; -1: columns and rows stay as they are */
    unsigned columns, rows;
};

void of_terminal_init(struct of_terminal *terminal, FILE *out, enum of_color color);

/* Columns and rows as they are now. */
void of_terminal_measure(struct of_terminal *terminal);

/* What begins and ends a style; empty without colours. */
const char *of_terminal_begin(const struct of_terminal *terminal, enum of_style style);
const char *of_terminal_end(const struct of_terminal *terminal, enum of_style style);

/* Text from outside, made harmless, cut to `most` columns and filled with blanks up to `least`, into out (size bytes;
 * 4 per column and one more suffice). Returns how many columns it takes. Wide characters take two. */
unsigned of_terminal_fit(const struct of_terminal *terminal, struct of_slice text, unsigned least, unsigned most,
                         char *out, size_t size);

/* "1,234,567", from somewhere in text. */
enum { OF_TERMINAL_NUMBER_BYTES = 32 };
const char *of_terminal_number(uint64_t number, char text[OF_TERMINAL_NUMBER_BYTES]);

/* A line under way. */
struct of_terminal_line {
    FILE *out;
    const struct of_terminal *terminal;
    unsigned column;
};

/* Appends a styled text, cut at the last column but one: terminals differ in what they do at the last. */
void of_terminal_put(struct of_terminal_line *line, enum of_style style, const char *format, ...) OF_PRINTF(3, 4);

#endif
