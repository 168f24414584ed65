#include <stdio.h>
#include <string.h>

#include "commands/commands.h"
#include "commands/schema_explain.h"
#include "commands/schema_registry.h"

static const struct {
    const char *name, *summary;
    int (*run)(const struct of_command_line *line);
    size_t operands; /* at most, the name included */
} actions[] = {
    { "explain", "how orders of a schema are read: explain FILE, or explain --id N", of_schema_explain, 2 },
    { "register", "register --schema under --subject, and print its id", of_schema_register, 1 },
    { "check", "whether --subject would take --schema, by the compatibility that is set there", of_schema_check, 1 },
    { "list", "the subjects with the latest version, its id and its type", of_schema_list, 1 },
};

enum { ACTIONS = sizeof actions / sizeof *actions };

static void
print_actions(FILE *out)
{
    fputs("usage: orderflow schema ACTION [OPTION]...\n\n", out);
    for (size_t i = 0; i < ACTIONS; i++)
        fprintf(out, "  %-10s %s\n", actions[i].name, actions[i].summary);
}

static int
run_action(const struct of_command_line *line)
{
    size_t count = line->options.operand_count;
    for (size_t i = 0; count > 0 && i < ACTIONS; i++)
        if (strcmp(line->options.operands[0], actions[i].name) == 0 && count <= actions[i].operands)
            return actions[i].run(line);
    print_actions(stderr);
    return OF_EXIT_USAGE;
}

int
of_command_schema(int argc, char **argv)
{
    struct of_command_line line;
    int status;
    if (argc < 2) {
        print_actions(stderr);
        return OF_EXIT_USAGE;
    }
    if (!of_settings_load(&line, OF_COMMAND_SCHEMA, argc, argv, &status))
        return status;
    status = run_action(&line);
    of_settings_fini(&line);
    return status;
}
