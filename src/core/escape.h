/* Untrusted bytes as text that is always valid UTF-8, and that can be turned back.
 *
 * The one rule for turning it back: replace every \xNN (two upper-case hexadecimal digits) by the byte NN. Hence
 *   - bytes that are no valid UTF-8 become \xNN, one each;
 *   - a backslash before an 'x' becomes \x5C, so that it cannot be taken for one of ours; other backslashes stay;
 *   - for a terminal, also control characters (C0, DEL, C1) and the marks that change the direction of text, which
 *     could move the cursor, fake a line or hide one.
 * Everything else stays as it is. Threads: pure functions, any. */
#ifndef OF_CORE_ESCAPE_H
#define OF_CORE_ESCAPE_H

#include "core/slice.h"

enum of_escape {
    OF_ESCAPE_TEXT,     /* control characters stay: the format around it has its own way with them (JSON) */
    OF_ESCAPE_TERMINAL, /* one line, nothing that a terminal would act on */
};

enum { OF_ESCAPE_GROWTH = 4 }; /* a byte becomes four at most */

/* Writes the text and a NUL to out, `size` bytes (1 at least), and returns its length without the NUL. What does not
 * fit is left out, never half a character or half an escape; 4 * length + 1 bytes always suffice. */
size_t of_escape(enum of_escape how, struct of_slice bytes, char *out, size_t size);

/* Length of the valid UTF-8 character at the start of the slice, 0 when there is none. */
size_t of_utf8_length(struct of_slice bytes);

#endif
