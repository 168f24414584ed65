#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/http_private.h"

enum { HOST_BYTES = 256, PORT_BYTES = 8 };


/* Splits "PORT", "HOST:PORT" and "[IPV6]:PORT". */
static const char *
split(const char *address, char host[HOST_BYTES], char port[PORT_BYTES])
{
    const char *colon = strrchr(address, ':');
    const char *digits = colon != NULL ? colon + 1 : address;
    size_t host_length = colon != NULL ? (size_t)(colon - address) : 0;
    size_t port_length = strlen(digits);
    if (port_length == 0 || port_length > 5 || digits[strspn(digits, "0123456789")] != '\0' || atoi(digits) > 65535)
        return "has no port (allowed: PORT, HOST:PORT or [IPV6]:PORT, with a port from 0 to 65535)";
    if (colon != NULL && host_length == 0)
        return "has no host (127.0.0.1:PORT for this machine alone, 0.0.0.0:PORT for all of its addresses)";
    if (host_length >= HOST_BYTES)
        return "is too long";
    memcpy(port, digits, port_length + 1);
    if (colon == NULL) {
        strcpy(host, "127.0.0.1");
        return NULL;
    }
    bool bracketed = address[0] == '[' && colon[-1] == ']';
    size_t inner = bracketed ? host_length - 2 : host_length;
    memcpy(host, address + bracketed, inner);
    host[inner] = '\0';
    if (!bracketed && strchr(host, ':') != NULL)
        return "is ambiguous: write an IPv6 address as [ADDRESS]:PORT";
    return inner == 0 ? "has no host" : NULL;
}

const char *
of_http_server_complaint(const char *address)
{
    char host[HOST_BYTES], port[PORT_BYTES];
    return split(address, host, port);
}

static enum of_status
refuse(const char *address, int error, struct of_error *err)
{
    switch (error) {
    case EADDRINUSE:
        return of_error_set(err, OF_FATAL, "cannot listen on %s: the address is in use; choose another --http",
                            address);
    case EADDRNOTAVAIL:
        return of_error_set(err, OF_FATAL, "cannot listen on %s: this machine has no such address; "
                            "choose another --http", address);
    case EACCES:
        return of_error_set(err, OF_FATAL, "cannot listen on %s: not allowed to; choose another --http with a port "
                            "from 1024 on", address);
    default: return of_error_set(err, OF_FATAL, "cannot listen on %s (--http): %s", address, strerror(error));
    }
}

static int
try_listen(const struct addrinfo *place)
{
    int one = 1;
    int fd = socket(place->ai_family, place->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, place->ai_protocol);
    if (fd < 0)
        return -1;
    /* A restart must not wait for the connections of the program before. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0
        && bind(fd, place->ai_addr, place->ai_addrlen) == 0 && listen(fd, OF_HTTP_SERVER_CONNECTIONS) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* What port 0 has become, too. */
void
of_http_print_address(int fd, char *out, size_t size)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[HOST_BYTES] = "?", port[PORT_BYTES] = "?";
    if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
        getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    const char *left = strchr(host, ':') != NULL ? "[" : "", *right = *left != '\0' ? "]" : "";
    snprintf(out, size, "%s%s%s:%s", left, host, right, port);
}

enum of_status
of_http_listen(const char *address, int *fd, struct of_error *err)
{
    char host[HOST_BYTES], port[PORT_BYTES];
    const char *complaint = split(address, host, port);
    if (complaint != NULL)
        return of_error_set(err, OF_FATAL, "--http: '%s' %s", address, complaint);
    struct addrinfo *places, wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    int failed = getaddrinfo(host, port, &wanted, &places);
    if (failed != 0)
        return of_error_set(err, OF_FATAL, "cannot listen on %s (--http): %s", address, gai_strerror(failed));
    *fd = try_listen(places);
    int error = errno;
    freeaddrinfo(places);
    return *fd >= 0 ? OF_OK : refuse(address, error, err);
}

bool
of_http_is_loopback(int fd)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &length) != 0)
        return false;
    if (bound.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&bound)->sin6_addr);
    return bound.ss_family == AF_INET && ntohl(((struct sockaddr_in *)&bound)->sin_addr.s_addr) >> 24 == 127;
}
