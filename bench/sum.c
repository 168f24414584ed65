/* The exact sum beside adding doubles: what exactness costs, and what it is worth. */
#include <math.h>
#include <stdlib.h>

#include "bench.h"
#include "core/memory.h"
#include "order/exact_sum.h"
#include "order/generator.h"

enum { VALUES = 10000 };

struct settings {
    struct bench_settings common;
    int64_t rounds;
};

static const struct of_option rows[] = {
    BENCH_OPTIONS(struct settings),
    { .name = "rounds", .section = "Values", .type = OF_OPTION_INT, .min = 1, .max = 1000000, .initial = "500",
      .commands = 1, .offset = offsetof(struct settings, rounds), .placeholder = "COUNT",
      .help = "times that each run adds its 10000 values" },
};

struct sum {
    struct settings settings;
    struct bench bench;
    double values[VALUES];
};

/* The true sum of all rounds, as far as a double can say it. */
static double
truth(const struct sum *self)
{
    struct of_exact_sum sum;
    of_exact_sum_init(&sum);
    for (int64_t round = 0; round < self->settings.rounds; round++)
        for (int i = 0; i < VALUES; i++)
            of_exact_sum_add(&sum, self->values[i]);
    double rounded = of_exact_sum_round(&sum);
    of_exact_sum_fini(&sum);
    return rounded;
}

static void
set_values(const struct sum *self, int64_t began_ns, double result, double *values)
{
    int64_t took_ns = of_clock_mono_ns(of_clock_system()) - began_ns;
    values[0] = (double)took_ns / (double)self->settings.rounds / VALUES;
    values[1] = fabs(result - truth(self));
}

static bool
run_naive(void *context, double *values)
{
    const struct sum *self = context;
    double sum = 0;
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    for (int64_t round = 0; round < self->settings.rounds; round++)
        for (int i = 0; i < VALUES; i++)
            sum += self->values[i];
    bench_keep(sum);
    set_values(self, began_ns, sum, values);
    return true;
}

static bool
run_exact(void *context, double *values)
{
    const struct sum *self = context;
    struct of_exact_sum sum;
    of_exact_sum_init(&sum);
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    for (int64_t round = 0; round < self->settings.rounds; round++)
        for (int i = 0; i < VALUES; i++)
            of_exact_sum_add(&sum, self->values[i]);
    double rounded = of_exact_sum_round(&sum);
    set_values(self, began_ns, rounded, values);
    of_exact_sum_fini(&sum);
    return true;
}

static bool
compare(struct sum *self, const char *title)
{
    static const struct bench_metric metrics[] = { { "ns/value", 2 }, { "error", -1 } };
    const struct bench_case what = {
        .title = title,
        .metrics = metrics,
        .metric_count = 2,
        .baseline = { "double += double", run_naive, self },
        .candidate = { "exact sum", run_exact, self },
    };
    return bench_compare(&self->bench, &what);
}

static void
fill_with_prices(struct sum *self)
{
    struct of_generator generator;
    of_generator_init(&generator, 1, 1);
    for (int i = 0; i < VALUES; i++) {
        struct of_order order;
        of_generator_next(&generator, &order);
        self->values[i] = order.price;
    }
}

/* From 1e-20 to 1e20: beyond the window of the exact sum, which pays for it. */
static void
fill_with_extremes(struct sum *self)
{
    fill_with_prices(self);
    for (int i = 0; i < VALUES; i++)
        self->values[i] *= pow(10, i % 41 - 20) * (i % 2 ? 1 : -1);
}

int
main(int argc, char **argv)
{
    static const struct bench_description description = { "sum", rows, sizeof rows / sizeof *rows, false, false };
    static struct sum self;
    int status;
    if (!bench_open(&self.bench, &description, argc, argv, &self.settings, &status))
        return status;
    fill_with_prices(&self);
    bool ok = compare(&self, "prices of orders");
    fill_with_extremes(&self);
    return bench_close(&self.bench, ok && compare(&self, "values of forty orders of magnitude"));
}
