/* Registry URLs as people write them: `--registry` takes one, or several separated by commas.
 *
 * A URL may hold a user and a password, which must not be shown to anybody: print with this file, never raw.
 * Threads: any. */
#ifndef OF_REGISTRY_URL_H
#define OF_REGISTRY_URL_H

#include <stddef.h>

/* Writes the list with the credentials of each URL left out; cuts what does not fit. Works for what is no valid URL as
 * well. Returns out. */
const char *of_registry_url_print(const char *urls, char *out, size_t size);

/* Copies the URL at *urls, without spaces around it and slashes behind it, and moves *urls behind it. NULL when there
 * are no more. The caller releases the copy with free(). */
char *of_registry_url_next(const char **urls);

#endif
