/* Reading a properties file: `key = value` lines.
 *
 * Blank lines and lines whose first character is '#' or '!' are comments. Key and value are trimmed; the value is the
 * rest of the line as it stands, without quotes, escapes or continuation. The file is UTF-8, 1 MiB at most.
 * Threads: any; reads the file within the call. */
#ifndef OF_CORE_CONFIG_H
#define OF_CORE_CONFIG_H

#include "core/error.h"

/* One line. key and value live for the call; value NULL: the line, `key`, is no `key = value`. `line` counts from 1.
 * Anything but OF_OK ends the reading. */
typedef enum of_status of_config_visit(void *context, const char *key, const char *value, int line,
                                       struct of_error *err);

/* OF_FATAL with "path: ..." or "path:line: ..." when the file cannot be read; what `visit` answers otherwise. */
OF_MUST_USE enum of_status of_config_read(const char *path, of_config_visit *visit, void *context,
                                          struct of_error *err);

#endif
