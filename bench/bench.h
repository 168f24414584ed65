/* What all benchmarks share: options, the header, pairs of runs, medians.
 *
 * A benchmark compares a candidate (ours) with a baseline. The two run in turn, changing which goes first, so that what
 * else the machine does meets both; every run is printed, then medians and quartiles, and the median of the ratios
 * candidate / baseline, run by run. One pair beforehand warms up and does not count.
 *
 *     if (!bench_open(&bench, &description, argc, argv, &settings, &exit_status))
 *         return exit_status;
 *     bool ok = bench_compare(&bench, &first) && bench_compare(&bench, &second);
 *     return bench_close(&bench, ok);
 *
 * Threads: one. Errors: to standard error, and a false that leads to exit status 1. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <jansson.h>

#include "core/clock.h"
#include "core/option.h"

enum { BENCH_METRICS = 5, BENCH_PAIRS = 99 };

/* A number that each run yields. */
struct bench_metric {
    const char *name; /* heading of its column, with its unit: "ns/record" */
    int decimals; /* negative: three significant digits, for what ranges widely */
};

struct bench_variant {
    const char *name;
    /* One run; fills one value per metric. False: it failed, and has said why. */
    bool (*run)(void *context, double *values);
    void *context;
};

struct bench_case {
    const char *title;
    const struct bench_metric *metrics; /* the first is what the case is about */
    uint32_t metric_count;
    struct bench_variant baseline, candidate;
};

/* The first member of every benchmark's settings. */
struct bench_settings {
    int64_t pairs, settle_ms;
    bool json;
};

/* Rows that every benchmark's option table begins with; SETTINGS is its struct of settings. */
#define BENCH_OPTIONS(SETTINGS)                                                                                            \
    { .name = "pairs", .section = "Benchmark", .type = OF_OPTION_INT, .min = 1, .max = BENCH_PAIRS, .initial = "7",    \
      .commands = 1, .placeholder = "COUNT", .offset = offsetof(SETTINGS, common.pairs),                                   \
      .help = "runs of each that count" },                                                                             \
    { .name = "settle-ms", .section = "Benchmark", .type = OF_OPTION_INT, .min = 0, .max = 600000, .initial = "5000",  \
      .commands = 1, .placeholder = "MS", .offset = offsetof(SETTINGS, common.settle_ms),                                  \
      .help = "how long to wait before a pair for other programs to be quiet" },                                       \
    { .name = "json", .section = "Benchmark", .type = OF_OPTION_BOOL, .initial = "false", .commands = 1,               \
      .offset = offsetof(SETTINGS, common.json), .help = "print JSON in place of tables" }

struct bench_description {
    const char *name;
    const struct of_option *options;
    size_t option_count;
    bool operands;   /* arguments behind -- are allowed */
    bool properties; /* -X name=value is, too */
};

struct bench {
    const char *name;
    const struct bench_settings *settings;
    struct of_option_table table;
    struct of_options options;
    json_t *json; /* NULL: tables are printed */
};

/* Reads the options into settings and prints the header. False: end with *exit_status, nothing is to be closed. */
OF_MUST_USE bool bench_open(struct bench *bench, const struct bench_description *description, int argc, char **argv,
                            void *settings, int *exit_status);

/* Runs all pairs of a case and prints them. */
OF_MUST_USE bool bench_compare(struct bench *bench, const struct bench_case *what);

/* Ends the output. Returns the exit status. */
int bench_close(struct bench *bench, bool ok);

/* Keeps the compiler from leaving out the work that led to this value. */
static inline void
bench_keep(double value)
{
    __asm__ volatile("" : : "x"(value) : "memory");
}

#endif
