#include "ops/http_server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/short_turns.h"
#include "ops/http_private.h"

enum {
    REQUEST_BYTES = 8 * 1024,
    IDLE_S = 5,
    ADDRESS_BYTES = 264,
};

struct of_http_server {
    struct of_http_server_options options;
    char *token; /* NULL: none */
    bool local;
    bool asked; /* for short turns; the daemon's thread's */
    struct MHD_Daemon *daemon;
    struct of_http_guard guard;
    struct of_http_events events;
    char address[ADDRESS_BYTES];
};

/* ---- answering ---- */

static struct of_http_connection *
guarded(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void
add_headers(struct MHD_Response *response, unsigned status, const char *type, const char *policy)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "Content-Security-Policy",
                            policy != NULL ? policy : "default-src 'none'; frame-ancestors 'none'");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
}

static enum MHD_Result
send_response(struct of_http_server *server, struct MHD_Connection *connection, unsigned status,
              struct MHD_Response *response, enum of_http_duty duty)
{
    of_http_guard_expect(&server->guard, guarded(connection), duty);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Takes the body. */
static enum MHD_Result
send_body(struct of_http_server *server, struct MHD_Connection *connection, unsigned status,
          const struct of_http_response *from, char *body, size_t length)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(body);
        return MHD_NO;
    }
    add_headers(response, status, from->type, from->policy);
    return send_response(server, connection, status, response, OF_HTTP_TAKE_ANSWER);
}

/* NULL: there are too many already. */
static enum MHD_Result
send_events(struct of_http_server *server, struct MHD_Connection *connection, bool *sent)
{
    struct MHD_Response *response = of_http_events_response(&server->events, connection, guarded(connection));
    *sent = response != NULL;
    if (response == NULL)
        return MHD_NO;
    add_headers(response, MHD_HTTP_OK, "text/event-stream", NULL);
    MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* proxies keep nothing back */
    return send_response(server, connection, MHD_HTTP_OK, response, OF_HTTP_NOTHING);
}

/* ---- who may ask what ---- */

static bool
is_open(const struct of_http_server *server, const char *path)
{
    const char *const *open = server->options.open_paths;
    for (; open != NULL && *open != NULL; open++)
        if (strcmp(*open, path) == 0)
            return true;
    return false;
}

static const char *
header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* The status to refuse with, and why; 0: it is allowed. */
static unsigned
refusal(const struct of_http_server *server, struct MHD_Connection *connection, const char *method, const char *path,
        const char **why)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        *why = "only GET and HEAD";
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    }
    if (server->local && of_http_host_is_foreign(header(connection, MHD_HTTP_HEADER_HOST))) {
        *why = "this server is known to its own machine only, as localhost or by its address";
        return MHD_HTTP_FORBIDDEN;
    }
    if (server->token != NULL && !is_open(server, path)
        && !of_http_token_is_right(server->token, header(connection, MHD_HTTP_HEADER_AUTHORIZATION))) {
        *why = "this needs the token, as Authorization: Bearer TOKEN";
        return MHD_HTTP_UNAUTHORIZED;
    }
    return 0;
}

static enum MHD_Result
answer_allowed(struct of_http_server *server, struct MHD_Connection *connection, const struct of_http_request *request,
               struct of_http_response *response, unsigned *status, bool *sent)
{
    *status = server->options.handler(server->options.context, request, response);
    if (!response->events)
        return MHD_NO;
    enum MHD_Result result = send_events(server, connection, sent);
    if (!*sent) {
        *status = MHD_HTTP_SERVICE_UNAVAILABLE;
        fprintf(response->body, "{\"error\":\"%d listen to events already\"}\n", OF_HTTP_SERVER_STREAMS);
    }
    return result;
}

static enum MHD_Result
answer_whole(struct of_http_server *server, struct MHD_Connection *connection, const char *method, const char *path)
{
    char *body;
    size_t length;
    struct of_http_request request = { path, header(connection, MHD_HTTP_HEADER_ACCEPT) };
    struct of_http_response response = { open_memstream(&body, &length), "application/json", NULL, false };
    if (response.body == NULL)
        return MHD_NO;
    const char *why;
    bool sent = false;
    enum MHD_Result result = MHD_NO;
    unsigned status = refusal(server, connection, method, path, &why);
    if (status == 0)
        result = answer_allowed(server, connection, &request, &response, &status, &sent);
    else
        fprintf(response.body, "{\"error\":\"%s\"}\n", why);
    if (fclose(response.body) != 0 || sent) {
        free(body);
        return result;
    }
    return send_body(server, connection, status, &response, body, length);
}

static enum MHD_Result
answer(void *context, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
       const char *upload, size_t *upload_bytes, void **state)
{
    (void)version, (void)upload, (void)upload_bytes;
    static char seen;
    bool reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    /* The first call comes with the headers; an answer to it would close the connection behind it. */
    if (reads && *state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    return answer_whole(context, connection, method, path);
}

/* ---- connections ---- */

/* On the daemon's thread, which nobody gives us. Where it cannot be had, answers come later when all processors are busy. */
static void
ask_for_short_turns(struct of_http_server *server)
{
    if (!server->asked)
        (void)of_short_turns_ask();
    server->asked = true;
}

static void
connection_changed(void *context, struct MHD_Connection *connection, void **socket_context,
                   enum MHD_ConnectionNotificationCode code)
{
    struct of_http_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        ask_for_short_turns(server);
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        *socket_context = of_http_guard_add(&server->guard, fd);
    } else {
        of_http_guard_remove(&server->guard, *socket_context);
        *socket_context = NULL;
    }
}

static void
request_done(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    (void)state, (void)code;
    struct of_http_server *server = context;
    of_http_guard_expect(&server->guard, guarded(connection), OF_HTTP_ASK);
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
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, server,
        MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)OF_HTTP_SERVER_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server,
        MHD_OPTION_NOTIFY_COMPLETED, request_done, server,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

static void
release(struct of_http_server *server)
{
    of_http_events_fini(&server->events);
    of_http_guard_fini(&server->guard);
    free(server->token);
    free(server);
}

enum of_status
of_http_server_open(const struct of_http_server_options *options, struct of_http_server **out, struct of_error *err)
{
    int fd;
    enum of_status status = of_http_listen(options->address, &fd, err);
    if (status != OF_OK)
        return status;
    struct of_http_server *server = of_alloc(sizeof *server);
    server->options = *options;
    server->token = options->token != NULL ? of_strdup(options->token) : NULL;
    server->local = of_http_is_loopback(fd);
    of_http_print_address(fd, server->address, sizeof server->address);
    of_http_guard_init(&server->guard);
    status = of_http_events_start(&server->events, options, &server->guard, err);
    if (status != OF_OK) {
        close(fd);
        of_http_guard_fini(&server->guard);
        free(server->token);
        free(server);
        return status;
    }
    server->daemon = start_daemon(server, fd);
    if (server->daemon == NULL) {
        status = of_error_set(err, OF_FATAL, "cannot serve HTTP on %s: %s", options->address, strerror(errno));
        close(fd);
        of_http_events_stop(&server->events);
        release(server);
        return status;
    }
    *out = server;
    return OF_OK;
}

void
of_http_server_close(struct of_http_server **server)
{
    if (*server == NULL)
        return;
    of_http_events_stop(&(*server)->events);
    MHD_stop_daemon((*server)->daemon); /* closes the socket, too */
    release(*server);
    *server = NULL;
}

const char *
of_http_server_address(const struct of_http_server *server)
{
    return server->address;
}

bool
of_http_server_is_local(const struct of_http_server *server)
{
    return server->local;
}
