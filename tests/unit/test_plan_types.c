/* Plans over types within types: what is passed over, what is resolved, and how far it goes before it is refused. The
 * broad comparison is tests/avro; here is what random vectors do not have. */
#include "avro/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"t\",\"fields\":[" fields "]}"
#define ORDER FIELD("orderId", "\"string\"") "," FIELD("product", "\"string\"") "," FIELD("price", "\"float\"")
#define SCHEMA_WITH(type) RECORD(FIELD("x", type) "," ORDER)
#define ARRAY(items) "{\"type\":\"array\",\"items\":" items "}"
#define MAP(values) "{\"type\":\"map\",\"values\":" values "}"
#define TAIL "\0\0\0\0\0\0" /* empty id, empty product, price 0 */
#define BODY(bytes) (bytes), sizeof(bytes) - 1

static const struct of_plan_fields order_fields = { .value = "price", .group_by = "product", .id = "orderId" };

static struct of_plan *
compile(const char *schema, const struct of_plan_fields *fields)
{
    struct of_plan *plan;
    struct of_error err = { 0 };
    if (of_plan_compile(of_slice_str(schema), fields, 1000, &plan, &err) != OF_OK)
        fail_msg("%s: %s", schema, err.text);
    return plan;
}

/* ---- passing over ---- */

#define NODE "{\"type\":\"record\",\"name\":\"Node\",\"fields\":[" FIELD("next", "[\"null\",\"Node\"]") "]}"

static void
values_of_every_type_are_passed_over_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
        size_t length;
        enum of_decode_result result;
    } rows[] = {
        { ARRAY("\"int\""), BODY("\4\2\4\0" TAIL), OF_DECODE_OK },
        { ARRAY("\"int\""), BODY("\3\4\2\4\0" TAIL), OF_DECODE_OK },          /* a block with its size */
        { ARRAY("\"int\""), BODY("\3\4\2\4\2\2\0" TAIL), OF_DECODE_OK },      /* and one without */
        { ARRAY("\"int\""), BODY("\1\0\0" TAIL), OF_DECODE_OK }, /* its size is believed, as by others */
        { ARRAY("\"int\""), BODY("\3\5\2\4\0" TAIL), OF_DECODE_NEGATIVE_LENGTH },
        { ARRAY("\"int\""), BODY("\3\x7e\2\4\0" TAIL), OF_DECODE_TRUNCATED },
        { ARRAY("\"int\""), BODY("\x7e\2\4\0" TAIL), OF_DECODE_BAD_COUNT },
        { ARRAY("\"int\""), BODY("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0" TAIL), OF_DECODE_BAD_COUNT }, /* INT64_MIN */
        { ARRAY("\"null\""), BODY("\xc8\1\0" TAIL), OF_DECODE_OK },           /* a hundred of nothing */
        { ARRAY("\"null\""), BODY("\x80\xa8\xd6\xb9\x07"), OF_DECODE_BAD_COUNT }, /* a billion in five bytes */
        { ARRAY("\"null\""), BODY("\xff\xa7\xd6\xb9\x07\0" TAIL), OF_DECODE_BAD_COUNT },
        { ARRAY("\"double\""), BODY("\2" "12345678\0" TAIL), OF_DECODE_OK },
        { ARRAY("\"double\""), BODY("\4" "12345678\0" TAIL), OF_DECODE_BAD_COUNT },
        { ARRAY(ARRAY("\"string\"")), BODY("\4\2\2a\0\0\0" TAIL), OF_DECODE_OK },
        { ARRAY("{\"type\":\"record\",\"name\":\"E\",\"fields\":[]}"), BODY("\6\0" TAIL), OF_DECODE_OK },
        { MAP("\"int\""), BODY("\2\2k\2\0" TAIL), OF_DECODE_OK },
        { MAP("\"int\""), BODY("\1\6\2k\2\0" TAIL), OF_DECODE_OK },
        { MAP("\"null\""), BODY("\2\2k\0" TAIL), OF_DECODE_OK },
        { MAP("\"null\""), BODY("\x7e\2k\0" TAIL), OF_DECODE_BAD_COUNT },
        { MAP("\"int\""), BODY("\2\1k\2\0" TAIL), OF_DECODE_NEGATIVE_LENGTH },
        { "[\"null\",\"int\"]", BODY("\0" TAIL), OF_DECODE_OK },
        { "[\"null\",\"int\"]", BODY("\2\2" TAIL), OF_DECODE_OK },
        { "[\"null\",\"int\"]", BODY("\4" TAIL), OF_DECODE_BAD_BRANCH },
        { "[\"null\",\"int\"]", BODY("\1" TAIL), OF_DECODE_BAD_BRANCH },
        { "[\"null\",\"string\"]", BODY("\0" TAIL), OF_DECODE_OK },
        { "[\"null\",\"string\"]", BODY("\2\2a" TAIL), OF_DECODE_OK },
        { "[\"string\",\"null\"]", BODY("\0\2a" TAIL), OF_DECODE_OK },
        { "[\"bytes\",\"null\"]", BODY("\2" TAIL), OF_DECODE_OK },
        { "[\"null\",\"string\"]", BODY("\4\0" TAIL), OF_DECODE_BAD_BRANCH },
        { "[\"null\",\"string\"]", BODY("\1\0" TAIL), OF_DECODE_BAD_BRANCH },
        { "[\"null\",\"string\"]", BODY("\2\1" TAIL), OF_DECODE_NEGATIVE_LENGTH },
        { "[\"null\",\"string\"]", BODY("\2\x7e" TAIL), OF_DECODE_TRUNCATED },
        { ARRAY("\"string\""), BODY("\4\2a\0\0" TAIL), OF_DECODE_OK },
        { ARRAY("\"string\""), BODY("\3\6\2a\0\2\2b\0" TAIL), OF_DECODE_OK },
        { ARRAY("\"string\""), BODY("\4\2a\1\0" TAIL), OF_DECODE_NEGATIVE_LENGTH },
        { ARRAY("\"bytes\""), BODY("\x7e\2a\0" TAIL), OF_DECODE_BAD_COUNT },
        { "[]", BODY("\0" TAIL), OF_DECODE_BAD_BRANCH },
        { NODE, BODY("\2\2\2\0" TAIL), OF_DECODE_OK },
        { NODE, BODY("\2\2\4\0" TAIL), OF_DECODE_BAD_BRANCH },
        { "{\"type\":\"record\",\"name\":\"N\",\"fields\":[" FIELD("n", "\"N\"") "]}", BODY(TAIL), OF_DECODE_TOO_DEEP },
        { "{\"type\":\"record\",\"name\":\"A\",\"fields\":[" FIELD("s", "\"string\"") "," FIELD("b", "\"boolean\"") "]}",
          BODY("\2a\2" TAIL), OF_DECODE_BAD_BOOLEAN },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char schema[1024];
        snprintf(schema, sizeof schema, RECORD("{\"name\":\"x\",\"type\":%s}," ORDER), rows[i].type);
        struct of_plan *plan = compile(schema, &order_fields);
        struct of_decoded order;
        char why[300];
        struct of_slice body = of_slice_of(rows[i].body, rows[i].length);
        enum of_decode_result result = of_plan_decode(plan, body, &order);
        if (result != rows[i].result)
            fail_msg("row %zu: %s", i, of_plan_explain(plan, body, why, sizeof why));
        of_plan_destroy(&plan);
    }
}

static void
recursion_goes_only_so_deep(void **state)
{
    (void)state;
    struct of_plan *plan = compile(SCHEMA_WITH(NODE), &order_fields);
    for (size_t depth = OF_PLAN_DEPTH - 2; depth < OF_PLAN_DEPTH + 2; depth++) {
        uint8_t body[2 * OF_PLAN_DEPTH] = { 0 };
        struct of_decoded order;
        memset(body, 2, depth - 1); /* the first Node is no branch of a union */
        enum of_decode_result result = of_plan_decode(plan, of_slice_of(body, depth + 6), &order);
        assert_int_equal(result, depth <= OF_PLAN_DEPTH ? OF_DECODE_OK : OF_DECODE_TOO_DEEP);
    }
    of_plan_destroy(&plan);
}

/* Each record twice in the next: 2^40 steps if nobody looks, and not one byte for them. */
static void
types_that_double_cost_no_more_than_their_bytes(void **state)
{
    (void)state;
    enum { LEVELS = 40 };
    for (int empty = 0; empty < 2; empty++) {
        char *schema = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&schema, &length);
        fprintf(out, "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[");
        fprintf(out, "{\"name\":\"a0\",\"type\":{\"type\":\"record\",\"name\":\"A0\",\"fields\":[%s]}},",
                empty ? "" : FIELD("i", "\"int\""));
        for (int i = 1; i < LEVELS; i++)
            fprintf(out, "{\"name\":\"a%d\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"A%d\",\"fields\":["
                         "{\"name\":\"l\",\"type\":\"A%d\"},{\"name\":\"r\",\"type\":\"A%d\"}]}]},", i, i, i - 1, i - 1);
        fprintf(out, "%s]}", ORDER);
        fclose(out);
        struct of_plan *plan = compile(schema, &order_fields);
        uint8_t body[LEVELS + 64] = { 0 };
        struct of_decoded order;
        assert_int_equal(of_plan_decode(plan, of_slice_of(body, LEVELS + 6 - (empty != 0)), &order), OF_DECODE_OK);
        body[LEVELS - (empty != 0) - 1] = 2; /* the largest is there */
        enum of_decode_result result = of_plan_decode(plan, of_slice_of(body, LEVELS + 60), &order);
        assert_int_equal(result, empty ? OF_DECODE_TRAILING_BYTES : OF_DECODE_TRUNCATED);
        of_plan_destroy(&plan);
        free(schema);
    }
}

/* ---- what is taken ---- */

static void
check_order(const struct of_plan *plan, struct of_slice body, const char *value, const char *group, const char *id)
{
    struct of_decoded order;
    char text[OF_SCALED_TEXT_BYTES], why[300];
    if (of_plan_decode(plan, body, &order) != OF_DECODE_OK)
        fail_msg("%s", of_plan_explain(plan, body, why, sizeof why));
    if (order.kind == OF_VALUE_SCALED)
        of_scaled_text(order.scaled, order.scale, text);
    else
        snprintf(text, sizeof text, "%.17g", order.value);
    assert_string_equal(text, value);
    assert_true(of_slice_equal(order.group, of_slice_str(group)));
    assert_true(of_slice_equal(order.id, of_slice_str(id)));
}

static void
logical_types_make_values_and_ids(void **state)
{
    (void)state;
    struct of_plan *plan = compile(
        RECORD(FIELD("orderId", "{\"type\":\"fixed\",\"name\":\"U\",\"size\":16,\"logicalType\":\"uuid\"}") ","
               FIELD("product", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"Lamp\",\"Desk\"]}") ","
               FIELD("price", "{\"type\":\"fixed\",\"name\":\"D\",\"size\":20,\"logicalType\":\"decimal\",\"precision\":5,"
                              "\"scale\":2}")), &order_fields);
    check_order(plan, of_slice_of(BODY("\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00\2"
                                       "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xcf\xc7")),
                "-123.45", "Desk", "123e4567-e89b-12d3-a456-426614174000");
    of_plan_destroy(&plan);
    plan = compile(RECORD(FIELD("orderId", "{\"type\":\"string\",\"logicalType\":\"uuid\"}") ","
                          FIELD("product", "{\"type\":\"int\",\"logicalType\":\"date\"}") ","
                          FIELD("price", "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}")), &order_fields);
    check_order(plan, of_slice_of(BODY("\2u\2\x90\x03")), "200", "1", "u");
    of_plan_destroy(&plan);
}

/* A logical type that does not fit is no logical type. */
static void
decimals_that_are_none_are_bytes(void **state)
{
    (void)state;
    static const char *const types[] = {
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\"}",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":0}",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2,\"scale\":3}",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2,\"scale\":-1}",
        "{\"type\":\"fixed\",\"name\":\"D\",\"size\":1,\"logicalType\":\"decimal\",\"precision\":3}",
        "{\"type\":\"string\",\"logicalType\":\"decimal\",\"precision\":3}",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":200,\"scale\":129}",
    };
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        char schema[512];
        snprintf(schema, sizeof schema, RECORD(FIELD("orderId", "\"string\"") "," FIELD("product", "\"string\"")
                                               ",{\"name\":\"price\",\"type\":%s}"), types[i]);
        struct of_plan *plan;
        struct of_error err = { 0 };
        assert_int_equal(of_plan_compile(of_slice_str(schema), &order_fields, 10, &plan, &err), OF_POISON);
        assert_non_null(strstr(err.text, "field \"price\" is of type"));
    }
}

static void
paths_lead_into_records_and_their_unions(void **state)
{
    (void)state;
    static const struct of_plan_fields fields = { .value = "sum.total.amount", .group_by = "sum.kind", .id = "sum.total.id" };
    struct of_plan *plan = compile(
        RECORD(FIELD("before", MAP("\"string\"")) ","
               FIELD("sum", "[\"null\",{\"type\":\"record\",\"name\":\"Sum\",\"fields\":["
                     FIELD("kind", "\"string\"") "," FIELD("total", "{\"type\":\"record\",\"name\":\"Total\",\"fields\":["
                     FIELD("id", "\"int\"") "," FIELD("amount", "\"double\"") "]}") "," FIELD("other", "\"Total\"") "]}]")),
        &fields);
    check_order(plan, of_slice_of(BODY("\2\2a\2b\0" "\2" "\2k" "\x0e" "\0\0\0\0\0\0\xf8\x3f" "\2" "12345678")), "1.5", "k",
                "7");
    struct of_decoded order;
    assert_int_equal(of_plan_decode(plan, of_slice_of(BODY("\0\0")), &order), OF_DECODE_NULL_FIELD);
    of_plan_destroy(&plan);
}

/* ---- readers ---- */

static const char *
refusal(const char *writer, const char *reader, char text[OF_ERROR_TEXT_BYTES])
{
    struct of_plan_fields fields = order_fields;
    fields.reader_schema = reader;
    struct of_plan *plan;
    struct of_error err = { 0 };
    if (of_plan_compile(of_slice_str(writer), &fields, 1000, &plan, &err) == OF_OK)
        snprintf(err.text, sizeof err.text, "none");
    of_plan_destroy(&plan);
    return strcpy(text, err.text);
}

static void
what_no_reader_can_read_is_refused_with_fields_and_types(void **state)
{
    (void)state;
    static const struct {
        const char *writer, *reader, *reason;
    } rows[] = {
        { RECORD(ORDER), RECORD(ORDER), "none" },
        { SCHEMA_WITH("\"string\""), SCHEMA_WITH("\"int\""),
          "field \"x\": the writer's string cannot be read as the reader's int" },
        { RECORD(ORDER), SCHEMA_WITH("\"int\""),
          "the reader's field \"x\" (int) is not in the writer's record t.Order, and has no default" },
        { RECORD(ORDER), "{\"type\":\"record\",\"name\":\"Other\",\"fields\":[" ORDER "]}",
          "the writer's record t.Order cannot be read as the reader's record Other" },
        { RECORD(ORDER), "{\"type\":\"record\",\"name\":\"Other\",\"aliases\":[\"t.Order\"],\"fields\":[" ORDER "]}", "none" },
        { SCHEMA_WITH("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}"),
          SCHEMA_WITH("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"B\"]}"), "has none of the writer's symbols" },
        { SCHEMA_WITH("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}"),
          SCHEMA_WITH("{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}"), "has 3 bytes, the reader's 4" },
        { SCHEMA_WITH("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}"),
          SCHEMA_WITH("{\"type\":\"fixed\",\"name\":\"G\",\"aliases\":[\"F\"],\"size\":3}"), "none" },
        { SCHEMA_WITH(ARRAY("\"string\"")), SCHEMA_WITH(ARRAY("\"int\"")), "array of string cannot be read as" },
        { SCHEMA_WITH("[\"null\",\"string\"]"), SCHEMA_WITH("\"int\""), "union of null and string cannot be read as" },
        { SCHEMA_WITH("[\"null\",\"int\"]"), SCHEMA_WITH("\"int\""), "none" },
        { SCHEMA_WITH("\"int\""), SCHEMA_WITH("[\"null\",\"string\"]"), "int cannot be read as the reader's union of null" },
        { SCHEMA_WITH("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":5,\"scale\":2}"),
          SCHEMA_WITH("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":5,\"scale\":3}"),
          "decimal(5,2) as bytes cannot be read as the reader's decimal(5,3) as bytes" },
        { RECORD(FIELD("n", "\"Order\"") "," FIELD("x", "\"string\"") "," ORDER),
          RECORD(FIELD("n", "\"Order\"") "," FIELD("x", "\"int\"") "," ORDER),
          "field \"x\": the writer's string cannot be read as the reader's int" },
        { RECORD(FIELD("n", "\"Order\"") "," ORDER), RECORD(FIELD("n", "\"Order\"") "," ORDER "," FIELD("x", "\"int\"")),
          "the reader's field \"x\" (int) is not in" },
        { RECORD(ORDER), "{", "the reader's schema: the schema is not valid JSON" },
        { RECORD(FIELD("product", "\"string\"") "," FIELD("price", "\"float\"")),
          RECORD("{\"name\":\"orderId\",\"type\":[\"null\",\"string\"],\"default\":null},"
                 FIELD("product", "\"string\"") "," FIELD("price", "\"float\"")), "its default is null" },
        { RECORD(FIELD("product", "\"string\"") "," FIELD("price", "\"float\"")),
          RECORD("{\"name\":\"orderId\",\"type\":\"int\",\"default\":\"x\"},"
                 FIELD("product", "\"string\"") "," FIELD("price", "\"float\"")), "does not fit its type int" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[OF_ERROR_TEXT_BYTES];
        if (strstr(refusal(rows[i].writer, rows[i].reader, text), rows[i].reason) == NULL)
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, text, rows[i].reason);
    }
}

static void
readers_rename_reorder_promote_and_fill_in(void **state)
{
    (void)state;
    static const struct of_plan_fields fields = {
        .value = "amount", .group_by = "kind", .id = "key",
        .reader_schema = "{\"type\":\"record\",\"name\":\"Sale\",\"aliases\":[\"t.Order\"],\"fields\":["
                         "{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"Kind\",\"aliases\":[\"t.E\"],"
                         "\"symbols\":[\"B\",\"Other\"],\"default\":\"Other\"},\"aliases\":[\"product\"]},"
                         "{\"name\":\"amount\",\"type\":\"double\",\"aliases\":[\"price\"]},"
                         "{\"name\":\"key\",\"type\":{\"type\":\"bytes\"},\"default\":\"\\u00ffk\"}]}",
    };
    struct of_plan *plan = compile(
        RECORD(FIELD("price", "\"int\"") "," FIELD("gone", ARRAY("\"int\"")) ","
               FIELD("product", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}")), &fields);
    check_order(plan, of_slice_of(BODY("\6\0\2")), "3", "B", "\xffk");
    check_order(plan, of_slice_of(BODY("\6\0\0")), "3", "Other", "\xffk");
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    of_plan_print_fields(plan, out);
    of_plan_print(plan, out);
    fclose(out);
    assert_string_equal(text, "record t.Order\n"
                              "  price    int           value, read as double\n"
                              "  gone     array of int  passed over\n"
                              "  product  enum t.E      group\n"
                              "  key      bytes         id, the default of the reader's schema\n"
                              "   0  int      -> value   # price: int\n"
                              "   1  loop       # gone: array of int\n"
                              "   2  block    or 5\n"
                              "   3  int\n"
                              "   4  next     2\n"
                              "   5  enum     of 2 -> group   # product: enum t.E\n"
                              "   6  constant -> id   # key: bytes\n"
                              "   7  end\n");
    free(text);
    of_plan_destroy(&plan);
}

#define NAMED(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define FROM(field, type) "{\"name\":\"value\",\"type\":\"" type "\",\"aliases\":[\"" field "\"]}"

/* Of the writer's record "Paid", field x of an order: what the reader takes as x.value, which tells the branches apart.
 * NULL: none can be taken. */
static void
a_record_is_read_as_the_branch_of_its_name_or_else_of_its_fields(void **state)
{
    (void)state;
    static const struct {
        const char *branches, *value;
    } rows[] = {
        { NAMED("t.Paid", FROM("seven", "long")), "7" },
        { "\"null\"," NAMED("t.Other", FROM("seven", "long")), "7" },
        { "\"null\"," NAMED("t.Other", FROM("seven", "string")), NULL },
        { "\"null\"," NAMED("t.Other", FROM("seven", "long") "," FIELD("missing", "\"int\"")), NULL },
        /* the first that can be read, of the same name before others, of the same full name before all */
        { NAMED("t.A", FROM("seven", "string")) "," NAMED("t.B", FROM("seven", "long")), "7" },
        { NAMED("t.A", FROM("one", "long")) "," NAMED("t.B", FROM("seven", "long")), "1" },
        { NAMED("t.A", FROM("one", "long")) "," NAMED("o.Paid", FROM("seven", "long")), "7" },
        { NAMED("o.Paid", FROM("one", "long")) "," NAMED("p.Paid", FROM("seven", "long")), "1" },
        { NAMED("o.Paid", FROM("one", "long")) "," NAMED("t.Paid", FROM("seven", "long")), "7" },
        { NAMED("t.A", FROM("seven", "long")) "," NAMED("o.Paid", FROM("seven", "string")), "7" },
        { NAMED("t.A", FROM("seven", "long")) "," NAMED("t.Paid", FROM("seven", "string")), NULL },
        /* fields that cannot be read deeper down; records within themselves */
        { NAMED("t.A", FROM("seven", "long") "," FIELD("in", NAMED("t.In", FIELD("y", "\"boolean\"")))) ","
          NAMED("t.B", FROM("seven", "long")), "7" },
        { NAMED("t.A", FROM("seven", "long") "," FIELD("next", "[\"null\",\"t.A\"]")), "7" },
        { NAMED("t.A", FROM("seven", "long") "," FIELD("next", "[\"string\"]")) "," NAMED("t.B", FROM("one", "long")), "1" },
        { NAMED("t.A", FROM("seven", "long") "," FIELD("next", "\"t.A\"")), NULL }, /* no union: the name must be the same */
    };
    static const char writer[] = RECORD(FIELD("orderId", "\"string\"") "," FIELD("product", "\"string\"") ","
        FIELD("x", NAMED("t.Paid", FIELD("seven", "\"long\"") "," FIELD("one", "\"int\"") ","
                         FIELD("in", NAMED("t.In", FIELD("y", "\"int\""))) ","
                         FIELD("next", "[\"null\",\"t.Paid\"]"))));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char reader[2000];
        snprintf(reader, sizeof reader, RECORD(FIELD("orderId", "\"string\"") "," FIELD("product", "\"string\"") ","
                                               FIELD("x", "[%s]")), rows[i].branches);
        const struct of_plan_fields fields = { .value = "x.value", .group_by = "product", .id = "orderId",
                                               .reader_schema = reader };
        struct of_plan *plan = NULL;
        struct of_error err = { 0 };
        enum of_status status = of_plan_compile(of_slice_str(writer), &fields, 1000, &plan, &err);
        if ((status == OF_OK) != (rows[i].value != NULL))
            fail_msg("row %zu: %s", i, status == OF_OK ? "is read" : err.text);
        if (status == OF_OK)
            check_order(plan, of_slice_of(BODY("\2i\2p\x0e\2\2\0")), rows[i].value, "p", "i");
        of_plan_destroy(&plan);
    }
}

/* The same pair of records is read where the reader has a union, and refused where it has not. */
static void
only_a_readers_union_overlooks_a_name(void **state)
{
    (void)state;
    static const char writer[] = RECORD(FIELD("x", NAMED("A", FIELD("y", "\"int\""))) "," FIELD("z", "\"A\"") "," ORDER);
#define READER(x, z) RECORD(FIELD("x", x) "," FIELD("z", z) "," ORDER)
    char text[OF_ERROR_TEXT_BYTES];
    assert_string_equal(refusal(writer, READER("[\"null\"," NAMED("B", FIELD("y", "\"int\"")) "]", "[\"B\"]"), text), "none");
    assert_non_null(strstr(refusal(writer, READER("[\"null\"," NAMED("B", FIELD("y", "\"int\"")) "]", "\"B\""), text),
                           "field \"z\": the writer's record t.A cannot be read as the reader's record t.B"));
    assert_non_null(strstr(refusal(writer, READER(NAMED("B", FIELD("y", "\"int\"")), "[\"B\"]"), text),
                           "field \"x\": the writer's record t.A cannot be read as the reader's record t.B"));
}

/* ---- references ---- */

static void
references_are_known_by_name(void **state)
{
    (void)state;
    static const char *const references[] = {
        "{\"type\":\"enum\",\"name\":\"m.Currency\",\"symbols\":[\"EUR\"]}",
        "{\"type\":\"record\",\"name\":\"m.Money\",\"fields\":[" FIELD("in", "\"Currency\"") ","
                     FIELD("amount", "\"double\"") "]}",
    };
    static const char schema[] = RECORD(FIELD("orderId", "\"string\"") "," FIELD("price", "\"m.Money\"") ","
                                        FIELD("product", "\"string\""));
    static const struct of_plan_fields fields = { .value = "price.amount", .group_by = "price.in", .id = "orderId" };
    struct of_plan *plan;
    struct of_error err = { 0 };
    assert_int_equal(of_plan_compile_referring(of_slice_str(schema), references, 2, &fields, 100, &plan, &err), OF_OK);
    check_order(plan, of_slice_of(BODY("\2i\0\0\0\0\0\0\0\xf8\x3f\0")), "1.5", "EUR", "i");
    of_plan_destroy(&plan);
    assert_int_equal(of_plan_compile_referring(of_slice_str(schema), references, 1, &fields, 100, &plan, &err), OF_POISON);
    assert_non_null(strstr(err.text, "field \"price\": there is no type named m.Money"));
    assert_int_equal(of_plan_compile_referring(of_slice_str(schema), references + 1, 1, &fields, 100, &plan, &err), OF_POISON);
    assert_non_null(strstr(err.text, "schema reference 1 of 1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type_are_passed_over_or_refused),
        cmocka_unit_test(recursion_goes_only_so_deep),
        cmocka_unit_test(types_that_double_cost_no_more_than_their_bytes),
        cmocka_unit_test(logical_types_make_values_and_ids),
        cmocka_unit_test(decimals_that_are_none_are_bytes),
        cmocka_unit_test(paths_lead_into_records_and_their_unions),
        cmocka_unit_test(what_no_reader_can_read_is_refused_with_fields_and_types),
        cmocka_unit_test(readers_rename_reorder_promote_and_fill_in),
        cmocka_unit_test(a_record_is_read_as_the_branch_of_its_name_or_else_of_its_fields),
        cmocka_unit_test(only_a_readers_union_overlooks_a_name),
        cmocka_unit_test(references_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
