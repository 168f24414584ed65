/* A small HTTP server for those who operate the program: one thread, GET and HEAD, answers in JSON.
 *
 * Owner: whoever opened it. The handler is called on the server's thread, one request at a time, until close returns.
 * It may block, but everybody else who asks waits for it.
 * Limits: OF_HTTP_SERVER_CONNECTIONS at once (further ones wait to be accepted), 8 KiB of request line and headers, 5 s
 * for a connection on which nothing happens. No bodies are read. */
#ifndef OF_OPS_HTTP_SERVER_H
#define OF_OPS_HTTP_SERVER_H

#include <stdio.h>

#include "core/error.h"

enum { OF_HTTP_SERVER_CONNECTIONS = 16 };

struct of_http_server;

/* Writes the answer to `body` and returns its HTTP status. path begins with '/' and holds no query. */
typedef unsigned of_http_handler(void *context, const char *path, FILE *body);

/* address: PORT (of the loopback), HOST:PORT or [IPV6]:PORT. Port 0: any that is free. OF_FATAL: cannot listen there;
 * the text says why and names the option. */
OF_MUST_USE enum of_status of_http_server_open(const char *address, of_http_handler *handler, void *context,
                                        struct of_http_server **out, struct of_error *err);

/* Ends the thread and all connections; waits for the request that is being answered. NULL inside is fine. */
void of_http_server_close(struct of_http_server **server);

/* "127.0.0.1:8080": where it listens. */
const char *of_http_server_address(const struct of_http_server *server);

/* What is wrong with an address as text; NULL: nothing. */
const char *of_http_server_complaint(const char *address);

#endif
