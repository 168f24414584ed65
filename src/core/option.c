#include "core/option.h"

#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/memory.h"
#include "core/option_sources.h"
#include "core/option_value.h"

void
of_options_init(struct of_options *options, const struct of_option_table *table, unsigned command)
{
    *options = (struct of_options) { .table = table, .command = command };
    options->values = of_alloc_array(table->count, sizeof *options->values);
}

void
of_options_fini(struct of_options *options)
{
    for (size_t i = 0; i < options->table->count; i++)
        free(options->values[i].text);
    for (size_t i = 0; i < options->property_count; i++) {
        free(options->properties[i].name);
        free(options->properties[i].value);
    }
    for (size_t i = 0; i < options->warning_count; i++)
        free(options->warnings[i]);
    for (size_t i = 0; i < options->problem_count; i++)
        free(options->problems[i]);
    free(options->problems);
    free(options->values);
    free(options->properties);
    free(options->operands);
    free(options->warnings);
    *options = (struct of_options) { 0 };
}

const struct of_option *
of_option_find(const struct of_option_table *table, const char *name, size_t length)
{
    for (size_t i = 0; i < table->count; i++)
        if (strncmp(table->options[i].name, name, length) == 0 && table->options[i].name[length] == '\0')
            return &table->options[i];
    return NULL;
}

const struct of_option *
of_option_next(const struct of_option_table *table, unsigned command, const struct of_option *last)
{
    for (size_t i = last == NULL ? 0 : (size_t)(last - table->options) + 1; i < table->count; i++)
        if (of_option_belongs(table->options[i].commands, command))
            return &table->options[i];
    return NULL;
}

bool
of_option_begins_section(const struct of_option *option, const char **section)
{
    bool begins = strcmp(option->section, *section) != 0;
    *section = option->section;
    return begins;
}

enum of_status
of_options_complain(struct of_options *options, enum of_status status, const struct of_error *err)
{
    if (status == OF_OK || !options->collects)
        return status;
    options->problems = of_realloc_array(options->problems, options->problem_count + 1, sizeof *options->problems);
    options->problems[options->problem_count++] = of_strdup(err->text);
    return OF_OK;
}

const char *
of_option_initial(const struct of_option *option, unsigned command)
{
    return option->differs.commands >> command & 1 ? option->differs.initial : option->initial;
}

static void
store_all(const struct of_options *options, void *settings)
{
    for (size_t i = 0; i < options->table->count; i++) {
        const struct of_option *option = &options->table->options[i];
        union of_option_parsed parsed;
        struct of_error err;
        enum of_status status = of_option_parse(option, of_options_text(options, i), &parsed, &err);
        OF_ASSERT(status == OF_OK); /* given values were checked as they came; defaults must be right */
        of_option_store(option, parsed, settings);
    }
}

enum of_status
of_options_load(struct of_options *options, const char *const *arguments, const char *const *environment,
                void *settings, struct of_error *err)
{
    enum of_status status = of_options_read_flags(options, arguments, err);
    if (status != OF_OK || options->help)
        return status;
    status = of_options_read_environment(options, environment, err);
    if (status == OF_OK)
        status = of_options_read_file(options, err);
    if (status == OF_OK)
        store_all(options, settings);
    return status;
}

enum of_option_origin
of_options_origin(const struct of_options *options, const char *name)
{
    const struct of_option *option = of_option_find(options->table, name, strlen(name));
    OF_ASSERT(option != NULL);
    return options->values[option - options->table->options].origin;
}

const char *
of_options_text(const struct of_options *options, size_t index)
{
    OF_ASSERT(index < options->table->count);
    const char *text = options->values[index].text;
    return text != NULL ? text : of_option_initial(&options->table->options[index], options->command);
}

const char *
of_option_shown(const struct of_option *option, const char *text, char *out, size_t size)
{
    if (option->is_secret)
        return "***";
    return option->show != NULL ? option->show(text, out, size) : text;
}

const char *
of_option_origin_name(enum of_option_origin origin)
{
    static const char *const names[] = { "default", "file", "environment", "flag" };
    return names[origin];
}
