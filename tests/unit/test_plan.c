#include "avro/plan.h"

#include <avro.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/random.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[" fields "]}"
#define ID FIELD("orderId", "\"string\"")
#define PRODUCT FIELD("product", "\"string\"")
#define PRICE FIELD("price", "\"float\"")
#define CLASSIC RECORD(ID "," PRODUCT "," PRICE)

enum { MAX_FIELD_BYTES = 1000 };

static const struct of_plan_fields order_fields = { .value = "price", .group_by = "product", .id = "orderId" };

static struct of_plan *
compile(const char *schema)
{
    struct of_plan *plan;
    struct of_error err = { 0 };
    if (of_plan_compile(of_slice_str(schema), &order_fields, MAX_FIELD_BYTES, &plan, &err) != OF_OK)
        fail_msg("%s: %s", schema, err.text);
    return plan;
}

static enum of_decode_result
decode_once(const char *schema, const void *body, size_t length)
{
    struct of_plan *plan = compile(schema);
    struct of_decoded order;
    enum of_decode_result result = of_plan_decode(plan, of_slice_of(body, length), &order);
    of_plan_destroy(&plan);
    return result;
}

/* ---- compiling ---- */

static void
schemas_that_cannot_give_the_fields_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *reason;
    } rows[] = {
        { "", "not valid JSON" },
        { "{", "not valid JSON" },
        { "5", "not valid Avro" },
        { "{}", "not valid Avro" },
        { "\"nosuch\"", "not valid Avro" },
        { "\"string\"", "of type string; it must be a record" },
        { "[\"null\",\"string\"]", "of type union of null and string; it must be a record" },
        { RECORD(""), "no field \"price\" to take the value from; set --value-field" },
        { RECORD(ID "," PRICE), "no field \"product\" to take the group from; set --group-by-field" },
        { RECORD(PRODUCT "," PRICE), "no field \"orderId\" to take the id from; set --id-field" },
        { RECORD(ID "," PRODUCT "," FIELD("price", "\"string\"")), "value field \"price\" is of type string" },
        { RECORD(ID "," PRODUCT "," FIELD("price", "\"boolean\"")), "value field \"price\" is of type boolean" },
        { RECORD(ID "," FIELD("product", "\"double\"") "," PRICE), "group field \"product\" is of type double" },
        { RECORD(FIELD("orderId", "\"null\"") "," PRODUCT "," PRICE), "id field \"orderId\" is of type null" },
        { RECORD(CLASSIC), "not valid Avro" },
        { RECORD(ID "," PRODUCT "," PRICE "," PRICE), "has the field \"price\" twice" },
        { RECORD(ID "," PRODUCT "," FIELD("price", "[\"null\",\"string\"]")),
          "value field \"price\" is of type union of null and string" },
        { RECORD(ID "," PRODUCT "," FIELD("price", "[]")), "value field \"price\" is of type union of nothing" },
        { RECORD(ID "," PRODUCT "," FIELD("price", "{\"type\":\"array\",\"items\":\"int\"}")),
          "value field \"price\" is of type array of int" },
        { RECORD(ID "," PRODUCT "," FIELD("price", "{\"type\":\"map\",\"values\":\"int\"}")), "of type map of int" },
        { RECORD(ID "," PRODUCT "," FIELD("price", "\"Order\"")), "value field \"price\" is of type record Order" },
        { RECORD(ID "," PRODUCT "," FIELD("price", "\"bytes\"")), "value field \"price\" is of type bytes" },
        { RECORD(ID "," PRODUCT "," PRICE "," FIELD("a", "\"Other\"")), "field \"a\": there is no type named Other" },
        { RECORD(ID "," PRODUCT "," PRICE "," FIELD("a", "[\"int\",[\"null\"]]")), "a union stands directly in a union" },
        { RECORD(ID "," PRODUCT "," PRICE "," FIELD("a", "[\"int\",\"int\"]")), "two branches of type int" },
        { RECORD(ID "," PRODUCT "," PRICE "," FIELD("a", "{\"type\":\"array\"}")), "has no items" },
        { RECORD(ID "," PRODUCT "," PRICE "," FIELD("a-b", "\"int\"")), "no proper name" },
        { RECORD(ID "," PRODUCT "," PRICE "," FIELD("e", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}")),
          "symbols are not all different" },
        { RECORD(ID "," PRODUCT "," PRICE "," FIELD("e", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],"
                                                         "\"default\":\"B\"}")),
          "default is none of its symbols" },
        { RECORD(ID "," PRODUCT "," PRICE "," FIELD("f", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}")),
          "impossible size" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct of_plan *plan;
        struct of_error err = { 0 };
        enum of_status status =
            of_plan_compile(of_slice_str(rows[i].schema), &order_fields, MAX_FIELD_BYTES, &plan, &err);
        assert_int_equal(status, OF_POISON);
        assert_null(plan);
        if (strstr(err.text, rows[i].reason) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].schema, err.text, rows[i].reason);
    }
}

static void
deep_nesting_is_refused(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    char *text = malloc(DEPTH);
    memset(text, '[', DEPTH);
    struct of_plan *plan;
    struct of_error err = { 0 };
    assert_int_equal(of_plan_compile(of_slice_of(text, DEPTH), &order_fields, 1, &plan, &err), OF_POISON);
    free(text);
}

static void
wrapped_types_and_unknown_attributes_are_accepted(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        CLASSIC,
        RECORD(FIELD("orderId", "{\"type\":\"string\",\"avro.java.string\":\"String\"}") "," PRODUCT "," PRICE),
        RECORD(FIELD("orderId", "{\"type\":{\"type\":\"string\",\"avro.java.string\":\"String\"}}") "," PRODUCT ","
               FIELD("price", "{\"type\":{\"type\":{\"type\":\"float\"}}}")),
        "{\"type\":" CLASSIC "}",
        "{\"type\":\"record\",\"name\":\"com.x.Order\",\"doc\":5,\"aliases\":[\"O\"],\"fields\":["
        "{\"name\":\"orderId\",\"type\":\"string\",\"default\":\"\",\"order\":\"ignore\",\"doc\":\"d\"}," PRODUCT
        ",{\"name\":\"price\",\"type\":\"float\",\"default\":0.5}]}",
    };
    for (size_t i = 0; i < COUNT_OF(schemas); i++)
        assert_int_equal(decode_once(schemas[i], "\2a\2b\0\0\0\0", 8), OF_DECODE_OK);
}

static void
the_plan_can_be_read(void **state)
{
    (void)state;
    struct of_plan *plan = compile(RECORD(FIELD("n", "\"null\"") "," ID "," FIELD("a", "\"float\"") "," FIELD(
        "b", "\"double\"") "," PRODUCT "," FIELD("ok", "\"boolean\"") "," PRICE));
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    of_plan_print(plan, out);
    fclose(out);
    assert_string_equal(text, "   0  bytes    -> id   # orderId: string\n"
                              "   1  skip     12 bytes   # a: float\n"
                              "   2  bytes    -> group   # product: string\n"
                              "   3  boolean    # ok: boolean\n"
                              "   4  float    -> value   # price: float\n"
                              "   5  end\n");
    free(text);
    of_plan_destroy(&plan);
    of_plan_destroy(&plan);
}

/* ---- hostile bodies ---- */

#define SCHEMA_WITH(type) RECORD(FIELD("x", type) "," ID "," PRODUCT "," PRICE)
#define TAIL "\0\0\0\0\0\0" /* empty id, empty product, price 0 */
#define BODY(bytes) (bytes), sizeof(bytes) - 1

static void
forged_bodies_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const char *const number = SCHEMA_WITH("\"long\""), *const small = SCHEMA_WITH("\"int\"");
    static const char *const enumerated = SCHEMA_WITH("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}");
    static const char *const flag = SCHEMA_WITH("\"boolean\""), *const text = SCHEMA_WITH("\"string\"");
    static const char *const fixed = SCHEMA_WITH("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2147483647}");
    const struct {
        const char *schema;
        const char *body;
        size_t length;
        enum of_decode_result result;
    } rows[] = {
        { CLASSIC, BODY(TAIL), OF_DECODE_OK },
        { CLASSIC, BODY(TAIL "\0"), OF_DECODE_TRAILING_BYTES },
        { CLASSIC, BODY("\1" TAIL), OF_DECODE_NEGATIVE_LENGTH },
        { CLASSIC, BODY("\0\1\0\0\0\0"), OF_DECODE_NEGATIVE_LENGTH },
        { CLASSIC, BODY("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1" TAIL), OF_DECODE_NEGATIVE_LENGTH },
        { CLASSIC, BODY("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1" TAIL), OF_DECODE_FIELD_TOO_LARGE },
        { CLASSIC, BODY("\xd0\x0f" TAIL), OF_DECODE_TRUNCATED },       /* 1000 bytes, the limit */
        { CLASSIC, BODY("\xd2\x0f" TAIL), OF_DECODE_FIELD_TOO_LARGE }, /* 1001 */
        { CLASSIC, BODY("\0\x10" "abc"), OF_DECODE_TRUNCATED },
        { CLASSIC, BODY("\x80"), OF_DECODE_TRUNCATED },
        { CLASSIC, BODY("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\0"), OF_DECODE_OVERLONG_VARINT },
        { CLASSIC, BODY("\x80\x80\x80\x80\x80\x80\x80\x80\x80\2" TAIL), OF_DECODE_OVERLONG_VARINT },
        { number, BODY("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1" TAIL), OF_DECODE_OK },
        { number, BODY("\x80\0" TAIL), OF_DECODE_OK }, /* zero in two bytes: others write it so, and it fits */
        { number, BODY("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\0" TAIL), OF_DECODE_OVERLONG_VARINT },
        { small, BODY("\xff\xff\xff\xff\x0f" TAIL), OF_DECODE_OK },
        { small, BODY("\x80\x80\x80\x80\x10" TAIL), OF_DECODE_INT_RANGE },
        { small, BODY("\x80\x80\x80\x80\x80\0" TAIL), OF_DECODE_OVERLONG_VARINT },
        { enumerated, BODY("\2" TAIL), OF_DECODE_OK },
        { enumerated, BODY("\4" TAIL), OF_DECODE_BAD_ENUM },
        { enumerated, BODY("\1" TAIL), OF_DECODE_BAD_ENUM },
        { flag, BODY("\1" TAIL), OF_DECODE_OK },
        { flag, BODY("\2" TAIL), OF_DECODE_BAD_BOOLEAN },
        { text, BODY("\1" TAIL), OF_DECODE_NEGATIVE_LENGTH }, /* also where the field is passed over */
        { text, BODY("\xd2\x0f" TAIL), OF_DECODE_FIELD_TOO_LARGE },
        { fixed, BODY("1234" TAIL), OF_DECODE_TRUNCATED },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum of_decode_result result = decode_once(rows[i].schema, rows[i].body, rows[i].length);
        if (result != rows[i].result)
            fail_msg("row %zu: %s, expected: %s", i, of_decode_result_text(result),
                     of_decode_result_text(rows[i].result));
    }
}

static void
every_result_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < OF_DECODE_RESULT_COUNT; i++) {
        assert_non_null(of_decode_result_text((enum of_decode_result)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(of_decode_result_text((enum of_decode_result)i),
                                    of_decode_result_text((enum of_decode_result)k));
    }
    assert_string_equal(of_decode_result_text(OF_DECODE_RESULT_COUNT), "unknown result");
}

/* ---- numbers ---- */

static size_t
put_long(uint8_t *to, int64_t number)
{
    uint64_t bits = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    size_t length = 0;
    for (; bits >= 0x80; bits >>= 7)
        to[length++] = (uint8_t)(bits | 0x80);
    to[length++] = (uint8_t)bits;
    return length;
}

static void
longs_keep_their_last_digit(void **state)
{
    (void)state;
    static const int64_t numbers[] = { 0, -1, (INT64_C(1) << 53) + 1, -(INT64_C(1) << 53) - 1, INT64_MAX, INT64_MIN };
    struct of_plan *plan = compile(RECORD(ID "," PRODUCT "," FIELD("price", "\"long\"")));
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        uint8_t body[16] = { 0, 0 };
        size_t length = 2 + put_long(body + 2, numbers[i]);
        struct of_decoded order;
        assert_int_equal(of_plan_decode(plan, of_slice_of(body, length), &order), OF_DECODE_OK);
        assert_int_equal(order.kind, OF_VALUE_SCALED);
        assert_int_equal(order.scale, 0);
        assert_true(order.scaled == numbers[i]);
    }
    of_plan_destroy(&plan);
}

static void
numbers_as_group_and_id_become_decimal_text(void **state)
{
    (void)state;
    static const int64_t numbers[] = { 0, 7, -7, 10, 1001, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN };
    struct of_plan *plan = compile(RECORD(FIELD("orderId", "\"long\"") "," FIELD("product", "\"long\"") "," PRICE));
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        uint8_t body[32];
        size_t length = put_long(body, numbers[i]);
        length += put_long(body + length, numbers[COUNT_OF(numbers) - 1 - i]);
        memset(body + length, 0, 4);
        struct of_decoded order;
        assert_int_equal(of_plan_decode(plan, of_slice_of(body, length + 4), &order), OF_DECODE_OK);
        char id[32], group[32];
        snprintf(id, sizeof id, "%" PRId64, numbers[i]);
        snprintf(group, sizeof group, "%" PRId64, numbers[COUNT_OF(numbers) - 1 - i]);
        assert_true(of_slice_equal(order.id, of_slice_str(id)));
        assert_true(of_slice_equal(order.group, of_slice_str(group)));
    }
    of_plan_destroy(&plan);
}

static void
one_field_may_have_every_role(void **state)
{
    (void)state;
    static const struct of_plan_fields all = { .value = "n", .group_by = "n", .id = "n" };
    struct of_plan *plan;
    assert_int_equal(of_plan_compile(of_slice_str(RECORD(FIELD("n", "\"int\""))), &all, 10, &plan, NULL), OF_OK);
    struct of_decoded order;
    assert_int_equal(of_plan_decode(plan, of_slice_of("\x53", 1), &order), OF_DECODE_OK);
    assert_true(order.value == -42);
    assert_true(of_slice_equal(order.id, of_slice_str("-42")));
    assert_true(of_slice_equal(order.group, of_slice_str("-42")));
    of_plan_destroy(&plan);
}

/* ---- against libavro ---- */

enum { RECORDS = 3000, FIELDS_MAX = 12, SCHEMA_BYTES = 2048, BODY_BYTES = 4096 };

static uint64_t
random_number(void)
{
    static uint64_t seed = 20;
    return random_next(&seed);
}

static const char *
any_of(const char *const *choices, size_t count)
{
    return choices[random_number() % count];
}

/* A flat record of random types with the three fields at random places among others. */
static void
random_schema(char text[SCHEMA_BYTES])
{
    static const char *const any[] = { "\"null\"",  "\"boolean\"", "\"int\"",   "\"long\"",
                                       "\"float\"", "\"double\"",  "\"bytes\"", "\"string\"" };
    static const char *const values[] = { "\"int\"", "\"long\"", "\"float\"", "\"double\"" };
    static const char *const texts[] = { "\"string\"", "\"bytes\"", "\"int\"", "\"long\"" };
    static const char *const names[] = { "price", "product", "orderId" };
    int count = 3 + (int)(random_number() % (FIELDS_MAX - 2));
    int at[3] = { (int)(random_number() % 3), 0, 0 };
    at[1] = (at[0] + 1) % 3; /* three different places, in either order */
    at[2] = (at[0] + 2) % 3;
    int shift = (int)(random_number() % (uint64_t)(count - 2));
    size_t length = (size_t)snprintf(text, SCHEMA_BYTES, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[");
    for (int i = 0; i < count; i++) {
        char other[16];
        snprintf(other, sizeof other, "f%d", i);
        const char *name = other, *type = any_of(any, COUNT_OF(any));
        for (int role = 0; role < 3; role++) {
            if (i != at[role] + shift)
                continue;
            name = names[role];
            type = role == 0 ? any_of(values, COUNT_OF(values)) : any_of(texts, COUNT_OF(texts));
        }
        length += (size_t)snprintf(text + length, SCHEMA_BYTES - length, "%s{\"name\":\"%s\",\"type\":%s}",
                                   i > 0 ? "," : "", name, type);
    }
    snprintf(text + length, SCHEMA_BYTES - length, "]}");
}

static void
set_randomly(avro_value_t *value)
{
    char bytes[200];
    size_t length = random_number() % (random_number() % 4 ? 20 : sizeof bytes - 1);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)random_number();
    bytes[length] = '\0';
    uint64_t bits = random_number() >> random_number() % 64;
    switch (avro_value_get_type(value)) {
    case AVRO_NULL: avro_value_set_null(value); break;
    case AVRO_BOOLEAN: avro_value_set_boolean(value, (int)(bits & 1)); break;
    case AVRO_INT32: avro_value_set_int(value, (int32_t)bits); break;
    case AVRO_INT64: avro_value_set_long(value, (int64_t)bits); break;
    case AVRO_FLOAT: avro_value_set_float(value, (float)bits / 7); break;
    case AVRO_DOUBLE: avro_value_set_double(value, (double)bits / 7); break;
    case AVRO_BYTES: avro_value_set_bytes(value, bytes, length); break;
    default: avro_value_set_string_len(value, bytes, length + 1); break;
    }
}

static double
number_of(avro_value_t *record)
{
    avro_value_t field;
    avro_value_get_by_name(record, "price", &field, NULL);
    int32_t i = 0;
    int64_t l = 0;
    float f = 0;
    double d = 0;
    switch (avro_value_get_type(&field)) {
    case AVRO_INT32: avro_value_get_int(&field, &i); d = i; break;
    case AVRO_INT64: avro_value_get_long(&field, &l); d = (double)l; break;
    case AVRO_FLOAT: avro_value_get_float(&field, &f); d = f; break;
    default: avro_value_get_double(&field, &d); break;
    }
    return d;
}

static void
assert_text(avro_value_t *record, const char *name, struct of_slice actual)
{
    avro_value_t field;
    avro_value_get_by_name(record, name, &field, NULL);
    char number[32];
    const void *bytes = number;
    const char *text = "";
    size_t size = 1;
    int32_t i = 0;
    int64_t l = 0;
    switch (avro_value_get_type(&field)) {
    case AVRO_INT32:
        avro_value_get_int(&field, &i);
        size = (size_t)snprintf(number, sizeof number, "%" PRId32, i);
        break;
    case AVRO_INT64:
        avro_value_get_long(&field, &l);
        size = (size_t)snprintf(number, sizeof number, "%" PRId64, l);
        break;
    case AVRO_BYTES: avro_value_get_bytes(&field, &bytes, &size); break;
    default:
        avro_value_get_string(&field, &text, &size);
        bytes = text;
        size--; /* libavro counts the NUL */
        break;
    }
    assert_int_equal(actual.length, size);
    if (size > 0) /* libavro gives NULL for no bytes */
        assert_memory_equal(actual.data, bytes, size);
}

/* Copies to memory of exactly that size, so that the address sanitizer sees a read behind its end. */
static enum of_decode_result
decode_first(const struct of_plan *plan, const uint8_t *body, size_t length, struct of_decoded *order)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    memcpy(copy, body, length);
    enum of_decode_result result = of_plan_decode(plan, of_slice_of(copy, length), order);
    free(copy);
    return result;
}

static void
compare_one(const struct of_plan *plan, avro_value_t *record)
{
    static uint8_t body[BODY_BYTES];
    avro_writer_t writer = avro_writer_memory((const char *)body, sizeof body);
    assert_int_equal(avro_value_write(writer, record), 0);
    size_t length = (size_t)avro_writer_tell(writer);
    avro_writer_free(writer);

    struct of_decoded order;
    enum of_decode_result result = of_plan_decode(plan, of_slice_of(body, length), &order);
    assert_int_equal(result, OF_DECODE_OK);
    double value = order.kind == OF_VALUE_SCALED ? of_scaled_round(order.scaled, order.scale) : order.value;
    assert_true(value == number_of(record));
    assert_text(record, "product", order.group);
    assert_text(record, "orderId", order.id);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(decode_first(plan, body, cut, &order), OF_DECODE_TRUNCATED);
    body[length] = 0;
    assert_int_equal(decode_first(plan, body, length + 1, &order), OF_DECODE_TRAILING_BYTES);
}

static void
random_records_read_as_libavro_wrote_them(void **state)
{
    (void)state;
    for (int i = 0; i < RECORDS; i++) {
        char text[SCHEMA_BYTES];
        random_schema(text);
        struct of_plan *plan = compile(text);
        avro_schema_t schema;
        assert_int_equal(avro_schema_from_json_length(text, strlen(text), &schema), 0);
        avro_value_iface_t *class = avro_generic_class_from_schema(schema);
        avro_value_t record;
        assert_int_equal(avro_generic_value_new(class, &record), 0);
        for (size_t field = 0; field < avro_schema_record_size(schema); field++) {
            avro_value_t value;
            avro_value_get_by_index(&record, field, &value, NULL);
            set_randomly(&value);
        }
        compare_one(plan, &record);
        avro_value_decref(&record);
        avro_value_iface_decref(class);
        avro_schema_decref(schema);
        of_plan_destroy(&plan);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas_that_cannot_give_the_fields_are_refused_with_the_reason),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(wrapped_types_and_unknown_attributes_are_accepted),
        cmocka_unit_test(the_plan_can_be_read),
        cmocka_unit_test(forged_bodies_are_refused_with_the_reason),
        cmocka_unit_test(every_result_has_a_text_of_its_own),
        cmocka_unit_test(longs_keep_their_last_digit),
        cmocka_unit_test(numbers_as_group_and_id_become_decimal_text),
        cmocka_unit_test(one_field_may_have_every_role),
        cmocka_unit_test(random_records_read_as_libavro_wrote_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
