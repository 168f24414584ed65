/* An HTTP server that does what a test tells it: answers, errors, silence, garbage, too much.
 *
 * Listens on a free port of 127.0.0.1, takes one connection after the other and closes each after its request. Answers
 * are given in the order in which they were pushed; when there are none left, the last one again.
 * Threads: the stub has one of its own; any may call, also while requests run, except start and stop. */
#ifndef OF_TESTS_SUPPORT_HTTP_STUB_H
#define OF_TESTS_SUPPORT_HTTP_STUB_H

#include <stddef.h>
#include <stdint.h>

struct of_http_stub;

enum of_stub_act {
    OF_STUB_ANSWER,  /* status, headers and body */
    OF_STUB_CLOSE,   /* takes the request and closes */
    OF_STUB_GARBAGE, /* bytes that are no HTTP */
    OF_STUB_CUT,     /* promises more body than it sends, then closes */
};

struct of_stub_answer {
    enum of_stub_act act;
    int status;
    int delay_ms;        /* before anything is sent */
    const char *headers; /* NULL, or lines that end with "\r\n" */
    const char *body;    /* NULL: none */
    size_t body_bytes;   /* not 0: so many bytes of 'x' in place of body */
};

struct of_http_stub *of_http_stub_start(void);
void of_http_stub_stop(struct of_http_stub **stub);

/* "http://127.0.0.1:PORT" */
const char *of_http_stub_url(const struct of_http_stub *stub);

/* Copies the structure; its texts must live as long as the stub. */
void of_http_stub_push(struct of_http_stub *stub, const struct of_stub_answer *answer);

/* Forgets pushed answers and counted requests. */
void of_http_stub_reset(struct of_http_stub *stub);

/* Requests that have been read to their end. */
unsigned of_http_stub_requests(struct of_http_stub *stub);

/* The last request as it came: line, headers, body; cut at size - 1, with a NUL. Returns out. */
const char *of_http_stub_last(struct of_http_stub *stub, char *out, size_t size);

#endif
