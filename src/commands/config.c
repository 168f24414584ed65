#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/settings.h"

static void
print_usage(FILE *out)
{
    fprintf(out, "usage: orderflow config print [COMMAND] [OPTION]...\n"
                 "       orderflow config template\n");
}

static void
print_help(void)
{
    printf("orderflow config: show what is configured and from where, or a configuration file to begin with\n\n");
    print_usage(stdout);
    printf("\n  print      each option with its value and where that comes from: default, FILE:LINE, environment or\n"
           "             flag; of one command, or of all. The options are those of that command: what it would do\n"
           "             with them. Checks everything, and ends with status 2 when something is wrong.\n"
           "             Passwords are not shown.\n"
           "  template   a configuration file with every option, its help, range and default, as comments\n");
}

static int
wrong_usage(const char *text, const char *what)
{
    fprintf(stderr, "orderflow config: %s%s\n", text, what);
    print_usage(stderr);
    return OF_EXIT_USAGE;
}

static enum of_command_index
command_named(const char *name)
{
    unsigned k = 0;
    while (of_settings_table.commands[k] != NULL && strcmp(of_settings_table.commands[k], name) != 0)
        k++;
    return of_settings_table.commands[k] != NULL ? (enum of_command_index)k : OF_COMMAND_ALL;
}

/* Standard output may be full or gone; whoever redirects it to a file wants to know. */
static int
written(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return OF_EXIT_DONE;
    perror("orderflow config: standard output");
    return OF_EXIT_FAILED;
}

static int
print_settings(char **arguments)
{
    enum of_command_index command = arguments[0] != NULL ? command_named(arguments[0]) : OF_COMMAND_ALL;
    struct of_command_line line;
    struct of_error err;
    int exit_status = OF_EXIT_USAGE;
    enum of_status status = of_settings_read(&line, command, (const char *const *)arguments
                                             + (command != OF_COMMAND_ALL), (const char *const *)environ, &err);
    if (status != OF_OK) {
        fprintf(stderr, "orderflow config print: %s\n", err.text);
    } else if (line.options.help) {
        print_help();
        exit_status = written();
    } else {
        for (size_t i = 0; i < line.options.warning_count; i++)
            fprintf(stderr, "orderflow config print: %s\n", line.options.warnings[i]);
        of_options_print(&line.options, stdout);
        exit_status = written();
    }
    of_settings_fini(&line);
    return exit_status;
}

int
of_command_config(int argc, char **argv)
{
    if (argc < 2)
        return wrong_usage("print or template?", "");
    if (strcmp(argv[1], "print") == 0)
        return print_settings(argv + 2);
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        print_help();
        return written();
    }
    if (strcmp(argv[1], "template") != 0)
        return wrong_usage("unknown argument ", argv[1]);
    if (argc > 2)
        return wrong_usage("unexpected argument ", argv[2]);
    of_options_print_template(&of_settings_table, stdout);
    return written();
}
