/* `orderflow demo` as a process, its totals compared with what the documented rules say about every order. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "order/exact_sum.h"
#include "order/failure.h"
#include "order/generator.h"

enum { PARTITIONS = 3, MAX_RETRIES = 3 };

/* ---- what is to be expected ---- */

struct expected {
    uint64_t processed, at_once, after_retries, retries, dead_letters;
    struct of_exact_sum sum;
};

/* CRC-32 as in zlib: it chooses the partition of a key. */
static uint32_t
crc32(struct of_slice bytes)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes.length; i++) {
        crc ^= bytes.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

static void
expect(struct expected *expected, uint64_t seed, uint64_t count, double rate)
{
    struct of_generator generator;
    struct of_order order;
    int64_t next_offset[PARTITIONS] = { 0 };
    *expected = (struct expected) { 0 };
    of_generator_init(&generator, seed, 1001);
    for (uint64_t i = 0; i < count; i++) {
        of_generator_next(&generator, &order);
        int32_t partition = (int32_t)(crc32(order.id) % PARTITIONS);
        int64_t offset = next_offset[partition]++;
        uint32_t attempt = 1;
        while (attempt <= MAX_RETRIES + 1
               && of_failure_simulated(seed, of_fnv1a64(of_slice_str("orders")), partition, offset, attempt, rate))
            attempt++;
        bool dead = attempt > MAX_RETRIES + 1;
        expected->dead_letters += dead;
        expected->processed += !dead;
        expected->at_once += attempt == 1;
        expected->after_retries += attempt > 1 && !dead;
        expected->retries += dead ? MAX_RETRIES : attempt - 1;
        if (!dead)
            of_exact_sum_add(&expected->sum, (double)order.price);
    }
}

/* ---- the program ---- */

struct demo {
    pid_t pid;
    FILE *out;
    char *line;
    size_t size;
    json_t *event; /* the last line */
};

static void
start(struct demo *demo, const char *const *arguments)
{
    int ends[2];
    *demo = (struct demo) { 0 };
    assert_int_equal(pipe(ends), 0);
    demo->pid = fork();
    if (demo->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(ORDERFLOW_PROGRAM, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(ends[1]);
    demo->out = fdopen(ends[0], "r");
}

/* The next event, or the next of the wanted kind: others are passed over without reading them. */
static bool
next_event(struct demo *demo, const char *wanted)
{
    while (getline(&demo->line, &demo->size, demo->out) > 0) {
        if (wanted != NULL && strncmp(demo->line + strlen("{\"event\":\""), wanted, strlen(wanted)) != 0)
            continue;
        json_decref(demo->event);
        demo->event = json_loads(demo->line, 0, NULL);
        if (demo->event == NULL)
            fail_msg("no JSON: %s", demo->line);
        return true;
    }
    return false;
}

static const char *
name_of(const json_t *event)
{
    return json_string_value(json_object_get(event, "event"));
}

static uint64_t
number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void
end(struct demo *demo, int exit_status)
{
    int status;
    json_decref(demo->event);
    fclose(demo->out);
    free(demo->line);
    assert_int_equal(waitpid(demo->pid, &status, 0), demo->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), exit_status);
}

static void
assert_final(const json_t *event, struct expected *expected)
{
    const json_t *run = json_object_get(event, "run");
    char *sum = of_exact_sum_decimal(&expected->sum);
    assert_int_equal(number(run, "orders_processed"), expected->processed);
    assert_int_equal(number(run, "retry_attempts"), expected->retries);
    assert_int_equal(number(run, "dead_letters"), expected->dead_letters);
    assert_string_equal(json_string_value(json_object_get(run, "price_sum")), sum);
    free(sum);
    of_exact_sum_fini(&expected->sum);
}

#define DEMO(...) (const char *const[]) { "orderflow", "demo", "--console", "json", __VA_ARGS__, NULL }

static void
the_default_seed_shows_every_fate(void **state)
{
    (void)state;
    struct demo demo;
    struct expected expected, seen = { 0 };
    start(&demo, DEMO("--interval-ms", "10", "--retry-delay-ms", "150"));
    assert_true(next_event(&demo, "started"));
    assert_string_equal(json_string_value(json_object_get(demo.event, "guarantee")), "at-least-once");
    const json_t *settings = json_object_get(demo.event, "settings");
    uint64_t seed = number(settings, "seed");
    expect(&expected, seed, 20, json_number_value(json_object_get(settings, "failure-rate")));
    assert_int_equal(number(settings, "count"), 20);
    while (next_event(&demo, NULL) && strcmp(name_of(demo.event), "final") != 0) {
        bool processed = strcmp(name_of(demo.event), "processed") == 0;
        seen.at_once += processed && number(demo.event, "attempt") == 1;
        seen.after_retries += processed && number(demo.event, "attempt") > 1;
        seen.dead_letters += strcmp(name_of(demo.event), "dead_letter") == 0;
    }
    assert_int_equal(seen.at_once, expected.at_once);
    assert_int_equal(seen.after_retries, expected.after_retries);
    assert_int_equal(seen.dead_letters, expected.dead_letters);
    assert_true(seen.at_once > 0);
    assert_true(seen.after_retries > 0);
    assert_true(seen.dead_letters > 0);
    assert_string_equal(name_of(demo.event), "final");
    assert_final(demo.event, &expected);
    end(&demo, 0);
}

/* More than the embedded cluster keeps: nothing may be published that could be dropped before it is read. */
static void
many_orders_at_full_speed_are_exact(void **state)
{
    (void)state;
    struct demo demo;
    struct expected expected;
    start(&demo, DEMO("--count", "200000", "--rate", "0", "--seed", "7", "--retry-delay-ms", "200"));
    assert_true(next_event(&demo, "final"));
    expect(&expected, 7, 200000, 0.1);
    assert_final(demo.event, &expected);
    end(&demo, 0);
}

static void
the_backlog_of_failures_is_bounded_too(void **state)
{
    (void)state;
    struct demo demo;
    struct expected expected;
    start(&demo, DEMO("--count", "60000", "--rate", "0", "--failure-rate", "0.9", "--seed", "3", "--retry-delay-ms",
                      "100"));
    assert_true(next_event(&demo, "final"));
    expect(&expected, 3, 60000, 0.9);
    assert_final(demo.event, &expected);
    end(&demo, 0);
}

static void
an_interrupt_ends_it_with_statistics(void **state)
{
    (void)state;
    struct demo demo;
    start(&demo, DEMO("--interval-ms", "100"));
    assert_true(next_event(&demo, "processed"));
    kill(demo.pid, SIGINT);
    assert_true(next_event(&demo, "final"));
    uint64_t processed = number(json_object_get(demo.event, "run"), "orders_processed");
    assert_true(processed > 0 && processed < 19);
    end(&demo, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_seed_shows_every_fate),
        cmocka_unit_test(many_orders_at_full_speed_are_exact),
        cmocka_unit_test(the_backlog_of_failures_is_bounded_too),
        cmocka_unit_test(an_interrupt_ends_it_with_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
