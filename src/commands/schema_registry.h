/* What `orderflow schema` does at a registry: register, check, list.
 *
 * Each takes the command line as it was read (its first operand is the subcommand's name) and answers the exit status,
 * having printed the result to standard output or the error to standard error. They ask once, or, where the registry
 * does not answer, again for some seconds. Threads: one at a time. */
#ifndef OF_COMMANDS_SCHEMA_REGISTRY_H
#define OF_COMMANDS_SCHEMA_REGISTRY_H

#include "commands/settings.h"

/* Registers --schema under --subject. */
int of_schema_register(const struct of_command_line *line);

/* Whether --subject would take --schema: OF_EXIT_FAILED if not, with the registry's reasons. */
int of_schema_check(const struct of_command_line *line);

/* The registry's subjects with their latest versions. */
int of_schema_list(const struct of_command_line *line);

#endif
