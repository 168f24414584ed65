#include <stdio.h>
#include <string.h>

#include "commands/commands.h"
#include "commands/settings.h"
#include "core/nearest.h"

const char *const of_exit_meanings[] = {
    [OF_EXIT_DONE] = "done",
    [OF_EXIT_FAILED] = "failed",
    [OF_EXIT_USAGE] = "wrong usage or configuration",
    [OF_EXIT_STOPPED] = "stopped before the end",
    [OF_EXIT_FENCED] = "fenced by another instance with the same identity",
    NULL,
};

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
    printf("\n'orderflow help COMMAND' or 'orderflow COMMAND --help' tells the options of a command,\n"
           "'orderflow help --man [COMMAND]' is its page of the manual, for man -l -.\n\nExit status:");
    for (int i = 0; of_exit_meanings[i] != NULL; i++)
        printf("%s%s%d %s", i == 0 ? "" : ";", i == OF_EXIT_FENCED ? "\n" : " ", i, of_exit_meanings[i]);
    printf(".\n");
}

static int
print_markdown(void)
{
    of_options_print_markdown(&of_settings_table, stdout);
    return OF_EXIT_DONE;
}

/* What documents and packages are made of. */
static int
print_pages(int argc, char **argv)
{
    int status = OF_EXIT_USAGE;
    if (strcmp(argv[1], "--man") == 0 && argc <= 3)
        status = of_manual_print(argc == 3 ? argv[2] : "orderflow", stdout);
    else if (strcmp(argv[1], "--man-pages") == 0 && argc == 3)
        return of_manual_write(argv[2]);
    else if (strcmp(argv[1], "--markdown") == 0 && argc == 2)
        status = print_markdown();
    if (status == OF_EXIT_USAGE)
        fputs("usage: orderflow help [COMMAND]\n"
              "       orderflow help --man [COMMAND|orderflow|orderflow.conf]   a page of the manual\n"
              "       orderflow help --man-pages FOLDER                         all of them, into files\n"
              "       orderflow help --markdown                                 the options for a document\n", stderr);
    return status;
}

int
of_command_help(int argc, char **argv)
{
    if (argc >= 2 && strncmp(argv[1], "--ma", 4) == 0)
        return print_pages(argc, argv);
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
