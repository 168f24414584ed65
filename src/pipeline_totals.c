/* How many orders are through, and what they come to: as the stages have counted so far, and as it is committed. */
#include "pipeline_private.h"
#include "stages/aggregate.h"

/* ---- so far ---- */

void
of_pipeline_live(const struct of_pipeline *pipeline, struct of_live_totals *totals)
{
    *totals = (struct of_live_totals) { 0 };
    for (uint32_t i = 0; i < pipeline->counts[OF_AGGREGATE]; i++)
        of_live_total_add_to(of_aggregator_live(pipeline->instances[OF_AGGREGATE][i].port.stage),
                             &totals->orders_processed, &totals->sum);
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        const struct of_publish_counts *counts = of_publish_counts(of_pipeline_publish(pipeline, lane));
        totals->retry_attempts += of_counter_read(&counts->retries);
        totals->dead_letters += of_counter_read(&counts->dead_letters);
        totals->held_partitions += atomic_load_explicit(&of_pipeline_status(pipeline, lane)->held,
                                                        memory_order_relaxed);
    }
}

void
of_pipeline_progress(const struct of_pipeline *pipeline, struct of_pipeline_progress *progress)
{
    *progress = (struct of_pipeline_progress) { 0 };
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++)
        progress->committed += atomic_load_explicit(&of_pipeline_status(pipeline, lane)->committed,
                                                    memory_order_acquire);
    for (uint32_t lane = 0; lane < pipeline->lanes && progress->behind >= 0; lane++) {
        int64_t behind = atomic_load_explicit(&of_pipeline_status(pipeline, lane)->behind, memory_order_relaxed);
        progress->behind = behind < 0 ? -1 : progress->behind + behind;
    }
    for (uint32_t lane = 0; lane < pipeline->lanes; lane++) {
        progress->retries += of_counter_read(
            &of_publish_counts(of_pipeline_publish(pipeline, lane))->retries);
        const struct of_fetch_status *status = of_pipeline_status(pipeline, lane);
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

/* ---- as committed ---- */

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
        add_lane(of_fetch_ledger(of_pipeline_fetch(pipeline, lane)), &table, &letters);
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
        of_ledger_add_run_sum(of_fetch_ledger(of_pipeline_fetch(pipeline, lane)), &sum, &letters);
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
