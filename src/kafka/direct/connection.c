#include "kafka/direct/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/clock.h"
#include "kafka/direct/connection_private.h"
#include "kafka/direct/sasl.h"
#include "kafka/direct/tls.h"

void
of_connection_init(struct of_connection *connection, const struct of_direct_settings *settings, struct of_slabs *slabs,
                   int epoll_fd, const char *host, int port)
{
    *connection = (struct of_connection) {
        .settings = settings,
        .slabs = slabs,
        .epoll_fd = epoll_fd,
        .port = port,
        .fd = -1,
    };
    snprintf(connection->host, sizeof connection->host, "%s", host);
}

/* ---- closing ---- */

static void
close_all(struct of_connection *connection)
{
    of_tls_session_close(&connection->tls);
    of_sasl_destroy(&connection->sasl);
    of_resolve_abandon(&connection->resolve);
    if (connection->addresses != NULL)
        freeaddrinfo(connection->addresses);
    connection->addresses = NULL;
    connection->address = NULL;
    if (connection->fd >= 0)
        close(connection->fd); /* epoll forgets it */
    connection->fd = -1;
    connection->events = 0;
    if (connection->in != NULL)
        of_slab_drop(connection->in);
    connection->in = NULL;
    connection->in_at = 0;
    connection->asked_count = 0;
    connection->out.length = connection->out_at = 0;
}

void
of_connection_fini(struct of_connection *connection)
{
    close_all(connection);
    of_wire_writer_fini(&connection->out);
}

/* Half to all of it, so that what broke together does not come back together. */
static int64_t
with_jitter(const struct of_connection *connection, int64_t ms, int64_t now_ns)
{
    uint64_t mix = (uint64_t)now_ns ^ (uint64_t)(uintptr_t)connection;
    mix = (mix ^ mix >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return ms / 2 + (int64_t)((mix >> 33) % (uint64_t)(ms / 2 + 1));
}

void
of_connection_fail(struct of_connection *connection, int64_t now_ns, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    connection->error.status = OF_RETRY;
    vsnprintf(connection->error.text, sizeof connection->error.text, format, args);
    va_end(args);
    const struct of_direct_settings *settings = connection->settings;
    if (connection->state == OF_CONNECTION_UP || connection->backoff_ms == 0)
        connection->backoff_ms = settings->backoff_ms;
    else
        connection->backoff_ms *= 2;
    if (connection->backoff_ms > settings->backoff_most_ms)
        connection->backoff_ms = settings->backoff_most_ms;
    connection->next_try_ns = now_ns + with_jitter(connection, connection->backoff_ms, now_ns) * OF_MS_NS;
    close_all(connection);
    connection->failed_in = connection->state;
    connection->state = OF_CONNECTION_DOWN;
    connection->downs++;
}

/* ---- bytes ---- */

void
of_connection_wait_for(struct of_connection *connection, uint32_t events)
{
    if (connection->events == events)
        return;
    struct epoll_event event = { .events = events, .data.ptr = connection };
    int operation = connection->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    OF_ASSERT(epoll_ctl(connection->epoll_fd, operation, connection->fd, &event) == 0);
    connection->events = events;
}

static ssize_t
result_of(ssize_t result, struct of_error *err)
{
    if (result > 0)
        return result;
    if (result == 0)
        of_error_set(err, OF_RETRY, "the broker closed the connection");
    else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return 0;
    else
        of_error_set(err, OF_RETRY, "%s", strerror(errno));
    return -1;
}

static ssize_t
read_some(struct of_connection *connection, void *bytes, size_t size, struct of_error *err)
{
    return connection->tls != NULL ? of_tls_read(connection->tls, bytes, size, err)
                                   : result_of(recv(connection->fd, bytes, size, 0), err);
}

static ssize_t
write_some(struct of_connection *connection, const void *bytes, size_t size, struct of_error *err)
{
    return connection->tls != NULL ? of_tls_write(connection->tls, bytes, size, err)
                                   : result_of(send(connection->fd, bytes, size, MSG_NOSIGNAL), err);
}

static void
send_out(struct of_connection *connection, int64_t now_ns)
{
    struct of_error err;
    struct of_wire_writer *out = &connection->out;
    while (connection->out_at < out->length) {
        ssize_t count = write_some(connection, out->data + connection->out_at, out->length - connection->out_at, &err);
        if (count < 0) {
            of_connection_fail(connection, now_ns, "%s", err.text);
            return;
        }
        if (count == 0)
            break;
        connection->out_at += (size_t)count;
    }
    bool all = connection->out_at == out->length;
    if (all)
        out->length = connection->out_at = 0;
    of_connection_wait_for(connection, all ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

/* ---- asking ---- */

int16_t
of_connection_version(const struct of_connection *connection, enum of_api api)
{
    const struct of_message *message = of_message_find(api);
    const struct of_api_version *broker = &connection->versions[message - of_messages];
    int16_t highest = broker->max_version < message->highest ? broker->max_version : message->highest;
    return highest >= message->lowest && highest >= broker->min_version ? highest : -1;
}

void
of_connection_ask_version(struct of_connection *connection, enum of_api api, int16_t version, const void *request,
                          int64_t deadline_ns, int64_t now_ns)
{
    OF_ASSERT(connection->asked_count < OF_REQUESTS_UNDER_WAY);
    const struct of_message *message = of_message_find(api);
    int32_t correlation = connection->correlation++ & INT32_MAX;
    connection->asked[connection->asked_count++] = (struct of_asked) { message, version, correlation, deadline_ns };
    of_message_write_request(&connection->out, message, version, correlation, connection->settings->client_id, request);
    send_out(connection, now_ns);
}

void
of_connection_ask(struct of_connection *connection, enum of_api api, const void *request, int64_t wait_ms,
                  int64_t now_ns)
{
    OF_ASSERT(of_connection_can_ask(connection));
    int16_t version = of_connection_version(connection, api);
    OF_ASSERT(version >= 0);
    int64_t deadline_ns = now_ns + (wait_ms + connection->settings->request_ms) * OF_MS_NS;
    of_connection_ask_version(connection, api, version, request, deadline_ns, now_ns);
}

/* ---- answers ---- */

/* The length before an answer. False: not there yet, or the connection failed. */
static bool
read_head(struct of_connection *connection, int64_t now_ns)
{
    struct of_error err;
    while (connection->in_at < sizeof connection->head) {
        ssize_t count = read_some(connection, connection->head + connection->in_at,
                                  sizeof connection->head - connection->in_at, &err);
        if (count < 0)
            of_connection_fail(connection, now_ns, "%s", err.text);
        if (count <= 0)
            return false;
        connection->in_at += (size_t)count;
    }
    if (connection->in != NULL)
        return true;
    connection->in_length = of_big_endian_u32(connection->head);
    if (connection->asked_count == 0)
        of_connection_fail(connection, now_ns, "an answer to nothing that was asked");
    else if (connection->in_length < 4 || connection->in_length > (size_t)connection->settings->answer_bytes)
        of_connection_fail(connection, now_ns, "an answer of %zu bytes, more than receive.message.max.bytes or too few",
                           connection->in_length);
    else
        connection->in = of_slab_take(connection->slabs, connection->in_length);
    return connection->in != NULL;
}

static bool
read_body(struct of_connection *connection, int64_t now_ns)
{
    struct of_error err;
    size_t end = sizeof connection->head + connection->in_length;
    while (connection->in_at < end) {
        ssize_t count = read_some(connection, connection->in->bytes + (connection->in_at - sizeof connection->head),
                                  end - connection->in_at, &err);
        if (count < 0)
            of_connection_fail(connection, now_ns, "%s", err.text);
        if (count <= 0)
            return false;
        connection->in_at += (size_t)count;
    }
    return true;
}

static void
take_answer(struct of_connection *connection, struct of_received *received)
{
    received->asked = connection->asked[0];
    received->slab = connection->in;
    received->bytes = of_slice_of(connection->in->bytes, connection->in_length);
    connection->in = NULL;
    connection->in_at = 0;
    connection->asked_count--;
    memmove(connection->asked, connection->asked + 1, connection->asked_count * sizeof *connection->asked);
}

bool
of_connection_receive(struct of_connection *connection, int64_t now_ns, struct of_received *received)
{
    while (connection->state >= OF_CONNECTION_NEGOTIATING) {
        if (!read_head(connection, now_ns) || !read_body(connection, now_ns))
            return false;
        take_answer(connection, received);
        if (connection->state == OF_CONNECTION_UP)
            return true;
        of_connection_open_answer(connection, received, now_ns);
        of_slab_drop(received->slab);
    }
    return false;
}

/* ---- turns ---- */

void
of_connection_turn(struct of_connection *connection, struct of_tls *tls, int64_t now_ns)
{
    if (connection->state < OF_CONNECTION_NEGOTIATING)
        of_connection_open_turn(connection, tls, now_ns);
    else if (connection->out.length > 0)
        send_out(connection, now_ns);
    if (connection->state != OF_CONNECTION_DOWN && connection->state != OF_CONNECTION_UP &&
        now_ns >= connection->deadline_ns)
        of_connection_fail(connection, now_ns, "not connected within %lld ms",
                           (long long)connection->settings->connect_ms);
    if (connection->asked_count > 0 && now_ns >= connection->asked[0].deadline_ns)
        of_connection_fail(connection, now_ns, "no answer to %s in time", connection->asked[0].message->name);
}

int64_t
of_connection_deadline_ns(const struct of_connection *connection)
{
    int64_t asked_ns = connection->asked_count > 0 ? connection->asked[0].deadline_ns : OF_NEVER_NS;
    switch (connection->state) {
    case OF_CONNECTION_DOWN: return connection->next_try_ns;
    case OF_CONNECTION_RESOLVING: return 0; /* its thread cannot wake us: soon */
    case OF_CONNECTION_UP: return asked_ns;
    default: return connection->deadline_ns < asked_ns ? connection->deadline_ns : asked_ns;
    }
}
