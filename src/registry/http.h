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

/* Who we are, and whom we trust; NULL in any of them: nothing special. Copied, but token_file is read again for every
 * request, as tokens are renewed. What the URL says about the user comes first, then the token, then user and password.
 * None of it is sent to another host when an answer redirects there. */
struct of_http_identity {
    const char *user, *password;          /* Basic */
    const char *token, *token_file;       /* Bearer; the file wins while it can be read */
    const char *ca_file;                  /* PEM: trusted in place of the system's authorities */
    const char *cert_file, *key_file;     /* PEM: the client's own certificate */
};

struct of_http_answer {
    long status; /* HTTP's: 200, 404, ... */
    int64_t retry_after_ms; /* what the header of that name asks for; 0: nothing */
    int64_t date_ms; /* of the header Date, since 1970; 0: there is none */
    char *body;  /* not NUL-terminated; may be NULL when empty */
    size_t length;
};

/* url: http or https, may hold user:password, no query. OF_FATAL: it is not such a URL, or a file that the identity
 * names cannot be read. Connects to nothing yet. */
OF_MUST_USE enum of_status of_http_open(const char *url, const struct of_http_limits *limits,
                                        const struct of_http_identity *identity, struct of_http **out,
                                        struct of_error *err);

/* GETs base URL + path, or POSTs body (JSON) there when it is not NULL. On OF_OK the caller releases answer->body with
 * free(). Follows a few redirects, to http and https only. Blocks for timeout_ms at most. */
OF_MUST_USE enum of_status of_http_exchange(struct of_http *http, const char *path, const char *body,
                                            struct of_http_answer *answer, struct of_error *err);

/* Ends a request under way within a second or so, and every later one at once. */
void of_http_cancel(struct of_http *http);

/* The base URL without credentials and without a slash at its end. Lives as long as http. */
const char *of_http_url(const struct of_http *http);

/* Clears the caller's pointer; NULL inside is fine. */
void of_http_close(struct of_http **http);

#endif
