#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/clock.h"
#include "kafka/direct/connection_private.h"
#include "kafka/direct/sasl.h"
#include "kafka/direct/tls.h"

enum { ERROR_UNSUPPORTED_VERSION = 35, ARENA_BYTES = 1 << 20 };

/* ---- the socket ---- */

static void
set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value); /* it works without, too */
}

/* Begins to connect to the address that is next; none is left: fails for the reason that the last one gave. */
static void
connect_next(struct of_connection *connection, int why, int64_t now_ns)
{
    for (; connection->address != NULL; connection->address = connection->address->ai_next) {
        const struct addrinfo *to = connection->address;
        if (connection->fd >= 0)
            close(connection->fd);
        connection->events = 0;
        connection->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection->fd < 0) {
            why = errno;
            continue;
        }
        set_option(connection->fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(connection->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        if (connect(connection->fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS) {
            connection->state = OF_CONNECTION_CONNECTING;
            of_connection_wait_for(connection, EPOLLOUT);
            return;
        }
        why = errno;
    }
    of_connection_fail(connection, now_ns, "connecting: %s", strerror(why));
}

static void
begin(struct of_connection *connection, int64_t now_ns)
{
    connection->deadline_ns = now_ns + connection->settings->connect_ms * OF_MS_NS;
    connection->resolve = of_resolve_start(connection->host, connection->port);
    connection->state = OF_CONNECTION_RESOLVING;
}

static void
take_addresses(struct of_connection *connection, int64_t now_ns)
{
    int code;
    if (!of_resolve_poll(&connection->resolve, &connection->addresses, &code))
        return;
    if (connection->addresses == NULL) {
        of_connection_fail(connection, now_ns, "%s", gai_strerror(code));
        return;
    }
    connection->address = connection->addresses;
    connect_next(connection, 0, now_ns);
}

static void
negotiate(struct of_connection *connection, int16_t version, int64_t now_ns)
{
    const struct of_api_versions_request request = {
        .client_software_name = of_slice_str("orderflow"),
        .client_software_version = of_slice_str(ORDERFLOW_VERSION),
    };
    connection->state = OF_CONNECTION_NEGOTIATING;
    of_connection_ask_version(connection, OF_API_VERSIONS, version, &request, connection->deadline_ns, now_ns);
}

static void
begin_session(struct of_connection *connection, struct of_tls *tls, int64_t now_ns)
{
    if (tls == NULL) {
        negotiate(connection, of_message_find(OF_API_VERSIONS)->highest, now_ns);
        return;
    }
    struct of_error err;
    if (of_tls_session_open(tls, connection->fd, connection->host, &connection->tls, &err) == OF_OK)
        connection->state = OF_CONNECTION_SECURING;
    else
        of_connection_fail(connection, now_ns, "%s", err.text);
}

static void
take_connected(struct of_connection *connection, struct of_tls *tls, int64_t now_ns)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    if (getpeername(connection->fd, (struct sockaddr *)&peer, &size) == 0) {
        begin_session(connection, tls, now_ns);
        return;
    }
    int why = 0;
    size = sizeof why;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &why, &size);
    if (why == 0)
        return;
    connection->address = connection->address->ai_next;
    connect_next(connection, why, now_ns);
}

static void
secure(struct of_connection *connection, int64_t now_ns)
{
    struct of_error err;
    bool wants_write;
    switch (of_tls_handshake(connection->tls, &wants_write, &err)) {
    case OF_OK: negotiate(connection, of_message_find(OF_API_VERSIONS)->highest, now_ns); break;
    case OF_AGAIN: of_connection_wait_for(connection, wants_write ? EPOLLOUT : EPOLLIN); break;
    default: of_connection_fail(connection, now_ns, "%s", err.text); break;
    }
}

void
of_connection_open_turn(struct of_connection *connection, struct of_tls *tls, int64_t now_ns)
{
    if (connection->state == OF_CONNECTION_DOWN && now_ns >= connection->next_try_ns)
        begin(connection, now_ns);
    if (connection->state == OF_CONNECTION_RESOLVING)
        take_addresses(connection, now_ns);
    if (connection->state == OF_CONNECTION_CONNECTING)
        take_connected(connection, tls, now_ns);
    if (connection->state == OF_CONNECTION_SECURING)
        secure(connection, now_ns);
}

/* ---- versions ---- */

static void
come_up(struct of_connection *connection)
{
    connection->state = OF_CONNECTION_UP;
    connection->backoff_ms = 0;
}

/* Shakes hands about the mechanism; what follows are its own messages. */
static void
authenticate(struct of_connection *connection, int64_t now_ns)
{
    const struct of_sasl_handshake_request request = {
        .mechanism = of_slice_str(of_sasl_name(connection->settings->sasl)),
    };
    if (connection->settings->sasl == OF_SASL_NONE) {
        come_up(connection);
        return;
    }
    if (of_connection_version(connection, OF_API_SASL_HANDSHAKE) < 0 ||
        of_connection_version(connection, OF_API_SASL_AUTHENTICATE) < 0) {
        of_connection_fail(connection, now_ns, "the broker does not speak SASL in a version of ours");
        return;
    }
    connection->state = OF_CONNECTION_AUTHENTICATING;
    connection->sasl = of_sasl_create(connection->settings, NULL);
    of_connection_ask_version(connection, OF_API_SASL_HANDSHAKE,
                              of_connection_version(connection, OF_API_SASL_HANDSHAKE), &request,
                              connection->deadline_ns, now_ns);
}

static void
note_versions(struct of_connection *connection, const struct of_api_versions_answer *answer)
{
    const struct of_api_version *versions = answer->api_keys.items;
    OF_ASSERT(of_message_count <= sizeof connection->versions / sizeof *connection->versions);
    for (uint32_t m = 0; m < of_message_count; m++) {
        connection->versions[m] = (struct of_api_version) { (int16_t)of_messages[m].api, 0, -1 };
        for (uint32_t i = 0; i < answer->api_keys.count; i++)
            if (versions[i].api_key == (int16_t)of_messages[m].api)
                connection->versions[m] = versions[i];
    }
}

/* A broker that does not know the version answers in version 0. */
static void
take_versions(struct of_connection *connection, const struct of_received *received, struct of_arena *arena,
              int64_t now_ns)
{
    struct of_error err;
    struct of_api_versions_answer answer;
    const struct of_asked *asked = &received->asked;
    bool refused = received->bytes.length >= 6 &&
                   of_big_endian_u16(received->bytes.data + 4) == ERROR_UNSUPPORTED_VERSION;
    if (refused && asked->version > 0) {
        negotiate(connection, 0, now_ns);
        return;
    }
    if (of_message_read_answer(asked->message, asked->version, asked->correlation, received->bytes, &answer, arena,
                               &err) != OF_OK) {
        of_connection_fail(connection, now_ns, "%s", err.text);
    } else if (answer.error_code != 0) {
        of_connection_fail(connection, now_ns, "the broker answers ApiVersions with error %d", answer.error_code);
    } else {
        note_versions(connection, &answer);
        authenticate(connection, now_ns);
    }
}

/* ---- SASL ---- */

static void
say(struct of_connection *connection, struct of_slice said, int64_t now_ns)
{
    struct of_error err;
    struct of_sasl_request request;
    switch (of_sasl_step(connection->sasl, said, &request.auth_bytes, &err)) {
    case OF_OK:
        of_sasl_destroy(&connection->sasl);
        come_up(connection);
        break;
    case OF_AGAIN:
        of_connection_ask_version(connection, OF_API_SASL_AUTHENTICATE,
                                  of_connection_version(connection, OF_API_SASL_AUTHENTICATE), &request,
                                  connection->deadline_ns, now_ns);
        break;
    default: of_connection_fail(connection, now_ns, "%s", err.text); break;
    }
}

static void
take_handshake(struct of_connection *connection, const struct of_received *received, struct of_arena *arena,
               int64_t now_ns)
{
    struct of_error err;
    struct of_sasl_handshake_answer answer;
    const struct of_asked *asked = &received->asked;
    if (of_message_read_answer(asked->message, asked->version, asked->correlation, received->bytes, &answer, arena,
                               &err) != OF_OK)
        of_connection_fail(connection, now_ns, "%s", err.text);
    else if (answer.error_code != 0)
        of_connection_fail(connection, now_ns, "the broker does not offer SASL %s",
                           of_sasl_name(connection->settings->sasl));
    else
        say(connection, of_slice_of(NULL, 0), now_ns);
}

static void
take_authenticate(struct of_connection *connection, const struct of_received *received, struct of_arena *arena,
                  int64_t now_ns)
{
    struct of_error err;
    struct of_sasl_answer answer;
    const struct of_asked *asked = &received->asked;
    if (of_message_read_answer(asked->message, asked->version, asked->correlation, received->bytes, &answer, arena,
                               &err) != OF_OK)
        of_connection_fail(connection, now_ns, "%s", err.text);
    else if (answer.error_code != 0)
        of_connection_fail(connection, now_ns, "the broker refuses user %.100s: %.*s", connection->settings->username,
                           (int)(answer.error_message.length > 200 ? 200 : answer.error_message.length),
                           answer.error_message.data != NULL ? (const char *)answer.error_message.data : "");
    else
        say(connection, answer.auth_bytes, now_ns);
}

void
of_connection_open_answer(struct of_connection *connection, const struct of_received *received, int64_t now_ns)
{
    struct of_arena arena = { .limit = ARENA_BYTES };
    switch (received->asked.message->api) {
    case OF_API_VERSIONS: take_versions(connection, received, &arena, now_ns); break;
    case OF_API_SASL_HANDSHAKE: take_handshake(connection, received, &arena, now_ns); break;
    case OF_API_SASL_AUTHENTICATE: take_authenticate(connection, received, &arena, now_ns); break;
    default: OF_ASSERT(!"asked before it was up");
    }
    of_arena_empty(&arena);
}
