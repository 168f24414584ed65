/* The plan's decoder beside avro-c's generic one: value in, price, product and id out, of the classic order and of a
 * record of forty fields; what broken bodies cost beside good ones; and how long a schema takes to become a plan. */
#include <avro.h>

#include "avro/framing.h"
#include "avro/plan.h"
#include "bench.h"
#include "core/assert.h"
#include "orders.h"
#include "wide.h"

enum { ORDERS = 10000, WIDE = 1000, SCHEMAS = 20 };

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
    struct bench_wide wide;
    struct of_plan *wide_plan;
    avro_value_t wide_value;
    int wide_fields[3]; /* id, product, price */
};

static const struct of_plan_fields wanted = { .value = "price", .group_by = "product", .id = "orderId" };

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

/* ---- forty fields ---- */

typedef double wide_decoder(struct decode *self, struct of_slice body);

static double
decode_wide_with_plan(struct decode *self, struct of_slice body)
{
    struct of_decoded decoded;
    if (of_plan_decode(self->wide_plan, body, &decoded) != OF_DECODE_OK)
        return 0;
    return decoded.value + (double)(decoded.group.length + decoded.id.length);
}

static double
decode_wide_with_avro(struct decode *self, struct of_slice body)
{
    avro_value_t field;
    double price;
    avro_reader_t reader = avro_reader_memory((const char *)body.data, (int64_t)body.length);
    OF_ASSERT(avro_value_read(reader, &self->wide_value) == 0);
    OF_ASSERT(avro_value_get_by_index(&self->wide_value, (size_t)self->wide_fields[2], &field, NULL) == 0);
    OF_ASSERT(avro_value_get_double(&field, &price) == 0);
    avro_reader_free(reader);
    return price + (double)(text_length(&self->wide_value, (size_t)self->wide_fields[0]) +
                            text_length(&self->wide_value, (size_t)self->wide_fields[1]));
}

static bool
run_wide(struct decode *self, wide_decoder *decode, const struct of_slice *bodies, double *values)
{
    double sum = 0;
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    for (int64_t round = 0; round < self->settings.rounds; round++)
        for (uint32_t i = 0; i < self->wide.count; i++)
            sum += decode(self, bodies[i]);
    int64_t took_ns = of_clock_mono_ns(of_clock_system()) - began_ns;
    bench_keep(sum);
    values[0] = (double)took_ns / (double)self->settings.rounds / self->wide.count;
    return true;
}

static bool
run_wide_plan(void *context, double *values)
{
    struct decode *self = context;
    return run_wide(self, decode_wide_with_plan, self->wide.bodies, values);
}

static bool
run_wide_avro(void *context, double *values)
{
    struct decode *self = context;
    return run_wide(self, decode_wide_with_avro, self->wide.bodies, values);
}

static bool
run_broken(void *context, double *values)
{
    struct decode *self = context;
    return run_wide(self, decode_wide_with_plan, self->wide.broken, values);
}

/* ---- compiling ---- */

static bool
compile_plan(void *context, double *values)
{
    (void)context;
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    for (int i = 0; i < SCHEMAS; i++) {
        struct of_plan *plan;
        OF_ASSERT(of_plan_compile(of_slice_str(bench_wide_schema), &wanted, 1 << 20, &plan, NULL) == OF_OK);
        of_plan_destroy(&plan);
    }
    values[0] = (double)(of_clock_mono_ns(of_clock_system()) - began_ns) / SCHEMAS / 1000;
    return true;
}

static bool
compile_avro(void *context, double *values)
{
    (void)context;
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    for (int i = 0; i < SCHEMAS; i++) {
        avro_schema_t schema;
        OF_ASSERT(avro_schema_from_json_length(bench_wide_schema, strlen(bench_wide_schema), &schema) == 0);
        avro_value_iface_decref(avro_generic_class_from_schema(schema));
        avro_schema_decref(schema);
    }
    values[0] = (double)(of_clock_mono_ns(of_clock_system()) - began_ns) / SCHEMAS / 1000;
    return true;
}

/* ---- all of them ---- */

static void
open_avro(const char *text, avro_value_t *value, int fields[3])
{
    static const char *const names[] = { "orderId", "product", "price" };
    avro_schema_t schema;
    OF_ASSERT(avro_schema_from_json_length(text, strlen(text), &schema) == 0);
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    OF_ASSERT(avro_generic_value_new(class, value) == 0);
    for (int i = 0; i < 3 && fields != NULL; i++)
        fields[i] = avro_schema_record_field_get_index(schema, names[i]);
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
}

static void
open_decoders(struct decode *self)
{
    OF_ASSERT(of_plan_compile(of_slice_str(bench_order_schema), &wanted, 1 << 20, &self->plan, NULL) == OF_OK);
    OF_ASSERT(of_plan_compile(of_slice_str(bench_wide_schema), &wanted, 1 << 20, &self->wide_plan, NULL) == OF_OK);
    open_avro(bench_order_schema, &self->value, NULL);
    open_avro(bench_wide_schema, &self->wide_value, self->wide_fields);
}

int
main(int argc, char **argv)
{
    static const struct bench_description description = { "decode", rows, sizeof rows / sizeof *rows, false, false };
    static const struct bench_metric per_order[] = { { "ns/order", 1 } }, per_schema[] = { { "us/schema", 1 } };
    static struct decode self;
    int status;
    if (!bench_open(&self.bench, &description, argc, argv, &self.settings, &status))
        return status;
    bench_orders_make(&self.orders, ORDERS, 1);
    bench_wide_make(&self.wide, WIDE);
    open_decoders(&self);
    const struct bench_case cases[] = {
        { "an order of two strings and a float", per_order, 1, { "avro-c, generic value", run_avro, &self },
          { "plan", run_plan, &self } },
        { "a record of forty fields, some with more within them", per_order, 1,
          { "avro-c, generic value", run_wide_avro, &self }, { "plan", run_wide_plan, &self } },
        { "the same with a byte changed in each", per_order, 1, { "plan, good records", run_wide_plan, &self },
          { "plan, broken records", run_broken, &self } },
        { "its schema, from text", per_schema, 1, { "avro-c, generic class", compile_avro, &self },
          { "plan", compile_plan, &self } },
    };
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof cases / sizeof *cases; i++)
        ok = bench_compare(&self.bench, &cases[i]);
    status = bench_close(&self.bench, ok);
    avro_value_decref(&self.value);
    avro_value_decref(&self.wide_value);
    of_plan_destroy(&self.plan);
    of_plan_destroy(&self.wide_plan);
    bench_orders_free(&self.orders);
    bench_wide_free(&self.wide);
    return status;
}
