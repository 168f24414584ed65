/* The prefix of a value: any bytes either have one that can be written back, or none. */
#include "fuzz/fuzz.h"

#include "avro/framing.h"
#include "core/assert.h"

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    static const uint8_t seeds[][8] = { { 0, 0, 0, 0, 1, 2, 'a', 0 }, { 0, 0xff, 0xff, 0xff, 0xff }, { 1, 0, 0, 0, 1 } };
    if (index >= sizeof seeds / sizeof *seeds || size < sizeof *seeds)
        return 0;
    memcpy(bytes, seeds[index], sizeof *seeds);
    return sizeof *seeds;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t schema_id = 77;
    size_t body_at = 77;
    if (!of_framing_parse(of_slice_of(data, size), &schema_id, &body_at)) {
        OF_ASSERT(size < OF_FRAMING_BYTES || data[0] != OF_FRAMING_MAGIC);
        OF_ASSERT(schema_id == 77 && body_at == 77);
        return 0;
    }
    uint8_t again[OF_FRAMING_BYTES];
    OF_ASSERT(body_at == OF_FRAMING_BYTES && body_at <= size);
    of_framing_write(again, schema_id);
    OF_ASSERT(memcmp(again, data, sizeof again) == 0);
    return 0;
}
