/* One HTTP request at a time to one base URL: private to registry/, and the only file there that knows libcurl.
 *
 * Knows nothing of registries: an answer is a status and bytes. Connections are kept open between requests.
 * Threads: one at a time, except of_http_cancel, which any thread may call. Errors: OF_RETRY, there was no answer. */
#ifndef OF_REGISTRY_HTTP_H
#define OF_REGISTRY_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct of_http;

struct of_http_limits {
    int64_t connect_timeout_ms;
    int64_t timeout_ms; /* of a whole request */
    size_t answer_bytes;
};

struct of_http_answer {
    long status; /* HTTP's: 200, 404, ... */
    char *body;  /* not NUL-terminated; may be NULL when empty */
    size_t length;
};

/* url: http or https, may hold user:password, no query. OF_FATAL: it is not such a URL. Connects to nothing yet. */
OF_MUST_USE enum of_status of_http_open(const char *url, const struct of_http_limits *limits, struct of_http **out,
                                        struct of_error *err);

/* GETs base URL + path, or POSTs body (JSON) there when it is not NULL. On OF_OK the caller releases answer->body with
 * free(). Blocks for timeout_ms at most. */
OF_MUST_USE enum of_status of_http_exchange(struct of_http *http, const char *path, const char *body,
                                            struct of_http_answer *answer, struct of_error *err);

/* Ends a request under way within a second or so, and every later one at once. */
void of_http_cancel(struct of_http *http);

/* The base URL without credentials and without a slash at its end. Lives as long as http. */
const char *of_http_url(const struct of_http *http);

/* Clears the caller's pointer; NULL inside is fine. */
void of_http_close(struct of_http **http);

#endif
