/* Places where a test can have the process die, as a power failure would have it.
 *
 * ORDERFLOW_CRASH_AT=NAME or NAME:COUNT in the environment kills the process (SIGKILL) when it passes the point of that
 * name for the COUNT-th time, the first unless given. Exists only in builds with ORDERFLOW_CRASH_POINTS; in all others a
 * point is nothing. The environment is looked at once, when the program begins. Threads: any. */
#ifndef OF_CORE_CRASH_POINT_H
#define OF_CORE_CRASH_POINT_H

#ifdef ORDERFLOW_CRASH_POINTS
extern const char *of_crash_at; /* NULL: nowhere */
void of_crash_point(const char *name);
#define OF_CRASH_POINT(name) (of_crash_at != NULL ? of_crash_point(name) : (void)0)
#else
#define OF_CRASH_POINT(name) ((void)0)
#endif

#endif
