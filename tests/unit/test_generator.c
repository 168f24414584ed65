#include "order/generator.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void
the_same_seed_gives_the_same_orders(void **state)
{
    (void)state;
    struct of_generator a, b, other;
    of_generator_init(&a, 1, 1001);
    of_generator_init(&b, 1, 1001);
    of_generator_init(&other, 2, 1001);
    int different = 0;
    for (int i = 0; i < 1000; i++) {
        struct of_order x, y, z;
        of_generator_next(&a, &x);
        of_generator_next(&b, &y);
        of_generator_next(&other, &z);
        assert_true(of_slice_equal(x.id, y.id) && of_slice_equal(x.product, y.product) && x.price == y.price);
        different += x.price != z.price;
    }
    assert_true(different > 900);
}

static void
ids_count_up(void **state)
{
    (void)state;
    static const uint64_t firsts[] = { 0, 9, 1001, UINT64_C(9999999999999), UINT64_MAX - 5 };
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        struct of_generator generator;
        of_generator_init(&generator, 1, firsts[i]);
        for (uint64_t id = firsts[i]; id != firsts[i] + 5; id++) {
            struct of_order order;
            char expected[24];
            snprintf(expected, sizeof expected, "%llu", (unsigned long long)id);
            of_generator_next(&generator, &order);
            assert_true(of_slice_equal(order.id, of_slice_str(expected)));
        }
    }
}

/* Every price is the float nearest to an amount of whole cents; both ends of the range come up. */
static void
prices_have_two_decimals_and_keep_the_range(void **state)
{
    (void)state;
    struct of_generator generator;
    of_generator_init(&generator, 3, 0);
    float least = INFINITY, greatest = 0;
    for (int i = 0; i < 2000000; i++) {
        struct of_order order;
        of_generator_next(&generator, &order);
        long cents = lround((double)order.price * 100);
        assert_true(order.price == (float)((double)cents / 100));
        least = fminf(least, order.price);
        greatest = fmaxf(greatest, order.price);
    }
    assert_true(least == 1.0f);
    assert_true(greatest == 2000.0f);
}

static void
ten_goods_come_equally_often(void **state)
{
    (void)state;
    enum { ORDERS = 100000, GOODS = 10 };
    struct of_generator generator;
    of_generator_init(&generator, 4, 0);
    struct of_slice goods[GOODS] = { 0 };
    int counts[GOODS] = { 0 };
    for (int i = 0; i < ORDERS; i++) {
        struct of_order order;
        of_generator_next(&generator, &order);
        int good = 0;
        while (good < GOODS && goods[good].data != NULL && !of_slice_equal(goods[good], order.product))
            good++;
        assert_true(good < GOODS);
        goods[good] = order.product;
        counts[good]++;
    }
    for (int good = 0; good < GOODS; good++)
        assert_true(abs(counts[good] - ORDERS / GOODS) < 500); /* five standard deviations */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_orders),
        cmocka_unit_test(ids_count_up),
        cmocka_unit_test(prices_have_two_decimals_and_keep_the_range),
        cmocka_unit_test(ten_goods_come_equally_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
