/* The wiring: which stages and edges there are, who serves which lane, building all of it and taking it apart. */
#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"
#include "pipeline_private.h"
#include "stages/aggregate.h"
#include "stages/decode.h"

enum {
    BATCHES_ASIDE = 1024, /* of each decode instance: what comes in while a transaction ends, which takes some 20 ms */
    BATCHES_MOST = OF_BATCHES_PER_LANE + BATCHES_ASIDE,
    RECORD_BYTES = 400, /* what a small record costs in a source, rounded up */
    CHUNKS_LEAST = 8,
    CHUNKS_MOST = 128,
};

static const int64_t BARRIER_LIMIT_NS = 10 * OF_SECOND_NS; /* that a barrier may take to go through a lane */

/* ---- the tables ---- */

const struct of_stage_row of_stage_rows[OF_STAGES] = {
    [OF_FETCH] = { "fetch", &of_fetch_stage, .per_lane = true },
    [OF_DECODE] = { "decode", &of_decode_stage, .lends = true },
    [OF_PROCESS] = { "process", &of_process_stage, .lends = true },
    [OF_AGGREGATE] = { "aggregate", &of_aggregate_stage, .lends = true },
    [OF_PUBLISH] = { "publish", &of_publish_stage, .per_lane = true, .lends = true },
};

const struct of_edge_row of_edge_rows[OF_EDGES] = {
    { OF_FETCH, OF_DECODE, OF_EDGE_FORWARD, "chunks, opens, barriers" },
    { OF_DECODE, OF_PROCESS, OF_EDGE_FORWARD, "batches, opens, barriers" },
    { OF_PROCESS, OF_AGGREGATE, OF_EDGE_FORWARD, "batches, opens, barriers" },
    { OF_AGGREGATE, OF_PUBLISH, OF_EDGE_FORWARD, "batches, opens, barriers" },
    { OF_PUBLISH, OF_DECODE, OF_EDGE_HOME_BATCH, "batches home" },
    { OF_DECODE, OF_FETCH, OF_EDGE_HOME_FETCH, "chunks home" },
    { OF_PUBLISH, OF_FETCH, OF_EDGE_HOME_FETCH, "barriers, opens, notices home" },
};

/* ---- who serves which lane ---- */

/* Instances of a stage that a lane passes through: [first, first + count). A stage inside another has the lanes of that
 * one; otherwise all instances serve all lanes. */
static void
lane_instances(const struct of_pipeline *pipeline, enum of_stage stage, uint32_t lane, uint32_t *first, uint32_t *count)
{
    while (pipeline->inside[stage])
        stage--;
    *first = of_stage_rows[stage].per_lane ? lane : 0;
    *count = of_stage_rows[stage].per_lane ? 1 : pipeline->counts[stage];
}

/* Whether an edge of this kind connects these instances in this lane, which both serve. */
static bool
connects(const struct of_pipeline *pipeline, uint32_t edge, uint32_t from, uint32_t to)
{
    return of_edge_rows[edge].kind != OF_EDGE_FORWARD || !pipeline->inside[of_edge_rows[edge].to] || from == to;
}

/* All that can ever be in it at once. */
static uint32_t
capacity(const struct of_pipeline *pipeline, uint32_t edge)
{
    const uint32_t barrier = 1;
    const enum of_stage from = of_edge_rows[edge].from;
    switch (of_edge_rows[edge].kind) {
    case OF_EDGE_FORWARD: return (from == OF_FETCH ? pipeline->chunks : BATCHES_MOST * pipeline->counts[OF_DECODE])
                                 + OF_LANE_SLOTS + barrier;
    case OF_EDGE_HOME_BATCH: return BATCHES_MOST;
    case OF_EDGE_HOME_FETCH: return from == OF_DECODE ? pipeline->chunks : 3 * OF_LANE_SLOTS + barrier;
    }
    return 0;
}

/* ---- building ---- */

static void *
make_stage(struct of_pipeline *pipeline, enum of_stage stage, uint32_t instance)
{
    const struct of_pipeline_options *options = &pipeline->options;
    switch (stage) {
    case OF_FETCH:
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
    case OF_DECODE:
        return of_decode_create(&(struct of_decode_options) {
            .instance = instance,
            .lanes = pipeline->lanes,
            .batches_per_lane = OF_BATCHES_PER_LANE,
            .aside_per_lane = BATCHES_ASIDE,
            .clock = options->clock,
            .group = options->group,
            .groups = options->groups,
            .schemas = options->schemas,
            .measure = options->measure,
        });
    case OF_PROCESS: return of_process_create(&options->process);
    case OF_AGGREGATE: return of_aggregator_create(instance, pipeline->lanes);
    case OF_PUBLISH:
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
    case OF_STAGES: break;
    }
    return NULL;
}

static void
destroy_stage(enum of_stage stage, void *self)
{
    switch (stage) {
    case OF_FETCH: of_fetch_destroy(&(struct of_fetch *) { self }); break;
    case OF_DECODE: of_decode_destroy(&(struct of_decode *) { self }); break;
    case OF_PROCESS: of_process_destroy(&(struct of_process *) { self }); break;
    case OF_AGGREGATE: of_aggregator_destroy(&(struct of_aggregator *) { self }); break;
    case OF_PUBLISH: of_publish_destroy(&(struct of_publish *) { self }); break;
    case OF_STAGES: break;
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
    of_crew_set_thread_calls(crew, of_schema_cache_enter, of_schema_cache_leave); /* decode reads schemas */
    pipeline->crews = of_realloc_array(pipeline->crews, pipeline->crew_count + 1, sizeof(struct of_crew *));
    pipeline->crews[pipeline->crew_count++] = crew;
    *out = crew;
    return OF_OK;
}

/* Where an instance runs: with all others when there are no threads, inside the stage before, or on its own. */
static enum of_status
find_crew(struct of_pipeline *pipeline, enum of_stage stage, uint32_t instance, struct of_crew **out,
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
    snprintf(name, sizeof name, "%s-%u", of_stage_rows[stage].name, instance);
    enum of_status status = add_crew(pipeline, pipeline->options.threads ? name : "all",
                                     of_stage_rows[stage].per_lane ? OF_BELL_FD : OF_BELL_FUTEX, out, err);
    if (status == OF_OK && of_stage_rows[stage].lends)
        of_crew_lend(*out);
    return status;
}

static enum of_status
find_crews(struct of_pipeline *pipeline, struct of_error *err)
{
    for (enum of_stage stage = OF_FETCH; stage < OF_STAGES; stage++) {
        pipeline->instances[stage] = of_alloc_array(pipeline->counts[stage], sizeof(struct of_instance));
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
    for (enum of_stage stage = OF_FETCH; stage < OF_STAGES; stage++)
        for (uint32_t i = 0; i < pipeline->counts[stage]; i++) {
            struct of_instance *instance = &pipeline->instances[stage][i];
            of_agent_init(&instance->port, of_stage_rows[stage].ops, make_stage(pipeline, stage, i), i,
                          pipeline->lanes);
            of_crew_add(instance->crew, &instance->port);
        }
}

static void
add_wire(struct of_pipeline *pipeline, uint32_t edge, uint32_t lane, uint32_t from, uint32_t to)
{
    struct of_instance *sender = &pipeline->instances[of_edge_rows[edge].from][from];
    struct of_instance *receiver = &pipeline->instances[of_edge_rows[edge].to][to];
    struct of_wire wire = { edge, lane, from, to, capacity(pipeline, edge), of_alloc_lines(sizeof(struct of_ring)) };
    of_ring_init(wire.ring, wire.capacity);
    pipeline->wires = of_realloc_array(pipeline->wires, pipeline->wire_count + 1, sizeof wire);
    pipeline->wires[pipeline->wire_count++] = wire;
    switch (of_edge_rows[edge].kind) {
    case OF_EDGE_FORWARD:
        of_agent_add_forward(&sender->port, lane, wire.ring, receiver->crew);
        of_agent_add_input(&receiver->port, lane, wire.ring);
        return;
    case OF_EDGE_HOME_BATCH:
        of_agent_add_home_batch(&sender->port, lane, to, wire.ring, receiver->crew);
        break;
    case OF_EDGE_HOME_FETCH:
        of_agent_set_home_fetch(&sender->port, lane, wire.ring, receiver->crew);
        break;
    }
    of_agent_add_homecoming(&receiver->port, wire.ring);
}

static void
make_wires(struct of_pipeline *pipeline)
{
    for (uint32_t edge = 0; edge < OF_EDGES; edge++)
        for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
            uint32_t from, from_count, to, to_count;
            lane_instances(pipeline, of_edge_rows[edge].from, lane, &from, &from_count);
            lane_instances(pipeline, of_edge_rows[edge].to, lane, &to, &to_count);
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
    const uint32_t threads[OF_STAGES] = {
        [OF_FETCH] = options->fetch_threads,
        [OF_DECODE] = options->decode_threads,
        [OF_PROCESS] = options->process_threads,
        [OF_AGGREGATE] = options->aggregate_threads,
        [OF_PUBLISH] = options->fetch_threads,
    };
    for (enum of_stage stage = OF_FETCH; stage < OF_STAGES; stage++)
        if (threads[stage] > OF_THREADS_PER_STAGE || (threads[stage] == 0 && of_stage_rows[stage].per_lane))
            return of_error_set(err, OF_FATAL, "%u threads for the %s stage: %s to %d are possible", threads[stage],
                                of_stage_rows[stage].name, of_stage_rows[stage].per_lane ? "1" : "0",
                                OF_THREADS_PER_STAGE);

    struct of_pipeline *pipeline = of_alloc(sizeof *pipeline);
    pipeline->options = *options;
    of_gone_init(&pipeline->gone);
    pipeline->options.process.tuning = &pipeline->tuning;
    of_pipeline_tune(pipeline, options->commit_interval_ms, options->retry_delay_ms, options->process.failure_rate);
    pipeline->lanes = options->fetch_threads;
    pipeline->chunks = chunks_per_lane(options);
    for (enum of_stage stage = OF_FETCH; stage < OF_STAGES; stage++) {
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
    for (enum of_stage stage = OF_FETCH; pipeline->complete && stage < OF_STAGES; stage++)
        for (uint32_t i = 0; i < pipeline->counts[stage]; i++) {
            struct of_port *port = &pipeline->instances[stage][i].port;
            destroy_stage(stage, port->stage);
            of_agent_fini(port);
        }
    for (enum of_stage stage = OF_FETCH; stage < OF_STAGES; stage++)
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
