#include "registry/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "registry/call.h"
#include "registry/http.h"
#include "registry/mock.h"
#include "registry/url.h"

enum { URLS_MAX = 16, NO_GUIDS_S = 60 };

/* One base URL: a server, or a registry inside the process. */
struct endpoint {
    struct of_http *http; /* NULL: mock */
    const char *url;      /* without credentials */
    char *mock_url;
};

struct of_registry_client {
    struct endpoint endpoints[URLS_MAX];
    size_t count;
    size_t current;  /* the one that answered last */
    char *urls;      /* as given, without credentials */
    int64_t wait_ms; /* of the last call */
    int64_t date_ms; /* what the last answer says; -1: nothing */
    int64_t no_guids_until_ns;
};

static const char mock_scheme[] = "mock://";

/* ---- life ---- */

static enum of_status
open_server(struct endpoint *endpoint, const struct of_registry_options *options, const char *url,
            struct of_error *err)
{
    const struct of_http_limits limits = {
        .connect_timeout_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms : 3000,
        .timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : 10000,
        .answer_bytes = options->answer_bytes > 0 ? options->answer_bytes : (size_t)4 << 20,
    };
    const struct of_http_identity identity = {
        .user = options->user,
        .password = options->password,
        .token = options->token,
        .token_file = options->token_file,
        .ca_file = options->ca_file,
        .cert_file = options->cert_file,
        .key_file = options->key_file,
    };
    enum of_status status = of_http_open(url, &limits, &identity, &endpoint->http, err);
    if (status == OF_OK)
        endpoint->url = of_http_url(endpoint->http);
    return status;
}

static enum of_status
open_endpoint(struct of_registry_client *client, const struct of_registry_options *options, char *url,
              struct of_error *err)
{
    if (client->count == URLS_MAX)
        return of_error_set(err, OF_FATAL, "more than %d registry URLs; set fewer with --registry", URLS_MAX);
    struct endpoint *endpoint = &client->endpoints[client->count];
    enum of_status status = OF_OK;
    if (strncmp(url, mock_scheme, sizeof mock_scheme - 1) == 0) {
        endpoint->mock_url = of_strdup(url);
        endpoint->url = endpoint->mock_url;
    } else {
        status = open_server(endpoint, options, url, err);
    }
    client->count += status == OF_OK;
    return status;
}

enum of_status
of_registry_client_open(const struct of_registry_options *options, struct of_registry_client **out,
                        struct of_error *err)
{
    struct of_registry_client *client = of_alloc(sizeof *client);
    client->date_ms = -1;
    enum of_status status = OF_OK;
    const char *rest = options->urls;
    for (char *url; status == OF_OK && (url = of_registry_url_next(&rest)) != NULL; free(url))
        status = open_endpoint(client, options, url, err);
    if (status == OF_OK && client->count == 0)
        status = of_error_set(err, OF_FATAL, "no registry URL is given; set --registry");
    client->urls = of_alloc(strlen(options->urls) + 1);
    of_registry_url_print(options->urls, client->urls, strlen(options->urls) + 1);
    if (status != OF_OK)
        of_registry_client_close(&client);
    *out = client;
    return status;
}

void
of_registry_client_close(struct of_registry_client **client)
{
    struct of_registry_client *c = *client;
    *client = NULL;
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++) {
        of_http_close(&c->endpoints[i].http);
        free(c->endpoints[i].mock_url);
    }
    free(c->urls);
    free(c);
}

void
of_registry_client_cancel(struct of_registry_client *client)
{
    for (size_t i = 0; i < client->count; i++)
        if (client->endpoints[i].http != NULL)
            of_http_cancel(client->endpoints[i].http);
}

const char *
of_registry_client_urls(const struct of_registry_client *client)
{
    return client->urls;
}

int64_t
of_registry_client_date_ms(const struct of_registry_client *client)
{
    return client->date_ms;
}

int64_t
of_registry_client_wait_ms(const struct of_registry_client *client)
{
    return client->wait_ms;
}

bool
of_registry_client_knows_no_guids(const struct of_registry_client *client)
{
    return client->no_guids_until_ns != 0 && of_clock_mono_ns(of_clock_system()) < client->no_guids_until_ns;
}

void
of_registry_note_no_guids(struct of_registry_client *client)
{
    client->no_guids_until_ns = of_clock_mono_ns(of_clock_system()) + NO_GUIDS_S * OF_SECOND_NS;
}

/* ---- calls ---- */

static enum of_registry_answer
ask_one(struct of_registry_client *client, const struct endpoint *endpoint, const struct of_registry_call *call,
        struct of_error *err)
{
    struct of_http_answer answer = { 0 };
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    enum of_status status = endpoint->http != NULL
                                ? of_http_exchange(endpoint->http, call->path, call->body, &answer, err)
                                : of_registry_mock_exchange(endpoint->mock_url + sizeof mock_scheme - 1, call->path,
                                                            call->body, &answer, err);
    client->wait_ms = 0;
    of_log_debug("registry", "%s %s%s: %s after %lld ms", call->body != NULL ? "POST" : "GET", endpoint->url, call->path,
                 status == OF_OK ? "answered" : err != NULL ? err->text : "no answer",
                 (long long)((of_clock_mono_ns(of_clock_system()) - began_ns) / OF_MS_NS));
    client->date_ms = status == OF_OK && answer.date_ms > 0 ? answer.date_ms : -1;
    if (status != OF_OK)
        return OF_REGISTRY_UNAVAILABLE;
    struct of_reply reply;
    of_reply_take(&reply, endpoint->url, &answer);
    enum of_registry_answer result = call->judge(&reply, call->ctx, err);
    client->wait_ms = reply.wait_ms;
    of_reply_release(&reply);
    free(answer.body);
    return result;
}

enum of_registry_answer
of_registry_ask(struct of_registry_client *client, const struct of_registry_call *call, struct of_error *err)
{
    enum of_registry_answer answer = OF_REGISTRY_UNAVAILABLE;
    int64_t wait_ms = INT64_MAX; /* the shortest: somebody may be asked again then */
    for (size_t i = 0; i < client->count && answer == OF_REGISTRY_UNAVAILABLE; i++) {
        size_t index = (client->current + i) % client->count;
        answer = ask_one(client, &client->endpoints[index], call, err);
        if (answer != OF_REGISTRY_UNAVAILABLE && client->current != index) {
            client->current = index;
            client->no_guids_until_ns = 0;
        }
        if (answer != OF_REGISTRY_UNAVAILABLE || client->wait_ms < wait_ms)
            wait_ms = client->wait_ms;
    }
    client->wait_ms = wait_ms;
    return answer;
}

char *
of_registry_subject_path(const char *before, const char *subject, const char *behind)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char *path = of_alloc(strlen(before) + 3 * strlen(subject) + strlen(behind) + 1);
    char *to = stpcpy(path, before);
    for (const char *p = subject; *p != '\0'; p++) {
        if (strchr(plain, *p) != NULL) {
            *to++ = *p;
        } else {
            *to++ = '%';
            *to++ = digits[(unsigned char)*p >> 4];
            *to++ = digits[(unsigned char)*p & 15];
        }
    }
    strcpy(to, behind);
    return path;
}

const char *
of_registry_answer_name(enum of_registry_answer answer)
{
    switch (answer) {
    case OF_REGISTRY_FOUND: return "found";
    case OF_REGISTRY_NOT_FOUND: return "not_found";
    case OF_REGISTRY_UNUSABLE: return "unusable";
    case OF_REGISTRY_DENIED: return "denied";
    case OF_REGISTRY_UNAVAILABLE: return "unavailable";
    }
    return "unknown";
}
