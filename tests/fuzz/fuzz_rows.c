/* Any file: rows with an id, whose cells become text and numbers or errors with a text, until its end or an error. */
#include "core/assert.h"
#include "fuzz/fuzz.h"
#include "order/rows.h"

#include <math.h>

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    static const char *const files[] = {
        "orderId,product,price\n1001,Laptop,756.32\n\"1002\",\"a \"\"b\"\",\n c\",-1.5e3\r\n",
        "price,x,orderId,product\r\n1,,2,3\r\n",
        ("{\"orderId\":\"1001\",\"product\":\"Laptop\",\"price\":756.32}\n"
         "{\"orderId\":7,\"product\":\"\",\"price\":\"1\"}\n"),
    };
    if (index >= sizeof files / sizeof *files)
        return 0;
    size_t length = strlen(files[index]);
    OF_ASSERT(length <= size);
    memcpy(bytes, files[index], length);
    return length;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "r");
    if (file == NULL)
        return 0;
    static const struct of_column columns[] = { { "orderId", true, true }, { "product", true, false },
                                                { "price", false, false } };
    enum { COLUMNS = sizeof columns / sizeof *columns };
    struct of_rows *rows;
    struct of_cell cells[COLUMNS];
    struct of_error err = { 0 };
    enum of_status status = of_rows_open(&rows, file, NULL, columns, COLUMNS, &err);
    while (status == OF_OK && (status = of_rows_next(rows, cells, &err)) == OF_OK) {
        char scratch[OF_CELL_SCRATCH_BYTES];
        struct of_slice text;
        double number;
        int64_t integer;
        OF_ASSERT(!of_cell_is_absent(&cells[0]));
        for (int i = 0; i < COLUMNS; i++) {
            struct of_error why = { 0 };
            OF_ASSERT(of_cell_to_text(&cells[i], scratch, &text, &why) == OF_OK || why.text[0] != '\0');
            OF_ASSERT(of_cell_to_double(&cells[i], &number, &why) != OF_OK || !isnan(number));
            OF_ASSERT(of_cell_to_integer(&cells[i], -9, 9, &integer, &why) != OF_OK || (integer > -10 && integer < 10));
        }
    }
    OF_ASSERT(status == OF_AGAIN || (status == OF_FATAL && err.text[0] != '\0'));
    of_rows_close(&rows);
    fclose(file);
    return 0;
}
