#include "core/histogram.h"

#include "core/clock.h"

#define US INT64_C(1000)

const int64_t of_histogram_bounds_ns[OF_HISTOGRAM_BOUNDS] = {
    10 * US,           25 * US,            50 * US,
    100 * US,          250 * US,           500 * US,
    1 * OF_MS_NS,      2500 * US,          5 * OF_MS_NS,
    10 * OF_MS_NS,     25 * OF_MS_NS,      50 * OF_MS_NS,
    100 * OF_MS_NS,    250 * OF_MS_NS,     500 * OF_MS_NS,
    1 * OF_SECOND_NS,  2500 * OF_MS_NS,    5 * OF_SECOND_NS,
    10 * OF_SECOND_NS, 30 * OF_SECOND_NS,  60 * OF_SECOND_NS,
    120 * OF_SECOND_NS,
};

void
of_histogram_add(struct of_histogram *histogram, int64_t ns, uint64_t weight)
{
    uint32_t at = 0;
    if (ns < 0)
        ns = 0;
    while (at < OF_HISTOGRAM_BOUNDS && of_histogram_bounds_ns[at] < ns)
        at++;
    of_counter_add(&histogram->counts[at], weight);
    double before = atomic_load_explicit(&histogram->sum_s, memory_order_relaxed);
    atomic_store_explicit(&histogram->sum_s, before + (double)ns / 1e9 * (double)weight, memory_order_relaxed);
}

void
of_histogram_add_to(const struct of_histogram *histogram, struct of_histogram_view *view)
{
    for (uint32_t i = 0; i <= OF_HISTOGRAM_BOUNDS; i++) {
        uint64_t count = of_counter_read(&histogram->counts[i]);
        view->counts[i] += count;
        view->count += count;
    }
    view->sum_s += atomic_load_explicit(&histogram->sum_s, memory_order_relaxed);
}

double
of_histogram_quantile_ns(const struct of_histogram_view *view, double share)
{
    double wanted = share * (double)view->count, below = 0;
    for (uint32_t i = 0; i < OF_HISTOGRAM_BOUNDS; i++) {
        double here = (double)view->counts[i];
        double from = i > 0 ? (double)of_histogram_bounds_ns[i - 1] : 0;
        if (here > 0 && below + here >= wanted)
            return from + ((double)of_histogram_bounds_ns[i] - from) * (wanted - below) / here;
        below += here;
    }
    return view->count > 0 ? (double)of_histogram_bounds_ns[OF_HISTOGRAM_BOUNDS - 1] : 0;
}
