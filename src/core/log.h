/* The program's log: one line per message to standard error, as text or as JSON.
 *
 *     2026-01-31T09:30:00.123Z warning fetch: held: no usable answer stage=decode topic=orders partition=3 offset=120 ...
 *     {"time":"2026-01-31T09:30:00.123Z","level":"warning","module":"fetch","text":"held: no usable answer",
 *      "stage":"decode","topic":"orders","partition":3,"offset":120,"cause":"..."}
 *
 * Time in UTC; then level, module (one of of_log_modules, static text), text, and where the message is about one place
 * of the pipeline, that place. Texts may contain bytes from outside: invalid UTF-8 is escaped (core/escape.h), control
 * characters too. Longer texts are cut with "...".
 *
 * How often: once per change, not per try (of_log_changed); where a message can repeat with the data, of_log_limited
 * bounds it per call site.
 * Threads: any, but of_log_changed: see there. A line is one write(2), so lines never mix. Cost: a few microseconds and a
 * system call; not for every record. */
#ifndef OF_CORE_LOG_H
#define OF_CORE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum of_log_level { OF_LOG_ERROR, OF_LOG_WARNING, OF_LOG_INFO, OF_LOG_DEBUG };
enum of_log_format { OF_LOG_TEXT, OF_LOG_JSON };

/* "error", "warning", "info", "debug", and NULL after the last; the same for formats, "text" and "json". */
extern const char *const of_log_level_names[];
extern const char *const of_log_format_names[];

/* Whoever may speak: commands, folders and stages. NULL after the last. */
extern const char *const of_log_modules[];

/* ---- what is written, and where; any thread ---- */

/* "info", "info,registry=debug", "kafka=warning": the level of all modules (info unless given) and of single ones. What
 * is less important is not written. The text must be without complaint. At start: info. */
void of_log_set_levels(const char *levels);

/* What is wrong with such a text, valid until the thread's next call; NULL: nothing. */
const char *of_log_levels_complaint(const char *levels);

/* The same as words again, "info,registry=debug". Returns out. */
const char *of_log_print_levels(char *out, size_t size);

bool of_log_enabled(enum of_log_level level, const char *module);

void of_log_set_format(enum of_log_format format);

/* Where to write, at start standard error. Stays the caller's. */
void of_log_set_descriptor(int descriptor);

/* How many lines were written so far: whoever draws on the same terminal wants to know. */
uint64_t of_log_lines(void);

/* ---- messages ---- */

/* What a message is about; NULL and negative numbers are left out. */
struct of_log_place {
    const char *stage; /* that could not go on */
    const char *topic;
    int64_t partition, offset;
    const char *cause;
};

void of_log(enum of_log_level level, const char *module, const char *format, ...) OF_PRINTF(3, 4);
void of_log_at(enum of_log_level level, const char *module, const struct of_log_place *place, const char *format, ...)
    OF_PRINTF(4, 5);

#define of_log_error(module, ...) of_log(OF_LOG_ERROR, module, __VA_ARGS__)
#define of_log_warning(module, ...) of_log(OF_LOG_WARNING, module, __VA_ARGS__)
#define of_log_info(module, ...) of_log(OF_LOG_INFO, module, __VA_ARGS__)
#define of_log_debug(module, ...) of_log(OF_LOG_DEBUG, module, __VA_ARGS__)

/* Text of many lines, which end with a newline each: as it is, in one piece, or in JSON a message for each line that is
 * not empty. For what somebody asked for: written whatever the level is. */
void of_log_block(enum of_log_level level, const char *module, const char *text);

/* ---- messages that repeat ---- */

/* Limit of one call site: 5 messages in 10 s. The first one after that says how many were left out. */
enum { OF_LOG_SITE_MESSAGES = 5, OF_LOG_SITE_WINDOW_S = 10 };

struct of_log_site {
    _Atomic int64_t window_start_ns;
    _Atomic uint32_t messages; /* in this window, those left out included */
};

/* Whether the site may speak at now_ns; *left_out: how many messages of the window before were not written. */
bool of_log_site_admits(struct of_log_site *site, int64_t now_ns, uint32_t *left_out);

/* place: NULL: none. */
void of_log_at_site(struct of_log_site *site, enum of_log_level level, const char *module,
                    const struct of_log_place *place, const char *format, ...) OF_PRINTF(5, 6);

#define of_log_limited(level, module, ...) of_log_limited_at(level, module, NULL, __VA_ARGS__)

#define of_log_limited_at(level, module, place, ...)                        \
    do {                                                                    \
        static struct of_log_site of_log_site_;                             \
        of_log_at_site(&of_log_site_, level, module, place, __VA_ARGS__);   \
    } while (0)

/* What was said last about something that is tried again and again. Zeroed: nothing. One thread at a time. */
struct of_log_last {
    struct of_log_site site;
    uint64_t hash;
};

/* Writes the message unless it is the last one again; and within the limit of a site. */
void of_log_changed(struct of_log_last *last, enum of_log_level level, const char *module, const char *format, ...)
    OF_PRINTF(4, 5);

#endif
