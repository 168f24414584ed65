/* A million hostile bodies: memory stays as it is, and none of them costs more than a good record of its length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "avro/plan.h"
#include "support/random.h"

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define ARRAY(items) "{\"type\":\"array\",\"items\":" items "}"

enum { BODIES = 1000000, BODY_BYTES = 512, SETTLING = 10000 };

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[" FIELD("nothing", ARRAY("\"null\"")) ","
    FIELD("numbers", ARRAY("\"long\"")) "," FIELD("grid", ARRAY(ARRAY("[\"null\",\"int\",\"string\"]"))) ","
    FIELD("node", "{\"type\":\"record\",\"name\":\"Node\",\"fields\":[" FIELD("below", ARRAY("\"Node\"")) "]}") ","
    FIELD("map", "{\"type\":\"map\",\"values\":{\"type\":\"map\",\"values\":\"bytes\"}}") ","
    FIELD("orderId", "\"string\"") "," FIELD("product", "[\"null\",\"string\",\"long\"]") ","
    FIELD("price", "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38,\"scale\":9}") "]}";

static uint64_t
random_number(void)
{
    static uint64_t seed = 11;
    return random_next(&seed);
}

static long
resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static struct of_plan *
compile(void)
{
    static const struct of_plan_fields fields = { .value = "price", .group_by = "product", .id = "orderId" };
    struct of_plan *plan;
    assert_int_equal(of_plan_compile(of_slice_str(schema), &fields, 1000, &plan, NULL), OF_OK);
    return plan;
}

/* What forgers write: counts and lengths at the edges of their types among small numbers. */
static size_t
forge(uint8_t body[BODY_BYTES])
{
    static const uint8_t edges[][10] = {
        { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, { 0xfe, 0xff, 0xff, 0xff, 0x0f },
        { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2 }, { 0x80, 0xa8, 0xd6, 0xb9, 0x07 }, { 0xc8, 1 },
    };
    size_t length = random_number() % BODY_BYTES;
    for (size_t i = 0; i < length; i++)
        body[i] = (uint8_t)(random_number() % 8);
    for (uint64_t forged = random_number() % 3; forged > 0 && length > 10; forged--)
        memcpy(body + random_number() % (length - 10), edges[random_number() % 5], 1 + random_number() % 10);
    return length;
}

static void
a_million_hostile_bodies_leave_memory_as_it_is(void **state)
{
    (void)state;
    struct of_plan *plan = compile();
    uint8_t body[BODY_BYTES];
    struct of_decoded order;
    char why[300];
    long before = 0;
    uint64_t results[OF_DECODE_RESULT_COUNT] = { 0 };
    for (int i = 0; i < BODIES; i++) {
        if (i == SETTLING)
            before = resident_bytes();
        size_t length = forge(body);
        enum of_decode_result result = of_plan_decode(plan, of_slice_of(body, length), &order);
        results[result]++;
        if (i % 16 == 0)
            of_plan_explain(plan, of_slice_of(body, length), why, sizeof why);
    }
    long grown = resident_bytes() - before;
    assert_true(grown < 1 << 20 && grown > -(1 << 20));
    assert_true(results[OF_DECODE_BAD_COUNT] > 0 && results[OF_DECODE_TRUNCATED] > 0 && results[OF_DECODE_TOO_DEEP] == 0);
    of_plan_destroy(&plan);
}

/* CPU time of this thread, the least of many tries: what else runs here only ever adds. */
static double
least_ns(const struct of_plan *plan, const uint8_t *body, size_t length)
{
    enum { TRIES = 15, TIMES = 20 };
    double least = 1e18;
    struct of_decoded order;
    for (int i = 0; i < TRIES; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        for (int k = 0; k < TIMES; k++)
            (void)!of_plan_decode(plan, of_slice_of(body, length), &order);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        double ns = ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / TIMES;
        least = ns < least ? ns : least;
    }
    return least;
}

/* A good record that is as dear as a body of that length can be: all of it one-byte parts of two nested arrays. */
static size_t
write_dear(uint8_t body[BODY_BYTES], size_t length)
{
    size_t at = 0;
    memset(body, 0, BODY_BYTES);
    at += 2; /* neither nothing nor numbers */
    size_t arrays = (length - 16) / 4;
    body[at++] = (uint8_t)(arrays << 1 | 0x80);
    body[at++] = (uint8_t)(arrays << 1 >> 7);
    for (size_t i = 0; i < arrays; i++) {
        body[at++] = 4; /* two items, both null */
        at += 3;
    }
    at += 4; /* the end of grid, node, map; no orderId */
    body[at++] = 2;
    at++;
    body[at++] = 2;
    return at + 1;
}

static void
no_hostile_body_costs_more_than_a_good_one(void **state)
{
    (void)state;
    enum { TRIED = 3000, LONGEST = 500 };
    const double constant_ns = 500, factor = 3; /* a machine with others on it is no stop-watch */
    struct of_plan *plan = compile();
    uint8_t body[BODY_BYTES];
    struct of_decoded order;
    size_t good_length = write_dear(body, LONGEST);
    assert_int_equal(of_plan_decode(plan, of_slice_of(body, good_length), &order), OF_DECODE_OK);
    double per_byte_ns = least_ns(plan, body, good_length) / (double)good_length;
    for (int i = 0; i < TRIED; i++) {
        size_t length = forge(body);
        double ns = least_ns(plan, body, length);
        if (ns > factor * per_byte_ns * (double)length + constant_ns)
            fail_msg("%zu bytes took %.0f ns; a good record takes %.2f ns a byte", length, ns, per_byte_ns);
    }
    of_plan_destroy(&plan);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_hostile_bodies_leave_memory_as_it_is),
        cmocka_unit_test(no_hostile_body_costs_more_than_a_good_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
