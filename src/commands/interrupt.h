/* Signals. Ctrl+C and SIGTERM: the first one asks the command to stop, the second one ends the process with status 3.
 * Commands that run for long also take requests: SIGHUP to read the configuration again, SIGUSR1 to show their state.
 *
 * System calls that wait are interrupted (EINTR), not restarted. Threads: any. */
#ifndef OF_COMMANDS_INTERRUPT_H
#define OF_COMMANDS_INTERRUPT_H

#include <stdbool.h>

void of_interrupt_install(void);
bool of_interrupt_requested(void);

/* SIGHUP and SIGUSR1 no longer end the process, but wait to be taken. */
void of_interrupt_install_requests(void);

/* Whether the signal has come since the last call. */
bool of_interrupt_take_reload(void);
bool of_interrupt_take_dump(void);

#endif
