#include <string.h>

#include "commands/commands.h"
#include "commands/completion.h"
#include "core/option_sources.h"

/* Which command is being typed; that of `config print COMMAND` is COMMAND. */
static const char frame[] =
    "function __orderflow_command\n"
    "    set -l words (commandline -opc)\n"
    "    if test (count $words) -ge 3; and test $words[2] = config; and contains -- $words[3] $__orderflow_config_words\n"
    "        test (count $words) -ge 4; and echo $words[4]\n"
    "    else if test (count $words) -ge 2\n"
    "        echo $words[2]\n"
    "    end\n"
    "end\n"
    "\n"
    "function __orderflow_in\n"
    "    contains -- (__orderflow_command) $argv\n"
    "end\n"
    "\n"
    "# How many words there are, the program's name included.\n"
    "function __orderflow_after\n"
    "    set -l words (commandline -opc)\n"
    "    test (count $words) -eq (count $argv); or return\n"
    "    for i in (seq 2 (count $argv))\n"
    "        test $words[$i] = $argv[$i]; or return\n"
    "    end\n"
    "end\n"
    "\n"
    "complete -c orderflow -f\n";

static void
print_quoted(const char *text, FILE *out)
{
    fputc('\'', out);
    for (; *text != '\0'; text++)
        fprintf(out, "%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
    fputc('\'', out);
}

static void
print_commands(const struct of_option_table *table, FILE *out)
{
    const char *when[] = { "test (count (commandline -opc)) -eq 1", "__orderflow_after orderflow help" };
    for (size_t i = 0; i < sizeof when / sizeof *when; i++)
        for (const struct of_command *command = of_commands; command->name != NULL; command++) {
            fprintf(out, "complete -c orderflow -n '%s' -a %s -d ", when[i], command->name);
            print_quoted(command->summary, out);
            fputc('\n', out);
        }
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        if (of_completion_words(command->name) != NULL)
            fprintf(out, "complete -c orderflow -n '__orderflow_after orderflow %s' -a '%s'\n", command->name,
                    of_completion_words(command->name));
    fputs("for word in $__orderflow_config_words\n"
          "    complete -c orderflow -n \"__orderflow_after orderflow config $word\" -a '", out);
    for (unsigned k = 0; table->commands[k] != NULL; k++)
        fprintf(out, "%s%s", k == 0 ? "" : " ", table->commands[k]);
    fputs("'\nend\ncomplete -c orderflow -n '__orderflow_after orderflow config explain' -a '", out);
    of_completion_print_keys(table, out);
    fputs("'\ncomplete -c orderflow -n '__orderflow_after orderflow schema explain' -F\n"
          "complete -c orderflow -s h -l help -d 'print the options'\n", out);
}

/* " run produce", the commands in `bits`. */
static void
print_condition(const struct of_option_table *table, uint32_t bits, FILE *out)
{
    fputs("complete -c orderflow -n '__orderflow_in", out);
    for (unsigned k = 0; table->commands[k] != NULL; k++)
        if (of_option_belongs(bits, k))
            fprintf(out, " %s", table->commands[k]);
    fputc('\'', out);
}

static void
print_value(const struct of_option *option, FILE *out)
{
    switch (of_completion_value(option)) {
    case OF_COMPLETE_NONE: break;
    case OF_COMPLETE_TEXT: fputs(" -x", out); break;
    case OF_COMPLETE_FILE: fputs(" -r -F", out); break;
    case OF_COMPLETE_FOLDER: fputs(" -x -a '(__fish_complete_directories)'", out); break;
    case OF_COMPLETE_CHOICE:
        fputs(" -x -a '", out);
        for (size_t c = 0; option->choices[c] != NULL; c++)
            fprintf(out, "%s%s", c == 0 ? "" : " ", option->choices[c]);
        fputc('\'', out);
    }
}

static void
print_option(const struct of_option_table *table, const struct of_option *option, FILE *out)
{
    print_condition(table, option->commands, out);
    fprintf(out, " -l %s", option->name);
    print_value(option, out);
    fputs(" -d ", out);
    print_quoted(option->help, out);
    fputc('\n', out);
    if (option->type != OF_OPTION_BOOL)
        return;
    print_condition(table, option->commands, out);
    fprintf(out, " -l no-%s -d 'the contrary of --%s'\n", option->name, option->name);
}

void
of_completion_print_fish(const struct of_option_table *table, FILE *out)
{
    fprintf(out, "# Completion of orderflow for fish, made by 'orderflow completion fish'.\n"
                 "set -g __orderflow_config_words %s\n\n%s", of_completion_config_words, frame);
    print_commands(table, out);
    for (size_t i = 0; i < table->count; i++)
        if (!table->options[i].is_secret)
            print_option(table, &table->options[i], out);
    print_condition(table, table->property_commands, out);
    fputs(" -s X -x -d 'set a property of librdkafka: NAME=VALUE'\n", out);
}
