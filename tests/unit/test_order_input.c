#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands/order_input.h"

static char path[64];

static int
make_file(void **state)
{
    (void)state;
    strcpy(path, "/tmp/orderflow-orders-XXXXXX");
    int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int
remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void
write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
random_orders_end_at_the_count(void **state)
{
    (void)state;
    struct of_order_input input;
    struct of_order order;
    struct of_error err;
    assert_int_equal(of_order_input_open(&input, NULL, 3, 1, 1001, &err), OF_OK);
    for (char last = '1'; last <= '3'; last++) {
        assert_int_equal(of_order_input_next(&input, &order, &err), OF_OK);
        assert_true(of_slice_equal(order.id, of_slice_of((char[]) { '1', '0', '0', last }, 4)));
    }
    assert_int_equal(of_order_input_next(&input, &order, &err), OF_AGAIN);
    of_order_input_close(&input);
}

static void
a_file_ends_at_its_end_or_at_the_count(void **state)
{
    (void)state;
    write_file("orderId,product,price\na,Laptop,1.5\nb,Mouse,2\n");
    for (uint64_t count = 0; count <= 3; count++) {
        struct of_order_input input;
        struct of_order order;
        struct of_error err;
        uint64_t seen = 0;
        assert_int_equal(of_order_input_open(&input, path, count, 1, 1, &err), OF_OK);
        while (of_order_input_next(&input, &order, &err) == OF_OK)
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
    struct of_order order;
    struct of_error err;
    assert_int_equal(of_order_input_open(&input, "/nowhere/orders.csv", 1, 1, 1, &err), OF_FATAL);
    assert_string_equal(err.text, "/nowhere/orders.csv: cannot be opened: No such file or directory");
    write_file("orderId,price\n");
    assert_int_equal(of_order_input_open(&input, path, 1, 1, 1, &err), OF_FATAL);
    assert_memory_equal(err.text, path, strlen(path));
    write_file("orderId,product,price\na,Laptop,abc\n");
    assert_int_equal(of_order_input_open(&input, path, 1, 1, 1, &err), OF_OK);
    assert_int_equal(of_order_input_next(&input, &order, &err), OF_FATAL);
    assert_memory_equal(err.text, path, strlen(path));
    assert_non_null(strstr(err.text, "line 2, column price"));
    of_order_input_close(&input);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)
    const struct CMUnitTest tests[] = {
        TEST(random_orders_end_at_the_count),
        TEST(a_file_ends_at_its_end_or_at_the_count),
        TEST(errors_name_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
