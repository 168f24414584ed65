/* Everything that is measured of a run, at one moment: what /metrics, /api/stats and the dashboard are rendered from.
 *
 * Who writes what it is read from: every number is kept by one thread at a time, whichever turns the stage it belongs to, in an atomic
 * that nobody else writes, and read here without making it wait. Exceptions, with a mutex taken a few times a second and never per
 * record: positions and held partitions (fetch, stages/positions.h, board.h), committed totals (fetch, stages/ledger.h),
 * the last dead letters (publish, stages/recent.h), librdkafka's numbers (kafka/statistics.h). Numbers of different stages
 * are not of exactly the same instant; a count and its sum are.
 *
 * Units: seconds are double, durations in histograms nanoseconds, wall times milliseconds since 1970, sizes bytes.
 * Counters count from the start of the process; unless said otherwise they never step back.
 * Owner: the caller's memory, init to fini. Threads: one at a time. Cost of filling it: some 50 us, and 50 ns per product and partition,
 * during half of which commits wait. */
#ifndef OF_OPS_MEASURED_H
#define OF_OPS_MEASURED_H

#include "core/histogram.h"
#include "kafka/statistics.h"
#include "ops/totals.h"
#include "order/cause.h"
#include "order/event.h"
#include "registry/client.h"

enum {
    OF_MEASURED_ATTEMPTS = 8, /* retries are counted by attempt up to here; the last stands for all beyond */
    OF_MEASURED_OUTCOMES = 5, /* of commits */
    OF_MEASURED_STAGES = 5,
    OF_MEASURED_LETTERS = 16, /* the last dead letters */
};

extern const char *const of_measured_outcomes[OF_MEASURED_OUTCOMES]; /* "written", "committed", ... */

/* One instance of a stage. */
struct of_measured_stage {
    const char *stage;
    uint32_t instance;
    uint64_t items;   /* chunks, batches and barriers taken */
    uint64_t refused; /* times it could not take one, for want of room behind it */
    uint64_t busy_ns; /* in turns that did something; a thread that shares a processor may be busy and wait */
};

/* How long records take from being handed on by the stage before to being handed on, all instances together; measured for
 * a sample that stands for all. fetch has none. */
struct of_measured_latency {
    const char *stage;
    struct of_histogram_view view;
};

struct of_measured_ring {
    const char *from, *to;
    uint32_t lane, from_instance, to_instance;
    uint32_t used, capacity; /* items */
};

/* "chunks" of a lane, or "batches" of a decode instance. */
struct of_measured_pool {
    const char *pool;
    uint32_t instance;
    uint32_t used, capacity;
};

struct of_measured_partition {
    const char *topic;
    int32_t partition;
    uint32_t lane;
    bool retry;                   /* of the retry topic */
    int64_t read, committed, end; /* offsets; -1: not known */
    enum of_cause held;           /* OF_CAUSE_NONE: it is read */
};

/* A partition that is held, or was until a moment ago. */
struct of_measured_hold {
    const char *topic;
    int32_t partition;
    int64_t offset;
    enum of_cause cause;
    int64_t since_ms;
    bool trying; /* it is being read again */
    char text[OF_EVENT_TEXT_BYTES];
};

struct of_measured_lane {
    const char *phase; /* "joining", "reading", ... */
    uint32_t partitions, held;
    uint64_t records; /* read, retries and what was read again included */
    int64_t last_commit_ms; /* 0: never yet */
};

struct of_measured_client {
    const char *client; /* "consumer" or "producer" */
    uint32_t lane;
    struct of_kafka_numbers numbers;
};

struct of_measured {
    /* what runs; texts live as long as the run */
    const char *version, *instance, *group, *topic, *guarantee, *source; /* instance NULL: it has no fixed name */
    int64_t wall_ms, started_ms;
    int64_t took_ns;   /* gathering it */
    bool running; /* there is a pipeline; without one all below is empty */

    struct of_measured_stage *stages;
    uint32_t stage_count;
    struct of_measured_latency latencies[OF_MEASURED_STAGES]; /* stage NULL behind the last */
    struct of_measured_ring *rings;
    uint32_t ring_count;
    struct of_measured_pool *pools;
    uint32_t pool_count;
    struct of_measured_partition *partitions;
    uint32_t partition_count;
    struct of_measured_hold *holds;
    uint32_t hold_count;
    struct of_measured_lane *lanes;
    uint32_t lane_count;
    struct of_measured_client *clients;
    uint32_t client_count;
    struct of_event *letters; /* the newest first */
    uint32_t letter_count;

    uint64_t records; /* read */
    uint64_t retries[OF_MEASURED_ATTEMPTS];      /* element k: records that had failed k + 1 times */
    uint64_t dead_letters[OF_CAUSE_COUNT];       /* by cause */
    uint64_t holds_by_cause[OF_CAUSE_COUNT];     /* times a partition was stopped */
    struct of_histogram_view lateness;           /* of retries: from being due to being read */
    struct of_histogram_view age, retry_age;     /* from an order's timestamp to its being through; sampled */
    uint64_t commits[OF_MEASURED_OUTCOMES];
    struct of_histogram_view commit;             /* from everything before it being through to its end */
    uint64_t transactions_committed, transactions_aborted;
    struct of_histogram_view transaction;        /* from asking to commit one to its end */
    uint64_t assigned, revoked, lost;            /* assignments */
    uint64_t restored_rows;
    uint64_t registry[OF_REGISTRY_ANSWERS];      /* requests for schemas, by answer */
    uint64_t schemas_from_directory;
    struct of_histogram_view registry_request;

    /* totals, as docs/delivery.md names them */
    struct of_live_totals live; /* may step back */
    uint32_t products;          /* known; "(other)" counts as one */
    bool by_product;            /* the rows of run are there, and total; not when there are very many products */
    struct of_totals run, total; /* run never steps back; rows in no order, those of total only where they are wanted */
};

void of_measured_init(struct of_measured *measured);
void of_measured_fini(struct of_measured *measured);

/* Records that are there and not committed, of one partition or of all; -1: not known. */
int64_t of_measured_partition_lag(const struct of_measured_partition *partition);
int64_t of_measured_lag(const struct of_measured *measured);

/* Appends a zeroed element to one of the arrays above and returns it: of_measured_add(&m->stages, &m->stage_count, size). */
void *of_measured_add(void *array, uint32_t *count, size_t bytes);

#endif
