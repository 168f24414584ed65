#include "registry/http.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "core/assert.h"
#include "core/memory.h"
#include "registry/url.h"

#define MEDIA_TYPE "application/vnd.schemaregistry.v1+json"

enum { MAX_REDIRECTS = 3 };

struct of_http {
    CURL *curl;
    struct curl_slist *get_headers;
    struct curl_slist *post_headers;
    char *url; /* without credentials */
    struct of_http_limits limits;
    atomic_bool cancelled;
    struct of_http_answer *answer; /* of the request under way */
    bool too_large;
    char error[CURL_ERROR_SIZE];
};

static void
init_curl(void)
{
    OF_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static size_t
take_body(char *bytes, size_t one, size_t length, void *ctx)
{
    (void)one;
    struct of_http *http = ctx;
    struct of_http_answer *answer = http->answer;
    if (length > http->limits.answer_bytes - answer->length) {
        http->too_large = true;
        return 0;
    }
    answer->body = of_realloc_array(answer->body, answer->length + length, 1);
    memcpy(answer->body + answer->length, bytes, length);
    answer->length += length;
    return length;
}

static int
ask_cancelled(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    struct of_http *http = ctx;
    return atomic_load_explicit(&http->cancelled, memory_order_relaxed);
}

static void
set_options(struct of_http *http)
{
    CURL *curl = http->curl;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)http->limits.connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)http->limits.timeout_ms);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "orderflow/" ORDERFLOW_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, ask_cancelled);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->error);
}

/* Moves one part of the URL, decoded, into an option of the connection, and out of the URL. */
static void
take_credential(CURLU *parts, CURLUPart part, CURL *curl, CURLoption option)
{
    char *text = NULL;
    if (curl_url_get(parts, part, &text, CURLU_URLDECODE) == CURLUE_OK)
        curl_easy_setopt(curl, option, text);
    curl_free(text);
    curl_url_set(parts, part, NULL, 0);
}

static bool
has_part(CURLU *parts, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(parts, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static enum of_status
take_url(struct of_http *http, CURLU *parts, const char *url, struct of_error *err)
{
    char shown[256];
    of_registry_url_print(url, shown, sizeof shown);
    bool http_scheme = strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
    if (!http_scheme || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK)
        return of_error_set(err, OF_FATAL, "\"%s\" is not a registry URL; one looks like http://localhost:8081", shown);
    if (has_part(parts, CURLUPART_QUERY) || has_part(parts, CURLUPART_FRAGMENT))
        return of_error_set(err, OF_FATAL, "the registry URL %s must not have a ? or # part", shown);
    take_credential(parts, CURLUPART_USER, http->curl, CURLOPT_USERNAME);
    take_credential(parts, CURLUPART_PASSWORD, http->curl, CURLOPT_PASSWORD);
    char *clean = NULL;
    OF_ASSERT(curl_url_get(parts, CURLUPART_URL, &clean, 0) == CURLUE_OK);
    const char *rest = clean;
    http->url = of_registry_url_next(&rest);
    curl_free(clean);
    return OF_OK;
}

enum of_status
of_http_open(const char *url, const struct of_http_limits *limits, struct of_http **out, struct of_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    struct of_http *http = of_alloc(sizeof *http);
    http->limits = *limits;
    http->curl = curl_easy_init();
    OF_ASSERT(http->curl != NULL);
    set_options(http);
    http->get_headers = curl_slist_append(NULL, "Accept: " MEDIA_TYPE ", application/json");
    http->post_headers = curl_slist_append(NULL, "Accept: " MEDIA_TYPE ", application/json");
    http->post_headers = curl_slist_append(http->post_headers, "Content-Type: " MEDIA_TYPE);
    http->post_headers = curl_slist_append(http->post_headers, "Expect:");
    OF_ASSERT(http->get_headers != NULL && http->post_headers != NULL);
    CURLU *parts = curl_url();
    enum of_status status = take_url(http, parts, url, err);
    curl_url_cleanup(parts);
    if (status != OF_OK)
        of_http_close(&http);
    *out = http;
    return status;
}

/* "connection refused": what the system says about a connection that failed, or else what libcurl says. */
static const char *
reason(const struct of_http *http, CURLcode code, char *text, size_t size)
{
    long number = 0;
    curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &number);
    if (code == CURLE_COULDNT_CONNECT && number != 0) {
        char system[128];
        snprintf(text, size, "%s", strerror_r((int)number, system, sizeof system));
        text[0] = (char)tolower((unsigned char)text[0]);
    } else {
        snprintf(text, size, "%s", http->error[0] != '\0' ? http->error : curl_easy_strerror(code));
    }
    return text;
}

static enum of_status
explain(const struct of_http *http, CURLcode code, struct of_error *err)
{
    char text[CURL_ERROR_SIZE];
    const char *url = http->url;
    if (http->too_large)
        return of_error_set(err, OF_RETRY, "the schema registry at %s sent more than %zu bytes; set --registry", url,
                            http->limits.answer_bytes);
    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        return of_error_set(err, OF_RETRY, "the request to the schema registry at %s was given up, as this stops", url);
    case CURLE_OPERATION_TIMEDOUT:
        return of_error_set(err, OF_RETRY, "the schema registry at %s does not answer in time (%s); is it running?",
                            url, reason(http, code, text, sizeof text));
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return of_error_set(err, OF_RETRY, "what answers at %s is no schema registry (%s); set --registry", url,
                            reason(http, code, text, sizeof text));
    default:
        return of_error_set(err, OF_RETRY,
                            "cannot reach the schema registry at %s: %s; is it running? set --registry", url,
                            reason(http, code, text, sizeof text));
    }
}

enum of_status
of_http_exchange(struct of_http *http, const char *path, const char *body, struct of_http_answer *answer,
                 struct of_error *err)
{
    *answer = (struct of_http_answer) { 0 };
    http->answer = answer;
    http->too_large = false;
    http->error[0] = '\0';
    size_t size = strlen(http->url) + strlen(path) + 1;
    char *url = of_alloc(size);
    snprintf(url, size, "%s%s", http->url, path);
    curl_easy_setopt(http->curl, CURLOPT_URL, url);
    if (body != NULL) {
        curl_easy_setopt(http->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE, -1L);
    } else {
        curl_easy_setopt(http->curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, body != NULL ? http->post_headers : http->get_headers);
    CURLcode code = ask_cancelled(http, 0, 0, 0, 0) ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(http->curl);
    free(url);
    if (code == CURLE_OK) {
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer->status);
        return OF_OK;
    }
    free(answer->body);
    *answer = (struct of_http_answer) { 0 };
    return explain(http, code, err);
}

void
of_http_cancel(struct of_http *http)
{
    atomic_store_explicit(&http->cancelled, true, memory_order_relaxed);
}

const char *
of_http_url(const struct of_http *http)
{
    return http->url;
}

void
of_http_close(struct of_http **http)
{
    struct of_http *h = *http;
    *http = NULL;
    if (h == NULL)
        return;
    curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->get_headers);
    curl_slist_free_all(h->post_headers);
    free(h->url);
    free(h);
}
