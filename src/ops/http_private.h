/* What the HTTP server is made of, between the files that it consists of:
 *
 *   http_listen.c   addresses and sockets
 *   http_guard.c    who may ask, and for how long a connection may take for what
 *   http_events.c   the stream of events
 *   http_server.c   requests and answers
 *
 * Threads: the daemon's (libmicrohttpd; all callbacks), and the clockwork's, which turns once a second. */
#ifndef OF_OPS_HTTP_PRIVATE_H
#define OF_OPS_HTTP_PRIVATE_H

#include <pthread.h>
#include <stdint.h>

#include <microhttpd.h>

#include "ops/http_server.h"

/* ---- http_listen.c ---- */

OF_MUST_USE enum of_status of_http_listen(const char *address, int *fd, struct of_error *err);
void of_http_print_address(int fd, char *out, size_t size);
bool of_http_is_loopback(int fd);

/* ---- http_guard.c ---- */

/* What a connection is expected to do next. */
enum of_http_duty { OF_HTTP_ASK, OF_HTTP_TAKE_ANSWER, OF_HTTP_TAKE_EVENT, OF_HTTP_NOTHING };

struct of_http_connection {
    int fd;
    enum of_http_duty duty;
    int64_t since_ns;
    struct of_http_connection *previous, *next;
};

struct of_http_guard {
    pthread_mutex_t lock; /* over the list and all in it */
    struct of_http_connection *connections;
};

void of_http_guard_init(struct of_http_guard *guard);
void of_http_guard_fini(struct of_http_guard *guard);

struct of_http_connection *of_http_guard_add(struct of_http_guard *guard, int fd);
/* Before the descriptor is closed. */
void of_http_guard_remove(struct of_http_guard *guard, struct of_http_connection *connection);
void of_http_guard_expect(struct of_http_guard *guard, struct of_http_connection *connection, enum of_http_duty duty);

/* Ends those that have taken too long. Once a second. */
void of_http_guard_sweep(struct of_http_guard *guard);

/* `given`: the header Authorization, or NULL. Takes as long whatever part of the token is right. */
bool of_http_token_is_right(const char *token, const char *given);

/* Whether the header Host (NULL: there is none) names a host that is not this one: a name with a dot that is no address. */
bool of_http_host_is_foreign(const char *host);

/* ---- http_events.c ---- */

struct of_http_event; /* shared by those who are being sent it */
struct of_http_stream;

struct of_http_events {
    void (*make)(void *context, FILE *out);
    void (*tick)(void *context); /* NULL: nothing is done */
    void *context;
    struct of_http_guard *guard;
    pthread_t thread;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t wake;
    bool closing, wanted; /* wanted: the first has begun to listen */
    struct of_http_event *latest; /* NULL: none since somebody listens */
    uint64_t number;              /* of the latest; 0: none yet */
    struct of_http_stream *streams;
    uint32_t stream_count;
};

OF_MUST_USE enum of_status of_http_events_start(struct of_http_events *events, const struct of_http_server_options *options,
                                                struct of_http_guard *guard, struct of_error *err);

/* Lets go of every connection: what they are being sent is the last. Before the daemon is stopped. */
void of_http_events_stop(struct of_http_events *events);
/* After it. */
void of_http_events_fini(struct of_http_events *events);

/* The stream as an answer to this connection; NULL: too many listen. */
struct MHD_Response *of_http_events_response(struct of_http_events *events, struct MHD_Connection *connection,
                                             struct of_http_connection *guarded);

#endif
