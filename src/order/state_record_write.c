/* Writes by hand what schemas/aggregate.avsc describes: src/order knows no libavro. */
#include "order/state_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/big_endian.h"
#include "core/escape.h"
#include "core/memory.h"

struct buffer {
    uint8_t *bytes;
    size_t length, room;
};

struct of_state_writer {
    struct buffer key, value;
};

struct of_state_writer *
of_state_writer_create(void)
{
    return of_alloc(sizeof(struct of_state_writer));
}

void
of_state_writer_destroy(struct of_state_writer **writer)
{
    if (*writer == NULL)
        return;
    free((*writer)->key.bytes);
    free((*writer)->value.bytes);
    free(*writer);
    *writer = NULL;
}

/* ---- bytes ---- */

static void
put(struct buffer *to, const void *bytes, size_t count)
{
    if (to->length + count > to->room) {
        to->room = 2 * (to->length + count) + 64;
        to->bytes = of_realloc_array(to->bytes, to->room, 1);
    }
    if (count > 0)
        memcpy(to->bytes + to->length, bytes, count);
    to->length += count;
}

static void
put_slice(struct buffer *to, struct of_slice slice)
{
    put(to, slice.data, slice.length);
}

static struct of_slice
bytes_of(const struct buffer *buffer)
{
    return of_slice_of(buffer->bytes, buffer->length);
}

/* ---- Avro ---- */

static void
put_long(struct buffer *to, int64_t number)
{
    uint64_t rest = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    uint8_t bytes[10];
    size_t count = 0;
    for (; rest > 0x7f; rest >>= 7)
        bytes[count++] = (uint8_t)(rest | 0x80);
    bytes[count++] = (uint8_t)rest;
    put(to, bytes, count);
}

static void
put_count(struct buffer *to, uint64_t number)
{
    OF_ASSERT(number <= INT64_MAX);
    put_long(to, (int64_t)number);
}

static void
put_text(struct buffer *to, struct of_slice text)
{
    put_long(to, (int64_t)text.length);
    put_slice(to, text);
}

static void
put_double(struct buffer *to, double number)
{
    uint64_t bits;
    uint8_t bytes[8];
    memcpy(&bits, &number, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(bits >> 8 * i);
    put(to, bytes, sizeof bytes);
}

/* ["null", "double"] */
static void
put_optional(struct buffer *to, bool there, double number)
{
    put_long(to, there ? 1 : 0);
    if (there)
        put_double(to, number);
}

static bool
is_utf8(struct of_slice text)
{
    for (size_t length; text.length > 0; text.data += length, text.length -= length)
        if ((length = of_utf8_length(text)) == 0)
            return false;
    return true;
}

/* ["null", "string", "bytes"] */
static void
put_group_value(struct buffer *to, struct of_slice value)
{
    put_long(to, value.data == NULL ? 0 : is_utf8(value) ? 1 : 2);
    if (value.data != NULL)
        put_text(to, value);
}

/* array of { int, bytes }; one block, if any. */
static void
put_decimals(struct buffer *to, const struct of_decimal_sums *sums)
{
    const struct of_decimal_part *part;
    uint8_t bytes[OF_DECIMAL_PART_BYTES];
    int64_t count = 0;
    for (uint32_t at = 0; of_decimal_sums_next(sums, &at) != NULL;)
        count++;
    if (count > 0)
        put_long(to, count);
    for (uint32_t at = 0; (part = of_decimal_sums_next(sums, &at)) != NULL;) {
        put_long(to, part->scale);
        put_text(to, of_slice_of(bytes, of_decimal_part_write(part, bytes)));
    }
    put_long(to, 0);
}

static void
put_aggregate(struct buffer *to, const struct of_aggregate *aggregate)
{
    uint8_t exact[OF_EXACT_SUM_BYTES];
    size_t exact_bytes = of_exact_sum_write(&aggregate->sum, exact, sizeof exact);
    bool any = aggregate->count > 0;
    put_count(to, aggregate->count);
    put_double(to, of_exact_sum_round(&aggregate->sum));
    put_optional(to, any, any ? of_exact_sum_average(&aggregate->sum, aggregate->count) : 0);
    put_text(to, of_slice_of(exact, exact_bytes));
    put_decimals(to, aggregate->sum.decimals);
    put_optional(to, any, aggregate->min);
    put_optional(to, any, aggregate->max);
}

/* ---- records ---- */

static void
put_key(struct buffer *to, const struct of_state_place *place)
{
    char text[16];
    to->length = 0;
    put_slice(to, place->group);
    put(to, "\t", 1);
    put_slice(to, place->topic);
    put(to, text, (size_t)snprintf(text, sizeof text, "\t%" PRId32, place->partition));
}

struct of_slice
of_state_write_key(struct of_state_writer *writer, const struct of_state_place *place, struct of_slice group_value)
{
    put_key(&writer->key, place);
    if (group_value.data != NULL) {
        put(&writer->key, "\t", 1);
        put_slice(&writer->key, group_value);
    }
    return bytes_of(&writer->key);
}

/* Framing (avro/framing.h), and what all records begin with. */
static void
begin_value(struct buffer *to, uint32_t schema_id, const struct of_state_place *place, struct of_slice group_value)
{
    uint8_t framing[5] = { 0 };
    of_big_endian_put_u32(framing + 1, schema_id);
    OF_ASSERT(place->partition >= 0);
    to->length = 0;
    put(to, framing, sizeof framing);
    put_text(to, place->group);
    put_text(to, place->topic);
    put_long(to, place->partition);
    put_group_value(to, group_value);
}

void
of_state_write_row(struct of_state_writer *writer, uint32_t schema_id, const struct of_state_place *place,
                   struct of_slice group_value, const struct of_aggregate *aggregate, struct of_slice *key,
                   struct of_slice *value)
{
    OF_ASSERT(group_value.data != NULL && aggregate->next_offset >= 0);
    begin_value(&writer->value, schema_id, place, group_value);
    put_aggregate(&writer->value, aggregate);
    put_long(&writer->value, aggregate->next_offset);
    put_long(&writer->value, 0); /* no marker */
    *key = of_state_write_key(writer, place, group_value);
    *value = bytes_of(&writer->value);
}

void
of_state_write_marker(struct of_state_writer *writer, uint32_t schema_id, const struct of_state_place *place,
                      const struct of_state_marker *marker, struct of_slice *key, struct of_slice *value)
{
    struct of_aggregate nothing;
    OF_ASSERT(marker->next_offset >= 0 && marker->version <= INT32_MAX);
    begin_value(&writer->value, schema_id, place, of_slice_of(NULL, 0));
    of_aggregate_init(&nothing);
    put_aggregate(&writer->value, &nothing);
    put_long(&writer->value, marker->next_offset);
    put_long(&writer->value, 1);
    put_count(&writer->value, marker->retries);
    put_count(&writer->value, marker->dead_letters);
    put_count(&writer->value, marker->rows);
    put_long(&writer->value, marker->version);
    put_text(&writer->value, marker->value_field);
    put_text(&writer->value, marker->group_by_field);
    *key = of_state_write_key(writer, place, of_slice_of(NULL, 0));
    *value = bytes_of(&writer->value);
}
