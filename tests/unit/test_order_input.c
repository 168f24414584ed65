#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands/order_input.h"
#include "support/temp_file.h"

enum { COLUMNS = 3 };

static const struct of_column columns[COLUMNS] = { { "orderId", true, true }, { "product", true, false },
                                                   { "price", true, false } };

static enum of_status
open_input(struct of_order_input *input, const char *name, uint64_t count, struct of_error *err)
{
    const struct of_order_input_options options = { .name = name, .count = count, .seed = 1, .first_id = 1001,
                                                    .columns = columns, .column_count = COLUMNS };
    return of_order_input_open(input, &options, err);
}

static void
random_orders_end_at_the_count(void **state)
{
    (void)state;
    struct of_order_input input;
    struct of_cell cells[COLUMNS];
    struct of_error err;
    assert_int_equal(open_input(&input, NULL, 3, &err), OF_OK);
    for (char last = '1'; last <= '3'; last++) {
        assert_int_equal(of_order_input_next(&input, cells, &err), OF_OK);
        assert_true(of_slice_equal(cells[0].text, of_slice_of((char[]) { '1', '0', '0', last }, 4)));
    }
    assert_int_equal(of_order_input_next(&input, cells, &err), OF_AGAIN);
    of_order_input_close(&input);
}

static void
a_file_ends_at_its_end_or_at_the_count(void **state)
{
    (void)state;
    temp_file_write("orderId,product,price\na,Laptop,1.5\nb,Mouse,2\n");
    for (uint64_t count = 0; count <= 3; count++) {
        struct of_order_input input;
        struct of_cell cells[COLUMNS];
        struct of_error err;
        uint64_t seen = 0;
        assert_int_equal(open_input(&input, temp_file, count, &err), OF_OK);
        while (of_order_input_next(&input, cells, &err) == OF_OK)
            seen++;
        assert_int_equal(seen, count < 2 ? count : 2);
        of_order_input_close(&input);
    }
}

static void
errors_name_the_file(void **state)
{
    (void)state;
    struct of_order_input input;
    struct of_cell cells[COLUMNS];
    struct of_error err;
    assert_int_equal(open_input(&input, "/nowhere/orders.csv", 1, &err), OF_FATAL);
    assert_string_equal(err.text, "/nowhere/orders.csv: cannot be opened: No such file or directory");
    temp_file_write("orderId,price\n");
    assert_int_equal(open_input(&input, temp_file, 1, &err), OF_FATAL);
    assert_memory_equal(err.text, temp_file, strlen(temp_file));
    temp_file_write("orderId,product,price\na,Laptop,abc\n");
    assert_int_equal(open_input(&input, temp_file, 1, &err), OF_OK);
    assert_int_equal(of_order_input_next(&input, cells, &err), OF_OK);
    of_error_set(&err, OF_POISON, "column price: \"abc\" is not a number"); /* as an encoder would */
    assert_int_equal(of_order_input_blame(&input, &err), OF_FATAL);
    assert_memory_equal(err.text, temp_file, strlen(temp_file));
    assert_non_null(strstr(err.text, ": row at line 2, column price: \"abc\""));
    of_order_input_close(&input);
    temp_file_write("orderId,product,price\n,Laptop,1\n");
    assert_int_equal(open_input(&input, temp_file, 1, &err), OF_OK);
    assert_int_equal(of_order_input_next(&input, cells, &err), OF_FATAL);
    assert_non_null(strstr(err.text, ": row at line 2, column orderId: is empty"));
    of_order_input_close(&input);
}

static void
random_orders_have_three_columns_and_no_others(void **state)
{
    (void)state;
    struct of_column more[] = { { "price", true, false }, { "note", false, false }, { "orderId", true, true } };
    struct of_order_input_options options = { .count = 1, .seed = 1, .first_id = 7, .columns = more, .column_count = 3 };
    struct of_order_input input;
    struct of_cell cells[3];
    struct of_error err;
    assert_int_equal(of_order_input_open(&input, &options, &err), OF_OK);
    assert_int_equal(of_order_input_next(&input, cells, &err), OF_OK);
    assert_int_equal(cells[0].kind, OF_CELL_REAL);
    assert_int_equal(cells[1].kind, OF_CELL_MISSING);
    assert_true(of_slice_equal(cells[2].text, of_slice_str("7")));
    of_order_input_close(&input);
    more[1].required = true;
    assert_int_equal(of_order_input_open(&input, &options, &err), OF_FATAL);
    assert_non_null(strstr(err.text, "no column \"note\""));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_file_make, temp_file_remove)
    const struct CMUnitTest tests[] = {
        TEST(random_orders_end_at_the_count),
        TEST(a_file_ends_at_its_end_or_at_the_count),
        TEST(errors_name_the_file),
        TEST(random_orders_have_three_columns_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
