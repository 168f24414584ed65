#include "registry/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "registry/cache.h"
#include "registry/mock.h"
#include "registry/url.h"
#include "support/http_stub.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define SCHEMA "{\"type\":\"string\"}"
#define FOUND_BODY "{\"schema\":\"{\\\"type\\\":\\\"string\\\"}\"}"

static struct of_http_stub *stub;

static int
start_stub(void **state)
{
    (void)state;
    stub = of_http_stub_start();
    return 0;
}

static int
stop_stub(void **state)
{
    (void)state;
    of_http_stub_stop(&stub);
    return 0;
}

static struct of_registry_client *
open_client(const char *urls)
{
    struct of_registry_client *client;
    struct of_error err = { 0 };
    struct of_registry_options options = { .urls = urls, .timeout_ms = 500, .answer_bytes = 10000 };
    if (of_registry_client_open(&options, &client, &err) != OF_OK)
        fail_msg("%s", err.text);
    return client;
}

static void
script(const struct of_stub_answer *answer)
{
    of_http_stub_reset(stub);
    of_http_stub_push(stub, answer);
}

/* The text alone of a schema without references. */
static enum of_registry_answer
get_text(struct of_registry_client *client, uint32_t id, char **text, struct of_error *err)
{
    struct of_schema_source *source;
    enum of_registry_answer answer = of_registry_get_schema(client, of_schema_key_id(id), &source, err);
    assert_int_equal(source != NULL, answer == OF_REGISTRY_FOUND);
    *text = NULL;
    if (source != NULL) {
        assert_int_equal(source->reference_count, 0);
        *text = strdup(source->text);
    }
    of_schema_source_destroy(&source);
    return answer;
}

static enum of_registry_answer
get(const char *urls, uint32_t id, struct of_error *err)
{
    struct of_registry_client *client = open_client(urls);
    char *schema;
    enum of_registry_answer answer = get_text(client, id, &schema, err);
    assert_int_equal(schema != NULL, answer == OF_REGISTRY_FOUND);
    if (schema != NULL)
        assert_string_equal(schema, SCHEMA);
    free(schema);
    of_registry_client_close(&client);
    return answer;
}

static void
assert_request_has(const char *text)
{
    char request[4096];
    if (strstr(of_http_stub_last(stub, request, sizeof request), text) == NULL)
        fail_msg("\"%s\" is not in the request: %s", text, request);
}

static void
assert_says(const struct of_error *err, const char *text)
{
    if (strstr(err->text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err->text, text);
}

/* ---- what is asked ---- */

static void
a_schema_is_asked_for_as_the_interface_wants_it(void **state)
{
    (void)state;
    script(&(struct of_stub_answer) { .status = 200, .body = FOUND_BODY });
    assert_int_equal(get(of_http_stub_url(stub), 17, NULL), OF_REGISTRY_FOUND);
    assert_request_has("GET /schemas/ids/17 HTTP/1.1\r\n");
    assert_request_has("\r\nAccept: application/vnd.schemaregistry.v1+json, application/json\r\n");
}

static void
the_base_path_is_kept_and_slashes_behind_it_are_not(void **state)
{
    (void)state;
    static const char *const tails[] = { "/apis/ccompat/v7", "/apis/ccompat/v7/", "/apis/ccompat/v7//" };
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        char url[200];
        snprintf(url, sizeof url, "%s%s", of_http_stub_url(stub), tails[i]);
        script(&(struct of_stub_answer) { .status = 200, .body = FOUND_BODY });
        assert_int_equal(get(url, 1, NULL), OF_REGISTRY_FOUND);
        assert_request_has("GET /apis/ccompat/v7/schemas/ids/1 HTTP/1.1\r\n");
    }
}

static void
credentials_are_sent_and_never_shown(void **state)
{
    (void)state;
    char url[200];
    snprintf(url, sizeof url, "http://me:s%%3Acret%%25@%s", of_http_stub_url(stub) + strlen("http://"));
    script(&(struct of_stub_answer) { .status = 401 });
    struct of_error err = { 0 };
    assert_int_equal(get(url, 1, &err), OF_REGISTRY_DENIED);
    assert_request_has("\r\nAuthorization: Basic bWU6czpjcmV0JQ==\r\n"); /* me:s:cret% */
    assert_says(&err, of_http_stub_url(stub));
    assert_null(strstr(err.text, "cret"));
    assert_null(strstr(err.text, "me:"));
}

static void
a_schema_is_registered(void **state)
{
    (void)state;
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    script(&(struct of_stub_answer) { .status = 200, .body = "{\"id\":4294967295}" });
    uint32_t id = 0;
    assert_int_equal(of_registry_register(client, "a/b c-value", SCHEMA, &id, NULL), OF_REGISTRY_FOUND);
    assert_int_equal(id, UINT32_MAX);
    assert_request_has("POST /subjects/a%2Fb%20c-value/versions HTTP/1.1\r\n");
    assert_request_has("\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n");
    assert_request_has("\r\n\r\n" FOUND_BODY);
    of_registry_client_close(&client);
}

static struct of_registry_client *
open_as(const struct of_registry_options *identity)
{
    struct of_registry_client *client;
    struct of_registry_options options = *identity;
    struct of_error err = { 0 };
    options.urls = of_http_stub_url(stub);
    options.timeout_ms = 500;
    if (of_registry_client_open(&options, &client, &err) != OF_OK)
        fail_msg("%s", err.text);
    return client;
}

static void
ask_denied(struct of_registry_client *client, struct of_error *err)
{
    char *schema;
    script(&(struct of_stub_answer) { .status = 401 });
    assert_int_equal(get_text(client, 1, &schema, err), OF_REGISTRY_DENIED);
    assert_int_equal(of_registry_client_wait_ms(client), 10000); /* it is no use to ask the same at once */
}

static void
user_and_password_or_a_token_are_sent_and_never_shown(void **state)
{
    (void)state;
    struct of_error err = { 0 };
    struct of_registry_client *client =
        open_as(&(struct of_registry_options) { .user = "me", .password = "s:cret%" });
    ask_denied(client, &err);
    assert_request_has("\r\nAuthorization: Basic bWU6czpjcmV0JQ==\r\n");
    assert_null(strstr(err.text, "cret"));
    of_registry_client_close(&client);
    client = open_as(&(struct of_registry_options) { .token = "tok.en" });
    ask_denied(client, &err);
    assert_request_has("\r\nAuthorization: Bearer tok.en\r\n");
    assert_null(strstr(err.text, "tok.en"));
    of_registry_client_close(&client);
}

static void
write_token(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
a_token_file_is_read_again_for_every_request(void **state)
{
    (void)state;
    char path[] = "/tmp/orderflow-token-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct of_registry_client *client;
    struct of_registry_options options = { .urls = of_http_stub_url(stub), .token_file = path };
    struct of_error err = { 0 };
    assert_int_equal(of_registry_client_open(&options, &client, &err), OF_FATAL); /* empty */
    assert_says(&err, path);
    write_token(path, "\n one \r\n");
    client = open_as(&(struct of_registry_options) { .token_file = path });
    ask_denied(client, NULL);
    assert_request_has("\r\nAuthorization: Bearer one\r\n");
    write_token(path, "two");
    ask_denied(client, NULL);
    assert_request_has("\r\nAuthorization: Bearer two\r\n");
    unlink(path);
    ask_denied(client, NULL);
    assert_request_has("\r\nAuthorization: Bearer two\r\n");
    of_registry_client_close(&client);
}

static void
files_that_cannot_be_read_are_refused_at_the_start(void **state)
{
    (void)state;
    const struct of_registry_options rows[] = {
        { .urls = "https://host", .ca_file = "/nowhere/ca" },
        { .urls = "https://host", .cert_file = "/nowhere/cert" },
        { .urls = "https://host", .cert_file = "/etc/hostname", .key_file = "/nowhere/key" },
        { .urls = "https://host", .token_file = "/nowhere/token" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct of_registry_client *client;
        struct of_error err = { 0 };
        assert_int_equal(of_registry_client_open(&rows[i], &client, &err), OF_FATAL);
        assert_says(&err, "/nowhere/");
    }
}

static void
credentials_do_not_follow_a_redirect_to_another_host(void **state)
{
    (void)state;
    struct of_http_stub *other = of_http_stub_start();
    char location[100], request[4096], *schema;
    snprintf(location, sizeof location, "Location: http://localhost:%s/x\r\n",
             strrchr(of_http_stub_url(other), ':') + 1);
    of_http_stub_push(other, &(struct of_stub_answer) { .status = 200, .body = FOUND_BODY });
    const struct of_registry_options rows[] = { { .user = "me", .password = "pw" }, { .token = "tok" } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct of_registry_client *client = open_as(&rows[i]);
        script(&(struct of_stub_answer) { .status = 302, .headers = location });
        assert_int_equal(get_text(client, 1, &schema, NULL), OF_REGISTRY_FOUND);
        free(schema);
        assert_request_has("\r\nAuthorization: ");
        of_http_stub_last(other, request, sizeof request);
        assert_non_null(strstr(request, "GET /x "));
        assert_null(strcasestr(request, "Authorization"));
        of_registry_client_close(&client);
    }
    of_http_stub_stop(&other);
}

static void
a_guid_is_asked_for_by_its_own_path(void **state)
{
    (void)state;
    static const uint8_t guid[] = "\x15\x49\x31\x72\xf5\x55\x8a\x51\x94\x2a\x7a\x65\x68\x98\x61\x7d";
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    struct of_schema_source *source;
    struct of_error err = { 0 };
    script(&(struct of_stub_answer) { .status = 200, .body = FOUND_BODY });
    assert_int_equal(of_registry_get_schema(client, of_schema_key_guid(guid), &source, NULL), OF_REGISTRY_FOUND);
    assert_string_equal(source->text, SCHEMA);
    of_schema_source_destroy(&source);
    assert_request_has("GET /schemas/guids/15493172-f555-8a51-942a-7a656898617d HTTP/1.1\r\n");
    script(&(struct of_stub_answer) { .status = 404, .body = "{\"error_code\":40403}" });
    assert_int_equal(of_registry_get_schema(client, of_schema_key_guid(guid), &source, &err), OF_REGISTRY_NOT_FOUND);
    assert_says(&err, "no schema with GUID 15493172-f555-8a51-942a-7a656898617d");
    of_registry_client_close(&client);
}

static void
a_registry_without_guids_is_told_from_a_wrong_base_path(void **state)
{
    (void)state;
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    const struct of_schema_key guid = { .high = 1, .low = 2, .is_guid = true };
    struct of_schema_source *source;
    struct of_error err = { 0 };
    script(&(struct of_stub_answer) { .status = 404 });
    assert_int_equal(of_registry_get_schema(client, guid, &source, &err), OF_REGISTRY_UNAVAILABLE);
    assert_says(&err, "base path");
    assert_false(of_registry_client_knows_no_guids(client));
    script(&(struct of_stub_answer) { .status = 404 });
    of_http_stub_push(stub, &(struct of_stub_answer) { .status = 200, .body = "[\"AVRO\"]" });
    assert_int_equal(of_registry_get_schema(client, guid, &source, &err), OF_REGISTRY_NOT_FOUND);
    assert_null(source);
    assert_says(&err, "knows no GUIDs");
    assert_request_has("GET /schemas/types HTTP/1.1");
    assert_int_equal(of_http_stub_requests(stub), 2);
    assert_int_equal(of_registry_get_schema(client, guid, &source, &err), OF_REGISTRY_NOT_FOUND);
    assert_int_equal(of_http_stub_requests(stub), 2); /* it is known by now */
    of_registry_client_close(&client);
}

/* ---- references ---- */

#define PART(text, references) "{\"schema\":\"" text "\",\"references\":[" references "]}"
#define REFERENCE(subject, version) "{\"name\":\"x\",\"subject\":\"" subject "\",\"version\":" version "}"

static enum of_registry_answer
get_parts(const char *const *bodies, struct of_schema_source **source, struct of_error *err)
{
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    of_http_stub_reset(stub);
    for (; *bodies != NULL; bodies++)
        of_http_stub_push(stub, &(struct of_stub_answer) { .status = 200, .body = *bodies });
    enum of_registry_answer answer = of_registry_get_schema(client, of_schema_key_id(1), source, err);
    of_registry_client_close(&client);
    return answer;
}

static void
references_are_fetched_once_each_and_in_the_order_in_which_they_are_needed(void **state)
{
    (void)state;
    /* main -> a, b; a -> c; b -> c, a */
    static const char *const bodies[] = {
        PART("main", REFERENCE("a", "1") "," REFERENCE("b/x", "12")),
        PART("a", REFERENCE("c", "3")),
        PART("c", ""),
        PART("b", REFERENCE("c", "3") "," REFERENCE("a", "1")),
        NULL,
    };
    struct of_schema_source *source;
    assert_int_equal(get_parts(bodies, &source, NULL), OF_REGISTRY_FOUND);
    assert_string_equal(source->text, "main");
    assert_int_equal(source->reference_count, 3);
    assert_string_equal(source->references[0], "c");
    assert_string_equal(source->references[1], "a");
    assert_string_equal(source->references[2], "b");
    of_schema_source_destroy(&source);
    assert_int_equal(of_http_stub_requests(stub), 4);
    assert_request_has("GET /subjects/b%2Fx/versions/12 HTTP/1.1\r\n");
}

static void
references_become_part_of_the_plan(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        PART("{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Order\\\",\\\"namespace\\\":\\\"a\\\",\\\"fields\\\":["
             "{\\\"name\\\":\\\"orderId\\\",\\\"type\\\":\\\"string\\\"},"
             "{\\\"name\\\":\\\"customer\\\",\\\"type\\\":\\\"b.Customer\\\"},"
             "{\\\"name\\\":\\\"product\\\",\\\"type\\\":\\\"c.Kind\\\"},"
             "{\\\"name\\\":\\\"price\\\",\\\"type\\\":\\\"float\\\"}]}",
             REFERENCE("customer", "1")),
        PART("{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"b.Customer\\\",\\\"fields\\\":["
             "{\\\"name\\\":\\\"kind\\\",\\\"type\\\":\\\"c.Kind\\\"}]}",
             REFERENCE("kind", "1")),
        PART("{\\\"type\\\":\\\"enum\\\",\\\"name\\\":\\\"c.Kind\\\",\\\"symbols\\\":[\\\"A\\\",\\\"B\\\"]}", ""),
        NULL,
    };
    static const struct of_plan_fields fields = { .value = "price", .group_by = "product", .id = "orderId" };
    struct of_schema_source *source;
    struct of_plan *plan;
    struct of_error err = { 0 };
    assert_int_equal(get_parts(bodies, &source, NULL), OF_REGISTRY_FOUND);
    if (of_schema_source_compile(source, &fields, 100, &plan, &err) != OF_OK)
        fail_msg("%s", err.text);
    struct of_decoded order;
    static const char body[] = "\2x" "\0" "\2" "\0\0\x80\x3f";
    assert_int_equal(of_plan_decode(plan, of_slice_of(body, sizeof body - 1), &order), OF_DECODE_OK);
    assert_true(order.value == 1);
    assert_true(of_slice_equal(order.group, of_slice_str("B")));
    of_plan_destroy(&plan);
    of_schema_source_destroy(&source);
}

static void
references_in_a_circle_or_without_an_end_are_refused(void **state)
{
    (void)state;
    struct of_schema_source *source;
    struct of_error err = { 0 };
    static const char *const circle[] = { PART("main", REFERENCE("a", "1")), PART("a", REFERENCE("b", "1")),
                                          PART("b", REFERENCE("a", "1")), NULL };
    assert_int_equal(get_parts(circle, &source, &err), OF_REGISTRY_UNUSABLE);
    assert_null(source);
    assert_says(&err, "in a circle");
    assert_int_equal(of_http_stub_requests(stub), 3);

    char deep[OF_REGISTRY_REFERENCE_DEPTH_MAX + 2][100];
    const char *bodies[OF_REGISTRY_REFERENCE_DEPTH_MAX + 3] = { NULL };
    for (int i = 0; i < OF_REGISTRY_REFERENCE_DEPTH_MAX + 2; i++) {
        snprintf(deep[i], sizeof deep[i], PART("x", "{\"subject\":\"s\",\"version\":%d}"), i + 1);
        bodies[i] = deep[i];
    }
    assert_int_equal(get_parts(bodies, &source, &err), OF_REGISTRY_UNUSABLE);
    assert_says(&err, "nested too deeply");
    assert_int_equal(of_http_stub_requests(stub), OF_REGISTRY_REFERENCE_DEPTH_MAX + 1);

    static char many[20000] = "{\"schema\":\"main\",\"references\":[";
    for (int i = 0; i < OF_REGISTRY_REFERENCES_MAX + 1; i++) {
        size_t length = strlen(many);
        snprintf(many + length, sizeof many - length, "%s{\"subject\":\"s\",\"version\":%d}", i > 0 ? "," : "", i + 1);
    }
    strcat(many, "]}");
    const char *wide[] = { many, PART("x", ""), NULL };
    struct of_registry_client *client;
    struct of_registry_options options = { .urls = of_http_stub_url(stub) };
    assert_int_equal(of_registry_client_open(&options, &client, NULL), OF_OK);
    of_http_stub_reset(stub);
    for (size_t i = 0; wide[i] != NULL; i++)
        of_http_stub_push(stub, &(struct of_stub_answer) { .status = 200, .body = wide[i] });
    assert_int_equal(of_registry_get_schema(client, of_schema_key_id(1), &source, &err), OF_REGISTRY_UNUSABLE);
    assert_says(&err, "too many references");
    assert_int_equal(of_http_stub_requests(stub), OF_REGISTRY_REFERENCES_MAX + 1);
    of_registry_client_close(&client);
}

static void
what_is_wrong_with_a_reference_is_wrong_with_the_schema(void **state)
{
    (void)state;
    static const struct {
        struct of_stub_answer answer;
        enum of_registry_answer expected;
        const char *text;
    } rows[] = {
        { { .status = 404, .body = "{\"error_code\":40402}" }, OF_REGISTRY_NOT_FOUND,
          "no version 3 of subject a b, which the schema refers to" },
        { { .status = 503 }, OF_REGISTRY_UNAVAILABLE, "answers 503" },
        { { .status = 403 }, OF_REGISTRY_DENIED, "refuses access" },
        { { .status = 200, .body = "{\"schema\":\"\",\"schemaType\":\"JSON\"}" }, OF_REGISTRY_UNUSABLE, "type JSON" },
    };
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct of_schema_source *source;
        struct of_error err = { 0 };
        script(&(struct of_stub_answer) { .status = 200, .body = PART("main", REFERENCE("a b", "3")) });
        of_http_stub_push(stub, &rows[i].answer);
        assert_int_equal(of_registry_get_schema(client, of_schema_key_id(1), &source, &err), rows[i].expected);
        assert_null(source);
        assert_says(&err, rows[i].text);
    }
    of_registry_client_close(&client);
}

/* ---- what answers mean ---- */

static void
every_answer_has_its_class_and_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        struct of_stub_answer answer;
        enum of_registry_answer expected;
        const char *text;
    } rows[] = {
        { { .status = 404, .body = "{\"error_code\":40403,\"message\":\"x\"}" }, OF_REGISTRY_NOT_FOUND, "no schema" },
        { { .status = 404 }, OF_REGISTRY_UNAVAILABLE, "base path" },
        { { .status = 404, .body = "{\"error_code\":0}" }, OF_REGISTRY_UNAVAILABLE, "base path" },
        { { .status = 401 }, OF_REGISTRY_DENIED, "refuses access (401)" },
        { { .status = 403, .body = "{\"message\":\"no\\nrights\"}" }, OF_REGISTRY_DENIED, "(403): no rights;" },
        { { .status = 400 }, OF_REGISTRY_UNAVAILABLE, "answers 400" },
        { { .status = 408 }, OF_REGISTRY_UNAVAILABLE, "answers 408" },
        { { .status = 425 }, OF_REGISTRY_UNAVAILABLE, "answers 425" },
        { { .status = 429 }, OF_REGISTRY_UNAVAILABLE, "answers 429" },
        { { .status = 500 }, OF_REGISTRY_UNAVAILABLE, "answers 500" },
        { { .status = 503, .body = "{\"message\":\"later\"}" }, OF_REGISTRY_UNAVAILABLE, "answers 503: later" },
        { { .status = 200, .body = "<html>" }, OF_REGISTRY_UNAVAILABLE, "like a schema registry" },
        { { .status = 200, .body = "[]" }, OF_REGISTRY_UNAVAILABLE, "like a schema registry" },
        { { .status = 200, .body = "{\"schema\":5}" }, OF_REGISTRY_UNAVAILABLE, "like a schema registry" },
        { { .status = 204 }, OF_REGISTRY_UNAVAILABLE, "answers 204" },
        { { .status = 200, .body_bytes = 9000 }, OF_REGISTRY_UNAVAILABLE, "like a schema registry" },
        { { .status = 200, .body_bytes = 50 << 20 }, OF_REGISTRY_UNAVAILABLE, "more than 10000 bytes" },
        { { .act = OF_STUB_CLOSE }, OF_REGISTRY_UNAVAILABLE, "cannot reach" },
        { { .act = OF_STUB_GARBAGE }, OF_REGISTRY_UNAVAILABLE, "no schema registry" },
        { { .act = OF_STUB_CUT, .status = 200, .body = FOUND_BODY }, OF_REGISTRY_UNAVAILABLE, "cannot reach" },
        { { .status = 200, .delay_ms = 2000, .body = FOUND_BODY }, OF_REGISTRY_UNAVAILABLE, "in time" },
        { { .status = 200, .body = "{\"schema\":\"\",\"schemaType\":\"JSON\"}" }, OF_REGISTRY_UNUSABLE, "type JSON" },
        { { .status = 200, .body = "{\"schema\":\"\",\"references\":[{}]}" }, OF_REGISTRY_UNUSABLE,
          "a reference without subject" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        script(&rows[i].answer);
        struct of_error err = { 0 };
        enum of_registry_answer answer = get(of_http_stub_url(stub), 1, &err);
        if (answer != rows[i].expected)
            fail_msg("row %zu: %s: %s", i, of_registry_answer_name(answer), err.text);
        assert_says(&err, rows[i].text);
        assert_null(strchr(err.text, '\n'));
    }
}

static void
avro_without_references_is_found_however_it_is_said(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        FOUND_BODY,
        "{\"schema\":\"{\\\"type\\\":\\\"string\\\"}\",\"schemaType\":\"AVRO\",\"references\":[],\"guid\":\"x\"}",
        "{\"schema\":\"{\\\"type\\\":\\\"string\\\"}\",\"schemaType\":null,\"references\":null}",
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        script(&(struct of_stub_answer) { .status = 200, .body = bodies[i] });
        assert_int_equal(get(of_http_stub_url(stub), 1, NULL), OF_REGISTRY_FOUND);
    }
}

static void
an_id_beyond_31_bits_is_not_found_by_any_404(void **state)
{
    (void)state;
    script(&(struct of_stub_answer) { .status = 404 });
    assert_int_equal(get(of_http_stub_url(stub), UINT32_C(0x80000000), NULL), OF_REGISTRY_NOT_FOUND);
    script(&(struct of_stub_answer) { .status = 200, .body = FOUND_BODY });
    assert_int_equal(get(of_http_stub_url(stub), UINT32_MAX, NULL), OF_REGISTRY_FOUND);
}

static void
registration_has_its_own_refusals(void **state)
{
    (void)state;
    static const struct {
        struct of_stub_answer answer;
        enum of_registry_answer expected;
        const char *text;
    } rows[] = {
        { { .status = 409, .body = "{\"message\":\"m\"}" }, OF_REGISTRY_UNUSABLE, "incompatible): m" },
        { { .status = 422 }, OF_REGISTRY_UNUSABLE, "refuses the schema for subject s" },
        { { .status = 404, .body = "{\"error_code\":40401}" }, OF_REGISTRY_UNAVAILABLE, "base path" },
        { { .status = 403 }, OF_REGISTRY_DENIED, "refuses access" },
        { { .status = 500 }, OF_REGISTRY_UNAVAILABLE, "answers 500" },
        { { .status = 200, .body = "{\"id\":-1}" }, OF_REGISTRY_UNAVAILABLE, "no JSON with an id" },
        { { .status = 200, .body = "{\"id\":4294967296}" }, OF_REGISTRY_UNAVAILABLE, "no JSON with an id" },
        { { .status = 200, .body = "{\"id\":\"1\"}" }, OF_REGISTRY_UNAVAILABLE, "no JSON with an id" },
    };
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        script(&rows[i].answer);
        struct of_error err = { 0 };
        uint32_t id;
        assert_int_equal(of_registry_register(client, "s", SCHEMA, &id, &err), rows[i].expected);
        assert_says(&err, rows[i].text);
    }
    uint32_t id;
    assert_int_equal(of_registry_register(client, "s", "\xff", &id, NULL), OF_REGISTRY_UNUSABLE);
    of_registry_client_close(&client);
}

static void
looking_up_finds_what_is_registered_and_nothing_else(void **state)
{
    (void)state;
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    struct of_error err = { 0 };
    uint32_t id = 0;
    script(&(struct of_stub_answer) { .status = 200, .body = "{\"id\":7,\"version\":2}" });
    assert_int_equal(of_registry_look_up(client, "a b", SCHEMA, &id, &err), OF_REGISTRY_FOUND);
    assert_int_equal(id, 7);
    assert_request_has("POST /subjects/a%20b HTTP/1.1\r\n");
    script(&(struct of_stub_answer) { .status = 404, .body = "{\"error_code\":40401,\"message\":\"none\"}" });
    assert_int_equal(of_registry_look_up(client, "a b", SCHEMA, &id, &err), OF_REGISTRY_NOT_FOUND);
    assert_says(&err, "under subject a b: none");
    script(&(struct of_stub_answer) { .status = 404 });
    assert_int_equal(of_registry_look_up(client, "a b", SCHEMA, &id, &err), OF_REGISTRY_UNAVAILABLE);
    of_registry_client_close(&client);
}

static void
a_check_gives_the_reasons_of_the_registry(void **state)
{
    (void)state;
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    struct of_error err = { 0 };
    bool compatible = false;
    script(&(struct of_stub_answer) { .status = 200, .body = "{\"is_compatible\":true}" });
    assert_int_equal(of_registry_check(client, "s", SCHEMA, &compatible, &err), OF_REGISTRY_FOUND);
    assert_true(compatible);
    assert_request_has("POST /compatibility/subjects/s/versions/latest?verbose=true HTTP/1.1\r\n");
    script(&(struct of_stub_answer) { .status = 200,
                                      .body = "{\"is_compatible\":false,\"messages\":[\"a\\nb\",5,\"c\"]}" });
    assert_int_equal(of_registry_check(client, "s", SCHEMA, &compatible, &err), OF_REGISTRY_FOUND);
    assert_false(compatible);
    assert_string_equal(err.text, "the schema is not compatible: a b; c");
    script(&(struct of_stub_answer) { .status = 404, .body = "{\"error_code\":40401}" });
    assert_int_equal(of_registry_check(client, "s", SCHEMA, &compatible, &err), OF_REGISTRY_NOT_FOUND);
    script(&(struct of_stub_answer) { .status = 200, .body = "{\"is_compatible\":1}" });
    assert_int_equal(of_registry_check(client, "s", SCHEMA, &compatible, &err), OF_REGISTRY_UNAVAILABLE);
    of_registry_client_close(&client);
}

static void
subjects_are_listed_by_name_without_those_that_go_meanwhile(void **state)
{
    (void)state;
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    struct of_registry_subject *subjects;
    size_t count;
    script(&(struct of_stub_answer) { .status = 200, .body = "[\"b\",\"gone\",\"a\"]" });
    of_http_stub_push(stub, &(struct of_stub_answer) { .status = 200, .body = "{\"id\":4,\"version\":2}" });
    of_http_stub_push(stub, &(struct of_stub_answer) { .status = 404, .body = "{\"error_code\":40401}" });
    of_http_stub_push(stub, &(struct of_stub_answer) {
                                .status = 200, .body = "{\"id\":5,\"version\":1,\"schemaType\":\"JSON\"}" });
    assert_int_equal(of_registry_list(client, &subjects, &count, NULL), OF_REGISTRY_FOUND);
    assert_int_equal(count, 2);
    assert_string_equal(subjects[0].name, "a");
    assert_string_equal(subjects[0].type, "JSON");
    assert_int_equal(subjects[1].id, 4);
    assert_int_equal(subjects[1].version, 2);
    assert_string_equal(subjects[1].type, "AVRO");
    of_registry_subjects_destroy(&subjects, count);
    script(&(struct of_stub_answer) { .status = 200, .body = "[5]" });
    assert_int_equal(of_registry_list(client, &subjects, &count, NULL), OF_REGISTRY_UNAVAILABLE);
    assert_null(subjects);
    of_registry_client_close(&client);
}

static void
the_registry_says_how_long_to_leave_it_alone(void **state)
{
    enum { SIX_HOURS_MS = 6 * 60 * 60 * 1000 }; /* newer libcurls report no more */
    (void)state;
    static const struct {
        struct of_stub_answer answer;
        int64_t wait_ms;
    } rows[] = {
        { { .status = 429, .headers = "Retry-After: 3\r\n" }, 3000 },
        { { .status = 503, .headers = "Retry-After: 100000000000\r\n" }, INT32_MAX },
        { { .status = 503, .headers = "Retry-After: soon\r\n" }, 0 },
        { { .status = 503, .headers = "Retry-After: -5\r\n" }, 0 },
        { { .status = 503 }, 0 },
        { { .status = 404 }, 10000 },
        { { .act = OF_STUB_CLOSE }, 0 },
    };
    struct of_registry_client *client = open_client(of_http_stub_url(stub));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *schema;
        script(&rows[i].answer);
        assert_int_equal(get_text(client, 1, &schema, NULL), OF_REGISTRY_UNAVAILABLE);
        int64_t wait_ms = of_registry_client_wait_ms(client);
        if (wait_ms != rows[i].wait_ms && !(rows[i].wait_ms == INT32_MAX && wait_ms == SIX_HOURS_MS))
            fail_msg("row %zu: %lld ms", i, (long long)wait_ms);
    }
    of_registry_client_close(&client);
}

static void
a_refused_connection_says_what_to_do(void **state)
{
    (void)state;
    struct of_http_stub *gone = of_http_stub_start();
    char url[64], expected[200];
    snprintf(url, sizeof url, "%s", of_http_stub_url(gone));
    of_http_stub_stop(&gone);
    struct of_error err = { 0 };
    assert_int_equal(get(url, 1, &err), OF_REGISTRY_UNAVAILABLE);
    snprintf(expected, sizeof expected,
             "cannot reach the schema registry at %s: connection refused; is it running? set --registry", url);
    assert_string_equal(err.text, expected);
}

static void
redirects_are_followed_three_times_and_only_to_http(void **state)
{
    (void)state;
    of_http_stub_reset(stub);
    struct of_stub_answer redirect = { .status = 307, .headers = "Location: /elsewhere\r\n" };
    for (int i = 0; i < 3; i++)
        of_http_stub_push(stub, &redirect);
    of_http_stub_push(stub, &(struct of_stub_answer) { .status = 200, .body = FOUND_BODY });
    assert_int_equal(get(of_http_stub_url(stub), 1, NULL), OF_REGISTRY_FOUND);
    assert_request_has("GET /elsewhere HTTP/1.1\r\n");
    script(&redirect);
    assert_int_equal(get(of_http_stub_url(stub), 1, NULL), OF_REGISTRY_UNAVAILABLE);
    assert_int_equal(of_http_stub_requests(stub), 4);
    script(&(struct of_stub_answer) { .status = 302, .headers = "Location: file:///etc/hostname\r\n" });
    struct of_error err = { 0 };
    assert_int_equal(get(of_http_stub_url(stub), 1, &err), OF_REGISTRY_UNAVAILABLE);
    assert_says(&err, "no schema registry");
}

static void
the_next_url_is_asked_when_one_is_unavailable(void **state)
{
    (void)state;
    of_registry_mock_reset("first");
    of_registry_mock_register("first", SCHEMA);
    char urls[100];
    snprintf(urls, sizeof urls, "mock://first, %s", of_http_stub_url(stub));
    struct of_registry_client *client = open_client(urls);
    script(&(struct of_stub_answer) { .status = 200, .body = FOUND_BODY });
    of_registry_mock_inject("first", 503, NULL, OF_MOCK_FOREVER);
    for (int i = 0; i < 2; i++) {
        char *schema;
        assert_int_equal(get_text(client, 1, &schema, NULL), OF_REGISTRY_FOUND);
        free(schema);
    }
    assert_int_equal(of_registry_mock_requests("first"), 1); /* stays with the one that answered */
    assert_int_equal(of_http_stub_requests(stub), 2);
    of_registry_client_close(&client);
}

/* ---- URLs ---- */

static void
what_is_no_registry_url_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *urls;
        const char *text;
    } rows[] = {
        { "", "no registry URL" },
        { " , ", "no registry URL" },
        { "localhost:8081", "\"localhost:8081\" is not a registry URL" },
        { "ftp://u:secret@host", "\"ftp://host\" is not a registry URL" },
        { "http://", "is not a registry URL" },
        { "http://u:secret@host:99999", "\"http://host:99999\" is not a registry URL" },
        { "http://u:secret@host/?a=b", "http://host/?a=b must not have a ? or # part" },
        { "mock://a,http://host#x", "must not have" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct of_registry_client *client;
        struct of_error err = { 0 };
        struct of_registry_options options = { .urls = rows[i].urls };
        assert_int_equal(of_registry_client_open(&options, &client, &err), OF_FATAL);
        assert_null(client);
        assert_says(&err, rows[i].text);
    }
}

static void
urls_are_printed_without_credentials(void **state)
{
    (void)state;
    static const struct {
        const char *urls;
        const char *printed;
    } rows[] = {
        { "", "" },
        { "http://host:8081/path", "http://host:8081/path" },
        { "http://user:word@host:8081", "http://host:8081" },
        { "http://user:w@rd/x@host", "http://host" },
        { "user:word@host", "host" },
        { "http://a:b@x/1,https://c:d@y/2", "http://x/1,https://y/2" },
        { "mock://demo", "mock://demo" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[100];
        assert_string_equal(of_registry_url_print(rows[i].urls, text, sizeof text), rows[i].printed);
        char cut[6];
        of_registry_url_print(rows[i].urls, cut, sizeof cut);
        assert_int_equal(strlen(cut), strlen(rows[i].printed) < 5 ? strlen(rows[i].printed) : 5);
    }
}

/* ---- the mock answers as a server does ---- */

static void
the_mock_gives_one_id_to_one_content(void **state)
{
    (void)state;
    of_registry_mock_reset("ids");
    struct of_registry_client *a = open_client("mock://ids"), *b = open_client("mock://ids/");
    uint32_t first, same, other;
    struct of_error err = { 0 };
    assert_int_equal(of_registry_register(a, "s", SCHEMA, &first, NULL), OF_REGISTRY_FOUND);
    assert_int_equal(of_registry_register(b, "t", "{ \"type\" : \"string\" }", &same, NULL), OF_REGISTRY_FOUND);
    assert_int_equal(of_registry_register(a, "s", "\"int\"", &other, NULL), OF_REGISTRY_FOUND);
    assert_int_equal(first, 1);
    assert_int_equal(same, 1);
    assert_int_equal(other, 2);
    assert_int_equal(of_registry_register(a, "s", "{", &other, &err), OF_REGISTRY_UNUSABLE);
    assert_says(&err, "Invalid schema");
    assert_int_equal(get("mock://ids", 1, NULL), OF_REGISTRY_FOUND);
    assert_int_equal(get("mock://ids", 3, NULL), OF_REGISTRY_NOT_FOUND);
    assert_int_equal(get("mock://other", 1, NULL), OF_REGISTRY_NOT_FOUND);
    of_registry_client_close(&a);
    of_registry_client_close(&b);
}

/* ---- time ---- */

static void *
cancel_soon(void *ctx)
{
    usleep(100000);
    of_registry_client_cancel(ctx);
    return NULL;
}

static void
a_request_under_way_can_be_cancelled(void **state)
{
    (void)state;
    struct of_registry_client *client;
    struct of_registry_options options = { .urls = of_http_stub_url(stub) };
    assert_int_equal(of_registry_client_open(&options, &client, NULL), OF_OK);
    script(&(struct of_stub_answer) { .status = 200, .delay_ms = 8000, .body = FOUND_BODY });
    pthread_t thread;
    int64_t start_ns = of_clock_mono_ns(of_clock_system());
    pthread_create(&thread, NULL, cancel_soon, client);
    char *schema;
    struct of_error err = { 0 };
    assert_int_equal(get_text(client, 1, &schema, &err), OF_REGISTRY_UNAVAILABLE);
    assert_says(&err, "given up");
    assert_int_equal(get_text(client, 1, &schema, &err), OF_REGISTRY_UNAVAILABLE);
    assert_true(of_clock_mono_ns(of_clock_system()) - start_ns < 4 * OF_SECOND_NS);
    pthread_join(thread, NULL);
    of_registry_client_close(&client);
}

static void
the_cache_recovers_over_http_and_stops_in_the_middle_of_a_request(void **state)
{
    (void)state;
    of_http_stub_reset(stub);
    of_http_stub_push(stub, &(struct of_stub_answer) { .act = OF_STUB_CLOSE });
    of_http_stub_push(stub, &(struct of_stub_answer) { .status = 503 });
    of_http_stub_push(stub, &(struct of_stub_answer) { .status = 200, .body = FOUND_BODY });
    of_http_stub_push(stub, &(struct of_stub_answer) { .status = 200, .delay_ms = 8000, .body = FOUND_BODY });
    struct of_registry_client *client;
    struct of_registry_options options = { .urls = of_http_stub_url(stub) };
    assert_int_equal(of_registry_client_open(&options, &client, NULL), OF_OK);
    struct of_schema_cache_options cache_options = {
        .fields = { .value = "price", .group_by = "product", .id = "orderId" }, .max_field_bytes = 10, .threaded = true,
    };
    struct of_schema_cache *cache;
    assert_int_equal(of_schema_cache_create(&cache_options, &client, &cache, NULL), OF_OK);
    of_schema_cache_enter();
    enum of_schema_state now = OF_SCHEMA_PENDING;
    struct of_schema_found found;
    bool was_unavailable = false;
    for (int i = 0; i < 5000 && now != OF_SCHEMA_UNRESOLVABLE; i++) {
        of_schema_cache_read_begin();
        now = of_schema_cache_find(cache, of_schema_key_id(1), of_clock_mono_ns(of_clock_system()), &found);
        of_schema_cache_read_end();
        was_unavailable |= now == OF_SCHEMA_UNAVAILABLE;
        usleep(1000);
    }
    assert_true(was_unavailable);
    assert_int_equal(now, OF_SCHEMA_UNRESOLVABLE); /* a string is no record, but it was fetched */
    of_schema_cache_read_begin();
    assert_int_equal(of_schema_cache_find(cache, of_schema_key_id(2), 0, &found), OF_SCHEMA_PENDING);
    of_schema_cache_read_end();
    for (int i = 0; i < 5000 && of_http_stub_requests(stub) < 4; i++)
        usleep(1000);
    int64_t start_ns = of_clock_mono_ns(of_clock_system());
    assert_int_equal(of_schema_cache_stop(cache, start_ns), OF_AGAIN); /* not that fast */
    assert_int_equal(of_schema_cache_stop(cache, start_ns + 5 * OF_SECOND_NS), OF_OK);
    of_schema_cache_leave();
    of_schema_cache_destroy(&cache);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_and_password_or_a_token_are_sent_and_never_shown),
        cmocka_unit_test(a_token_file_is_read_again_for_every_request),
        cmocka_unit_test(files_that_cannot_be_read_are_refused_at_the_start),
        cmocka_unit_test(credentials_do_not_follow_a_redirect_to_another_host),
        cmocka_unit_test(a_guid_is_asked_for_by_its_own_path),
        cmocka_unit_test(a_registry_without_guids_is_told_from_a_wrong_base_path),
        cmocka_unit_test(references_are_fetched_once_each_and_in_the_order_in_which_they_are_needed),
        cmocka_unit_test(references_become_part_of_the_plan),
        cmocka_unit_test(references_in_a_circle_or_without_an_end_are_refused),
        cmocka_unit_test(what_is_wrong_with_a_reference_is_wrong_with_the_schema),
        cmocka_unit_test(looking_up_finds_what_is_registered_and_nothing_else),
        cmocka_unit_test(a_check_gives_the_reasons_of_the_registry),
        cmocka_unit_test(subjects_are_listed_by_name_without_those_that_go_meanwhile),
        cmocka_unit_test(the_registry_says_how_long_to_leave_it_alone),
        cmocka_unit_test(a_schema_is_asked_for_as_the_interface_wants_it),
        cmocka_unit_test(the_base_path_is_kept_and_slashes_behind_it_are_not),
        cmocka_unit_test(credentials_are_sent_and_never_shown),
        cmocka_unit_test(a_schema_is_registered),
        cmocka_unit_test(every_answer_has_its_class_and_says_what_to_do),
        cmocka_unit_test(avro_without_references_is_found_however_it_is_said),
        cmocka_unit_test(an_id_beyond_31_bits_is_not_found_by_any_404),
        cmocka_unit_test(registration_has_its_own_refusals),
        cmocka_unit_test(a_refused_connection_says_what_to_do),
        cmocka_unit_test(redirects_are_followed_three_times_and_only_to_http),
        cmocka_unit_test(the_next_url_is_asked_when_one_is_unavailable),
        cmocka_unit_test(what_is_no_registry_url_is_refused),
        cmocka_unit_test(urls_are_printed_without_credentials),
        cmocka_unit_test(the_mock_gives_one_id_to_one_content),
        cmocka_unit_test(a_request_under_way_can_be_cancelled),
        cmocka_unit_test(the_cache_recovers_over_http_and_stops_in_the_middle_of_a_request),
    };
    return cmocka_run_group_tests(tests, start_stub, stop_stub);
}
