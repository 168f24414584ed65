/* The lanes, stages, rings and threads one by one, for whoever shows them. */
#include "pipeline_private.h"

uint32_t
of_pipeline_loads(const struct of_pipeline *pipeline, struct of_stage_load *loads, uint32_t room)
{
    uint32_t count = 0;
    for (enum of_stage stage = OF_FETCH; stage < OF_STAGES; stage++)
        for (uint32_t i = 0; i < pipeline->counts[stage] && count < room; i++)
            loads[count++] = (struct of_stage_load) {
                .stage = of_stage_rows[stage].name,
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
    struct of_fetch *fetch = of_pipeline_fetch(pipeline, lane);
    *out = (struct of_pipeline_lane) {
        .phase = of_pipeline_phase(pipeline, lane),
        .slots = atomic_load_explicit(&of_fetch_status(fetch)->slots, memory_order_relaxed),
        .board = of_fetch_board(fetch),
    };
    return true;
}

bool
of_pipeline_part(const struct of_pipeline *pipeline, uint32_t index, struct of_pipeline_part *out)
{
    for (enum of_stage stage = OF_FETCH; stage < OF_STAGES; index -= pipeline->counts[stage++])
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
    const struct of_wire *wire = &pipeline->wires[index];
    *out = (struct of_pipeline_ring) {
        .from = of_stage_rows[of_wire_edge(wire)->from].name,
        .to = of_stage_rows[of_wire_edge(wire)->to].name,
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
