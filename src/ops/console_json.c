#include <stdlib.h>
#include <string.h>

#include "ops/console_views.h"
#include "ops/json.h"
#include "registry/url.h"

static void
begin(struct of_json *json, const char *event, int64_t wall_ms)
{
    of_json_open(json, NULL, '{');
    of_json_string(json, "event", event);
    if (wall_ms != 0)
        of_json_int(json, "time", wall_ms);
}

static void
end(struct of_json *json)
{
    of_json_close(json, '}');
    of_json_end_line(json);
}

static void
put_setting(struct of_json *json, const struct of_option *option, const char *text)
{
    char shown[1024];
    if (text == NULL)
        of_json_string(json, option->name, NULL);
    else if (option->type == OF_OPTION_INT)
        of_json_int(json, option->name, strtoll(text, NULL, 10));
    else if (option->type == OF_OPTION_DOUBLE)
        of_json_number(json, option->name, strtod(text, NULL));
    else if (option->type == OF_OPTION_BOOL)
        of_json_bool(json, option->name, *text == 't');
    else
        of_json_string(json, option->name, of_option_shown(option, text, shown, sizeof shown));
}

/* Values of properties may be secrets: only their names are told. */
static void
put_settings(struct of_json *json, const struct of_options *options)
{
    of_json_open(json, "settings", '{');
    for (size_t i = 0; i < options->table->count; i++)
        if (options->table->options[i].commands >> options->command & 1)
            put_setting(json, &options->table->options[i], of_options_text(options, i));
    of_json_close(json, '}');
    of_json_open(json, "kafka_properties", '[');
    for (size_t i = 0; i < options->property_count; i++)
        of_json_string(json, NULL, options->properties[i].name);
    of_json_close(json, ']');
}

static void
json_started(FILE *out, const struct of_console_config *config, int64_t wall_ms)
{
    const struct of_console_banner *banner = &config->banner;
    char registry[1024];
    struct of_json json = of_json_to(out);
    begin(&json, "started", wall_ms);
    of_json_string(&json, "version", ORDERFLOW_VERSION);
    of_json_string(&json, "brokers", banner->brokers);
    of_json_string(&json, "registry", of_registry_url_print(banner->registry, registry, sizeof registry));
    of_json_string(&json, "group", banner->group);
    of_json_string(&json, "topic", banner->topic);
    of_json_string(&json, "retry_topic", banner->retry_topic);
    of_json_string(&json, "dlq_topic", banner->dlq_topic);
    of_json_string(&json, "guarantee", banner->guarantee);
    of_json_string(&json, "instance", banner->instance);
    of_json_int(&json, "max_retries", banner->max_retries);
    of_json_int(&json, "retry_delay_ms", of_console_retry_delay_ms(banner));
    if (banner->options != NULL)
        put_settings(&json, banner->options);
    end(&json);
}

static const char *
event_name(enum of_event_kind kind)
{
    switch (kind) {
    case OF_EVENT_PROCESSED: return "processed";
    case OF_EVENT_RETRY: return "retry";
    case OF_EVENT_DEAD_LETTER: return "dead_letter";
    case OF_EVENT_ASSIGNED: return "assigned";
    case OF_EVENT_REVOKED: return "revoked";
    case OF_EVENT_LOST: return "lost";
    case OF_EVENT_HELD: return "held";
    case OF_EVENT_RESUMED: return "resumed";
    case OF_EVENT_SKIPPED: return "skipped";
    }
    return "unknown";
}

/* All its digits, though many readers of JSON keep only those of a double. */
static void
put_scaled(struct of_json *json, const char *key, of_int128 unscaled, unsigned scale)
{
    char text[OF_SCALED_TEXT_BYTES];
    of_scaled_text(unscaled, scale, text);
    of_json_literal(json, key, text);
}

static void
put_record(struct of_json *json, const struct of_event *event)
{
    of_json_string(json, "origin_topic", event->origin_topic);
    of_json_int(json, "origin_partition", event->origin_partition);
    of_json_int(json, "origin_offset", event->origin_offset);
    of_json_count(json, "attempt", event->attempt);
    bool known = event->has_order;
    of_json_text(json, "order_id", of_slice_of(known ? event->id : NULL, event->id_length));
    of_json_text(json, "product", of_slice_of(known ? event->group : NULL, event->group_length));
    if (known && event->value_kind == OF_VALUE_SCALED)
        put_scaled(json, "price", event->scaled, event->value_scale);
    else if (known)
        of_json_number(json, "price", event->value);
    else
        of_json_string(json, "price", NULL);
    if (event->id_cut)
        of_json_bool(json, "order_id_cut", true);
    if (event->group_cut)
        of_json_bool(json, "product_cut", true);
}

static void
put_cause(struct of_json *json, const struct of_event *event)
{
    of_json_string(json, "class", of_cause_class_name(of_cause_class(event->cause)));
    of_json_string(json, "cause", of_cause_name(event->cause));
    of_json_string(json, "message", of_cause_text(event->cause));
    if (event->text[0] != '\0')
        of_json_string(json, "detail", event->text);
}

static void
json_event(FILE *out, const struct of_console_config *config, const struct of_event *event,
           const struct of_tally *tally)
{
    (void)config, (void)tally;
    struct of_json json = of_json_to(out);
    begin(&json, event_name(event->kind), event->wall_ms);
    of_json_string(&json, "topic", event->topic);
    of_json_int(&json, "partition", event->partition);
    of_json_int(&json, "offset", event->offset);
    if (event->kind == OF_EVENT_SKIPPED)
        of_json_int(&json, "next_offset", event->next_offset);
    if (event->kind <= OF_EVENT_DEAD_LETTER)
        put_record(&json, event);
    if (event->cause != OF_CAUSE_NONE)
        put_cause(&json, event);
    end(&json);
}

static void
put_money(struct of_json *json, uint64_t orders, const struct of_exact_sum *sum)
{
    of_json_count(json, "orders_processed", orders);
    char *decimal = of_exact_sum_decimal(sum);
    of_json_string(json, "price_sum", decimal);
    free(decimal);
    if (orders > 0)
        of_json_number(json, "price_average", of_exact_sum_average(sum, orders));
    else
        of_json_string(json, "price_average", NULL);
}

static void
json_second(FILE *out, const struct of_progress *progress)
{
    struct of_json json = of_json_to(out);
    begin(&json, "progress", progress->wall_ms);
    of_json_number(&json, "seconds", progress->seconds);
    put_money(&json, progress->live->orders_processed, &progress->live->sum);
    of_json_count(&json, "retry_attempts", progress->live->retry_attempts);
    of_json_count(&json, "dead_letters", progress->live->dead_letters);
    of_json_number(&json, "orders_per_second", progress->orders_per_second);
    of_json_count(&json, "held_partitions", progress->live->held_partitions);
    end(&json);
}

/* Leaves the object open. */
static void
put_totals(struct of_json *json, const char *key, const struct of_totals *totals)
{
    of_json_open(json, key, '{');
    put_money(json, totals->orders_processed, &totals->sum);
    of_json_count(json, "retry_attempts", totals->retry_attempts);
    of_json_count(json, "dead_letters", totals->dead_letters);
    of_json_open(json, "products", '{');
    for (size_t i = 0; i < totals->row_count; i++) {
        of_json_open_text(json, totals->rows[i].product);
        put_money(json, totals->rows[i].orders_processed, &totals->rows[i].sum);
        of_json_close(json, '}');
    }
    of_json_close(json, '}');
}

void
of_console_print_totals_json(FILE *out, const struct of_totals *totals)
{
    struct of_json json = of_json_to(out);
    put_totals(&json, NULL, totals);
    end(&json);
}

static void
json_final(FILE *out, const struct of_console_result *result, int64_t wall_ms)
{
    (void)wall_ms;
    struct of_json json = of_json_to(out);
    begin(&json, "final", 0);
    put_totals(&json, "run", result->run);
    of_json_number(&json, "seconds", result->seconds);
    of_json_number(&json, "orders_per_second", of_console_rate(result));
    of_json_close(&json, '}');
    put_totals(&json, "total", result->total);
    of_json_close(&json, '}');
    end(&json);
}

const struct of_console_view of_console_json_view = { json_started, json_event, json_second, json_final };
