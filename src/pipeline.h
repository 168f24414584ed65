/* The pipeline: which stages there are, what connects them, in what order they start, drain and stop.
 *
 * This is the only place that knows all stages. Two tables in pipeline.c say everything: the stages in their order, and
 * the kinds of edges between them; the rest follows from the number of lanes and threads.
 *
 *   fetch-threads      L lanes: a fetch thread and a publish thread each, with a source and a sink of their own
 *   decode-, process-, aggregate-threads
 *                      0: the stage runs inside the one before it, one instance per instance of that
 *
 * With threads == false nothing is started: of_pipeline_turn runs everything on the caller's thread, under its clock.
 *
 *   create, start, turn, finish, destroy   one thread, in that order
 *   stop, state, and what can be seen      any thread, between create and destroy */
#ifndef OF_PIPELINE_H
#define OF_PIPELINE_H

#include <stdio.h>

#include "core/agent.h"
#include "core/sink.h"
#include "core/source.h"
#include "ops/measured.h"
#include "ops/totals.h"
#include "order/groups.h"
#include "order/restorer.h"
#include "registry/cache.h"
#include "stages/fetch.h"
#include "stages/process.h"
#include "stages/publish.h"

struct of_pipeline_options {
    uint32_t fetch_threads; /* 1 to OF_THREADS_PER_STAGE; the others 0 to OF_THREADS_PER_STAGE */
    uint32_t decode_threads, process_threads, aggregate_threads;
    bool threads; /* false: of_pipeline_turn does the work */
    const struct of_clock *clock;
    const struct of_source *sources; /* one per lane; the pipeline's, to close, once create has succeeded */
    const struct of_sink *sinks;     /* the same */
    const struct of_restorer *restorers; /* the same */
    const struct of_listener *listeners;         /* one per lane, for records; NULL: nobody listens */
    struct of_event_queue *const *partition_events; /* one per lane; NULL: nobody listens */
    bool quiet; /* who listens shows the events of partitions where the log goes, so that it need not */
    struct of_groups *groups;
    struct of_schema_cache *schemas;
    struct of_slice group; /* consumer group */
    const _Atomic int64_t *state_schema_id;      /* of the aggregates topic's values; negative: not known yet */
    struct of_slice value_field, group_by_field; /* recorded with the state */
    uint32_t max_retries;
    int64_t retry_delay_ms;
    int64_t commit_interval_ms;
    int64_t drain_timeout_ms;
    bool (*stopping)(void); /* start waits for brokers until this is true; NULL: it does not wait */
    size_t memory_bytes; /* of records in flight, in all lanes together */
    uint32_t letters_in_flight; /* per lane, at most */
    struct of_process_options process;
    bool measure; /* what a scrape or the dashboard wants to know beyond counters; costs less than 1 % */
};

enum of_pipeline_state {
    OF_PIPELINE_RUNNING,
    OF_PIPELINE_LEFT,   /* all lanes have drained and left their group */
    OF_PIPELINE_FAILED, /* a lane cannot go on; of_pipeline_error says why */
};

struct of_pipeline;

/* Builds everything, starts nothing. OF_FATAL when the counts are out of range or the system refuses. */
OF_MUST_USE enum of_status of_pipeline_create(const struct of_pipeline_options *options, struct of_pipeline **out,
                                              struct of_error *err);
/* Starts sources, sinks and threads. After a failure only destroy may be called. */
OF_MUST_USE enum of_status of_pipeline_start(struct of_pipeline *pipeline, struct of_error *err);

/* threads == false: one turn of everything. Returns how much was done. */
uint32_t of_pipeline_turn(struct of_pipeline *pipeline, int64_t *deadline_ns);

/* Asks every lane to drain, commit and leave. Returns at once. */
void of_pipeline_stop(struct of_pipeline *pipeline);

/* Other values for what may change while it runs; the stages take them at their next turn. A retry record that waits
 * already waits no longer than the new delay from then on. One thread at a time. */
void of_pipeline_tune(struct of_pipeline *pipeline, int64_t commit_interval_ms, int64_t retry_delay_ms,
                      double failure_rate);

/* Wakes every lane: something that they wait for outside of their rings has changed. */
void of_pipeline_wake(struct of_pipeline *pipeline);

enum of_pipeline_state of_pipeline_state(const struct of_pipeline *pipeline);
/* Why it FAILED; whether because another instance has the same identity. */
const char *of_pipeline_error(const struct of_pipeline *pipeline, bool *fenced);

/* Ends the threads, whatever state it is in. Waits for the turn that each is in. */
void of_pipeline_finish(struct of_pipeline *pipeline);
void of_pipeline_destroy(struct of_pipeline **pipeline);

/* ---- what can be seen ---- */

/* Totals that include what is restored and what is not committed yet. totals->sum is initialised by the call; the caller ends it. */
void of_pipeline_live(const struct of_pipeline *pipeline, struct of_live_totals *totals);

struct of_pipeline_progress {
    int64_t first_assigned_ns; /* monotonic; 0: nothing assigned yet */
    int64_t last_settled_ns;
    int64_t behind;   /* records between committed offsets and the ends of partitions; -1: not known */
    uint64_t records; /* read, retries and re-reads included */
    int64_t committed; /* sum of the committed offsets of all partitions assigned */
    uint64_t retries;  /* retry records handed over since the start; at least those of orders below `committed` */
    uint32_t slots, held;
    bool drain_timed_out;
};
void of_pipeline_progress(const struct of_pipeline *pipeline, struct of_pipeline_progress *progress);

/* How much every instance of every stage has worked so far, stage by stage. Returns how many, `room` at most. */
uint32_t of_pipeline_loads(const struct of_pipeline *pipeline, struct of_stage_load *loads, uint32_t room);

/* One lane as it is now; false: there is no such lane. */
struct of_pipeline_lane {
    enum of_fetch_phase phase;
    uint32_t slots;         /* partitions assigned */
    struct of_board *board; /* which of them are held, and why */
};
bool of_pipeline_lane(const struct of_pipeline *pipeline, uint32_t lane, struct of_pipeline_lane *out);

/* One instance of a stage, stage by stage; false: there are no more. */
struct of_pipeline_part {
    const struct of_stage_ops *ops; /* say which stage */
    uint32_t instance;
    const struct of_agent_stats *stats;
    void *self; /* the stage's own: for what its header lets any thread do */
};
bool of_pipeline_part(const struct of_pipeline *pipeline, uint32_t index, struct of_pipeline_part *out);

/* One ring between two instances; false: there are no more. */
struct of_pipeline_ring {
    const char *from, *to; /* stages */
    uint32_t lane, from_instance, to_instance;
    uint32_t used, capacity; /* items */
};
bool of_pipeline_ring(const struct of_pipeline *pipeline, uint32_t index, struct of_pipeline_ring *out);

/* Chunks that each lane has. */
uint32_t of_pipeline_chunks(const struct of_pipeline *pipeline);

/* Adds all that is measured to what is empty. Any thread; ops/measured.h says what it is and costs. */
void of_pipeline_measure(const struct of_pipeline *pipeline, struct of_measured *measured);

/* The same of two histograms alone. */
void of_pipeline_latencies(const struct of_pipeline *pipeline, struct of_histogram_view *age,
                           struct of_histogram_view *commit);

/* The name of a thread and when it last ended a turn (0: it does not run); NULL: there is no such thread. A thread that
 * has nothing to do turns ten times a second. */
const char *of_pipeline_thread(const struct of_pipeline *pipeline, uint32_t index, int64_t *turned_ns);

/* What this process has committed so far, and what is committed of the partitions that are owned, by whichever process;
 * rows in no order. Holds up commits for some 20 ns per group and, of the total, partition. totals is initialised; names
 * in it live as long as the dictionary of groups. */
void of_pipeline_add_run_totals(const struct of_pipeline *pipeline, struct of_totals *totals);
void of_pipeline_add_totals(const struct of_pipeline *pipeline, struct of_totals *totals);

/* The same without products, and without holding up anything, however many there are. */
void of_pipeline_add_run_sum(const struct of_pipeline *pipeline, struct of_totals *totals);
void of_pipeline_add_total_sum(const struct of_pipeline *pipeline, struct of_totals *totals);

/* The state of everything, for people: what stands in the way; every thread with what its stages hold and wait for, all
 * partitions with position, committed offset, end, epoch and why they wait; every ring. Each crew tells its own between
 * two turns; one that does not turn is named. Blocks for a second at most. Any thread; without threads the one that turns. */
void of_pipeline_dump(struct of_pipeline *pipeline, FILE *out);

/* Threads, the stages on them, and every edge with its kind and capacity. */
void of_pipeline_print_wiring(const struct of_pipeline *pipeline, FILE *out);

#endif
