/* Everything about the settings that can be found wrong without connecting to anything: files that cannot be read or
 * do not hold what they should, folders that cannot be written, addresses, properties of librdkafka.
 *
 * What one value or their combination can tell is found by of_settings_collect before. Threads: one. Cost: reads the
 * files that are named. */
#ifndef OF_COMMANDS_CONFIG_CHECK_H
#define OF_COMMANDS_CONFIG_CHECK_H

#include "commands/settings.h"

/* Adds what it finds to line->options.problems, each with its place and what to do. */
void of_config_check(struct of_command_line *line);

#endif
