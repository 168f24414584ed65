#include "ops/stats_json.h"

#include <stdlib.h>

#include "ops/json.h"
#include "order/cause.h"

static void
write_seconds(struct of_json *json, const char *key, double ns)
{
    of_json_number(json, key, ns / 1e9);
}

/* ---- totals ---- */

static void
write_sum(struct of_json *json, uint64_t orders, const struct of_exact_sum *sum)
{
    of_json_count(json, "orders", orders);
    of_json_number(json, "sum", of_exact_sum_round(sum));
    if (orders > 0)
        of_json_number(json, "average", of_exact_sum_average(sum, orders));
    else
        of_json_literal(json, "average", "null");
}

static void
write_totals(struct of_json *json, const char *key, const struct of_totals *totals)
{
    of_json_open(json, key, '{');
    write_sum(json, totals->orders_processed, &totals->sum);
    of_json_count(json, "retries", totals->retry_attempts);
    of_json_count(json, "dead_letters", totals->dead_letters);
    of_json_close(json, '}');
}

static void
write_live(struct of_json *json, const struct of_live_totals *live)
{
    of_json_open(json, "live", '{');
    write_sum(json, live->orders_processed, &live->sum);
    of_json_count(json, "retries", live->retry_attempts);
    of_json_count(json, "dead_letters", live->dead_letters);
    of_json_count(json, "held", live->held_partitions);
    of_json_close(json, '}');
}

/* The one with more orders first; equal ones by name, so that a table stands still. */
static int
compare_rows(const void *left, const void *right)
{
    const struct of_totals_row *l = left, *r = right;
    if (l->orders_processed != r->orders_processed)
        return l->orders_processed < r->orders_processed ? 1 : -1;
    return of_totals_compare_names(l->product, r->product);
}

static void
write_others(struct of_json *json, const struct of_totals *totals, size_t listed)
{
    struct of_exact_sum sum;
    uint64_t orders = 0;
    of_exact_sum_init(&sum);
    for (size_t i = listed; i < totals->row_count; i++) {
        orders += totals->rows[i].orders_processed;
        of_exact_sum_merge(&sum, &totals->rows[i].sum);
    }
    of_json_open(json, "other_products", '{');
    of_json_count(json, "products", totals->row_count - listed);
    write_sum(json, orders, &sum);
    of_json_close(json, '}');
    of_exact_sum_fini(&sum);
}

static void
write_products(struct of_json *json, struct of_totals *total)
{
    size_t listed = total->row_count < OF_STATS_PRODUCTS ? total->row_count : OF_STATS_PRODUCTS;
    if (total->row_count > 1)
        qsort(total->rows, total->row_count, sizeof *total->rows, compare_rows);
    of_json_open(json, "products", '[');
    for (size_t i = 0; i < listed; i++) {
        of_json_open(json, NULL, '{');
        of_json_text(json, "product", total->rows[i].product);
        write_sum(json, total->rows[i].orders_processed, &total->rows[i].sum);
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
    write_others(json, total, listed);
}

/* ---- counts ---- */

static void
write_causes(struct of_json *json, const char *key, const uint64_t *counts)
{
    of_json_open(json, key, '{');
    for (uint32_t cause = OF_CAUSE_NONE + 1; cause < OF_CAUSE_COUNT; cause++)
        if (counts[cause] > 0)
            of_json_count(json, of_cause_name((enum of_cause)cause), counts[cause]);
    of_json_close(json, '}');
}

static void
write_counts(struct of_json *json, const struct of_measured *measured)
{
    of_json_count(json, "records", measured->records);
    of_json_open(json, "retries_by_attempt", '[');
    for (uint32_t i = 0; i < OF_MEASURED_ATTEMPTS; i++)
        of_json_count(json, NULL, measured->retries[i]);
    of_json_close(json, ']');
    write_causes(json, "dead_letters_by_cause", measured->dead_letters);
    write_causes(json, "holds_by_cause", measured->holds_by_cause);
    of_json_open(json, "commits", '{');
    for (uint32_t i = 0; i < OF_MEASURED_OUTCOMES; i++)
        of_json_count(json, of_measured_outcomes[i], measured->commits[i]);
    of_json_close(json, '}');
    of_json_open(json, "transactions", '{');
    of_json_count(json, "committed", measured->transactions_committed);
    of_json_count(json, "aborted", measured->transactions_aborted);
    of_json_close(json, '}');
    of_json_open(json, "assignments", '{');
    of_json_count(json, "assigned", measured->assigned);
    of_json_count(json, "revoked", measured->revoked);
    of_json_count(json, "lost", measured->lost);
    of_json_close(json, '}');
    of_json_count(json, "restored_rows", measured->restored_rows);
    of_json_open(json, "registry", '{');
    for (uint32_t i = 0; i < OF_REGISTRY_ANSWERS; i++)
        of_json_count(json, of_registry_answer_name((enum of_registry_answer)i), measured->registry[i]);
    of_json_count(json, "from_directory", measured->schemas_from_directory);
    of_json_close(json, '}');
}

/* ---- durations ---- */

static void
write_histogram(struct of_json *json, const char *key, const struct of_histogram_view *view)
{
    of_json_open(json, key, '{');
    of_json_count(json, "count", view->count);
    of_json_number(json, "sum", view->sum_s);
    write_seconds(json, "p50", of_histogram_quantile_ns(view, 0.5));
    write_seconds(json, "p99", of_histogram_quantile_ns(view, 0.99));
    of_json_open(json, "counts", '[');
    for (uint32_t i = 0; i <= OF_HISTOGRAM_BOUNDS; i++)
        of_json_count(json, NULL, view->counts[i]);
    of_json_close(json, ']');
    of_json_close(json, '}');
}

static void
write_durations(struct of_json *json, const struct of_measured *measured)
{
    of_json_open(json, "bounds", '[');
    for (uint32_t i = 0; i < OF_HISTOGRAM_BOUNDS; i++)
        write_seconds(json, NULL, (double)of_histogram_bounds_ns[i]);
    of_json_close(json, ']');
    of_json_open(json, "durations", '{');
    write_histogram(json, "age", &measured->age);
    write_histogram(json, "retry_age", &measured->retry_age);
    write_histogram(json, "retry_lateness", &measured->lateness);
    write_histogram(json, "commit", &measured->commit);
    write_histogram(json, "transaction_commit", &measured->transaction);
    write_histogram(json, "registry_request", &measured->registry_request);
    of_json_close(json, '}');
    of_json_open(json, "stage_latency", '{');
    for (uint32_t i = 0; i < OF_MEASURED_STAGES && measured->latencies[i].stage != NULL; i++)
        write_histogram(json, measured->latencies[i].stage, &measured->latencies[i].view);
    of_json_close(json, '}');
}

/* ---- the pipeline ---- */

static void
write_stages(struct of_json *json, const struct of_measured *measured)
{
    of_json_open(json, "stages", '[');
    for (uint32_t i = 0; i < measured->stage_count; i++) {
        const struct of_measured_stage *stage = &measured->stages[i];
        of_json_open(json, NULL, '{');
        of_json_string(json, "stage", stage->stage);
        of_json_count(json, "instance", stage->instance);
        write_seconds(json, "busy", (double)stage->busy_ns);
        of_json_count(json, "items", stage->items);
        of_json_count(json, "refused", stage->refused);
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
}

static void
write_rings(struct of_json *json, const struct of_measured *measured)
{
    of_json_open(json, "rings", '[');
    for (uint32_t i = 0; i < measured->ring_count; i++) {
        const struct of_measured_ring *ring = &measured->rings[i];
        of_json_open(json, NULL, '{');
        of_json_count(json, "lane", ring->lane);
        of_json_string(json, "from", ring->from);
        of_json_count(json, "from_instance", ring->from_instance);
        of_json_string(json, "to", ring->to);
        of_json_count(json, "to_instance", ring->to_instance);
        of_json_count(json, "used", ring->used);
        of_json_count(json, "capacity", ring->capacity);
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
    of_json_open(json, "pools", '[');
    for (uint32_t i = 0; i < measured->pool_count; i++) {
        of_json_open(json, NULL, '{');
        of_json_string(json, "pool", measured->pools[i].pool);
        of_json_count(json, "instance", measured->pools[i].instance);
        of_json_count(json, "used", measured->pools[i].used);
        of_json_count(json, "capacity", measured->pools[i].capacity);
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
}

static void
write_known(struct of_json *json, const char *key, int64_t number)
{
    if (number >= 0)
        of_json_int(json, key, number);
    else
        of_json_literal(json, key, "null");
}

static void
write_partitions(struct of_json *json, const struct of_measured *measured)
{
    of_json_open(json, "partitions", '[');
    for (uint32_t i = 0; i < measured->partition_count; i++) {
        const struct of_measured_partition *partition = &measured->partitions[i];
        of_json_open(json, NULL, '{');
        of_json_string(json, "topic", partition->topic);
        of_json_int(json, "partition", partition->partition);
        of_json_count(json, "lane", partition->lane);
        of_json_bool(json, "retry", partition->retry);
        write_known(json, "position", partition->read);
        write_known(json, "committed", partition->committed);
        write_known(json, "end", partition->end);
        write_known(json, "lag", of_measured_partition_lag(partition));
        of_json_string(json, "held", partition->held != OF_CAUSE_NONE ? of_cause_name(partition->held) : NULL);
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
    write_known(json, "lag", of_measured_lag(measured));
}

static void
write_holds(struct of_json *json, const struct of_measured *measured)
{
    of_json_open(json, "held", '[');
    for (uint32_t i = 0; i < measured->hold_count; i++) {
        const struct of_measured_hold *hold = &measured->holds[i];
        of_json_open(json, NULL, '{');
        of_json_string(json, "topic", hold->topic);
        of_json_int(json, "partition", hold->partition);
        of_json_int(json, "offset", hold->offset);
        of_json_string(json, "cause", of_cause_name(hold->cause));
        of_json_int(json, "since", hold->since_ms);
        of_json_bool(json, "trying", hold->trying);
        of_json_string(json, "text", hold->text);
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
}

static void
write_lanes(struct of_json *json, const struct of_measured *measured)
{
    of_json_open(json, "lanes", '[');
    for (uint32_t i = 0; i < measured->lane_count; i++) {
        const struct of_measured_lane *lane = &measured->lanes[i];
        of_json_open(json, NULL, '{');
        of_json_string(json, "phase", lane->phase);
        of_json_count(json, "partitions", lane->partitions);
        of_json_count(json, "held", lane->held);
        of_json_count(json, "records", lane->records);
        write_known(json, "last_commit", lane->last_commit_ms > 0 ? lane->last_commit_ms : -1);
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
}

static void
write_letters(struct of_json *json, const struct of_measured *measured)
{
    of_json_open(json, "last_dead_letters", '[');
    for (uint32_t i = 0; i < measured->letter_count; i++) {
        const struct of_event *letter = &measured->letters[i];
        of_json_open(json, NULL, '{');
        of_json_int(json, "time", letter->wall_ms);
        of_json_string(json, "topic", letter->origin_topic);
        of_json_int(json, "partition", letter->origin_partition);
        of_json_int(json, "offset", letter->origin_offset);
        of_json_string(json, "cause", of_cause_name(letter->cause));
        of_json_count(json, "attempts", letter->attempt);
        of_json_text(json, "id", letter->has_order ? of_slice_of(letter->id, letter->id_length) : of_slice_of(NULL, 0));
        of_json_text(json, "product",
                     letter->has_order ? of_slice_of(letter->group, letter->group_length) : of_slice_of(NULL, 0));
        if (letter->has_order)
            of_json_number(json, "value", letter->value);
        of_json_string(json, "text", letter->text[0] != '\0' ? letter->text : of_cause_text(letter->cause));
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
}

/* ---- librdkafka ---- */

static void
write_brokers(struct of_json *json, const struct of_kafka_numbers *numbers)
{
    of_json_open(json, "brokers", '[');
    for (uint32_t i = 0; i < numbers->broker_count; i++) {
        const struct of_kafka_broker_numbers *broker = &numbers->brokers[i];
        of_json_open(json, NULL, '{');
        of_json_string(json, "broker", broker->name);
        of_json_bool(json, "up", broker->up);
        of_json_number(json, "rtt", broker->rtt_s);
        of_json_number(json, "rtt_p99", broker->rtt_p99_s);
        of_json_number(json, "throttle", broker->throttle_s);
        of_json_count(json, "in_flight", broker->waiting);
        of_json_count(json, "queued", broker->queued);
        of_json_count(json, "errors", broker->errors);
        of_json_count(json, "timeouts", broker->timeouts);
        of_json_count(json, "retries", broker->retries);
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
}

static void
write_clients(struct of_json *json, const struct of_measured *measured)
{
    of_json_open(json, "kafka", '[');
    for (uint32_t i = 0; i < measured->client_count; i++) {
        const struct of_kafka_numbers *numbers = &measured->clients[i].numbers;
        of_json_open(json, NULL, '{');
        of_json_string(json, "client", measured->clients[i].client);
        of_json_count(json, "lane", measured->clients[i].lane);
        of_json_count(json, "sent_bytes", numbers->sent_bytes);
        of_json_count(json, "received_bytes", numbers->received_bytes);
        of_json_count(json, "queued_records", numbers->queued_records);
        of_json_string(json, "transaction_state", numbers->transaction_state[0] ? numbers->transaction_state : NULL);
        of_json_string(json, "group_state", numbers->group_state[0] ? numbers->group_state : NULL);
        write_brokers(json, numbers);
        of_json_close(json, '}');
    }
    of_json_close(json, ']');
}

/* ---- all of it ---- */

static void
write_about(struct of_json *json, const struct of_measured *measured)
{
    of_json_string(json, "version", measured->version);
    of_json_int(json, "time", measured->wall_ms);
    of_json_int(json, "started", measured->started_ms);
    of_json_bool(json, "running", measured->running);
    of_json_string(json, "group", measured->group);
    of_json_string(json, "topic", measured->topic);
    of_json_string(json, "guarantee", measured->guarantee);
    of_json_string(json, "source", measured->source);
    of_json_string(json, "instance", measured->instance);
    of_json_count(json, "known_products", measured->products);
    of_json_bool(json, "by_product", measured->by_product);
}

void
of_stats_json_write(FILE *out, struct of_measured *measured)
{
    struct of_json json = of_json_to(out);
    of_json_open(&json, NULL, '{');
    write_about(&json, measured);
    write_live(&json, &measured->live);
    write_totals(&json, "run", &measured->run);
    write_totals(&json, "total", &measured->total);
    write_products(&json, &measured->total);
    write_counts(&json, measured);
    write_durations(&json, measured);
    write_stages(&json, measured);
    write_rings(&json, measured);
    write_partitions(&json, measured);
    write_holds(&json, measured);
    write_lanes(&json, measured);
    write_letters(&json, measured);
    write_clients(&json, measured);
    of_json_close(&json, '}');
    of_json_end_line(&json);
}
