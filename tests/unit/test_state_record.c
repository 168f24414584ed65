#include "order/state_record.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <avro.h>
#include <cmocka.h>

#include "core/memory.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define BYTES(text) of_slice_of(text, sizeof(text) - 1)

static const struct of_state_place place = { { (const uint8_t *)"billing", 7 }, { (const uint8_t *)"orders", 6 }, 12 };

/* Every form that a sum can have: windows, both ends of the range of double, and all of it at once. */
static const double sums[][6] = {
    { 0 },
    { 756.32 },
    { 0.1, 0.2, -0.3 },
    { -1.5, -2.5 },
    { DBL_MAX, DBL_MAX, DBL_MAX },
    { -DBL_MAX, 4.9e-324, 1 },
    { 4.9e-324, -4.9e-324, 0 },
    { 1e300, 1e-300, -1e300, 3 },
};

static void
fill(struct of_aggregate *aggregate, const double *values, size_t count, int64_t next_offset)
{
    of_aggregate_init(aggregate);
    for (size_t i = 0; i < count; i++)
        of_aggregate_add(aggregate, values[i]);
    aggregate->next_offset = next_offset;
}

static void
assert_same_sum(const struct of_exact_sum *a, const struct of_exact_sum *b)
{
    uint8_t left[OF_EXACT_SUM_BYTES], right[OF_EXACT_SUM_BYTES];
    size_t length = of_exact_sum_write(a, left, sizeof left);
    assert_int_equal(of_exact_sum_write(b, right, sizeof right), length);
    assert_memory_equal(left, right, length);
    char *left_text = of_exact_sum_decimal(a), *right_text = of_exact_sum_decimal(b); /* with decimals */
    assert_string_equal(left_text, right_text);
    free(left_text);
    free(right_text);
}

/* ---- the round trip ---- */

static void
round_trip(struct of_state_writer *writer, struct of_slice group_value, const struct of_aggregate *aggregate)
{
    struct of_slice key, value;
    struct of_state_record read;
    struct of_error err = { 0 };
    of_state_write_row(writer, 258, &place, group_value, aggregate, &key, &value);
    assert_memory_equal(value.data, "\0\0\0\1\2", 5);
    if (of_state_read(key, value, &read, &err) != OF_OK)
        fail_msg("%s", err.text);
    assert_int_equal(read.kind, OF_STATE_ROW);
    assert_false(read.deleted);
    assert_true(of_slice_equal(read.place.group, place.group));
    assert_true(of_slice_equal(read.place.topic, place.topic));
    assert_int_equal(read.place.partition, place.partition);
    assert_true(of_slice_equal(read.group_value, group_value));
    assert_int_equal(read.aggregate.count, aggregate->count);
    assert_memory_equal(&read.aggregate.min, &aggregate->min, sizeof(double));
    assert_memory_equal(&read.aggregate.max, &aggregate->max, sizeof(double));
    assert_int_equal(read.aggregate.next_offset, aggregate->next_offset);
    assert_same_sum(&read.aggregate.sum, &aggregate->sum);
    of_aggregate_fini(&read.aggregate);
}

static void
rows_come_back(void **state)
{
    (void)state;
    const struct of_slice names[] = { BYTES("Laptop"), BYTES(""), BYTES("a\tb\t3"), BYTES("K\xc3\xa4se"), BYTES("\xff\xfe"),
                                      BYTES("a\0b") };
    struct of_state_writer *writer = of_state_writer_create();
    for (size_t s = 0; s < COUNT_OF(sums); s++) {
        struct of_aggregate aggregate;
        fill(&aggregate, sums[s], COUNT_OF(sums[s]), (int64_t)s * 1000000007);
        for (size_t n = 0; n < COUNT_OF(names); n++)
            round_trip(writer, names[n], &aggregate);
        of_aggregate_fini(&aggregate);
    }
    of_state_writer_destroy(&writer);
    of_state_writer_destroy(&writer);
}

static void
extremes_come_back(void **state)
{
    (void)state;
    struct of_state_writer *writer = of_state_writer_create();
    struct of_aggregate aggregate;
    uint8_t *longest = of_alloc(65535);
    memset(longest, '\t', 65535);
    of_aggregate_init(&aggregate); /* of nothing */
    round_trip(writer, of_slice_of(longest, 65535), &aggregate);
    of_aggregate_add(&aggregate, -0.0);
    aggregate.count = INT64_MAX;
    aggregate.next_offset = INT64_MAX;
    round_trip(writer, of_slice_of(longest, 65535), &aggregate);
    of_aggregate_fini(&aggregate);
    free(longest);
    of_state_writer_destroy(&writer);
}

static void
decimals_come_back(void **state)
{
    (void)state;
    struct of_state_writer *writer = of_state_writer_create();
    struct of_aggregate aggregate;
    of_aggregate_init(&aggregate);
    of_aggregate_add(&aggregate, 0.5);
    static const unsigned scales[] = { 0, 2, 3, OF_SCALE_MAX };
    for (size_t i = 0; i < COUNT_OF(scales); i++) {
        of_aggregate_add_scaled(&aggregate, ((of_int128)1 << 100) + (of_int128)i, scales[i]);
        of_aggregate_add_scaled(&aggregate, -7, scales[i]);
        round_trip(writer, BYTES("Laptop"), &aggregate);
    }
    of_aggregate_fini(&aggregate);
    of_state_writer_destroy(&writer);
}

static const struct of_state_marker example_marker = {
    .next_offset = 4711,
    .retries = 17,
    .dead_letters = 3,
    .rows = 5,
    .version = OF_STATE_VERSION,
    .value_field = { (const uint8_t *)"price", 5 },
    .group_by_field = { (const uint8_t *)"product", 7 },
};

static void
markers_come_back(void **state)
{
    (void)state;
    struct of_state_writer *writer = of_state_writer_create();
    struct of_slice key, value;
    struct of_state_record read;
    of_state_write_marker(writer, 7, &place, &example_marker, &key, &value);
    assert_true(of_slice_equal(key, BYTES("billing\torders\t12")));
    assert_int_equal(of_state_read(key, value, &read, NULL), OF_OK);
    assert_int_equal(read.kind, OF_STATE_MARKER);
    assert_int_equal(read.marker.next_offset, 4711);
    assert_int_equal(read.marker.retries, 17);
    assert_int_equal(read.marker.dead_letters, 3);
    assert_int_equal(read.marker.rows, 5);
    assert_int_equal(read.marker.version, OF_STATE_VERSION);
    assert_true(of_slice_equal(read.marker.value_field, BYTES("price")));
    assert_true(of_slice_equal(read.marker.group_by_field, BYTES("product")));
    of_aggregate_fini(&read.aggregate);
    of_state_writer_destroy(&writer);
}

/* ---- what is not one ---- */

static void
keys_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = { "",          "g",          "g\tt",         "g\tt\t",           "g\tt\t-1",
                                         "g\tt\t01",  "g\tt\t+1",   "g\tt\t1x",     "g\tt\t2147483648", "\tt\t1",
                                         "g\t\t1",    "g\tt\t1 \tx", "g\tt\t99999999999" };
    struct of_state_record read;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(of_state_read(of_slice_str(wrong[i]), of_slice_of(NULL, 0), &read, NULL), OF_POISON);
    assert_int_equal(of_state_read(of_slice_of(NULL, 0), of_slice_of(NULL, 0), &read, NULL), OF_POISON);
}

static void
a_deleted_record_has_its_key(void **state)
{
    (void)state;
    struct of_state_record read;
    assert_int_equal(of_state_read(BYTES("g\tt\t2147483647\t"), of_slice_of(NULL, 0), &read, NULL), OF_OK);
    assert_int_equal(read.kind, OF_STATE_ROW);
    assert_true(read.deleted);
    assert_int_equal(read.place.partition, INT32_MAX);
    assert_true(read.group_value.data != NULL && read.group_value.length == 0);
    assert_int_equal(of_state_read(BYTES("g\tt\t0"), of_slice_of(NULL, 0), &read, NULL), OF_OK);
    assert_int_equal(read.kind, OF_STATE_MARKER);
    assert_true(read.deleted);
}

static void
every_other_length_is_refused(void **state)
{
    (void)state;
    struct of_state_writer *writer = of_state_writer_create();
    struct of_state_record read;
    struct of_aggregate aggregate;
    struct of_slice key, value;
    fill(&aggregate, sums[7], 6, 9);
    for (int marker = 0; marker < 2; marker++) {
        if (marker)
            of_state_write_marker(writer, 7, &place, &example_marker, &key, &value);
        else
            of_state_write_row(writer, 7, &place, BYTES("x"), &aggregate, &key, &value);
        for (size_t length = 0; length <= value.length + 1; length++) {
            uint8_t *exact = of_alloc(length + 1); /* so that reading beyond is seen by the sanitizer */
            memcpy(exact + 1, value.data, length <= value.length ? length : value.length);
            if (length != value.length)
                assert_int_equal(of_state_read(key, of_slice_of(exact + 1, length), &read, NULL), OF_POISON);
            free(exact);
        }
    }
    of_aggregate_fini(&aggregate);
    of_state_writer_destroy(&writer);
}

static void
a_value_of_another_key_is_refused(void **state)
{
    (void)state;
    static const char *const others[] = { "billing\torders\t12\ty", "billing\torders\t13\tx", "billing\tOrders\t12\tx",
                                          "Billing\torders\t12\tx", "billing\torders\t12" };
    struct of_state_writer *writer = of_state_writer_create();
    struct of_state_record read;
    struct of_aggregate aggregate;
    struct of_slice key, value;
    fill(&aggregate, sums[1], 1, 9);
    of_state_write_row(writer, 7, &place, BYTES("x"), &aggregate, &key, &value);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(of_state_read(of_slice_str(others[i]), value, &read, NULL), OF_POISON);
    of_aggregate_fini(&aggregate);
    of_state_writer_destroy(&writer);
}

static void
another_version_is_named(void **state)
{
    (void)state;
    struct of_state_writer *writer = of_state_writer_create();
    struct of_state_marker marker = example_marker;
    struct of_state_record read;
    struct of_error err = { 0 };
    struct of_slice key, value;
    marker.version = OF_STATE_VERSION + 1;
    of_state_write_marker(writer, 7, &place, &marker, &key, &value);
    assert_int_equal(of_state_read(key, value, &read, &err), OF_POISON);
    assert_non_null(strstr(err.text, "version"));
    of_state_writer_destroy(&writer);
}

/* ---- another program reads it ---- */

static char *
schema_text(void)
{
    FILE *file = fopen(ORDERFLOW_SOURCE_DIR "/schemas/aggregate.avsc", "r");
    char *text = of_alloc(16384);
    assert_non_null(file);
    assert_true(fread(text, 1, 16383, file) > 0);
    fclose(file);
    return text;
}

struct foreign {
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
};

static void
read_foreign(struct foreign *foreign, struct of_slice value)
{
    char *text = schema_text();
    assert_int_equal(avro_schema_from_json_length(text, strlen(text), &foreign->schema), 0);
    free(text);
    foreign->class = avro_generic_class_from_schema(foreign->schema);
    assert_int_equal(avro_generic_value_new(foreign->class, &foreign->value), 0);
    avro_reader_t reader = avro_reader_memory((const char *)value.data + 5, (int64_t)value.length - 5);
    assert_int_equal(avro_value_read(reader, &foreign->value), 0);
    avro_reader_free(reader);
    size_t size = 0;
    assert_int_equal(avro_value_sizeof(&foreign->value, &size), 0);
    assert_int_equal(size, value.length - 5); /* nothing is left */
}

static void
end_foreign(struct foreign *foreign)
{
    avro_value_decref(&foreign->value);
    avro_value_iface_decref(foreign->class);
    avro_schema_decref(foreign->schema);
}

static avro_value_t
field(avro_value_t *record, const char *name)
{
    avro_value_t found = { 0 };
    assert_int_equal(avro_value_get_by_name(record, name, &found, NULL), 0);
    return found;
}

static avro_value_t
branch(avro_value_t value, int expected)
{
    avro_value_t chosen = { 0 };
    int number = -1;
    assert_int_equal(avro_value_get_discriminant(&value, &number), 0);
    assert_int_equal(number, expected);
    assert_int_equal(avro_value_get_current_branch(&value, &chosen), 0);
    return chosen;
}

static void
assert_text(avro_value_t value, const char *expected)
{
    const char *text;
    size_t size = 0;
    assert_int_equal(avro_value_get_string(&value, &text, &size), 0);
    assert_string_equal(text, expected);
}

static void
assert_long(avro_value_t value, int64_t expected)
{
    int64_t number = -1;
    assert_int_equal(avro_value_get_long(&value, &number), 0);
    assert_int_equal(number, expected);
}

static void
assert_double(avro_value_t value, double expected)
{
    double number;
    assert_int_equal(avro_value_get_double(&value, &number), 0);
    assert_memory_equal(&number, &expected, sizeof number);
}

static void
libavro_reads_rows(void **state)
{
    (void)state;
    struct of_state_writer *writer = of_state_writer_create();
    struct of_aggregate aggregate;
    struct of_slice key, value;
    struct foreign foreign;
    const void *bytes;
    size_t size = 0;
    fill(&aggregate, (const double[]) { 1.5, 2.25, -0.5, 100 }, 4, 70);
    of_state_write_row(writer, 7, &place, BYTES("Laptop"), &aggregate, &key, &value);
    read_foreign(&foreign, value);
    avro_value_t *record = &foreign.value;
    assert_text(field(record, "consumerGroup"), "billing");
    assert_text(field(record, "topic"), "orders");
    assert_text(branch(field(record, "groupValue"), 1), "Laptop");
    assert_long(field(record, "count"), 4);
    assert_double(field(record, "sum"), 103.25);
    assert_double(branch(field(record, "average"), 1), 103.25 / 4);
    avro_value_t exact = field(record, "exactSum");
    assert_int_equal(avro_value_get_bytes(&exact, &bytes, &size), 0);
    assert_int_equal(size, 5); /* 103.25 is 67 40 (hexadecimal) times 256^-1 */
    assert_memory_equal(bytes, "\1\xff\xff\x67\x40", 5);
    assert_double(branch(field(record, "min"), 1), -0.5);
    assert_double(branch(field(record, "max"), 1), 100);
    assert_long(field(record, "nextOffset"), 70);
    branch(field(record, "marker"), 0);
    end_foreign(&foreign);
    of_aggregate_add_scaled(&aggregate, 1234, 2);
    of_state_write_row(writer, 7, &place, BYTES("Laptop"), &aggregate, &key, &value);
    read_foreign(&foreign, value);
    avro_value_t decimals = field(&foreign.value, "decimals"), decimal;
    assert_int_equal(avro_value_get_size(&decimals, &size), 0);
    assert_int_equal(size, 1);
    assert_int_equal(avro_value_get_by_index(&decimals, 0, &decimal, NULL), 0);
    int32_t scale = -1;
    avro_value_t part = field(&decimal, "scale");
    assert_int_equal(avro_value_get_int(&part, &scale), 0);
    assert_int_equal(scale, 2);
    part = field(&decimal, "unscaled");
    assert_int_equal(avro_value_get_bytes(&part, &bytes, &size), 0);
    assert_int_equal(size, 2);
    assert_memory_equal(bytes, "\4\xd2", 2);
    end_foreign(&foreign);
    of_state_write_row(writer, 7, &place, BYTES("\xff"), &aggregate, &key, &value);
    read_foreign(&foreign, value);
    avro_value_t name = branch(field(&foreign.value, "groupValue"), 2);
    assert_int_equal(avro_value_get_bytes(&name, &bytes, &size), 0);
    assert_memory_equal(bytes, "\xff", 1);
    end_foreign(&foreign);
    of_aggregate_fini(&aggregate);
    of_state_writer_destroy(&writer);
}

static void
libavro_reads_markers(void **state)
{
    (void)state;
    struct of_state_writer *writer = of_state_writer_create();
    struct of_slice key, value;
    struct foreign foreign;
    int32_t number = -1;
    of_state_write_marker(writer, 7, &place, &example_marker, &key, &value);
    read_foreign(&foreign, value);
    avro_value_t *record = &foreign.value;
    branch(field(record, "groupValue"), 0);
    branch(field(record, "average"), 0);
    branch(field(record, "min"), 0);
    assert_long(field(record, "count"), 0);
    assert_long(field(record, "nextOffset"), 4711);
    avro_value_t partition = field(record, "partition"), marker = branch(field(record, "marker"), 1);
    assert_int_equal(avro_value_get_int(&partition, &number), 0);
    assert_int_equal(number, 12);
    assert_long(field(&marker, "retries"), 17);
    assert_long(field(&marker, "deadLetters"), 3);
    assert_long(field(&marker, "rows"), 5);
    avro_value_t version = field(&marker, "version");
    assert_int_equal(avro_value_get_int(&version, &number), 0);
    assert_int_equal(number, OF_STATE_VERSION);
    assert_text(field(&marker, "valueField"), "price");
    assert_text(field(&marker, "groupByField"), "product");
    end_foreign(&foreign);
    of_state_writer_destroy(&writer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(extremes_come_back),
        cmocka_unit_test(decimals_come_back),
        cmocka_unit_test(markers_come_back),
        cmocka_unit_test(keys_that_are_none_are_refused),
        cmocka_unit_test(a_deleted_record_has_its_key),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(a_value_of_another_key_is_refused),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(libavro_reads_rows),
        cmocka_unit_test(libavro_reads_markers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
