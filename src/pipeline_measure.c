/* Gathers what the stages measure: the one place that knows where each number is kept. */
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "pipeline.h"
#include "stages/aggregate.h"
#include "stages/decode.h"

_Static_assert((int)OF_MEASURED_ATTEMPTS == (int)OF_PUBLISH_ATTEMPTS, "retries by attempt");
_Static_assert((int)OF_MEASURED_OUTCOMES == (int)OF_BARRIER_OUTCOMES, "outcomes of commits");

enum { HOLDS_LISTED = 100 }; /* of one lane, at most */

#define ADD(measured, array, counter) of_measured_add(&(measured)->array, &(measured)->counter, sizeof *(measured)->array)

static void
add_counts(uint64_t *sums, const of_counter *counters, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sums[i] += of_counter_read(&counters[i]);
}

/* ---- by stage ---- */

static void
add_latency(struct of_measured *measured, const char *stage, const struct of_histogram *histogram)
{
    uint32_t i = 0;
    while (measured->latencies[i].stage != NULL && strcmp(measured->latencies[i].stage, stage) != 0)
        i++;
    OF_ASSERT(i < OF_MEASURED_STAGES);
    measured->latencies[i].stage = stage;
    of_histogram_add_to(histogram, &measured->latencies[i].view);
}

static void
add_positions(struct of_measured *measured, struct of_fetch *fetch)
{
    struct of_position *list = NULL;
    uint32_t count = 0;
    of_positions_append(of_fetch_positions(fetch), &list, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct of_measured_partition *partition = ADD(measured, partitions, partition_count);
        *partition = (struct of_measured_partition) {
            .topic = list[i].topic,
            .partition = list[i].partition,
            .lane = list[i].lane,
            .retry = list[i].role == OF_ROLE_RETRY,
            .read = list[i].read,
            .committed = list[i].committed,
            .end = list[i].end,
            .held = list[i].held ? (enum of_cause)list[i].cause : OF_CAUSE_NONE,
        };
    }
    free(list);
}

static void
add_holds(struct of_measured *measured, struct of_fetch *fetch)
{
    struct of_held *list = of_alloc_array(HOLDS_LISTED, sizeof *list);
    uint32_t count = of_board_list(of_fetch_board(fetch), list, HOLDS_LISTED);
    for (uint32_t i = 0; i < count; i++) {
        struct of_measured_hold *hold = ADD(measured, holds, hold_count);
        *hold = (struct of_measured_hold) {
            .topic = list[i].topic,
            .partition = list[i].partition,
            .offset = list[i].offset,
            .cause = list[i].cause,
            .since_ms = list[i].since_ms,
            .trying = list[i].reading_since_ns != 0,
        };
        memcpy(hold->text, list[i].text, sizeof hold->text);
    }
    free(list);
}

static void
add_fetch(const struct of_pipeline *pipeline, struct of_measured *measured, uint32_t lane, struct of_fetch *fetch)
{
    const struct of_fetch_status *status = of_fetch_status(fetch);
    struct of_measured_lane *own = ADD(measured, lanes, lane_count);
    own->phase = of_fetch_phase_name((enum of_fetch_phase)atomic_load_explicit(&status->phase, memory_order_acquire));
    own->partitions = atomic_load_explicit(&status->slots, memory_order_relaxed);
    own->held = atomic_load_explicit(&status->held, memory_order_relaxed);
    own->records = atomic_load_explicit(&status->records, memory_order_relaxed);
    own->last_commit_ms = atomic_load_explicit(&status->last_commit_ms, memory_order_relaxed);
    measured->records += own->records;
    measured->assigned += of_counter_read(&status->assigned);
    measured->revoked += of_counter_read(&status->revoked);
    measured->lost += of_counter_read(&status->lost);
    measured->restored_rows += of_counter_read(&status->restored_rows);
    add_counts(measured->holds_by_cause, status->holds, OF_CAUSE_COUNT);
    of_histogram_add_to(&status->lateness, &measured->lateness);
    struct of_measured_pool *pool = ADD(measured, pools, pool_count);
    *pool = (struct of_measured_pool) {
        .pool = "chunks",
        .instance = lane,
        .used = atomic_load_explicit(&status->chunks_out, memory_order_relaxed),
        .capacity = of_pipeline_chunks(pipeline),
    };
    add_positions(measured, fetch);
    add_holds(measured, fetch);
}

static void
add_decode(struct of_measured *measured, uint32_t instance, const struct of_decode *decode)
{
    const struct of_decode_counts *counts = of_decode_counts(decode);
    uint64_t given_back = of_counter_read(&counts->given_back), borrowed = of_counter_read(&counts->borrowed);
    struct of_measured_pool *pool = ADD(measured, pools, pool_count);
    *pool = (struct of_measured_pool) {
        .pool = "batches",
        .instance = instance,
        .used = borrowed > given_back ? (uint32_t)(borrowed - given_back) : 0,
        .capacity = of_decode_batches(decode),
    };
    if (pool->used > pool->capacity) /* the two were not read at the same instant */
        pool->used = pool->capacity;
}

static void
add_letters(struct of_measured *measured, struct of_publish *publish)
{
    struct of_event *events = of_alloc_array(OF_RECENT_EVENTS, sizeof *events);
    uint32_t count = of_recent_list(of_publish_recent(publish), events, OF_RECENT_EVENTS);
    for (uint32_t i = 0; i < count; i++) {
        struct of_event *letter = ADD(measured, letters, letter_count);
        *letter = events[i];
    }
    free(events);
}

static void
add_publish(struct of_measured *measured, struct of_publish *publish)
{
    const struct of_publish_counts *counts = of_publish_counts(publish);
    add_counts(measured->retries, counts->retries_by_attempt, OF_PUBLISH_ATTEMPTS);
    add_counts(measured->dead_letters, counts->dead_letters_by_cause, OF_CAUSE_COUNT);
    add_counts(measured->commits, counts->barriers, OF_BARRIER_OUTCOMES);
    measured->transactions_committed += of_counter_read(&counts->transactions_committed);
    measured->transactions_aborted += of_counter_read(&counts->transactions_aborted);
    of_histogram_add_to(&counts->barrier, &measured->commit);
    of_histogram_add_to(&counts->commit, &measured->transaction);
    of_histogram_add_to(&counts->age[OF_ROLE_ORDERS], &measured->age);
    of_histogram_add_to(&counts->age[OF_ROLE_RETRY], &measured->retry_age);
    add_letters(measured, publish);
}

static void
add_part(const struct of_pipeline *pipeline, struct of_measured *measured, const struct of_pipeline_part *part)
{
    struct of_measured_stage *stage = ADD(measured, stages, stage_count);
    *stage = (struct of_measured_stage) {
        .stage = part->ops->name,
        .instance = part->instance,
        .items = of_counter_read(&part->stats->items),
        .refused = of_counter_read(&part->stats->refused),
        .busy_ns = of_counter_read(&part->stats->busy_ns),
    };
    if (part->ops == &of_fetch_stage)
        add_fetch(pipeline, measured, part->instance, part->self);
    else
        add_latency(measured, part->ops->name, &part->stats->latency);
    if (part->ops == &of_decode_stage)
        add_decode(measured, part->instance, part->self);
    if (part->ops == &of_publish_stage)
        add_publish(measured, part->self);
}

static int
compare_letters(const void *left, const void *right)
{
    const struct of_event *l = left, *r = right;
    return (l->wall_ms < r->wall_ms) - (l->wall_ms > r->wall_ms);
}

static void
keep_newest_letters(struct of_measured *measured)
{
    if (measured->letter_count > 1)
        qsort(measured->letters, measured->letter_count, sizeof *measured->letters, compare_letters);
    if (measured->letter_count > OF_MEASURED_LETTERS)
        measured->letter_count = OF_MEASURED_LETTERS;
}

/* ---- all of it ---- */

void
of_pipeline_measure(const struct of_pipeline *pipeline, struct of_measured *measured)
{
    struct of_pipeline_part part;
    struct of_pipeline_ring ring;
    measured->running = true;
    for (uint32_t i = 0; of_pipeline_part(pipeline, i, &part); i++)
        add_part(pipeline, measured, &part);
    for (uint32_t i = 0; of_pipeline_ring(pipeline, i, &ring); i++) {
        struct of_measured_ring *own = ADD(measured, rings, ring_count);
        *own = (struct of_measured_ring) {
            ring.from, ring.to, ring.lane, ring.from_instance, ring.to_instance, ring.used, ring.capacity,
        };
    }
    keep_newest_letters(measured);
    of_pipeline_live(pipeline, &measured->live);
}

void
of_pipeline_latencies(const struct of_pipeline *pipeline, struct of_histogram_view *age, struct of_histogram_view *commit)
{
    struct of_pipeline_part part;
    for (uint32_t i = 0; of_pipeline_part(pipeline, i, &part); i++) {
        if (part.ops != &of_publish_stage)
            continue;
        const struct of_publish_counts *counts = of_publish_counts(part.self);
        of_histogram_add_to(&counts->age[OF_ROLE_ORDERS], age);
        of_histogram_add_to(&counts->barrier, commit);
    }
}
