/* Text for a page of the manual, in the macros of man(7).
 *
 * Threads: one at a time. Errors: those of the stream. */
#ifndef OF_CORE_ROFF_H
#define OF_CORE_ROFF_H

#include <stdio.h>

/* The text so that it is shown as it is: nothing in it is a request, hyphens are those of a keyboard. It should begin a
 * line or stand behind a macro and a blank; no line is ended. */
void of_roff_text(FILE *out, const char *text);

/* The text and then `end` as lines of their own, broken between words. */
void of_roff_words(FILE *out, const char *text, const char *end);

/* A macro with the text as its one argument, and the end of the line: of_roff_macro(out, "SH", "SEE ALSO"). */
void of_roff_macro(FILE *out, const char *macro, const char *text);

/* Lines that stay as they are, blank ones included. */
void of_roff_lines(FILE *out, const char *lines);

#endif
