#include "avro/encode.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "avro/framing.h"
#include "avro/plan.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[" fields "]}"
#define CLASSIC RECORD(FIELD("orderId", "string") "," FIELD("product", "string") "," FIELD("price", "float"))
#define TURNED RECORD(FIELD("price", "double") "," FIELD("product", "string") "," FIELD("orderId", "string"))

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
    assert_int_equal(of_encoder_encode(encoder, 258, of_slice_of(id, 4), of_slice_of(product, 2), 1.5, bytes,
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
                                             { (const uint8_t *)"\xff\xfe", 2 } };
    for (size_t s = 0; s < COUNT_OF(schemas); s++) {
        struct of_encoder *encoder = create(schemas[s]);
        struct of_plan *plan;
        assert_int_equal(of_plan_compile(of_slice_str(schemas[s]), &fields, 100, &plan, NULL), OF_OK);
        for (size_t i = 0; i < COUNT_OF(prices) * COUNT_OF(texts) * COUNT_OF(texts); i++) {
            double price = s == 0 ? (double)(float)prices[i % COUNT_OF(prices)] : prices[i % COUNT_OF(prices)];
            struct of_slice id = texts[i % COUNT_OF(texts)], product = texts[i / COUNT_OF(texts) % COUNT_OF(texts)];
            uint8_t bytes[64];
            size_t written;
            assert_int_equal(of_encoder_encode(encoder, 7, id, product, price, bytes, sizeof bytes, &written, NULL),
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
        enum of_status status = of_encoder_encode(encoder, 1, text, text, 1, bytes, size, &written, &err);
        assert_int_equal(status, size == NEEDED ? OF_OK : OF_POISON);
        assert_int_equal(written, size == NEEDED ? NEEDED : 0);
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
    assert_int_equal(of_encoder_encode(encoder, 1, text, text, 1e39, bytes, sizeof bytes, &written, NULL), OF_POISON);
    assert_int_equal(of_encoder_encode(encoder, 1, text, text, NAN, bytes, sizeof bytes, &written, NULL), OF_OK);
    of_encoder_destroy(&encoder);
}

static void
schemas_that_no_order_fits_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *reason;
    } rows[] = {
        { "[", "not valid JSON" },
        { "\"string\"", "must be a record" },
        { RECORD(""), "no field \"orderId\"" },
        { RECORD(FIELD("orderId", "int")), "\"orderId\" must be a string" },
        { RECORD(FIELD("orderId", "string") "," FIELD("product", "string") "," FIELD("price", "string")),
          "\"price\" must be a float or double" },
        { RECORD(FIELD("orderId", "string") "," FIELD("product", "string") "," FIELD("price", "float") ","
                 FIELD("other", "null")), "beside" },
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
        cmocka_unit_test(schemas_that_no_order_fits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
