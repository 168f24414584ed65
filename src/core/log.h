/* The program's log: one line per message to standard error.
 *
 *     2026-01-31T09:30:00.123Z warning kafka: broker localhost:9092 is down
 *
 * Time in UTC; then level, component (a folder or a stage, static text), text. The text may contain bytes from outside:
 * control characters and invalid UTF-8 are escaped (core/escape.h). Longer texts are cut with "...".
 * Threads: any. A line is one write(2), so lines never mix. Cost: a few microseconds and a system call; not for every
 * record: where a message can repeat with the data, use of_log_limited. */
#ifndef OF_CORE_LOG_H
#define OF_CORE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

enum of_log_level { OF_LOG_ERROR, OF_LOG_WARNING, OF_LOG_INFO, OF_LOG_DEBUG };

/* "error", "warning", "info", "debug", and NULL after the last: as the choices of an option want it. */
extern const char *const of_log_level_names[];

/* What is less important is not written. At start: OF_LOG_INFO. */
void of_log_set_level(enum of_log_level level);
bool of_log_enabled(enum of_log_level level);

/* Where to write, at start standard error. Stays the caller's. */
void of_log_set_descriptor(int descriptor);

void of_log(enum of_log_level level, const char *component, const char *format, ...) OF_PRINTF(3, 4);

/* How many lines were written so far: whoever draws on the same terminal wants to know. */
uint64_t of_log_lines(void);

#define of_log_error(component, ...) of_log(OF_LOG_ERROR, component, __VA_ARGS__)
#define of_log_warning(component, ...) of_log(OF_LOG_WARNING, component, __VA_ARGS__)
#define of_log_info(component, ...) of_log(OF_LOG_INFO, component, __VA_ARGS__)
#define of_log_debug(component, ...) of_log(OF_LOG_DEBUG, component, __VA_ARGS__)

/* Limit of one call site: 5 messages in 10 s. The first one after that says how many were left out. */
enum { OF_LOG_SITE_MESSAGES = 5, OF_LOG_SITE_WINDOW_S = 10 };

struct of_log_site {
    _Atomic int64_t window_start_ns;
    _Atomic uint32_t messages; /* in this window, those left out included */
};

/* Whether the site may speak at now_ns; *left_out: how many messages of the window before were not written. */
bool of_log_site_admits(struct of_log_site *site, int64_t now_ns, uint32_t *left_out);

void of_log_at_site(struct of_log_site *site, enum of_log_level level, const char *component, const char *format, ...)
    OF_PRINTF(4, 5);

#define of_log_limited(level, component, ...)                        \
    do {                                                             \
        static struct of_log_site of_log_site_;                      \
        of_log_at_site(&of_log_site_, level, component, __VA_ARGS__); \
    } while (0)

#endif
