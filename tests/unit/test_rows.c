#include "order/rows.h"

#include "avro/encode.h"
#include "core/memory.h"
#include "order/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"

enum { COLUMNS = 3, VALUE_BYTES = (1 << 20) + 100 };

static const struct of_column columns[COLUMNS] = { { "orderId", true, true }, { "product", true, false },
                                                   { "price", true, false } };

struct order {
    struct of_slice id, product;
    float price;
};

/* The next row as an order, or what is wrong with it, as `produce` says it. */
static enum of_status
next_order(struct of_rows *rows, struct order *order, struct of_error *err)
{
    static const char schema[] = "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[" FIELD("orderId", "string") ","
                                 FIELD("product", "string") "," FIELD("price", "float") "]}";
    static char scratch[2][OF_CELL_SCRATCH_BYTES];
    struct of_cell cells[COLUMNS];
    enum of_status status = of_rows_next(rows, cells, err);
    if (status != OF_OK)
        return status;
    struct of_encoder *encoder;
    size_t written;
    double price;
    uint8_t *value = of_alloc(VALUE_BYTES);
    assert_int_equal(of_encoder_create(of_slice_str(schema), &encoder, NULL), OF_OK);
    status = of_encoder_encode(encoder, 1, cells, value, VALUE_BYTES, &written, err);
    of_encoder_destroy(&encoder);
    free(value);
    if (status != OF_OK) {
        struct of_error before = *err;
        return of_error_set(err, OF_FATAL, "row at line %d, %s", (int)of_rows_line(rows), before.text);
    }
    assert_int_equal(of_cell_to_text(&cells[0], scratch[0], &order->id, err), OF_OK);
    assert_int_equal(of_cell_to_text(&cells[1], scratch[1], &order->product, err), OF_OK);
    assert_int_equal(of_cell_to_double(&cells[2], &price, err), OF_OK);
    order->price = (float)price;
    return OF_OK;
}

struct expected {
    uint64_t line;
    const char *id, *product;
    float price;
};

struct good {
    const char *name, *text;
    struct expected orders[4];
};

static FILE *
file_of(const char *text, size_t length)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, length, "r");
    assert_non_null(file);
    return file;
}

static const struct good good_files[] = {
    { NULL, "orderId,product,price\n1001,Laptop,756.32\n1002,Phone,-1e2",
      { { 2, "1001", "Laptop", 756.32f }, { 3, "1002", "Phone", -100 } } },
    { "x.CSV", "price,note,product,orderId\r\n1.5,x,\"a \"\"b\"\", c\",7\r\n\r\n+.5,\"two\r\nlines\",,8\r\n2.,,d,9\r\n",
      { { 2, "7", "a \"b\", c", 1.5f }, { 4, "8", "", 0.5f }, { 6, "9", "d", 2 } } },
    { NULL, "\xef\xbb\xbforderId,product,price\n\"1\",caf\xc3\xa9,0\n", { { 2, "1", "caf\xc3\xa9", 0 } } },
    { NULL, "\n\norderId,product,price\n a, b\r ,3\n", { { 4, " a", " b\r ", 3 } } },
    { NULL, "orderId,product,price\n", { { 0 } } },
    { NULL, "", { { 0 } } },
    { "a.csv", "\n", { { 0 } } },
    { "a.jsonl", "", { { 0 } } },
    { NULL, "{\"orderId\": \"a\", \"product\": \"p\", \"price\": 1.25}\n\n \t\r\n"
            "{\"price\":\"7.5\",\"x\":[1],\"orderId\":-12,\"product\":\"\\u00e9\"}",
      { { 1, "a", "p", 1.25f }, { 4, "-12", "\xc3\xa9", 7.5f } } },
    { "-", "\xef\xbb\xbf \n  {\"orderId\": 9223372036854775807, \"product\": \"\", \"price\": 3}\r\n",
      { { 2, "9223372036854775807", "", 3 } } },
};

static void
assert_file(const struct good *file)
{
    FILE *stream = file_of(file->text, strlen(file->text));
    struct of_rows *rows;
    struct order order;
    struct of_error err = { 0 };
    if (of_rows_open(&rows, stream, file->name, columns, COLUMNS, &err) != OF_OK)
        fail_msg("%s", err.text);
    for (const struct expected *expected = file->orders; expected->id != NULL; expected++) {
        if (next_order(rows, &order, &err) != OF_OK)
            fail_msg("%s", err.text);
        assert_int_equal(of_rows_line(rows), expected->line);
        assert_true(of_slice_equal(order.id, of_slice_str(expected->id)));
        assert_true(of_slice_equal(order.product, of_slice_str(expected->product)));
        assert_true(order.price == expected->price);
    }
    assert_int_equal(next_order(rows, &order, &err), OF_AGAIN);
    assert_int_equal(next_order(rows, &order, &err), OF_AGAIN);
    of_rows_close(&rows);
    assert_null(rows);
    fclose(stream);
}

static void
good_files_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good_files); i++)
        assert_file(&good_files[i]);
}

#define HEAD "orderId,product,price\n"
#define JSON_ROW(price) "{\"orderId\":1,\"product\":\"p\",\"price\":" price "}"

/* Every message names the row, and the column where one is to blame. */
static const struct {
    const char *text, *message;
} bad_files[] = {
    { "orderId,product\n", "row at line 1, column price: is missing in the header" },
    { "orderId,product,price,price\n", "row at line 1, column price: is twice in the header" },
    { "orderid,product,price\n", "row at line 1, column orderId: is missing in the header" },
    { "\xef\xbbx", "row at line 1: neither a CSV header nor a JSON object" },
    { HEAD "1,a,2\n1,a\n", "row at line 3: 2 columns, but the header has 3" },
    { HEAD "1,a,2,\n", "row at line 2: 4 columns, but the header has 3" },
    { HEAD "1,a,abc\n", "row at line 2, column price: \"abc\" is not a number" },
    { HEAD "1,\"b\n\n\",1\n1,a,\n", "row at line 5, column price: is empty" },
    { HEAD "1,a, 1\n", "row at line 2, column price: \" 1\" is not a number" },
    { HEAD "1,a,1.2.3\n", "row at line 2, column price: \"1.2.3\" is not a number" },
    { HEAD "1,a,0x10\n", "row at line 2, column price: \"0x10\" is not a number" },
    { HEAD "1,a,nan\n", "row at line 2, column price: \"nan\" is not a number" },
    { HEAD "1,a,1e\n", "row at line 2, column price: \"1e\" is not a number" },
    { HEAD "1,a,.\n", "row at line 2, column price: \".\" is not a number" },
    { HEAD "1,a,-\n", "row at line 2, column price: \"-\" is not a number" },
    { HEAD "1,a,1e39\n", "row at line 2, column price: \"1e39\" is too large for a float" },
    { HEAD "1,a,-1e999\n", "row at line 2, column price: \"-1e999\" is too large for a float" },
    { HEAD ",a,1\n", "row at line 2, column orderId: is empty" },
    { HEAD "\"\",a,1\n", "row at line 2, column orderId: is empty" },
    { HEAD "1,\xff,1\n", "row at line 2, column product: \"\\xFF\" is not valid UTF-8" },
    { HEAD "1,a\"b,1\n", "row at line 2, column 2: a quote inside a field without quotes" },
    { HEAD "1,\"a\"b,1\n", "row at line 2, column 2: text after the closing quote" },
    { HEAD "1,a,\"1\n2\n", "row at line 2, column 3: the opening quote has no closing one" },
    { JSON_ROW("1") "\n" JSON_ROW("null"), "row at line 2, column price: is not a number" },
    { JSON_ROW("\"x\""), "row at line 1, column price: \"x\" is not a number" },
    { JSON_ROW("\"\""), "row at line 1, column price: is empty" },
    { JSON_ROW("1e39"), "row at line 1, column price: is too large for a float" },
    { "{\"orderId\":1,\"product\":\"p\"}", "row at line 1, column price: is missing" },
    { "{\"orderId\":1,\"price\":1}", "row at line 1, column product: is missing" },
    { "{\"orderId\":1,\"price\":1,\"product\":true}",
      "row at line 1, column product: is neither a string nor an integer" },
    { "{\"orderId\":1,\"price\":1,\"product\":[1]}",
      "row at line 1, column product: is neither a string nor an integer" },
    { "{\"product\":\"p\",\"price\":1}", "row at line 1, column orderId: is missing" },
    { "{\"orderId\":1.5,\"product\":\"p\",\"price\":1}",
      "row at line 1, column orderId: is neither a string nor an integer" },
    { "{\"orderId\":\"\",\"product\":\"p\",\"price\":1}", "row at line 1, column orderId: is empty" },
    { JSON_ROW("1") "\n[1]\n", "row at line 2: not a JSON object: a value of another kind" },
    { JSON_ROW("1") "\n\n{\n", "row at line 3: not a JSON object: " },
    { "{\"orderId\":1,\"orderId\":2}", "row at line 1: not a JSON object: duplicate object key" },
    { JSON_ROW("1") JSON_ROW("2"), "row at line 1: not a JSON object: end of file expected" },
};

static void
bad_files_are_refused_by_row_and_column(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_files); i++) {
        FILE *stream = file_of(bad_files[i].text, strlen(bad_files[i].text));
        struct of_rows *rows;
        struct order order;
        struct of_error err = { 0 };
        enum of_status status = of_rows_open(&rows, stream, NULL, columns, COLUMNS, &err);
        if (status != OF_OK)
            assert_null(rows);
        while (status == OF_OK)
            status = next_order(rows, &order, &err);
        assert_int_equal(status, OF_FATAL);
        if (strncmp(err.text, bad_files[i].message, strlen(bad_files[i].message)) != 0)
            fail_msg("got \"%s\", expected \"%s\"", err.text, bad_files[i].message);
        of_rows_close(&rows);
        fclose(stream);
    }
}

/* head, `count` times the byte, tail: read until it fails or ends. */
static void
assert_long(const char *head, char byte, size_t count, const char *tail, enum of_status expected, const char *message)
{
    size_t length = strlen(head) + count + strlen(tail);
    char *text = of_alloc(length);
    memcpy(text, head, strlen(head));
    memset(text + strlen(head), byte, count);
    memcpy(text + strlen(head) + count, tail, strlen(tail));
    FILE *stream = file_of(text, length);
    struct of_rows *rows;
    struct order order;
    struct of_error err = { 0 };
    enum of_status status = of_rows_open(&rows, stream, NULL, columns, COLUMNS, &err);
    while (status == OF_OK)
        status = next_order(rows, &order, &err);
    assert_int_equal(status, expected);
    assert_string_equal(err.text, message);
    of_rows_close(&rows);
    fclose(stream);
    free(text);
}

static void
lengths_are_bounded(void **state)
{
    (void)state;
    const size_t mib = 1 << 20;
    assert_long(HEAD "1,", 'x', mib - 2, ",1", OF_AGAIN, "");
    assert_long(HEAD "1,", 'x', mib, ",1", OF_FATAL, "row at line 2, column 2: the row is longer than 1 MiB");
    assert_long(HEAD "1,\"", '\n', mib, "\",1", OF_FATAL, "row at line 2, column 2: the row is longer than 1 MiB");
    assert_long(HEAD, ',', mib, "", OF_FATAL, "row at line 2, column 257: more than 256 columns");
    assert_long(HEAD "1,a,", '1', 600, "", OF_FATAL,
                "row at line 2, column price: "
                "\"1111111111111111111111111111111111111111...\" is too long for a number");
    assert_long(JSON_ROW("1"), ' ', mib - strlen(JSON_ROW("1")), "", OF_AGAIN, "");
    assert_long(JSON_ROW("1"), ' ', mib, "", OF_FATAL, "row at line 1: longer than 1 MiB");
}

static void
a_name_decides_before_the_first_byte(void **state)
{
    (void)state;
    struct of_rows *rows;
    struct of_error err = { 0 };
    FILE *stream = file_of(JSON_ROW("1"), strlen(JSON_ROW("1")));
    assert_int_equal(of_rows_open(&rows, stream, "dir/orders.csv", columns, COLUMNS, &err), OF_FATAL);
    fclose(stream);

    struct order order;
    stream = file_of(HEAD, strlen(HEAD));
    assert_int_equal(of_rows_open(&rows, stream, "orders.NDJSON", columns, COLUMNS, &err), OF_OK);
    assert_int_equal(next_order(rows, &order, &err), OF_FATAL);
    of_rows_close(&rows);
    fclose(stream);
}

static void
a_file_that_cannot_be_read_says_so(void **state)
{
    (void)state;
    FILE *directory = fopen("/", "r");
    assert_non_null(directory);
    struct of_rows *rows;
    struct of_error err = { 0 };
    assert_int_equal(of_rows_open(&rows, directory, NULL, columns, COLUMNS, &err), OF_FATAL);
    assert_string_equal(err.text, "cannot read line 1: Is a directory");
    fclose(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read),
        cmocka_unit_test(bad_files_are_refused_by_row_and_column),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(a_name_decides_before_the_first_byte),
        cmocka_unit_test(a_file_that_cannot_be_read_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
