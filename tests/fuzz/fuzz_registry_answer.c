/* Any status and body in place of a registry's answer, to every question there is: what comes of it is one of the five
 * answers, with what it promises, and a text on one line. Three bytes of each input say which question is asked, and
 * which status the answer has; NUL bytes end the body. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "fuzz/fuzz.h"
#include "registry/client.h"
#include "registry/mock.h"

#define NAME "fuzz"

enum { QUESTIONS = 5, HEAD_BYTES = 3 };

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    static const char *const seeds[] = {
        ("0\1\xc8{\"schema\":\"{\\\"type\\\":\\\"string\\\"}\",\"id\":7,"
         "\"guid\":\"15493172-f555-8a51-942a-7a656898617d\"}"),
        ("0\1\xc8{\"schema\":\"\",\"schemaType\":\"AVRO\","
         "\"references\":[{\"name\":\"a\",\"subject\":\"s\",\"version\":1}]}"),
        "0\2\x94{\"error_code\":40403,\"message\":\"Schema 7 not found\"}",
        "1\1\xc8{\"id\":1,\"version\":2}",
        "1\2\x99{\"error_code\":409,\"message\":\"Schema being registered is incompatible with an earlier schema\"}",
        "2\1\xc8{\"id\":4294967295,\"subject\":\"orders-value\",\"schema\":\"x\"}",
        "3\1\xc8{\"is_compatible\":false,\"messages\":[\"READER_FIELD_MISSING_DEFAULT_VALUE\"]}",
        "4\1\xc8[\"a\"]",
        "4\1\xc8{\"id\":1,\"version\":1,\"schemaType\":\"JSON\"}",
    };
    if (index >= sizeof seeds / sizeof *seeds)
        return 0;
    size_t length = strlen(seeds[index]);
    OF_ASSERT(length <= size);
    memcpy(bytes, seeds[index], length);
    return length;
}

static enum of_registry_answer
get_schema(struct of_registry_client *client, struct of_error *err)
{
    struct of_schema_source *source;
    enum of_registry_answer answer = of_registry_get_schema(client, of_schema_key_id(7), &source, err);
    OF_ASSERT((source != NULL) == (answer == OF_REGISTRY_FOUND));
    OF_ASSERT(source == NULL || source->reference_count <= OF_REGISTRY_REFERENCES_MAX);
    of_schema_source_destroy(&source);
    return answer;
}

static enum of_registry_answer
list(struct of_registry_client *client, struct of_error *err)
{
    struct of_registry_subject *subjects;
    size_t count;
    enum of_registry_answer answer = of_registry_list(client, &subjects, &count, err);
    OF_ASSERT((subjects != NULL) == (answer == OF_REGISTRY_FOUND));
    for (size_t i = 0; subjects != NULL && i < count; i++)
        OF_ASSERT(subjects[i].name != NULL && subjects[i].type != NULL && subjects[i].version >= 1);
    of_registry_subjects_destroy(&subjects, count);
    return answer;
}

static enum of_registry_answer
ask(struct of_registry_client *client, unsigned question, struct of_error *err)
{
    static const char schema[] = "\"string\"";
    uint32_t id;
    bool compatible;
    switch (question) {
    case 0: return get_schema(client, err);
    case 1: return of_registry_register(client, "s", schema, &id, err);
    case 2: return of_registry_look_up(client, "s", schema, &id, err);
    case 3: return of_registry_check(client, "s", schema, &compatible, err);
    default: return list(client, err);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct of_registry_client *client;
    if (size < HEAD_BYTES)
        return 0;
    if (client == NULL) {
        const struct of_registry_options options = { .urls = "mock://" NAME };
        OF_ASSERT(of_registry_client_open(&options, &client, NULL) == OF_OK);
    }
    long status = ((long)data[1] << 8 | data[2]) % 1000;
    char *body = malloc(size - HEAD_BYTES + 1);
    OF_ASSERT(body != NULL);
    memcpy(body, data + HEAD_BYTES, size - HEAD_BYTES);
    body[size - HEAD_BYTES] = '\0';
    struct of_error err = { 0 };
    of_registry_mock_inject(NAME, status, body, OF_MOCK_FOREVER);
    enum of_registry_answer answer = ask(client, data[0] % QUESTIONS, &err);
    OF_ASSERT(answer <= OF_REGISTRY_UNAVAILABLE);
    OF_ASSERT(answer == OF_REGISTRY_FOUND || err.text[0] != '\0');
    OF_ASSERT(strpbrk(err.text, "\r\n\x1b") == NULL);
    OF_ASSERT(of_registry_client_wait_ms(client) >= 0);
    free(body);
    return 0;
}
