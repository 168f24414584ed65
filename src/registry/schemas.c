/* Schemas by id or GUID, with all that they refer to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "registry/call.h"

/* A way through the references of one schema: depth first, each behind all that it needs. */
struct walk {
    struct of_registry_client *client;
    const char *what; /* "the schema with id 17" */
    struct of_schema_source *source;
    json_t *seen;  /* {"subject version": done}; false while its own references are being fetched */
    size_t fetched;
    unsigned depth;
};

/* One schema of the walk. */
struct part {
    const char *what;
    bool large_id; /* ids that a signed 32-bit number cannot hold are no ids to some registries, which say only 404 */
    bool no_path;  /* out: 404, but not as a registry says that something does not exist */
    char *text;
    json_t *references; /* array, or NULL */
};

static enum of_registry_answer
judge_schema(struct of_reply *reply, void *ctx, struct of_error *err)
{
    struct part *part = ctx;
    if (reply->status == 404 && (reply->code / 100 == 404 || part->large_id)) {
        of_error_set(err, OF_POISON, "the schema registry at %s has no %s", reply->url, part->what);
        return OF_REGISTRY_NOT_FOUND;
    }
    part->no_path = reply->status == 404;
    if (reply->status != 200)
        return of_reply_say_status(reply, err);
    const char *text = json_string_value(json_object_get(reply->json, "schema"));
    if (text == NULL)
        return of_reply_say_garbage(reply, "no JSON with a schema", err);
    const char *type = json_string_value(json_object_get(reply->json, "schemaType"));
    char shown[33];
    if (type != NULL && strcmp(type, "AVRO") != 0) {
        of_error_set(err, OF_POISON, "the %s is of type %s; only AVRO can be read", part->what,
                     of_reply_clean(type, shown, sizeof shown));
        return OF_REGISTRY_UNUSABLE;
    }
    part->text = of_strdup(text);
    part->references = json_incref(json_object_get(reply->json, "references"));
    return OF_REGISTRY_FOUND;
}

static enum of_registry_answer add_references(struct walk *walk, const json_t *references, struct of_error *err);

static enum of_registry_answer
refuse(const struct walk *walk, const char *why, struct of_error *err)
{
    of_error_set(err, OF_POISON, "the %s %s", walk->what, why);
    return OF_REGISTRY_UNUSABLE;
}

static enum of_registry_answer
fetch_reference(struct walk *walk, const char *subject, json_int_t version, struct of_error *err)
{
    char behind[48], what[160], shown[80];
    snprintf(behind, sizeof behind, "/versions/%" JSON_INTEGER_FORMAT, version);
    snprintf(what, sizeof what, "version %" JSON_INTEGER_FORMAT " of subject %s, which the schema refers to", version,
             of_reply_clean(subject, shown, sizeof shown));
    struct part part = { .what = what };
    char *path = of_registry_subject_path("/subjects/", subject, behind);
    const struct of_registry_call call = { .path = path, .judge = judge_schema, .ctx = &part };
    enum of_registry_answer answer = of_registry_ask(walk->client, &call, err);
    free(path);
    if (answer == OF_REGISTRY_FOUND)
        answer = add_references(walk, part.references, err);
    if (answer == OF_REGISTRY_FOUND)
        of_schema_source_add(walk->source, part.text);
    json_decref(part.references);
    free(part.text);
    return answer;
}

static enum of_registry_answer
add_reference(struct walk *walk, const json_t *reference, struct of_error *err)
{
    const char *subject = json_string_value(json_object_get(reference, "subject"));
    const json_t *version = json_object_get(reference, "version");
    if (subject == NULL || subject[0] == '\0' || !json_is_integer(version))
        return refuse(walk, "has a reference without subject and version", err);
    size_t size = strlen(subject) + 24;
    char *name = of_alloc(size);
    snprintf(name, size, "%s %" JSON_INTEGER_FORMAT, subject, json_integer_value(version));
    const json_t *seen = json_object_get(walk->seen, name);
    enum of_registry_answer answer = OF_REGISTRY_FOUND;
    if (json_is_false(seen))
        answer = refuse(walk, "has references that lead in a circle", err);
    else if (seen == NULL && walk->fetched == OF_REGISTRY_REFERENCES_MAX)
        answer = refuse(walk, "has too many references", err);
    else if (seen == NULL) {
        walk->fetched++;
        json_object_set_new(walk->seen, name, json_false());
        answer = fetch_reference(walk, subject, json_integer_value(version), err);
        json_object_set_new(walk->seen, name, json_true());
    }
    free(name);
    return answer;
}

static enum of_registry_answer
add_references(struct walk *walk, const json_t *references, struct of_error *err)
{
    if (json_array_size(references) == 0)
        return OF_REGISTRY_FOUND;
    if (walk->depth == OF_REGISTRY_REFERENCE_DEPTH_MAX)
        return refuse(walk, "has references that are nested too deeply", err);
    walk->depth++;
    enum of_registry_answer answer = OF_REGISTRY_FOUND;
    for (size_t i = 0; i < json_array_size(references) && answer == OF_REGISTRY_FOUND; i++)
        answer = add_reference(walk, json_array_get(references, i), err);
    walk->depth--;
    return answer;
}

/* ---- GUIDs, which not all registries know ---- */

static enum of_registry_answer
judge_types(struct of_reply *reply, void *ctx, struct of_error *err)
{
    (void)ctx;
    if (reply->status != 200)
        return of_reply_say_status(reply, err);
    return json_is_array(reply->json) ? OF_REGISTRY_FOUND : of_reply_say_garbage(reply, "no JSON with types", err);
}

static enum of_registry_answer
say_no_guids(struct of_registry_client *client, const char *what, struct of_error *err)
{
    of_error_set(err, OF_POISON, "the schema registry at %s knows no GUIDs, so no %s", of_registry_client_urls(client),
                 what);
    return OF_REGISTRY_NOT_FOUND;
}

/* The path of GUIDs does not exist. Where another one does, this is a registry that has none; otherwise the base path is
 * wrong, which is no fault of the record. */
static enum of_registry_answer
ask_whether_a_registry(struct of_registry_client *client, const char *what, struct of_error *err)
{
    const struct of_registry_call call = { .path = "/schemas/types", .judge = judge_types };
    enum of_registry_answer answer = of_registry_ask(client, &call, err);
    if (answer != OF_REGISTRY_FOUND)
        return answer;
    of_registry_note_no_guids(client);
    return say_no_guids(client, what, err);
}

enum of_registry_answer
of_registry_get_schema(struct of_registry_client *client, struct of_schema_key key, struct of_schema_source **source,
                       struct of_error *err)
{
    char path[80], what[80], text[OF_SCHEMA_KEY_TEXT_BYTES];
    of_schema_key_print(key, text);
    snprintf(path, sizeof path, "/schemas/%s/%s", key.is_guid ? "guids" : "ids", text);
    snprintf(what, sizeof what, "schema with %s %s", key.is_guid ? "GUID" : "id", text);
    struct part part = { .what = what, .large_id = !key.is_guid && key.low > INT32_MAX };
    const struct of_registry_call call = { .path = path, .judge = judge_schema, .ctx = &part };
    *source = NULL;
    if (key.is_guid && of_registry_client_knows_no_guids(client))
        return say_no_guids(client, what, err);
    enum of_registry_answer answer = of_registry_ask(client, &call, err);
    if (answer == OF_REGISTRY_UNAVAILABLE && key.is_guid && part.no_path)
        return ask_whether_a_registry(client, what, err);
    if (answer == OF_REGISTRY_FOUND) {
        struct walk walk = { .client = client, .what = what, .seen = json_object() };
        walk.source = of_schema_source_create(part.text);
        answer = add_references(&walk, part.references, err);
        json_decref(walk.seen);
        if (answer != OF_REGISTRY_FOUND)
            of_schema_source_destroy(&walk.source);
        *source = walk.source;
    }
    json_decref(part.references);
    free(part.text);
    return answer;
}
