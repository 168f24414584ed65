#include "commands/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "commands/commands.h"

/* Lock-free, as a signal handler needs it. */
static atomic_int requests;
static atomic_bool reload_wanted, dump_wanted;

static void
interrupt(int number)
{
    (void)number;
    if (atomic_fetch_add(&requests, 1) > 0)
        _exit(OF_EXIT_STOPPED);
}

static void
request(int number)
{
    atomic_store(number == SIGHUP ? &reload_wanted : &dump_wanted, true);
}

static void
install(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void
of_interrupt_install(void)
{
    install(SIGINT, interrupt);
    install(SIGTERM, interrupt);
}

void
of_interrupt_install_requests(void)
{
    install(SIGHUP, request);
    install(SIGUSR1, request);
}

bool
of_interrupt_take_reload(void)
{
    return atomic_exchange(&reload_wanted, false);
}

bool
of_interrupt_take_dump(void)
{
    return atomic_exchange(&dump_wanted, false);
}

bool
of_interrupt_requested(void)
{
    return atomic_load_explicit(&requests, memory_order_relaxed) > 0;
}
