#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/escape.h"
#include "core/memory.h"
#include "core/option_sources.h"

enum { LABEL_COLUMNS = 13 };

/* ---- names ---- */

/* As a key, whichever way it is written: --retry-delay-ms, ORDERFLOW_RETRY_DELAY_MS, retry_delay_ms. */
static void
normalise(const struct of_option_table *table, const char *name, char out[OF_OPTION_NAME_BYTES])
{
    name += strspn(name, "-");
    size_t prefix = strlen(table->environment_prefix);
    if (strncmp(name, table->environment_prefix, prefix) == 0)
        name += prefix;
    snprintf(out, OF_OPTION_NAME_BYTES, "%s", name);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
}

size_t
of_options_index(const struct of_options *options, const char *name)
{
    char key[OF_OPTION_NAME_BYTES];
    normalise(options->table, name, key);
    const struct of_option *option = of_option_find(options->table, key, strlen(key));
    return option != NULL ? (size_t)(option - options->table->options) : options->table->count;
}

/* ---- places ---- */

static const char *
file_path(const struct of_options *options)
{
    for (size_t i = 0; i < options->table->count; i++)
        if (options->table->options[i].is_file && options->values[i].text != NULL)
            return options->values[i].text;
    return "";
}

const char *
of_options_place(const struct of_options *options, size_t index, char *out, size_t size)
{
    OF_ASSERT(index < options->table->count);
    const struct of_option *option = &options->table->options[index];
    const struct of_option_value *value = &options->values[index];
    char variable[OF_OPTION_NAME_BYTES];
    switch (value->origin) {
    case OF_ORIGIN_DEFAULT: snprintf(out, size, "%s (default)", option->name); break;
    case OF_ORIGIN_FILE: snprintf(out, size, "%s:%d: %s", file_path(options), value->file_line, option->name); break;
    case OF_ORIGIN_ENVIRONMENT:
        snprintf(out, size, "%s", of_option_variable(options->table, option, variable));
        break;
    case OF_ORIGIN_FLAG: snprintf(out, size, "--%s", option->name); break;
    }
    return out;
}

const char *
of_options_property_place(const struct of_options *options, const struct of_property *property, char *out,
                          size_t size)
{
    if (property->origin == OF_ORIGIN_FILE)
        snprintf(out, size, "%s:%d: %s%s", file_path(options), property->line, options->table->property_prefix,
                 property->name);
    else
        snprintf(out, size, "-X %s", property->name);
    return out;
}

/* ---- explaining ---- */

static void
print_label(FILE *out, const char *label)
{
    fprintf(out, "  %-*s ", LABEL_COLUMNS, label);
}

/* What stands in a file or a variable may hold anything. */
static void
print_escaped(FILE *out, const char *text)
{
    size_t size = OF_ESCAPE_GROWTH * strlen(text) + 1;
    char *escaped = of_alloc(size);
    of_escape(OF_ESCAPE_TERMINAL, of_slice_str(text), escaped, size);
    fputs(escaped, out);
    free(escaped);
}

/* The placeholder says it, as the help does; NULL: it is no quantity. */
static const char *
unit_of(const struct of_option *option)
{
    static const struct {
        const char *placeholder, *unit;
    } units[] = {
        { "MS", "milliseconds" },
        { "BYTES", "bytes" },
        { "MB", "mebibytes" },
        { "PER-SECOND", "per second" },
        { "RATE", "share, 1 is all" },
    };
    for (size_t i = 0; option->placeholder != NULL && i < sizeof units / sizeof *units; i++)
        if (strcmp(option->placeholder, units[i].placeholder) == 0)
            return units[i].unit;
    return NULL;
}

static void
print_allowed(const struct of_option *option, FILE *out)
{
    char allowed[256];
    of_option_describe(option, allowed, sizeof allowed);
    print_label(out, "allowed");
    if (allowed[0] != '\0')
        fprintf(out, "%s\n", allowed);
    else
        fprintf(out, "text: %s\n", option->placeholder);
    if (unit_of(option) != NULL) {
        print_label(out, "unit");
        fprintf(out, "%s\n", unit_of(option));
    }
}

static void
print_default(const struct of_option_table *table, const struct of_option *option, FILE *out)
{
    print_label(out, "default");
    fputs(option->initial != NULL ? option->initial : "none", out);
    for (unsigned k = 0; table->commands[k] != NULL; k++)
        if (option->differs.commands >> k & 1)
            fprintf(out, ", of %s %s", table->commands[k], option->differs.initial);
    fputc('\n', out);
}

static void
print_names(const struct of_option_table *table, const struct of_option *option, FILE *out)
{
    char variable[OF_OPTION_NAME_BYTES];
    print_label(out, "flag");
    if (option->is_secret)
        fprintf(out, "none: everybody could list it\n");
    else if (option->type == OF_OPTION_BOOL)
        fprintf(out, "--%s, --no-%s\n", option->name, option->name);
    else
        fprintf(out, "--%s %s\n", option->name, option->placeholder);
    print_label(out, "environment");
    fprintf(out, "%s\n", of_option_variable(table, option, variable));
    print_label(out, "file");
    if (option->is_file)
        fprintf(out, "cannot stand in the file itself\n");
    else
        fprintf(out, "%s = %s\n", option->name,
                option->type == OF_OPTION_BOOL ? "true or false" : option->placeholder);
    print_label(out, "commands");
    const char *before = "";
    for (unsigned k = 0; table->commands[k] != NULL; k++)
        if (of_option_belongs(option->commands, k)) {
            fprintf(out, "%s%s", before, table->commands[k]);
            before = ", ";
        }
    fputc('\n', out);
}

static void
print_present(const struct of_options *options, size_t index, FILE *out)
{
    char place[512], shown[1024];
    const char *text = of_options_text(options, index);
    print_label(out, "now");
    print_escaped(out, text != NULL ? of_option_shown(&options->table->options[index], text, shown, sizeof shown)
                                    : "none");
    fputs("\n", out);
    print_label(out, "from");
    print_escaped(out, options->values[index].origin == OF_ORIGIN_DEFAULT
                           ? "the default" : of_options_place(options, index, place, sizeof place));
    fputs("\n", out);
}

void
of_options_explain(const struct of_options *options, size_t index, FILE *out)
{
    OF_ASSERT(index < options->table->count);
    const struct of_option *option = &options->table->options[index];
    fprintf(out, "%s: %s\n", option->name, option->help);
    print_allowed(option, out);
    print_default(options->table, option, out);
    print_names(options->table, option, out);
    print_present(options, index, out);
}
