/* Ctrl+C and SIGTERM: the first one asks the command to stop, the second one ends the process with status 3.
 *
 * System calls that wait are interrupted (EINTR), not restarted. Threads: any. */
#ifndef OF_COMMANDS_INTERRUPT_H
#define OF_COMMANDS_INTERRUPT_H

#include <stdbool.h>

void of_interrupt_install(void);
bool of_interrupt_requested(void);

#endif
