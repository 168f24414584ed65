/* Metrics in both formats, the JSON beside them, and the page: from numbers made up here. test_measured.c has those of a
 * pipeline. `unit_metrics reference` prints docs/metrics.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "core/memory.h"
#include "ops/dashboard.h"
#include "ops/metrics.h"
#include "ops/stats_json.h"

#define HOSTILE "<img src=x onerror=\"alert('1')\">\\\n\xff"
#define HOSTILE_ESCAPED "<img src=x onerror=\\\"alert('1')\\\">\\\\\\n\\\\xFF" /* in a label */

static struct of_measured measured;
static struct of_metrics_products products;
static struct of_histogram durations;

/* ---- numbers ---- */

static void
add_product(struct of_totals *totals, const char *name, uint64_t orders, double value)
{
    struct of_totals_row *row = of_totals_add_row(totals, of_slice_str(name));
    row->orders_processed = orders;
    totals->orders_processed += orders;
    of_exact_sum_add(&row->sum, value);
    of_exact_sum_add(&totals->sum, value);
}

static void
add_client(void)
{
    struct of_measured_client *client = of_measured_add(&measured.clients, &measured.client_count, sizeof *client);
    client->client = "producer";
    client->numbers.known = true;
    client->numbers.sent_bytes = 123;
    strcpy(client->numbers.transaction_state, "InTransaction");
    client->numbers.broker_count = 1;
    strcpy(client->numbers.brokers[0].name, "broker:9092/1");
    client->numbers.brokers[0].up = true;
    client->numbers.brokers[0].rtt_s = 0.0015;
}

static void
add_partition(int32_t number, int64_t committed, int64_t end, enum of_cause held)
{
    struct of_measured_partition *partition = of_measured_add(&measured.partitions, &measured.partition_count,
                                                              sizeof *partition);
    *partition = (struct of_measured_partition) {
        .topic = "orders", .partition = number, .read = committed, .committed = committed, .end = end, .held = held,
    };
}

static void
add_letter(void)
{
    struct of_event *letter = of_measured_add(&measured.letters, &measured.letter_count, sizeof *letter);
    letter->cause = OF_CAUSE_INVALID_VALUE;
    letter->has_order = true;
    letter->group_length = sizeof HOSTILE - 1;
    memcpy(letter->group, HOSTILE, sizeof HOSTILE - 1);
    strcpy(letter->origin_topic, "orders");
}

static int
set_up(void **state)
{
    (void)state;
    of_measured_init(&measured);
    memset(&products, 0, sizeof products);
    memset(&durations, 0, sizeof durations);
    measured.version = "1.2.3";
    measured.group = HOSTILE;
    measured.instance = "web7-0";
    measured.topic = "orders";
    measured.guarantee = "exactly-once";
    measured.source = "direct";
    measured.started_ms = 1700000000500;
    measured.running = measured.by_product = true;
    struct of_measured_stage *stage = of_measured_add(&measured.stages, &measured.stage_count, sizeof *stage);
    *stage = (struct of_measured_stage) { .stage = "decode", .items = 7, .busy_ns = 1500000000 };
    measured.latencies[0].stage = "decode";
    of_histogram_add(&durations, 2 * 1000 * 1000, 3);
    of_histogram_add_to(&durations, &measured.latencies[0].view);
    struct of_measured_ring *ring = of_measured_add(&measured.rings, &measured.ring_count, sizeof *ring);
    *ring = (struct of_measured_ring) { .from = "fetch", .to = "decode", .used = 2, .capacity = 100 };
    ring = of_measured_add(&measured.rings, &measured.ring_count, sizeof *ring);
    *ring = (struct of_measured_ring) { .from = "fetch", .to = "decode", .to_instance = 1, .used = 3, .capacity = 100 };
    struct of_measured_pool *pool = of_measured_add(&measured.pools, &measured.pool_count, sizeof *pool);
    *pool = (struct of_measured_pool) { .pool = "batches", .used = 5, .capacity = 32 };
    struct of_measured_lane *lane = of_measured_add(&measured.lanes, &measured.lane_count, sizeof *lane);
    *lane = (struct of_measured_lane) { .phase = "reading", .partitions = 2, .records = 11, .last_commit_ms = 1700000001000 };
    add_partition(0, 90, 100, OF_CAUSE_NONE);
    add_partition(1, -1, 100, OF_CAUSE_REGISTRY_DENIED);
    measured.retries[0] = 4;
    measured.dead_letters[OF_CAUSE_INVALID_VALUE] = 2;
    measured.commits[1] = 9;
    add_client();
    add_letter();
    add_product(&measured.run, HOSTILE, 2, 3.5);
    add_product(&measured.run, "Laptop", 8, 700);
    add_product(&measured.total, HOSTILE, 2, 3.5);
    add_product(&measured.total, "Laptop", 10, 900);
    of_totals_sort(&measured.run);
    measured.live.orders_processed = 4;
    of_exact_sum_add(&measured.live.sum, 1);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    of_measured_fini(&measured);
    return 0;
}

/* The caller frees it. */
static char *
page(enum of_metrics_format format)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    of_metrics_write(out, format, &measured, &products);
    fclose(out);
    return text;
}

static void
assert_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        if ((at == text || at[-1] == '\n') && at[length] == '\n')
            return;
    fail_msg("no line %s in\n%s", line, text);
}

/* ---- the rules of the formats ---- */

struct family {
    char name[128], type[32];
    bool has_help;
};

static bool
ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), ending = strlen(end);
    return length >= ending && strcmp(text + length - ending, end) == 0;
}

/* Prometheus gives these to whatever it scrapes, and renames those that it finds there. */
static void
check_labels(const char *line)
{
    static const char *const taken[] = { "{instance=", ",instance=", "{job=", ",job=" };
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strstr(line, taken[i]) != NULL)
            fail_msg("a label that Prometheus gives: %s", line);
}

/* A sample's name belongs to the family above it, with the ending that its type has. */
static void
check_sample(const struct family *family, enum of_metrics_format format, const char *line)
{
    size_t length = strcspn(line, "{ ");
    size_t base = strlen(family->name);
    assert_true(family->has_help && family->type[0] != '\0');
    if (length < base || strncmp(line, family->name, base) != 0)
        fail_msg("a sample of another family than %s: %s", family->name, line);
    char ending[64];
    snprintf(ending, sizeof ending, "%.*s", (int)(length - base), line + base);
    if (strcmp(family->type, "histogram") == 0)
        assert_true(strcmp(ending, "_bucket") == 0 || strcmp(ending, "_sum") == 0 || strcmp(ending, "_count") == 0);
    else if (format == OF_METRICS_OPENMETRICS && strcmp(family->type, "counter") == 0)
        assert_string_equal(ending, "_total");
    else if (format == OF_METRICS_OPENMETRICS && strcmp(family->type, "info") == 0)
        assert_string_equal(ending, "_info");
    else
        assert_string_equal(ending, "");
}

/* Conventions of names: https://prometheus.io/docs/practices/naming and what promtool complains about. */
static void
check_family(const struct family *family, enum of_metrics_format format)
{
    static const char *const reserved[] = { "_count", "_sum", "_bucket", "_created" };
    static const char *const wrong[] = { "_ms", "_milliseconds", "_ns", "_kb", "_percent", "_gauge", "_counter" };
    assert_memory_equal(family->name, "orderflow_", 10);
    assert_int_equal(strspn(family->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(family->name));
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        assert_false(ends_with(family->name, reserved[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(ends_with(family->name, wrong[i]));
    bool counter = strcmp(family->type, "counter") == 0;
    assert_int_equal(ends_with(family->name, "_total"), counter && format == OF_METRICS_TEXT);
}

static bool
is_number(const char *text)
{
    char *end;
    (void)strtod(text, &end);
    return end != text && *end == '\0';
}

/* Every line keeps the rules; no series comes twice. */
static void
check_page(char *text, enum of_metrics_format format)
{
    struct family family = { .name = "" };
    const char *seen[4096];
    size_t count = 0;
    for (char *line, *rest = text; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        if (sscanf(line, "# HELP %127s", family.name) == 1) {
            family.has_help = true;
            family.type[0] = '\0';
            assert_false(ends_with(line, "."));
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            char name[128];
            assert_int_equal(sscanf(line, "# TYPE %127s %31s", name, family.type), 2);
            assert_string_equal(name, family.name);
            check_family(&family, format);
        } else if (strncmp(line, "# UNIT ", 7) == 0) {
            char name[128], unit[32];
            assert_int_equal(format, OF_METRICS_OPENMETRICS);
            assert_int_equal(sscanf(line, "# UNIT %127s %31s", name, unit), 2);
            assert_string_equal(name, family.name);
            assert_true(ends_with(name, unit));
        } else if (strcmp(line, "# EOF") == 0) {
            assert_true(format == OF_METRICS_OPENMETRICS && (rest == NULL || *rest == '\0'));
        } else {
            char *value = strrchr(line, ' ');
            assert_non_null(value);
            assert_true(is_number(value + 1));
            *value = '\0';
            check_sample(&family, format, line);
            check_labels(line);
            for (size_t i = 0; i < count; i++)
                if (strcmp(seen[i], line) == 0)
                    fail_msg("twice: %s", line);
            assert_true(count < sizeof seen / sizeof *seen);
            seen[count++] = line;
        }
    }
    assert_true(count > 100);
}

static void
both_formats_keep_their_rules(void **state)
{
    (void)state;
    for (enum of_metrics_format format = OF_METRICS_TEXT; format <= OF_METRICS_OPENMETRICS; format++) {
        char *text = page(format);
        assert_int_equal(ends_with(text, "\n# EOF\n"), format == OF_METRICS_OPENMETRICS);
        check_page(text, format);
        free(text);
    }
}

static void
numbers_are_those_that_were_measured(void **state)
{
    (void)state;
    char *text = page(OF_METRICS_TEXT);
    static const char *const lines[] = {
        "orderflow_build_info{version=\"1.2.3\"} 1",
        "orderflow_run_info{group=\"" HOSTILE_ESCAPED "\",topic=\"orders\",guarantee=\"exactly-once\",source=\"direct\","
        "instance_id=\"web7-0\"} 1",
        "orderflow_start_time_seconds 1700000000.5",
        "orderflow_orders_total 10",
        "orderflow_summed_value 703.5",
        "orderflow_live_orders 4",
        "orderflow_live_average 0.25",
        "orderflow_total_orders 12",
        "orderflow_product_orders_total{product=\"Laptop\"} 8",
        "orderflow_retries_total{attempt=\"1\"} 4",
        "orderflow_dead_letters_total{cause=\"invalid_value\"} 2",
        "orderflow_dead_letters_total{cause=\"undecodable\"} 0",
        "orderflow_stage_busy_seconds_total{stage=\"decode\",thread=\"0\"} 1.5",
        "orderflow_stage_latency_seconds_bucket{stage=\"decode\",le=\"0.001\"} 0",
        "orderflow_stage_latency_seconds_bucket{stage=\"decode\",le=\"0.0025\"} 3",
        "orderflow_stage_latency_seconds_bucket{stage=\"decode\",le=\"1.0\"} 3",
        "orderflow_stage_latency_seconds_bucket{stage=\"decode\",le=\"+Inf\"} 3",
        "orderflow_stage_latency_seconds_sum{stage=\"decode\"} 0.006",
        "orderflow_stage_latency_seconds_count{stage=\"decode\"} 3",
        "orderflow_ring_used{lane=\"0\",from=\"fetch\",to=\"decode\"} 5",
        "orderflow_ring_capacity{lane=\"0\",from=\"fetch\",to=\"decode\"} 200",
        "orderflow_pool_used{pool=\"batches\",thread=\"0\"} 5",
        "orderflow_partition_lag{topic=\"orders\",partition=\"0\"} 10",
        "orderflow_partition_held{topic=\"orders\",partition=\"1\",cause=\"registry_denied\"} 1",
        "orderflow_commits_total{outcome=\"committed\"} 9",
        "orderflow_last_commit_time_seconds{lane=\"0\"} 1700000001",
        "orderflow_kafka_sent_bytes_total{client=\"producer\",lane=\"0\"} 123",
        "orderflow_kafka_broker_up{client=\"producer\",lane=\"0\",broker=\"broker:9092/1\"} 1",
        "orderflow_kafka_broker_rtt_seconds{client=\"producer\",lane=\"0\",broker=\"broker:9092/1\"} 0.0015",
        "orderflow_kafka_transaction_state{lane=\"0\",state=\"InTransaction\"} 1",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_line(text, lines[i]);
    /* What is not known is absent, not zero. */
    assert_null(strstr(text, "orderflow_partition_lag{topic=\"orders\",partition=\"1\"}"));
    assert_null(strstr(text, "orderflow_partition_held{topic=\"orders\",partition=\"0\""));
    free(text);
}

static void
labels_hold_whatever_records_hold(void **state)
{
    (void)state;
    char *text = page(OF_METRICS_OPENMETRICS);
    assert_line(text, "orderflow_product_orders_total{product=\"" HOSTILE_ESCAPED "\"} 2");
    free(text);
}

static void
before_there_is_a_pipeline_there_is_little_to_tell(void **state)
{
    (void)state;
    of_measured_fini(&measured);
    of_measured_init(&measured);
    measured.version = "1.2.3";
    char *text = page(OF_METRICS_TEXT);
    assert_line(text, "orderflow_build_info{version=\"1.2.3\"} 1");
    assert_null(strstr(text, "\norderflow_orders_total "));
    assert_null(strstr(text, "\norderflow_live_orders "));
    free(text);
}

/* ---- products ---- */

static uint64_t
value_of(const char *text, const char *series)
{
    char wanted[256];
    snprintf(wanted, sizeof wanted, "\n%s ", series);
    const char *found = strstr(text, wanted);
    if (found == NULL)
        fail_msg("no %s", series);
    return strtoull(found + strlen(wanted), NULL, 10);
}

static uint32_t
count_of(const char *text, const char *part)
{
    uint32_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

/* A thousand products; the one of number i has `scale` * (i + 1) orders. */
static void
sell(uint64_t scale)
{
    static char names[1000][16];
    of_totals_fini(&measured.run);
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof names[i], "P%03u", i);
        add_product(&measured.run, names[i], scale * (i + 1), 1);
    }
    of_totals_sort(&measured.run);
}

static void
labels_of_products_are_bounded_and_stay(void **state)
{
    (void)state;
    sell(1);
    char *text = page(OF_METRICS_TEXT);
    assert_int_equal(count_of(text, "\norderflow_product_orders_total{"), OF_METRICS_PRODUCTS);
    assert_int_equal(value_of(text, "orderflow_product_orders_total{product=\"P999\"}"), 1000);
    uint64_t others = value_of(text, "orderflow_product_orders_total");
    assert_int_equal(others, 900 * 901 / 2);
    assert_int_equal(value_of(text, "orderflow_product_summed_value"), 900);
    free(text);
    sell(2); /* and now one that had no label has most orders of all */
    measured.run.rows[5].orders_processed += 1000000;
    measured.run.orders_processed += 1000000;
    text = page(OF_METRICS_TEXT);
    assert_int_equal(count_of(text, "\norderflow_product_orders_total{"), OF_METRICS_PRODUCTS);
    assert_null(strstr(text, "product=\"P005\""));
    assert_int_equal(value_of(text, "orderflow_product_orders_total"), 2 * others + 1000000);
    free(text);
}

/* ---- which format ---- */

/* Only what needs a row of each is given up. */
static void
very_many_products_leave_the_totals_of_the_run(void **state)
{
    (void)state;
    static const char *const absent[] = { "total_orders", "total_summed_value", "product_orders_total", "product_summed_value" };
    of_totals_fini(&measured.run);
    of_totals_fini(&measured.total);
    measured.products = 20000;
    measured.by_product = false;
    measured.run.orders_processed = 30000;
    of_exact_sum_add(&measured.run.sum, 1.5);
    char *text = page(OF_METRICS_TEXT);
    assert_line(text, "orderflow_orders_total 30000");
    assert_line(text, "orderflow_summed_value 1.5");
    assert_line(text, "orderflow_products 20000");
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        char space[64], brace[64];
        snprintf(space, sizeof space, "\norderflow_%s ", absent[i]);
        snprintf(brace, sizeof brace, "\norderflow_%s{", absent[i]);
        if (strstr(text, space) != NULL || strstr(text, brace) != NULL)
            fail_msg("there is a sample of %s", absent[i]);
    }
    free(text);
}

static void
the_format_is_the_one_asked_for(void **state)
{
    (void)state;
    static const struct { const char *accept; enum of_metrics_format format; } cases[] = {
        { NULL, OF_METRICS_TEXT },
        { "*/*", OF_METRICS_TEXT },
        { "text/plain", OF_METRICS_TEXT },
        { "application/openmetrics-text", OF_METRICS_OPENMETRICS },
        { "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
          OF_METRICS_OPENMETRICS },
        { "text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.5", OF_METRICS_TEXT },
        { "application/openmetrics-text;q=0, text/plain;q=0.5", OF_METRICS_TEXT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(of_metrics_choose(cases[i].accept), cases[i].format);
    assert_non_null(strstr(of_metrics_content_type(OF_METRICS_TEXT), "version=0.0.4"));
    assert_non_null(strstr(of_metrics_content_type(OF_METRICS_OPENMETRICS), "openmetrics-text; version=1.0.0"));
}

/* ---- JSON ---- */

static json_t *
stats(void)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    of_stats_json_write(out, &measured);
    fclose(out);
    assert_int_equal(count_of(text, "\n"), 1);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fail_msg("%s: %s", error.text, text);
    free(text);
    return root;
}

static void
json_has_the_same_numbers(void **state)
{
    (void)state;
    json_t *root = stats();
    const char *product, *group;
    json_int_t live, lag, end, busiest, others, letter_attempts;
    double average, busy, p99;
    int lag_is_null;
    assert_int_equal(json_unpack(root, "{s:s, s:{s:i, s:f}, s:[{s:s, s:I}, {s:s}], s:[{s:f}], s:[{s:I, s:I}, {s:n}], s:n}",
                                 "group", &group, "live", "orders", &lag_is_null, "average", &average, "products",
                                 "product", &product, "orders", &busiest, "product", &product, "stages", "busy", &busy,
                                 "partitions", "lag", &lag, "end", &end, "lag", "lag"), 0);
    live = lag_is_null;
    assert_int_equal(live, 4);
    assert_true(average == 0.25 && busy == 1.5);
    assert_int_equal(busiest, 10); /* the one with most orders first */
    assert_int_equal(lag, 10);
    assert_int_equal(end, 100);
    assert_string_equal(product, "<img src=x onerror=\"alert('1')\">\\\n\\xFF");
    assert_int_equal(json_unpack(root, "{s:{s:{s:f}}, s:{s:I}, s:[{s:s, s:I}]}", "stage_latency", "decode", "p99", &p99,
                                 "other_products", "products", &others, "last_dead_letters", "product", &product,
                                 "attempts", &letter_attempts), 0);
    assert_true(p99 > 0.001 && p99 <= 0.0025);
    assert_int_equal(others, 0);
    assert_string_equal(product, "<img src=x onerror=\"alert('1')\">\\\n\\xFF");
    json_decref(root);
}

static void
json_lists_so_many_products(void **state)
{
    (void)state;
    sell(1);
    for (size_t i = 0; i < measured.run.row_count; i++)
        of_totals_add_row(&measured.total, measured.run.rows[i].product)->orders_processed = i + 1;
    json_t *root = stats();
    assert_int_equal(json_array_size(json_object_get(root, "products")), OF_STATS_PRODUCTS);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "other_products"), "products")),
                     1002 - OF_STATS_PRODUCTS);
    json_decref(root);
}

/* ---- the page ---- */

static char *
dashboard(char policy[OF_DASHBOARD_POLICY_BYTES])
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    of_dashboard_write(out, policy);
    fclose(out);
    return text;
}

static void
the_page_lets_only_its_own_script_run(void **state)
{
    (void)state;
    char policy[OF_DASHBOARD_POLICY_BYTES], other[OF_DASHBOARD_POLICY_BYTES], nonce[64], wanted[128];
    char *text = dashboard(policy);
    assert_int_equal(sscanf(policy, "default-src 'none'; script-src 'nonce-%63[0-9a-f]';", nonce), 1);
    assert_int_equal(strlen(nonce), 32);
    assert_true(strlen(policy) < sizeof policy - 1);
    snprintf(wanted, sizeof wanted, "<script nonce=\"%s\">", nonce);
    assert_int_equal(count_of(text, wanted), 1);
    assert_int_equal(count_of(text, "<script"), 1);
    assert_int_equal(count_of(text, "NONCE"), 0);
    free(dashboard(other));
    assert_string_not_equal(policy, other);
    free(text);
}

/* What comes from records enters as text, and nothing comes from elsewhere. */
static void
the_page_has_no_way_in_and_no_way_out(void **state)
{
    (void)state;
    static const char *const never[] = { "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                                         "new Function", "DOMParser", "srcdoc", " src=", "@import", "url(", "https://",
                                         "javascript:" };
    char policy[OF_DASHBOARD_POLICY_BYTES];
    char *text = dashboard(policy);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_null(strstr(text, never[i]));
    assert_int_equal(count_of(text, "http://"), 1);
    assert_non_null(strstr(text, "'http://www.w3.org/2000/svg'")); /* a name, not an address */
    free(text);
}

/* ---- files that name metrics ---- */

static char *
read_source(const char *path)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", ORDERFLOW_SOURCE_DIR, path);
    FILE *file = fopen(whole, "r");
    if (file == NULL)
        fail_msg("cannot read %s", whole);
    enum { ROOM = 1 << 20 };
    char *text = calloc(1, ROOM);
    assert_true(fread(text, 1, ROOM - 1, file) > 0 && feof(file));
    fclose(file);
    return text;
}

static void
the_reference_is_current(void **state)
{
    (void)state;
    char *expected, *found = read_source("docs/metrics.md");
    size_t size;
    FILE *out = open_memstream(&expected, &size);
    of_metrics_print_reference(out);
    fclose(out);
    if (strcmp(expected, found) != 0)
        fail_msg("docs/metrics.md is not what src/ops/metric.def says: unit_metrics reference >docs/metrics.md");
    free(expected);
    free(found);
}

/* Whether a series of that name can come from /metrics. */
static bool
exists(const char *name, size_t length)
{
    static const char *const endings[] = { "", "_total", "_info", "_bucket", "_sum", "_count" };
    const char *known;
    for (uint32_t i = 0; (known = of_metrics_name(i)) != NULL; i++)
        for (size_t e = 0; e < sizeof endings / sizeof *endings; e++) {
            char series[256];
            snprintf(series, sizeof series, "%s%s", known, endings[e]);
            if (strlen(series) == length && strncmp(series, name, length) == 0)
                return true;
        }
    return false;
}

static void
files_name_metrics_that_exist(void **state)
{
    (void)state;
    static const char *const files[] = { "etc/prometheus/alerts.yml", "etc/grafana/dashboard.json" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *text = read_source(files[i]);
        uint32_t named = 0;
        for (const char *at = text; (at = strstr(at, "orderflow_")) != NULL; named++) {
            size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
            if (!exists(at, length))
                fail_msg("%s: there is no metric %.*s", files[i], (int)length, at);
            at += length;
        }
        assert_true(named >= 10);
        free(text);
    }
    char *text = read_source("etc/grafana/dashboard.json");
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_true(json_array_size(json_object_get(root, "panels")) > 5);
    json_decref(root);
    free(text);
}

static void
each_alert_says_what_to_do(void **state)
{
    (void)state;
    char *alerts = read_source("etc/prometheus/alerts.yml"), *operations = read_source("docs/operations.md");
    uint32_t count = 0;
    for (const char *at = alerts; (at = strstr(at, "- alert: ")) != NULL; count++) {
        char row[128];
        at += strlen("- alert: ");
        snprintf(row, sizeof row, "\n| `%.*s` |", (int)strcspn(at, "\n"), at);
        if (strstr(operations, row) == NULL)
            fail_msg("docs/operations.md does not say what to do about %s", row);
    }
    assert_true(count > 10);
    free(alerts);
    free(operations);
}

int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "reference") == 0) {
        of_metrics_print_reference(stdout);
        return 0;
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(both_formats_keep_their_rules),
        TEST(numbers_are_those_that_were_measured),
        TEST(labels_hold_whatever_records_hold),
        TEST(before_there_is_a_pipeline_there_is_little_to_tell),
        TEST(labels_of_products_are_bounded_and_stay),
        TEST(very_many_products_leave_the_totals_of_the_run),
        TEST(the_format_is_the_one_asked_for),
        TEST(json_has_the_same_numbers),
        TEST(json_lists_so_many_products),
        TEST(the_page_lets_only_its_own_script_run),
        TEST(the_page_has_no_way_in_and_no_way_out),
        TEST(the_reference_is_current),
        TEST(files_name_metrics_that_exist),
        TEST(each_alert_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
