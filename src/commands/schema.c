#include <stdio.h>
#include <string.h>

#include "commands/commands.h"
#include "commands/schema_explain.h"
#include "commands/schema_registry.h"

static const struct {
    const char *name;
    const char *operand; /* after the name; NULL: takes none */
    const char *summary;
    int (*run)(const struct of_command_line *line);
} actions[] = {
    { "explain", "[FILE]", "how orders of a schema are read: of FILE, or of the registry's --id", of_schema_explain },
    { "register", NULL, "register --schema under --subject, and print its id", of_schema_register },
    { "check", NULL, "whether --subject would take --schema, by the compatibility that is set there", of_schema_check },
    { "list", NULL, "the subjects with the latest version, its id and its type", of_schema_list },
};

enum { ACTIONS = sizeof actions / sizeof *actions };

void
of_schema_print_usage(FILE *out)
{
    fputs("usage: orderflow schema ACTION [OPTION]...\n\n", out);
    for (size_t i = 0; i < ACTIONS; i++)
        fprintf(out, "  %-8s %-6s   %s\n", actions[i].name, actions[i].operand != NULL ? actions[i].operand : "",
                actions[i].summary);
}

static int
run_action(const struct of_command_line *line)
{
    size_t count = line->options.operand_count; /* the action's name included */
    for (size_t i = 0; count > 0 && i < ACTIONS; i++)
        if (strcmp(line->options.operands[0], actions[i].name) == 0 && count <= 1 + (actions[i].operand != NULL))
            return actions[i].run(line);
    of_schema_print_usage(stderr);
    return OF_EXIT_USAGE;
}

int
of_command_schema(int argc, char **argv)
{
    if (argc < 2) {
        of_schema_print_usage(stderr);
        return OF_EXIT_USAGE;
    }
    return of_command_line_run(OF_COMMAND_SCHEMA, argc, argv, run_action);
}
