/* The schema that a command is to use: the file of --schema, or the built-in one of orders.
 *
 * Threads: any. Errors: OF_FATAL, the file cannot be read. */
#ifndef OF_COMMANDS_GIVEN_SCHEMA_H
#define OF_COMMANDS_GIVEN_SCHEMA_H

#include "commands/settings.h"

enum { OF_GIVEN_SCHEMA_BYTES_MAX = 4 << 20, OF_SUBJECT_BYTES = 512 };

/* The text; the caller frees it. */
OF_MUST_USE enum of_status of_given_schema_read(const struct of_settings *settings, char **text, struct of_error *err);

/* The subject: --subject, or TOPIC-value. Returns out. */
const char *of_given_schema_subject(const struct of_settings *settings, char out[OF_SUBJECT_BYTES]);

#endif
