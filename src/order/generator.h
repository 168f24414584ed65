/* Random orders, the same ones for the same seed: ids counting up, ten goods, prices from 1.00 to 2000.00.
 *
 * Owner: the caller's memory; nothing to release. Threads: one at a time. Errors: none. Cost: some 10 ns per order. */
#ifndef OF_ORDER_GENERATOR_H
#define OF_ORDER_GENERATOR_H

#include "order/order.h"

struct of_generator {
    uint64_t state;
    uint64_t next_id;
    char id_text[24];
};

void of_generator_init(struct of_generator *generator, uint64_t seed, uint64_t first_id);

/* The next order. Its id is valid until the next call, its product for ever. Ids wrap around after 2^64 - 1. */
void of_generator_next(struct of_generator *generator, struct of_order *order);

#endif
