#include "core/agent.h"

#include <stdlib.h>
#include <string.h>

#include "core/crew.h"

enum { ITEMS_PER_INPUT = 16 }; /* taken from one input in one turn, so that no lane starves another */

/* ---- building ---- */

void
of_agent_init(struct of_port *agent, const struct of_stage_ops *ops, void *stage, uint32_t instance,
              uint32_t lane_count)
{
    memset(agent, 0, sizeof *agent);
    agent->ops = ops;
    agent->stage = stage;
    agent->instance = instance;
    agent->lane_count = lane_count;
    agent->forward = of_alloc_array(lane_count, sizeof *agent->forward);
    agent->home_batch = of_alloc_array(lane_count, sizeof *agent->home_batch);
    agent->home_fetch = of_alloc_array(lane_count, sizeof *agent->home_fetch);
}

void
of_agent_fini(struct of_port *agent)
{
    for (uint32_t lane = 0; lane < agent->lane_count; lane++) {
        free(agent->forward[lane].edge);
        free(agent->home_batch[lane].edge);
    }
    free(agent->forward);
    free(agent->home_batch);
    free(agent->home_fetch);
    free(agent->inputs);
    free(agent->homecoming);
}

void
of_agent_add_input(struct of_port *agent, uint32_t lane, struct of_ring *ring)
{
    agent->inputs = of_realloc_array(agent->inputs, agent->input_count + 1, sizeof *agent->inputs);
    agent->inputs[agent->input_count++] = (struct of_input) { .ring = ring, .lane = lane };
}

void
of_agent_add_homecoming(struct of_port *agent, struct of_ring *ring)
{
    agent->homecoming = of_realloc_array(agent->homecoming, agent->homecoming_count + 1, sizeof *agent->homecoming);
    agent->homecoming[agent->homecoming_count++] = ring;
}

static void
set_edge(struct of_edges *edges, uint32_t at, struct of_ring *ring, struct of_crew *to)
{
    if (at >= edges->count) {
        edges->edge = of_realloc_array(edges->edge, at + 1, sizeof *edges->edge);
        while (edges->count <= at)
            edges->edge[edges->count++] = (struct of_edge) { NULL, NULL };
    }
    edges->edge[at] = (struct of_edge) { ring, to };
}

void
of_agent_add_forward(struct of_port *agent, uint32_t lane, struct of_ring *ring, struct of_crew *to)
{
    set_edge(&agent->forward[lane], agent->forward[lane].count, ring, to);
}

void
of_agent_add_home_batch(struct of_port *agent, uint32_t lane, uint32_t owner, struct of_ring *ring, struct of_crew *to)
{
    set_edge(&agent->home_batch[lane], owner, ring, to);
}

void
of_agent_set_home_fetch(struct of_port *agent, uint32_t lane, struct of_ring *ring, struct of_crew *to)
{
    agent->home_fetch[lane] = (struct of_edge) { ring, to };
}

/* ---- routing ---- */

static void
push(struct of_port *agent, const struct of_edge *edge, void *item)
{
    OF_ASSERT(edge->ring != NULL);
    of_ring_push(edge->ring, item);
    of_crew_wake_later(agent->crew, edge->to);
}

void
of_port_forward(struct of_port *port, struct of_item *item)
{
    if (__builtin_expect(item->weight > 0, 0))
        item->stamp_ns = of_clock_mono_ns(port->crew->clock);
    const struct of_edges *edges = &port->forward[item->lane];
    OF_ASSERT(edges->count > 0);
    push(port, &edges->edge[item->rank % edges->count], item);
}

void
of_port_broadcast(struct of_port *port, struct of_barrier *barrier)
{
    const struct of_edges *edges = &port->forward[barrier->item.lane];
    for (uint32_t i = 0; i < edges->count; i++)
        push(port, &edges->edge[i], barrier);
}

/* Where the batch goes home. */
static const struct of_edge *
way_home(const struct of_port *port, const struct of_batch *batch)
{
    const struct of_edges *edges = &port->home_batch[batch->item.lane];
    OF_ASSERT(batch->owner < edges->count);
    return &edges->edge[batch->owner];
}

void
of_port_home(struct of_port *port, struct of_item *item)
{
    if (item->kind == OF_ITEM_BATCH)
        push(port, way_home(port, (const struct of_batch *)item), item);
    else
        push(port, &port->home_fetch[item->lane], item);
}

void
of_port_wake_owner(struct of_port *port, const struct of_batch *batch)
{
    of_crew_wake_later(port->crew, way_home(port, batch)->to);
}

/* ---- turning ---- */

/* Notes that the barrier has come on this input; passes it on if this was the last input of its lane. */
static void
arrive(struct of_port *agent, struct of_input *at, struct of_barrier *barrier)
{
    at->waiting = barrier;
    for (uint32_t i = 0; i < agent->input_count; i++)
        if (agent->inputs[i].lane == at->lane && agent->inputs[i].waiting == NULL)
            return;
    for (uint32_t i = 0; i < agent->input_count; i++)
        if (agent->inputs[i].lane == at->lane) {
            OF_ASSERT(agent->inputs[i].waiting == barrier);
            agent->inputs[i].waiting = NULL;
        }
    /* The last stage has no outputs and sends the barrier home itself, maybe in this call: not to be touched after. */
    bool last = agent->forward[at->lane].count == 0;
    if (agent->ops->barrier != NULL)
        agent->ops->barrier(agent->stage, agent, barrier);
    if (!last)
        of_port_broadcast(agent, barrier);
}

/* The last stage has nobody to pass it on to: it goes home. */
static void
pass_open(struct of_port *agent, struct of_open *open)
{
    if (agent->ops->open != NULL)
        agent->ops->open(agent->stage, open);
    if (agent->forward[open->item.lane].count > 0)
        of_port_forward(agent, &open->item);
    else
        of_port_home(agent, &open->item);
}

/* Whoever takes an item may have given it away when it returns. */
static bool
take_item(struct of_port *agent, struct of_item *item)
{
    uint32_t weight = item->weight;
    int64_t stamp_ns = item->stamp_ns;
    bool taken = agent->ops->process(agent->stage, agent, item);
    if (__builtin_expect(weight > 0, 0) && taken)
        of_histogram_add(&agent->stats.latency, of_clock_mono_ns(agent->crew->clock) - stamp_ns, weight);
    return taken;
}

static uint32_t
take_input(struct of_port *agent, struct of_input *input)
{
    uint32_t taken = 0;
    while (taken < ITEMS_PER_INPUT && input->waiting == NULL) {
        struct of_item *item = of_ring_peek(input->ring);
        if (item == NULL)
            break;
        if (item->kind == OF_ITEM_BARRIER) {
            of_ring_pop(input->ring);
            arrive(agent, input, (struct of_barrier *)item);
        } else if (item->kind == OF_ITEM_OPEN) {
            of_ring_pop(input->ring);
            pass_open(agent, (struct of_open *)item);
        } else if (take_item(agent, item)) {
            of_ring_pop(input->ring);
        } else {
            of_counter_add(&agent->stats.refused, 1);
            break;
        }
        taken++;
    }
    return taken;
}

static uint32_t
take_home(struct of_port *agent)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < agent->homecoming_count; i++)
        for (struct of_item *item; (item = of_ring_pop(agent->homecoming[i])) != NULL; taken++)
            agent->ops->home(agent->stage, agent, item);
    return taken;
}

uint32_t
of_agent_turn(struct of_port *agent, int64_t *deadline_ns)
{
    uint32_t done = take_home(agent);
    uint32_t items = 0;
    for (uint32_t i = 0; i < agent->input_count; i++)
        items += take_input(agent, &agent->inputs[i]);
    if (items > 0)
        of_counter_add(&agent->stats.items, items);
    done += items;
    if (agent->ops->tick != NULL)
        done += agent->ops->tick(agent->stage, agent, of_clock_mono_ns(agent->crew->clock), deadline_ns);
    return done;
}
