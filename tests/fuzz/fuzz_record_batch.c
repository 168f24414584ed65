/* Any bytes as the records of a fetched partition: they end, or are told to be broken; what was shown is inside them or
 * inside what was unpacked, and is found again. The first byte chooses whether checksums are made right, so that what
 * lies behind them is reached as well. */
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "fuzz/fuzz.h"
#include "kafka/direct/crc32c.h"
#include "kafka/direct/stretch.h"
#include "support/batches.h"

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    if (index >= 2 * OF_CODECS)
        return 0;
    struct of_wire_writer out = { 0 };
    of_wire_write_i8(&out, (int8_t)(index & 1));
    test_batch_numbers(&out, (int)(index / 2), 3, 3, 5);
    static const struct test_header header = { "h", { (const uint8_t *)"v", 1 } };
    const struct test_record record = { .headers = &header, .header_count = 1, .value = of_slice_str("value") };
    test_batch_write(&out, &(struct test_batch) { .base_offset = 20, .last_delta = 3, .codec = (int)(index / 2),
                     .append_time = true, .max_timestamp_ms = 5, .records = &record, .count = 1 });
    size_t length = out.length;
    OF_ASSERT(length <= size);
    memcpy(bytes, out.data, length);
    of_wire_writer_fini(&out);
    return length;
}

static void
seal(uint8_t *bytes, const struct of_record_batch *batch)
{
    size_t length = batch->bytes.length;
    of_big_endian_put_u32(bytes + 17, of_crc32c(of_slice_of(bytes + 21, length - 21)));
}

static void
inside(struct of_slice whole, struct of_slice part)
{
    OF_ASSERT(part.data == NULL || (part.data >= whole.data && part.data + part.length <= whole.data + whole.length));
}

static void
walk(struct of_stretch *stretch)
{
    struct of_error err = { 0 };
    struct of_record record, again;
    uint32_t cursor = 0;
    int64_t before = -1;
    enum of_chunk_step step;
    while ((step = of_stretch_next(stretch, &cursor, &record, &err)) == OF_CHUNK_RECORD) {
        struct of_slice name, value;
        OF_ASSERT(record.offset > before && record.offset >= stretch->first_offset);
        of_stretch_record(stretch, record.at, &again);
        OF_ASSERT(again.offset == record.offset && again.behind == record.behind);
        OF_ASSERT(of_slice_equal(again.value, record.value) && of_slice_equal(again.key, record.key));
        struct of_slice whole = of_stretch_bytes(stretch, &record);
        inside(whole, record.key);
        inside(whole, record.value);
        for (struct of_header_walk headers = { 0 }; of_stretch_header(&record, &headers, &name, &value);) {
            OF_ASSERT(name.data != NULL);
            inside(whole, name);
            inside(whole, value);
        }
        before = record.offset;
        cursor = record.behind;
    }
    OF_ASSERT(step == OF_CHUNK_END || (err.text[0] != '\0' && stretch->reached > before));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t *copy = of_realloc_array(NULL, size - 1, 1);
    memcpy(copy, data + 1, size - 1);
    struct of_slice left = of_slice_of(copy, size - 1);
    struct of_stretch *stretch = of_alloc(sizeof *stretch);
    struct of_record_batch batch;
    stretch->first_offset = 4;
    stretch->shown_offset = -1;
    while (left.length > 0 && stretch->batch_count < OF_STRETCH_BATCHES &&
           of_record_batch_look(left, &batch) == OF_BATCH_WHOLE) {
        if (data[0] & 1)
            seal(copy + (left.data - copy), &batch);
        if (of_record_batch_intact(&batch))
            of_record_batch_marker(&batch);
        of_stretch_add(stretch, &batch);
        left = of_slice_of(left.data + batch.bytes.length, left.length - batch.bytes.length);
    }
    walk(stretch);
    of_stretch_empty(stretch);
    free(stretch);
    free(copy);
    return 0;
}
