#include "bench.h"

#include <math.h>
#include <stdlib.h>

#include "core/assert.h"
#include "machine.h"

enum { BASELINE, CANDIDATE, RATIO, SERIES };

/* All runs of a case; element 0 of each series is the warm-up. */
struct runs {
    const struct bench_case *what;
    uint32_t pairs;
    double value[BENCH_METRICS][SERIES][BENCH_PAIRS + 1];
    double others[BENCH_PAIRS + 1]; /* processors that other programs kept busy */
};

static const struct {
    const char *name;
    double at;
} quantiles[] = { { "median", 0.5 }, { "lower", 0.25 }, { "upper", 0.75 } };
enum { QUANTILES = sizeof quantiles / sizeof *quantiles };

/* ---- statistics ---- */

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of the runs that count, between neighbours where it falls between two. */
static double
quantile(const struct runs *runs, uint32_t metric, int series, double at)
{
    double sorted[BENCH_PAIRS];
    for (uint32_t i = 0; i < runs->pairs; i++)
        sorted[i] = runs->value[metric][series][i + 1];
    qsort(sorted, runs->pairs, sizeof *sorted, compare_doubles);
    double position = at * (runs->pairs - 1);
    uint32_t below = (uint32_t)position;
    uint32_t above = below + 1 < runs->pairs ? below + 1 : below;
    return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

/* ---- tables ---- */

static void
print_heading(const struct bench_case *what)
{
    printf("\n%s\n%-8s", what->title, "");
    for (int series = BASELINE; series <= CANDIDATE; series++)
        printf("  %-*s", (int)(14 * what->metric_count - 2),
               series == BASELINE ? what->baseline.name : what->candidate.name);
    printf("\n%-8s", "pair");
    for (int series = BASELINE; series <= CANDIDATE; series++)
        for (uint32_t m = 0; m < what->metric_count; m++)
            printf("%14s", what->metrics[m].name);
    printf("%8s%8s\n", "ratio", "others");
}

static void
print_value(const struct bench_metric *metric, double value)
{
    if (metric->decimals < 0)
        printf("%14.3g", value);
    else
        printf("%14.*f", metric->decimals, value);
}

static void
print_values(const struct bench_case *what, const char *name, double (*get)(const void *from, uint32_t m, int series),
             const void *from)
{
    printf("%-8s", name);
    for (int series = BASELINE; series <= CANDIDATE; series++)
        for (uint32_t m = 0; m < what->metric_count; m++)
            print_value(&what->metrics[m], get(from, m, series));
    printf("%8.3f", get(from, 0, RATIO));
}

struct one_run {
    const struct runs *runs;
    uint32_t index;
};

static double
get_run(const void *from, uint32_t metric, int series)
{
    const struct one_run *run = from;
    return run->runs->value[metric][series][run->index];
}

static void
print_run(const struct runs *runs, uint32_t index)
{
    char name[16];
    snprintf(name, sizeof name, index == 0 ? "warm-up" : "%u", index);
    print_values(runs->what, name, get_run, &(struct one_run) { runs, index });
    printf("%8.1f\n", runs->others[index]);
    fflush(stdout);
}

struct one_quantile {
    const struct runs *runs;
    double at;
};

static double
get_quantile(const void *from, uint32_t metric, int series)
{
    const struct one_quantile *wanted = from;
    return quantile(wanted->runs, metric, series, wanted->at);
}

static void
print_summary(const struct runs *runs)
{
    for (int q = 0; q < QUANTILES; q++) {
        print_values(runs->what, quantiles[q].name, get_quantile, &(struct one_quantile) { runs, quantiles[q].at });
        putchar('\n');
    }
    printf("median of the ratios:");
    for (uint32_t m = 0; m < runs->what->metric_count; m++)
        printf("%s %.3f in %s", m > 0 ? "," : "", quantile(runs, m, RATIO, 0.5), runs->what->metrics[m].name);
    putchar('\n');
}

/* ---- JSON ---- */

static json_t *
json_series(const struct runs *runs, uint32_t metric, int series)
{
    json_t *values = json_array();
    for (uint32_t i = 1; i <= runs->pairs; i++)
        json_array_append_new(values, json_real(runs->value[metric][series][i]));
    return json_pack("{s:f, s:f, s:f, s:o}", "median", quantile(runs, metric, series, 0.5), "lower",
                     quantile(runs, metric, series, 0.25), "upper", quantile(runs, metric, series, 0.75), "runs",
                     values);
}

static json_t *
json_case(const struct runs *runs)
{
    const struct bench_case *what = runs->what;
    json_t *metrics = json_object();
    for (uint32_t m = 0; m < what->metric_count; m++)
        json_object_set_new(metrics, what->metrics[m].name,
                            json_pack("{s:o, s:o, s:o}", "baseline", json_series(runs, m, BASELINE), "candidate",
                                      json_series(runs, m, CANDIDATE), "ratio", json_series(runs, m, RATIO)));
    json_t *others = json_array();
    for (uint32_t i = 1; i <= runs->pairs; i++)
        json_array_append_new(others, json_real(runs->others[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "title", what->title, "baseline", what->baseline.name, "candidate",
                     what->candidate.name, "metrics", metrics, "others", others);
}

/* ---- running ---- */

static bool
run_one(struct runs *runs, int series, uint32_t index)
{
    const struct bench_variant *variant = series == BASELINE ? &runs->what->baseline : &runs->what->candidate;
    double values[BENCH_METRICS] = { 0 };
    if (!variant->run(variant->context, values)) {
        fprintf(stderr, "%s: a run of '%s' failed\n", runs->what->title, variant->name);
        return false;
    }
    for (uint32_t m = 0; m < runs->what->metric_count; m++)
        runs->value[m][series][index] = values[m];
    return true;
}

static bool
run_pair(struct runs *runs, uint32_t index, int64_t settle_ms)
{
    int first = index % 2 == 0 ? BASELINE : CANDIDATE;
    bench_settle(settle_ms);
    struct bench_busy from = bench_busy();
    if (!run_one(runs, first, index) || !run_one(runs, BASELINE + CANDIDATE - first, index))
        return false;
    struct bench_busy to = bench_busy();
    runs->others[index] = bench_others(&from, &to);
    for (uint32_t m = 0; m < runs->what->metric_count; m++) {
        double *baseline = runs->value[m][BASELINE], *candidate = runs->value[m][CANDIDATE];
        runs->value[m][RATIO][index] = baseline[index] != 0 ? candidate[index] / baseline[index] : NAN;
    }
    return true;
}

bool
bench_compare(struct bench *bench, const struct bench_case *what)
{
    OF_ASSERT(what->metric_count >= 1 && what->metric_count <= BENCH_METRICS);
    static struct runs runs;
    runs = (struct runs) { .what = what, .pairs = (uint32_t)bench->settings->pairs };
    if (bench->json == NULL)
        print_heading(what);
    for (uint32_t i = 0; i <= runs.pairs; i++) {
        if (!run_pair(&runs, i, bench->settings->settle_ms))
            return false;
        if (bench->json == NULL)
            print_run(&runs, i);
    }
    if (bench->json == NULL)
        print_summary(&runs);
    else
        json_array_append_new(json_object_get(bench->json, "cases"), json_case(&runs));
    return true;
}

/* ---- opening and closing ---- */

static void
print_header(const char *name, json_t *machine)
{
    const char *key;
    json_t *value;
    printf("%s\n", name);
    json_object_foreach(machine, key, value)
        printf("  %-10s %s\n", key, json_string_value(value));
}

static bool
read_options(struct bench *bench, const struct bench_description *description, char **argv, void *settings,
             int *exit_status)
{
    static const char *const commands[] = { "bench", NULL };
    static const char *const nothing[] = { NULL };
    bench->table = (struct of_option_table) {
        .options = description->options,
        .count = description->option_count,
        .commands = commands,
        .program = description->name,
        .environment_prefix = "",
        .property_prefix = "",
        .property_commands = description->properties,
    };
    struct of_error err;
    of_options_init(&bench->options, &bench->table, 0);
    enum of_status status = of_options_load(&bench->options, (const char *const *)(argv + 1), nothing, settings, &err);
    if (status == OF_OK && !bench->options.help && bench->options.operand_count > 0 && !description->operands)
        status = of_error_set(&err, OF_FATAL, "unexpected argument '%s'", bench->options.operands[0]);
    *exit_status = status == OF_OK ? 0 : 2;
    if (status != OF_OK)
        fprintf(stderr, "%s: %s\n", description->name, err.text);
    else if (bench->options.help)
        of_options_print_help(&bench->table, 0, stdout);
    else
        return true;
    of_options_fini(&bench->options);
    return false;
}

bool
bench_open(struct bench *bench, const struct bench_description *description, int argc, char **argv, void *settings,
           int *exit_status)
{
    (void)argc;
    *bench = (struct bench) { .name = description->name, .settings = settings };
    if (!read_options(bench, description, argv, settings, exit_status))
        return false;
    json_t *machine = bench_machine();
    if (bench->settings->json) {
        bench->json = json_pack("{s:s, s:o, s:[]}", "benchmark", bench->name, "header", machine, "cases");
    } else {
        print_header(bench->name, machine);
        json_decref(machine);
    }
    return true;
}

int
bench_close(struct bench *bench, bool ok)
{
    if (bench->json != NULL) {
        json_dumpf(bench->json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(bench->json);
    }
    of_options_fini(&bench->options);
    return ok ? 0 : 1;
}
