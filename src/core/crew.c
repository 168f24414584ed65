#include "core/crew.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    YIELDS = 4,      /* before sleeping */
    LIGHT_UP_TO = 4, /* a light load stays light below one part in so many, */
    LIGHT_FROM = 8,  /* and becomes light again below one in so many */
    TRIES = 50,      /* to take back a crew that another turns, before pausing */
    TRY_AGAIN_NS = 50000,
};
/* Empty turns go on for so long before yielding. A few dozen for most crews, two or three for one whose turn asks the kernel. */
static const int64_t SPIN_NS = 2000;
/* A sleeping crew looks around this often even if nobody rings: a bound on any wait. */
static const int64_t SLEEP_AT_MOST_NS = 100 * OF_MS_NS;
static const int64_t LOAD_WINDOW_NS = 10 * OF_MS_NS;
/* Standing in ends after the turn that is so far from its beginning: who stands in has work of its own. */
static const int64_t STAND_IN_NS = 200000;
/* Whoever stands in for a crew cannot end a turn of it. One that has had a turn so long, for whatever reason, is left to its own thread
 * for a while. */
static const int64_t LONG_TURN_NS = 4 * OF_MS_NS;
static const int64_t LONG_TURNS_FOR_NS = 1 * OF_SECOND_NS;

enum of_status
of_crew_init(struct of_crew *crew, const char *name, enum of_bell_kind bell, const struct of_clock *clock,
             struct of_error *err)
{
    memset(crew, 0, sizeof *crew);
    snprintf(crew->name, sizeof crew->name, "%s", name);
    crew->clock = clock;
    crew->sleep_at_most_ns = SLEEP_AT_MOST_NS;
    atomic_init(&crew->turned_by, crew);
    pthread_mutex_init(&crew->answer.mutex, NULL);
    return of_bell_init(&crew->bell, bell, err);
}

void
of_crew_fini(struct of_crew *crew)
{
    OF_ASSERT(!crew->running);
    of_bell_fini(&crew->bell);
    pthread_mutex_destroy(&crew->answer.mutex);
    free(crew->answer.text);
    free(crew->agents);
    free(crew->to_wake);
}

void
of_crew_add(struct of_crew *crew, struct of_port *agent)
{
    crew->agents = of_realloc_array(crew->agents, crew->agent_count + 1, sizeof(struct of_port *));
    crew->agents[crew->agent_count++] = agent;
    agent->crew = crew;
}

void
of_crew_set_thread_calls(struct of_crew *crew, void (*begins)(void), void (*ends)(void))
{
    crew->thread_begins = begins;
    crew->thread_ends = ends;
}

void
of_crew_lend(struct of_crew *crew)
{
    crew->lends = true;
}

/* ---- what it says of itself ---- */

static void
describe(struct of_crew *crew, uint32_t number)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return; /* no memory for an answer: asked again, it may be there */
    for (uint32_t i = 0; i < crew->agent_count; i++) {
        const struct of_port *agent = crew->agents[i];
        fprintf(out, "%s[%u]: busy for %.1f s in all", agent->ops->name, agent->instance,
                (double)of_counter_read(&agent->stats.busy_ns) / (double)OF_SECOND_NS);
        if (agent->input_count > 0)
            fprintf(out, "; %" PRIu64 " items taken, %" PRIu64 " times not able to take one",
                    of_counter_read(&agent->stats.items), of_counter_read(&agent->stats.refused));
        fputc('\n', out);
        if (agent->ops->describe != NULL)
            agent->ops->describe(agent->stage, of_clock_mono_ns(crew->clock), out);
    }
    fclose(out);
    pthread_mutex_lock(&crew->answer.mutex);
    free(crew->answer.text);
    crew->answer.text = text;
    crew->answer.number = number;
    pthread_mutex_unlock(&crew->answer.mutex);
}

static void
answer(struct of_crew *crew)
{
    uint32_t asked = atomic_load_explicit(&crew->answer.asked, memory_order_relaxed);
    if (asked == crew->answer.seen)
        return;
    crew->answer.seen = asked;
    describe(crew, asked);
}

uint32_t
of_crew_ask(struct of_crew *crew)
{
    uint32_t number = atomic_fetch_add_explicit(&crew->answer.asked, 1, memory_order_relaxed) + 1;
    of_bell_ring(&crew->bell);
    return number;
}

/* A later question may have been answered in its place. */
char *
of_crew_answer(struct of_crew *crew, uint32_t number)
{
    pthread_mutex_lock(&crew->answer.mutex);
    bool there = crew->answer.text != NULL && (int32_t)(crew->answer.number - number) >= 0;
    char *text = there ? of_strdup(crew->answer.text) : NULL;
    pthread_mutex_unlock(&crew->answer.mutex);
    return text;
}

/* ---- waking others, or standing in for them ---- */

/* Of the crew itself nothing has to be remembered: its next turn looks. */
void
of_crew_wake_later(struct of_crew *crew, struct of_crew *other)
{
    if (other == crew)
        return;
    for (uint32_t i = 0; i < crew->to_wake_count; i++)
        if (crew->to_wake[i] == other)
            return;
    if (crew->to_wake_count == crew->to_wake_room) {
        crew->to_wake_room = crew->to_wake_room ? 2 * crew->to_wake_room : 8;
        crew->to_wake = of_realloc_array(crew->to_wake, crew->to_wake_room, sizeof *crew->to_wake);
    }
    crew->to_wake[crew->to_wake_count++] = other;
}

/* A window that was slept through in part is judged as if it had lasted as long as any. */
static void
note_load(struct of_crew *crew, int64_t busy_ns, int64_t now_ns)
{
    crew->load.busy_ns += busy_ns;
    if (now_ns - crew->load.since_ns < LOAD_WINDOW_NS)
        return;
    crew->load.light = crew->load.busy_ns < LOAD_WINDOW_NS / (crew->load.light ? LIGHT_UP_TO : LIGHT_FROM);
    crew->load.since_ns = now_ns;
    crew->load.busy_ns = 0;
}

/* Whether another thread may go on to turn it. */
static bool
is_easy(const struct of_crew *crew)
{
    return crew->load.light
           && atomic_load_explicit(&crew->turned_ns, memory_order_relaxed) >= crew->load.long_turns_until_ns;
}

/* Turns the other crew on this thread, which is that of `me`, until it finds nothing to do, its own thread wants to, or it
 * becomes too much. False: it does not lend itself. */
static bool
stand_in(struct of_crew *me, struct of_crew *other)
{
    struct of_crew *nobody = NULL;
    if (!atomic_compare_exchange_strong_explicit(&other->turned_by, &nobody, me, memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    const int64_t until_ns = of_clock_mono_ns(me->clock) + STAND_IN_NS;
    int64_t deadline_ns = OF_NEVER_NS;
    uint32_t done;
    do
        done = of_crew_turn(other, &deadline_ns);
    while (done > 0 && is_easy(other) && !atomic_load_explicit(&other->wanted, memory_order_relaxed)
           && atomic_load_explicit(&other->turned_ns, memory_order_relaxed) < until_ns);
    /* Its own thread has to come where there is more to do, or sooner than it would. */
    bool wake = done > 0 || deadline_ns < other->sleeps_until_ns;
    bool leave = wake || !is_easy(other) || atomic_load_explicit(&other->wanted, memory_order_relaxed);
    atomic_store_explicit(&other->turned_by, leave ? other : NULL, memory_order_release);
    if (wake)
        of_bell_ring(&other->bell);
    return true;
}

/* Returns whether the crew's own thread stood in for any; before that it rings those that it cannot stand in for. What this
 * thread turns already, in a call around this one, looks again before that call ends. */
static bool
wake_others(struct of_crew *crew)
{
    struct of_crew *me = atomic_load_explicit(&crew->turned_by, memory_order_relaxed);
    uint32_t lent = 0;
    for (uint32_t i = 0; i < crew->to_wake_count; i++) {
        struct of_crew *other = crew->to_wake[i];
        struct of_crew *by = atomic_load_explicit(&other->turned_by, memory_order_relaxed);
        if (by == NULL && me->load.light)
            crew->to_wake[lent++] = other;
        else if (by != me)
            of_bell_ring(&other->bell);
    }
    crew->to_wake_count = 0;
    bool stood_in = false;
    for (uint32_t i = 0; i < lent; i++) {
        if (stand_in(me, crew->to_wake[i]))
            stood_in = true;
        else
            of_bell_ring(&crew->to_wake[i]->bell);
    }
    return stood_in && crew == me;
}

/* ---- turning ---- */

uint32_t
of_crew_turn(struct of_crew *crew, int64_t *deadline_ns)
{
    answer(crew);
    const int64_t began_ns = of_clock_mono_ns(crew->clock);
    int64_t now_ns = began_ns;
    uint32_t done = 0;
    for (uint32_t i = 0; i < crew->agent_count; i++) {
        struct of_port *agent = crew->agents[i];
        int64_t before_ns = now_ns;
        uint32_t did = of_agent_turn(agent, deadline_ns);
        now_ns = of_clock_mono_ns(crew->clock);
        if (did > 0)
            of_counter_add(&agent->stats.busy_ns, (uint64_t)(now_ns - before_ns));
        done += did;
    }
    if (done == 0)
        done = crew->to_wake_count;
    if (now_ns - began_ns > LONG_TURN_NS) /* whatever came of it */
        crew->load.long_turns_until_ns = now_ns + LONG_TURNS_FOR_NS;
    if (wake_others(crew))
        now_ns = of_clock_mono_ns(crew->clock);
    note_load(crew, done > 0 ? now_ns - began_ns : 0, now_ns);
    atomic_store_explicit(&crew->turned_ns, now_ns, memory_order_relaxed);
    return done;
}

/* ---- threads ---- */

static void
pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Waits until nobody else turns the crew: whoever does ends with the present turn, and with what it stands in for in that. */
static void
take_back(struct of_crew *crew)
{
    for (uint32_t tries = 0;; tries++) {
        struct of_crew *by = atomic_load_explicit(&crew->turned_by, memory_order_acquire);
        if (by == crew)
            break;
        if (by == NULL) {
            if (atomic_compare_exchange_strong_explicit(&crew->turned_by, &by, crew, memory_order_acquire,
                                                        memory_order_relaxed))
                break;
            continue;
        }
        atomic_store_explicit(&crew->wanted, true, memory_order_relaxed);
        if (tries < TRIES)
            sched_yield();
        else
            nanosleep(&(struct timespec) { .tv_nsec = TRY_AGAIN_NS }, NULL);
    }
    atomic_store_explicit(&crew->wanted, false, memory_order_relaxed);
}

/* Sleeps, and lends the crew meanwhile if it may. */
static void
sleep_until(struct of_crew *crew, uint32_t heard, int64_t deadline_ns)
{
    if (crew->lends && is_easy(crew)) {
        crew->sleeps_until_ns = deadline_ns;
        atomic_store_explicit(&crew->turned_by, NULL, memory_order_release);
    }
    of_bell_wait(&crew->bell, heard, deadline_ns);
    take_back(crew);
}

/* The last look between listening and sleeping is a whole turn: what it finds, it has also done. */
static void
park(struct of_crew *crew)
{
    uint32_t heard = of_bell_listen(&crew->bell);
    int64_t deadline_ns = of_clock_mono_ns(crew->clock) + crew->sleep_at_most_ns;
    if (of_crew_turn(crew, &deadline_ns) > 0 || atomic_load_explicit(&crew->stop, memory_order_acquire))
        of_bell_ignore(&crew->bell);
    else
        sleep_until(crew, heard, deadline_ns);
}

static void *
crew_main(void *arg)
{
    struct of_crew *crew = arg;
    if (crew->thread_begins != NULL)
        crew->thread_begins();
    int64_t worked_ns = 0;
    uint32_t yields = 0;
    while (!atomic_load_explicit(&crew->stop, memory_order_acquire)) {
        int64_t deadline_ns = OF_NEVER_NS;
        uint32_t done = of_crew_turn(crew, &deadline_ns);
        int64_t now_ns = atomic_load_explicit(&crew->turned_ns, memory_order_relaxed);
        if (done > 0) {
            worked_ns = now_ns;
            yields = 0;
        } else if (now_ns - worked_ns < SPIN_NS) {
            pause_cpu();
        } else if (yields < YIELDS) {
            yields++;
            sched_yield();
        } else {
            park(crew);
        }
    }
    if (crew->thread_ends != NULL)
        crew->thread_ends();
    return NULL;
}

enum of_status
of_crew_start(struct of_crew *crew, struct of_error *err)
{
    atomic_store_explicit(&crew->turned_ns, of_clock_mono_ns(crew->clock), memory_order_relaxed);
    /* Signals are the main thread's business. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&crew->thread, NULL, crew_main, crew);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return of_error_set(err, OF_FATAL, "cannot start thread %s: %s", crew->name, strerror(rc));
    pthread_setname_np(crew->thread, crew->name);
    crew->running = true;
    return OF_OK;
}

void
of_crew_stop(struct of_crew *crew)
{
    if (!crew->running)
        return;
    atomic_store_explicit(&crew->stop, true, memory_order_release);
    of_bell_ring(&crew->bell);
    pthread_join(crew->thread, NULL);
    crew->running = false;
    atomic_store_explicit(&crew->turned_ns, 0, memory_order_relaxed);
}
