#include "registry/reply.h"

#include <stdio.h>
#include <string.h>

enum { REFUSED_WAIT_MS = 10000 }; /* until wrong credentials or a wrong path are tried once more: it is no retry */

const char *
of_reply_clean(const char *text, char *out, size_t size)
{
    size_t length = strlen(text);
    if (length >= size) /* cut between characters */
        for (length = size - 1; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80; length--)
            ;
    memcpy(out, text, length);
    out[length] = '\0';
    for (char *p = out; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
    return out;
}

static void
take_message(struct of_reply *reply)
{
    const char *text = json_string_value(json_object_get(reply->json, "message"));
    if (text == NULL || text[0] == '\0')
        return;
    memcpy(reply->message, ": ", 2);
    of_reply_clean(text, reply->message + 2, sizeof reply->message - 2);
}

void
of_reply_take(struct of_reply *reply, const char *url, const struct of_http_answer *answer)
{
    *reply = (struct of_reply) { .url = url, .status = answer->status, .wait_ms = answer->retry_after_ms };
    reply->json = answer->length > 0 ? json_loadb(answer->body, answer->length, 0, NULL) : NULL;
    reply->code = json_integer_value(json_object_get(reply->json, "error_code"));
    take_message(reply);
}

void
of_reply_release(struct of_reply *reply)
{
    json_decref(reply->json);
    reply->json = NULL;
}

enum of_registry_answer
of_reply_say_garbage(const struct of_reply *reply, const char *what, struct of_error *err)
{
    of_error_set(err, OF_RETRY, "%s does not answer like a schema registry (%s); set --registry", reply->url, what);
    return OF_REGISTRY_UNAVAILABLE;
}

enum of_registry_answer
of_reply_say_status(struct of_reply *reply, struct of_error *err)
{
    bool refused = reply->status == 401 || reply->status == 403;
    if ((refused || reply->status == 404) && reply->wait_ms < REFUSED_WAIT_MS)
        reply->wait_ms = REFUSED_WAIT_MS;
    if (refused) {
        of_error_set(err, OF_RETRY,
                     "the schema registry at %s refuses access (%ld)%s; set --registry-user and "
                     "ORDERFLOW_REGISTRY_PASSWORD, or --registry-token-file, or its rights there",
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
