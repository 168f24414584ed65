/* Completion scripts for shells, made from the table of options and the list of commands. Part of `completion`.
 *
 * A script holds everything that it offers, so that nothing is run while somebody types: commands, the words that some
 * of them take, options by command, and of each option what its value may be.
 * Threads: one at a time. Errors: those of the stream. */
#ifndef OF_COMMANDS_COMPLETION_H
#define OF_COMMANDS_COMPLETION_H

#include <stdio.h>

#include "core/option.h"

/* What can be offered as a value. */
enum of_completion_value {
    OF_COMPLETE_NONE, /* takes no value: a switch */
    OF_COMPLETE_TEXT, /* takes one, nobody knows which */
    OF_COMPLETE_CHOICE,
    OF_COMPLETE_FILE,
    OF_COMPLETE_FOLDER,
};

enum of_completion_value of_completion_value(const struct of_option *option);

/* The words that may follow a command, with blanks between them; NULL: options alone. What follows `config` and some of
 * its words is a command. */
const char *of_completion_words(const char *command);

/* The words after `config` that a command and its options follow, with blanks between them. */
extern const char of_completion_config_words[];

/* The names that `config explain` takes, with blanks between them. */
void of_completion_print_keys(const struct of_option_table *table, FILE *out);

void of_completion_print_bash(const struct of_option_table *table, FILE *out);
void of_completion_print_zsh(const struct of_option_table *table, FILE *out);
void of_completion_print_fish(const struct of_option_table *table, FILE *out);

#endif
