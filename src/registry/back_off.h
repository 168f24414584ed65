/* How long to wait before asking a registry again: doubling, with jitter, never shorter than the registry asked for.
 *
 * Half of each wait is certain and half is chance, so that many processes do not come back in step.
 * Owner: the caller's memory. Threads: one at a time. */
#ifndef OF_REGISTRY_BACK_OFF_H
#define OF_REGISTRY_BACK_OFF_H

#include <stdint.h>

enum {
    OF_BACK_OFF_MIN_MS = 100,
    OF_BACK_OFF_MAX_MS = 5000,
    OF_BACK_OFF_ASKED_MAX_MS = 60000, /* a registry that asks for more is asked after that */
};

struct of_jitter {
    uint64_t state; /* any number to begin with */
};

/* Half of wait_ns to all of it, by chance. */
int64_t of_jitter_apply(struct of_jitter *jitter, int64_t wait_ns);

/* The wait after a failure, in nanoseconds. *back_off_ns: that of the failure before, 0 at first; it is moved on.
 * asked_ms: how long the registry, or reason, wants to be left alone; 0: does not matter. */
int64_t of_back_off_next(struct of_jitter *jitter, int64_t *back_off_ns, int64_t asked_ms);

#endif
