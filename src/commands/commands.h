/* The commands of the program: one file each, named here and listed in the table of main.c.
 *
 * A command gets its arguments as main does, with its own name first, and answers the exit status. */
#ifndef OF_COMMANDS_COMMANDS_H
#define OF_COMMANDS_COMMANDS_H

#include <stdio.h>

enum of_exit {
    OF_EXIT_DONE = 0,
    OF_EXIT_FAILED = 1,
    OF_EXIT_USAGE = 2,   /* wrong usage or configuration: nothing was started */
    OF_EXIT_STOPPED = 3, /* stopped before the end: a time-out, or a second Ctrl+C */
    OF_EXIT_FENCED = 4,  /* another instance with the same identity took over */
};

/* "done", "failed", and so on, by status; NULL after the last. */
extern const char *const of_exit_meanings[];

struct of_command {
    const char *name;
    const char *summary; /* one line in `orderflow help` */
    int (*run)(int argc, char **argv);
    void (*print_usage)(FILE *out); /* what may follow the name, whole lines; NULL: options alone */
};

/* The last row has no name. */
extern const struct of_command of_commands[];

int of_command_run(int argc, char **argv);
int of_command_produce(int argc, char **argv);
int of_command_demo(int argc, char **argv);
int of_command_stats(int argc, char **argv);
int of_command_reset(int argc, char **argv);
int of_command_schema(int argc, char **argv);
int of_command_doctor(int argc, char **argv);
int of_command_config(int argc, char **argv);
int of_command_completion(int argc, char **argv);
int of_command_help(int argc, char **argv);
int of_command_version(int argc, char **argv);

/* The usage of `schema` with its actions. */
void of_schema_print_usage(FILE *out);
/* The usage of `completion` with the shells. */
void of_completion_print_usage(FILE *out);

/* Pages of the manual: of a command, of the program ("orderflow") or of its file ("orderflow.conf"). OF_EXIT_USAGE, and
 * nothing printed: there is no such page. */
int of_manual_print(const char *page, FILE *out);
/* All of them into files of that folder, which exists, by their usual names. Errors are told. */
int of_manual_write(const char *folder);

/* "orderflow: unknown command 'porduce'; did you mean 'produce'?" to standard error. Returns OF_EXIT_USAGE. */
int of_command_unknown(const char *name);

#endif
