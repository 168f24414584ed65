/* An agent runs one instance of a stage; a crew is the agents that share a thread.
 *
 * The agent takes items from its inputs, gives them to the stage, and routes what the stage lets go. An input is the
 * receiving end of a ring of one lane; an output the sending end. Of several outputs of one lane an item takes the one
 * that its rank chooses, so a partition always takes the same thread; a barrier takes them all.
 *
 * A barrier is passed on when it has come on all inputs of its lane. An input on which it has come waits until then;
 * inputs of other lanes go on.
 *
 * A crew turns: every agent looks at what came home, at its inputs, and ticks. When turns find nothing to do the crew
 * spins a little, then yields, then parks on its bell until it is rung or a deadline comes. Bells of other crews are
 * rung once a turn, not once a push.
 *
 *   of_agent_add_*            while building, before any crew starts
 *   of_crew_turn              the crew's own thread; or any single thread that turns all crews, in tests
 *   of_crew_start, _stop      the thread that built it
 *   of_agent_stats            any thread
 *   of_crew_ask, _answer      any thread; the crew answers at its next turn */
#ifndef OF_CORE_AGENT_H
#define OF_CORE_AGENT_H

#include <pthread.h>

#include "core/clock.h"
#include "core/counter.h"
#include "core/histogram.h"
#include "core/idle.h"
#include "core/ring.h"
#include "core/stage.h"

struct of_crew;

/* One end of a ring, with the crew to wake at the other. */
struct of_edge {
    struct of_ring *ring;
    struct of_crew *to;
};

struct of_input {
    struct of_ring *ring;
    uint32_t lane;
    struct of_barrier *waiting; /* this barrier has come here, and not yet on all inputs of the lane */
};

struct of_edges {
    struct of_edge *edge;
    uint32_t count;
};

/* Written by the agent's thread, read by any. */
struct of_agent_stats {
    of_counter items;   /* chunks, batches and barriers taken */
    of_counter busy_ns; /* time in turns that did something */
    of_counter refused; /* times the stage could not take an item */
    struct of_histogram latency; /* of measured items: from being handed on to being done with, by record */
};

struct of_port { /* an agent, as its stage sees it */
    const struct of_stage_ops *ops;
    void *stage;
    uint32_t instance; /* of its stage, from 0 */
    struct of_crew *crew;

    struct of_input *inputs;
    uint32_t input_count;
    struct of_ring **homecoming; /* rings in which items come home to this agent */
    uint32_t homecoming_count;

    uint32_t lane_count;
    struct of_edges *forward;    /* per lane: to the next stage */
    struct of_edges *home_batch; /* per lane: to the decode instances, by batch->owner */
    struct of_edge *home_fetch;  /* per lane: to its fetch stage; ring NULL where there is no way */

    struct of_agent_stats stats;
};

/* What a crew says of itself when it is asked: by its own thread, between two of its agents' turns, so that what it tells
 * is of one moment. */
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
    struct of_bell bell;
    struct of_crew **to_wake; /* crews that were pushed to in this turn */
    uint32_t to_wake_count, to_wake_room;
    pthread_t thread;
    bool running;
    _Atomic bool stop;
    _Atomic int64_t turned_ns; /* when the last turn ended; 0: there is no thread. Read by any */
    struct of_crew_answer answer;
};

void of_agent_init(struct of_port *agent, const struct of_stage_ops *ops, void *stage, uint32_t instance,
                   uint32_t lane_count);
void of_agent_fini(struct of_port *agent);

void of_agent_add_input(struct of_port *agent, uint32_t lane, struct of_ring *ring);
void of_agent_add_homecoming(struct of_port *agent, struct of_ring *ring);
void of_agent_add_forward(struct of_port *agent, uint32_t lane, struct of_ring *ring, struct of_crew *to);
/* The decode instance `owner` gets batches home through this ring. */
void of_agent_add_home_batch(struct of_port *agent, uint32_t lane, uint32_t owner, struct of_ring *ring,
                             struct of_crew *to);
void of_agent_set_home_fetch(struct of_port *agent, uint32_t lane, struct of_ring *ring, struct of_crew *to);

OF_MUST_USE enum of_status of_crew_init(struct of_crew *crew, const char *name, enum of_bell_kind bell,
                                        const struct of_clock *clock, struct of_error *err);
void of_crew_fini(struct of_crew *crew);
void of_crew_add(struct of_crew *crew, struct of_port *agent); /* order of adding is order of turning */

/* Asks the crew to describe itself; returns the number of the question. Any thread. */
uint32_t of_crew_ask(struct of_crew *crew);
/* The answer, to be freed; NULL: not there yet. Any thread. */
char *of_crew_answer(struct of_crew *crew, uint32_t number);

/* One turn of all its agents. Returns how much was done; lowers *deadline_ns to when it must turn again at the latest. */
uint32_t of_crew_turn(struct of_crew *crew, int64_t *deadline_ns);

OF_MUST_USE enum of_status of_crew_start(struct of_crew *crew, struct of_error *err);
/* Asks the thread to end after its present turn, and waits for it: at most as long as one call into a stage takes. */
void of_crew_stop(struct of_crew *crew);

#endif
