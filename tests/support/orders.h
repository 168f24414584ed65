/* Orders that follow from their numbers, and what a run over them must come to: computed record by record, with nothing
 * of the pipeline but the documented rule of simulated failures.
 *
 * Order `number` of a topic with P partitions is the record at offset number / P of partition number % P.
 * Owner: the caller's memory; expected sums are ended by orders_expected_fini. Threads: any. */
#ifndef OF_TESTS_SUPPORT_ORDERS_H
#define OF_TESTS_SUPPORT_ORDERS_H

#include "ops/totals.h"

enum { ORDERS_PRODUCTS = 5, ORDERS_VALUE_BYTES = 128 };

extern const char orders_schema[];

/* The framed Avro bytes of an order. Returns their number. */
size_t orders_encode(uint32_t schema_id, const char *id, const char *product, float price, uint8_t *out, size_t size);

/* The same for order `number`, whose id is the number. id has 16 bytes, value ORDERS_VALUE_BYTES. */
size_t orders_encode_number(uint32_t schema_id, int number, char *id, uint8_t *value);

struct orders_rules {
    uint32_t partitions;
    uint32_t max_retries;
    double failure_rate;
    uint64_t seed;
};

struct orders_expected {
    uint64_t processed, retries, dead;
    struct of_exact_sum sum;
    struct {
        const char *name;
        uint64_t processed;
        struct of_exact_sum sum;
    } products[ORDERS_PRODUCTS];
};

/* What orders 0 .. count-1 must come to. */
void orders_expect(const struct orders_rules *rules, int count, struct orders_expected *expected);
void orders_expected_fini(struct orders_expected *expected);

/* Fails the test unless the totals are exactly those, each product's too. */
void orders_check(const struct of_totals *totals, const struct orders_expected *expected);

#endif
