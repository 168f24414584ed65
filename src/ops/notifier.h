/* Telling the service manager how the process does: the protocol of sd_notify(3), as its manual page documents it.
 *
 * The manager names a datagram socket in NOTIFY_SOCKET: a path, or an abstract name that begins with '@'. A message is
 * lines NAME=VALUE in one datagram. WATCHDOG_USEC says within what time it wants to hear WATCHDOG=1 again, if
 * WATCHDOG_PID, where given, is this process. Datagrams are accepted from the main process only (NotifyAccess=main),
 * which any of its threads may be.
 *
 * Owner: the caller's memory. Threads: one at a time. Errors: whoever does not listen is not told. Cost: a system call a
 * message, never waiting. */
#ifndef OF_OPS_NOTIFIER_H
#define OF_OPS_NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/error.h"

struct of_notifier {
    int socket; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_length;
    int64_t watchdog_ns; /* 0: not wanted */
};

/* By the environment of the process. OF_FATAL: NOTIFY_SOCKET names what this cannot speak to; nobody listens then. */
OF_MUST_USE enum of_status of_notifier_open(struct of_notifier *notifier, struct of_error *err);
void of_notifier_close(struct of_notifier *notifier);

bool of_notifier_listens(const struct of_notifier *notifier);

/* False: not taken, which passes (the manager is behind): to be sent again. What can never be sent counts as taken. */
OF_MUST_USE bool of_notifier_send(const struct of_notifier *notifier, const char *lines);

#endif
