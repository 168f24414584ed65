/* Asking an HTTP server that is under test, byte by byte: what a well-behaved client would never send, too. */
#ifndef OF_TESTS_SUPPORT_HTTP_ASK_H
#define OF_TESTS_SUPPORT_HTTP_ASK_H

#include <stddef.h>

struct http_answer {
    int status;       /* 0: the connection ended without an answer */
    char text[65536]; /* all of it, head and body */
    const char *body; /* in text; "" when there is none */
};

/* A connection to "HOST:PORT" or "[IPV6]:PORT", both numeric. The test fails when there can be none. */
int http_connect(const char *address);

/* Sends and reads until the other side closes, or `body` is as long as the head says. Waits for 20 s at most. */
void http_exchange(int fd, const char *request, struct http_answer *answer);

/* One request on a connection of its own. */
void http_ask(const char *address, const char *method, const char *path, struct http_answer *answer);

#endif
