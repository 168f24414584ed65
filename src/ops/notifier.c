#include "ops/notifier.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MICROSECOND_NS = 1000 };
#define WATCHDOG_MOST_US (INT64_MAX / MICROSECOND_NS)

static enum of_status
take_address(struct of_notifier *notifier, const char *name, struct of_error *err)
{
    size_t length = strlen(name);
    if (name[0] != '/' && name[0] != '@')
        return of_error_set(err, OF_FATAL, "NOTIFY_SOCKET is neither a path nor an abstract name: %s", name);
    if (length >= sizeof notifier->address.sun_path)
        return of_error_set(err, OF_FATAL, "NOTIFY_SOCKET is too long: %s", name);
    notifier->address.sun_family = AF_UNIX;
    memcpy(notifier->address.sun_path, name, length);
    if (name[0] == '@')
        notifier->address.sun_path[0] = '\0';
    notifier->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return OF_OK;
}

static int64_t
number_in(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    errno = 0;
    long long number = text != NULL && *text != '\0' ? strtoll(text, &end, 10) : 0;
    return text != NULL && *text != '\0' && *end == '\0' && errno == 0 && number > 0 ? number : 0;
}

static int64_t
watchdog_ns(void)
{
    const char *process = getenv("WATCHDOG_PID");
    if (process != NULL && number_in("WATCHDOG_PID") != getpid())
        return 0;
    int64_t microseconds = number_in("WATCHDOG_USEC");
    return microseconds <= WATCHDOG_MOST_US ? microseconds * MICROSECOND_NS : 0;
}

enum of_status
of_notifier_open(struct of_notifier *notifier, struct of_error *err)
{
    const char *name = getenv("NOTIFY_SOCKET");
    *notifier = (struct of_notifier) { .socket = -1 };
    if (name == NULL || *name == '\0')
        return OF_OK;
    enum of_status status = take_address(notifier, name, err);
    if (status != OF_OK)
        return status;
    notifier->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notifier->socket < 0)
        return of_error_set(err, OF_FATAL, "NOTIFY_SOCKET: %s", strerror(errno));
    notifier->watchdog_ns = watchdog_ns();
    return OF_OK;
}

void
of_notifier_close(struct of_notifier *notifier)
{
    if (notifier->socket >= 0)
        close(notifier->socket);
    notifier->socket = -1;
}

bool
of_notifier_listens(const struct of_notifier *notifier)
{
    return notifier->socket >= 0;
}

bool
of_notifier_send(const struct of_notifier *notifier, const char *lines)
{
    if (notifier->socket < 0)
        return true;
    ssize_t sent = sendto(notifier->socket, lines, strlen(lines), MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&notifier->address, notifier->address_length);
    return sent >= 0 || (errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ECONNREFUSED);
}
