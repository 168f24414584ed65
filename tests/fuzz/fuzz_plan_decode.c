/* The first bytes choose a flat schema, the others are a body: what is decoded lies inside the body or the result. */
#include <stdio.h>

#include "avro/plan.h"
#include "core/assert.h"
#include "fuzz/fuzz.h"

#define SEED(text) { text, sizeof(text) - 1 }

enum { CHOICE_BYTES = 6, MAX_FIELD_BYTES = 64 };

/* Three choices are the types of id, product and price, three those of fields between them. */
static const struct {
    const char *bytes;
    size_t length;
} seeds[] = {
    SEED("\0\0\0\0\0\0" "\x08" "1001\4TV\0\0\xc0\x3f"),
    SEED("\0\0\1\1\2\3" "\x08" "1001\1\4TV\xff\xff\x0f\0\0\0\0\0\0\xf0\x3f\2"),
    SEED("\2\3\2\4\5\6" "\x80\x01\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0\0\0\0\0\0\0\0\4\x06" "abc"),
    SEED("\1\1\3\7\x08\x09" "\2x\x06" "abc\2y\2\xaa\xaa\xaa\2"),
};

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    if (index >= sizeof seeds / sizeof *seeds)
        return 0;
    OF_ASSERT(seeds[index].length <= size);
    memcpy(bytes, seeds[index].bytes, seeds[index].length);
    return seeds[index].length;
}

static const char *const text_types[] = { "\"string\"", "\"bytes\"", "\"int\"", "\"long\"" };
static const char *const value_types[] = { "\"float\"", "\"double\"", "\"int\"", "\"long\"" };
/* %d is the number of the field: a named type may occur once. */
static const char *const any_types[] = {
    "\"null\"",
    "\"boolean\"",
    "\"int\"",
    "\"double\"",
    "\"float\"",
    "\"long\"",
    "\"bytes\"",
    "\"string\"",
    "{\"type\":\"enum\",\"name\":\"E%d\",\"symbols\":[\"A\",\"B\"]}",
    "{\"type\":\"fixed\",\"name\":\"F%d\",\"size\":3}",
};

static bool
inside(struct of_slice part, struct of_slice whole)
{
    return part.data >= whole.data && part.length <= whole.length &&
           (size_t)(part.data - whole.data) <= whole.length - part.length;
}

static void
write_other(char *to, size_t size, int number, uint8_t choice)
{
    const char *type = any_types[choice % (sizeof any_types / sizeof *any_types)];
    const char *hole = strstr(type, "%d");
    if (hole == NULL)
        snprintf(to, size, "{\"name\":\"f%d\",\"type\":%s},", number, type);
    else
        snprintf(to, size, "{\"name\":\"f%d\",\"type\":%.*s%d%s},", number, (int)(hole - type), type, number, hole + 2);
}

static struct of_plan *
compile(const uint8_t *choices)
{
    char other[3][160], schema[1024];
    for (int i = 0; i < 3; i++)
        write_other(other[i], sizeof other[i], i, choices[3 + i]);
    snprintf(schema, sizeof schema,
             "{\"type\":\"record\",\"name\":\"R\",\"fields\":[%s{\"name\":\"orderId\",\"type\":%s},%s"
             "{\"name\":\"product\",\"type\":%s},%s{\"name\":\"price\",\"type\":%s}]}",
             other[0], text_types[choices[0] % 4], other[1],
             text_types[choices[1] % 4], other[2], value_types[choices[2] % 4]);
    static const struct of_plan_fields fields = { .value = "price", .group_by = "product", .id = "orderId" };
    struct of_plan *plan;
    OF_ASSERT(of_plan_compile(of_slice_str(schema), &fields, MAX_FIELD_BYTES, &plan, NULL) == OF_OK);
    return plan;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CHOICE_BYTES)
        return 0;
    struct of_plan *plan = compile(data);
    struct of_slice body = of_slice_of(data + CHOICE_BYTES, size - CHOICE_BYTES);
    struct of_decoded order;
    enum of_decode_result result = of_plan_decode(plan, body, &order);
    if (result == OF_DECODE_OK) {
        struct of_slice scratch = of_slice_of(order.scratch, sizeof order.scratch);
        OF_ASSERT(inside(order.id, body) || inside(order.id, scratch));
        OF_ASSERT(inside(order.group, body) || inside(order.group, scratch));
        OF_ASSERT(order.id.length <= MAX_FIELD_BYTES && order.group.length <= MAX_FIELD_BYTES);
    } else {
        OF_ASSERT(of_decode_result_text(result) != of_decode_result_text(OF_DECODE_RESULT_COUNT));
    }
    of_plan_destroy(&plan);
    return 0;
}
