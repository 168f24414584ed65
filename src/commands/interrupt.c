#include "commands/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "commands/commands.h"

static atomic_int requests; /* lock-free, as a signal handler needs it */

static void
interrupt(int number)
{
    (void)number;
    if (atomic_fetch_add(&requests, 1) > 0)
        _exit(OF_EXIT_STOPPED);
}

void
of_interrupt_install(void)
{
    struct sigaction action = { .sa_handler = interrupt };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool
of_interrupt_requested(void)
{
    return atomic_load_explicit(&requests, memory_order_relaxed) > 0;
}
