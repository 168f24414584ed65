/* The command line of `orderflow` that a benchmark measures, put together argument by argument.
 *
 * Owner: whoever has it in memory; nothing is allocated. Threads: one at a time. */
#ifndef BENCH_COMMAND_H
#define BENCH_COMMAND_H

#include "core/error.h"
#include "core/option.h"

enum { BENCH_ARGUMENTS = 64, BENCH_ARGUMENT_BYTES = 160 };

struct bench_command {
    char text[BENCH_ARGUMENTS][BENCH_ARGUMENT_BYTES];
    char *arguments[BENCH_ARGUMENTS + 1]; /* the program, the name of the command, its options; NULL at the end */
    int count;
};

/* Begins `orderflow NAME` on this topic, with a quiet log. */
void bench_command_begin(struct bench_command *command, const char *name, const char *brokers, const char *registry,
                         const char *topic);

/* An argument more. What is too long is cut, what is too much left out. */
void bench_command_add(struct bench_command *command, const char *format, ...) OF_PRINTF(2, 3);

/* What the benchmark was given to pass on: -X NAME=VALUE, and operands. */
void bench_command_add_properties(struct bench_command *command, const struct of_options *options);
void bench_command_add_operands(struct bench_command *command, const struct of_options *options);

/* The body of a process (child.h): becomes the program. */
int bench_command_exec(void *command);

#endif
