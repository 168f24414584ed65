#include "core/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/escape.h"

enum { TEXT_BYTES = 2048, HEAD_BYTES = 96, LINE_BYTES = HEAD_BYTES + OF_ESCAPE_GROWTH * TEXT_BYTES };

const char *const of_log_level_names[] = { "error", "warning", "info", "debug", NULL };

static _Atomic int highest = OF_LOG_INFO;
static _Atomic int output = STDERR_FILENO;
static _Atomic uint64_t lines;

void
of_log_set_level(enum of_log_level level)
{
    atomic_store_explicit(&highest, (int)level, memory_order_relaxed);
}

bool
of_log_enabled(enum of_log_level level)
{
    return (int)level <= atomic_load_explicit(&highest, memory_order_relaxed);
}

void
of_log_set_descriptor(int descriptor)
{
    atomic_store_explicit(&output, descriptor, memory_order_relaxed);
}

static size_t
put_head(char *line, enum of_log_level level, const char *component)
{
    int64_t wall_ms = of_clock_wall_ms(of_clock_system());
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    int length = snprintf(line, HEAD_BYTES, "%s.%03dZ %s %s: ", date, (int)(wall_ms % 1000),
                          of_log_level_names[level], component);
    return length < HEAD_BYTES ? (size_t)length : HEAD_BYTES - 1;
}

static size_t
put_text(char *line, size_t at, const char *text, int wanted)
{
    bool cut = wanted >= TEXT_BYTES;
    struct of_slice bytes = of_slice_of(text, wanted < 0 ? 0 : cut ? TEXT_BYTES - 1 : (size_t)wanted);
    at += of_escape(OF_ESCAPE_TERMINAL, bytes, line + at, LINE_BYTES - at);
    if (cut) {
        memcpy(line + at, "...", 3);
        at += 3;
    }
    return at;
}

uint64_t
of_log_lines(void)
{
    return atomic_load_explicit(&lines, memory_order_relaxed);
}

/* Nothing can be done, and nobody told, when the log itself fails. */
static void
write_line(const char *line, size_t length)
{
    atomic_fetch_add_explicit(&lines, 1, memory_order_relaxed);
    ssize_t written = write(atomic_load_explicit(&output, memory_order_relaxed), line, length);
    (void)written;
}

static void OF_PRINTF(3, 0)
log_text(enum of_log_level level, const char *component, const char *format, va_list args)
{
    char text[TEXT_BYTES], line[LINE_BYTES];
    int wanted = vsnprintf(text, sizeof text, format, args);
    size_t length = put_text(line, put_head(line, level, component), text, wanted);
    line[length++] = '\n';
    write_line(line, length);
}

void
of_log(enum of_log_level level, const char *component, const char *format, ...)
{
    if (!of_log_enabled(level))
        return;
    va_list args;
    va_start(args, format);
    log_text(level, component, format, args);
    va_end(args);
}

/* A message that races with the start of a window may be counted in either: the limit is no exact science. */
bool
of_log_site_admits(struct of_log_site *site, int64_t now_ns, uint32_t *left_out)
{
    *left_out = 0;
    int64_t start_ns = atomic_load_explicit(&site->window_start_ns, memory_order_relaxed);
    bool over = start_ns == 0 || now_ns - start_ns >= OF_LOG_SITE_WINDOW_S * OF_SECOND_NS;
    if (over && atomic_compare_exchange_strong(&site->window_start_ns, &start_ns, now_ns)) {
        uint32_t before = atomic_exchange(&site->messages, 1);
        *left_out = before > OF_LOG_SITE_MESSAGES ? before - OF_LOG_SITE_MESSAGES : 0;
        return true;
    }
    return atomic_fetch_add(&site->messages, 1) < OF_LOG_SITE_MESSAGES;
}

void
of_log_at_site(struct of_log_site *site, enum of_log_level level, const char *component, const char *format, ...)
{
    uint32_t left_out;
    if (!of_log_enabled(level) || !of_log_site_admits(site, of_clock_mono_ns(of_clock_system()), &left_out))
        return;
    va_list args;
    va_start(args, format);
    log_text(level, component, format, args);
    va_end(args);
    if (left_out > 0)
        of_log(level, component, "%u messages like the one before were left out", left_out);
}
