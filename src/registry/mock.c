#include "registry/mock.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/memory.h"

struct schema {
    char *text;      /* as it was posted first */
    char *canonical; /* what makes it the same as another */
};

struct registry {
    struct registry *next;
    char *name;
    struct schema *schemas; /* element i has the id i + 1 */
    uint32_t count;
    uint64_t requests;
    long injected_status;
    char *injected_body;
    int injected_count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over all registries and what is in them */
static struct registry *registries;

static struct registry *
find_registry(const char *name)
{
    for (struct registry *r = registries; r != NULL; r = r->next)
        if (strcmp(r->name, name) == 0)
            return r;
    struct registry *r = of_alloc(sizeof *r);
    r->name = of_strdup(name);
    r->next = registries;
    registries = r;
    return r;
}

static uint32_t
add_schema(struct registry *registry, const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    char *canonical = json != NULL ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(json);
    if (canonical == NULL)
        return 0;
    for (uint32_t i = 0; i < registry->count; i++) {
        if (strcmp(registry->schemas[i].canonical, canonical) == 0) {
            free(canonical);
            return i + 1;
        }
    }
    registry->schemas = of_realloc_array(registry->schemas, registry->count + 1, sizeof *registry->schemas);
    registry->schemas[registry->count] = (struct schema) { of_strdup(text), canonical };
    return ++registry->count;
}

static void
answer_json(struct of_http_answer *answer, long status, json_t *json)
{
    answer->status = status;
    answer->body = json_dumps(json, JSON_COMPACT);
    answer->length = answer->body != NULL ? strlen(answer->body) : 0;
    json_decref(json);
}

static void
answer_error(struct of_http_answer *answer, long status, int code, const char *message)
{
    answer_json(answer, status, json_pack("{s:i,s:s}", "error_code", code, "message", message));
}

struct of_schema_key
of_registry_mock_guid(uint32_t id)
{
    return (struct of_schema_key) { .high = UINT64_C(0x6d6f636b00004000), .low = UINT64_C(1) << 63 | id,
                                    .is_guid = true };
}

static bool
read_guid(const struct registry *registry, const char *path, uint32_t *id)
{
    static const char before[] = "/schemas/guids/";
    char text[OF_SCHEMA_KEY_TEXT_BYTES];
    if (strncmp(path, before, sizeof before - 1) != 0)
        return false;
    for (*id = registry->count; *id > 0; --*id)
        if (strcmp(path + sizeof before - 1, of_schema_key_print(of_registry_mock_guid(*id), text)) == 0)
            break;
    return true;
}

static void
answer_get(const struct registry *registry, const char *path, struct of_http_answer *answer)
{
    uint32_t id;
    int end = 0;
    bool by_id = sscanf(path, "/schemas/ids/%" SCNu32 "%n", &id, &end) == 1 && path[end] == '\0';
    if (strcmp(path, "/schemas/types") == 0)
        answer_json(answer, 200, json_pack("[s]", "AVRO"));
    else if (!by_id && !read_guid(registry, path, &id))
        answer_error(answer, 404, 0, "no such path");
    else if (id == 0 || id > registry->count)
        answer_error(answer, 404, 40403, "Schema not found");
    else
        answer_json(answer, 200, json_pack("{s:s}", "schema", registry->schemas[id - 1].text));
}

static void
answer_post(struct registry *registry, const char *path, const char *body, struct of_http_answer *answer)
{
    static const char before[] = "/subjects/", behind[] = "/versions";
    size_t length = strlen(path);
    bool known = strncmp(path, before, sizeof before - 1) == 0 && length > sizeof before + sizeof behind - 2 &&
                 strcmp(path + length - (sizeof behind - 1), behind) == 0;
    json_t *json = json_loads(body, 0, NULL);
    const char *schema = json_string_value(json_object_get(json, "schema"));
    uint32_t id = known && schema != NULL ? add_schema(registry, schema) : 0;
    if (!known)
        answer_error(answer, 404, 0, "no such path");
    else if (id == 0)
        answer_error(answer, 422, 42201, "Invalid schema");
    else
        answer_json(answer, 200, json_pack("{s:I}", "id", (json_int_t)id));
    json_decref(json);
}

static enum of_status
answer_injected(struct registry *registry, struct of_http_answer *answer, struct of_error *err)
{
    if (registry->injected_count > 0)
        registry->injected_count--;
    if (registry->injected_status == OF_MOCK_SILENT)
        return of_error_set(err, OF_RETRY, "cannot reach the schema registry at mock://%s: connection refused",
                            registry->name);
    answer->status = registry->injected_status;
    if (registry->injected_body != NULL) {
        answer->body = of_strdup(registry->injected_body);
        answer->length = strlen(answer->body);
    }
    return OF_OK;
}

enum of_status
of_registry_mock_exchange(const char *name, const char *path, const char *body, struct of_http_answer *answer,
                          struct of_error *err)
{
    *answer = (struct of_http_answer) { 0 };
    enum of_status status = OF_OK;
    pthread_mutex_lock(&lock);
    struct registry *registry = find_registry(name);
    registry->requests++;
    if (registry->injected_count != 0)
        status = answer_injected(registry, answer, err);
    else if (body == NULL)
        answer_get(registry, path, answer);
    else
        answer_post(registry, path, body, answer);
    pthread_mutex_unlock(&lock);
    return status;
}

uint32_t
of_registry_mock_register(const char *name, const char *schema_json)
{
    pthread_mutex_lock(&lock);
    uint32_t id = add_schema(find_registry(name), schema_json);
    pthread_mutex_unlock(&lock);
    return id;
}

void
of_registry_mock_inject(const char *name, long status, const char *body, int count)
{
    pthread_mutex_lock(&lock);
    struct registry *registry = find_registry(name);
    free(registry->injected_body);
    registry->injected_body = body != NULL ? of_strdup(body) : NULL;
    registry->injected_status = status;
    registry->injected_count = count;
    pthread_mutex_unlock(&lock);
}

uint64_t
of_registry_mock_requests(const char *name)
{
    pthread_mutex_lock(&lock);
    uint64_t requests = find_registry(name)->requests;
    pthread_mutex_unlock(&lock);
    return requests;
}

void
of_registry_mock_reset(const char *name)
{
    of_registry_mock_inject(name, 0, NULL, 0);
    pthread_mutex_lock(&lock);
    struct registry *registry = find_registry(name);
    for (uint32_t i = 0; i < registry->count; i++) {
        free(registry->schemas[i].text);
        free(registry->schemas[i].canonical);
    }
    free(registry->schemas);
    registry->schemas = NULL;
    registry->count = 0;
    registry->requests = 0;
    pthread_mutex_unlock(&lock);
}
