#include "stages/letter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "order/retry_header.h"

/* A record with the headers that a test gives it: a NULL name ends them. */
static bool
header_of(const struct of_record *record, struct of_header_walk *walk, struct of_slice *name,
          struct of_slice *value)
{
    const struct of_header *headers = record->ref;
    if (headers[walk->passed].name == NULL)
        return false;
    *name = of_slice_str(headers[walk->passed].name);
    *value = headers[walk->passed++].value;
    return true;
}

static const struct of_chunk_ops ops = { .header = header_of };

static const struct of_header foreign[] = {
    { "trace", { (const uint8_t *)"1", 1 } },
    { OF_RETRY_HEADER_NAME, { (const uint8_t *)"old", 3 } },
    { "nothing", { NULL, 0 } },
    { "__orderflow.errors.cause", { (const uint8_t *)"old", 3 } },
    { "trace", { (const uint8_t *)"2", 1 } },
    { "__orderflow.error", { (const uint8_t *)"not ours", 8 } },
    { NULL, { NULL, 0 } },
};
static const struct of_header none[] = { { NULL, { NULL, 0 } } };

static struct of_letter_facts
facts_of(int64_t first_failed_ms)
{
    return (struct of_letter_facts) {
        .origin = { .topic = of_slice_str("orders"), .partition = 7, .attempts = 1, .offset = 41, .timestamp_ms = 1000,
                    .first_failed_ms = first_failed_ms },
        .group = of_slice_str("group"),
        .cause = OF_CAUSE_SIMULATED,
        .attempts = 2,
        .now_ms = 5000,
        .due_ms = 7000,
        .stage = "process",
        .message = "it failed",
        .has_schema_id = true,
        .schema_id = { .low = 3 },
    };
}

static const struct of_header *
find(const struct of_outgoing *out, const char *name)
{
    for (uint32_t i = 0; i < out->header_count; i++)
        if (strcmp(out->headers[i].name, name) == 0)
            return &out->headers[i];
    return NULL;
}

static void
assert_header(const struct of_outgoing *out, const char *name, const char *wanted)
{
    char full[64];
    snprintf(full, sizeof full, "__orderflow.errors.%s", name);
    const struct of_header *header = find(out, full);
    if (wanted == NULL) {
        assert_null(header);
        return;
    }
    assert_non_null(header);
    assert_true(of_slice_equal(header->value, of_slice_str(wanted)));
}

/* Foreign headers in their order, twice where they were twice, before our own. */
static void
assert_foreign(const struct of_outgoing *out)
{
    static const int kept[] = { 0, 2, 4, 5 };
    for (uint32_t i = 0; i < 4; i++) {
        assert_string_equal(out->headers[i].name, foreign[kept[i]].name);
        assert_true(of_slice_equal(out->headers[i].value, foreign[kept[i]].value));
    }
}

static void
test_a_retry_record_carries_one_packed_header(void **state)
{
    (void)state;
    struct of_letter *letter = of_letter_create();
    const struct of_record record = { .key = of_slice_str("k"), .value = of_slice_str("v"), .ref = foreign };
    for (int round = 0; round < 2; round++) { /* the letter is used again; failed before, or now for the first time */
        struct of_letter_facts facts = facts_of(round == 0 ? 4000 : -1);
        const struct of_outgoing *out = of_letter_retry(letter, &ops, &record, &facts);
        assert_int_equal(out->destination, OF_TO_RETRY);
        assert_int_equal(out->timestamp_ms, facts.now_ms);
        assert_int_equal(out->partition, 7);
        assert_true(of_slice_equal(out->key, record.key) && of_slice_equal(out->value, record.value));
        assert_int_equal(out->header_count, 5);
        assert_foreign(out);
        struct of_retry_header packed;
        assert_true(of_retry_header_parse(find(out, OF_RETRY_HEADER_NAME)->value, &packed));
        assert_true(of_slice_equal(packed.group, facts.group));
        assert_true(of_slice_equal(packed.origin_topic, facts.origin.topic));
        assert_int_equal(packed.origin_partition, 7);
        assert_int_equal(packed.origin_offset, 41);
        assert_int_equal(packed.origin_timestamp_ms, 1000);
        assert_int_equal(packed.attempts, 2);
        assert_int_equal(packed.due_ms, 7000);
        assert_int_equal(packed.first_failed_ms, round == 0 ? 4000 : 5000);
        assert_int_equal(packed.cause, OF_CAUSE_SIMULATED);
    }
    of_letter_destroy(&letter);
    assert_null(letter);
}

static void
test_a_dead_letter_tells_everything(void **state)
{
    (void)state;
    static const char *const wanted[][2] = {
        { "topic", "orders" }, { "partition", "7" }, { "offset", "41" }, { "timestamp", "1000" }, { "group", "group" },
        { "attempts", "2" }, { "class", "transient" }, { "cause", "simulated" }, { "stage", "process" },
        { "first_failed", "4000" }, { "last_failed", "5000" }, { "schema_id", "3" }, { "message", "it failed" },
    };
    enum { WANTED = sizeof wanted / sizeof *wanted };
    struct of_letter *letter = of_letter_create();
    const struct of_record record = { .key = { NULL, 0 }, .value = of_slice_str("v"), .ref = foreign };
    struct of_letter_facts facts = facts_of(4000);
    const struct of_outgoing *out = of_letter_dead(letter, &ops, &record, &facts, OF_LETTER_WHOLE);
    assert_int_equal(out->destination, OF_TO_DEAD_LETTER);
    assert_int_equal(out->header_count, 4 + WANTED);
    assert_foreign(out);
    for (int i = 0; i < WANTED; i++)
        assert_header(out, wanted[i][0], wanted[i][1]);
    assert_null(out->key.data);
    facts.has_schema_id = false;
    assert_header(of_letter_dead(letter, &ops, &record, &facts, OF_LETTER_WHOLE), "schema_id", NULL);
    of_letter_destroy(&letter);
}

static void
test_a_dead_letter_shrinks_step_by_step(void **state)
{
    (void)state;
    static uint8_t value[2000], key[OF_LETTER_KEPT_BYTES + 1];
    memset(value, 'x', sizeof value);
    memset(key, 'k', sizeof key);
    static const struct {
        bool message, foreign, whole;
    } steps[OF_LETTER_SIZES] = {
        [OF_LETTER_WHOLE] = { true, true, true },
        [OF_LETTER_NO_MESSAGE] = { false, true, true },
        [OF_LETTER_OWN_HEADERS] = { false, false, true },
        [OF_LETTER_DIGEST] = { false, false, false },
    };
    struct of_letter *letter = of_letter_create();
    const struct of_record record = { .key = of_slice_of(key, sizeof key), .value = of_slice_of(value, sizeof value),
                                      .ref = foreign };
    struct of_letter_facts facts = facts_of(-1);
    for (int size = 0; size < OF_LETTER_SIZES; size++) {
        const struct of_outgoing *out = of_letter_dead(letter, &ops, &record, &facts, (enum of_letter_size)size);
        assert_header(out, "message", steps[size].message ? "it failed" : NULL);
        assert_header(out, "cause", "simulated");
        assert_true((find(out, "trace") != NULL) == steps[size].foreign);
        assert_int_equal(out->value.length, steps[size].whole ? sizeof value : OF_LETTER_KEPT_BYTES);
        assert_int_equal(out->key.length, steps[size].whole ? sizeof key : OF_LETTER_KEPT_BYTES);
        assert_header(out, "value_bytes", steps[size].whole ? NULL : "2000");
        assert_header(out, "key_bytes", steps[size].whole ? NULL : "1025");
        assert_header(out, "value_sha256", steps[size].whole ? NULL :
                      "5c0e0ea421571c300b5df6aec0a118b5c3dc02e0683a546341d5efc689df2f58");
        assert_header(out, "key_sha256", steps[size].whole ? NULL :
                      "011cc8dcade24f43d2d7f95605d8481da1d0b86475def49be02bfc20cee86e65");
    }
    of_letter_destroy(&letter);
}

/* What is short enough to be kept whole needs no digest. */
static void
test_short_payloads_are_never_cut(void **state)
{
    (void)state;
    static uint8_t value[OF_LETTER_KEPT_BYTES];
    struct of_letter *letter = of_letter_create();
    const struct of_record record = { .key = { NULL, 0 }, .value = of_slice_of(value, sizeof value), .ref = none };
    struct of_letter_facts facts = facts_of(-1);
    const struct of_outgoing *out = of_letter_dead(letter, &ops, &record, &facts, OF_LETTER_DIGEST);
    assert_int_equal(out->value.length, sizeof value);
    assert_header(out, "value_sha256", NULL);
    assert_header(out, "key_sha256", NULL);
    of_letter_destroy(&letter);
}

/* A message longer than the letter's room is cut; nothing else is. */
static void
test_a_long_message_is_cut(void **state)
{
    (void)state;
    static char message[10000];
    memset(message, 'm', sizeof message - 1);
    struct of_letter *letter = of_letter_create();
    const struct of_record record = { .key = { NULL, 0 }, .value = { NULL, 0 }, .ref = none };
    struct of_letter_facts facts = facts_of(-1);
    facts.message = message;
    const struct of_outgoing *out = of_letter_dead(letter, &ops, &record, &facts, OF_LETTER_WHOLE);
    const struct of_header *header = find(out, "__orderflow.errors.message");
    assert_true(header->value.length > 1000 && header->value.length < sizeof message - 1);
    assert_memory_equal(header->value.data, message, header->value.length);
    assert_header(out, "last_failed", "5000");
    of_letter_destroy(&letter);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_retry_record_carries_one_packed_header),
        cmocka_unit_test(test_a_dead_letter_tells_everything),
        cmocka_unit_test(test_a_dead_letter_shrinks_step_by_step),
        cmocka_unit_test(test_short_payloads_are_never_cut),
        cmocka_unit_test(test_a_long_message_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
