#include <stdio.h>
#include <string.h>

#include "core/assert.h"
#include "core/log.h"
#include "core/nearest.h"

const char *const of_log_level_names[] = { "error", "warning", "info", "debug", NULL };

const char *const of_log_modules[] = {
    "aggregates", "console", "demo", "doctor", "fetch", "http", "kafka", "options", "process", "produce", "publish",
    "registry", "reset", "run", "schema", "stats", NULL,
};
enum { MODULES = sizeof of_log_modules / sizeof *of_log_modules - 1, WORD_BYTES = 32 };

/* One for each module, and at MODULES that of all others; -1: as that. */
static _Atomic int levels[MODULES + 1];
static _Atomic bool set; /* until then the table holds nothing */

static int
index_of(const char *const *names, const char *word, size_t length)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strncmp(names[i], word, length) == 0 && names[i][length] == '\0')
            return i;
    return -1;
}

bool
of_log_enabled(enum of_log_level level, const char *module)
{
    if (!atomic_load_explicit(&set, memory_order_acquire))
        return level <= OF_LOG_INFO;
    int at = index_of(of_log_modules, module, strlen(module));
    int highest = at < 0 ? -1 : atomic_load_explicit(&levels[at], memory_order_relaxed);
    if (highest < 0)
        highest = atomic_load_explicit(&levels[MODULES], memory_order_relaxed);
    return (int)level <= highest;
}

/* ---- reading ---- */

/* One part between commas. module: its index, MODULES for all. */
static const char *
read_part(const char *part, size_t length, int *module, int *level, char *why, size_t size)
{
    const char *equals = memchr(part, '=', length);
    const char *word = equals != NULL ? equals + 1 : part;
    size_t word_length = length - (size_t)(word - part);
    *module = equals == NULL ? MODULES : index_of(of_log_modules, part, (size_t)(equals - part));
    *level = index_of(of_log_level_names, word, word_length);
    const bool bad_module = *module < 0;
    if (!bad_module && *level >= 0)
        return NULL;
    char given[WORD_BYTES];
    size_t given_length = bad_module ? (size_t)(equals - part) : word_length;
    snprintf(given, sizeof given, "%.*s", (int)(given_length < sizeof given ? given_length : sizeof given - 1),
             bad_module ? part : word);
    struct of_nearest nearest = of_nearest_to(given);
    const char *const *names = bad_module ? of_log_modules : of_log_level_names;
    for (int i = 0; names[i] != NULL; i++)
        of_nearest_try(&nearest, names[i]);
    int written = snprintf(why, size, bad_module ? "names no module '%s'" : "names no level '%s'", given);
    if (nearest.name != NULL)
        snprintf(why + written, size - (size_t)written, "; did you mean '%s'?", nearest.name);
    else
        snprintf(why + written, size - (size_t)written, " (allowed: error, warning, info or debug, and of one module "
                 "MODULE=LEVEL, with commas between)");
    return why;
}

static const char *
read_levels(const char *text, int found[MODULES + 1], char *why, size_t size)
{
    for (int i = 0; i < MODULES; i++)
        found[i] = -1;
    found[MODULES] = OF_LOG_INFO;
    for (const char *part = text;; part++) {
        size_t length = strcspn(part, ",");
        int module, level;
        if (read_part(part, length, &module, &level, why, size) != NULL)
            return why;
        found[module] = level;
        part += length;
        if (*part == '\0')
            return NULL;
    }
}

const char *
of_log_levels_complaint(const char *text)
{
    static _Thread_local char why[256];
    int found[MODULES + 1];
    return read_levels(text, found, why, sizeof why);
}

void
of_log_set_levels(const char *text)
{
    char why[256];
    int found[MODULES + 1];
    const char *complaint = read_levels(text, found, why, sizeof why);
    OF_ASSERT(complaint == NULL);
    for (int i = 0; i <= MODULES; i++)
        atomic_store_explicit(&levels[i], found[i], memory_order_relaxed);
    atomic_store_explicit(&set, true, memory_order_release);
}

const char *
of_log_print_levels(char *out, size_t size)
{
    bool known = atomic_load_explicit(&set, memory_order_acquire);
    int all = known ? atomic_load_explicit(&levels[MODULES], memory_order_relaxed) : OF_LOG_INFO;
    int length = snprintf(out, size, "%s", of_log_level_names[all]);
    for (int i = 0; known && i < MODULES && (size_t)length < size; i++) {
        int level = atomic_load_explicit(&levels[i], memory_order_relaxed);
        if (level >= 0)
            length += snprintf(out + length, size - (size_t)length, ",%s=%s", of_log_modules[i],
                               of_log_level_names[level]);
    }
    return out;
}
