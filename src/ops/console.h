/* What a run prints on standard output, by a thread of its own.
 *
 *   orders   the lines of every order: received, processed or failed, retries, dead letters, the running average
 *   summary  one line per second; on a terminal a view that is drawn again in place
 *   auto     orders while they are few (up to 50 in a second), one line per second while they are many
 *   json     every event as one line of JSON (docs/json-events.md)
 *   none     nothing
 *
 * Makers send events through one queue per lane (order/event_queue.h). Before it makes events of records a maker asks
 * of_console_wants_records; when its queue is full it drops and counts (of_event_queue_drop), or, when of_console_waits
 * says so, waits for the console. Events of partitions are always wanted, except that a full queue may drop them, too.
 *
 * The running count, sum and average beside an order are the console's own exact tally of the PROCESSED events it saw.
 * After a time without events of records it takes up the live totals again; while orders are on their way through the
 * pipeline at that moment the lines may be ahead of them, until the next quiet second. The final statistics are exact.
 *
 * When the reader of standard output goes away the console goes on receiving, and prints no more.
 *
 *   of_console_wants_records, _waits, _queue, _broken   any thread, never blocks
 *   of_console_create, _start, _stop, _destroy          the thread that runs the command
 *   of_console_turn, _finish                            the console's thread, or a test in place of it
 *   `live` of the configuration                         called on the console's thread */
#ifndef OF_OPS_CONSOLE_H
#define OF_OPS_CONSOLE_H

#include <stdatomic.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/option.h"
#include "ops/terminal.h"
#include "ops/totals.h"
#include "order/event_queue.h"

enum of_console_mode { OF_CONSOLE_AUTO, OF_CONSOLE_ORDERS, OF_CONSOLE_SUMMARY, OF_CONSOLE_JSON, OF_CONSOLE_NONE };

/* "auto", "orders", "summary", "json", "none", and NULL after the last. */
extern const char *const of_console_mode_names[];

/* What the banner and the event `started` say. Strings are borrowed for the life of the console. */
struct of_console_banner {
    const char *brokers, *registry, *group;
    const char *topic, *retry_topic, *dlq_topic;
    const char *guarantee;
    const char *instance; /* fixed name in the group; NULL: none */
    const char *about; /* further lines for people, each ended by a newline; NULL: none */
    int64_t max_retries;
    const _Atomic int64_t *retry_delay_ms; /* may change meanwhile */
    const struct of_options *options; /* all settings, for `started`; may be NULL */
};

struct of_console_config {
    enum of_console_mode mode;
    FILE *out; /* stays the caller's; written by the console's thread only */
    struct of_terminal terminal; /* that `out` is; all zero: none */
    const struct of_clock *clock;
    uint32_t lanes;
    struct of_console_banner banner;
    /* Fills live, whose sum is initialised and zero. */
    void (*live)(void *context, struct of_live_totals *live);
    /* Fills what a live view shows besides; detail->committed is initialised and empty. NULL: nothing. */
    void (*detail)(void *context, struct of_live_detail *detail);
    /* How much of the recorded state is read, in records: 0 of 0 when nothing is being restored. NULL: nobody knows. */
    void (*restoring)(void *context, uint64_t *done, uint64_t *all);
    void *context;
};

static inline int64_t
of_console_retry_delay_ms(const struct of_console_banner *banner)
{
    return atomic_load_explicit(banner->retry_delay_ms, memory_order_relaxed);
}

/* The end of a run. */
struct of_console_result {
    const struct of_totals *run;   /* what this process committed since its start */
    const struct of_totals *total; /* the same and what was restored */
    double seconds;                /* first assignment to last order settled; 0: nothing was settled */
};

struct of_console;

struct of_console *of_console_create(const struct of_console_config *config);
void of_console_destroy(struct of_console **console);

/* Prints the banner and starts the thread. OF_FATAL when there can be no thread. */
OF_MUST_USE enum of_status of_console_start(struct of_console *console, struct of_error *err);

/* Prints all events that were sent before and then the final statistics, flushes, and ends the thread. result: NULL when
 * the run ended without any. False: standard output has taken nothing for three seconds. Then the thread still hangs in
 * it, with result: destroy must not be called, and the process can only _exit, as stdio's own end would wait as well. */
OF_MUST_USE bool of_console_stop(struct of_console *console, const struct of_console_result *result);

bool of_console_wants_records(const struct of_console *console);
bool of_console_waits(const struct of_console *console);
struct of_event_queue *of_console_queue(struct of_console *console, uint32_t lane);

/* Whether writing has failed: the reader is gone or the disk is full. */
bool of_console_broken(const struct of_console *console);

/* One turn of the thread: what is in the queues, 1024 events at most, and the line of the second if one has passed.
 * Returns how many events it took. */
unsigned of_console_turn(struct of_console *console);

/* Totals alone, as the final statistics show them: lines for people (all_by: what lists the products that are too many
 * to be shown), or one line of JSON, the object `total` of the event `final`. Need no console. */
void of_console_print_totals(FILE *out, const char *title, const struct of_totals *totals, const char *all_by);
void of_console_print_totals_json(FILE *out, const struct of_totals *totals);

/* The last turn: everything that is in the queues, then the final statistics. */
void of_console_finish(struct of_console *console, const struct of_console_result *result);

#endif
