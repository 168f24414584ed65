#include "order/retry_header.h"

#include "core/assert.h"

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
put(uint8_t *at, unsigned bytes, uint64_t number)
{
    for (unsigned i = bytes; i-- > 0; number >>= 8)
        at[i] = (uint8_t)number;
    return at + bytes;
}

static uint8_t *
put_text(uint8_t *at, struct of_slice text)
{
    at = put(at, 2, text.length);
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
    uint8_t *at = put(bytes, 1, OF_RETRY_HEADER_VERSION);
    at = put_text(at, header->group);
    at = put_text(at, header->origin_topic);
    at = put(at, 4, (uint32_t)header->origin_partition);
    at = put(at, 8, (uint64_t)header->origin_offset);
    at = put(at, 8, (uint64_t)header->origin_timestamp_ms);
    at = put(at, 4, header->attempts);
    at = put(at, 8, (uint64_t)header->due_ms);
    at = put(at, 8, (uint64_t)header->first_failed_ms);
    at = put(at, 1, header->cause);
    OF_ASSERT(at == bytes + length);
    return length;
}

/* Takes bytes off the front. Once they run out, everything reads as zero and `ok` stays false. */
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

static uint64_t
take_number(struct reader *reader, unsigned bytes)
{
    struct of_slice taken = take(reader, bytes);
    uint64_t number = 0;
    for (size_t i = 0; i < taken.length; i++)
        number = number << 8 | taken.data[i];
    return number;
}

static struct of_slice
take_text(struct reader *reader)
{
    return take(reader, (size_t)take_number(reader, 2));
}

bool
of_retry_header_parse(struct of_slice bytes, struct of_retry_header *header)
{
    struct reader reader = { bytes, bytes.data != NULL };
    if (take_number(&reader, 1) != OF_RETRY_HEADER_VERSION)
        return false;
    header->group = take_text(&reader);
    header->origin_topic = take_text(&reader);
    header->origin_partition = (int32_t)take_number(&reader, 4);
    header->origin_offset = (int64_t)take_number(&reader, 8);
    header->origin_timestamp_ms = (int64_t)take_number(&reader, 8);
    header->attempts = (uint32_t)take_number(&reader, 4);
    header->due_ms = (int64_t)take_number(&reader, 8);
    header->first_failed_ms = (int64_t)take_number(&reader, 8);
    header->cause = (enum of_cause)take_number(&reader, 1);
    return reader.ok && reader.left.length == 0 && valid(header);
}
