#include "registry/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/memory.h"
#include "registry/http.h"
#include "registry/mock.h"
#include "registry/url.h"

enum { URLS_MAX = 16, MESSAGE_BYTES = 200 };

/* One base URL: a server, or a registry inside the process. */
struct endpoint {
    struct of_http *http; /* NULL: mock */
    const char *url;      /* without credentials */
    char *mock_url;
};

struct of_registry_client {
    struct endpoint endpoints[URLS_MAX];
    size_t count;
    size_t current; /* the one that answered last */
};

static const char mock_scheme[] = "mock://";

static enum of_status
open_endpoint(struct of_registry_client *client, const struct of_registry_options *options, char *url,
              struct of_error *err)
{
    if (client->count == URLS_MAX)
        return of_error_set(err, OF_FATAL, "more than %d registry URLs; set fewer with --registry", URLS_MAX);
    struct endpoint *endpoint = &client->endpoints[client->count];
    if (strncmp(url, mock_scheme, sizeof mock_scheme - 1) == 0) {
        endpoint->mock_url = of_strdup(url);
        endpoint->url = endpoint->mock_url;
    } else {
        struct of_http_limits limits = {
            .connect_timeout_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms : 3000,
            .timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : 10000,
            .answer_bytes = options->answer_bytes > 0 ? options->answer_bytes : (size_t)4 << 20,
        };
        enum of_status status = of_http_open(url, &limits, &endpoint->http, err);
        if (status != OF_OK)
            return status;
        endpoint->url = of_http_url(endpoint->http);
    }
    client->count++;
    return OF_OK;
}

enum of_status
of_registry_client_open(const struct of_registry_options *options, struct of_registry_client **out,
                        struct of_error *err)
{
    struct of_registry_client *client = of_alloc(sizeof *client);
    enum of_status status = OF_OK;
    const char *rest = options->urls;
    for (char *url; status == OF_OK && (url = of_registry_url_next(&rest)) != NULL; free(url))
        status = open_endpoint(client, options, url, err);
    if (status == OF_OK && client->count == 0)
        status = of_error_set(err, OF_FATAL, "no registry URL is given; set --registry");
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
    free(c);
}

void
of_registry_client_cancel(struct of_registry_client *client)
{
    for (size_t i = 0; i < client->count; i++)
        if (client->endpoints[i].http != NULL)
            of_http_cancel(client->endpoints[i].http);
}

/* ---- what an answer means ---- */

/* An answer under interpretation. */
struct reply {
    const char *url;
    long status;
    json_t *json;   /* NULL: the body is no JSON object */
    json_int_t code; /* error_code, or 0 */
    char message[MESSAGE_BYTES + 4]; /* what the registry says about it, with ": " in front, or "" */
};

/* Other people's text in a line of ours: bounded, without control characters, cut between characters. */
static void
take_message(struct reply *reply)
{
    const char *text = json_string_value(json_object_get(reply->json, "message"));
    if (text == NULL || text[0] == '\0')
        return;
    size_t length = strlen(text);
    if (length > MESSAGE_BYTES)
        for (length = MESSAGE_BYTES; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80; length--)
            ;
    snprintf(reply->message, sizeof reply->message, ": %.*s", (int)length, text);
    for (char *p = reply->message; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
}

static void
take_reply(struct reply *reply, const char *url, const struct of_http_answer *answer)
{
    *reply = (struct reply) { .url = url, .status = answer->status };
    reply->json = answer->length > 0 ? json_loadb(answer->body, answer->length, 0, NULL) : NULL;
    if (!json_is_object(reply->json)) {
        json_decref(reply->json);
        reply->json = NULL;
    }
    reply->code = json_integer_value(json_object_get(reply->json, "error_code"));
    take_message(reply);
}

static enum of_registry_answer
say_garbage(const struct reply *reply, const char *what, struct of_error *err)
{
    of_error_set(err, OF_RETRY, "%s does not answer like a schema registry (%s); set --registry", reply->url, what);
    return OF_REGISTRY_UNAVAILABLE;
}

/* What every status that is not special to the call means. */
static enum of_registry_answer
say_status(const struct reply *reply, struct of_error *err)
{
    if (reply->status == 401 || reply->status == 403) {
        of_error_set(err, OF_RETRY,
                     "the schema registry at %s refuses access (%ld)%s; "
                     "set --registry http://USER:PASSWORD@HOST:PORT, or its rights there",
                     reply->url, reply->status, reply->message);
        return OF_REGISTRY_DENIED;
    }
    if (reply->status == 404) /* the remedy before the registry's own text, which may be cut */
        of_error_set(err, OF_RETRY,
                     "%s answers 404, but not as a schema registry does; "
                     "set --registry with the base path, such as /apis/ccompat/v7%s",
                     reply->url, reply->message);
    else
        of_error_set(err, OF_RETRY, "the schema registry at %s answers %ld%s", reply->url, reply->status,
                     reply->message);
    return OF_REGISTRY_UNAVAILABLE;
}

static enum of_registry_answer
judge_schema(const struct reply *reply, uint32_t id, char **schema_json, struct of_error *err)
{
    /* Ids that a signed 32-bit number cannot hold are no ids to some registries, which then say only 404. */
    if (reply->status == 404 && (reply->code / 100 == 404 || id > INT32_MAX)) {
        of_error_set(err, OF_POISON, "the schema registry at %s has no schema with id %" PRIu32, reply->url, id);
        return OF_REGISTRY_NOT_FOUND;
    }
    if (reply->status != 200)
        return say_status(reply, err);
    const char *text = json_string_value(json_object_get(reply->json, "schema"));
    if (text == NULL)
        return say_garbage(reply, "no JSON with a schema", err);
    const char *type = json_string_value(json_object_get(reply->json, "schemaType"));
    if (type != NULL && strcmp(type, "AVRO") != 0) {
        of_error_set(err, OF_POISON, "the schema with id %" PRIu32 " is of type %.32s; only AVRO can be read", id,
                     type);
        return OF_REGISTRY_UNUSABLE;
    }
    if (json_array_size(json_object_get(reply->json, "references")) > 0) {
        of_error_set(err, OF_POISON, "the schema with id %" PRIu32 " refers to other schemas, which cannot be read",
                     id);
        return OF_REGISTRY_UNUSABLE;
    }
    *schema_json = of_strdup(text);
    return OF_REGISTRY_FOUND;
}

static enum of_registry_answer
judge_registration(const struct reply *reply, const char *subject, uint32_t *id, struct of_error *err)
{
    if (reply->status == 409 || reply->status == 413 || reply->status == 422) {
        of_error_set(err, OF_POISON, "the schema registry at %s refuses the schema for subject %s (%ld%s)%s",
                     reply->url, subject, reply->status, reply->status == 409 ? ", incompatible" : "", reply->message);
        return OF_REGISTRY_UNUSABLE;
    }
    if (reply->status != 200 && reply->status != 201)
        return say_status(reply, err);
    json_t *number = json_object_get(reply->json, "id");
    if (!json_is_integer(number) || json_integer_value(number) < 0 || json_integer_value(number) > UINT32_MAX)
        return say_garbage(reply, "no JSON with an id", err);
    *id = (uint32_t)json_integer_value(number);
    return OF_REGISTRY_FOUND;
}

/* ---- calls ---- */

struct call {
    const char *path;
    const char *body; /* NULL: the schema is asked for by id */
    const char *subject;
    uint32_t id;
    char *schema_json;
};

static enum of_registry_answer
ask_one(const struct endpoint *endpoint, struct call *call, struct of_error *err)
{
    struct of_http_answer answer;
    enum of_status status = endpoint->http != NULL
                                ? of_http_exchange(endpoint->http, call->path, call->body, &answer, err)
                                : of_registry_mock_exchange(endpoint->mock_url + sizeof mock_scheme - 1, call->path,
                                                            call->body, &answer, err);
    if (status != OF_OK)
        return OF_REGISTRY_UNAVAILABLE;
    struct reply reply;
    take_reply(&reply, endpoint->url, &answer);
    enum of_registry_answer result = call->body != NULL ? judge_registration(&reply, call->subject, &call->id, err)
                                                        : judge_schema(&reply, call->id, &call->schema_json, err);
    json_decref(reply.json);
    free(answer.body);
    return result;
}

/* Begins with the endpoint that answered last, and goes on to the next while one is unavailable. */
static enum of_registry_answer
ask(struct of_registry_client *client, struct call *call, struct of_error *err)
{
    enum of_registry_answer answer = OF_REGISTRY_UNAVAILABLE;
    for (size_t i = 0; i < client->count && answer == OF_REGISTRY_UNAVAILABLE; i++) {
        size_t index = (client->current + i) % client->count;
        answer = ask_one(&client->endpoints[index], call, err);
        if (answer != OF_REGISTRY_UNAVAILABLE)
            client->current = index;
    }
    return answer;
}

enum of_registry_answer
of_registry_get_schema(struct of_registry_client *client, uint32_t id, char **schema_json, struct of_error *err)
{
    char path[64];
    snprintf(path, sizeof path, "/schemas/ids/%" PRIu32, id);
    struct call call = { .path = path, .id = id };
    enum of_registry_answer answer = ask(client, &call, err);
    *schema_json = call.schema_json;
    return answer;
}

/* "/subjects/a%2Fb/versions" */
static char *
versions_path(const char *subject)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t size = 3 * strlen(subject) + sizeof "/subjects//versions";
    char *path = of_alloc(size);
    char *to = stpcpy(path, "/subjects/");
    for (const char *p = subject; *p != '\0'; p++) {
        if (strchr(plain, *p) != NULL) {
            *to++ = *p;
        } else {
            *to++ = '%';
            *to++ = digits[(unsigned char)*p >> 4];
            *to++ = digits[(unsigned char)*p & 15];
        }
    }
    strcpy(to, "/versions");
    return path;
}

enum of_registry_answer
of_registry_register(struct of_registry_client *client, const char *subject, const char *schema_json, uint32_t *id,
                     struct of_error *err)
{
    json_t *request = json_pack("{s:s}", "schema", schema_json);
    char *body = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (body == NULL) {
        of_error_set(err, OF_POISON, "the schema for subject %s is not valid UTF-8", subject);
        return OF_REGISTRY_UNUSABLE;
    }
    char *path = versions_path(subject);
    struct call call = { .path = path, .body = body, .subject = subject };
    enum of_registry_answer answer = ask(client, &call, err);
    *id = call.id;
    free(path);
    free(body);
    return answer;
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
