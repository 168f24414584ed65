#include "core/clock.h"

#include <time.h>

static int64_t
system_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * OF_SECOND_NS + now.tv_nsec;
}

static int64_t
system_mono_ns(const struct of_clock *clock)
{
    (void)clock;
    return system_ns(CLOCK_MONOTONIC);
}

static int64_t
system_wall_ms(const struct of_clock *clock)
{
    (void)clock;
    return system_ns(CLOCK_REALTIME) / OF_MS_NS;
}

const struct of_clock *
of_clock_system(void)
{
    static const struct of_clock clock = { .mono_ns = system_mono_ns, .wall_ms = system_wall_ms };
    return &clock;
}

static int64_t
fake_mono_ns(const struct of_clock *clock)
{
    return clock->fake_mono_ns;
}

static int64_t
fake_wall_ms(const struct of_clock *clock)
{
    return clock->fake_wall_ms;
}

struct of_clock
of_clock_fake(int64_t mono_ns, int64_t wall_ms)
{
    return (struct of_clock) { fake_mono_ns, fake_wall_ms, mono_ns, wall_ms };
}

void
of_clock_advance(struct of_clock *clock, int64_t ns)
{
    int64_t before_ms = clock->fake_mono_ns / OF_MS_NS;
    clock->fake_mono_ns += ns;
    clock->fake_wall_ms += clock->fake_mono_ns / OF_MS_NS - before_ms;
}
