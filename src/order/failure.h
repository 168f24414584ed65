/* Simulated temporary failures: which attempt at which order fails is a pure function, the same in every run, on every
 * machine and in every program that follows docs/simulated-failures.md.
 *
 * Topic, partition and offset are those of the order's origin, whatever retry record carries it now; attempt is 1 for
 * the first. Everything is pure: any thread, no errors. Cost: 2 to 3 ns per order. */
#ifndef OF_ORDER_FAILURE_H
#define OF_ORDER_FAILURE_H

#include "core/slice.h"

/* The finalizer of SplitMix64. */
static inline uint64_t
of_failure_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* FNV-1a, 64 bits. */
uint64_t of_fnv1a64(struct of_slice bytes);

/* What all orders of a partition share: ask once, keep it. topic_hash: of_fnv1a64 of the origin topic's name. */
static inline uint64_t
of_failure_prefix(uint64_t seed, uint64_t topic_hash, int32_t partition)
{
    return of_failure_mix(of_failure_mix(seed ^ topic_hash) ^ (uint64_t)partition);
}

/* Whether this attempt fails. rate: 0 (never) to 1 (always). */
static inline bool
of_failure_at(uint64_t prefix, int64_t offset, uint32_t attempt, double rate)
{
    uint64_t hash = of_failure_mix(of_failure_mix(prefix ^ (uint64_t)offset) ^ attempt);
    return (double)(hash >> 11) * 0x1p-53 < rate;
}

/* The same in one step. */
bool of_failure_simulated(uint64_t seed, uint64_t topic_hash, int32_t partition, int64_t offset, uint32_t attempt,
                          double rate);

#endif
