/* Counters with one writer: the writer pays a plain store, readers never wait. */
#ifndef OF_CORE_COUNTER_H
#define OF_CORE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t of_counter;

/* The one writer. */
static inline void
of_counter_add(of_counter *counter, uint64_t by)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + by, memory_order_relaxed);
}

/* Any thread. */
static inline uint64_t
of_counter_read(const of_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
