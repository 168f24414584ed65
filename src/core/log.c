#include "core/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/escape.h"
#include "core/memory.h"

enum {
    TEXT_BYTES = 2048,
    PLACE_TEXT_BYTES = 256, /* of a topic or a cause in a line */
    OTHER_BYTES = 2048,     /* everything in a line but the text, escaped */
    GROWTH = 6,             /* a byte becomes \u00XX at most, or \\xNN */
    LINE_BYTES = OTHER_BYTES + GROWTH * TEXT_BYTES,
};

const char *const of_log_format_names[] = { "text", "json", NULL };

static _Atomic int style = OF_LOG_TEXT;
static _Atomic int output = STDERR_FILENO;
static _Atomic uint64_t lines;

/* A line in the making: large enough for all that can be put into it. */
struct line {
    size_t length;
    char bytes[LINE_BYTES];
};

void
of_log_set_format(enum of_log_format format)
{
    atomic_store_explicit(&style, (int)format, memory_order_relaxed);
}

void
of_log_set_descriptor(int descriptor)
{
    atomic_store_explicit(&output, descriptor, memory_order_relaxed);
}

uint64_t
of_log_lines(void)
{
    return atomic_load_explicit(&lines, memory_order_relaxed);
}

/* ---- parts of a line ---- */

static void OF_PRINTF(2, 3)
put(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof line->bytes - line->length;
    int wanted = vsnprintf(line->bytes + line->length, room, format, args);
    va_end(args);
    line->length += wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static void
put_text(struct line *line, const char *text, size_t length)
{
    line->length += of_escape(OF_ESCAPE_TERMINAL, of_slice_of(text, length), line->bytes + line->length,
                              sizeof line->bytes - line->length);
}

/* As a JSON string: invalid UTF-8 as everywhere, control characters as JSON has them. */
static void
put_string(struct line *line, const char *text, size_t length)
{
    char valid[OF_ESCAPE_GROWTH * TEXT_BYTES + 1];
    size_t valid_length = of_escape(OF_ESCAPE_TEXT, of_slice_of(text, length), valid, sizeof valid);
    put(line, "\"");
    for (size_t i = 0; i < valid_length && line->length + GROWTH + 2 < sizeof line->bytes; i++) {
        unsigned char c = (unsigned char)valid[i];
        if (c == '"' || c == '\\')
            put(line, "\\%c", c);
        else if (c < 0x20)
            put(line, "\\u%04x", (unsigned)c);
        else
            line->bytes[line->length++] = (char)c;
    }
    put(line, "\"");
}

static void
put_time(struct line *line)
{
    int64_t wall_ms = of_clock_wall_ms(of_clock_system());
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    char date[32];
    gmtime_r(&seconds, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    put(line, "%s.%03dZ", date, (int)(wall_ms % 1000));
}

/* ---- the two formats ---- */

/* What a message is about, as pairs. */
static void
put_word(struct line *line, bool json, const char *name, const char *word)
{
    if (word == NULL)
        return;
    size_t length = strnlen(word, PLACE_TEXT_BYTES);
    put(line, json ? ",\"%s\":" : " %s=", name);
    if (json)
        put_string(line, word, length);
    else
        put_text(line, word, length);
}

static void
put_number(struct line *line, bool json, const char *name, int64_t number)
{
    if (number >= 0)
        put(line, json ? ",\"%s\":%" PRId64 : " %s=%" PRId64, name, number);
}

static void
put_place(struct line *line, bool json, const struct of_log_place *place)
{
    if (place == NULL)
        return;
    put_word(line, json, "stage", place->stage);
    put_word(line, json, "topic", place->topic);
    put_number(line, json, "partition", place->partition);
    put_number(line, json, "offset", place->offset);
    put_word(line, json, "cause", place->cause);
}

static void
make_text(struct line *line, enum of_log_level level, const char *module, const char *text, size_t length)
{
    put_time(line);
    put(line, " %s %s: ", of_log_level_names[level], module);
    put_text(line, text, length);
}

static void
make_json(struct line *line, enum of_log_level level, const char *module, const char *text, size_t length)
{
    put(line, "{\"time\":\"");
    put_time(line);
    put(line, "\",\"level\":\"%s\",\"module\":\"%s\",\"text\":", of_log_level_names[level], module);
    put_string(line, text, length);
}

/* Nothing can be done, and nobody told, when the log itself fails. */
static void
write_line(const struct line *line)
{
    atomic_fetch_add_explicit(&lines, 1, memory_order_relaxed);
    ssize_t written = write(atomic_load_explicit(&output, memory_order_relaxed), line->bytes, line->length);
    (void)written;
}

static void
log_line(enum of_log_level level, const char *module, const struct of_log_place *place, const char *text,
         size_t length)
{
    struct line line;
    line.length = 0;
    bool json = atomic_load_explicit(&style, memory_order_relaxed) == OF_LOG_JSON;
    if (json)
        make_json(&line, level, module, text, length);
    else
        make_text(&line, level, module, text, length);
    put_place(&line, json, place);
    put(&line, json ? "}\n" : "\n");
    write_line(&line);
}

/* Returns the length; a text that was cut says so. */
static size_t OF_PRINTF(2, 0)
print(char text[TEXT_BYTES], const char *format, va_list args)
{
    int wanted = vsnprintf(text, TEXT_BYTES, format, args);
    if (wanted < TEXT_BYTES)
        return wanted < 0 ? 0 : (size_t)wanted;
    memcpy(text + TEXT_BYTES - 4, "...", 4);
    return TEXT_BYTES - 1;
}

/* ---- messages ---- */

static void OF_PRINTF(4, 0)
log_text(enum of_log_level level, const char *module, const struct of_log_place *place, const char *format,
         va_list args)
{
    char text[TEXT_BYTES];
    size_t length = print(text, format, args);
    log_line(level, module, place, text, length);
}

void
of_log(enum of_log_level level, const char *module, const char *format, ...)
{
    if (!of_log_enabled(level, module))
        return;
    va_list args;
    va_start(args, format);
    log_text(level, module, NULL, format, args);
    va_end(args);
}

void
of_log_at(enum of_log_level level, const char *module, const struct of_log_place *place, const char *format, ...)
{
    if (!of_log_enabled(level, module))
        return;
    va_list args;
    va_start(args, format);
    log_text(level, module, place, format, args);
    va_end(args);
}

/* As it is but for what a terminal would act on. */
static void
write_block(const char *text, size_t length)
{
    size_t size = OF_ESCAPE_GROWTH * length + 1, at = 0;
    char *shown = of_alloc(size);
    for (const char *line = text, *end; line < text + length; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + length - line));
        if (end == NULL)
            end = text + length;
        at += of_escape(OF_ESCAPE_TERMINAL, of_slice_of(line, (size_t)(end - line)), shown + at, size - at);
        shown[at++] = '\n';
    }
    atomic_fetch_add_explicit(&lines, 1, memory_order_relaxed);
    ssize_t written = write(atomic_load_explicit(&output, memory_order_relaxed), shown, at);
    (void)written;
    free(shown);
}

void
of_log_block(enum of_log_level level, const char *module, const char *text)
{
    if (atomic_load_explicit(&style, memory_order_relaxed) == OF_LOG_TEXT) {
        write_block(text, strlen(text));
        return;
    }
    for (const char *line = text; *line != '\0'; line += strspn(line, "\n")) {
        size_t length = strcspn(line, "\n");
        if (length > 0)
            log_line(level, module, NULL, line, length < TEXT_BYTES ? length : TEXT_BYTES - 1);
        line += length;
    }
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
of_log_at_site(struct of_log_site *site, enum of_log_level level, const char *module, const struct of_log_place *place,
               const char *format, ...)
{
    uint32_t left_out;
    if (!of_log_enabled(level, module)
        || !of_log_site_admits(site, of_clock_mono_ns(of_clock_system()), &left_out))
        return;
    va_list args;
    va_start(args, format);
    log_text(level, module, place, format, args);
    va_end(args);
    if (left_out > 0)
        of_log(level, module, "%u messages like the one before were left out", left_out);
}

/* FNV-1a, never 0. */
static uint64_t
hash_of(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return hash != 0 ? hash : 1;
}

void
of_log_changed(struct of_log_last *last, enum of_log_level level, const char *module, const char *format, ...)
{
    char text[TEXT_BYTES];
    uint32_t left_out;
    va_list args;
    va_start(args, format);
    size_t length = print(text, format, args);
    va_end(args);
    uint64_t hash = hash_of(text, length);
    if (hash == last->hash || !of_log_enabled(level, module)
        || !of_log_site_admits(&last->site, of_clock_mono_ns(of_clock_system()), &left_out))
        return;
    last->hash = hash;
    log_line(level, module, NULL, text, length);
}
