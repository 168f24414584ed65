/* What may be changed while the pipeline runs.
 *
 * One writer at a time, the command, through of_pipeline_tune; stages read it where they use it, relaxed: each value
 * stands alone, and a stage may use the old one for a moment longer. */
#ifndef OF_CORE_TUNING_H
#define OF_CORE_TUNING_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/clock.h"

struct of_tuning {
    _Atomic int64_t commit_interval_ms;
    _Atomic int64_t retry_delay_ms; /* a retry record never waits longer than this */
    _Atomic double failure_rate;    /* simulated; 0 to 1 */
};

static inline int64_t
of_tuning_commit_interval_ns(const struct of_tuning *tuning)
{
    return atomic_load_explicit(&tuning->commit_interval_ms, memory_order_relaxed) * OF_MS_NS;
}

static inline int64_t
of_tuning_retry_delay_ms(const struct of_tuning *tuning)
{
    return atomic_load_explicit(&tuning->retry_delay_ms, memory_order_relaxed);
}

static inline double
of_tuning_failure_rate(const struct of_tuning *tuning)
{
    return atomic_load_explicit(&tuning->failure_rate, memory_order_relaxed);
}

#endif
