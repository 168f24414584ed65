#include "order/retry_header.h"

#include "core/assert.h"
#include "core/big_endian.h"

static bool
valid_text(struct of_slice text)
{
    return text.data != NULL && text.length > 0 && text.length <= OF_RETRY_HEADER_TEXT_BYTES_MAX;
}

static bool
valid(const struct of_retry_header *header)
{
    return valid_text(header->group) && valid_text(header->origin_topic) && header->origin_partition >= 0 &&
           header->origin_offset >= 0 && header->origin_timestamp_ms >= -1 && header->attempts >= 1 &&
           header->attempts <= OF_RETRY_HEADER_ATTEMPTS_MAX && header->due_ms >= 0 && header->first_failed_ms >= 0 &&
           header->cause > OF_CAUSE_NONE && header->cause < OF_CAUSE_COUNT;
}

static uint8_t *
put_u32(uint8_t *at, uint32_t number)
{
    of_big_endian_put_u32(at, number);
    return at + sizeof number;
}

static uint8_t *
put_i64(uint8_t *at, int64_t number)
{
    of_big_endian_put_u64(at, (uint64_t)number);
    return at + sizeof number;
}

static uint8_t *
put_text(uint8_t *at, struct of_slice text)
{
    of_big_endian_put_u16(at, (uint16_t)text.length);
    at += sizeof(uint16_t);
    memcpy(at, text.data, text.length);
    return at + text.length;
}

size_t
of_retry_header_encode(const struct of_retry_header *header, uint8_t *bytes, size_t size)
{
    OF_ASSERT(valid(header));
    size_t length = of_retry_header_bytes(header);
    if (length > size)
        return 0;
    uint8_t *at = bytes;
    *at++ = OF_RETRY_HEADER_VERSION;
    at = put_text(at, header->group);
    at = put_text(at, header->origin_topic);
    at = put_u32(at, (uint32_t)header->origin_partition);
    at = put_i64(at, header->origin_offset);
    at = put_i64(at, header->origin_timestamp_ms);
    at = put_u32(at, header->attempts);
    at = put_i64(at, header->due_ms);
    at = put_i64(at, header->first_failed_ms);
    *at++ = (uint8_t)header->cause;
    OF_ASSERT(at == bytes + length);
    return length;
}

/* Takes bytes off the front. Once they run out there is nothing more, and `ok` stays false. */
struct reader {
    struct of_slice left;
    bool ok;
};

static struct of_slice
take(struct reader *reader, size_t bytes)
{
    if (!reader->ok || bytes > reader->left.length) {
        reader->ok = false;
        return of_slice_of(NULL, 0);
    }
    struct of_slice taken = of_slice_of(reader->left.data, bytes);
    reader->left = of_slice_of(reader->left.data + bytes, reader->left.length - bytes);
    return taken;
}

static struct of_slice
take_text(struct reader *reader)
{
    const uint8_t *length = take(reader, sizeof(uint16_t)).data;
    return take(reader, length != NULL ? of_big_endian_u16(length) : 0);
}

/* The fields behind the two strings, in their places. */
static void
read_numbers(const uint8_t *at, struct of_retry_header *header)
{
    header->origin_partition = (int32_t)of_big_endian_u32(at);
    header->origin_offset = (int64_t)of_big_endian_u64(at + 4);
    header->origin_timestamp_ms = (int64_t)of_big_endian_u64(at + 12);
    header->attempts = of_big_endian_u32(at + 20);
    header->due_ms = (int64_t)of_big_endian_u64(at + 24);
    header->first_failed_ms = (int64_t)of_big_endian_u64(at + 32);
    header->cause = (enum of_cause)at[40];
}

bool
of_retry_header_parse(struct of_slice bytes, struct of_retry_header *header)
{
    enum { NUMBERS_BYTES = OF_RETRY_HEADER_FIXED_BYTES - 1 - 2 * sizeof(uint16_t) };
    struct reader reader = { bytes, bytes.data != NULL };
    const uint8_t *version = take(&reader, 1).data;
    header->group = take_text(&reader);
    header->origin_topic = take_text(&reader);
    const uint8_t *numbers = take(&reader, NUMBERS_BYTES).data;
    if (!reader.ok || reader.left.length > 0 || *version != OF_RETRY_HEADER_VERSION)
        return false;
    read_numbers(numbers, header);
    return valid(header);
}
