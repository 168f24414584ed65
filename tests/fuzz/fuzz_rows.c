/* Any file: orders with a finite price and an id, until its end or an error with a text. */
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
    struct of_rows *rows;
    struct of_order order;
    struct of_error err = { 0 };
    enum of_status status = of_rows_open(&rows, file, NULL, &err);
    while (status == OF_OK && (status = of_rows_next(rows, &order, &err)) == OF_OK)
        OF_ASSERT(isfinite(order.price) && order.id.length > 0 && order.product.data != NULL);
    OF_ASSERT(status == OF_AGAIN || (status == OF_FATAL && err.text[0] != '\0'));
    of_rows_close(&rows);
    fclose(file);
    return 0;
}
