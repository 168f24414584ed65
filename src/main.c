#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands/commands.h"

const struct of_command of_commands[] = {
    { "run", "consume orders: running averages, retries, dead letters", of_command_run, NULL },
    { "produce", "publish orders: random ones, or the rows of a file", of_command_produce, NULL },
    { "demo", "orders, failures and retries in one process: no Kafka needed", of_command_demo, NULL },
    { "stats", "totals of the whole group, once or as they change", of_command_stats, NULL },
    { "reset", "start over: forget the offsets and totals of a group", of_command_reset, NULL },
    { "schema", "explain how orders of a schema are read; register, check and list schemas", of_command_schema,
      of_schema_print_usage },
    { "doctor", "check the surroundings of a run, and say what to fix first", of_command_doctor, NULL },
    { "config", "check, show and explain what is configured; a configuration file to begin with", of_command_config,
      NULL },
    { "completion", "complete commands and options in bash, zsh or fish", of_command_completion,
      of_completion_print_usage },
    { "help", "list the commands, or the options of one", of_command_help, NULL },
    { "version", "print the version", of_command_version, NULL },
    { NULL, NULL, NULL, NULL },
};

static const char *
command_name(const char *argument)
{
    if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0)
        return "help";
    if (strcmp(argument, "-V") == 0 || strcmp(argument, "--version") == 0)
        return "version";
    return argument;
}

int
main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away must not end the process before it has committed */
    if (argc < 2) {
        fprintf(stderr, "orderflow: no command given\nTry 'orderflow help'.\n");
        return OF_EXIT_USAGE;
    }
    const char *name = command_name(argv[1]);
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        if (strcmp(name, command->name) == 0)
            return command->run(argc - 1, argv + 1);
    return of_command_unknown(name);
}
