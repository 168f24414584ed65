#include "commands/completion.h"

#include <string.h>

#include "commands/commands.h"
#include "commands/settings.h"

static const struct {
    const char *name;
    void (*print)(const struct of_option_table *table, FILE *out);
    const char *how; /* to use it for good */
} shells[] = {
    { "bash", of_completion_print_bash, "orderflow completion bash >~/.local/share/bash-completion/completions/orderflow" },
    { "zsh", of_completion_print_zsh, "orderflow completion zsh >FOLDER/_orderflow, with FOLDER in $fpath" },
    { "fish", of_completion_print_fish, "orderflow completion fish >~/.config/fish/completions/orderflow.fish" },
};

enum { SHELLS = sizeof shells / sizeof *shells };

/* What the commands say in their usage. */
static const struct {
    const char *command, *words;
} operands[] = {
    { "schema", "explain register check list" },
    { "config", "check print explain template" },
    { "completion", "bash zsh fish" },
};

const char of_completion_config_words[] = "check print";

const char *
of_completion_words(const char *command)
{
    for (size_t i = 0; i < sizeof operands / sizeof *operands; i++)
        if (strcmp(operands[i].command, command) == 0)
            return operands[i].words;
    return NULL;
}

/* The placeholder tells people, and us, what a value is. */
enum of_completion_value
of_completion_value(const struct of_option *option)
{
    if (option->type == OF_OPTION_BOOL)
        return OF_COMPLETE_NONE;
    if (option->type == OF_OPTION_CHOICE)
        return OF_COMPLETE_CHOICE;
    if (strcmp(option->placeholder, "FILE") == 0)
        return OF_COMPLETE_FILE;
    bool folder = strcmp(option->placeholder, "FOLDER") == 0 || strcmp(option->placeholder, "DIR") == 0;
    return folder ? OF_COMPLETE_FOLDER : OF_COMPLETE_TEXT;
}

void
of_completion_print_keys(const struct of_option_table *table, FILE *out)
{
    for (size_t i = 0; i < table->count; i++)
        fprintf(out, "%s%s", i == 0 ? "" : " ", table->options[i].name);
}

void
of_completion_print_usage(FILE *out)
{
    fputs("usage: orderflow completion SHELL\n\n", out);
    for (size_t i = 0; i < SHELLS; i++)
        fprintf(out, "  %-8s %s\n", shells[i].name, shells[i].how);
}

int
of_command_completion(int argc, char **argv)
{
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("orderflow completion: print what completes commands and options in a shell\n");
        of_completion_print_usage(stdout);
        return OF_EXIT_DONE;
    }
    for (size_t i = 0; argc == 2 && i < SHELLS; i++)
        if (strcmp(argv[1], shells[i].name) == 0) {
            shells[i].print(&of_settings_table, stdout);
            return fflush(stdout) == 0 && !ferror(stdout) ? OF_EXIT_DONE : OF_EXIT_FAILED;
        }
    of_completion_print_usage(stderr);
    return OF_EXIT_USAGE;
}
