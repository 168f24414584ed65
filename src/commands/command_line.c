#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/settings.h"
#include "core/log.h"
#include "core/memory.h"

static void
print_help(enum of_command_index command)
{
    const char *name = of_settings_table.commands[command], *summary = "";
    void (*print_usage)(FILE *out) = NULL;
    for (const struct of_command *row = of_commands; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0) {
            summary = row->summary;
            print_usage = row->print_usage;
        }
    printf("orderflow %s: %s\n\n", name, summary);
    if (print_usage != NULL)
        print_usage(stdout);
    else
        printf("usage: orderflow %s [OPTION]...\n", name);
    of_options_print_help(&of_settings_table, command, stdout);
    printf("\nEvery option can also be given in the environment (ORDERFLOW_RETRY_DELAY_MS=2000 for --retry-delay-ms)\n"
           "and in the configuration file (retry-delay-ms = 2000; kafka.NAME = VALUE for -X NAME=VALUE).\n"
           "Flags win over the environment, the environment over the file.\n");
}

/* Before they are made unreadable for others. */
static char **
copy_arguments(char **argv)
{
    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    char **copies = of_alloc_array(count + 1, sizeof *copies);
    for (size_t i = 0; i < count; i++)
        copies[i] = of_strdup(argv[i]);
    return copies;
}

/* What the process list shows of an address with a password: nobody but the program has to know it. The values are
 * copies, so they keep it. */
static void
hide_passwords(char **argv)
{
    for (size_t i = 0; argv[i] != NULL; i++) {
        char *end = strrchr(argv[i], '@');
        char *start = end != NULL ? strstr(argv[i], "://") : NULL;
        if (start != NULL && start < end)
            memset(start + 3, '*', (size_t)(end - start - 3));
    }
}

/* False: the command must return *exit_status at once; nothing is to be released then. */
static bool
load(struct of_command_line *line, enum of_command_index command, int argc, char **argv, int *exit_status)
{
    const char *name = of_settings_table.commands[command];
    struct of_error err;
    enum of_status status = of_settings_read(line, command, (const char *const *)argv + (argc > 0),
                                             (const char *const *)environ, &err);
    line->arguments = copy_arguments(argv + (argc > 0));
    hide_passwords(argv);
    if (status == OF_OK && !line->options.help) {
        of_log_set_levels(line->settings.log_level);
        of_log_set_format((enum of_log_format)line->settings.log_format);
        for (size_t i = 0; i < line->options.warning_count; i++)
            of_log_warning("options", "%s", line->options.warnings[i]);
        return true;
    }
    if (status == OF_OK)
        print_help(command);
    else
        fprintf(stderr, "orderflow %s: %s\nTry 'orderflow %s --help'.\n", name, err.text, name);
    *exit_status = status == OF_OK ? OF_EXIT_DONE : OF_EXIT_USAGE;
    of_settings_fini(line);
    return false;
}

int
of_command_line_run(enum of_command_index command, int argc, char **argv,
                    int (*body)(const struct of_command_line *line))
{
    struct of_command_line line;
    int exit_status;
    if (!load(&line, command, argc, argv, &exit_status))
        return exit_status;
    exit_status = body(&line);
    of_settings_fini(&line);
    return exit_status;
}
