#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/config_check.h"
#include "core/escape.h"
#include "core/memory.h"
#include "core/nearest.h"
#include "kafka/options.h"

enum { FLAG_BYTES = 128 };

static void
print_usage(FILE *out)
{
    fprintf(out, "usage: orderflow config check [COMMAND] [OPTION]...\n"
                 "       orderflow config print [COMMAND] [OPTION]...\n"
                 "       orderflow config explain KEY [OPTION]...\n"
                 "       orderflow config template\n");
}

static void
print_help(void)
{
    printf("orderflow config: check, show and explain what is configured, or a configuration file to begin with\n\n");
    print_usage(stdout);
    printf("\n  check      finds everything that is wrong without connecting to anything: values, combinations, files,\n"
           "             schemas, addresses, properties of librdkafka. Each problem is told with its place and what to\n"
           "             do; ends with status 2 when there is one.\n"
           "  print      each option with its value and where that comes from: default, FILE:LINE, environment or\n"
           "             flag; of one command, or of all. The options are those of that command: what it would do\n"
           "             with them. Checks everything, and ends with status 2 when something is wrong.\n"
           "             Passwords are not shown.\n"
           "  explain    one option: what it means, what it may be, its default, its names as flag, variable and key,\n"
           "             its value now and where that comes from. KEY may be written in any of these ways, or be a\n"
           "             property of librdkafka, kafka.NAME.\n"
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

/* ---- check ---- */

/* Where the options stand that a problem with several of them names. */
static void
print_places(const struct of_options *options, const char *problem)
{
    const char *before = "  (";
    for (size_t i = 0; i < options->table->count; i++) {
        char flag[FLAG_BYTES], place[512];
        int length = snprintf(flag, sizeof flag, "--%s", options->table->options[i].name);
        const char *at = strstr(problem, flag);
        if (at == NULL || (at[length] != '\0' && strchr("-abcdefghijklmnopqrstuvwxyz", at[length]) != NULL)
            || of_options_origin(options, options->table->options[i].name) != OF_ORIGIN_FILE)
            continue;
        printf("%s%s", before, of_options_place(options, i, place, sizeof place));
        before = ", ";
    }
    if (before[0] == ',')
        putchar(')');
    putchar('\n');
}

static void
print_problem(const struct of_options *options, const char *problem)
{
    size_t size = OF_ESCAPE_GROWTH * strlen(problem) + 1;
    char *shown = of_alloc(size);
    of_escape(OF_ESCAPE_TERMINAL, of_slice_str(problem), shown, size);
    fputs(shown, stdout);
    print_places(options, shown);
    free(shown);
}

static int
check_settings(char **arguments)
{
    enum of_command_index command = arguments[0] != NULL ? command_named(arguments[0]) : OF_COMMAND_ALL;
    struct of_command_line line;
    of_settings_collect(&line, command, (const char *const *)arguments + (command != OF_COMMAND_ALL),
                        (const char *const *)environ);
    const struct of_options *options = &line.options;
    if (options->help) {
        print_help();
        of_settings_fini(&line);
        return written();
    }
    of_config_check(&line);
    for (size_t i = 0; i < options->warning_count; i++)
        fprintf(stderr, "orderflow config check: %s\n", options->warnings[i]);
    for (size_t i = 0; i < options->problem_count; i++)
        print_problem(options, options->problems[i]);
    if (options->problem_count == 0)
        printf("nothing is wrong; whether brokers and registry answer, orderflow doctor tells\n");
    int exit_status = written();
    if (options->problem_count > 0)
        exit_status = OF_EXIT_USAGE;
    of_settings_fini(&line);
    return exit_status;
}

/* ---- explain ---- */

static int
explain_property(const struct of_options *options, const char *name)
{
    char initial[1024], place[512];
    if (!of_kafka_property_default(name, initial, sizeof initial)) {
        fprintf(stderr, "orderflow config explain: librdkafka has no property '%s'\n", name);
        return OF_EXIT_USAGE;
    }
    const char *refused = of_kafka_refused_property(name, initial);
    printf("kafka.%s: a property of librdkafka, which documents it\n  flag          -X %s=VALUE\n"
           "  file          kafka.%s = VALUE\n  default       %s\n", name, name, name,
           initial[0] != '\0' ? initial : "none");
    if (refused != NULL)
        printf("  refused       %s\n", refused);
    for (size_t i = 0; i < options->property_count; i++)
        if (strcmp(options->properties[i].name, name) == 0)
            printf("  now           %s\n  from          %s\n",
                   of_kafka_secret_property(name) ? "***" : options->properties[i].value,
                   of_options_property_place(options, &options->properties[i], place, sizeof place));
    return written();
}

static int
unknown_key(const struct of_options *options, const char *key)
{
    struct of_nearest nearest = of_nearest_to(key + strspn(key, "-"));
    for (size_t i = 0; i < options->table->count; i++)
        of_nearest_try(&nearest, options->table->options[i].name);
    fprintf(stderr, "orderflow config explain: unknown key '%s'", key);
    if (nearest.name != NULL)
        fprintf(stderr, "; did you mean '%s'?", nearest.name);
    fputc('\n', stderr);
    return OF_EXIT_USAGE;
}

static int
explain_key(const struct of_options *options, const char *key)
{
    const char *prefix = options->table->property_prefix;
    if (strncmp(key, prefix, strlen(prefix)) == 0)
        return explain_property(options, key + strlen(prefix));
    size_t index = of_options_index(options, key);
    if (index == options->table->count)
        return unknown_key(options, key);
    of_options_explain(options, index, stdout);
    return written();
}

/* What else is wrong must not keep anybody from an explanation. */
static int
explain(char **arguments)
{
    if (arguments[0] == NULL)
        return wrong_usage("explain which key?", "");
    if (strcmp(arguments[0], "-h") == 0 || strcmp(arguments[0], "--help") == 0) {
        print_help();
        return written();
    }
    struct of_command_line line;
    of_settings_collect(&line, OF_COMMAND_ALL, (const char *const *)arguments + 1, (const char *const *)environ);
    int exit_status = explain_key(&line.options, arguments[0]);
    for (size_t i = 0; i < line.options.problem_count; i++)
        fprintf(stderr, "orderflow config explain: %s\n", line.options.problems[i]);
    if (line.options.problem_count > 0)
        exit_status = OF_EXIT_USAGE;
    of_settings_fini(&line);
    return exit_status;
}

int
of_command_config(int argc, char **argv)
{
    if (argc < 2)
        return wrong_usage("check, print, explain or template?", "");
    if (strcmp(argv[1], "print") == 0)
        return print_settings(argv + 2);
    if (strcmp(argv[1], "check") == 0)
        return check_settings(argv + 2);
    if (strcmp(argv[1], "explain") == 0)
        return explain(argv + 2);
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
