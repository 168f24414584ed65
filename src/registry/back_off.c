#include "registry/back_off.h"

#include "core/clock.h"

int64_t
of_jitter_apply(struct of_jitter *jitter, int64_t wait_ns)
{
    jitter->state = jitter->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return wait_ns / 2 + (int64_t)((jitter->state >> 33) % (uint64_t)(wait_ns / 2 + 1));
}

int64_t
of_back_off_next(struct of_jitter *jitter, int64_t *back_off_ns, int64_t asked_ms)
{
    static const int64_t min_ns = OF_BACK_OFF_MIN_MS * OF_MS_NS, max_ns = OF_BACK_OFF_MAX_MS * OF_MS_NS;
    *back_off_ns = *back_off_ns == 0 ? min_ns : *back_off_ns < max_ns / 2 ? 2 * *back_off_ns : max_ns;
    int64_t wait_ns = of_jitter_apply(jitter, *back_off_ns);
    int64_t asked_ns = (asked_ms < OF_BACK_OFF_ASKED_MAX_MS ? asked_ms : OF_BACK_OFF_ASKED_MAX_MS) * OF_MS_NS;
    /* What was asked for is waited in full, and the jitter comes on top. */
    return asked_ns > 0 ? asked_ns + wait_ns : wait_ns;
}
