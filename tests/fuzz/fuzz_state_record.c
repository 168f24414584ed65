/* Any key and value: refused with a text, or a record that says the same when it is written and read again.
 * The input is the key's length in two bytes, big-endian, then key and value. */
#include "core/assert.h"
#include "fuzz/fuzz.h"
#include "order/state_record.h"

static struct of_state_writer *
writer(void)
{
    static struct of_state_writer *only;
    if (only == NULL)
        only = of_state_writer_create();
    return only;
}

static size_t
put(struct of_slice key, struct of_slice value, uint8_t *bytes, size_t size)
{
    OF_ASSERT(2 + key.length + value.length <= size);
    bytes[0] = (uint8_t)(key.length >> 8);
    bytes[1] = (uint8_t)key.length;
    memcpy(bytes + 2, key.data, key.length);
    memcpy(bytes + 2 + key.length, value.data, value.length);
    return 2 + key.length + value.length;
}

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    static const double values[][3] = { { 1.5, -2, 756.32 }, { 1e308, 1e-320, -7 } };
    const struct of_state_place place = { of_slice_str("g"), of_slice_str("t"), 3 };
    const struct of_state_marker marker = { 9, 2, 1, 4, OF_STATE_VERSION, of_slice_str("v"), of_slice_str("p") };
    struct of_slice key, value;
    if (index > 2)
        return 0;
    if (index == 2) {
        of_state_write_marker(writer(), 1, &place, &marker, &key, &value);
        return put(key, value, bytes, size);
    }
    struct of_aggregate aggregate;
    of_aggregate_init(&aggregate);
    for (size_t i = 0; i < 3; i++)
        of_aggregate_add(&aggregate, values[index][i]);
    of_state_write_row(writer(), 1, &place, of_slice_of(index == 0 ? "a\tb" : "\xff", index == 0 ? 3 : 1), &aggregate,
                       &key, &value);
    of_aggregate_fini(&aggregate);
    return put(key, value, bytes, size);
}

static void
check_same(const struct of_state_record *a, struct of_slice key, struct of_slice value, struct of_slice old_key)
{
    uint8_t left[OF_EXACT_SUM_BYTES], right[OF_EXACT_SUM_BYTES];
    struct of_state_record b;
    OF_ASSERT(of_slice_equal(key, old_key));
    OF_ASSERT(of_state_read(key, value, &b, NULL) == OF_OK);
    OF_ASSERT(b.kind == a->kind && of_slice_equal(b.group_value, a->group_value));
    size_t length = of_exact_sum_write(&a->aggregate.sum, left, sizeof left);
    OF_ASSERT(of_exact_sum_write(&b.aggregate.sum, right, sizeof right) == length && memcmp(left, right, length) == 0);
    OF_ASSERT(b.aggregate.count == a->aggregate.count && b.aggregate.next_offset == a->aggregate.next_offset);
    OF_ASSERT(b.marker.next_offset == a->marker.next_offset && b.marker.retries == a->marker.retries
              && b.marker.dead_letters == a->marker.dead_letters && b.marker.rows == a->marker.rows);
    of_aggregate_fini(&b.aggregate);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t key_bytes = size < 2 ? 0 : (size_t)data[0] << 8 | data[1];
    if (size < 2 || key_bytes > size - 2)
        return 0;
    struct of_slice key = of_slice_of(data + 2, key_bytes), new_key, new_value;
    struct of_slice value = of_slice_of(data + 2 + key_bytes, size - 2 - key_bytes);
    struct of_state_record record;
    struct of_error err = { 0 };
    if (of_state_read(key, value, &record, &err) != OF_OK) {
        OF_ASSERT(err.status == OF_POISON && err.text[0] != '\0');
        return 0;
    }
    if (record.kind == OF_STATE_ROW)
        of_state_write_row(writer(), 1, &record.place, record.group_value, &record.aggregate, &new_key, &new_value);
    else
        of_state_write_marker(writer(), 1, &record.place, &record.marker, &new_key, &new_value);
    check_same(&record, new_key, new_value, key);
    of_aggregate_fini(&record.aggregate);
    return 0;
}
