/* An agent runs one instance of a stage: it takes items from its inputs, gives them to the stage, and routes what the
 * stage lets go. An input is the receiving end of a ring of one lane; an output the sending end. Of several outputs of
 * one lane an item takes the one that its rank chooses, so a partition always takes the same thread; a barrier takes
 * them all.
 *
 * A barrier is passed on when it has come on all inputs of its lane. An input on which it has come waits until then;
 * inputs of other lanes go on.
 *
 * Agents that share a thread are a crew (core/crew.h), which turns them.
 *
 *   of_agent_add_*   while building, before any crew starts
 *   of_agent_turn    whoever turns its crew
 *   stats            written by the same, read by any thread */
#ifndef OF_CORE_AGENT_H
#define OF_CORE_AGENT_H

#include "core/counter.h"
#include "core/histogram.h"
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

/* Written by whoever turns the agent, read by any. */
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

/* Looks at what came home, takes what the stage can take, ticks. Returns how much was done; lowers *deadline_ns to when the
 * agent must turn again at the latest. */
uint32_t of_agent_turn(struct of_port *agent, int64_t *deadline_ns);

#endif
