/* A drain of a whole pipeline from a source in memory, on one thread, with measuring on or off: what measuring.py counts
 * the instructions of. The argument says which. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "support/world.h"

enum {
    ORDERS_HELD = 2000,
    ORDERS = 400000,
    PARTITIONS = 4,
    CLOCK_STEPS = 24, /* of the loop below: some 100 instructions, more than a look at the real clock takes */
};

static struct world world;

/* The clock stands still, but looking at it costs as much as ever: under valgrind the real one is a system call, whose
 * instructions are not counted. */
static int64_t
mono_ns(const struct of_clock *clock)
{
    volatile int steps = 0;
    while (steps < CLOCK_STEPS)
        steps = steps + 1;
    return clock->fake_mono_ns;
}

static int64_t
wall_ms(const struct of_clock *clock)
{
    return mono_ns(clock) > 0 ? clock->fake_wall_ms : 0;
}

/* What is counted. By this name. */
void cost_drain(void);

__attribute__((noinline)) void
cost_drain(void)
{
    world_start(&world);
    world_run_to_end(&world, 600000);
}

int
main(int argc, char **argv)
{
    world_create(&world, &(struct world_options) {
        .partitions = PARTITIONS,
        .unmeasured = argc > 1 && strcmp(argv[1], "off") == 0,
    });
    world.clock.mono_ns = mono_ns;
    world.clock.wall_ms = wall_ms;
    world_append_orders(&world, 0, ORDERS_HELD);
    for (uint32_t partition = 0; partition < PARTITIONS; partition++)
        of_memory_repeat(world.cluster, partition, ORDERS / PARTITIONS);
    cost_drain();
    struct of_measured measured;
    of_measured_init(&measured);
    of_pipeline_measure(world.pipeline, &measured);
    printf("%llu orders, %llu measured\n", (unsigned long long)measured.live.orders_processed,
           (unsigned long long)measured.age.count);
    of_measured_fini(&measured);
    world_destroy(&world);
    return 0;
}
