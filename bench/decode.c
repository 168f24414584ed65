/* The plan's decoder beside avro-c's generic one: framed value in, price, product and id out. */
#include <avro.h>

#include "avro/framing.h"
#include "avro/plan.h"
#include "bench.h"
#include "core/assert.h"
#include "orders.h"

enum { ORDERS = 10000 };

struct settings {
    struct bench_settings common;
    int64_t rounds;
};

static const struct of_option rows[] = {
    BENCH_OPTIONS(struct settings),
    { .name = "rounds", .section = "Orders", .type = OF_OPTION_INT, .min = 1, .max = 1000000, .initial = "200",
      .commands = 1, .offset = offsetof(struct settings, rounds), .placeholder = "COUNT",
      .help = "times that each run decodes its 10000 orders" },
};

struct decode {
    struct settings settings;
    struct bench bench;
    struct bench_orders orders;
    struct of_plan *plan;
    avro_value_t value;
};

typedef double decoder(struct decode *self, struct of_slice body);

static double
decode_with_plan(struct decode *self, struct of_slice body)
{
    struct of_decoded decoded;
    OF_ASSERT(of_plan_decode(self->plan, body, &decoded) == OF_DECODE_OK);
    return decoded.value + (double)(decoded.group.length + decoded.id.length);
}

static size_t
text_length(avro_value_t *record, size_t index)
{
    avro_value_t field;
    const char *text;
    size_t size;
    OF_ASSERT(avro_value_get_by_index(record, index, &field, NULL) == 0);
    OF_ASSERT(avro_value_get_string(&field, &text, &size) == 0);
    return size - 1; /* with its NUL */
}

static double
decode_with_avro(struct decode *self, struct of_slice body)
{
    avro_value_t field;
    float price;
    avro_reader_t reader = avro_reader_memory((const char *)body.data, (int64_t)body.length);
    OF_ASSERT(avro_value_read(reader, &self->value) == 0);
    OF_ASSERT(avro_value_get_by_index(&self->value, 2, &field, NULL) == 0 && avro_value_get_float(&field, &price) == 0);
    double sum = (double)price + (double)(text_length(&self->value, 0) + text_length(&self->value, 1));
    avro_reader_free(reader);
    return sum;
}

static bool
run(struct decode *self, decoder *decode, double *values)
{
    const struct bench_orders *orders = &self->orders;
    double sum = 0;
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    for (int64_t round = 0; round < self->settings.rounds; round++)
        for (uint32_t i = 0; i < orders->count; i++) {
            uint32_t schema_id;
            size_t at;
            OF_ASSERT(of_framing_parse(orders->values[i], &schema_id, &at));
            sum += decode(self, of_slice_of(orders->values[i].data + at, orders->values[i].length - at));
        }
    int64_t took_ns = of_clock_mono_ns(of_clock_system()) - began_ns;
    bench_keep(sum);
    values[0] = (double)took_ns / (double)self->settings.rounds / orders->count;
    return true;
}

static bool
run_plan(void *context, double *values)
{
    return run(context, decode_with_plan, values);
}

static bool
run_avro(void *context, double *values)
{
    return run(context, decode_with_avro, values);
}

static void
open_decoders(struct decode *self)
{
    const struct of_plan_fields fields = { .value = "price", .group_by = "product", .id = "orderId" };
    avro_schema_t schema;
    OF_ASSERT(of_plan_compile(of_slice_str(bench_order_schema), &fields, 1 << 20, &self->plan, NULL) == OF_OK);
    OF_ASSERT(avro_schema_from_json_length(bench_order_schema, strlen(bench_order_schema), &schema) == 0);
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    OF_ASSERT(avro_generic_value_new(class, &self->value) == 0);
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
}

int
main(int argc, char **argv)
{
    static const struct bench_description description = { "decode", rows, sizeof rows / sizeof *rows, false, false };
    static const struct bench_metric metrics[] = { { "ns/order", 1 } };
    static struct decode self;
    int status;
    if (!bench_open(&self.bench, &description, argc, argv, &self.settings, &status))
        return status;
    bench_orders_make(&self.orders, ORDERS, 1);
    open_decoders(&self);
    const struct bench_case what = {
        .title = "an order of two strings and a float",
        .metrics = metrics,
        .metric_count = 1,
        .baseline = { "avro-c, generic value", run_avro, &self },
        .candidate = { "plan", run_plan, &self },
    };
    status = bench_close(&self.bench, bench_compare(&self.bench, &what));
    avro_value_decref(&self.value);
    of_plan_destroy(&self.plan);
    bench_orders_free(&self.orders);
    return status;
}
