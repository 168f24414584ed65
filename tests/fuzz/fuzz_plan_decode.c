/* The plan's decoder over any body. The first bytes of an input choose the types of the fields and the reader's schema,
 * the rest is the body. Whatever is decoded must lie within the body, the plan or the order itself. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/plan.h"
#include "core/assert.h"

enum { CHOICE_BYTES = 7, MAX_FIELD_BYTES = 100, SCHEMA_BYTES = 4096 };

#define DECIMAL "\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}"

static const char *const text_types[] = {
    "\"string\"", "\"bytes\"", "\"int\"", "\"long\"", "[\"null\",\"string\"]", "[\"int\",\"bytes\",\"boolean\"]",
    "{\"type\":\"enum\",\"name\":\"T%d\",\"symbols\":[\"A\",\"B\",\"C\"]}",
    "{\"type\":\"fixed\",\"name\":\"T%d\",\"size\":16,\"logicalType\":\"uuid\"}",
};
static const char *const value_types[] = {
    "\"float\"", "\"double\"", "\"int\"", "\"long\"", "[\"null\",\"double\"]", "[\"int\",\"long\",\"float\",\"string\"]",
    "{\"type\":\"bytes\"," DECIMAL, "{\"type\":\"fixed\",\"name\":\"T%d\",\"size\":20," DECIMAL,
};
/* %d is the number of the field: a named type may occur once. */
static const char *const any_types[] = {
    "\"null\"", "\"boolean\"", "\"int\"", "\"double\"", "\"float\"", "\"long\"", "\"bytes\"", "\"string\"",
    "{\"type\":\"enum\",\"name\":\"T%d\",\"symbols\":[\"A\",\"B\"]}",
    "{\"type\":\"fixed\",\"name\":\"T%d\",\"size\":3}",
    "{\"type\":\"array\",\"items\":\"int\"}", "{\"type\":\"array\",\"items\":\"null\"}",
    "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":\"double\"}}",
    "{\"type\":\"map\",\"values\":[\"null\",\"string\",{\"type\":\"array\",\"items\":\"long\"}]}",
    ("{\"type\":\"record\",\"name\":\"T%d\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"T%d\"]},"
     "{\"name\":\"s\",\"type\":\"string\"}]}"),
    "{\"type\":\"record\",\"name\":\"T%d\",\"fields\":[{\"name\":\"all\",\"type\":{\"type\":\"array\",\"items\":\"T%d\"}}]}",
};
/* What the other fields are read as, in place of what they are. */
static const char *const read_types[] = { NULL, "[\"null\",\"int\",\"string\"]", "\"double\"", "{\"type\":\"array\",\"items\":[\"null\",\"long\"]}" };

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    enum { BODY = 64 };
    if (index >= 64 || size < CHOICE_BYTES + BODY)
        return 0;
    for (size_t i = 0; i < CHOICE_BYTES; i++)
        bytes[i] = (uint8_t)(index * 7 + i * 5 * (index % 3 + 1));
    for (size_t i = 0; i < BODY; i++)
        bytes[CHOICE_BYTES + i] = (uint8_t)(i % 3 == 0 ? 2 : i % 4 == 0 ? 0 : index);
    return CHOICE_BYTES + BODY - index % 32;
}

/* Puts the number of the field where a type has a hole. */
static void
put_type(FILE *out, const char *type, int number)
{
    for (const char *hole; (hole = strstr(type, "%d")) != NULL; type = hole + 2)
        fprintf(out, "%.*s%d", (int)(hole - type), type, number);
    fputs(type, out);
}

static void
put_field(FILE *out, const char *name, const char *type, int number)
{
    fprintf(out, "%s{\"name\":\"%s\",\"type\":", number > 0 ? "," : "", name);
    put_type(out, type, number);
    fputc('}', out);
}

static void
write_schema(char *text, const uint8_t *choices, const char *read_type)
{
    static const char *const names[] = { "f0", "orderId", "f1", "product", "f2", "price" };
    FILE *out = fmemopen(text, SCHEMA_BYTES, "w");
    fprintf(out, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[");
    for (int i = 0; i < 6; i++) {
        const char *type = i % 2 == 0 ? any_types[choices[i] % 16] : i == 5 ? value_types[choices[i] % 8]
                                                                            : text_types[choices[i] % 8];
        put_field(out, names[i], i % 2 == 0 && read_type != NULL ? read_type : type, i);
    }
    fprintf(out, "]}");
    fclose(out);
}

static bool
inside(struct of_slice part, struct of_slice whole)
{
    return part.data >= whole.data && part.length <= whole.length &&
           (size_t)(part.data - whole.data) <= whole.length - part.length;
}

static bool
is_fine(struct of_slice field, struct of_slice body, const struct of_decoded *order)
{
    bool symbol = field.length == 1 && field.data[0] >= 'A' && field.data[0] <= 'C';
    return inside(field, body) || inside(field, of_slice_of(order->scratch, sizeof order->scratch)) || symbol;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char writer[SCHEMA_BYTES], reader[SCHEMA_BYTES];
    if (size < CHOICE_BYTES)
        return 0;
    const char *read_type = read_types[data[6] % 4];
    write_schema(writer, data, NULL);
    write_schema(reader, data, read_type);
    const struct of_plan_fields fields = { .value = "price", .group_by = "product", .id = "orderId",
                                           .reader_schema = data[6] % 8 >= 4 ? reader : NULL };
    struct of_plan *plan;
    if (of_plan_compile(of_slice_str(writer), &fields, MAX_FIELD_BYTES, &plan, NULL) != OF_OK) {
        OF_ASSERT(fields.reader_schema != NULL && read_type != NULL);
        return 0;
    }
    struct of_slice body = of_slice_of(data + CHOICE_BYTES, size - CHOICE_BYTES);
    struct of_decoded order;
    char why[300];
    if (of_plan_decode(plan, body, &order) == OF_DECODE_OK) {
        OF_ASSERT(is_fine(order.id, body, &order) && is_fine(order.group, body, &order));
        OF_ASSERT(order.id.length <= MAX_FIELD_BYTES && order.group.length <= MAX_FIELD_BYTES);
        OF_ASSERT(order.kind <= OF_VALUE_SCALED && order.scale <= OF_SCALE_MAX);
    }
    OF_ASSERT(*of_plan_explain(plan, body, why, sizeof why) != '\0');
    of_plan_destroy(&plan);
    return 0;
}
