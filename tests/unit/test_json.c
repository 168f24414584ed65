#include <float.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ops/json.h"

static char *text;
static size_t size;
static FILE *out;
static struct of_json json;

static int
open_text(void **state)
{
    (void)state;
    out = open_memstream(&text, &size);
    json = of_json_to(out);
    return out == NULL;
}

static int
close_text(void **state)
{
    (void)state;
    fclose(out);
    free(text);
    return 0;
}

static void
objects_nest(void **state)
{
    (void)state;
    of_json_open(&json, NULL, '{');
    of_json_string(&json, "a", "x");
    of_json_open(&json, "b", '[');
    of_json_int(&json, NULL, -1);
    of_json_count(&json, NULL, UINT64_MAX);
    of_json_close(&json, ']');
    of_json_open_text(&json, of_slice_str("c\"\xFF"));
    of_json_close(&json, '}');
    of_json_bool(&json, "d", true);
    of_json_string(&json, "e", NULL);
    of_json_close(&json, '}');
    of_json_end_line(&json);
    of_json_open(&json, NULL, '{');
    of_json_close(&json, '}');
    fflush(out);
    assert_string_equal(text,
                        "{\"a\":\"x\",\"b\":[-1,18446744073709551615],\"c\\\"\\\\xFF\":{},\"d\":true,\"e\":null}\n{}");
}

static void
doubles_read_back(void **state)
{
    (void)state;
    static const double doubles[] = { 0, -0.0, 0.1, 1.0 / 3, 756.32000732421875,
                                      DBL_MAX, DBL_MIN, 5e-324, 1e21, -1e-7 };
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        rewind(out);
        json.comma = false;
        of_json_number(&json, NULL, doubles[i]);
        putc('\0', out);
        fflush(out);
        assert_true(strtod(text, NULL) == doubles[i]);
    }
    rewind(out);
    json.comma = false;
    of_json_number(&json, NULL, 0.1);
    of_json_number(&json, NULL, NAN);
    of_json_number(&json, NULL, -INFINITY);
    putc('\0', out);
    fflush(out);
    assert_string_equal(text, "0.1,null,null");
}

/* Long texts are escaped in pieces: nothing may be cut in two between them. */
static void
pieces_cut_nothing(void **state)
{
    (void)state;
    static const char *const units[] = { "\\x41", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xFF", "\\" };
    static const char *const expected[] = { "\\x5Cx41", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\\xFF", "\\" };
    for (size_t u = 0; u < 5; u++)
        for (size_t shift = 0; shift < 8; shift++) {
            char bytes[2048] = "", wanted[4096] = "";
            for (size_t i = 0; i < shift; i++)
                strcat(bytes, "a"), strcat(wanted, "a");
            for (size_t i = 0; i < 300; i++)
                strcat(bytes, units[u]), strcat(wanted, expected[u]);
            rewind(out);
            json.comma = false;
            of_json_open(&json, NULL, '{');
            of_json_string(&json, "t", bytes);
            of_json_close(&json, '}');
            putc('\0', out);
            fflush(out);
            json_t *object = json_loads(text, 0, NULL);
            assert_non_null(object);
            assert_string_equal(json_string_value(json_object_get(object, "t")), wanted);
            json_decref(object);
        }
}

static void
random_bytes_are_valid_lines(void **state)
{
    (void)state;
    srand(3);
    for (int round = 0; round < 2000; round++) {
        uint8_t bytes[600];
        size_t length = (size_t)rand() % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)rand();
        rewind(out);
        json.comma = false;
        of_json_open(&json, NULL, '[');
        of_json_text(&json, NULL, of_slice_of(bytes, length));
        of_json_close(&json, ']');
        of_json_end_line(&json);
        putc('\0', out);
        fflush(out);
        assert_true(strchr(text, '\n') == text + strlen(text) - 1);
        json_t *array = json_loads(text, JSON_ALLOW_NUL, NULL);
        assert_non_null(array);
        json_decref(array);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_nest, open_text, close_text),
        cmocka_unit_test_setup_teardown(doubles_read_back, open_text, close_text),
        cmocka_unit_test_setup_teardown(pieces_cut_nothing, open_text, close_text),
        cmocka_unit_test_setup_teardown(random_bytes_are_valid_lines, open_text, close_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
