/* A schema that a user names as a file. */
#ifndef OF_COMMANDS_SCHEMA_FILE_H
#define OF_COMMANDS_SCHEMA_FILE_H

#include "core/error.h"

/* The file's text, NUL-terminated; the caller frees it. OF_FATAL: it cannot be read, is too long, or is no schema;
 * *text is NULL then. */
OF_MUST_USE enum of_status of_schema_file_read(const char *path, char **text, struct of_error *err);

#endif
