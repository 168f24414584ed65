/* `orderflow schema explain`: what `run` would make of orders of a schema. */
#ifndef OF_COMMANDS_SCHEMA_EXPLAIN_H
#define OF_COMMANDS_SCHEMA_EXPLAIN_H

#include <stdio.h>

#include "commands/settings.h"
#include "registry/schema_source.h"

/* The schema is the file that is the second operand, or the registry's with that --id. Prints what becomes of each
 * field and the steps of the plan, or why there is none (OF_EXIT_FAILED then). Returns the exit status. */
int of_schema_explain(const struct of_command_line *line);

/* The same for a schema, to `out`; reader_schema may be NULL. False: orders of the schema cannot be read. */
bool of_schema_explain_source(const struct of_settings *settings, const struct of_schema_source *source,
                              const char *reader_schema, FILE *out);

#endif
