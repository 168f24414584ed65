#include "ops/http_server.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "core/memory.h"

enum {
    REQUEST_BYTES = 8 * 1024,
    IDLE_S = 5,
    HOST_BYTES = 256,
    PORT_BYTES = 8,
};

struct of_http_server {
    of_http_handler *handler;
    void *context;
    struct MHD_Daemon *daemon;
    char address[HOST_BYTES + PORT_BYTES];
};

/* ---- where to listen ---- */

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
static void
print_address(int fd, char *out, size_t size)
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

static enum of_status
listen_at(const char *address, int *fd, struct of_error *err)
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

/* ---- answering ---- */

static enum MHD_Result
send_answer(struct MHD_Connection *connection, unsigned status, char *body, size_t length)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
answer(void *context, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
       const char *upload, size_t *upload_bytes, void **state)
{
    (void)version, (void)upload, (void)upload_bytes;
    static char seen;
    struct of_http_server *server = context;
    bool allowed = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    /* The first call comes with the headers; an answer to it would close the connection behind it. */
    if (allowed && *state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    char *body;
    size_t length;
    FILE *out = open_memstream(&body, &length);
    if (out == NULL)
        return MHD_NO;
    unsigned status = MHD_HTTP_METHOD_NOT_ALLOWED;
    if (allowed)
        status = server->handler(server->context, path, out);
    else
        fprintf(out, "{\"error\":\"only GET and HEAD\"}\n");
    if (fclose(out) != 0) {
        free(body);
        return MHD_NO;
    }
    return send_answer(connection, status, body, length);
}

/* ---- the server ---- */

static struct MHD_Daemon *
start_daemon(struct of_http_server *server, int fd)
{
    /* Signals are the main thread's business. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, server,
        MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)OF_HTTP_SERVER_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

enum of_status
of_http_server_open(const char *address, of_http_handler *handler, void *context, struct of_http_server **out,
             struct of_error *err)
{
    int fd;
    enum of_status status = listen_at(address, &fd, err);
    if (status != OF_OK)
        return status;
    struct of_http_server *server = of_alloc(sizeof *server);
    server->handler = handler;
    server->context = context;
    print_address(fd, server->address, sizeof server->address);
    server->daemon = start_daemon(server, fd);
    if (server->daemon == NULL) {
        close(fd);
        free(server);
        return of_error_set(err, OF_FATAL, "cannot serve HTTP on %s: %s", address, strerror(errno));
    }
    *out = server;
    return OF_OK;
}

void
of_http_server_close(struct of_http_server **server)
{
    if (*server == NULL)
        return;
    MHD_stop_daemon((*server)->daemon); /* closes the socket, too */
    free(*server);
    *server = NULL;
}

const char *
of_http_server_address(const struct of_http_server *server)
{
    return server->address;
}
