/* A small HTTP server for those who operate the program: GET and HEAD, answers that are made whole in memory, and one
 * stream of events.
 *
 * Owner: whoever opened it. The handler is called on the server's thread, one request at a time, until close returns.
 * It may block, but everybody else who asks waits for it. Events are made on a second thread, once a second while
 * somebody listens, once for all listeners. Where the system can, the first thread asks for short turns (core/short_turns.h),
 * so that an answer does not wait long for a processor that others keep busy.
 *
 * Who can ask: anybody who can connect. With a token only who sends it (`Authorization: Bearer`), but for the paths that
 * are open. A server on the loopback refuses names of other hosts in `Host`: a page from elsewhere that a browser has open
 * could ask under a name that it makes mean this machine.
 *
 * Limits, so that no client can hurt another, or the process: OF_HTTP_SERVER_CONNECTIONS at once (further ones wait to be
 * accepted), OF_HTTP_SERVER_STREAMS of them listening to events; 8 KiB of request line and headers; 5 s for a connection
 * on which nothing happens, 10 s for a request to be there, 30 s for an answer to be taken, 10 s for an event. Whoever is
 * slow misses events, and never gets half of one. No bodies are read. */
#ifndef OF_OPS_HTTP_SERVER_H
#define OF_OPS_HTTP_SERVER_H

#include <stdbool.h>
#include <stdio.h>

#include "core/error.h"

enum { OF_HTTP_SERVER_CONNECTIONS = 64, OF_HTTP_SERVER_STREAMS = 32 };

struct of_http_server;

struct of_http_request {
    const char *path;   /* begins with '/' and holds no query */
    const char *accept; /* the header of that name; NULL: there is none */
};

struct of_http_response {
    FILE *body;         /* to be written to */
    const char *type;   /* Content-Type; JSON unless set */
    const char *policy; /* Content-Security-Policy, valid until the next call; nothing is allowed unless set */
    bool events;        /* set: the answer is the stream of events, and not the body */
};

/* Fills the response and returns its HTTP status. */
typedef unsigned of_http_handler(void *context, const struct of_http_request *request,
                                 struct of_http_response *response);

struct of_http_server_options {
    const char *address; /* PORT (of the loopback), HOST:PORT or [IPV6]:PORT. Port 0: any that is free */
    of_http_handler *handler;
    /* Writes an event: one line of text. NULL: there are none. */
    void (*event)(void *context, FILE *out);
    /* Called about once a second by the thread that makes events, whether anybody listens or not. NULL: nothing is. */
    void (*tick)(void *context);
    void *context;
    const char *token;             /* NULL: none is asked for. Copied */
    const char *const *open_paths; /* that need no token; NULL after the last, static. NULL: none */
};

/* OF_FATAL: cannot listen there; the text says why and names the option. */
OF_MUST_USE enum of_status of_http_server_open(const struct of_http_server_options *options,
                                               struct of_http_server **out, struct of_error *err);

/* Ends the threads and all connections; waits for the request that is being answered. NULL inside is fine. */
void of_http_server_close(struct of_http_server **server);

/* "127.0.0.1:8080": where it listens. */
const char *of_http_server_address(const struct of_http_server *server);

/* Whether only this machine can reach it. */
bool of_http_server_is_local(const struct of_http_server *server);

/* What is wrong with an address as text; NULL: nothing. */
const char *of_http_server_complaint(const char *address);

#endif
