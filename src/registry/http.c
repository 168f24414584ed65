#include "registry/http.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>

#include "core/assert.h"
#include "core/log.h"
#include "core/memory.h"
#include "registry/url.h"

#define MEDIA_TYPE "application/vnd.schemaregistry.v1+json"

enum { MAX_REDIRECTS = 3, TOKEN_BYTES = 16 << 10 };

struct of_http {
    CURL *curl;
    struct curl_slist *get_headers;
    struct curl_slist *post_headers;
    char *url; /* without credentials */
    struct of_http_limits limits;
    char *token_file; /* NULL: none */
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
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)http->limits.answer_bytes);
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

/* ---- who we are ---- */

/* The token in the file, without white space around it. False: it cannot be read, or holds none. */
static bool
read_token(const char *path, char token[TOKEN_BYTES])
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(token, 1, TOKEN_BYTES - 1, file);
    bool whole = feof(file) != 0;
    fclose(file);
    while (length > 0 && isspace((unsigned char)token[length - 1]))
        length--;
    token[length] = '\0';
    size_t start = strspn(token, " \t\r\n");
    memmove(token, token + start, length - start + 1);
    return whole && token[0] != '\0' && strpbrk(token, "\r\n") == NULL;
}

static void
set_token(struct of_http *http, const char *token)
{
    curl_easy_setopt(http->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    curl_easy_setopt(http->curl, CURLOPT_XOAUTH2_BEARER, token);
}

/* The one that was read before stays in use while there is no other. */
static void
renew_token(struct of_http *http)
{
    char token[TOKEN_BYTES];
    if (http->token_file == NULL)
        return;
    if (read_token(http->token_file, token))
        set_token(http, token);
    else
        of_log_limited(OF_LOG_WARNING, "registry", "%s holds no token; the one before stays in use", http->token_file);
    explicit_bzero(token, sizeof token);
}

static enum of_status
check_file(const char *path, const char *what, struct of_error *err)
{
    if (path == NULL || access(path, R_OK) == 0)
        return OF_OK;
    return of_error_set(err, OF_FATAL, "cannot read %s, the registry's %s: %s", path, what, strerrordesc_np(errno));
}

static enum of_status
take_certificates(struct of_http *http, const struct of_http_identity *identity, struct of_error *err)
{
    enum of_status status = check_file(identity->ca_file, "certificate authorities", err);
    if (status == OF_OK)
        status = check_file(identity->cert_file, "client certificate", err);
    if (status == OF_OK)
        status = check_file(identity->key_file, "client key", err);
    if (status != OF_OK)
        return status;
    if (identity->ca_file != NULL)
        curl_easy_setopt(http->curl, CURLOPT_CAINFO, identity->ca_file);
    if (identity->cert_file != NULL)
        curl_easy_setopt(http->curl, CURLOPT_SSLCERT, identity->cert_file);
    if (identity->key_file != NULL)
        curl_easy_setopt(http->curl, CURLOPT_SSLKEY, identity->key_file);
    return OF_OK;
}

/* Before the URL is taken, whose user wins. */
static enum of_status
take_identity(struct of_http *http, const struct of_http_identity *identity, struct of_error *err)
{
    char token[TOKEN_BYTES];
    if (identity->token_file != NULL) {
        if (!read_token(identity->token_file, token))
            return of_error_set(err, OF_FATAL, "cannot read a token for the registry in %s", identity->token_file);
        explicit_bzero(token, sizeof token);
        http->token_file = of_strdup(identity->token_file);
    } else if (identity->token != NULL) {
        set_token(http, identity->token);
    } else if (identity->user != NULL) {
        curl_easy_setopt(http->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(http->curl, CURLOPT_USERNAME, identity->user);
        curl_easy_setopt(http->curl, CURLOPT_PASSWORD, identity->password != NULL ? identity->password : "");
    }
    return take_certificates(http, identity, err);
}

/* ---- the URL ---- */

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
    if (has_part(parts, CURLUPART_USER)) {
        free(http->token_file);
        http->token_file = NULL;
        curl_easy_setopt(http->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(http->curl, CURLOPT_XOAUTH2_BEARER, NULL);
    }
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
of_http_open(const char *url, const struct of_http_limits *limits, const struct of_http_identity *identity,
             struct of_http **out, struct of_error *err)
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
    enum of_status status = take_identity(http, identity, err);
    if (status == OF_OK)
        status = take_url(http, parts, url, err);
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
    if (http->too_large || code == CURLE_FILESIZE_EXCEEDED)
        return of_error_set(err, OF_RETRY, "the schema registry at %s sends more than %zu bytes; set --registry", url,
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
    case CURLE_PEER_FAILED_VERIFICATION:
        return of_error_set(err, OF_RETRY,
                            "the certificate of the schema registry at %s is not trusted (%s); set --registry-ca", url,
                            reason(http, code, text, sizeof text));
    case CURLE_SSL_CERTPROBLEM:
        return of_error_set(err, OF_RETRY,
                            "the certificate for the schema registry at %s cannot be used (%s); set --registry-cert "
                            "and --registry-key",
                            url, reason(http, code, text, sizeof text));
    default:
        return of_error_set(err, OF_RETRY,
                            "cannot reach the schema registry at %s: %s; is it running? set --registry", url,
                            reason(http, code, text, sizeof text));
    }
}

/* libcurl shows headers from 7.84 on. */
static int64_t
date_of(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075400
    struct curl_header *header;
    if (curl_easy_header(curl, "Date", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
        time_t date = curl_getdate(header->value, NULL);
        return date > 0 ? (int64_t)date * 1000 : 0;
    }
#else
    (void)curl;
#endif
    return 0;
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
    renew_token(http);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, body != NULL ? http->post_headers : http->get_headers);
    CURLcode code = ask_cancelled(http, 0, 0, 0, 0) ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(http->curl);
    free(url);
    if (code == CURLE_OK) {
        curl_off_t seconds = 0;
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer->status);
        curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &seconds);
        answer->date_ms = date_of(http->curl);
        answer->retry_after_ms = seconds < INT32_MAX ? (int64_t)seconds * 1000 : INT32_MAX;
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
    free(h->token_file);
    free(h);
}
