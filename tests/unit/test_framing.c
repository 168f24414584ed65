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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(bytes_are_big_endian),
        cmocka_unit_test(short_values_and_other_magic_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
