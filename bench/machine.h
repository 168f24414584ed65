/* What a benchmark ran on, and how busy that was.
 *
 * Threads: one. Errors: what cannot be found out is "unknown" or 0. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <jansson.h>
#include <stdint.h>

/* Machine, system and build, each a string: the caller's reference. */
json_t *bench_machine(void);

/* How much processor time was spent up to now, in seconds: by all, and by this process and the children it has waited
 * for. */
struct bench_busy {
    double all_s, own_s;
    int64_t at_ns;
};
struct bench_busy bench_busy(void);

/* How many processors others kept busy between the two, on average. */
double bench_others(const struct bench_busy *from, const struct bench_busy *to);

/* Waits until others use less than a fifth of a processor, for limit_ms at most. */
void bench_settle(int64_t limit_ms);

#endif
