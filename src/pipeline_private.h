/* What the pipeline is made of, between the files that it consists of:
 *
 *   pipeline.c          the wiring: which stages and edges there are, building them, taking them apart
 *   pipeline_run.c      starting, turning, stopping, and how it is going
 *   pipeline_totals.c   how many orders are through, and what they come to
 *   pipeline_parts.c    its lanes, stages, rings and threads one by one, for whoever shows them
 *   pipeline_measure.c  all that is measured, gathered from these
 *   pipeline_dump.c     its wiring and its state, for people
 *
 * pipeline.c builds what is here before anything has started; from then on it stays as it is, but for what is atomic,
 * and any thread may read it. */
#ifndef OF_PIPELINE_PRIVATE_H
#define OF_PIPELINE_PRIVATE_H

#include "core/crew.h"
#include "pipeline.h"

/* ---- the wiring, as tables ---- */

enum of_stage { OF_FETCH, OF_DECODE, OF_PROCESS, OF_AGGREGATE, OF_PUBLISH, OF_STAGES };

/* By stage, in the order in which orders pass them. */
struct of_stage_row {
    const char *name;
    const struct of_stage_ops *ops;
    bool per_lane; /* one instance per lane, always on a thread of its own that can wait for file descriptors */
    bool lends;    /* its crew is lent to others while it sleeps: it hardly ever waits */
};
extern const struct of_stage_row of_stage_rows[OF_STAGES];

enum of_edge_kind { OF_EDGE_FORWARD, OF_EDGE_HOME_BATCH, OF_EDGE_HOME_FETCH };

enum { OF_EDGES = 7 };

struct of_edge_row {
    enum of_stage from, to;
    enum of_edge_kind kind;
    const char *carries;
};
extern const struct of_edge_row of_edge_rows[OF_EDGES];

/* Of each decode instance. Enough for five stages to work beside each other though each pauses at times, few enough to stay in
 * the cache: with 32 a drain is a tenth slower, with 256 no faster. */
enum { OF_BATCHES_PER_LANE = 128 };

/* ---- what is built from them ---- */

/* One ring that exists. */
struct of_wire {
    uint32_t edge; /* row of of_edge_rows */
    uint32_t lane, from, to;
    uint32_t capacity;
    struct of_ring *ring;
};

struct of_instance {
    struct of_port port;
    struct of_crew *crew;
};

struct of_pipeline {
    struct of_pipeline_options options;
    struct of_tuning tuning;
    struct of_gone gone;
    uint32_t lanes;
    uint32_t chunks; /* per lane */
    bool inside[OF_STAGES]; /* runs inside the stage before */
    uint32_t counts[OF_STAGES];
    struct of_instance *instances[OF_STAGES];
    struct of_crew **crews;
    uint32_t crew_count;
    struct of_wire *wires;
    uint32_t wire_count;
    bool complete; /* from then on the sources and sinks are its to close */
};

/* ---- whose each is ---- */

static inline const struct of_edge_row *
of_wire_edge(const struct of_wire *wire)
{
    return &of_edge_rows[wire->edge];
}

static inline struct of_fetch *
of_pipeline_fetch(const struct of_pipeline *pipeline, uint32_t lane)
{
    return pipeline->instances[OF_FETCH][lane].port.stage;
}

static inline const struct of_fetch_status *
of_pipeline_status(const struct of_pipeline *pipeline, uint32_t lane)
{
    return of_fetch_status(of_pipeline_fetch(pipeline, lane));
}

static inline struct of_publish *
of_pipeline_publish(const struct of_pipeline *pipeline, uint32_t lane)
{
    return pipeline->instances[OF_PUBLISH][lane].port.stage;
}

/* Acquires what the fetch thread wrote before it entered the phase. */
static inline enum of_fetch_phase
of_pipeline_phase(const struct of_pipeline *pipeline, uint32_t lane)
{
    return (enum of_fetch_phase)atomic_load_explicit(&of_pipeline_status(pipeline, lane)->phase, memory_order_acquire);
}

#endif
