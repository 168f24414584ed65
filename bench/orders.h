/* Encoded orders to benchmark with: those that `orderflow produce` would write.
 *
 * Owner: the caller's memory, bench_orders_make to bench_orders_free. Threads: constant once made. */
#ifndef BENCH_ORDERS_H
#define BENCH_ORDERS_H

#include "core/slice.h"

extern const char bench_order_schema[];

struct bench_orders {
    struct of_slice *values; /* with the registry's framing */
    uint32_t count;
    uint8_t *bytes;
};

/* Orders with ids from 1001. They end the process if libavro does not take them. */
void bench_orders_make(struct bench_orders *orders, uint32_t count, uint32_t schema_id);
void bench_orders_free(struct bench_orders *orders);

#endif
