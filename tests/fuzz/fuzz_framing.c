/* Any value and any header: bad framing, or a key and a body within the value. The first byte is the header's length. */
#include "avro/framing.h"
#include "core/assert.h"
#include "fuzz/fuzz.h"

struct fuzzed {
    struct of_slice header;
};

static bool
header_of(const struct of_record *record, struct of_header_walk *walk, struct of_slice *name,
          struct of_slice *value)
{
    const struct fuzzed *fuzzed = record->ref;
    *name = of_slice_str(OF_FRAMING_HEADER);
    *value = fuzzed->header;
    return walk->passed++ == 0;
}

static const struct of_chunk_ops ops = { .header = header_of };

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    static const struct {
        const char *bytes;
        size_t length;
    } seeds[] = {
#define SEED(text) { text, sizeof(text) - 1 }
        SEED("\0\0\0\0\0\1body"),
        SEED("\0\1abcdefghijklmnopbody"),
        SEED("\x11\1abcdefghijklmnopbody"),
        SEED("\5\0\0\0\0\1body"),
    };
    if (index >= sizeof seeds / sizeof *seeds)
        return 0;
    OF_ASSERT(seeds[index].length <= size);
    memcpy(bytes, seeds[index].bytes, seeds[index].length);
    return seeds[index].length;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t header_length = data[0] < size - 1 ? data[0] : size - 1;
    const struct fuzzed fuzzed = { of_slice_of(data + 1, header_length) };
    const struct of_record record = {
        .value = of_slice_of(data + 1 + header_length, size - 1 - header_length),
        .ref = &fuzzed,
    };
    struct of_framing framing;
    char text[OF_SCHEMA_KEY_TEXT_BYTES];
    if (!of_framing_find(&ops, &record, &framing))
        return 0;
    OF_ASSERT(framing.body_at <= record.value.length);
    OF_ASSERT(framing.body_at == 0 || header_length == 0);
    OF_ASSERT(framing.key.is_guid || (framing.key.high == 0 && framing.key.low <= UINT32_MAX));
    OF_ASSERT(strlen(of_schema_key_print(framing.key, text)) < sizeof text);
    return 0;
}
