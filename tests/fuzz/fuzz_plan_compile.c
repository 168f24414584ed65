/* The plan compiler over any two texts, the writer's schema and, behind a byte 0, the reader's. What it accepts must be
 * printable, and must survive both texts as bodies. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/plan.h"
#include "core/assert.h"

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define ORDER FIELD("orderId", "\"string\"") "," FIELD("product", "\"string\"") "," FIELD("price", "\"float\"")
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"t\",\"fields\":[" fields "]}"

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    static const char *const writers[] = {
        RECORD(ORDER),
        RECORD(FIELD("x", "[\"null\",\"long\",{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"],\"default\":\"A\"}]") "," ORDER),
        RECORD(FIELD("x", "{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":\"Order\"}}") "," ORDER),
        RECORD(FIELD("f", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"uuid\"}") ","
               FIELD("orderId", "\"F\"") "," FIELD("product", "[\"null\",\"int\"]") ","
               FIELD("price", "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}")),
        RECORD(FIELD("n", "{\"type\":\"record\",\"name\":\"N\",\"aliases\":[\"M\"],\"fields\":["
                     FIELD("next", "[\"null\",\"N\"]") "," FIELD("v", "\"double\"") "]}") "," ORDER),
        "[\"null\",\"string\"]",
    };
    static const char *const readers[] = {
        "",
        RECORD("{\"name\":\"x\",\"type\":\"long\",\"default\":5},{\"name\":\"orderId\",\"type\":\"bytes\",\"aliases\":[\"id\"],"
               "\"default\":\"\\u00ff\"}," FIELD("product", "\"string\"") "," FIELD("price", "\"double\"")),
    };
    size_t count = sizeof writers / sizeof *writers * 2;
    if (index >= count)
        return 0;
    const char *writer = writers[index / 2], *reader = readers[index % 2];
    size_t first = strlen(writer), second = strlen(reader);
    OF_ASSERT(first + 1 + second <= size);
    memcpy(bytes, writer, first + 1);
    memcpy(bytes + first + 1, reader, second);
    return first + (second > 0) + second;
}

static void
use(const struct of_plan *plan, struct of_slice body)
{
    static FILE *nowhere;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    struct of_decoded order;
    char why[200];
    of_plan_print_fields(plan, nowhere);
    of_plan_print(plan, nowhere);
    enum of_decode_result result = of_plan_decode(plan, body, &order);
    OF_ASSERT(result < OF_DECODE_RESULT_COUNT);
    OF_ASSERT(*of_plan_explain(plan, body, why, sizeof why) != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    char *text = malloc(size + 1);
    OF_ASSERT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    const char *end = memchr(text, '\0', size);
    size_t writer = end != NULL ? (size_t)(end - text) : size;
    const struct of_plan_fields fields = { .value = "price", .group_by = "product", .id = "orderId",
                                           .reader_schema = end != NULL ? end + 1 : NULL };
    struct of_plan *plan;
    struct of_error err = { 0 };
    enum of_status status = of_plan_compile(of_slice_of(text, writer), &fields, 100, &plan, &err);
    OF_ASSERT((status == OF_OK) == (plan != NULL));
    OF_ASSERT(status == OF_OK || (status == OF_POISON && err.text[0] != '\0'));
    if (plan != NULL)
        use(plan, of_slice_of(data, size));
    of_plan_destroy(&plan);
    free(text);
    return 0;
}
