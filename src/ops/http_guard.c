#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/clock.h"
#include "core/memory.h"
#include "ops/http_private.h"

static const int64_t limits_ns[] = {
    [OF_HTTP_ASK] = 10 * OF_SECOND_NS,
    [OF_HTTP_TAKE_ANSWER] = 30 * OF_SECOND_NS,
    [OF_HTTP_TAKE_EVENT] = 10 * OF_SECOND_NS,
    [OF_HTTP_NOTHING] = OF_NEVER_NS,
};

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

void
of_http_guard_init(struct of_http_guard *guard)
{
    guard->connections = NULL;
    pthread_mutex_init(&guard->lock, NULL);
}

void
of_http_guard_fini(struct of_http_guard *guard)
{
    while (guard->connections != NULL)
        of_http_guard_remove(guard, guard->connections);
    pthread_mutex_destroy(&guard->lock);
}

struct of_http_connection *
of_http_guard_add(struct of_http_guard *guard, int fd)
{
    struct of_http_connection *connection = of_alloc(sizeof *connection);
    connection->fd = fd;
    connection->since_ns = now_ns();
    pthread_mutex_lock(&guard->lock);
    connection->next = guard->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    guard->connections = connection;
    pthread_mutex_unlock(&guard->lock);
    return connection;
}

void
of_http_guard_remove(struct of_http_guard *guard, struct of_http_connection *connection)
{
    pthread_mutex_lock(&guard->lock);
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        guard->connections = connection->next;
    pthread_mutex_unlock(&guard->lock);
    free(connection);
}

void
of_http_guard_expect(struct of_http_guard *guard, struct of_http_connection *connection, enum of_http_duty duty)
{
    pthread_mutex_lock(&guard->lock);
    connection->duty = duty;
    connection->since_ns = now_ns();
    pthread_mutex_unlock(&guard->lock);
}

/* The daemon notices that nothing can be read or written any more, and closes it. */
void
of_http_guard_sweep(struct of_http_guard *guard)
{
    int64_t now = now_ns();
    pthread_mutex_lock(&guard->lock);
    for (struct of_http_connection *connection = guard->connections; connection != NULL; connection = connection->next)
        if (now - connection->since_ns > limits_ns[connection->duty])
            shutdown(connection->fd, SHUT_RDWR);
    pthread_mutex_unlock(&guard->lock);
}

/* ---- who may ask ---- */

bool
of_http_token_is_right(const char *token, const char *given)
{
    static const char scheme[] = "Bearer ";
    if (given == NULL || strncasecmp(given, scheme, sizeof scheme - 1) != 0)
        return false;
    given += sizeof scheme - 1;
    size_t length = strlen(token), given_length = strlen(given);
    unsigned differs = length != given_length;
    for (size_t i = 0; i < given_length; i++)
        differs |= (unsigned char)given[i] ^ (unsigned char)(i < length ? token[i] : 0);
    return differs == 0;
}

/* An attacker's own name has a dot; localhost and the names of containers have none. */
bool
of_http_host_is_foreign(const char *host)
{
    static const char local[] = ".localhost";
    if (host == NULL || host[0] == '[')
        return false;
    size_t length = strcspn(host, ":");
    if (memchr(host, '.', length) == NULL || strspn(host, "0123456789.") >= length)
        return false;
    size_t ending = sizeof local - 1;
    return length < ending || strncasecmp(host + length - ending, local, ending) != 0;
}
