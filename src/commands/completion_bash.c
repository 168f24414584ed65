#include <string.h>

#include "commands/commands.h"
#include "commands/completion.h"
#include "core/option_sources.h"

/* bash makes a word of every '=', so `--from=ea` is `--from`, `=` and `ea`. Nothing of the package bash-completion is
 * needed. */
static const char frame[] =
    "\n"
    "_orderflow_offer() {\n"
    "    mapfile -t COMPREPLY < <(compgen \"${@:2}\" -- \"$1\")\n"
    "}\n"
    "\n"
    "_orderflow_paths() {\n"
    "    compopt -o filenames 2>/dev/null # fails where nothing is being completed\n"
    "    _orderflow_offer \"$@\"\n"
    "}\n"
    "\n"
    "_orderflow() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} at=2\n"
    "    local command=${COMP_WORDS[1]}\n"
    "    COMPREPLY=()\n"
    "    if ((COMP_CWORD < 2)); then\n"
    "        _orderflow_offer \"$word\" -W \"$_orderflow_commands\"\n"
    "        return\n"
    "    fi\n"
    "    if [[ $command == config && \" $_orderflow_config_words \" == *\" ${COMP_WORDS[2]} \"* ]]; then\n"
    "        command=${COMP_WORDS[3]} at=4\n"
    "        if ((COMP_CWORD == 3)); then\n"
    "            _orderflow_offer \"$word\" -W \"$_orderflow_configured\"\n"
    "            return\n"
    "        fi\n"
    "    fi\n"
    "    if [[ $command == config && ${COMP_WORDS[2]} == explain ]] && ((COMP_CWORD == 3)); then\n"
    "        _orderflow_offer \"$word\" -W \"$_orderflow_keys\"\n"
    "        return\n"
    "    fi\n"
    "    if [[ $word == = ]]; then\n"
    "        word=\n"
    "    elif [[ $option == = ]]; then\n"
    "        option=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    if ((COMP_CWORD > at)) && _orderflow_value \"$option\" \"$word\"; then\n"
    "        return\n"
    "    fi\n"
    "    if [[ $word == -* ]]; then\n"
    "        _orderflow_offer \"$word\" -W \"$(_orderflow_options \"$command\")\"\n"
    "    elif [[ $command == schema && ${COMP_WORDS[2]} == explain ]] && ((COMP_CWORD == 3)); then\n"
    "        _orderflow_paths \"$word\" -f\n"
    "    elif ((COMP_CWORD == 2)); then\n"
    "        _orderflow_offer \"$word\" -W \"$(_orderflow_words \"$command\")\"\n"
    "    fi\n"
    "}\n"
    "\n"
    "complete -F _orderflow orderflow\n";

static void
print_commands(const struct of_option_table *table, FILE *out)
{
    fputs("_orderflow_commands='", out);
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        fprintf(out, "%s%s", command == of_commands ? "" : " ", command->name);
    fputs("'\n_orderflow_configured='", out);
    for (unsigned k = 0; table->commands[k] != NULL; k++)
        fprintf(out, "%s%s", k == 0 ? "" : " ", table->commands[k]);
    fprintf(out, "'\n_orderflow_config_words='%s'\n_orderflow_keys='", of_completion_config_words);
    of_completion_print_keys(table, out);
    fputs("'\n", out);
}

static void
print_words(FILE *out)
{
    fputs("\n_orderflow_words() {\n    case $1 in\n    help) echo \"$_orderflow_commands\" ;;\n", out);
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        if (of_completion_words(command->name) != NULL)
            fprintf(out, "    %s) echo '%s' ;;\n", command->name, of_completion_words(command->name));
    fputs("    esac\n}\n", out);
}

static void
print_options(const struct of_option_table *table, FILE *out)
{
    fputs("\n_orderflow_options() {\n    case $1 in\n", out);
    for (unsigned k = 0; table->commands[k] != NULL; k++) {
        fprintf(out, "    %s) echo '--help%s", table->commands[k],
                of_option_belongs(table->property_commands, k) ? " -X" : "");
        for (const struct of_option *option = NULL; (option = of_option_next(table, k, option)) != NULL;) {
            if (option->is_secret)
                continue;
            fprintf(out, " --%s", option->name);
            if (option->type == OF_OPTION_BOOL)
                fprintf(out, " --no-%s", option->name);
        }
        fputs("' ;;\n", out);
    }
    fputs("    *) echo --help ;;\n    esac\n}\n", out);
}

/* "    --config | --file" of all that take such a value. */
static void
print_pattern(const struct of_option_table *table, enum of_completion_value value, FILE *out)
{
    const char *before = "    ";
    for (size_t i = 0; i < table->count; i++)
        if (of_completion_value(&table->options[i]) == value && !table->options[i].is_secret) {
            fprintf(out, "%s--%s", before, table->options[i].name);
            before = " | ";
        }
}

/* Fails for what takes no value. */
static void
print_values(const struct of_option_table *table, FILE *out)
{
    fputs("\n_orderflow_value() {\n    case $1 in\n", out);
    for (size_t i = 0; i < table->count; i++) {
        const struct of_option *option = &table->options[i];
        if (option->type != OF_OPTION_CHOICE)
            continue;
        fprintf(out, "    --%s) _orderflow_offer \"$2\" -W '", option->name);
        for (size_t c = 0; option->choices[c] != NULL; c++)
            fprintf(out, "%s%s", c == 0 ? "" : " ", option->choices[c]);
        fputs("' ;;\n", out);
    }
    print_pattern(table, OF_COMPLETE_FILE, out);
    fputs(") _orderflow_paths \"$2\" -f ;;\n", out);
    print_pattern(table, OF_COMPLETE_FOLDER, out);
    fputs(") _orderflow_paths \"$2\" -d ;;\n", out);
    print_pattern(table, OF_COMPLETE_TEXT, out);
    fputs(" | -X) ;;\n    *) return 1 ;;\n    esac\n}\n", out);
}

void
of_completion_print_bash(const struct of_option_table *table, FILE *out)
{
    fputs("# Completion of orderflow for bash, made by 'orderflow completion bash'.\n", out);
    print_commands(table, out);
    print_words(out);
    print_options(table, out);
    print_values(table, out);
    fputs(frame, out);
}
