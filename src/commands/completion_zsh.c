#include <string.h>

#include "commands/commands.h"
#include "commands/completion.h"
#include "core/option_sources.h"

/* Both as a file in $fpath, which is the function's body, and read by `source`. */
static const char frame[] =
    "\n"
    "_orderflow() {\n"
    "  local curcontext=$curcontext state line\n"
    "  local -a commands configured keys\n"
    "  _orderflow_commands\n"
    "  _arguments -C '(- *)'{-h,--help}'[list the commands]' '1:command:->command' '*::argument:->argument'\n"
    "  case $state in\n"
    "  command) _describe -t commands command commands ;;\n"
    "  argument)\n"
    "    if [[ $words[1] == config && $words[2] == explain ]] && ((CURRENT == 3)); then\n"
    "      compadd -- $keys\n"
    "      return\n"
    "    fi\n"
    "    if [[ $words[1] == config && \" $_orderflow_config_words \" == *\" $words[2] \"* ]] && ((CURRENT > 2)); then\n"
    "      shift words\n"
    "      ((CURRENT--))\n"
    "      if ((CURRENT == 2)); then\n"
    "        compadd -- $configured\n"
    "        return\n"
    "      fi\n"
    "      shift words\n"
    "      ((CURRENT--))\n"
    "    fi\n"
    "    _orderflow_arguments $words[1]\n"
    "    ;;\n"
    "  esac\n"
    "}\n"
    "\n"
    "if [[ $funcstack[1] == _orderflow ]]; then\n"
    "  _orderflow \"$@\"\n"
    "else\n"
    "  compdef _orderflow orderflow\n"
    "fi\n";

/* Inside single quotes, and inside a specification of _arguments where brackets and colons mean something. */
static void
print_quoted(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text) != NULL)
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
}

static void
print_commands(const struct of_option_table *table, FILE *out)
{
    fprintf(out, "_orderflow_config_words='%s'\n\n_orderflow_commands() {\n  commands=(\n", of_completion_config_words);
    for (const struct of_command *command = of_commands; command->name != NULL; command++) {
        fprintf(out, "    '%s:", command->name);
        print_quoted(command->summary, out);
        fputs("'\n", out);
    }
    fputs("  )\n  configured=(", out);
    for (unsigned k = 0; table->commands[k] != NULL; k++)
        fprintf(out, "%s%s", k == 0 ? "" : " ", table->commands[k]);
    fputs(")\n  keys=(", out);
    of_completion_print_keys(table, out);
    fputs(")\n}\n", out);
}

static void
print_action(const struct of_option *option, FILE *out)
{
    fputc(':', out);
    print_quoted(option->placeholder, out);
    switch (of_completion_value(option)) {
    case OF_COMPLETE_FILE: fputs(":_files", out); break;
    case OF_COMPLETE_FOLDER: fputs(":_files -/", out); break;
    case OF_COMPLETE_CHOICE:
        fputs(":(", out);
        for (size_t c = 0; option->choices[c] != NULL; c++)
            fprintf(out, "%s%s", c == 0 ? "" : " ", option->choices[c]);
        fputc(')', out);
        break;
    default: fputs(": ", out);
    }
}

static void
print_option(const struct of_option *option, FILE *out)
{
    const char *name = option->name;
    if (option->type == OF_OPTION_BOOL) {
        fprintf(out, "      '(--%s --no-%s)--%s[", name, name, name);
        print_quoted(option->help, out);
        fprintf(out, "]'\n      '(--%s --no-%s)--no-%s[not\\: ", name, name, name);
        print_quoted(option->help, out);
        fputs("]'\n", out);
        return;
    }
    fprintf(out, "      '--%s=[", name);
    print_quoted(option->help, out);
    fputc(']', out);
    print_action(option, out);
    fputs("'\n", out);
}

static void
print_operands(const char *command, FILE *out)
{
    const char *words = of_completion_words(command);
    if (words != NULL)
        fprintf(out, "      '1:argument:(%s)'\n", words);
    if (strcmp(command, "schema") == 0)
        fputs("      '2:file:_files'\n", out);
    if (strcmp(command, "help") == 0)
        fputs("      '1:command:{_describe -t commands command commands}'\n", out);
}

static void
print_command(const struct of_option_table *table, const char *command, FILE *out)
{
    unsigned k = 0;
    while (table->commands[k] != NULL && strcmp(table->commands[k], command) != 0)
        k++;
    fprintf(out, "  %s)\n    specs+=(\n      '(- *)'{-h,--help}'[print the options]'\n", command);
    const struct of_option *option = NULL;
    while (table->commands[k] != NULL && (option = of_option_next(table, k, option)) != NULL)
        if (!option->is_secret)
            print_option(option, out);
    if (table->commands[k] != NULL && of_option_belongs(table->property_commands, k))
        fputs("      '*-X+[set a property of librdkafka]:NAME=VALUE: '\n", out);
    print_operands(command, out);
    fputs("    )\n    ;;\n", out);
}

void
of_completion_print_zsh(const struct of_option_table *table, FILE *out)
{
    fputs("#compdef orderflow\n# Completion of orderflow for zsh, made by 'orderflow completion zsh'.\n", out);
    print_commands(table, out);
    fputs("\n_orderflow_arguments() {\n  local -a specs\n  case $1 in\n", out);
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        print_command(table, command->name, out);
    fputs("  esac\n  _arguments -S : $specs\n}\n", out);
    fputs(frame, out);
}
