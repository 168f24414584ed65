#include "support/orders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "order/failure.h"

const char orders_schema[] =
    "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"com.bigdata.orders\",\"fields\":["
    "{\"name\":\"orderId\",\"type\":\"string\"},{\"name\":\"product\",\"type\":\"string\"},"
    "{\"name\":\"price\",\"type\":\"float\"}]}";

static const char *const products[ORDERS_PRODUCTS] = { "Laptop", "Phone", "Tablet", "Desk", "Chair" };

static float
price_of(int number)
{
    return (float)(number * INT64_C(7919) % 100000) / 100.0F;
}

/* ---- encoding ---- */

static size_t
put_string(uint8_t *out, const char *text)
{
    size_t length = strlen(text), at = 0;
    uint64_t zigzag = 2 * length;
    for (; zigzag > 0x7f; zigzag >>= 7)
        out[at++] = (uint8_t)((zigzag & 0x7f) | 0x80);
    out[at++] = (uint8_t)zigzag;
    memcpy(out + at, text, length);
    return at + length;
}

size_t
orders_encode(uint32_t schema_id, const char *id, const char *product, float price, uint8_t *out, size_t size)
{
    assert_true(strlen(id) + strlen(product) + 32 < size);
    size_t at = 0;
    out[at++] = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
        out[at++] = (uint8_t)(schema_id >> shift);
    at += put_string(out + at, id);
    at += put_string(out + at, product);
    uint32_t bits;
    memcpy(&bits, &price, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8)
        out[at++] = (uint8_t)(bits >> shift);
    return at;
}

size_t
orders_encode_number(uint32_t schema_id, int number, char *id, uint8_t *value)
{
    snprintf(id, 16, "%d", number);
    return orders_encode(schema_id, id, products[number % ORDERS_PRODUCTS], price_of(number), value,
                         ORDERS_VALUE_BYTES);
}

/* ---- what must come out ---- */

static uint32_t
attempts_that_fail(const struct orders_rules *rules, int number)
{
    static const char topic[] = "orders";
    int32_t partition = number % (int32_t)rules->partitions;
    int64_t offset = number / (int32_t)rules->partitions;
    uint32_t failed = 0;
    while (failed <= rules->max_retries
           && of_failure_simulated(rules->seed, of_fnv1a64(of_slice_str(topic)), partition, offset, failed + 1,
                                   rules->failure_rate))
        failed++;
    return failed;
}

void
orders_expect(const struct orders_rules *rules, int count, struct orders_expected *expected)
{
    *expected = (struct orders_expected) { 0 };
    for (int i = 0; i < ORDERS_PRODUCTS; i++)
        expected->products[i].name = products[i];
    for (int number = 0; number < count; number++) {
        uint32_t failed = attempts_that_fail(rules, number);
        if (failed > rules->max_retries) {
            expected->retries += rules->max_retries;
            expected->dead++;
            continue;
        }
        double price = (double)price_of(number);
        expected->retries += failed;
        expected->processed++;
        expected->products[number % ORDERS_PRODUCTS].processed++;
        of_exact_sum_add(&expected->sum, price);
        of_exact_sum_add(&expected->products[number % ORDERS_PRODUCTS].sum, price);
    }
}

void
orders_expected_fini(struct orders_expected *expected)
{
    of_exact_sum_fini(&expected->sum);
    for (int i = 0; i < ORDERS_PRODUCTS; i++)
        of_exact_sum_fini(&expected->products[i].sum);
}

static void
check_sum(const struct of_exact_sum *sum, const struct of_exact_sum *wanted)
{
    char *text = of_exact_sum_decimal(sum), *wanted_text = of_exact_sum_decimal(wanted);
    assert_string_equal(text, wanted_text);
    free(text);
    free(wanted_text);
}

static const struct of_totals_row *
find_row(const struct of_totals *totals, const char *product)
{
    for (size_t i = 0; i < totals->row_count; i++)
        if (of_slice_equal(totals->rows[i].product, of_slice_str(product)))
            return &totals->rows[i];
    return NULL;
}

void
orders_check(const struct of_totals *totals, const struct orders_expected *expected)
{
    assert_int_equal(totals->orders_processed, expected->processed);
    check_sum(&totals->sum, &expected->sum);
    assert_int_equal(totals->retry_attempts, expected->retries);
    assert_int_equal(totals->dead_letters, expected->dead);
    size_t rows = 0;
    for (int i = 0; i < ORDERS_PRODUCTS; i++) {
        const struct of_totals_row *row = find_row(totals, expected->products[i].name);
        assert_true((row != NULL) == (expected->products[i].processed > 0));
        if (row == NULL)
            continue;
        rows++;
        assert_int_equal(row->orders_processed, expected->products[i].processed);
        check_sum(&row->sum, &expected->products[i].sum);
    }
    assert_int_equal(totals->row_count, rows);
}
