#include "core/option_sources.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/memory.h"
#include "core/nearest.h"
#include "core/option_value.h"

enum { NAME_BYTES = OF_OPTION_NAME_BYTES };

static struct of_option_value *
value_of(const struct of_options *options, const struct of_option *option)
{
    return &options->values[option - options->table->options];
}

/* Checks the value, and keeps it unless a stronger source gave one. The caller says in the error where it stands. */
static enum of_status
take_value(struct of_options *options, const struct of_option *option, const char *text,
           enum of_option_origin origin, struct of_error *err)
{
    union of_option_parsed parsed;
    enum of_status status = of_option_parse(option, text, &parsed, err);
    struct of_option_value *value = value_of(options, option);
    if (status != OF_OK || (value->text != NULL && value->origin > origin))
        return status;
    free(value->text);
    value->text = of_strdup(text);
    value->origin = origin;
    return OF_OK;
}

static enum of_status
take_property(struct of_options *options, const char *name, const char *text, int line, struct of_error *err)
{
    const struct of_option_table *table = options->table;
    const char *complaint = table->property_complaint != NULL ? table->property_complaint(name, text) : NULL;
    if (complaint != NULL)
        return of_error_set(err, OF_FATAL, "%s: %s", name, complaint);
    options->properties = of_realloc_array(options->properties, options->property_count + 1,
                                           sizeof *options->properties);
    options->properties[options->property_count++] = (struct of_property) {
        .name = of_strdup(name),
        .value = of_strdup(text),
        .origin = line > 0 ? OF_ORIGIN_FILE : OF_ORIGIN_FLAG,
        .line = line,
    };
    return OF_OK;
}

/* ---- flags ---- */

static enum of_status
unknown_flag(const struct of_options *options, const char *flag, size_t length, struct of_error *err)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)(length < NAME_BYTES ? length : NAME_BYTES - 1), flag);
    struct of_nearest nearest = of_nearest_to(strncmp(name, "no-", 3) == 0 ? name + 3 : name);
    for (const struct of_option *option = NULL;
         (option = of_option_next(options->table, options->command, option)) != NULL;)
        of_nearest_try(&nearest, option->name);
    if (nearest.name != NULL)
        return of_error_set(err, OF_FATAL, "unknown option '--%s'; did you mean '--%s'?", name, nearest.name);
    return of_error_set(err, OF_FATAL, "unknown option '--%s'", name);
}

static enum of_status
foreign_flag(const struct of_options *options, const struct of_option *option, struct of_error *err)
{
    const char *const *commands = options->table->commands;
    for (unsigned k = 0; commands[k] != NULL; k++)
        if (of_option_belongs(option->commands, k))
            return of_error_set(err, OF_FATAL, "--%s is an option of '%s %s', not of '%s'", option->name,
                                options->table->program, commands[k], commands[options->command]);
    return of_error_set(err, OF_FATAL, "--%s is no option of '%s'", option->name, commands[options->command]);
}

static enum of_status
secret_flag(const struct of_options *options, const struct of_option *option, struct of_error *err)
{
    char variable[NAME_BYTES];
    of_option_variable(options->table, option, variable);
    return of_error_set(err, OF_FATAL,
                        "--%s would show a secret to everybody who lists processes; set %s, or '%s = ...' in the "
                        "configuration file",
                        option->name, variable, option->name);
}

/* What follows "--". `next`: the argument after it or NULL; *taken says that it was used as the value. */
static enum of_status
read_long_flag(struct of_options *options, const char *flag, const char *next, bool *taken, struct of_error *err)
{
    size_t length = strcspn(flag, "=");
    const char *text = flag[length] == '=' ? flag + length + 1 : NULL;
    const struct of_option *option = of_option_find(options->table, flag, length);
    if (option == NULL && strncmp(flag, "no-", 3) == 0) {
        option = of_option_find(options->table, flag + 3, length - 3);
        if (option == NULL || option->type != OF_OPTION_BOOL)
            return unknown_flag(options, flag, length, err);
        if (text != NULL)
            return of_error_set(err, OF_FATAL, "--no-%s takes no value", option->name);
        text = "false";
    }
    if (option == NULL)
        return unknown_flag(options, flag, length, err);
    if (!of_option_belongs(option->commands, options->command))
        return foreign_flag(options, option, err);
    if (option->is_secret)
        return secret_flag(options, option, err);
    if (text == NULL && option->type == OF_OPTION_BOOL)
        text = "true";
    if (text == NULL && (next == NULL || strncmp(next, "--", 2) == 0))
        return of_error_set(err, OF_FATAL, "--%s needs a value: --%s %s", option->name, option->name,
                            option->placeholder);
    *taken = text == NULL;
    enum of_status status = take_value(options, option, text != NULL ? text : next, OF_ORIGIN_FLAG, err);
    return status == OF_OK ? OF_OK : of_error_prefix(err, "--%s", option->name);
}

/* -X name=value and -Xname=value. */
static enum of_status
read_property_flag(struct of_options *options, const char *attached, const char *next, bool *taken,
                   struct of_error *err)
{
    if (!of_option_belongs(options->table->property_commands, options->command))
        return of_error_set(err, OF_FATAL, "unknown option '-X'");
    *taken = *attached == '\0';
    const char *text = *taken ? next : attached;
    const char *equals = text != NULL ? strchr(text, '=') : NULL;
    char name[NAME_BYTES];
    if (equals == NULL || equals == text || equals - text >= NAME_BYTES)
        return of_error_set(err, OF_FATAL, "-X needs a property: -X NAME=VALUE");
    snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    enum of_status status = take_property(options, name, equals + 1, 0, err);
    return status == OF_OK ? OF_OK : of_error_prefix(err, "-X");
}

enum of_status
of_options_read_flags(struct of_options *options, const char *const *arguments, struct of_error *err)
{
    bool only_operands = false;
    enum of_status status = OF_OK;
    for (size_t i = 0; status == OF_OK && !options->help && arguments[i] != NULL; i++) {
        const char *argument = arguments[i];
        bool taken = false;
        if (only_operands || argument[0] != '-' || argument[1] == '\0') {
            options->operands = of_realloc_array(options->operands, options->operand_count + 1,
                                                 sizeof *options->operands);
            options->operands[options->operand_count++] = argument;
        } else if (strcmp(argument, "--") == 0)
            only_operands = true;
        else if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0)
            options->help = true;
        else if (strncmp(argument, "--", 2) == 0)
            status = read_long_flag(options, argument + 2, arguments[i + 1], &taken, err);
        else if (strncmp(argument, "-X", 2) == 0)
            status = read_property_flag(options, argument + 2, arguments[i + 1], &taken, err);
        else
            status = of_error_set(err, OF_FATAL, "unknown option '%s'", argument);
        status = of_options_complain(options, status, err);
        i += taken;
    }
    return status;
}

/* ---- environment ---- */

const char *
of_option_variable(const struct of_option_table *table, const struct of_option *option, char out[OF_OPTION_NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "%s%s", table->environment_prefix, option->name);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return out;
}

static void
add_warning(struct of_options *options, const char *text)
{
    options->warnings = of_realloc_array(options->warnings, options->warning_count + 1, sizeof *options->warnings);
    options->warnings[options->warning_count++] = of_strdup(text);
}

static void
warn_unknown_variable(struct of_options *options, const char *name)
{
    const struct of_option_table *table = options->table;
    char (*known)[NAME_BYTES] = of_alloc_array(table->count, sizeof *known);
    struct of_nearest nearest = of_nearest_to(name);
    for (size_t i = 0; i < table->count; i++) {
        of_option_variable(table, &table->options[i], known[i]);
        of_nearest_try(&nearest, known[i]);
    }
    char text[4 * NAME_BYTES];
    snprintf(text, sizeof text, "unknown environment variable %s is ignored%s%s%s", name,
             nearest.name != NULL ? "; did you mean " : "", nearest.name != NULL ? nearest.name : "",
             nearest.name != NULL ? "?" : "");
    add_warning(options, text);
    free(known);
}

/* An empty variable counts as not given: that is how container files unset one. */
static enum of_status
read_variable(struct of_options *options, const char *variable, struct of_error *err)
{
    const char *equals = strchr(variable, '=');
    if (equals == NULL || equals[1] == '\0')
        return OF_OK;
    char name[NAME_BYTES], known[NAME_BYTES];
    size_t length = (size_t)(equals - variable);
    snprintf(name, sizeof name, "%.*s", (int)(length < NAME_BYTES ? length : NAME_BYTES - 1), variable);
    for (size_t i = 0; i < options->table->count; i++) {
        of_option_variable(options->table, &options->table->options[i], known);
        if (strcmp(name, known) != 0)
            continue;
        enum of_status status = take_value(options, &options->table->options[i], equals + 1,
                                           OF_ORIGIN_ENVIRONMENT, err);
        return status == OF_OK ? OF_OK : of_error_prefix(err, "%s", name);
    }
    warn_unknown_variable(options, name);
    return OF_OK;
}

enum of_status
of_options_read_environment(struct of_options *options, const char *const *environment, struct of_error *err)
{
    const char *prefix = options->table->environment_prefix;
    enum of_status status = OF_OK;
    for (size_t i = 0; status == OF_OK && environment[i] != NULL; i++)
        if (strncmp(environment[i], prefix, strlen(prefix)) == 0)
            status = of_options_complain(options, read_variable(options, environment[i], err), err);
    return status;
}

/* ---- file ---- */

static enum of_status
unknown_key(const struct of_options *options, const char *key, struct of_error *err)
{
    struct of_nearest nearest = of_nearest_to(key);
    for (size_t i = 0; i < options->table->count; i++)
        of_nearest_try(&nearest, options->table->options[i].name);
    if (nearest.name != NULL)
        return of_error_set(err, OF_FATAL, "unknown key '%s'; did you mean '%s'?", key, nearest.name);
    return of_error_set(err, OF_FATAL, "unknown key '%s'", key);
}

static enum of_status
take_key(struct of_options *options, const char *key, const char *text, int line, struct of_error *err)
{
    const char *prefix = options->table->property_prefix;
    if (strncmp(key, prefix, strlen(prefix)) == 0)
        return take_property(options, key + strlen(prefix), text, line, err);
    const struct of_option *option = of_option_find(options->table, key, strlen(key));
    if (option == NULL)
        return unknown_key(options, key, err);
    if (option->is_file)
        return of_error_set(err, OF_FATAL, "'%s' cannot stand in the file itself", key);
    struct of_option_value *value = value_of(options, option);
    if (value->file_line != 0)
        return of_error_set(err, OF_FATAL, "'%s' stands in line %d already", key, value->file_line);
    value->file_line = line;
    enum of_status status = take_value(options, option, text, OF_ORIGIN_FILE, err);
    return status == OF_OK ? OF_OK : of_error_prefix(err, "%s", key);
}

struct file_reading {
    struct of_options *options;
    const char *path;
};

static enum of_status
visit_line(void *context, const char *key, const char *text, int line, struct of_error *err)
{
    const struct file_reading *reading = context;
    enum of_status status = text == NULL
        ? of_error_set(err, OF_FATAL, "'%s' is not of the form key = value", key)
        : take_key(reading->options, key, text, line, err);
    if (status != OF_OK)
        status = of_error_prefix(err, "%s:%d", reading->path, line);
    return of_options_complain(reading->options, status, err);
}

/* The file's properties were read after the flags' and move before them. */
static void
file_properties_first(struct of_options *options, size_t flags)
{
    size_t files = options->property_count - flags;
    if (flags == 0 || files == 0)
        return;
    struct of_property *sorted = of_alloc_array(options->property_count, sizeof *sorted);
    memcpy(sorted, options->properties + flags, files * sizeof *sorted);
    memcpy(sorted + files, options->properties, flags * sizeof *sorted);
    free(options->properties);
    options->properties = sorted;
}

enum of_status
of_options_read_file(struct of_options *options, struct of_error *err)
{
    size_t flags = options->property_count;
    for (size_t i = 0; i < options->table->count; i++) {
        if (!options->table->options[i].is_file || options->values[i].text == NULL)
            continue;
        struct file_reading reading = { options, options->values[i].text };
        enum of_status status = of_config_read(reading.path, visit_line, &reading, err);
        status = of_options_complain(options, status, err);
        if (status != OF_OK)
            return status;
    }
    file_properties_first(options, flags);
    return OF_OK;
}
