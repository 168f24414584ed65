/* A crew: agents that share a thread, turned one after the other.
 *
 * In a turn every agent looks at what came home, at its inputs, and ticks. When turns find nothing to do the crew spins a
 * little, then yields, then sleeps on its bell until it is rung or a deadline comes. Bells of other crews are rung once a
 * turn, not once a push.
 *
 * Standing in. To wake a thread costs some 20 us of processor time, in which a stage could take hundreds of records. So a
 * crew that has little to do (it works for less than a quarter of 10 ms; an eighth, once it had more) lends itself while
 * it sleeps: a thread that has just pushed something to it, and has as little to do, turns it at once, and lets its thread
 * sleep on. A few orders at a time thus pass several stages without waking anybody; under load crews are turned by their own
 * threads, beside each other.
 * Who stands in stops when it becomes too much, or the crew's thread wakes and wants to. Every crew stands in for others; only
 * those lend themselves that were told to (of_crew_lend), and none that has had a turn of several milliseconds of late.
 *
 * turned_by says who may touch the crew and its agents:
 *
 *   itself         its thread is awake, or asleep without lending itself
 *   NULL           it sleeps, and whoever puts itself here may turn it
 *   another crew   that one's thread is turning it
 *
 * A push to a crew that cannot be turned here is followed by a ring, whoever turns it: its thread wakes, waits for that turn
 * to end, and looks. The one exception is a crew that this thread is turning already, in a call around: it looks again
 * before that call ends. So nothing that is pushed is overlooked.
 *
 *   of_crew_turn                  whoever turns it: see above; or any single thread that turns all crews, in tests
 *   of_crew_wake_later            the same
 *   of_crew_lend, _start, _stop   the thread that built it
 *   of_crew_ask, _answer          any thread; the crew answers in its next turn */
#ifndef OF_CORE_CREW_H
#define OF_CORE_CREW_H

#include <pthread.h>

#include "core/agent.h"
#include "core/clock.h"
#include "core/idle.h"

/* What a crew says of itself when it is asked: between two of its turns, so that what it tells is of one moment. */
struct of_crew_answer {
    _Atomic uint32_t asked; /* counts questions; any thread */
    uint32_t seen;          /* the crew's: the last question that it has answered */
    pthread_mutex_t mutex;  /* of what follows */
    uint32_t number;        /* the question that text answers */
    char *text;
};

struct of_crew {
    char name[16]; /* of the thread */
    struct of_port **agents;
    uint32_t agent_count;
    const struct of_clock *clock;
    void (*thread_begins)(void), (*thread_ends)(void); /* may be NULL */
    struct of_bell bell;
    struct of_crew **to_wake; /* crews that were pushed to in this turn */
    uint32_t to_wake_count, to_wake_room;
    struct {
        int64_t since_ns; /* when the present window began */
        int64_t busy_ns;  /* of it, in turns that did something; its thread's standing in included */
        bool light;       /* what the last window said */
        int64_t long_turns_until_ns; /* it does not lend itself before */
    } load;
    int64_t sleep_at_most_ns; /* before it looks around, even if nobody rings; tests raise it, so that a ring that is missing shows */
    bool lends;
    int64_t sleeps_until_ns;  /* while it lends itself */
    _Atomic bool wanted;      /* its thread is awake, and waits for whoever stands in */
    pthread_t thread;
    bool running;
    _Atomic bool stop;
    _Atomic int64_t turned_ns; /* when the last turn ended; 0: there is no thread. Read by any */
    struct of_crew_answer answer;
    _Alignas(OF_CACHE_LINE_BYTES) _Atomic(struct of_crew *) turned_by; /* asked by all who push to it */
};

OF_MUST_USE enum of_status of_crew_init(struct of_crew *crew, const char *name, enum of_bell_kind bell,
                                        const struct of_clock *clock, struct of_error *err);
void of_crew_fini(struct of_crew *crew);
void of_crew_add(struct of_crew *crew, struct of_port *agent); /* order of adding is order of turning */
/* The first and the last call on its thread. Whatever a stage needs of its thread, all threads of the pipeline need: they
 * stand in for each other. */
void of_crew_set_thread_calls(struct of_crew *crew, void (*begins)(void), void (*ends)(void));

/* From its start on it lends itself when it sleeps and has little to do. For crews whose stages hardly ever wait for anything:
 * who stands in for them waits as long. */
void of_crew_lend(struct of_crew *crew);

/* Wakes the other crew when this one's present turn ends, or stands in for it. */
void of_crew_wake_later(struct of_crew *crew, struct of_crew *other);

/* Asks the crew to describe itself; returns the number of the question. Any thread. */
uint32_t of_crew_ask(struct of_crew *crew);
/* The answer, to be freed; NULL: not there yet. Any thread. */
char *of_crew_answer(struct of_crew *crew, uint32_t number);

/* One turn of all its agents. Returns how much was done; lowers *deadline_ns to when it must turn again at the latest. */
uint32_t of_crew_turn(struct of_crew *crew, int64_t *deadline_ns);

OF_MUST_USE enum of_status of_crew_start(struct of_crew *crew, struct of_error *err);
/* Asks the thread to end after its present turn, and waits for it: as long as calls into the stages of that turn take, and of
 * whoever stands in. */
void of_crew_stop(struct of_crew *crew);

#endif
