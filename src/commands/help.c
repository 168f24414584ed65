#include <stdio.h>
#include <string.h>

#include "commands/commands.h"
#include "core/nearest.h"

int
of_command_unknown(const char *name)
{
    struct of_nearest nearest = of_nearest_to(name);
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        of_nearest_try(&nearest, command->name);
    if (nearest.name != NULL)
        fprintf(stderr, "orderflow: unknown command '%s'; did you mean '%s'?\n", name, nearest.name);
    else
        fprintf(stderr, "orderflow: unknown command '%s'\n", name);
    fprintf(stderr, "Try 'orderflow help'.\n");
    return OF_EXIT_USAGE;
}

static void
print_commands(void)
{
    printf("orderflow: exact running averages of Kafka orders, with retries and dead letters\n\n"
           "usage: orderflow COMMAND [OPTION]...\n\n");
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        printf("  %-10s %s\n", command->name, command->summary);
    printf("\n'orderflow help COMMAND' or 'orderflow COMMAND --help' tells the options of a command.\n\n"
           "Exit status: 0 done; 1 failed; 2 wrong usage or configuration; 3 stopped before the end;\n"
           "4 fenced by another instance with the same identity.\n");
}

int
of_command_help(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        print_commands();
        return OF_EXIT_DONE;
    }
    if (strcmp(argv[1], "help") == 0)
        return of_command_help(1, argv);
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        if (strcmp(argv[1], command->name) == 0)
            return command->run(2, (char *[]) { argv[1], (char[]) { "--help" }, NULL });
    return of_command_unknown(argv[1]);
}
