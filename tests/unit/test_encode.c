#include "avro/encode.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "avro/framing.h"
#include "avro/plan.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[" fields "]}"
#define CLASSIC RECORD(FIELD("orderId", "string") "," FIELD("product", "string") "," FIELD("price", "float"))
#define TURNED RECORD(FIELD("price", "double") "," FIELD("product", "string") "," FIELD("orderId", "string"))

/* In the order of CLASSIC's fields. */
static enum of_status
encode(struct of_encoder *encoder, uint32_t schema_id, struct of_slice id, struct of_slice product, double price,
       uint8_t *bytes, size_t size, size_t *written, struct of_error *err)
{
    bool turned = strcmp(of_encoder_field_name(encoder, 0), "price") == 0;
    struct of_cell cells[] = { of_cell_text(id), of_cell_text(product), of_cell_real(price) };
    struct of_cell other[] = { cells[2], cells[1], cells[0] };
    return of_encoder_encode(encoder, schema_id, turned ? other : cells, bytes, size, written, err);
}

static struct of_encoder *
create(const char *schema)
{
    struct of_encoder *encoder;
    struct of_error err = { 0 };
    if (of_encoder_create(of_slice_str(schema), &encoder, &err) != OF_OK)
        fail_msg("%s", err.text);
    return encoder;
}

static void
an_order_has_the_bytes_of_the_format(void **state)
{
    (void)state;
    struct of_encoder *encoder = create(CLASSIC);
    uint8_t bytes[64];
    size_t written;
    const char id[] = { '1', '0', '0', '1' }, product[] = { 'T', 'V' }; /* without NUL */
    assert_int_equal(encode(encoder, 258, of_slice_of(id, 4), of_slice_of(product, 2), 1.5, bytes,
                                       sizeof bytes, &written, NULL),
                     OF_OK);
    static const char expected[] = "\0\0\0\1\2\x08" "1001" "\4TV" "\0\0\xc0\x3f";
    assert_int_equal(written, sizeof expected - 1);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
    of_encoder_destroy(&encoder);
    of_encoder_destroy(&encoder);
}

static void
what_is_encoded_is_decoded(void **state)
{
    (void)state;
    static const char *const schemas[] = { CLASSIC, TURNED };
    static const struct of_plan_fields fields = { .value = "price", .group_by = "product", .id = "orderId" };
    static const double prices[] = { 0, -0.0, 0.25, -1e30, INFINITY };
    static const struct of_slice texts[] = { { (const uint8_t *)"", 0 },
                                             { (const uint8_t *)"a\0b", 3 },
                                             { (const uint8_t *)"\xc3\xa9", 2 } };
    for (size_t s = 0; s < COUNT_OF(schemas); s++) {
        struct of_encoder *encoder = create(schemas[s]);
        struct of_plan *plan;
        assert_int_equal(of_plan_compile(of_slice_str(schemas[s]), &fields, 100, &plan, NULL), OF_OK);
        for (size_t i = 0; i < COUNT_OF(prices) * COUNT_OF(texts) * COUNT_OF(texts); i++) {
            double price = s == 0 ? (double)(float)prices[i % COUNT_OF(prices)] : prices[i % COUNT_OF(prices)];
            struct of_slice id = texts[i % COUNT_OF(texts)], product = texts[i / COUNT_OF(texts) % COUNT_OF(texts)];
            uint8_t bytes[64];
            size_t written;
            assert_int_equal(encode(encoder, 7, id, product, price, bytes, sizeof bytes, &written, NULL),
                             OF_OK);
            struct of_decoded order;
            assert_int_equal(of_plan_decode(plan, of_slice_of(bytes + 5, written - 5), &order), OF_DECODE_OK);
            assert_true(of_slice_equal(order.id, id));
            assert_true(of_slice_equal(order.group, product));
            assert_true(order.value == price && signbit(order.value) == signbit(price));
        }
        of_plan_destroy(&plan);
        of_encoder_destroy(&encoder);
    }
}

static void
no_room_is_an_error_and_nothing_is_written_behind_the_end(void **state)
{
    (void)state;
    struct of_encoder *encoder = create(CLASSIC);
    struct of_slice text = of_slice_str("abc");
    enum { NEEDED = OF_FRAMING_BYTES + 4 + 4 + 4 };
    for (size_t size = 0; size <= NEEDED; size++) {
        uint8_t *bytes = malloc(size > 0 ? size : 1);
        size_t written = 0;
        struct of_error err = { 0 };
        enum of_status status = encode(encoder, 1, text, text, 1, bytes, size, &written, &err);
        assert_int_equal(status, size == NEEDED ? OF_OK : OF_POISON);
        assert_true(status != OF_OK || written == NEEDED);
        free(bytes);
    }
    of_encoder_destroy(&encoder);
}

static void
a_price_beyond_float_is_refused(void **state)
{
    (void)state;
    struct of_encoder *encoder = create(CLASSIC);
    uint8_t bytes[64];
    size_t written;
    struct of_slice text = of_slice_str("a");
    assert_int_equal(encode(encoder, 1, text, text, 1e39, bytes, sizeof bytes, &written, NULL), OF_POISON);
    assert_int_equal(encode(encoder, 1, text, text, NAN, bytes, sizeof bytes, &written, NULL), OF_OK);
    of_encoder_destroy(&encoder);
}

#define ANY(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define INITIAL(name, type, value) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" value "}"
#define DECIMAL(base, precision, scale) \
    "{\"type\":" base ",\"logicalType\":\"decimal\",\"precision\":" precision ",\"scale\":" scale "}"
#define FIXED_DECIMAL(size) \
    "{\"type\":\"fixed\",\"name\":\"F\",\"size\":" size ",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}"
#define COLOR "{\"type\":\"enum\",\"name\":\"Color\",\"symbols\":[\"RED\",\"GREEN\"]}"
#define PAIR "{\"type\":\"fixed\",\"name\":\"Pair\",\"size\":2}"
#define FIELD_OF(t) { .kind = OF_CELL_FIELD, .text = { (const uint8_t *)(t), sizeof(t) - 1 } }
#define TEXT_OF(t) { .kind = OF_CELL_TEXT, .text = { (const uint8_t *)(t), sizeof(t) - 1 } }
#define INTEGER_OF(number) { .kind = OF_CELL_INTEGER, .integer = (number) }
#define REAL_OF(number) { .kind = OF_CELL_REAL, .real = (number) }
#define FALSE_CELL { .kind = OF_CELL_BOOLEAN, .boolean = false }
#define NOTHING { .kind = OF_CELL_MISSING }

/* One field, one cell, its bytes. */
static const struct {
    const char *field;
    struct of_cell cell;
    const char *bytes;
    size_t length;
} good_fields[] = {
#define GOOD(f, c, b) { f, c, b, sizeof(b) - 1 }
    GOOD(ANY("x", "\"null\""), FIELD_OF(""), ""),
    GOOD(ANY("x", "\"boolean\""), FIELD_OF("true"), "\1"),
    GOOD(ANY("x", "\"boolean\""), FALSE_CELL, "\0"),
    GOOD(ANY("x", "\"int\""), FIELD_OF("-2147483648"), "\xff\xff\xff\xff\x0f"),
    GOOD(ANY("x", "\"long\""), INTEGER_OF(INT64_MAX), "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    GOOD(ANY("x", "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}"), INTEGER_OF(1), "\2"),
    GOOD(ANY("x", "\"float\""), INTEGER_OF(1), "\0\0\x80\x3f"),
    GOOD(ANY("x", "\"double\""), TEXT_OF("-2.5e0"), "\0\0\0\0\0\0\x04\xc0"),
    GOOD(ANY("x", "\"string\""), INTEGER_OF(-7), "\4-7"),
    GOOD(ANY("x", "\"string\""), FIELD_OF(""), "\0"),
    GOOD(ANY("x", "\"bytes\""), FIELD_OF("ab"), "\4ab"),
    GOOD(ANY("x", COLOR), FIELD_OF("GREEN"), "\2"),
    GOOD(ANY("x", PAIR), FIELD_OF("ab"), "ab"),
    GOOD(ANY("x", "[\"null\",\"string\"]"), FIELD_OF(""), "\0"),
    GOOD(ANY("x", "[\"null\",\"string\"]"), TEXT_OF(""), "\2\0"),
    GOOD(ANY("x", "[\"null\",\"string\"]"), NOTHING, "\0"),
    GOOD(ANY("x", "[\"long\",\"null\"]"), { .kind = OF_CELL_NULL }, "\2"),
    GOOD(ANY("x", "[\"long\",\"null\"]"), FIELD_OF("3"), "\0\6"),
    GOOD(ANY("x", "[\"string\"]"), FIELD_OF("a"), "\0\2a"),
    GOOD(INITIAL("x", "\"string\"", "\"yes\""), NOTHING, "\6yes"),
    GOOD(INITIAL("x", "[\"long\",\"null\"]", "5"), NOTHING, "\0\x0a"),
    GOOD(INITIAL("x", "[\"null\",\"long\"]", "null"), NOTHING, "\0"),
    GOOD(ANY("x", DECIMAL("\"bytes\"", "9", "2")), FIELD_OF("12.3"), "\4\x04\xce"),
    GOOD(ANY("x", DECIMAL("\"bytes\"", "9", "2")), FIELD_OF("-0.01"), "\2\xff"),
    GOOD(ANY("x", DECIMAL("\"bytes\"", "9", "2")), FIELD_OF("1.280"), "\4\0\x80"),
    GOOD(ANY("x", DECIMAL("\"bytes\"", "9", "2")), FIELD_OF("0e5"), "\2\0"),
    GOOD(ANY("x", DECIMAL("\"bytes\"", "9", "2")), FIELD_OF("12e1"), "\4\x2e\xe0"),
    GOOD(ANY("x", DECIMAL("\"bytes\"", "9", "2")), REAL_OF(0.1), "\2\x0a"),
    GOOD(ANY("x", DECIMAL("\"bytes\"", "38", "0")), FIELD_OF("-99999999999999999999999999999999999999"),
         "\x20\xb4\xc4\xb3\x57\xa5\x79\x3b\x85\xf6\x75\xdd\xc0\0\0\0\1"),
    GOOD(ANY("x", FIXED_DECIMAL("4")), INTEGER_OF(-1), "\xff\xff\xff\x9c"),
};

static void
each_type_has_the_bytes_of_the_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good_fields); i++) {
        char schema[1000];
        uint8_t bytes[64];
        size_t written;
        struct of_error err = { 0 };
        snprintf(schema, sizeof schema, RECORD("%s"), good_fields[i].field);
        struct of_encoder *encoder = create(schema);
        if (of_encoder_encode(encoder, 1, &good_fields[i].cell, bytes, sizeof bytes, &written, &err) != OF_OK)
            fail_msg("%s: %s", good_fields[i].field, err.text);
        if (written != 5 + good_fields[i].length || memcmp(bytes + 5, good_fields[i].bytes, written - 5) != 0)
            fail_msg("row %zu, %s: other bytes", i, good_fields[i].field);
        of_encoder_destroy(&encoder);
    }
}

static const struct {
    const char *field;
    struct of_cell cell;
    const char *message;
} bad_cells[] = {
    { ANY("x", "\"int\""), FIELD_OF("2147483648"), "column x: \"2147483648\" does not fit in an int" },
    { ANY("x", "\"int\""), FIELD_OF("1.5"), "column x: \"1.5\" is not an integer" },
    { ANY("x", "\"int\""), REAL_OF(1.5), "column x: is not an integer" },
    { ANY("x", "\"long\""), FIELD_OF("9223372036854775808"), "column x: \"9223372036854775808\" does not fit in a long" },
    { ANY("x", "\"long\""), FIELD_OF(""), "column x: is empty" },
    { ANY("x", "\"long\""), NOTHING, "column x: is missing" },
    { ANY("x", "\"boolean\""), FIELD_OF("1"), "column x: \"1\" is neither true nor false" },
    { ANY("x", "\"double\""), FIELD_OF("1e999"), "column x: \"1e999\" is too large for a double" },
    { ANY("x", "\"string\""), { .kind = OF_CELL_NULL }, "column x: is neither a string nor an integer" },
    { ANY("x", "\"string\""), FIELD_OF("\xff"), "is not valid UTF-8" },
    { ANY("x", "\"null\""), FIELD_OF("a"), "column x: \"a\" is not null" },
    { ANY("x", COLOR), FIELD_OF("BLUE"), "column x: \"BLUE\" is none of the enum's symbols" },
    { ANY("x", PAIR), FIELD_OF("abc"), "column x: \"abc\" is not as long as the fixed type" },
    { ANY("x", "[\"null\",\"int\"]"), FIELD_OF("a"), "column x: \"a\" is not a number" },
    { ANY("x", DECIMAL("\"bytes\"", "4", "2")), FIELD_OF("1.001"), "column x: \"1.001\" has more decimals" },
    { ANY("x", DECIMAL("\"bytes\"", "4", "2")), FIELD_OF("100"), "column x: \"100\" has more digits" },
    { ANY("x", DECIMAL("\"bytes\"", "38", "2")), FIELD_OF("1e37"), "column x: \"1e37\" has more digits" },
    { ANY("x", DECIMAL("\"bytes\"", "4", "2")), FIELD_OF("1e99999"), "out of the decimal's range" },
    { ANY("x", FIXED_DECIMAL("1")), INTEGER_OF(2), "has more digits" },
};

static void
what_does_not_fit_a_field_is_refused_by_column(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_cells); i++) {
        char schema[1000];
        uint8_t bytes[64];
        size_t written;
        struct of_error err = { 0 };
        snprintf(schema, sizeof schema, RECORD("%s"), bad_cells[i].field);
        struct of_encoder *encoder = create(schema);
        assert_int_equal(of_encoder_encode(encoder, 1, &bad_cells[i].cell, bytes, sizeof bytes, &written, &err),
                         OF_POISON);
        if (strstr(err.text, bad_cells[i].message) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.text, bad_cells[i].message);
        of_encoder_destroy(&encoder);
    }
}

static void
a_type_may_be_named_again(void **state)
{
    (void)state;
    struct of_encoder *encoder = create(RECORD(ANY("a", COLOR) "," ANY("b", "[\"null\",\"Color\"]")));
    struct of_cell cells[] = { FIELD_OF("RED"), FIELD_OF("GREEN") };
    uint8_t bytes[64];
    size_t written;
    assert_int_equal(of_encoder_encode(encoder, 1, cells, bytes, sizeof bytes, &written, NULL), OF_OK);
    assert_int_equal(written, 8);
    assert_memory_equal(bytes + 5, "\0\2\2", 3);
    assert_true(of_encoder_field_required(encoder, 0));
    assert_false(of_encoder_field_required(encoder, 1));
    of_encoder_destroy(&encoder);
}

static void
a_number_is_known_as_it_is_written(void **state)
{
    (void)state;
    struct of_encoder *encoder = create(CLASSIC);
    struct of_cell price = FIELD_OF("0.1"), none = FIELD_OF("x");
    double number;
    assert_true(of_encoder_number(encoder, 2, &price, &number));
    assert_true(number == (double)0.1F);
    assert_false(of_encoder_number(encoder, 2, &none, &number));
    assert_false(of_encoder_number(encoder, 0, &price, &number));
    of_encoder_destroy(&encoder);
}

static void
schemas_that_no_row_fits_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *reason;
    } rows[] = {
        { "[", "not valid JSON" },
        { "\"string\"", "must be a record" },
        { RECORD(""), "must be a record with fields" },
        { RECORD("{\"name\":\"a\"}"), "without name or type" },
        { RECORD(ANY("a", "{\"type\":\"array\",\"items\":\"int\"}")), "\"a\" is of type array" },
        { RECORD(ANY("a", "\"com.x.Unknown\"")), "\"a\" is of type com.x.Unknown" },
        { RECORD(ANY("a", "[\"null\",\"int\",\"long\"]")), "\"a\" is a union that rows cannot hold" },
        { RECORD(ANY("a", "[\"int\",\"long\"]")), "union" },
        { RECORD(ANY("a", "[]")), "union" },
        { RECORD(ANY("a", "\"int\"") "," ANY("a", "\"int\"")), "is there twice" },
        { RECORD(ANY("a", "{\"type\":\"enum\",\"name\":\"E\"}")), "incomplete" },
        { RECORD(ANY("a", "7")), "no type that rows can hold" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct of_encoder *encoder;
        struct of_error err = { 0 };
        assert_int_equal(of_encoder_create(of_slice_str(rows[i].schema), &encoder, &err), OF_POISON);
        assert_null(encoder);
        if (strstr(err.text, rows[i].reason) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].schema, err.text, rows[i].reason);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_has_the_bytes_of_the_format),
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(no_room_is_an_error_and_nothing_is_written_behind_the_end),
        cmocka_unit_test(a_price_beyond_float_is_refused),
        cmocka_unit_test(each_type_has_the_bytes_of_the_format),
        cmocka_unit_test(what_does_not_fit_a_field_is_refused_by_column),
        cmocka_unit_test(a_type_may_be_named_again),
        cmocka_unit_test(a_number_is_known_as_it_is_written),
        cmocka_unit_test(schemas_that_no_row_fits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
