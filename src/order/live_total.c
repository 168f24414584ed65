#include "order/live_total.h"

#include <math.h>

void
of_live_total_set(struct of_live_total *live, uint64_t count, const struct of_exact_sum *sum)
{
    of_int128 number = (of_int128)((of_uint128)(uint64_t)sum->high << 64 | sum->low);
    bool exact = sum->wide == NULL && sum->decimals == NULL;
    uint32_t scaled = 0;
    if (__builtin_expect(sum->decimals != NULL, 0) && sum->wide == NULL && number == 0) {
        exact = of_decimal_sums_single(sum->decimals, &number, &scaled);
        scaled++;
    }
    uint64_t sequence = atomic_load_explicit(&live->sequence, memory_order_relaxed);
    atomic_store_explicit(&live->sequence, sequence + 1, memory_order_relaxed);
    atomic_store_explicit(&live->count, count, memory_order_release);
    atomic_store_explicit(&live->low, exact ? (uint64_t)number : 0, memory_order_release);
    atomic_store_explicit(&live->high, exact ? (int64_t)(number >> 64) : 0, memory_order_release);
    atomic_store_explicit(&live->scaled, exact ? scaled : 0, memory_order_release);
    atomic_store_explicit(&live->beyond, exact ? 0.0 : of_exact_sum_estimate(sum), memory_order_release);
    atomic_store_explicit(&live->sequence, sequence + 2, memory_order_release);
}

void
of_live_total_add_to(const struct of_live_total *live, uint64_t *count, struct of_exact_sum *sum)
{
    struct of_exact_sum window = { 0 };
    uint64_t before, after, counted;
    uint32_t scaled;
    double beyond;
    do {
        before = atomic_load_explicit(&live->sequence, memory_order_acquire);
        counted = atomic_load_explicit(&live->count, memory_order_acquire);
        window.low = atomic_load_explicit(&live->low, memory_order_acquire);
        window.high = atomic_load_explicit(&live->high, memory_order_acquire);
        scaled = atomic_load_explicit(&live->scaled, memory_order_acquire);
        beyond = atomic_load_explicit(&live->beyond, memory_order_acquire);
        after = atomic_load_explicit(&live->sequence, memory_order_relaxed);
    } while (before != after || before % 2 != 0);
    *count += counted;
    if (scaled > 0)
        of_exact_sum_add_scaled(sum, (of_int128)((of_uint128)(uint64_t)window.high << 64 | window.low), scaled - 1);
    else
        of_exact_sum_merge(sum, &window);
    if (isfinite(beyond) && beyond != 0)
        of_exact_sum_add(sum, beyond);
}
