/* What producers and people ask of a registry: registering, looking up, checking and listing schemas by subject. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "registry/call.h"

enum { SUBJECTS_MAX = 100000 };

/* ---- a schema under a subject ---- */

/* A question about one schema of one subject. */
struct question {
    const char *subject;
    uint32_t id;
    bool compatible;
};

static enum of_registry_answer
take_id(struct question *question, const struct of_reply *reply, struct of_error *err)
{
    json_t *number = json_object_get(reply->json, "id");
    if (!json_is_integer(number) || json_integer_value(number) < 0 || json_integer_value(number) > UINT32_MAX)
        return of_reply_say_garbage(reply, "no JSON with an id", err);
    question->id = (uint32_t)json_integer_value(number);
    return OF_REGISTRY_FOUND;
}

static enum of_registry_answer
say_refused(const struct question *question, const struct of_reply *reply, struct of_error *err)
{
    of_error_set(err, OF_POISON, "the schema registry at %s refuses the schema for subject %s (%ld%s)%s", reply->url,
                 question->subject, reply->status, reply->status == 409 ? ", incompatible" : "", reply->message);
    return OF_REGISTRY_UNUSABLE;
}

static bool
is_refusal(const struct of_reply *reply)
{
    return reply->status == 409 || reply->status == 413 || reply->status == 422;
}

static enum of_registry_answer
judge_registration(struct of_reply *reply, void *ctx, struct of_error *err)
{
    if (is_refusal(reply))
        return say_refused(ctx, reply, err);
    if (reply->status != 200 && reply->status != 201)
        return of_reply_say_status(reply, err);
    return take_id(ctx, reply, err);
}

static enum of_registry_answer
judge_look_up(struct of_reply *reply, void *ctx, struct of_error *err)
{
    const struct question *question = ctx;
    if (reply->status == 404 && reply->code / 100 == 404) {
        of_error_set(err, OF_POISON, "the schema registry at %s does not have this schema under subject %s%s",
                     reply->url, question->subject, reply->message);
        return OF_REGISTRY_NOT_FOUND;
    }
    return judge_registration(reply, ctx, err);
}

/* "the schema is not compatible: first reason; second reason" */
static void
say_incompatible(const struct of_reply *reply, struct of_error *err)
{
    const json_t *messages = json_object_get(reply->json, "messages");
    char reasons[OF_ERROR_TEXT_BYTES / 2] = "", one[300];
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const char *text = json_string_value(json_array_get(messages, i));
        size_t used = strlen(reasons);
        if (text != NULL)
            snprintf(reasons + used, sizeof reasons - used, "%s%s", used > 0 ? "; " : ": ",
                     of_reply_clean(text, one, sizeof one));
    }
    of_error_set(err, OF_POISON, "the schema is not compatible%s", reasons);
}

static enum of_registry_answer
judge_check(struct of_reply *reply, void *ctx, struct of_error *err)
{
    struct question *question = ctx;
    if (reply->status == 404 && reply->code / 100 == 404) {
        of_error_set(err, OF_POISON, "the schema registry at %s has no subject %s%s", reply->url, question->subject,
                     reply->message);
        return OF_REGISTRY_NOT_FOUND;
    }
    if (is_refusal(reply))
        return say_refused(question, reply, err);
    if (reply->status != 200)
        return of_reply_say_status(reply, err);
    const json_t *compatible = json_object_get(reply->json, "is_compatible");
    if (!json_is_boolean(compatible))
        return of_reply_say_garbage(reply, "no JSON with is_compatible", err);
    question->compatible = json_is_true(compatible);
    if (!question->compatible)
        say_incompatible(reply, err);
    return OF_REGISTRY_FOUND;
}

static enum of_registry_answer
ask_about(struct of_registry_client *client, struct question *question, const char *before, const char *behind,
          const char *schema_json, enum of_registry_answer (*judge)(struct of_reply *, void *, struct of_error *),
          struct of_error *err)
{
    json_t *request = json_pack("{s:s}", "schema", schema_json);
    char *body = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (body == NULL) {
        of_error_set(err, OF_POISON, "the schema for subject %s is not valid UTF-8", question->subject);
        return OF_REGISTRY_UNUSABLE;
    }
    char *path = of_registry_subject_path(before, question->subject, behind);
    const struct of_registry_call call = { .path = path, .body = body, .judge = judge, .ctx = question };
    enum of_registry_answer answer = of_registry_ask(client, &call, err);
    free(path);
    free(body);
    return answer;
}

enum of_registry_answer
of_registry_register(struct of_registry_client *client, const char *subject, const char *schema_json, uint32_t *id,
                     struct of_error *err)
{
    struct question question = { .subject = subject };
    enum of_registry_answer answer =
        ask_about(client, &question, "/subjects/", "/versions", schema_json, judge_registration, err);
    *id = question.id;
    return answer;
}

enum of_registry_answer
of_registry_look_up(struct of_registry_client *client, const char *subject, const char *schema_json, uint32_t *id,
                    struct of_error *err)
{
    struct question question = { .subject = subject };
    enum of_registry_answer answer = ask_about(client, &question, "/subjects/", "", schema_json, judge_look_up, err);
    *id = question.id;
    return answer;
}

enum of_registry_answer
of_registry_check(struct of_registry_client *client, const char *subject, const char *schema_json, bool *compatible,
                  struct of_error *err)
{
    struct question question = { .subject = subject };
    enum of_registry_answer answer = ask_about(client, &question, "/compatibility/subjects/",
                                               "/versions/latest?verbose=true", schema_json, judge_check, err);
    *compatible = question.compatible;
    return answer;
}

/* ---- lists ---- */

static enum of_registry_answer
judge_subjects(struct of_reply *reply, void *ctx, struct of_error *err)
{
    json_t **names = ctx;
    if (reply->status != 200)
        return of_reply_say_status(reply, err);
    bool fine = json_is_array(reply->json) && json_array_size(reply->json) <= SUBJECTS_MAX;
    for (size_t i = 0; fine && i < json_array_size(reply->json); i++)
        fine = json_is_string(json_array_get(reply->json, i));
    if (!fine)
        return of_reply_say_garbage(reply, "no JSON with the names of subjects", err);
    *names = json_incref(reply->json);
    return OF_REGISTRY_FOUND;
}

static enum of_registry_answer
judge_version(struct of_reply *reply, void *ctx, struct of_error *err)
{
    struct of_registry_subject *subject = ctx;
    if (reply->status == 404 && reply->code / 100 == 404)
        return OF_REGISTRY_NOT_FOUND; /* deleted since it was listed */
    if (reply->status != 200)
        return of_reply_say_status(reply, err);
    json_int_t id = json_integer_value(json_object_get(reply->json, "id"));
    json_int_t version = json_integer_value(json_object_get(reply->json, "version"));
    const char *type = json_string_value(json_object_get(reply->json, "schemaType"));
    if (id < 0 || id > UINT32_MAX || version < 1 || version > INT32_MAX)
        return of_reply_say_garbage(reply, "no JSON with id and version", err);
    char shown[33];
    subject->id = (uint32_t)id;
    subject->version = (uint32_t)version;
    subject->type = of_strdup(type != NULL ? of_reply_clean(type, shown, sizeof shown) : "AVRO");
    return OF_REGISTRY_FOUND;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(((const struct of_registry_subject *)a)->name, ((const struct of_registry_subject *)b)->name);
}

static enum of_registry_answer
look_at(struct of_registry_client *client, const char *name, struct of_registry_subject *subject, struct of_error *err)
{
    char *path = of_registry_subject_path("/subjects/", name, "/versions/latest");
    const struct of_registry_call call = { .path = path, .judge = judge_version, .ctx = subject };
    enum of_registry_answer answer = of_registry_ask(client, &call, err);
    free(path);
    if (answer == OF_REGISTRY_FOUND)
        subject->name = of_strdup(name);
    return answer;
}

enum of_registry_answer
of_registry_latest(struct of_registry_client *client, const char *name, struct of_registry_subject **subject,
                   struct of_error *err)
{
    *subject = of_alloc(sizeof **subject);
    enum of_registry_answer answer = look_at(client, name, *subject, err);
    if (answer == OF_REGISTRY_NOT_FOUND)
        of_error_set(err, OF_POISON, "there is no subject %s", name);
    if (answer != OF_REGISTRY_FOUND)
        of_registry_subjects_destroy(subject, 1);
    return answer;
}

enum of_registry_answer
of_registry_list(struct of_registry_client *client, struct of_registry_subject **subjects, size_t *count,
                 struct of_error *err)
{
    json_t *names = NULL;
    const struct of_registry_call call = { .path = "/subjects", .judge = judge_subjects, .ctx = &names };
    *subjects = NULL;
    *count = 0;
    enum of_registry_answer answer = of_registry_ask(client, &call, err);
    if (answer != OF_REGISTRY_FOUND)
        return answer;
    size_t wanted = json_array_size(names);
    struct of_registry_subject *found = of_alloc_array(wanted + 1, sizeof *found);
    for (size_t i = 0; i < wanted && (answer == OF_REGISTRY_FOUND || answer == OF_REGISTRY_NOT_FOUND); i++) {
        answer = look_at(client, json_string_value(json_array_get(names, i)), &found[*count], err);
        *count += answer == OF_REGISTRY_FOUND;
    }
    json_decref(names);
    if (answer == OF_REGISTRY_NOT_FOUND)
        answer = OF_REGISTRY_FOUND;
    qsort(found, *count, sizeof *found, compare_names);
    *subjects = found;
    if (answer != OF_REGISTRY_FOUND)
        of_registry_subjects_destroy(subjects, *count);
    return answer;
}

void
of_registry_subjects_destroy(struct of_registry_subject **subjects, size_t count)
{
    for (size_t i = 0; *subjects != NULL && i < count; i++) {
        free((*subjects)[i].name);
        free((*subjects)[i].type);
    }
    free(*subjects);
    *subjects = NULL;
}
