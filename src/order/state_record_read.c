/* Reads by hand what schemas/aggregate.avsc describes. What the value repeats of the key must be the same there: a
 * record that contradicts itself is of no use. */
#include "order/state_record.h"

#include <math.h>

enum { FRAMING_BYTES = 5 };

/* ---- key ---- */

/* Up to the next TAB, which is passed over; false: there is none. */
static bool
take_word(struct of_slice *left, struct of_slice *word)
{
    const uint8_t *tab = left->length > 0 ? memchr(left->data, '\t', left->length) : NULL;
    if (tab == NULL)
        return false;
    *word = of_slice_of(left->data, (size_t)(tab - left->data));
    left->length -= word->length + 1;
    left->data = tab + 1;
    return true;
}

/* Canonical decimal notation: one key for one partition. */
static bool
read_partition(struct of_slice text, int32_t *partition)
{
    int64_t number = 0;
    if (text.length == 0 || text.length > 10 || (text.data[0] == '0' && text.length > 1))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = 10 * number + (text.data[i] - '0');
    }
    *partition = (int32_t)number;
    return number <= INT32_MAX;
}

bool
of_state_read_key(struct of_slice key, struct of_state_record *record)
{
    struct of_slice number, left = key;
    *record = (struct of_state_record) { .kind = OF_STATE_MARKER };
    of_aggregate_init(&record->aggregate);
    if (!take_word(&left, &record->place.group) || !take_word(&left, &record->place.topic))
        return false;
    if (take_word(&left, &number)) {
        record->kind = OF_STATE_ROW;
        record->group_value = left;
    } else {
        number = left;
    }
    return record->place.group.length > 0 && record->place.topic.length > 0
           && read_partition(number, &record->place.partition);
}

/* ---- Avro ---- */

/* Takes bytes off the front. Once something is wrong, everything reads as zero and `ok` stays false. */
struct reader {
    struct of_slice left;
    bool ok;
};

static struct of_slice
take(struct reader *reader, size_t count)
{
    reader->ok = reader->ok && count <= reader->left.length;
    if (!reader->ok)
        return of_slice_of("", 0);
    struct of_slice taken = of_slice_of(reader->left.data, count);
    reader->left.data += count;
    reader->left.length -= count;
    return taken;
}

static int64_t
take_long(struct reader *reader)
{
    uint64_t raw = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        struct of_slice byte = take(reader, 1);
        if (!reader->ok || (shift == 63 && byte.data[0] > 1))
            break;
        raw |= (uint64_t)(byte.data[0] & 0x7f) << shift;
        if (byte.data[0] < 0x80)
            return (int64_t)(raw >> 1 ^ -(raw & 1));
    }
    reader->ok = false;
    return 0;
}

static int64_t
take_between(struct reader *reader, int64_t low, int64_t high)
{
    int64_t number = take_long(reader);
    reader->ok = reader->ok && number >= low && number <= high;
    return reader->ok ? number : 0;
}

static uint64_t
take_count(struct reader *reader)
{
    return (uint64_t)take_between(reader, 0, INT64_MAX);
}

static struct of_slice
take_text(struct reader *reader)
{
    uint64_t length = take_count(reader);
    reader->ok = reader->ok && length <= reader->left.length;
    return take(reader, reader->ok ? (size_t)length : 0);
}

static double
take_double(struct reader *reader)
{
    struct of_slice bytes = take(reader, 8);
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes.length; i++)
        bits |= (uint64_t)bytes.data[i] << 8 * i;
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* ["null", "double"]; `without` for null. */
static double
take_optional(struct reader *reader, double without)
{
    return take_between(reader, 0, 1) == 1 ? take_double(reader) : without;
}

static void
expect_text(struct reader *reader, struct of_slice text)
{
    struct of_slice taken = take_text(reader);
    reader->ok = reader->ok && of_slice_equal(taken, text);
}

/* ---- value ---- */

static void
take_place(struct reader *reader, const struct of_state_record *record)
{
    expect_text(reader, record->place.group);
    expect_text(reader, record->place.topic);
    take_between(reader, record->place.partition, record->place.partition);
    int64_t branch = take_between(reader, 0, 2); /* ["null", "string", "bytes"] */
    if (branch > 0)
        expect_text(reader, record->group_value);
    reader->ok = reader->ok && (branch > 0) == (record->kind == OF_STATE_ROW);
}

static bool
plausible(const struct of_aggregate *aggregate)
{
    if (aggregate->count == 0)
        return aggregate->min == INFINITY && aggregate->max == -INFINITY && of_exact_sum_is_zero(&aggregate->sum);
    return isfinite(aggregate->min) && isfinite(aggregate->max) && aggregate->min <= aggregate->max;
}

/* *decimals: whether there are decimal sums, which this version does not know. */
static void
take_aggregate(struct reader *reader, struct of_aggregate *aggregate, bool *decimals)
{
    aggregate->count = take_count(reader);
    take_double(reader);          /* the sum, rounded */
    take_optional(reader, 0);     /* the average */
    struct of_slice exact = take_text(reader);
    reader->ok = reader->ok && of_exact_sum_read(&aggregate->sum, exact);
    *decimals = take_long(reader) != 0 && reader->ok;
    reader->ok = reader->ok && !*decimals;
    aggregate->min = take_optional(reader, INFINITY);
    aggregate->max = take_optional(reader, -INFINITY);
    aggregate->next_offset = take_between(reader, 0, INT64_MAX);
    reader->ok = reader->ok && plausible(aggregate);
}

static void
take_marker(struct reader *reader, struct of_state_marker *marker)
{
    marker->retries = take_count(reader);
    marker->dead_letters = take_count(reader);
    marker->rows = take_count(reader);
    marker->version = (uint32_t)take_between(reader, 0, INT32_MAX);
    marker->value_field = take_text(reader);
    marker->group_by_field = take_text(reader);
}

static enum of_status
refuse(struct of_state_record *record, struct of_error *err, const char *why)
{
    of_aggregate_fini(&record->aggregate);
    return of_error_set(err, OF_POISON, "%s", why);
}

static enum of_status
read_value(struct of_slice value, struct of_state_record *record, struct of_error *err)
{
    struct reader reader = { value, true };
    bool decimals;
    struct of_slice framing = take(&reader, FRAMING_BYTES);
    reader.ok = reader.ok && framing.data[0] == 0;
    take_place(&reader, record);
    take_aggregate(&reader, &record->aggregate, &decimals);
    bool has_marker = take_between(&reader, 0, 1) == 1;
    if (has_marker)
        take_marker(&reader, &record->marker);
    record->marker.next_offset = record->aggregate.next_offset;
    if (decimals)
        return refuse(record, err, "sums of decimals are not known to this version");
    if (reader.ok && has_marker && record->marker.version != OF_STATE_VERSION)
        return refuse(record, err, "its format is of another version; a newer orderflow wrote it");
    if (!reader.ok || has_marker != (record->kind == OF_STATE_MARKER) || reader.left.length > 0)
        return refuse(record, err, "its value is no aggregate, or belongs to another key");
    return OF_OK;
}

enum of_status
of_state_read(struct of_slice key, struct of_slice value, struct of_state_record *record, struct of_error *err)
{
    if (!of_state_read_key(key, record))
        return of_error_set(err, OF_POISON, "its key is none of an aggregate");
    record->deleted = value.data == NULL;
    return record->deleted ? OF_OK : read_value(value, record, err);
}
