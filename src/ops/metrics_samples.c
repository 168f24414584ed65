/* Which samples the metrics have that come from the pipeline. The table is ops/metric.def. */
#include "ops/metrics_page.h"

#include "order/cause.h"

/* ---- the run ---- */

void
of_samples_build(struct of_metrics_page *page)
{
    of_sample_begin(page);
    of_sample_label(page, "version", page->measured->version);
    of_sample_end_count(page, 1);
}

void
of_samples_run(struct of_metrics_page *page)
{
    const struct of_measured *measured = page->measured;
    of_sample_begin(page);
    of_sample_label(page, "group", measured->group);
    of_sample_label(page, "topic", measured->topic);
    of_sample_label(page, "guarantee", measured->guarantee);
    of_sample_label(page, "source", measured->source);
    of_sample_label(page, "instance_id", measured->instance);
    of_sample_end_count(page, 1);
}

void
of_samples_start_time(struct of_metrics_page *page)
{
    of_sample(page, (double)page->measured->started_ms / 1000);
}

void
of_samples_scrape_duration(struct of_metrics_page *page)
{
    of_sample(page, (double)page->measured->took_ns / 1e9);
}

/* ---- totals ---- */

void
of_samples_orders(struct of_metrics_page *page)
{
    if (page->measured->running)
        of_sample_count(page, page->measured->run.orders_processed);
}

void
of_samples_summed_value(struct of_metrics_page *page)
{
    if (page->measured->running)
        of_sample(page, of_exact_sum_round(&page->measured->run.sum));
}

void
of_samples_live_orders(struct of_metrics_page *page)
{
    if (page->measured->running)
        of_sample_count(page, page->measured->live.orders_processed);
}

void
of_samples_live_average(struct of_metrics_page *page)
{
    const struct of_live_totals *live = &page->measured->live;
    if (live->orders_processed > 0)
        of_sample(page, of_exact_sum_average(&live->sum, live->orders_processed));
}

void
of_samples_total_orders(struct of_metrics_page *page)
{
    if (page->measured->by_product)
        of_sample_count(page, page->measured->total.orders_processed);
}

void
of_samples_total_summed_value(struct of_metrics_page *page)
{
    if (page->measured->by_product)
        of_sample(page, of_exact_sum_round(&page->measured->total.sum));
}

void
of_samples_products(struct of_metrics_page *page)
{
    if (page->measured->running)
        of_sample_count(page, page->measured->products);
}

/* ---- records ---- */

void
of_samples_records(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < page->measured->lane_count; i++) {
        of_sample_begin(page);
        of_sample_label_number(page, "lane", i);
        of_sample_end_count(page, page->measured->lanes[i].records);
    }
}

void
of_samples_retries(struct of_metrics_page *page)
{
    for (uint32_t i = 0; page->measured->running && i < OF_MEASURED_ATTEMPTS; i++) {
        of_sample_begin(page);
        of_sample_label_number(page, "attempt", i + 1);
        of_sample_end_count(page, page->measured->retries[i]);
    }
}

/* One sample per cause of these classes, those that never happened included: what begins to rise must be seen to. */
static void
write_by_cause(struct of_metrics_page *page, const uint64_t *counts, bool infrastructure)
{
    for (uint32_t cause = OF_CAUSE_NONE + 1; page->measured->running && cause < OF_CAUSE_COUNT; cause++) {
        enum of_cause_class class = of_cause_class((enum of_cause)cause);
        bool wanted = infrastructure ? class == OF_CLASS_INFRASTRUCTURE
                                     : class == OF_CLASS_POISON || class == OF_CLASS_TRANSIENT;
        if (!wanted && counts[cause] == 0)
            continue;
        of_sample_begin(page);
        of_sample_label(page, "cause", of_cause_name((enum of_cause)cause));
        of_sample_end_count(page, counts[cause]);
    }
}

void
of_samples_dead_letters(struct of_metrics_page *page)
{
    write_by_cause(page, page->measured->dead_letters, false);
}

void
of_samples_holds(struct of_metrics_page *page)
{
    write_by_cause(page, page->measured->holds_by_cause, true);
}

void
of_samples_retry_lateness(struct of_metrics_page *page)
{
    of_sample_histogram(page, NULL, NULL, &page->measured->lateness);
}

void
of_samples_age(struct of_metrics_page *page)
{
    of_sample_histogram(page, "delivery", "first", &page->measured->age);
    of_sample_histogram(page, "delivery", "retry", &page->measured->retry_age);
}

/* ---- stages, rings, pools ---- */

void
of_samples_stage_latency(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < OF_MEASURED_STAGES && page->measured->latencies[i].stage != NULL; i++)
        of_sample_histogram(page, "stage", page->measured->latencies[i].stage, &page->measured->latencies[i].view);
}

static void
begin_stage(struct of_metrics_page *page, const struct of_measured_stage *stage)
{
    of_sample_begin(page);
    of_sample_label(page, "stage", stage->stage);
    of_sample_label_number(page, "thread", stage->instance);
}

void
of_samples_stage_busy(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < page->measured->stage_count; i++) {
        begin_stage(page, &page->measured->stages[i]);
        of_sample_end(page, (double)page->measured->stages[i].busy_ns / 1e9);
    }
}

void
of_samples_stage_items(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < page->measured->stage_count; i++) {
        begin_stage(page, &page->measured->stages[i]);
        of_sample_end_count(page, page->measured->stages[i].items);
    }
}

void
of_samples_stage_refused(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < page->measured->stage_count; i++) {
        begin_stage(page, &page->measured->stages[i]);
        of_sample_end_count(page, page->measured->stages[i].refused);
    }
}

static bool
same_way(const struct of_measured_ring *a, const struct of_measured_ring *b)
{
    return a->lane == b->lane && a->from == b->from && a->to == b->to;
}

/* One sample per way and lane: with many threads there are very many rings. */
static void
write_rings(struct of_metrics_page *page, bool capacity)
{
    const struct of_measured_ring *rings = page->measured->rings;
    for (uint32_t i = 0; i < page->measured->ring_count;) {
        uint64_t sum = 0;
        uint32_t first = i;
        for (; i < page->measured->ring_count && same_way(&rings[first], &rings[i]); i++)
            sum += capacity ? rings[i].capacity : rings[i].used;
        of_sample_begin(page);
        of_sample_label_number(page, "lane", rings[first].lane);
        of_sample_label(page, "from", rings[first].from);
        of_sample_label(page, "to", rings[first].to);
        of_sample_end_count(page, sum);
    }
}

void
of_samples_ring_used(struct of_metrics_page *page)
{
    write_rings(page, false);
}

void
of_samples_ring_capacity(struct of_metrics_page *page)
{
    write_rings(page, true);
}

static void
write_pools(struct of_metrics_page *page, bool capacity)
{
    for (uint32_t i = 0; i < page->measured->pool_count; i++) {
        const struct of_measured_pool *pool = &page->measured->pools[i];
        of_sample_begin(page);
        of_sample_label(page, "pool", pool->pool);
        of_sample_label_number(page, "thread", pool->instance);
        of_sample_end_count(page, capacity ? pool->capacity : pool->used);
    }
}

void
of_samples_pool_used(struct of_metrics_page *page)
{
    write_pools(page, false);
}

void
of_samples_pool_capacity(struct of_metrics_page *page)
{
    write_pools(page, true);
}

/* ---- partitions ---- */

static void
begin_partition(struct of_metrics_page *page, const struct of_measured_partition *partition)
{
    of_sample_begin(page);
    of_sample_label(page, "topic", partition->topic);
    of_sample_label_number(page, "partition", (uint32_t)partition->partition);
}

static int64_t
position_of(const struct of_measured_partition *partition)
{
    return partition->read;
}

static int64_t
committed_of(const struct of_measured_partition *partition)
{
    return partition->committed;
}

static int64_t
end_of(const struct of_measured_partition *partition)
{
    return partition->end;
}

/* Negative: nothing to tell. */
static void
write_partitions(struct of_metrics_page *page, int64_t (*value)(const struct of_measured_partition *partition))
{
    for (uint32_t i = 0; i < page->measured->partition_count; i++) {
        int64_t number = value(&page->measured->partitions[i]);
        if (number < 0)
            continue;
        begin_partition(page, &page->measured->partitions[i]);
        of_sample_end_count(page, (uint64_t)number);
    }
}

void
of_samples_partition_position(struct of_metrics_page *page)
{
    write_partitions(page, position_of);
}

void
of_samples_partition_committed(struct of_metrics_page *page)
{
    write_partitions(page, committed_of);
}

void
of_samples_partition_end(struct of_metrics_page *page)
{
    write_partitions(page, end_of);
}

void
of_samples_partition_lag(struct of_metrics_page *page)
{
    write_partitions(page, of_measured_partition_lag);
}

void
of_samples_partition_held(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < page->measured->partition_count; i++) {
        const struct of_measured_partition *partition = &page->measured->partitions[i];
        if (partition->held == OF_CAUSE_NONE)
            continue;
        begin_partition(page, partition);
        of_sample_label(page, "cause", of_cause_name(partition->held));
        of_sample_end_count(page, 1);
    }
}

void
of_samples_partitions(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < page->measured->lane_count; i++) {
        of_sample_begin(page);
        of_sample_label_number(page, "lane", i);
        of_sample_end_count(page, page->measured->lanes[i].partitions);
    }
}

void
of_samples_lane_phase(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < page->measured->lane_count; i++) {
        of_sample_begin(page);
        of_sample_label_number(page, "lane", i);
        of_sample_label(page, "phase", page->measured->lanes[i].phase);
        of_sample_end_count(page, 1);
    }
}

static void
write_labelled(struct of_metrics_page *page, const char *label, const char *text, uint64_t value)
{
    of_sample_begin(page);
    of_sample_label(page, label, text);
    of_sample_end_count(page, value);
}

void
of_samples_assignments(struct of_metrics_page *page)
{
    write_labelled(page, "event", "assigned", page->measured->assigned);
    write_labelled(page, "event", "revoked", page->measured->revoked);
    write_labelled(page, "event", "lost", page->measured->lost);
}

void
of_samples_restored_rows(struct of_metrics_page *page)
{
    of_sample_count(page, page->measured->restored_rows);
}

/* ---- commits ---- */

void
of_samples_commits(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < OF_MEASURED_OUTCOMES; i++)
        write_labelled(page, "outcome", of_measured_outcomes[i], page->measured->commits[i]);
}

void
of_samples_commit_duration(struct of_metrics_page *page)
{
    of_sample_histogram(page, NULL, NULL, &page->measured->commit);
}

void
of_samples_last_commit(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < page->measured->lane_count; i++) {
        if (page->measured->lanes[i].last_commit_ms == 0)
            continue;
        of_sample_begin(page);
        of_sample_label_number(page, "lane", i);
        of_sample_end(page, (double)page->measured->lanes[i].last_commit_ms / 1000);
    }
}

void
of_samples_transactions(struct of_metrics_page *page)
{
    write_labelled(page, "outcome", "committed", page->measured->transactions_committed);
    write_labelled(page, "outcome", "aborted", page->measured->transactions_aborted);
}

void
of_samples_transaction_commit(struct of_metrics_page *page)
{
    of_sample_histogram(page, NULL, NULL, &page->measured->transaction);
}

/* ---- the registry ---- */

void
of_samples_registry_requests(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < OF_REGISTRY_ANSWERS; i++)
        write_labelled(page, "answer", of_registry_answer_name((enum of_registry_answer)i), page->measured->registry[i]);
}

void
of_samples_registry_duration(struct of_metrics_page *page)
{
    of_sample_histogram(page, NULL, NULL, &page->measured->registry_request);
}

void
of_samples_registry_cached(struct of_metrics_page *page)
{
    of_sample_count(page, page->measured->schemas_from_directory);
}
