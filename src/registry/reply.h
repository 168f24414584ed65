/* One answer of a registry under interpretation: private to registry/ and its tests.
 *
 * Everything in it comes from outside: it may be anything, and what of it goes into texts of ours is bounded and free of
 * control characters.
 * Owner: the caller's memory, take to release. Threads: one at a time. */
#ifndef OF_REGISTRY_REPLY_H
#define OF_REGISTRY_REPLY_H

#include <jansson.h>

#include "registry/client.h"
#include "registry/http.h"

enum { OF_REPLY_MESSAGE_BYTES = 500 };

struct of_reply {
    const char *url;  /* who answers, for texts; borrowed */
    long status;      /* HTTP's */
    int64_t wait_ms;  /* how long not to ask the same again; 0: the usual back-off */
    json_t *json;     /* the body, if it is a JSON object or array; otherwise NULL */
    json_int_t code;  /* error_code, or 0 */
    char message[OF_REPLY_MESSAGE_BYTES + 4]; /* what the registry says about it, with ": " in front; or "" */
};

void of_reply_take(struct of_reply *reply, const char *url, const struct of_http_answer *answer);
void of_reply_release(struct of_reply *reply);

/* What every status that is not special to a call means: DENIED or UNAVAILABLE, and why. */
enum of_registry_answer of_reply_say_status(struct of_reply *reply, struct of_error *err);

/* 200, but `what` is missing in it. UNAVAILABLE. */
enum of_registry_answer of_reply_say_garbage(const struct of_reply *reply, const char *what, struct of_error *err);

/* Other people's text, bounded and without control characters, in `out`. Returns out. */
const char *of_reply_clean(const char *text, char *out, size_t size);

#endif
