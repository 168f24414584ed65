#include "ops/console.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/log.h"
#include "core/memory.h"
#include "ops/console_live.h"
#include "ops/progress_bar.h"

enum {
    QUEUE_EVENTS = 1024,      /* per lane; a dropped line is no loss */
    QUEUE_EVENTS_JSON = 8192, /* per lane; a full queue stops the lane until the console has caught up */
    TURN_EVENTS = 1024,
    MANY_PER_SECOND = 50, /* auto: above, a line per second */
    FEW_PER_SECOND = 25,  /* auto: below, for FEW_SECONDS, order by order again */
    FEW_SECONDS = 3,
    BAR_MS = 200,         /* between two looks at what is being restored */
    IDLE_MS = 10, /* how long an event may lie in an empty queue before the thread looks again */
    PATIENCE_S = 3, /* with standard output, when the run is over and no event gets out any more */
};

const char *const of_console_mode_names[] = { "auto", "orders", "summary", "json", "none", NULL };

struct of_console {
    struct of_console_config config;
    const struct of_console_view *view;
    struct of_live_view live_view;
    struct of_event_queue **queues;
    _Atomic bool wants_records, broken;
    _Atomic uint64_t taken; /* events; written by the console thread */

    /* the console thread's own */
    struct of_tally tally;
    struct of_live_totals before; /* at the last second; its sum is unused */
    int64_t started_ns, second_ns, next_second_ns;
    struct of_progress_bar bar; /* while state is being restored */
    int64_t next_bar_ns, restoring_since_ns; /* 0: nothing is being restored */
    uint64_t records_this_second, dropped_before;
    unsigned few_seconds;

    pthread_t thread;
    pthread_mutex_t lock; /* of what follows, but running */
    pthread_cond_t wake;
    bool running, stopping, ended;
    const struct of_console_result *result; /* to be shown at the end */
};

static bool
shows_records_at_first(enum of_console_mode mode)
{
    return mode == OF_CONSOLE_AUTO || mode == OF_CONSOLE_ORDERS || mode == OF_CONSOLE_JSON;
}

static void
init_wake(struct of_console *console)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&console->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&console->lock, NULL);
}

struct of_console *
of_console_create(const struct of_console_config *config)
{
    struct of_console *console = of_alloc(sizeof *console);
    console->config = *config;
    bool json = config->mode == OF_CONSOLE_JSON;
    console->view = json                         ? &of_console_json_view
                    : config->terminal.laid_out ? &of_console_table_view
                                                : &of_console_text_view;
    console->queues = of_alloc_array(config->lanes, sizeof *console->queues);
    for (uint32_t k = 0; k < config->lanes; k++)
        console->queues[k] = of_event_queue_create(json ? QUEUE_EVENTS_JSON : QUEUE_EVENTS);
    atomic_init(&console->wants_records, shows_records_at_first(config->mode));
    console->started_ns = console->second_ns = of_clock_mono_ns(config->clock);
    console->next_second_ns = console->second_ns + OF_SECOND_NS;
    init_wake(console);
    return console;
}

void
of_console_destroy(struct of_console **console)
{
    struct of_console *c = *console;
    if (c == NULL)
        return;
    OF_ASSERT(!c->running);
    for (uint32_t k = 0; k < c->config.lanes; k++)
        of_event_queue_destroy(&c->queues[k]);
    of_exact_sum_fini(&c->tally.sum);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c->queues);
    free(c);
    *console = NULL;
}

bool
of_console_wants_records(const struct of_console *console)
{
    return atomic_load_explicit(&console->wants_records, memory_order_relaxed);
}

bool
of_console_broken(const struct of_console *console)
{
    return atomic_load_explicit(&console->broken, memory_order_relaxed);
}

bool
of_console_waits(const struct of_console *console)
{
    return console->config.mode == OF_CONSOLE_JSON && !of_console_broken(console);
}

struct of_event_queue *
of_console_queue(struct of_console *console, uint32_t lane)
{
    OF_ASSERT(lane < console->config.lanes);
    return console->queues[lane];
}

static bool
silent(const struct of_console *console)
{
    return console->config.mode == OF_CONSOLE_NONE || of_console_broken(console);
}

static void
set_wants_records(struct of_console *console, bool wants)
{
    atomic_store_explicit(&console->wants_records, wants, memory_order_relaxed);
}

/* From here on everything is received and nothing printed. */
static void
flush(struct of_console *console)
{
    if (silent(console) || (fflush(console->config.out) == 0 && !ferror(console->config.out)))
        return;
    of_log_warning("console", "standard output cannot be written any more, going on without it: %s", strerror(errno));
    atomic_store_explicit(&console->broken, true, memory_order_relaxed);
    set_wants_records(console, false);
}

/* What is drawn again in place goes before anything else is printed. */
static void
erase(struct of_console *console)
{
    of_live_view_erase(&console->live_view, console->config.out);
    of_progress_bar_erase(&console->bar, console->config.out);
}

/* ---- events ---- */

static void
show(struct of_console *console, const struct of_event *event)
{
    if (silent(console))
        return;
    erase(console);
    console->view->event(console->config.out, &console->config, event, &console->tally);
}

static void
turn_to_seconds(struct of_console *console)
{
    set_wants_records(console, false);
    console->few_seconds = 0;
    fprintf(console->config.out, "More than %d orders in a second: %s from here on.\n", MANY_PER_SECOND,
            console->config.terminal.redraws ? "a summary" : "one line per second");
}

/* Records that come although none are wanted were made before their maker saw that. */
static void
take_record(struct of_console *console, const struct of_event *event)
{
    console->records_this_second++;
    if (!of_console_wants_records(console))
        return;
    if (console->config.mode == OF_CONSOLE_AUTO && console->records_this_second > MANY_PER_SECOND) {
        turn_to_seconds(console);
        return;
    }
    if (event->kind == OF_EVENT_PROCESSED) {
        console->tally.orders_processed++;
        if (event->value_kind == OF_VALUE_SCALED)
            of_exact_sum_add_scaled(&console->tally.sum, event->scaled, event->value_scale);
        else
            of_exact_sum_add(&console->tally.sum, event->value);
    }
    show(console, event);
}

/* 1024 events at most, a share of every lane's. */
static unsigned
take_events(struct of_console *console)
{
    unsigned taken = 0;
    for (uint32_t lane = 0; lane < console->config.lanes; lane++) {
        struct of_event *event;
        unsigned share = TURN_EVENTS / console->config.lanes + 1;
        while (share-- > 0 && (event = of_event_queue_receive(console->queues[lane])) != NULL) {
            if (event->kind <= OF_EVENT_DEAD_LETTER)
                take_record(console, event);
            else
                show(console, event);
            of_event_queue_give_back(console->queues[lane], event);
            taken++;
        }
    }
    atomic_fetch_add_explicit(&console->taken, taken, memory_order_relaxed);
    return taken;
}

/* ---- seconds ---- */

static void
take_up_live_totals(struct of_console *console, const struct of_live_totals *live)
{
    console->tally.orders_processed = live->orders_processed;
    of_exact_sum_copy(&console->tally.sum, &live->sum);
}

/* What settled since the last second; an abort may have taken orders back. */
static uint64_t
gained(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static void
turn_to_orders_when_few(struct of_console *console, const struct of_live_totals *live, double records_per_second)
{
    console->few_seconds = records_per_second < FEW_PER_SECOND ? console->few_seconds + 1 : 0;
    if (console->few_seconds < FEW_SECONDS)
        return;
    take_up_live_totals(console, live);
    set_wants_records(console, true);
    of_live_view_erase(&console->live_view, console->config.out);
    fprintf(console->config.out, "Fewer than %d orders a second: order by order again.\n", FEW_PER_SECOND);
}

static void
tell_dropped(struct of_console *console)
{
    uint64_t dropped = 0;
    for (uint32_t lane = 0; lane < console->config.lanes; lane++)
        dropped += of_event_queue_dropped(console->queues[lane]);
    bool wanted = of_console_wants_records(console) && console->config.mode != OF_CONSOLE_JSON;
    if (dropped > console->dropped_before && wanted)
        fprintf(console->config.out, "%" PRIu64 " events came too fast to be shown.\n",
                dropped - console->dropped_before);
    console->dropped_before = dropped;
}

static void
draw_live(struct of_console *console, const struct of_progress *progress)
{
    struct of_live_detail *detail = of_alloc(sizeof *detail);
    of_totals_init(&detail->committed);
    detail->behind = -1;
    if (console->config.detail != NULL)
        console->config.detail(console->config.context, detail);
    of_live_view_draw(&console->live_view, console->config.out, &console->config.terminal, progress, detail);
    of_totals_fini(&detail->committed);
    free(detail);
}

static void
show_progress(struct of_console *console, const struct of_progress *progress)
{
    if (console->bar.drawn)
        return;
    if (console->config.terminal.redraws && console->config.mode != OF_CONSOLE_JSON)
        draw_live(console, progress);
    else
        console->view->second(console->config.out, progress);
}

/* auto: a line per second only while orders are not shown one by one. */
static void
show_second(struct of_console *console, const struct of_live_totals *live, int64_t now_ns)
{
    double elapsed_s = (double)(now_ns - console->second_ns) / (double)OF_SECOND_NS;
    uint64_t orders = gained(live->orders_processed, console->before.orders_processed);
    uint64_t records = orders + gained(live->retry_attempts, console->before.retry_attempts) +
                       gained(live->dead_letters, console->before.dead_letters);
    struct of_progress progress = {
        .seconds = (double)(now_ns - console->started_ns) / (double)OF_SECOND_NS,
        .orders_per_second = (double)orders / elapsed_s,
        .wall_ms = of_clock_wall_ms(console->config.clock),
        .live = live,
    };
    enum of_console_mode mode = console->config.mode;
    bool one_by_one = of_console_wants_records(console);
    if (mode != OF_CONSOLE_ORDERS && !(mode == OF_CONSOLE_AUTO && one_by_one))
        show_progress(console, &progress);
    tell_dropped(console);
    if (mode == OF_CONSOLE_AUTO && !one_by_one)
        turn_to_orders_when_few(console, live, (double)records / elapsed_s);
    else if (one_by_one && console->records_this_second == 0)
        take_up_live_totals(console, live);
}

static void
pass_second(struct of_console *console, int64_t now_ns)
{
    struct of_live_totals live = { 0 };
    console->config.live(console->config.context, &live);
    show_second(console, &live, now_ns);
    of_exact_sum_fini(&live.sum);
    console->before = live;
    console->records_this_second = 0;
    console->second_ns = now_ns;
    while (console->next_second_ns <= now_ns)
        console->next_second_ns += OF_SECOND_NS;
}

/* ---- restoring ---- */

static void
show_restoring(struct of_console *console, int64_t now_ns)
{
    struct of_progress_state state = { .doing = "restoring", .unit = "records" };
    console->config.restoring(console->config.context, &state.done, &state.all);
    if (state.done >= state.all) {
        of_progress_bar_erase(&console->bar, console->config.out);
        console->restoring_since_ns = 0;
        return;
    }
    if (console->restoring_since_ns == 0) { /* what is over before the next look is not worth a line */
        console->restoring_since_ns = now_ns;
        console->bar = (struct of_progress_bar) { 0 };
        return;
    }
    state.seconds = (double)(now_ns - console->restoring_since_ns) / (double)OF_SECOND_NS;
    of_live_view_erase(&console->live_view, console->config.out);
    of_progress_bar_draw(&console->bar, console->config.out, &console->config.terminal, &state);
}

static void
look_at_restoring(struct of_console *console, int64_t now_ns)
{
    const struct of_console_config *config = &console->config;
    if (config->restoring == NULL || !config->terminal.redraws || config->mode == OF_CONSOLE_JSON
        || now_ns < console->next_bar_ns)
        return;
    show_restoring(console, now_ns);
    console->next_bar_ns = now_ns + BAR_MS * OF_MS_NS;
}

unsigned
of_console_turn(struct of_console *console)
{
    unsigned taken = take_events(console);
    int64_t now_ns = of_clock_mono_ns(console->config.clock);
    if (!silent(console))
        look_at_restoring(console, now_ns);
    if (now_ns >= console->next_second_ns && !silent(console))
        pass_second(console, now_ns);
    flush(console);
    return taken;
}

void
of_console_finish(struct of_console *console, const struct of_console_result *result)
{
    while (take_events(console) > 0)
        flush(console);
    if (!silent(console))
        erase(console);
    if (result != NULL && !silent(console)) {
        tell_dropped(console);
        console->view->final(console->config.out, result, of_clock_wall_ms(console->config.clock));
    }
    flush(console);
}

/* ---- the thread ---- */

/* With the lock held. */
static void
wait_ms(struct of_console *console, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms * OF_MS_NS;
    until.tv_sec += ns / OF_SECOND_NS;
    until.tv_nsec = ns % OF_SECOND_NS;
    pthread_cond_timedwait(&console->wake, &console->lock, &until);
}

/* Whether to go on. */
static bool
wait_for_work(struct of_console *console, bool idle)
{
    pthread_mutex_lock(&console->lock);
    if (!console->stopping && idle)
        wait_ms(console, IDLE_MS);
    bool stopping = console->stopping;
    pthread_mutex_unlock(&console->lock);
    return !stopping;
}

static void *
run_thread(void *argument)
{
    struct of_console *console = argument;
    while (wait_for_work(console, of_console_turn(console) == 0))
        ;
    of_console_finish(console, console->result);
    pthread_mutex_lock(&console->lock);
    console->ended = true;
    pthread_cond_broadcast(&console->wake);
    pthread_mutex_unlock(&console->lock);
    return NULL;
}

enum of_status
of_console_start(struct of_console *console, struct of_error *err)
{
    console->started_ns = console->second_ns = of_clock_mono_ns(console->config.clock);
    console->next_second_ns = console->second_ns + OF_SECOND_NS;
    if (!silent(console))
        console->view->started(console->config.out, &console->config,
                               of_clock_wall_ms(console->config.clock));
    flush(console);
    int failed = pthread_create(&console->thread, NULL, run_thread, console);
    if (failed != 0)
        return of_error_set(err, OF_FATAL, "console: no thread: %s", strerror(failed));
    console->running = true;
    return OF_OK;
}

/* A reader may be as slow as it likes, but not stand still. With the lock held. */
static bool
wait_for_end(struct of_console *console)
{
    uint64_t before = atomic_load_explicit(&console->taken, memory_order_relaxed);
    for (int still_s = 0; !console->ended && still_s < PATIENCE_S; still_s++) {
        wait_ms(console, 1000);
        uint64_t taken = atomic_load_explicit(&console->taken, memory_order_relaxed);
        still_s = taken == before ? still_s : -1;
        before = taken;
    }
    return console->ended;
}

bool
of_console_stop(struct of_console *console, const struct of_console_result *result)
{
    if (!console->running) {
        of_console_finish(console, result);
        return true;
    }
    pthread_mutex_lock(&console->lock);
    if (!console->stopping)
        console->result = result;
    console->stopping = true;
    pthread_cond_broadcast(&console->wake);
    bool ended = wait_for_end(console);
    pthread_mutex_unlock(&console->lock);
    if (!ended)
        return false;
    pthread_join(console->thread, NULL);
    console->running = false;
    return true;
}

double
of_console_rate(const struct of_console_result *result)
{
    return result->seconds > 0 ? (double)result->run->orders_processed / result->seconds : 0;
}
