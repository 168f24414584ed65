/* For a thread that seldom has something to do, and then a little, that somebody waits for: it asks the scheduler for short
 * turns, and gets them sooner. Its share of the processors stays the same.
 *
 * Linux gives the turn to the thread whose deadline comes first, and the deadline of a thread is the nearer the shorter the
 * turns that it asks for (sched_setattr(2), sched_runtime, since Linux 6.12; no privilege is needed). Older systems take no
 * notice. Threads: sets the calling one. */
#ifndef OF_CORE_SHORT_TURNS_H
#define OF_CORE_SHORT_TURNS_H

#include <stdbool.h>

/* False: the system does not know how, and nothing has changed. */
bool of_short_turns_ask(void);

#endif
