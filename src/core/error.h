/* A failing call: a status named by what the caller must do, and a message that grows on the way up.
 *
 * Three kinds of trouble exist in this program (a bug, a bad record, a failing call); this file is about the third.
 * Bugs are OF_ASSERT (core/assert.h). Bad records are data: a cause in the record's batch, no text, no allocation.
 *
 * A function that can fail returns enum of_status and takes a `struct of_error *` as its last parameter, which the
 * caller owns, usually on its stack, and which may be NULL when the caller does not want the text. The function that
 * detects the failure sets it; every caller above may put its own context in front:
 *
 *     cannot start: registry http://localhost:8081: connection refused
 *
 * Threads: an error belongs to one thread. Cost: no allocation ever; text beyond the buffer is cut with "...". */
#ifndef OF_CORE_ERROR_H
#define OF_CORE_ERROR_H

#include <stdarg.h>

enum of_status {
    OF_OK = 0,
    OF_AGAIN,  /* not now, nothing happened: call again when something changed (a pool slot, an answer) */
    OF_RETRY,  /* failed for a reason that may pass: call again after a back-off */
    OF_POISON, /* this input can never succeed: set it aside and go on */
    OF_ABORT,  /* what is in flight is lost: drop it, restore, start again from what is committed */
    OF_FATAL,  /* cannot go on: stop */
};

#define OF_MUST_USE __attribute__((warn_unused_result))
#define OF_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

enum { OF_ERROR_TEXT_BYTES = 1024 };

struct of_error {
    enum of_status status;
    char text[OF_ERROR_TEXT_BYTES]; /* UTF-8, NUL-terminated, one line */
};

/* Sets status and text, and returns status, so that `return of_error_set(err, OF_RETRY, "...")` reads well.
 * err may be NULL. */
enum of_status of_error_set(struct of_error *err, enum of_status status, const char *format, ...) OF_PRINTF(3, 4);

/* Puts "context: " in front of the text, and returns the status that is in it (OF_FATAL when err is NULL). */
enum of_status of_error_prefix(struct of_error *err, const char *format, ...) OF_PRINTF(2, 3);

/* "ok", "again", "retry", "poison", "abort", "fatal"; never NULL. */
const char *of_status_name(enum of_status status);

#endif
