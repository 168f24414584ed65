#include "order/failure.h"

uint64_t
of_fnv1a64(struct of_slice bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.length; i++)
        hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

bool
of_failure_simulated(uint64_t seed, uint64_t topic_hash, int32_t partition, int64_t offset, uint32_t attempt,
                     double rate)
{
    return of_failure_at(of_failure_prefix(seed, topic_hash, partition), offset, attempt, rate);
}
