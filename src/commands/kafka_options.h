/* The settings in the shape that src/kafka wants them. */
#ifndef OF_COMMANDS_KAFKA_OPTIONS_H
#define OF_COMMANDS_KAFKA_OPTIONS_H

#include "commands/settings.h"
#include "kafka/options.h"

/* Fills options; its strings are those of the command line, and its list of properties is to be released by
 * of_kafka_options_fini. What its clients log goes to core/log. */
void of_kafka_options_init(struct of_kafka_options *options, const struct of_command_line *line);
void of_kafka_options_fini(struct of_kafka_options *options);

#endif
