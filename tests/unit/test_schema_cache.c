#include "registry/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "registry/mock.h"

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"
#define RECORD(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define ORDER FIELD("orderId", "string") "," FIELD("product", "string") "," FIELD("price", "float")

#define MOCK "cache"
#define START_NS (100 * OF_SECOND_NS)

static atomic_uint changes;

static void
count_change(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&changes, 1);
}

static struct of_schema_cache *
create(bool threaded)
{
    of_registry_mock_reset(MOCK);
    atomic_store(&changes, 0);
    struct of_registry_client *client;
    struct of_registry_options registry = { .urls = "mock://" MOCK };
    assert_int_equal(of_registry_client_open(&registry, &client, NULL), OF_OK);
    char value[] = "price";
    struct of_schema_cache_options options = {
        .fields = { .value = value, .group_by = "product", .id = "orderId" },
        .max_field_bytes = 100,
        .threaded = threaded,
        .changed = count_change,
    };
    struct of_schema_cache *cache;
    assert_int_equal(of_schema_cache_create(&options, &client, &cache, NULL), OF_OK);
    assert_null(client);
    value[0] = 'x'; /* the cache has its own copy */
    of_schema_cache_enter();
    return cache;
}

static void
destroy(struct of_schema_cache *cache)
{
    of_schema_cache_leave();
    of_schema_cache_destroy(&cache);
    assert_null(cache);
}

/* The state of id; checks that plan and text are there when they have to be. */
static enum of_schema_state
find_text(struct of_schema_cache *cache, uint32_t id, int64_t now_ns, const char *text)
{
    struct of_schema_found found;
    of_schema_cache_read_begin();
    enum of_schema_state state = of_schema_cache_find(cache, of_schema_key_id(id), now_ns, &found);
    assert_int_equal(found.plan != NULL, state == OF_SCHEMA_READY);
    assert_int_equal(found.text == NULL, state == OF_SCHEMA_READY || state == OF_SCHEMA_PENDING);
    if (text != NULL && (found.text == NULL || strstr(found.text, text) == NULL))
        fail_msg("\"%s\" does not say \"%s\"", found.text != NULL ? found.text : "", text);
    of_schema_cache_read_end();
    return state;
}

static enum of_schema_state
find(struct of_schema_cache *cache, uint32_t id, int64_t now_ns)
{
    return find_text(cache, id, now_ns, NULL);
}

static void
a_schema_is_asked_for_once(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    uint32_t id = of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    assert_int_equal(of_schema_cache_step(cache, START_NS), OF_NEVER_NS);
    for (int i = 0; i < 5; i++)
        assert_int_equal(find(cache, id, START_NS), OF_SCHEMA_PENDING);
    uint64_t version = of_schema_cache_version(cache);
    assert_int_equal(of_schema_cache_step(cache, START_NS), OF_NEVER_NS);
    assert_int_equal(find(cache, id, START_NS), OF_SCHEMA_READY);
    assert_true(of_schema_cache_version(cache) > version);
    assert_int_equal(changes, 1);
    of_schema_cache_step(cache, START_NS + 1000 * OF_SECOND_NS);
    assert_int_equal(find(cache, id, START_NS), OF_SCHEMA_READY);
    assert_int_equal(of_registry_mock_requests(MOCK), 1);
    destroy(cache);
}

static void
the_plan_outlives_the_read_section(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    uint32_t id = of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    find(cache, id, START_NS);
    of_schema_cache_step(cache, START_NS);
    struct of_schema_found found;
    of_schema_cache_read_begin();
    assert_int_equal(of_schema_cache_find(cache, of_schema_key_id(id), START_NS, &found), OF_SCHEMA_READY);
    of_schema_cache_read_end();
    for (uint32_t other = 50; other < 60; other++) {
        find(cache, other, START_NS);
        of_schema_cache_step(cache, START_NS);
    }
    struct of_decoded order;
    assert_int_equal(of_plan_decode(found.plan, of_slice_of("\2a\2b\0\0\x80\x3f", 8), &order), OF_DECODE_OK);
    assert_true(order.value == 1);
    destroy(cache);
}

static void
an_unknown_id_is_confirmed_and_asked_again_after_30_s(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    int64_t now = START_NS;
    find(cache, 1, now);
    assert_int_equal(of_schema_cache_step(cache, now), now + 500 * OF_MS_NS);
    assert_int_equal(find(cache, 1, now), OF_SCHEMA_PENDING);
    assert_int_equal(of_schema_cache_step(cache, now + 499 * OF_MS_NS), now + 500 * OF_MS_NS);
    assert_int_equal(of_registry_mock_requests(MOCK), 1);
    now += 500 * OF_MS_NS;
    assert_int_equal(of_schema_cache_step(cache, now), OF_NEVER_NS);
    assert_int_equal(find_text(cache, 1, now, "no schema with id 1"), OF_SCHEMA_UNKNOWN);
    assert_int_equal(changes, 1);

    now += 30 * OF_SECOND_NS - 1;
    assert_int_equal(find(cache, 1, now), OF_SCHEMA_UNKNOWN);
    assert_int_equal(find(cache, 1, now + 1), OF_SCHEMA_PENDING);
    of_schema_cache_step(cache, now + 1); /* one answer is enough this time */
    assert_int_equal(find(cache, 1, now + 1), OF_SCHEMA_UNKNOWN);
    assert_int_equal(of_registry_mock_requests(MOCK), 3);

    of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    now += 31 * OF_SECOND_NS;
    assert_int_equal(find(cache, 1, now), OF_SCHEMA_PENDING);
    of_schema_cache_step(cache, now);
    assert_int_equal(find(cache, 1, now), OF_SCHEMA_READY);
    destroy(cache);
}

static void
an_id_registered_between_the_two_answers_is_found(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    find(cache, 1, START_NS);
    int64_t now = of_schema_cache_step(cache, START_NS);
    of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    of_schema_cache_step(cache, now);
    assert_int_equal(find(cache, 1, now), OF_SCHEMA_READY);
    destroy(cache);
}

static void
what_the_registry_answers_decides_the_state(void **state)
{
    (void)state;
    static const struct {
        long status;
        const char *body;
        enum of_schema_state expected;
        const char *text;
    } rows[] = {
        { OF_MOCK_SILENT, NULL, OF_SCHEMA_UNAVAILABLE, "connection refused" },
        { 500, "{\"error_code\":50001,\"message\":\"store\"}", OF_SCHEMA_UNAVAILABLE, "answers 500: store" },
        { 408, NULL, OF_SCHEMA_UNAVAILABLE, "408" },
        { 425, NULL, OF_SCHEMA_UNAVAILABLE, "425" },
        { 429, NULL, OF_SCHEMA_UNAVAILABLE, "429" },
        { 503, "<html>", OF_SCHEMA_UNAVAILABLE, "503" },
        { 200, "<html>", OF_SCHEMA_UNAVAILABLE, "set --registry" },
        { 200, "{}", OF_SCHEMA_UNAVAILABLE, "set --registry" },
        { 404, NULL, OF_SCHEMA_UNAVAILABLE, "base path" },
        { 404, "{\"error_code\":0,\"message\":\"no such path\"}", OF_SCHEMA_UNAVAILABLE, "no such path" },
        { 404, "{\"error_code\":40403,\"message\":\"none\"}", OF_SCHEMA_PENDING, NULL },
        { 401, NULL, OF_SCHEMA_DENIED, "--registry-user" },
        { 403, "{\"error_code\":40301,\"message\":\"no rights\"}", OF_SCHEMA_DENIED, "no rights" },
        { 200, "{\"schema\":\"x\",\"schemaType\":\"JSON\"}", OF_SCHEMA_UNRESOLVABLE, "only AVRO" },
        { 200, "{\"schema\":\"x\",\"references\":[{\"name\":\"a\"}]}", OF_SCHEMA_UNRESOLVABLE, "without subject" },
        { 200, "{\"schema\":\"x\",\"references\":[]}", OF_SCHEMA_UNRESOLVABLE, "not valid JSON" },
        { 200, "{\"schema\":\"\\\"string\\\"\"}", OF_SCHEMA_UNRESOLVABLE, "schema id 7: " },
        { 200, "{\"schema\":\"" "{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"fields\\\":[]}\"}",
          OF_SCHEMA_UNRESOLVABLE, "no field \"price\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct of_schema_cache *cache = create(false);
        of_registry_mock_inject(MOCK, rows[i].status, rows[i].body, 1);
        find(cache, 7, START_NS);
        of_schema_cache_step(cache, START_NS);
        if (find_text(cache, 7, START_NS, rows[i].text) != rows[i].expected)
            fail_msg("row %zu: not %s", i, of_schema_state_name(rows[i].expected));
        destroy(cache);
    }
}

static void
what_is_unavailable_is_retried_with_back_off_until_it_recovers(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    uint32_t id = of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    of_registry_mock_inject(MOCK, 503, NULL, OF_MOCK_FOREVER);
    find(cache, id, START_NS);
    int64_t now = START_NS, back_off = 100 * OF_MS_NS;
    for (int retry = 0; retry < 9; retry++) {
        int64_t next = of_schema_cache_step(cache, now);
        next = of_schema_cache_step(cache, now); /* nothing more at that time */
        assert_in_range(next - now, back_off / 2, back_off);
        assert_int_equal(find(cache, id, now), OF_SCHEMA_UNAVAILABLE);
        assert_int_equal(of_registry_mock_requests(MOCK), retry + 1);
        now = next;
        back_off = 2 * back_off < 5 * OF_SECOND_NS ? 2 * back_off : 5 * OF_SECOND_NS;
    }
    assert_int_equal(changes, 1);
    of_registry_mock_inject(MOCK, 401, NULL, OF_MOCK_FOREVER);
    now = of_schema_cache_step(cache, now);
    now = of_schema_cache_step(cache, now);
    assert_int_equal(find(cache, id, now), OF_SCHEMA_DENIED);
    assert_int_equal(changes, 2);
    of_registry_mock_inject(MOCK, 0, NULL, 0);
    of_schema_cache_step(cache, now + 5 * OF_SECOND_NS);
    assert_int_equal(find(cache, id, now), OF_SCHEMA_READY);
    assert_int_equal(changes, 3);
    destroy(cache);
}

static void
what_nobody_wants_is_no_longer_retried(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    of_registry_mock_inject(MOCK, OF_MOCK_SILENT, NULL, OF_MOCK_FOREVER);
    find(cache, 1, START_NS);
    int64_t now = START_NS;
    for (int i = 0; i < 100 && now != OF_NEVER_NS; i++)
        now = of_schema_cache_step(cache, now);
    assert_int_equal(now, OF_NEVER_NS);
    assert_int_equal(changes, 2); /* unavailable, then forgotten: whoever waits asks again */
    uint64_t requests = of_registry_mock_requests(MOCK);
    assert_in_range(requests, 10, 40);
    assert_int_equal(find(cache, 1, START_NS + 100 * OF_SECOND_NS), OF_SCHEMA_PENDING);
    of_schema_cache_step(cache, START_NS + 100 * OF_SECOND_NS);
    assert_int_equal(of_registry_mock_requests(MOCK), requests + 1);
    destroy(cache);
}

static void
hostile_ids_push_out_each_other_and_no_plan(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    uint32_t good = of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    enum { FIRST = 1000, HOSTILE = 10010, LIMIT = 10000, AT_ONCE = 200 };
    find(cache, good, START_NS);
    int64_t now = START_NS;
    of_schema_cache_step(cache, now);
    for (uint32_t id = FIRST; id < FIRST + HOSTILE; id += AT_ONCE) {
        for (uint32_t k = id; k < id + AT_ONCE && k < FIRST + HOSTILE; k++) {
            find(cache, k, now);
            if (k % 10 == 0) /* the table of wanted ids is bounded as well */
                of_schema_cache_step(cache, now);
        }
        of_schema_cache_step(cache, now);
        of_schema_cache_step(cache, now + 500 * OF_MS_NS);
        now += 1;
    }
    now = START_NS + OF_SECOND_NS;
    uint64_t requests = of_registry_mock_requests(MOCK);
    assert_int_equal(requests, 1 + 2 * HOSTILE);
    assert_int_equal(find(cache, good, now), OF_SCHEMA_READY);
    assert_int_equal(find(cache, FIRST + HOSTILE - 1, now), OF_SCHEMA_UNKNOWN);
    size_t kept = 0;
    for (uint32_t id = FIRST; id < FIRST + HOSTILE; id++)
        kept += find(cache, id, now) == OF_SCHEMA_UNKNOWN;
    assert_int_equal(kept, LIMIT - 1);
    assert_int_equal(find(cache, FIRST, now), OF_SCHEMA_PENDING); /* the oldest went first */
    destroy(cache);
}

static void
a_waiting_id_that_makes_room_is_a_change(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    of_registry_mock_inject(MOCK, OF_MOCK_SILENT, NULL, OF_MOCK_FOREVER);
    enum { LIMIT = 10000 };
    int64_t now = START_NS;
    for (uint32_t id = 1; id <= LIMIT; id++) {
        find(cache, id, now);
        if (id % 10 == 0)
            of_schema_cache_step(cache, now);
        now++;
    }
    assert_int_equal(changes, LIMIT);
    assert_int_equal(find(cache, 1, now), OF_SCHEMA_UNAVAILABLE);
    find(cache, LIMIT + 1, now);
    of_schema_cache_step(cache, now);
    assert_int_equal(changes, LIMIT + 2); /* one was forgotten, one became unavailable */
    assert_int_equal(find(cache, 1, now), OF_SCHEMA_PENDING);
    destroy(cache);
}

static void
a_guid_and_an_id_are_two_keys(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    uint32_t id = of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    struct of_schema_key guid = of_registry_mock_guid(id), same_bits = { .low = id, .is_guid = true };
    struct of_schema_found found;
    find(cache, id, START_NS);
    of_schema_cache_step(cache, START_NS);
    assert_int_equal(find(cache, id, START_NS), OF_SCHEMA_READY);
    of_schema_cache_read_begin();
    assert_int_equal(of_schema_cache_find(cache, same_bits, START_NS, &found), OF_SCHEMA_PENDING);
    assert_int_equal(of_schema_cache_find(cache, guid, START_NS, &found), OF_SCHEMA_PENDING);
    of_schema_cache_read_end();
    of_schema_cache_step(cache, START_NS);
    of_schema_cache_step(cache, START_NS + OF_SECOND_NS);
    assert_int_equal(of_registry_mock_requests(MOCK), 4); /* the GUID that does not exist twice */
    of_schema_cache_read_begin();
    assert_int_equal(of_schema_cache_find(cache, guid, START_NS, &found), OF_SCHEMA_READY);
    assert_int_equal(of_schema_cache_find(cache, same_bits, START_NS + OF_SECOND_NS, &found), OF_SCHEMA_UNKNOWN);
    assert_non_null(strstr(found.text, "GUID 00000000-0000-0000-0000-000000000001"));
    of_schema_cache_read_end();
    destroy(cache);
}

static enum of_schema_state
find_guid(struct of_schema_cache *cache, uint32_t id, int64_t now_ns)
{
    struct of_schema_found found;
    of_schema_cache_read_begin();
    enum of_schema_state state = of_schema_cache_find(cache, of_registry_mock_guid(id), now_ns, &found);
    assert_int_equal(found.text != NULL, state == OF_SCHEMA_UNKNOWN);
    of_schema_cache_read_end();
    return state;
}

static void
a_registry_without_guids_is_asked_once_a_minute(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    uint32_t id = of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    of_registry_mock_inject(MOCK, 404, NULL, 1); /* no such path; but /schemas/types is there */
    assert_int_equal(find_guid(cache, 5, START_NS), OF_SCHEMA_PENDING);
    of_schema_cache_step(cache, START_NS);
    assert_int_equal(find_guid(cache, 5, START_NS), OF_SCHEMA_UNKNOWN);
    assert_int_equal(of_registry_mock_requests(MOCK), 2);
    for (uint32_t other = 6; other < 100; other++)
        assert_int_equal(find_guid(cache, other, START_NS), OF_SCHEMA_UNKNOWN);
    assert_int_equal(find(cache, id, START_NS), OF_SCHEMA_PENDING);
    of_schema_cache_step(cache, START_NS);
    assert_int_equal(find(cache, id, START_NS), OF_SCHEMA_READY);
    assert_int_equal(of_registry_mock_requests(MOCK), 3);
    assert_int_equal(find_guid(cache, 6, START_NS + 60 * OF_SECOND_NS), OF_SCHEMA_PENDING);
    destroy(cache);
}

static void
what_is_denied_is_no_retry_but_asked_again_slowly(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(false);
    uint32_t id = of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    of_registry_mock_inject(MOCK, 401, NULL, OF_MOCK_FOREVER);
    find(cache, id, START_NS);
    int64_t now = START_NS;
    for (int i = 1; i <= 3; i++) {
        int64_t next = of_schema_cache_step(cache, now);
        assert_in_range(next - now, 10 * OF_SECOND_NS, 10 * OF_SECOND_NS + 400 * OF_MS_NS);
        assert_int_equal(of_registry_mock_requests(MOCK), i);
        now = next;
        find(cache, id, now);
    }
    of_registry_mock_inject(MOCK, 0, NULL, 0);
    of_schema_cache_step(cache, now);
    assert_int_equal(find(cache, id, now), OF_SCHEMA_READY);
    destroy(cache);
}

/* ---- a directory ---- */

static char directory[] = "/tmp/orderflow-schemas-XXXXXX";

static struct of_schema_cache *
create_with(const char *path, const char *urls)
{
    struct of_registry_client *client;
    struct of_registry_options registry = { .urls = urls };
    assert_int_equal(of_registry_client_open(&registry, &client, NULL), OF_OK);
    struct of_schema_cache_options options = {
        .fields = { .value = "price", .group_by = "product", .id = "orderId" },
        .max_field_bytes = 100,
        .directory = path,
    };
    struct of_schema_cache *cache;
    struct of_error err = { 0 };
    if (of_schema_cache_create(&options, &client, &cache, &err) != OF_OK)
        fail_msg("%s", err.text);
    of_schema_cache_enter();
    return cache;
}

/* What a new cache over the directory knows about key when its registry does not answer. */
static enum of_schema_state
state_without_registry(struct of_schema_key key, const char *urls)
{
    struct of_schema_cache *cache = create_with(directory, urls);
    struct of_schema_found found;
    of_registry_mock_inject(MOCK, OF_MOCK_SILENT, NULL, OF_MOCK_FOREVER);
    of_registry_mock_inject("other", OF_MOCK_SILENT, NULL, OF_MOCK_FOREVER);
    enum of_schema_state states[2];
    for (int i = 0; i < 2; i++) {
        of_schema_cache_read_begin();
        states[i] = of_schema_cache_find(cache, key, START_NS, &found);
        of_schema_cache_read_end();
        of_schema_cache_step(cache, START_NS);
    }
    assert_int_equal(states[0], OF_SCHEMA_PENDING);
    of_registry_mock_inject(MOCK, 0, NULL, 0);
    destroy(cache);
    return states[1];
}

/* In the directory. */
static void
run_shell(const char *text)
{
    char command[300];
    snprintf(command, sizeof command, "cd %s && %s", directory, text);
    assert_int_equal(system(command), 0);
}

static void
a_directory_keeps_schemas_across_restarts(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    of_registry_mock_reset(MOCK);
    uint32_t id = of_registry_mock_register(MOCK, RECORD("Order", ORDER));
    struct of_schema_key keys[] = { of_schema_key_id(id), of_registry_mock_guid(id) };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(state_without_registry(keys[i], "mock://" MOCK), OF_SCHEMA_UNAVAILABLE);
        struct of_schema_cache *cache = create_with(directory, "mock://" MOCK);
        struct of_schema_found found;
        of_schema_cache_read_begin();
        of_schema_cache_find(cache, keys[i], START_NS, &found);
        of_schema_cache_read_end();
        of_schema_cache_step(cache, START_NS);
        destroy(cache);
        assert_int_equal(state_without_registry(keys[i], "mock://" MOCK), OF_SCHEMA_READY);
        assert_int_equal(state_without_registry(keys[i], "mock://other"), OF_SCHEMA_UNAVAILABLE);
    }
    run_shell("test $(ls -A | wc -l) = 2"); /* and nothing half written */
    run_shell("for f in *; do head -c 30 $f >x && cat x >$f && rm x; done"); /* a disk that was full */
    assert_int_equal(state_without_registry(keys[0], "mock://" MOCK), OF_SCHEMA_UNAVAILABLE);
    struct of_schema_cache *cache = create_with(directory, "mock://" MOCK);
    find(cache, id, START_NS);
    of_schema_cache_step(cache, START_NS);
    assert_int_equal(find(cache, id, START_NS), OF_SCHEMA_READY);
    destroy(cache);
    assert_int_equal(state_without_registry(keys[0], "mock://" MOCK), OF_SCHEMA_READY);
    run_shell("rm -r $PWD");
}

static void
a_directory_that_cannot_be_used_is_refused_at_the_start(void **state)
{
    (void)state;
    struct of_registry_client *client;
    struct of_registry_options registry = { .urls = "mock://" MOCK };
    struct of_schema_cache_options options = { .fields = { "price", "product", "orderId", NULL }, .directory = "/etc/hostname/x" };
    struct of_schema_cache *cache;
    struct of_error err = { 0 };
    assert_int_equal(of_registry_client_open(&registry, &client, NULL), OF_OK);
    assert_int_equal(of_schema_cache_create(&options, &client, &cache, &err), OF_FATAL);
    assert_null(cache);
    assert_non_null(strstr(err.text, "/etc/hostname/x"));
}

/* ---- with threads ---- */

enum { READERS = 4, IDS = 20 };

/* Reads until every good id is ready and every other id unknown, as a decode thread would. */
static void *
read_all(void *ctx)
{
    struct of_schema_cache *cache = ctx;
    of_schema_cache_enter();
    for (uint32_t settled = 0; settled < 2 * IDS;) {
        settled = 0;
        of_schema_cache_read_begin();
        for (uint32_t id = 1; id <= 2 * IDS; id++) {
            struct of_schema_found found;
            enum of_schema_state state =
                of_schema_cache_find(cache, of_schema_key_id(id), of_clock_mono_ns(of_clock_system()), &found);
            struct of_decoded order;
            if (state == OF_SCHEMA_READY)
                settled += of_plan_decode(found.plan, of_slice_of("\0\0\0\0\0\0", 6), &order) == OF_DECODE_OK;
            else if (state == OF_SCHEMA_UNKNOWN)
                settled += found.text != NULL && strstr(found.text, "no schema") != NULL;
        }
        of_schema_cache_read_end();
        usleep(100);
    }
    of_schema_cache_leave();
    return NULL;
}

static void
many_threads_ask_and_the_registry_is_asked_once(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(true);
    for (int i = 0; i < IDS; i++) {
        char schema[300];
        snprintf(schema, sizeof schema, RECORD("Order%d", ORDER), i);
        assert_int_equal(of_registry_mock_register(MOCK, schema), i + 1);
    }
    pthread_t readers[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_all, cache), 0);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(of_registry_mock_requests(MOCK), 3 * IDS); /* the unknown ones twice */
    assert_int_equal(changes, 2 * IDS);
    assert_int_equal(of_schema_cache_stop(cache, of_clock_mono_ns(of_clock_system()) + 5 * OF_SECOND_NS), OF_OK);
    destroy(cache);
}

static void
stop_before_any_request_is_immediate(void **state)
{
    (void)state;
    struct of_schema_cache *cache = create(true);
    int64_t start = of_clock_mono_ns(of_clock_system());
    assert_int_equal(of_schema_cache_stop(cache, start + 5 * OF_SECOND_NS), OF_OK);
    assert_int_equal(of_schema_cache_stop(cache, start), OF_OK);
    assert_in_range(of_clock_mono_ns(of_clock_system()) - start, 0, OF_SECOND_NS);
    destroy(cache);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guid_and_an_id_are_two_keys),
        cmocka_unit_test(a_registry_without_guids_is_asked_once_a_minute),
        cmocka_unit_test(what_is_denied_is_no_retry_but_asked_again_slowly),
        cmocka_unit_test(a_directory_keeps_schemas_across_restarts),
        cmocka_unit_test(a_directory_that_cannot_be_used_is_refused_at_the_start),
        cmocka_unit_test(a_schema_is_asked_for_once),
        cmocka_unit_test(the_plan_outlives_the_read_section),
        cmocka_unit_test(an_unknown_id_is_confirmed_and_asked_again_after_30_s),
        cmocka_unit_test(an_id_registered_between_the_two_answers_is_found),
        cmocka_unit_test(what_the_registry_answers_decides_the_state),
        cmocka_unit_test(what_is_unavailable_is_retried_with_back_off_until_it_recovers),
        cmocka_unit_test(what_nobody_wants_is_no_longer_retried),
        cmocka_unit_test(hostile_ids_push_out_each_other_and_no_plan),
        cmocka_unit_test(a_waiting_id_that_makes_room_is_a_change),
        cmocka_unit_test(many_threads_ask_and_the_registry_is_asked_once),
        cmocka_unit_test(stop_before_any_request_is_immediate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
