#include "core/agent.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITEMS_PER_INPUT = 16, /* taken from one input in one turn, so that no lane starves another */
    YIELDS = 4,           /* before parking */
};
/* Empty turns go on for so long before yielding. A few dozen for most crews, two or three for one whose turn asks the kernel. */
static const int64_t SPIN_NS = 2000;
/* A parked crew looks around this often even if nobody rings: a bound on any wait. */
static const int64_t PARK_AT_MOST_NS = 100 * OF_MS_NS;

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

/* The crew is rung when the turn ends; the agent's own looks anyway. */
static void
wake_later(struct of_port *agent, struct of_crew *other)
{
    struct of_crew *crew = agent->crew;
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

static void
push(struct of_port *agent, const struct of_edge *edge, void *item)
{
    OF_ASSERT(edge->ring != NULL);
    of_ring_push(edge->ring, item);
    wake_later(agent, edge->to);
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
    wake_later(port, way_home(port, batch)->to);
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

static uint32_t
turn(struct of_port *agent, const struct of_clock *clock, int64_t *deadline_ns)
{
    uint32_t done = take_home(agent);
    uint32_t items = 0;
    for (uint32_t i = 0; i < agent->input_count; i++)
        items += take_input(agent, &agent->inputs[i]);
    if (items > 0)
        of_counter_add(&agent->stats.items, items);
    done += items;
    if (agent->ops->tick != NULL)
        done += agent->ops->tick(agent->stage, agent, of_clock_mono_ns(clock), deadline_ns);
    return done;
}

static void
wake_others(struct of_crew *crew)
{
    for (uint32_t i = 0; i < crew->to_wake_count; i++)
        of_bell_ring(&crew->to_wake[i]->bell);
    crew->to_wake_count = 0;
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

uint32_t
of_crew_turn(struct of_crew *crew, int64_t *deadline_ns)
{
    uint32_t done = 0;
    answer(crew);
    int64_t began_ns = of_clock_mono_ns(crew->clock);
    for (uint32_t i = 0; i < crew->agent_count; i++) {
        struct of_port *agent = crew->agents[i];
        uint32_t did = turn(agent, crew->clock, deadline_ns);
        int64_t ended_ns = of_clock_mono_ns(crew->clock);
        if (did > 0)
            of_counter_add(&agent->stats.busy_ns, (uint64_t)(ended_ns - began_ns));
        began_ns = ended_ns;
        done += did;
    }
    wake_others(crew);
    atomic_store_explicit(&crew->turned_ns, began_ns, memory_order_relaxed);
    return done;
}

/* ---- threads ---- */

enum of_status
of_crew_init(struct of_crew *crew, const char *name, enum of_bell_kind bell, const struct of_clock *clock,
             struct of_error *err)
{
    memset(crew, 0, sizeof *crew);
    snprintf(crew->name, sizeof crew->name, "%s", name);
    crew->clock = clock;
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

static void
pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* The last look between listening and sleeping is a whole turn: what it finds, it has also done. */
static void
park(struct of_crew *crew)
{
    uint32_t heard = of_bell_listen(&crew->bell);
    int64_t deadline_ns = of_clock_mono_ns(crew->clock) + PARK_AT_MOST_NS;
    if (of_crew_turn(crew, &deadline_ns) > 0 || atomic_load_explicit(&crew->stop, memory_order_acquire))
        of_bell_ignore(&crew->bell);
    else
        of_bell_wait(&crew->bell, heard, deadline_ns);
}

static void *
crew_main(void *arg)
{
    struct of_crew *crew = arg;
    for (uint32_t i = 0; i < crew->agent_count; i++)
        if (crew->agents[i]->ops->enter != NULL)
            crew->agents[i]->ops->enter(crew->agents[i]->stage);
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
    for (uint32_t i = 0; i < crew->agent_count; i++)
        if (crew->agents[i]->ops->leave != NULL)
            crew->agents[i]->ops->leave(crew->agents[i]->stage);
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
