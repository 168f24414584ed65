#include "avro/framing.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
what_is_written_is_read(void **state)
{
    (void)state;
    static const uint32_t ids[] = { 0, 1, 255, 256, 0x01020304, INT32_MAX, UINT32_MAX };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        uint8_t bytes[OF_FRAMING_BYTES];
        of_framing_write(bytes, ids[i]);
        uint32_t id;
        size_t body_at;
        assert_true(of_framing_parse(of_slice_of(bytes, sizeof bytes), &id, &body_at));
        assert_int_equal(id, ids[i]);
        assert_int_equal(body_at, 5);
    }
}

static void
bytes_are_big_endian(void **state)
{
    (void)state;
    uint8_t bytes[OF_FRAMING_BYTES];
    of_framing_write(bytes, 0x01020304);
    assert_memory_equal(bytes, "\0\1\2\3\4", sizeof bytes);
}

static void
short_values_and_other_magic_are_refused(void **state)
{
    (void)state;
    uint32_t id;
    size_t body_at;
    assert_false(of_framing_parse(of_slice_of(NULL, 0), &id, &body_at));
    for (size_t length = 0; length < OF_FRAMING_BYTES; length++)
        assert_false(of_framing_parse(of_slice_of("\0\0\0\0\1", length), &id, &body_at));
    for (int magic = 1; magic < 256; magic++) {
        uint8_t bytes[] = { (uint8_t)magic, 0, 0, 0, 1, 0 };
        assert_false(of_framing_parse(of_slice_of(bytes, sizeof bytes), &id, &body_at));
    }
}

/* ---- header or value ---- */

struct headers {
    uint32_t count;
    struct {
        const char *name;
        struct of_slice value;
    } list[4];
};

static bool
header_of(const struct of_record *record, struct of_header_walk *walk, struct of_slice *name,
          struct of_slice *value)
{
    const struct headers *headers = record->ref;
    if (walk->passed == headers->count)
        return false;
    *name = of_slice_str(headers->list[walk->passed].name);
    *value = headers->list[walk->passed++].value;
    return true;
}

static const struct of_chunk_ops ops = { .header = header_of };

#define BYTES(text) { (const uint8_t *)(text), sizeof(text) - 1 }
#define GUID_A "\x15\x49\x31\x72\xf5\x55\x8a\x51\x94\x2a\x7a\x65\x68\x98\x61\x7d"
#define GUID_B "0123456789abcdef"
#define NAME OF_FRAMING_HEADER
#define NOTHING { NULL, 0 }

static void
the_last_header_with_a_value_wins_over_the_value(void **state)
{
    (void)state;
    static const struct {
        struct headers headers;
        struct of_slice value;
        const char *key; /* NULL: bad framing */
        uint8_t body_at;
    } rows[] = {
        { { 0 }, BYTES("\0\0\0\0\x11x"), "17", 5 },
        { { 0 }, BYTES("\1" GUID_A "x"), "15493172-f555-8a51-942a-7a656898617d", 17 },
        { { 0 }, BYTES("\1" GUID_A), "15493172-f555-8a51-942a-7a656898617d", 17 },
        { { 0 }, BYTES("\1" "0123456789abcde"), NULL, 0 },
        { { 0 }, BYTES("\2" GUID_A), NULL, 0 },
        { { 0 }, BYTES(""), NULL, 0 },
        { { 1, { { NAME, BYTES("\1" GUID_A) } } }, BYTES("\0\0\0\0\x11x"), "15493172-f555-8a51-942a-7a656898617d", 0 },
        { { 1, { { NAME, BYTES("\1" GUID_A) } } }, BYTES(""), "15493172-f555-8a51-942a-7a656898617d", 0 },
        { { 1, { { NAME, BYTES("\0\0\0\0\7") } } }, BYTES("x"), "7", 0 },
        { { 3, { { NAME, BYTES("\1" GUID_A) }, { NAME, BYTES("\1" GUID_B) }, { "other", BYTES("x") } } }, BYTES("x"),
          "30313233-3435-3637-3839-616263646566", 0 },
        { { 3, { { NAME, BYTES("\1" GUID_B) }, { NAME, NOTHING }, { NAME, BYTES("") } } }, BYTES("x"),
          "30313233-3435-3637-3839-616263646566", 0 },
        { { 2, { { "__key_schema_id", BYTES("\1" GUID_A) }, { NAME, NOTHING } } }, BYTES("\0\0\0\0\x11x"), "17", 5 },
        { { 1, { { NAME, BYTES("\1" GUID_A "x") } } }, BYTES("\0\0\0\0\x11x"), NULL, 0 }, /* who knows what that is */
        { { 1, { { NAME, BYTES("17") } } }, BYTES("\0\0\0\0\x11x"), NULL, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct of_record record = { .value = rows[i].value, .ref = &rows[i].headers };
        struct of_framing framing;
        char text[OF_SCHEMA_KEY_TEXT_BYTES];
        bool found = of_framing_find(&ops, &record, &framing);
        if (found != (rows[i].key != NULL))
            fail_msg("row %zu: %s", i, found ? "found" : "not found");
        if (found) {
            assert_string_equal(of_schema_key_print(framing.key, text), rows[i].key);
            assert_int_equal(framing.body_at, rows[i].body_at);
        }
    }
}

static void
keys_have_an_order(void **state)
{
    (void)state;
    const struct of_schema_key keys[] = {
        of_schema_key_id(0),
        of_schema_key_id(UINT32_MAX),
        { .low = 0, .is_guid = true },
        { .low = UINT64_MAX, .is_guid = true },
        { .high = 1, .is_guid = true },
    };
    enum { COUNT = sizeof keys / sizeof *keys };
    for (int a = 0; a < COUNT; a++)
        for (int b = 0; b < COUNT; b++) {
            assert_int_equal(of_schema_key_before(keys[a], keys[b]), a < b);
            assert_int_equal(of_schema_key_equal(keys[a], keys[b]), a == b);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(bytes_are_big_endian),
        cmocka_unit_test(short_values_and_other_magic_are_refused),
        cmocka_unit_test(the_last_header_with_a_value_wins_over_the_value),
        cmocka_unit_test(keys_have_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
