/* Options for the manual and for documents. */
#include <string.h>

#include "core/option_sources.h"
#include "core/roff.h"

enum { TEXT_BYTES = 1024 };

/* "0 to 10", or what the value stands for. */
static void
describe_value(const struct of_option *option, char *out, size_t size)
{
    of_option_describe(option, out, size);
    if (out[0] == '\0')
        snprintf(out, size, "%s", option->placeholder);
}

/* ---- pages of the manual ---- */

static void
print_tag(const struct of_option *option, FILE *out)
{
    char flag[128];
    fputs(".TP\n", out);
    if (option->type == OF_OPTION_BOOL) {
        snprintf(flag, sizeof flag, "--%s", option->name);
        fputs(".BR \"", out);
        of_roff_text(out, flag);
        snprintf(flag, sizeof flag, "--no-%s", option->name);
        fputs("\" \", \" \"", out);
        of_roff_text(out, flag);
        fputs("\"\n", out);
        return;
    }
    snprintf(flag, sizeof flag, option->is_secret ? "%s" : "--%s", option->name);
    fputs(".BI \"", out);
    of_roff_text(out, flag);
    fputs(option->is_secret ? " = \" \"" : " \" \"", out);
    of_roff_text(out, option->placeholder);
    fputs("\"\n", out);
}

static void
print_entry(const struct of_option *option, const char *initial, FILE *out)
{
    char allowed[TEXT_BYTES];
    of_option_describe(option, allowed, sizeof allowed);
    bool says_range = allowed[0] != '\0' && option->type != OF_OPTION_BOOL;
    print_tag(option, out);
    of_roff_words(out, option->help, ".");
    if (says_range) {
        fputs("Allowed: ", out);
        of_roff_words(out, allowed, ".");
    }
    fputs(initial != NULL ? "Default: " : "No default", out);
    of_roff_text(out, initial != NULL ? initial : "");
    fputs(".\n", out);
}

void
of_options_print_man(const struct of_option_table *table, unsigned command, FILE *out)
{
    const char *section = "";
    for (const struct of_option *option = NULL; (option = of_option_next(table, command, option)) != NULL;) {
        if (of_option_begins_section(option, &section))
            of_roff_macro(out, "SS", option->section);
        print_entry(option, of_option_initial(option, command), out);
    }
    if (!of_option_belongs(table->property_commands, command))
        return;
    of_roff_macro(out, "SS", "Properties of librdkafka");
    fputs(".TP\n.BI \"\\-X \" NAME=VALUE\nset a property of librdkafka; may be repeated.\n", out);
}

static void
print_key(const struct of_option_table *table, const struct of_option *option, FILE *out)
{
    char allowed[TEXT_BYTES];
    describe_value(option, allowed, sizeof allowed);
    fputs(".TP\n.BI \"", out);
    of_roff_text(out, option->name);
    fputs(" = \" \"", out);
    of_roff_text(out, option->type == OF_OPTION_BOOL ? "true|false" : option->placeholder);
    fputs("\"\n", out);
    of_roff_words(out, option->help, ".");
    fputs("Allowed: ", out);
    of_roff_words(out, allowed, ".");
    fputs("Default: ", out);
    of_roff_text(out, option->initial != NULL ? option->initial : "none");
    for (unsigned k = 0; table->commands[k] != NULL; k++)
        if (option->differs.commands >> k & 1) {
            fprintf(out, ", of %s ", table->commands[k]);
            of_roff_text(out, option->differs.initial);
        }
    fputs(".\n", out);
}

void
of_options_print_man_file(const struct of_option_table *table, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < table->count; i++) {
        const struct of_option *option = &table->options[i];
        if (option->is_file)
            continue;
        if (of_option_begins_section(option, &section))
            of_roff_macro(out, "SS", option->section);
        print_key(table, option, out);
    }
}

/* ---- documents ---- */

/* A cell of a table. */
static void
print_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        fprintf(out, "%s%c", strchr("|<>*", *text) != NULL ? "\\" : "", *text);
}

static void
print_row(const struct of_option_table *table, const struct of_option *option, FILE *out)
{
    char allowed[TEXT_BYTES];
    describe_value(option, allowed, sizeof allowed);
    fprintf(out, "| `%s` | ", option->name);
    print_cell(out, option->help);
    fputs(" | ", out);
    print_cell(out, allowed);
    fprintf(out, " | %s%s%s", option->initial != NULL ? "`" : "", option->initial != NULL ? option->initial : "",
            option->initial != NULL ? "`" : "");
    for (unsigned k = 0; table->commands[k] != NULL; k++)
        if (option->differs.commands >> k & 1)
            fprintf(out, ", %s `%s`", table->commands[k], option->differs.initial);
    fputs(" |", out);
    for (unsigned k = 0, n = 0; table->commands[k] != NULL; k++)
        if (of_option_belongs(option->commands, k))
            fprintf(out, "%s%s", n++ > 0 ? ", " : " ", table->commands[k]);
    fputs(" |\n", out);
}

void
of_options_print_markdown(const struct of_option_table *table, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < table->count; i++) {
        const struct of_option *option = &table->options[i];
        if (strcmp(option->section, section) != 0)
            fprintf(out, "%s### %s\n\n| option | | values | default | of |\n|---|---|---|---|---|\n",
                    *section != '\0' ? "\n" : "", option->section);
        section = option->section;
        print_row(table, option, out);
    }
}
