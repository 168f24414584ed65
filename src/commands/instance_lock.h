/* That a name is in use on this host: a lock file that the kernel frees when its holder ends, however it ends.
 *
 * All processes of a host share one folder, whoever runs them: world-writable and sticky like /tmp, as are its files, so
 * that a lock left by one user can be taken by the next. The lock is a flock(2) on the file; the file itself is never
 * deleted, since whoever waits for its name could then lock another one. It says in text who holds it, for people:
 *
 *     pid 4711
 *     since 2026-01-31T09:30:00Z
 *     <what the holder says about itself, whole lines>
 *
 * The text is not to be trusted, as everybody may write it; only whether the file is locked counts. Whoever may use the
 * folder can also lock a name without using it: a nuisance, as with any folder that all may write, and no more than that.
 *
 * Threads: one at a time per lock. Errors: see of_instance_lock_take. Cost: a few system calls. */
#ifndef OF_COMMANDS_INSTANCE_LOCK_H
#define OF_COMMANDS_INSTANCE_LOCK_H

#include "core/error.h"

struct of_instance_lock {
    int folder; /* locked, too, but shared: what cleans up temporary folders leaves it alone then */
    int file;   /* -1: none is held */
};

/* "<name>.lock" is the file: letters, digits, '.', '_' and '-', no '.' in front, 250 characters at most. folder: made if it
 * is not there; NULL: the host's. about: ends with a newline.
 * OF_OK; OF_AGAIN: somebody holds it, and the text says who; OF_FATAL: here nothing can be locked, and why. */
OF_MUST_USE enum of_status of_instance_lock_take(struct of_instance_lock *lock, const char *folder, const char *name,
                                                 const char *about, struct of_error *err);

/* Fine to call on one that holds nothing, if it was ever given to take. */
void of_instance_lock_give_back(struct of_instance_lock *lock);

#endif
