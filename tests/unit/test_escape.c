#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/escape.h"

#define BYTES(literal) of_slice_of("" literal, sizeof(literal) - 1)

static const struct {
    struct of_slice bytes;
    const char *text, *terminal;
} rows[] = {
    { { (const uint8_t *)"", 0 }, "", "" },
    { { (const uint8_t *)"Laptop", 6 }, "Laptop", "Laptop" },
    { { (const uint8_t *)"Kaffee \xE2\x82\xAC \xF0\x9F\x98\x80", 15 }, "Kaffee \xE2\x82\xAC \xF0\x9F\x98\x80",
      "Kaffee \xE2\x82\xAC \xF0\x9F\x98\x80" },
    { { (const uint8_t *)"a\xFF" "b", 3 }, "a\\xFFb", "a\\xFFb" },
    { { (const uint8_t *)"\xC0\x80", 2 }, "\\xC0\\x80", "\\xC0\\x80" },             /* overlong */
    { { (const uint8_t *)"\xED\xA0\x80", 3 }, "\\xED\\xA0\\x80", "\\xED\\xA0\\x80" }, /* surrogate */
    { { (const uint8_t *)"\xF4\x90\x80\x80", 4 }, "\\xF4\\x90\\x80\\x80", "\\xF4\\x90\\x80\\x80" },
    { { (const uint8_t *)"\xE2\x82", 2 }, "\\xE2\\x82", "\\xE2\\x82" }, /* cut */
    { { (const uint8_t *)"AC\\DC", 5 }, "AC\\DC", "AC\\DC" },
    { { (const uint8_t *)"\\xFF", 4 }, "\\x5CxFF", "\\x5CxFF" }, /* text that looks like an escape */
    { { (const uint8_t *)"\\\xFF", 2 }, "\\\\xFF", "\\\\xFF" },
    { { (const uint8_t *)"a\n\x1B[2J\x7F", 7 }, "a\n\x1B[2J\x7F", "a\\x0A\\x1B[2J\\x7F" },
    { { (const uint8_t *)"\xC2\x9B" "1m", 4 }, "\xC2\x9B" "1m", "\\xC2\\x9B1m" },          /* C1 */
    { { (const uint8_t *)"\xE2\x80\xAE", 3 }, "\xE2\x80\xAE", "\\xE2\\x80\\xAE" },          /* right-to-left override */
};

static void
escapes_what_must_be_escaped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[256];
        size_t length = of_escape(OF_ESCAPE_TEXT, rows[i].bytes, out, sizeof out);
        assert_string_equal(out, rows[i].text);
        assert_int_equal(length, strlen(rows[i].text));
        of_escape(OF_ESCAPE_TERMINAL, rows[i].bytes, out, sizeof out);
        assert_string_equal(out, rows[i].terminal);
    }
}

static int
hex(char c)
{
    return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* The documented rule, and nothing else. */
static size_t
turn_back(const char *text, size_t length, uint8_t *out)
{
    size_t written = 0;
    for (size_t i = 0; i < length; written++)
        if (i + 3 < length && text[i] == '\\' && text[i + 1] == 'x') {
            out[written] = (uint8_t)(hex(text[i + 2]) << 4 | hex(text[i + 3]));
            i += 4;
        } else
            out[written] = (uint8_t)text[i++];
    return written;
}

static void
every_byte_string_comes_back(void **state)
{
    (void)state;
    static const uint8_t letters[] = { '\\', 'x', 'F', '5', 'C', 0, 0xFF, 0xC3, 0xA4, 0xE2, 0x80, 0xAE };
    srand(7);
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[24], back[24 * 4];
        char text[24 * 4 + 1];
        size_t length = (size_t)rand() % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] = letters[(size_t)rand() % sizeof letters];
        enum of_escape how = round % 2 ? OF_ESCAPE_TEXT : OF_ESCAPE_TERMINAL;
        size_t written = of_escape(how, of_slice_of(bytes, length), text, sizeof text);
        assert_int_equal(turn_back(text, written, back), length);
        assert_memory_equal(back, bytes, length);
        for (size_t at = 0, step; at < written; at += step) {
            step = of_utf8_length(of_slice_of(text + at, written - at));
            assert_true(step > 0);
        }
    }
}

static void
cuts_between_characters(void **state)
{
    (void)state;
    char out[8];
    assert_int_equal(of_escape(OF_ESCAPE_TEXT, BYTES("12345\xE2\x82\xAC"), out, sizeof out), 5);
    assert_int_equal(of_escape(OF_ESCAPE_TEXT, BYTES("1234\xFF"), out, sizeof out), 4);
    assert_int_equal(of_escape(OF_ESCAPE_TEXT, BYTES("123\xFF"), out, sizeof out), 7);
    assert_string_equal(out, "123\\xFF");
    assert_int_equal(of_escape(OF_ESCAPE_TEXT, BYTES("1"), out, 1), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_what_must_be_escaped),
        cmocka_unit_test(every_byte_string_comes_back),
        cmocka_unit_test(cuts_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
