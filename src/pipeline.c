#include "pipeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/assert.h"
#include "core/log.h"
#include "core/memory.h"
#include "stages/aggregate.h"
#include "stages/decode.h"

enum stage { FETCH, DECODE, PROCESS, AGGREGATE, PUBLISH, STAGES };

enum {
    /* Of each decode instance. Enough to keep five stages busy, few enough to stay in the cache; and what comes in while a
     * transaction ends, which takes some 20 ms. */
    BATCHES_PER_LANE = 32,
    BATCHES_ASIDE = 256,
    BATCHES_MOST = BATCHES_PER_LANE + BATCHES_ASIDE,
    RECORD_BYTES = 400,     /* what a small record costs in a source, rounded up */
    CHUNKS_LEAST = 8,
    START_PAUSE_MS = 500,   /* before a sink that has found no broker is started again */
    CHUNKS_MOST = 128,
};

static const int64_t BARRIER_LIMIT_NS = 10 * OF_SECOND_NS; /* that a barrier may take to go through a lane */

/* ---- the wiring, as tables ---- */

static const struct {
    const char *name;
    const struct of_stage_ops *ops;
    bool per_lane; /* one instance per lane, always on a thread of its own that can wait for file descriptors */
} stages[STAGES] = {
    [FETCH] = { "fetch", &of_fetch_stage, true },
    [DECODE] = { "decode", &of_decode_stage, false },
    [PROCESS] = { "process", &of_process_stage, false },
    [AGGREGATE] = { "aggregate", &of_aggregate_stage, false },
    [PUBLISH] = { "publish", &of_publish_stage, true },
};

enum edge_kind { FORWARD, HOME_BATCH, HOME_FETCH };

static const struct {
    enum stage from, to;
    enum edge_kind kind;
    const char *carries;
} edges[] = {
    { FETCH, DECODE, FORWARD, "chunks, opens, barriers" },
    { DECODE, PROCESS, FORWARD, "batches, opens, barriers" },
    { PROCESS, AGGREGATE, FORWARD, "batches, opens, barriers" },
    { AGGREGATE, PUBLISH, FORWARD, "batches, opens, barriers" },
    { PUBLISH, DECODE, HOME_BATCH, "batches home" },
    { DECODE, FETCH, HOME_FETCH, "chunks home" },
    { PUBLISH, FETCH, HOME_FETCH, "barriers, opens, notices home" },
};
enum { EDGE_KINDS = sizeof edges / sizeof *edges };

/* One ring that exists. */
struct wire {
    uint32_t edge; /* row of edges */
    uint32_t lane, from, to;
    uint32_t capacity;
    struct of_ring *ring;
};

struct instance {
    struct of_port port;
    struct of_crew *crew;
};

struct of_pipeline {
    struct of_pipeline_options options;
    struct of_tuning tuning;
    struct of_gone gone;
    uint32_t lanes;
    uint32_t chunks; /* per lane */
    bool inside[STAGES]; /* runs inside the stage before */
    uint32_t counts[STAGES];
    struct instance *instances[STAGES];
    struct of_crew **crews;
    uint32_t crew_count;
    struct wire *wires;
    uint32_t wire_count;
    bool complete; /* from then on the sources and sinks are its to close */
};

/* ---- who serves which lane ---- */

/* Instances of a stage that a lane passes through: [first, first + count). A stage inside another has the lanes of that
 * one; otherwise all instances serve all lanes. */
static void
lane_instances(const struct of_pipeline *pipeline, enum stage stage, uint32_t lane, uint32_t *first, uint32_t *count)
{
    while (pipeline->inside[stage])
        stage--;
    *first = stages[stage].per_lane ? lane : 0;
    *count = stages[stage].per_lane ? 1 : pipeline->counts[stage];
}

/* Whether an edge of this kind connects these instances in this lane, which both serve. */
static bool
connects(const struct of_pipeline *pipeline, uint32_t edge, uint32_t from, uint32_t to)
{
    return edges[edge].kind != FORWARD || !pipeline->inside[edges[edge].to] || from == to;
}

/* All that can ever be in it at once. */
static uint32_t
capacity(const struct of_pipeline *pipeline, uint32_t edge)
{
    const uint32_t barrier = 1;
    switch (edges[edge].kind) {
    case FORWARD: return (edges[edge].from == FETCH ? pipeline->chunks : BATCHES_MOST * pipeline->counts[DECODE])
                         + OF_LANE_SLOTS + barrier;
    case HOME_BATCH: return BATCHES_MOST;
    case HOME_FETCH: return edges[edge].from == DECODE ? pipeline->chunks : 3 * OF_LANE_SLOTS + barrier;
    }
    return 0;
}

/* ---- building ---- */

static void *
make_stage(struct of_pipeline *pipeline, enum stage stage, uint32_t instance)
{
    const struct of_pipeline_options *options = &pipeline->options;
    switch (stage) {
    case FETCH:
        return of_fetch_create(&(struct of_fetch_options) {
            .lane = instance,
            .clock = options->clock,
            .source = options->sources[instance],
            .restorer = options->restorers[instance],
            .chunks = pipeline->chunks,
            .tuning = &pipeline->tuning,
            .gone = &pipeline->gone,
            .drain_timeout_ns = options->drain_timeout_ms * OF_MS_NS,
            .events = options->partition_events != NULL ? options->partition_events[instance] : NULL,
            .awaited = options->listeners != NULL && options->listeners[instance].waits
                           ? options->listeners[instance].queue
                           : NULL,
            .quiet = options->quiet,
            .schemas = options->schemas,
            .measure = options->measure,
        });
    case DECODE:
        return of_decode_create(&(struct of_decode_options) {
            .instance = instance,
            .lanes = pipeline->lanes,
            .batches_per_lane = BATCHES_PER_LANE,
            .aside_per_lane = BATCHES_ASIDE,
            .clock = options->clock,
            .group = options->group,
            .groups = options->groups,
            .schemas = options->schemas,
            .measure = options->measure,
        });
    case PROCESS: return of_process_create(&options->process);
    case AGGREGATE: return of_aggregator_create(instance, pipeline->lanes);
    case PUBLISH:
        return of_publish_create(&(struct of_publish_options) {
            .lane = instance,
            .clock = options->clock,
            .sink = options->sinks[instance],
            .group = options->group,
            .max_retries = options->max_retries,
            .tuning = &pipeline->tuning,
            .in_flight = options->letters_in_flight,
            .groups = options->groups,
            .state_schema_id = options->state_schema_id,
            .value_field = options->value_field,
            .group_by_field = options->group_by_field,
            .barrier_limit_ns = BARRIER_LIMIT_NS,
            .listener = options->listeners != NULL ? options->listeners[instance] : (struct of_listener) { 0 },
            .measure = options->measure,
        });
    case STAGES: break;
    }
    return NULL;
}

static void
destroy_stage(enum stage stage, void *self)
{
    switch (stage) {
    case FETCH: of_fetch_destroy(&(struct of_fetch *) { self }); break;
    case DECODE: of_decode_destroy(&(struct of_decode *) { self }); break;
    case PROCESS: of_process_destroy(&(struct of_process *) { self }); break;
    case AGGREGATE: of_aggregator_destroy(&(struct of_aggregator *) { self }); break;
    case PUBLISH: of_publish_destroy(&(struct of_publish *) { self }); break;
    case STAGES: break;
    }
}

static enum of_status
add_crew(struct of_pipeline *pipeline, const char *name, enum of_bell_kind bell, struct of_crew **out,
         struct of_error *err)
{
    struct of_crew *crew = of_alloc_lines(sizeof *crew);
    enum of_status status = of_crew_init(crew, name, bell, pipeline->options.clock, err);
    if (status != OF_OK) {
        free(crew);
        return status;
    }
    pipeline->crews = of_realloc_array(pipeline->crews, pipeline->crew_count + 1, sizeof(struct of_crew *));
    pipeline->crews[pipeline->crew_count++] = crew;
    *out = crew;
    return OF_OK;
}

/* Where an instance runs: with all others when there are no threads, inside the stage before, or on its own. */
static enum of_status
find_crew(struct of_pipeline *pipeline, enum stage stage, uint32_t instance, struct of_crew **out,
          struct of_error *err)
{
    if (!pipeline->options.threads && pipeline->crew_count > 0) {
        *out = pipeline->crews[0];
        return OF_OK;
    }
    if (pipeline->inside[stage]) {
        *out = pipeline->instances[stage - 1][instance].crew;
        return OF_OK;
    }
    char name[32];
    snprintf(name, sizeof name, "%s-%u", stages[stage].name, instance);
    return add_crew(pipeline, pipeline->options.threads ? name : "all",
                    stages[stage].per_lane ? OF_BELL_FD : OF_BELL_FUTEX, out, err);
}

static enum of_status
find_crews(struct of_pipeline *pipeline, struct of_error *err)
{
    for (enum stage stage = FETCH; stage < STAGES; stage++) {
        pipeline->instances[stage] = of_alloc_array(pipeline->counts[stage], sizeof(struct instance));
        for (uint32_t i = 0; i < pipeline->counts[stage]; i++) {
            enum of_status status = find_crew(pipeline, stage, i, &pipeline->instances[stage][i].crew, err);
            if (status != OF_OK)
                return status;
        }
    }
    return OF_OK;
}

static void
make_instances(struct of_pipeline *pipeline)
{
    for (enum stage stage = FETCH; stage < STAGES; stage++)
        for (uint32_t i = 0; i < pipeline->counts[stage]; i++) {
            struct instance *instance = &pipeline->instances[stage][i];
            of_agent_init(&instance->port, stages[stage].ops, make_stage(pipeline, stage, i), i, pipeline->lanes);
            of_crew_add(instance->crew, &instance->port);
        }
}

static void
add_wire(struct of_pipeline *pipeline, uint32_t edge, uint32_t lane, uint32_t from, uint32_t to)
{
    struct instance *sender = &pipeline->instances[edges[edge].from][from];
    struct instance *receiver = &pipeline->instances[edges[edge].to][to];
    struct wire wire = { edge, lane, from, to, capacity(pipeline, edge), of_alloc_lines(sizeof(struct of_ring)) };
    of_ring_init(wire.ring, wire.capacity);
    pipeline->wires = of_realloc_array(pipeline->wires, pipeline->wire_count + 1, sizeof wire);
    pipeline->wires[pipeline->wire_count++] = wire;
    switch (edges[edge].kind) {
    case FORWARD:
        of_agent_add_forward(&sender->port, lane, wire.ring, receiver->crew);
        of_agent_add_input(&receiver->port, lane, wire.ring);
        return;
    case HOME_BATCH:
        of_agent_add_home_batch(&sender->port, lane, to, wire.ring, receiver->crew);
        break;
    case HOME_FETCH:
        of_agent_set_home_fetch(&sender->port, lane, wire.ring, receiver->crew);
        break;
    }
    of_agent_add_homecoming(&receiver->port, wire.ring);
}

static void
make_wires(struct of_pipeline *pipeline)
{
    for (uint32_t edge = 0; edge < EDGE_KINDS; edge++)
        for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
            uint32_t from, from_count, to, to_count;
            lane_instances(pipeline, edges[edge].from, lane, &from, &from_count);
            lane_instances(pipeline, edges[edge].to, lane, &to, &to_count);
            for (uint32_t i = from; i < from + from_count; i++)
                for (uint32_t j = to; j < to + to_count; j++)
                    if (connects(pipeline, edge, i, j))
                        add_wire(pipeline, edge, lane, i, j);
        }
}

static uint32_t
chunks_per_lane(const struct of_pipeline_options *options)
{
    /* An eighth of the budget: the rest is for what sources hold before it becomes a chunk. */
    size_t chunks = options->memory_bytes / 8 / RECORD_BYTES / OF_CHUNK_RECORDS / options->fetch_threads;
    return chunks < CHUNKS_LEAST ? CHUNKS_LEAST : chunks > CHUNKS_MOST ? CHUNKS_MOST : (uint32_t)chunks;
}

enum of_status
of_pipeline_create(const struct of_pipeline_options *options, struct of_pipeline **out, struct of_error *err)
{
    const uint32_t threads[STAGES] = {
        [FETCH] = options->fetch_threads,
        [DECODE] = options->decode_threads,
        [PROCESS] = options->process_threads,
        [AGGREGATE] = options->aggregate_threads,
        [PUBLISH] = options->fetch_threads,
    };
    for (enum stage stage = FETCH; stage < STAGES; stage++)
        if (threads[stage] > OF_THREADS_PER_STAGE || (threads[stage] == 0 && stages[stage].per_lane))
            return of_error_set(err, OF_FATAL, "%u threads for the %s stage: %s to %d are possible", threads[stage],
                                stages[stage].name, stages[stage].per_lane ? "1" : "0", OF_THREADS_PER_STAGE);

    struct of_pipeline *pipeline = of_alloc(sizeof *pipeline);
    pipeline->options = *options;
    of_gone_init(&pipeline->gone);
    pipeline->options.process.tuning = &pipeline->tuning;
    of_pipeline_tune(pipeline, options->commit_interval_ms, options->retry_delay_ms, options->process.failure_rate);
    pipeline->lanes = options->fetch_threads;
    pipeline->chunks = chunks_per_lane(options);
    for (enum stage stage = FETCH; stage < STAGES; stage++) {
        pipeline->inside[stage] = threads[stage] == 0;
        pipeline->counts[stage] = pipeline->inside[stage] ? pipeline->counts[stage - 1] : threads[stage];
    }
    enum of_status status = find_crews(pipeline, err);
    if (status != OF_OK) {
        of_pipeline_destroy(&pipeline);
        return status;
    }
    make_instances(pipeline);
    make_wires(pipeline);
    pipeline->complete = true;
    *out = pipeline;
    return OF_OK;
}

void
of_pipeline_destroy(struct of_pipeline **out)
{
    struct of_pipeline *pipeline = *out;
    if (pipeline == NULL)
        return;
    of_pipeline_finish(pipeline);
    for (uint32_t lane = 0; pipeline->complete && lane < pipeline->lanes; lane++)
        pipeline->options.sinks[lane].ops->close(pipeline->options.sinks[lane].self);
    for (enum stage stage = FETCH; pipeline->complete && stage < STAGES; stage++)
        for (uint32_t i = 0; i < pipeline->counts[stage]; i++) {
            struct of_port *port = &pipeline->instances[stage][i].port;
            destroy_stage(stage, port->stage);
            of_agent_fini(port);
        }
    for (enum stage stage = FETCH; stage < STAGES; stage++)
        free(pipeline->instances[stage]);
    for (uint32_t i = 0; i < pipeline->wire_count; i++) {
        of_ring_fini(pipeline->wires[i].ring);
        free(pipeline->wires[i].ring);
    }
    for (uint32_t i = 0; i < pipeline->crew_count; i++) {
        of_crew_fini(pipeline->crews[i]);
        free(pipeline->crews[i]);
    }
    of_gone_fini(&pipeline->gone);
    free(pipeline->wires);
    free(pipeline->crews);
    free(pipeline);
    *out = NULL;
}

/* ---- running ---- */

/* Sinks before sources, last stages before first ones: whoever is sent something is there to take it. */
/* A broker that goes down just now comes back. */
static enum of_status
start_sink(const struct of_pipeline *pipeline, uint32_t lane, struct of_error *err)
{
    const struct of_pipeline_options *options = &pipeline->options;
    const struct of_sink *sink = &options->sinks[lane];
    int wake_fd = of_bell_fd(&pipeline->instances[PUBLISH][lane].crew->bell);
    enum of_status status;
    while ((status = sink->ops->start(sink->self, wake_fd, err)) == OF_RETRY && options->stopping != NULL
           && !options->stopping()) {
        of_log_warning("publish", "lane %u: %s; trying again", lane, err->text);
        nanosleep(&(struct timespec) { .tv_nsec = START_PAUSE_MS * OF_MS_NS }, NULL);
    }
    return status;
}

enum of_status
of_pipeline_start(struct of_pipeline *pipeline, struct of_error *err)
{
    const struct of_pipeline_options *options = &pipeline->options;
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        const struct of_source *source = &options->sources[lane];
        struct of_bell *fetch_bell = &pipeline->instances[FETCH][lane].crew->bell;
        const struct of_restorer *restorer = &options->restorers[lane];
        enum of_status status = start_sink(pipeline, lane, err);
        if (status == OF_OK)
            status = restorer->ops->start(restorer->self, of_bell_fd(fetch_bell), err);
        if (status == OF_OK)
            status = source->ops->start(source->self, of_bell_fd(fetch_bell), err);
        if (status != OF_OK)
            return of_error_prefix(err, "lane %u", lane);
        if (source->ops->wait_fd != NULL)
            of_bell_watch(fetch_bell, source->ops->wait_fd(source->self));
    }
    for (uint32_t i = pipeline->crew_count; options->threads && i > 0; i--) {
        enum of_status status = of_crew_start(pipeline->crews[i - 1], err);
        if (status != OF_OK)
            return status;
    }
    return OF_OK;
}

uint32_t
of_pipeline_turn(struct of_pipeline *pipeline, int64_t *deadline_ns)
{
    OF_ASSERT(!pipeline->options.threads);
    return of_crew_turn(pipeline->crews[0], deadline_ns);
}

static struct of_fetch *
fetch_of(const struct of_pipeline *pipeline, uint32_t lane)
{
    return pipeline->instances[FETCH][lane].port.stage;
}

void
of_pipeline_wake(struct of_pipeline *pipeline)
{
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        of_bell_ring(&pipeline->instances[FETCH][lane].crew->bell);
}

void
of_pipeline_tune(struct of_pipeline *pipeline, int64_t commit_interval_ms, int64_t retry_delay_ms, double failure_rate)
{
    struct of_tuning *tuning = &pipeline->tuning;
    atomic_store_explicit(&tuning->commit_interval_ms, commit_interval_ms, memory_order_relaxed);
    atomic_store_explicit(&tuning->retry_delay_ms, retry_delay_ms, memory_order_relaxed);
    atomic_store_explicit(&tuning->failure_rate, failure_rate, memory_order_relaxed);
    if (pipeline->complete)
        of_pipeline_wake(pipeline);
}

void
of_pipeline_stop(struct of_pipeline *pipeline)
{
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        of_fetch_stop(fetch_of(pipeline, lane));
    of_pipeline_wake(pipeline);
}

void
of_pipeline_finish(struct of_pipeline *pipeline)
{
    for (uint32_t i = 0; i < pipeline->crew_count; i++)
        of_crew_stop(pipeline->crews[i]);
}

/* ---- what can be seen ---- */

static enum of_fetch_phase
phase_of(const struct of_pipeline *pipeline, uint32_t lane)
{
    const struct of_fetch_status *status = of_fetch_status(fetch_of(pipeline, lane));
    return (enum of_fetch_phase)atomic_load_explicit(&status->phase, memory_order_acquire);
}

enum of_pipeline_state
of_pipeline_state(const struct of_pipeline *pipeline)
{
    uint32_t left = 0;
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        enum of_fetch_phase phase = phase_of(pipeline, lane);
        if (phase == OF_FETCH_FAILED)
            return OF_PIPELINE_FAILED;
        left += phase == OF_FETCH_LEFT;
    }
    return left == pipeline->lanes ? OF_PIPELINE_LEFT : OF_PIPELINE_RUNNING;
}

const char *
of_pipeline_error(const struct of_pipeline *pipeline, bool *fenced)
{
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        if (phase_of(pipeline, lane) == OF_FETCH_FAILED) {
            *fenced = atomic_load_explicit(&of_fetch_status(fetch_of(pipeline, lane))->fenced, memory_order_relaxed);
            return of_fetch_error(fetch_of(pipeline, lane));
        }
    *fenced = false;
    return "";
}

void
of_pipeline_live(const struct of_pipeline *pipeline, struct of_live_totals *totals)
{
    *totals = (struct of_live_totals) { 0 };
    for (uint32_t i = 0; i < pipeline->counts[AGGREGATE]; i++)
        of_live_total_add_to(of_aggregator_live(pipeline->instances[AGGREGATE][i].port.stage),
                             &totals->orders_processed, &totals->sum);
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        const struct of_publish_counts *counts = of_publish_counts(pipeline->instances[PUBLISH][lane].port.stage);
        totals->retry_attempts += of_counter_read(&counts->retries);
        totals->dead_letters += of_counter_read(&counts->dead_letters);
        totals->held_partitions += atomic_load_explicit(&of_fetch_status(fetch_of(pipeline, lane))->held,
                                                        memory_order_relaxed);
    }
}

void
of_pipeline_progress(const struct of_pipeline *pipeline, struct of_pipeline_progress *progress)
{
    *progress = (struct of_pipeline_progress) { 0 };
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        progress->committed += atomic_load_explicit(&of_fetch_status(fetch_of(pipeline, lane))->committed,
                                                    memory_order_acquire);
    for (uint32_t lane = 0; lane < pipeline->lanes && progress->behind >= 0; lane++) {
        int64_t behind = atomic_load_explicit(&of_fetch_status(fetch_of(pipeline, lane))->behind, memory_order_relaxed);
        progress->behind = behind < 0 ? -1 : progress->behind + behind;
    }
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        progress->retries += of_counter_read(
            &of_publish_counts(pipeline->instances[PUBLISH][lane].port.stage)->retries);
        const struct of_fetch_status *status = of_fetch_status(fetch_of(pipeline, lane));
        int64_t assigned_ns = atomic_load_explicit(&status->first_assigned_ns, memory_order_relaxed);
        int64_t settled_ns = atomic_load_explicit(&status->last_settled_ns, memory_order_relaxed);
        if (assigned_ns != 0 && (progress->first_assigned_ns == 0 || assigned_ns < progress->first_assigned_ns))
            progress->first_assigned_ns = assigned_ns;
        if (settled_ns > progress->last_settled_ns)
            progress->last_settled_ns = settled_ns;
        progress->records += atomic_load_explicit(&status->records, memory_order_relaxed);
        progress->slots += atomic_load_explicit(&status->slots, memory_order_relaxed);
        progress->held += atomic_load_explicit(&status->held, memory_order_relaxed);
        progress->drain_timed_out |= atomic_load_explicit(&status->drain_timed_out, memory_order_relaxed);
    }
}

uint32_t
of_pipeline_loads(const struct of_pipeline *pipeline, struct of_stage_load *loads, uint32_t room)
{
    uint32_t count = 0;
    for (enum stage stage = FETCH; stage < STAGES; stage++)
        for (uint32_t i = 0; i < pipeline->counts[stage] && count < room; i++)
            loads[count++] = (struct of_stage_load) {
                .stage = stages[stage].name,
                .instance = i,
                .busy_ns = of_counter_read(&pipeline->instances[stage][i].port.stats.busy_ns),
            };
    return count;
}

bool
of_pipeline_lane(const struct of_pipeline *pipeline, uint32_t lane, struct of_pipeline_lane *out)
{
    if (lane >= pipeline->lanes)
        return false;
    struct of_fetch *fetch = fetch_of(pipeline, lane);
    *out = (struct of_pipeline_lane) {
        .phase = phase_of(pipeline, lane),
        .slots = atomic_load_explicit(&of_fetch_status(fetch)->slots, memory_order_relaxed),
        .board = of_fetch_board(fetch),
    };
    return true;
}

bool
of_pipeline_part(const struct of_pipeline *pipeline, uint32_t index, struct of_pipeline_part *out)
{
    for (enum stage stage = FETCH; stage < STAGES; index -= pipeline->counts[stage++])
        if (index < pipeline->counts[stage]) {
            const struct of_port *port = &pipeline->instances[stage][index].port;
            *out = (struct of_pipeline_part) { port->ops, port->instance, &port->stats, port->stage };
            return true;
        }
    return false;
}

bool
of_pipeline_ring(const struct of_pipeline *pipeline, uint32_t index, struct of_pipeline_ring *out)
{
    if (index >= pipeline->wire_count)
        return false;
    const struct wire *wire = &pipeline->wires[index];
    *out = (struct of_pipeline_ring) {
        .from = stages[edges[wire->edge].from].name,
        .to = stages[edges[wire->edge].to].name,
        .lane = wire->lane,
        .from_instance = wire->from,
        .to_instance = wire->to,
        .used = of_ring_count(wire->ring),
        .capacity = wire->capacity,
    };
    return true;
}

uint32_t
of_pipeline_chunks(const struct of_pipeline *pipeline)
{
    return pipeline->chunks;
}

const char *
of_pipeline_thread(const struct of_pipeline *pipeline, uint32_t index, int64_t *turned_ns)
{
    if (index >= pipeline->crew_count)
        return NULL;
    *turned_ns = atomic_load_explicit(&pipeline->crews[index]->turned_ns, memory_order_relaxed);
    return pipeline->crews[index]->name;
}

static void
add_table(const struct of_pipeline *pipeline, const struct of_table *table, const struct of_letter_counts *letters,
          struct of_totals *totals)
{
    totals->retry_attempts += letters->retries;
    totals->dead_letters += letters->dead_letters;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct of_aggregate *aggregate = &table->rows[i].aggregate;
        if (aggregate->count == 0)
            continue;
        totals->orders_processed += aggregate->count;
        of_exact_sum_merge(&totals->sum, &aggregate->sum);
        struct of_totals_row *row = of_totals_add_row(
            totals, of_groups_name(pipeline->options.groups, table->rows[i].group));
        row->orders_processed = aggregate->count;
        of_exact_sum_copy(&row->sum, &aggregate->sum);
    }
    of_totals_sort(totals);
}

static void
add_totals(const struct of_pipeline *pipeline, struct of_totals *totals,
           void (*add_lane)(struct of_ledger *ledger, struct of_table *table, struct of_letter_counts *letters))
{
    struct of_table table;
    struct of_letter_counts letters = { 0 };
    of_table_init(&table);
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        add_lane(of_fetch_ledger(fetch_of(pipeline, lane)), &table, &letters);
    add_table(pipeline, &table, &letters, totals);
    of_table_fini(&table);
}

void
of_pipeline_add_run_totals(const struct of_pipeline *pipeline, struct of_totals *totals)
{
    add_totals(pipeline, totals, of_ledger_add_run);
}

void
of_pipeline_add_run_sum(const struct of_pipeline *pipeline, struct of_totals *totals)
{
    struct of_aggregate sum;
    struct of_letter_counts letters = { 0 };
    of_aggregate_init(&sum);
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        of_ledger_add_run_sum(of_fetch_ledger(fetch_of(pipeline, lane)), &sum, &letters);
    totals->orders_processed += sum.count;
    totals->retry_attempts += letters.retries;
    totals->dead_letters += letters.dead_letters;
    of_exact_sum_merge(&totals->sum, &sum.sum);
    of_aggregate_fini(&sum);
}

void
of_pipeline_add_totals(const struct of_pipeline *pipeline, struct of_totals *totals)
{
    add_totals(pipeline, totals, of_ledger_add_total);
}

void
of_pipeline_print_wiring(const struct of_pipeline *pipeline, FILE *out)
{
    fprintf(out, "threads\n");
    for (uint32_t i = 0; i < pipeline->crew_count; i++) {
        const struct of_crew *crew = pipeline->crews[i];
        fprintf(out, "  %-14s runs", crew->name);
        for (uint32_t a = 0; a < crew->agent_count; a++)
            fprintf(out, " %s[%u]", crew->agents[a]->ops->name, crew->agents[a]->instance);
        fprintf(out, ", waits on %s\n", crew->bell.kind == OF_BELL_FD ? "an eventfd" : "a futex");
    }
    fprintf(out, "edges\n  %-5s %-15s %-15s %8s  %s\n", "lane", "from", "to", "capacity", "carries");
    for (uint32_t i = 0; i < pipeline->wire_count; i++) {
        const struct wire *wire = &pipeline->wires[i];
        char from[24], to[24];
        snprintf(from, sizeof from, "%s[%u]", stages[edges[wire->edge].from].name, wire->from);
        snprintf(to, sizeof to, "%s[%u]", stages[edges[wire->edge].to].name, wire->to);
        fprintf(out, "  %-5u %-15s %-15s %8u  %s\n", wire->lane, from, to, wire->capacity,
                edges[wire->edge].carries);
    }
}

/* ---- its state, for people ---- */

enum { HELD_DUMPED = 200, DUMP_MS = 1000 }; /* of one lane; how long threads have to answer */

static double
seconds(int64_t ns)
{
    return (double)ns / (double)OF_SECOND_NS;
}

/* Held partitions with their texts, as the readiness check tells them. */
static uint32_t
dump_held(const struct of_pipeline *pipeline, FILE *out)
{
    uint32_t total = 0;
    struct of_held *held = of_alloc_array(HELD_DUMPED, sizeof *held);
    int64_t wall_ms = of_clock_wall_ms(pipeline->options.clock);
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        uint32_t count = of_board_list(of_fetch_board(fetch_of(pipeline, lane)), held, HELD_DUMPED);
        for (uint32_t i = 0; i < count; i++)
            fprintf(out, "  %s %" PRId32 " is held at offset %" PRId64 " since %.1f s%s: %s (%s)\n", held[i].topic,
                    held[i].partition, held[i].offset, (double)(wall_ms - held[i].since_ms) / 1000,
                    held[i].reading_since_ns != 0 ? ", and is being tried" : "", held[i].text,
                    of_cause_name(held[i].cause));
        total += count;
    }
    free(held);
    return total;
}

static uint32_t
dump_phases(const struct of_pipeline *pipeline, FILE *out)
{
    uint32_t count = 0;
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        if (phase_of(pipeline, lane) != OF_FETCH_READING) {
            fprintf(out, "  lane %u is %s\n", lane, of_fetch_phase_name(phase_of(pipeline, lane)));
            count++;
        }
    return count;
}

/* A ring that is nearly full: who takes from it is what the others wait for. */
static uint32_t
dump_full_rings(const struct of_pipeline *pipeline, FILE *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pipeline->wire_count; i++) {
        const struct wire *wire = &pipeline->wires[i];
        uint32_t usual = edges[wire->edge].from == FETCH ? pipeline->chunks : BATCHES_PER_LANE;
        if (edges[wire->edge].kind != FORWARD || of_ring_count(wire->ring) < usual * 3 / 4)
            continue;
        fprintf(out, "  lane %u: the others wait for %s[%u], which has %u items before it\n", wire->lane,
                stages[edges[wire->edge].to].name, wire->to, of_ring_count(wire->ring));
        count++;
    }
    return count;
}

static void
dump_rings(const struct of_pipeline *pipeline, FILE *out)
{
    fprintf(out, "\nrings\n  %-5s %-15s %-15s %8s %8s  %s\n", "lane", "from", "to", "items", "capacity", "carries");
    for (uint32_t i = 0; i < pipeline->wire_count; i++) {
        const struct wire *wire = &pipeline->wires[i];
        char from[24], to[24];
        snprintf(from, sizeof from, "%s[%u]", stages[edges[wire->edge].from].name, wire->from);
        snprintf(to, sizeof to, "%s[%u]", stages[edges[wire->edge].to].name, wire->to);
        fprintf(out, "  %-5u %-15s %-15s %8u %8u  %s\n", wire->lane, from, to, of_ring_count(wire->ring),
                wire->capacity, edges[wire->edge].carries);
    }
}

/* The crew's answer, to be freed; NULL: it has not turned by the deadline. */
static char *
await_answer(struct of_pipeline *pipeline, struct of_crew *crew, uint32_t number, int64_t deadline_ns)
{
    const struct timespec pause = { .tv_nsec = OF_MS_NS };
    int64_t never_ns = OF_NEVER_NS;
    if (!pipeline->options.threads)
        of_crew_turn(crew, &never_ns);
    for (;;) {
        char *text = of_crew_answer(crew, number);
        if (text != NULL || !pipeline->options.threads || of_clock_mono_ns(pipeline->options.clock) >= deadline_ns)
            return text;
        nanosleep(&pause, NULL);
    }
}

static void
dump_crew(struct of_pipeline *pipeline, uint32_t index, uint32_t number, int64_t deadline_ns, FILE *out)
{
    struct of_crew *crew = pipeline->crews[index];
    int64_t turned_ns = atomic_load_explicit(&crew->turned_ns, memory_order_relaxed);
    char *text = await_answer(pipeline, crew, number, deadline_ns);
    fprintf(out, "\nthread %s\n", crew->name);
    if (text != NULL)
        fputs(text, out);
    else if (turned_ns == 0)
        fprintf(out, "  does not run\n");
    else
        fprintf(out, "  does not answer: its last turn ended %.1f s ago, and it is in a call since\n",
                seconds(of_clock_mono_ns(pipeline->options.clock) - turned_ns));
    free(text);
}

void
of_pipeline_dump(struct of_pipeline *pipeline, FILE *out)
{
    uint32_t *numbers = of_alloc_array(pipeline->crew_count, sizeof *numbers);
    for (uint32_t i = 0; i < pipeline->crew_count; i++)
        numbers[i] = of_crew_ask(pipeline->crews[i]);
    fprintf(out, "what stands in the way\n");
    uint32_t found = dump_phases(pipeline, out);
    found += dump_held(pipeline, out);
    found += dump_full_rings(pipeline, out);
    if (found == 0)
        fprintf(out, "  nothing\n");
    int64_t deadline_ns = of_clock_mono_ns(pipeline->options.clock) + DUMP_MS * OF_MS_NS;
    for (uint32_t i = 0; i < pipeline->crew_count; i++)
        dump_crew(pipeline, i, numbers[i], deadline_ns, out);
    dump_rings(pipeline, out);
    free(numbers);
}
