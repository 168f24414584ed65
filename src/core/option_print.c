#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/escape.h"
#include "core/memory.h"
#include "core/option.h"
#include "core/option_sources.h"

enum { NAME_COLUMNS = 22, VALUE_COLUMNS = 34, LAST_COLUMN = 110 };

static const char not_given[] = "-", hidden[] = "***";

/* ---- what values are, and where they come from ---- */

static const char *
file_path(const struct of_options *options)
{
    for (size_t i = 0; i < options->table->count; i++)
        if (options->table->options[i].is_file)
            return of_options_text(options, i);
    return NULL;
}

/* One line, whatever the text holds: it may come from a file or a variable that others wrote. */
static void
print_text(FILE *out, const char *text, int columns)
{
    size_t size = OF_ESCAPE_GROWTH * strlen(text) + 1;
    char *escaped = of_alloc(size);
    of_escape(OF_ESCAPE_TERMINAL, of_slice_str(text), escaped, size);
    fprintf(out, "%-*s", columns, escaped);
    free(escaped);
}

static void
print_origin(const struct of_options *options, enum of_option_origin origin, int line, FILE *out)
{
    if (origin == OF_ORIGIN_FILE) {
        print_text(out, file_path(options), 0);
        fprintf(out, ":%d\n", line);
    } else {
        fprintf(out, "%s\n", of_option_origin_name(origin));
    }
}

static void
print_value(const struct of_options *options, size_t index, FILE *out)
{
    const struct of_option *option = &options->table->options[index];
    const struct of_option_value *value = &options->values[index];
    const char *text = of_options_text(options, index);
    char shown[1024];
    if (text != NULL)
        text = of_option_shown(option, text, shown, sizeof shown);
    fprintf(out, "  %-*s  ", NAME_COLUMNS, option->name);
    print_text(out, text != NULL ? text : not_given, VALUE_COLUMNS);
    fputs("  ", out);
    print_origin(options, value->origin, value->file_line, out);
}

static void
print_properties(const struct of_options *options, FILE *out)
{
    const struct of_option_table *table = options->table;
    for (size_t i = 0; i < options->property_count; i++) {
        const struct of_property *property = &options->properties[i];
        bool secret = table->property_is_secret != NULL && table->property_is_secret(property->name);
        fprintf(out, "  %s", table->property_prefix);
        print_text(out, property->name, NAME_COLUMNS - (int)strlen(table->property_prefix));
        fputs("  ", out);
        print_text(out, secret ? hidden : property->value, VALUE_COLUMNS);
        fputs("  ", out);
        print_origin(options, property->origin, property->line, out);
    }
}

void
of_options_print(const struct of_options *options, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < options->table->count; i++) {
        const struct of_option *option = &options->table->options[i];
        if (!of_option_belongs(option->commands, options->command))
            continue;
        if (strcmp(option->section, section) != 0)
            fprintf(out, "%s%s\n", *section != '\0' ? "\n" : "", option->section);
        section = option->section;
        print_value(options, i, out);
    }
    if (options->property_count > 0)
        fprintf(out, "\nProperties of librdkafka\n");
    print_properties(options, out);
}

/* ---- the template ---- */

/* A comment, word by word. */
static void
print_comment(FILE *out, const char *text)
{
    int column = fprintf(out, "#");
    for (const char *word = text; *word != '\0';) {
        int length = (int)strcspn(word, " ");
        if (column > 1 && column + 1 + length > LAST_COLUMN)
            column = fprintf(out, "\n#") - 1;
        column += fprintf(out, " %.*s", length, word);
        word += length;
        word += strspn(word, " ");
    }
    fputc('\n', out);
}

/* "run, produce" */
static void
name_commands(const struct of_option_table *table, const struct of_option *option, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned k = 0; table->commands[k] != NULL && at < size; k++)
        if (of_option_belongs(option->commands, k))
            at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? ", " : "", table->commands[k]);
}

static void
print_entry(const struct of_option_table *table, const struct of_option *option, FILE *out)
{
    char allowed[256], commands[128], text[1024];
    of_option_describe(option, allowed, sizeof allowed);
    name_commands(table, option, commands, sizeof commands);
    size_t length = (size_t)snprintf(text, sizeof text, "%s (%s%s%s", option->help,
                                     allowed[0] != '\0' ? allowed : option->placeholder,
                                     option->initial != NULL ? "; default " : "; no default",
                                     option->initial != NULL ? option->initial : "");
    for (unsigned k = 0; table->commands[k] != NULL && length < sizeof text; k++)
        if (option->differs.commands >> k & 1)
            length += (size_t)snprintf(text + length, sizeof text - length, ", of %s %s", table->commands[k],
                                       option->differs.initial);
    OF_ASSERT(length < sizeof text);
    snprintf(text + length, sizeof text - length, "; for %s)", commands);
    fputc('\n', out);
    print_comment(out, text);
    fprintf(out, "#%s =%s%s\n", option->name, option->initial != NULL ? " " : "",
            option->initial != NULL ? option->initial : "");
}

void
of_options_print_template(const struct of_option_table *table, FILE *out)
{
    const char *section = "";
    fprintf(out, "# Configuration of %s: every option with its default. Remove the '#' before a line 'option = value' to\n"
                 "# change it. The value is the rest of the line, without quotes. Used when named by --config FILE or by\n"
                 "# %sCONFIG; flags and environment win over it. One file serves all commands.\n",
            table->program, table->environment_prefix);
    for (size_t i = 0; i < table->count; i++) {
        const struct of_option *option = &table->options[i];
        if (option->is_file)
            continue;
        if (strcmp(option->section, section) != 0)
            fprintf(out, "\n# ---- %s ----\n", option->section);
        section = option->section;
        print_entry(table, option, out);
    }
    fprintf(out, "\n# ---- Properties of librdkafka ----\n\n"
                 "# Any property of the Kafka client library that delivery does not depend on, for example:\n"
                 "#%ssecurity.protocol = ssl\n#%sssl.ca.location = /etc/ssl/kafka.pem\n",
            table->property_prefix, table->property_prefix);
}
