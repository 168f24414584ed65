#include "order/live_total.h"

#include <math.h>

void
of_live_total_set(struct of_live_total *live, uint64_t count, const struct of_exact_sum *sum)
{
    bool window = sum->wide == NULL;
    uint64_t sequence = atomic_load_explicit(&live->sequence, memory_order_relaxed);
    atomic_store_explicit(&live->sequence, sequence + 1, memory_order_relaxed);
    atomic_store_explicit(&live->count, count, memory_order_release);
    atomic_store_explicit(&live->low, window ? sum->low : 0, memory_order_release);
    atomic_store_explicit(&live->high, window ? sum->high : 0, memory_order_release);
    atomic_store_explicit(&live->beyond, window ? 0.0 : of_exact_sum_round(sum), memory_order_release);
    atomic_store_explicit(&live->sequence, sequence + 2, memory_order_release);
}

void
of_live_total_add_to(const struct of_live_total *live, uint64_t *count, struct of_exact_sum *sum)
{
    struct of_exact_sum window = { 0 };
    uint64_t before, after, counted;
    double beyond;
    do {
        before = atomic_load_explicit(&live->sequence, memory_order_acquire);
        counted = atomic_load_explicit(&live->count, memory_order_acquire);
        window.low = atomic_load_explicit(&live->low, memory_order_acquire);
        window.high = atomic_load_explicit(&live->high, memory_order_acquire);
        beyond = atomic_load_explicit(&live->beyond, memory_order_acquire);
        after = atomic_load_explicit(&live->sequence, memory_order_relaxed);
    } while (before != after || before % 2 != 0);
    *count += counted;
    of_exact_sum_merge(sum, &window);
    if (isfinite(beyond) && beyond != 0)
        of_exact_sum_add(sum, beyond);
}
