#include "core/option_value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/nearest.h"

static void
describe_choices(const struct of_option *option, char *out, size_t size)
{
    size_t at = 0;
    for (int i = 0; option->choices[i] != NULL && at < size; i++) {
        const char *before = i == 0 ? "" : option->choices[i + 1] == NULL ? " or " : ", ";
        int length = snprintf(out + at, size - at, "%s%s", before, option->choices[i]);
        at += length < 0 ? 0 : (size_t)length;
    }
}

void
of_option_describe(const struct of_option *option, char *out, size_t size)
{
    OF_ASSERT(size > 0);
    out[0] = '\0';
    switch (option->type) {
    case OF_OPTION_STRING: break;
    case OF_OPTION_INT: snprintf(out, size, "%" PRId64 " to %" PRId64, option->min, option->max); break;
    case OF_OPTION_DOUBLE: snprintf(out, size, "%.15g to %.15g", option->low, option->high); break;
    case OF_OPTION_BOOL: snprintf(out, size, "true or false"); break;
    case OF_OPTION_CHOICE: describe_choices(option, out, size); break;
    }
}

static enum of_status
refuse(const struct of_option *option, const char *text, const char *what, struct of_error *err)
{
    char allowed[256];
    of_option_describe(option, allowed, sizeof allowed);
    return of_error_set(err, OF_FATAL, "'%s' %s (allowed: %s)", text, what, allowed);
}

static enum of_status
parse_int(const struct of_option *option, const char *text, int64_t *number, struct of_error *err)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || strchr(" \t\n\v\f\r+", *text) != NULL)
        return refuse(option, text, "is not a whole number", err);
    if (errno == ERANGE || value < option->min || value > option->max)
        return refuse(option, text, "is out of range", err);
    *number = value;
    return OF_OK;
}

static enum of_status
parse_double(const struct of_option *option, const char *text, double *real, struct of_error *err)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
        return refuse(option, text, "is not a number", err);
    if (!isfinite(value) || value < option->low || value > option->high)
        return refuse(option, text, "is out of range", err);
    *real = value;
    return OF_OK;
}

static enum of_status
parse_choice(const struct of_option *option, const char *text, int *choice, struct of_error *err)
{
    struct of_nearest nearest = of_nearest_to(text);
    for (*choice = 0; option->choices[*choice] != NULL; ++*choice) {
        if (strcmp(text, option->choices[*choice]) == 0)
            return OF_OK;
        of_nearest_try(&nearest, option->choices[*choice]);
    }
    if (nearest.name == NULL)
        return refuse(option, text, "is none of the choices", err);
    char what[128];
    snprintf(what, sizeof what, "is none of the choices; did you mean '%s'?", nearest.name);
    return refuse(option, text, what, err);
}

static enum of_status
parse_bool(const struct of_option *option, const char *text, bool *flag, struct of_error *err)
{
    *flag = strcmp(text, "true") == 0;
    return *flag || strcmp(text, "false") == 0 ? OF_OK : refuse(option, text, "is neither true nor false", err);
}

static enum of_status
parse_absent(const struct of_option *option, union of_option_parsed *parsed)
{
    switch (option->type) {
    case OF_OPTION_STRING: parsed->text = NULL; return OF_OK;
    case OF_OPTION_INT: parsed->number = OF_OPTION_NO_INT; return OF_OK;
    case OF_OPTION_DOUBLE: parsed->real = NAN; return OF_OK;
    case OF_OPTION_BOOL: parsed->flag = false; return OF_OK;
    case OF_OPTION_CHOICE: break;
    }
    OF_ASSERT(!"a choice without default");
    return OF_FATAL;
}

enum of_status
of_option_parse(const struct of_option *option, const char *text, union of_option_parsed *parsed,
                struct of_error *err)
{
    if (text == NULL)
        return parse_absent(option, parsed);
    if (*text == '\0')
        return of_error_set(err, OF_FATAL, "needs a value, not an empty one");
    const char *complaint = option->complaint != NULL ? option->complaint(text) : NULL;
    if (complaint != NULL) {
        char shown[512];
        return of_error_set(err, OF_FATAL, "'%s' %s", of_option_shown(option, text, shown, sizeof shown), complaint);
    }
    switch (option->type) {
    case OF_OPTION_STRING: parsed->text = text; return OF_OK;
    case OF_OPTION_INT: return parse_int(option, text, &parsed->number, err);
    case OF_OPTION_DOUBLE: return parse_double(option, text, &parsed->real, err);
    case OF_OPTION_BOOL: return parse_bool(option, text, &parsed->flag, err);
    case OF_OPTION_CHOICE: return parse_choice(option, text, &parsed->choice, err);
    }
    OF_ASSERT(!"no such type");
    return OF_FATAL;
}

void
of_option_store(const struct of_option *option, union of_option_parsed parsed, void *settings)
{
    char *field = (char *)settings + option->offset;
    switch (option->type) {
    case OF_OPTION_STRING: memcpy(field, &parsed.text, sizeof parsed.text); break;
    case OF_OPTION_INT: memcpy(field, &parsed.number, sizeof parsed.number); break;
    case OF_OPTION_DOUBLE: memcpy(field, &parsed.real, sizeof parsed.real); break;
    case OF_OPTION_BOOL: memcpy(field, &parsed.flag, sizeof parsed.flag); break;
    case OF_OPTION_CHOICE: memcpy(field, &parsed.choice, sizeof parsed.choice); break;
    }
}
