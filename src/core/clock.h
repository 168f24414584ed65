/* Time, so that tests can hold it.
 *
 * Everything that waits asks a clock given to it. Durations and deadlines are monotonic nanoseconds; wall time, in
 * milliseconds since 1970 as Kafka counts it, is only for what is written into records or shown to people.
 * Threads: the system clock may be read by all; a fake clock is set by one thread, and read by the same. */
#ifndef OF_CORE_CLOCK_H
#define OF_CORE_CLOCK_H

#include <stdint.h>

#define OF_MS_NS INT64_C(1000000)
#define OF_SECOND_NS INT64_C(1000000000)
#define OF_NEVER_NS INT64_MAX /* a deadline that does not come */

struct of_clock {
    int64_t (*mono_ns)(const struct of_clock *clock);
    int64_t (*wall_ms)(const struct of_clock *clock);
    int64_t fake_mono_ns; /* what the fake clock answers; unused by the system clock */
    int64_t fake_wall_ms;
};

/* CLOCK_MONOTONIC and CLOCK_REALTIME. Static storage. */
const struct of_clock *of_clock_system(void);

/* A clock that stands still until it is told otherwise. */
struct of_clock of_clock_fake(int64_t mono_ns, int64_t wall_ms);

/* Moves both readings of a fake clock. */
void of_clock_advance(struct of_clock *clock, int64_t ns);

static inline int64_t
of_clock_mono_ns(const struct of_clock *clock)
{
    return clock->mono_ns(clock);
}

static inline int64_t
of_clock_wall_ms(const struct of_clock *clock)
{
    return clock->wall_ms(clock);
}

#endif
