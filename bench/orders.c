#include "orders.h"

#include <stdlib.h>

#include "avro/encode.h"
#include "core/assert.h"
#include "core/memory.h"
#include "order/generator.h"

enum { ORDER_BYTES = 64, FIRST_ID = 1001, SEED = 1 };

const char bench_order_schema[] =
    "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"com.bigdata.orders\",\"fields\":["
    "{\"name\":\"orderId\",\"type\":\"string\"},{\"name\":\"product\",\"type\":\"string\"},"
    "{\"name\":\"price\",\"type\":\"float\"}]}";

void
bench_orders_make(struct bench_orders *orders, uint32_t count, uint32_t schema_id)
{
    struct of_encoder *encoder;
    OF_ASSERT(of_encoder_create(of_slice_str(bench_order_schema), &encoder, NULL) == OF_OK);
    orders->values = of_alloc_array(count, sizeof *orders->values);
    orders->bytes = of_alloc_array(count, ORDER_BYTES);
    orders->count = count;
    struct of_generator generator;
    of_generator_init(&generator, SEED, FIRST_ID);
    uint8_t *at = orders->bytes; /* one behind the other, as in a fetch answer */
    for (uint32_t i = 0; i < count; i++) {
        struct of_order order;
        size_t length;
        of_generator_next(&generator, &order);
        const struct of_cell cells[] = { of_cell_text(order.id), of_cell_text(order.product),
                                         of_cell_real((double)order.price) };
        OF_ASSERT(of_encoder_encode(encoder, schema_id, cells, at, ORDER_BYTES, &length, NULL) == OF_OK);
        orders->values[i] = of_slice_of(at, length);
        at += length;
    }
    of_encoder_destroy(&encoder);
}

void
bench_orders_free(struct bench_orders *orders)
{
    free(orders->values);
    free(orders->bytes);
}
