#include "order/retry_header.h"

#include <endian.h>

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
put8(uint8_t *at, uint8_t number)
{
    *at = number;
    return at + 1;
}

static uint8_t *
put16(uint8_t *at, uint16_t number)
{
    number = htobe16(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static uint8_t *
put32(uint8_t *at, uint32_t number)
{
    number = htobe32(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static uint8_t *
put64(uint8_t *at, uint64_t number)
{
    number = htobe64(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static uint8_t *
put_text(uint8_t *at, struct of_slice text)
{
    at = put16(at, (uint16_t)text.length);
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
    uint8_t *at = put8(bytes, OF_RETRY_HEADER_VERSION);
    at = put_text(at, header->group);
    at = put_text(at, header->origin_topic);
    at = put32(at, (uint32_t)header->origin_partition);
    at = put64(at, (uint64_t)header->origin_offset);
    at = put64(at, (uint64_t)header->origin_timestamp_ms);
    at = put32(at, header->attempts);
    at = put64(at, (uint64_t)header->due_ms);
    at = put64(at, (uint64_t)header->first_failed_ms);
    at = put8(at, (uint8_t)header->cause);
    OF_ASSERT(at == bytes + length);
    return length;
}

/* Takes bytes off the front. Once they run out, everything reads as zero and `ok` stays false. */
struct reader {
    struct of_slice left;
    bool ok;
};

static inline struct of_slice
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

static inline uint8_t
take8(struct reader *reader)
{
    struct of_slice taken = take(reader, 1);
    return taken.data == NULL ? 0 : taken.data[0];
}

static inline uint16_t
take16(struct reader *reader)
{
    uint16_t number = 0;
    struct of_slice taken = take(reader, sizeof number);
    if (taken.data != NULL)
        memcpy(&number, taken.data, sizeof number);
    return be16toh(number);
}

static inline uint32_t
take32(struct reader *reader)
{
    uint32_t number = 0;
    struct of_slice taken = take(reader, sizeof number);
    if (taken.data != NULL)
        memcpy(&number, taken.data, sizeof number);
    return be32toh(number);
}

static inline uint64_t
take64(struct reader *reader)
{
    uint64_t number = 0;
    struct of_slice taken = take(reader, sizeof number);
    if (taken.data != NULL)
        memcpy(&number, taken.data, sizeof number);
    return be64toh(number);
}

static struct of_slice
take_text(struct reader *reader)
{
    return take(reader, take16(reader));
}

bool
of_retry_header_parse(struct of_slice bytes, struct of_retry_header *header)
{
    struct reader reader = { bytes, bytes.data != NULL };
    if (take8(&reader) != OF_RETRY_HEADER_VERSION)
        return false;
    header->group = take_text(&reader);
    header->origin_topic = take_text(&reader);
    header->origin_partition = (int32_t)take32(&reader);
    header->origin_offset = (int64_t)take64(&reader);
    header->origin_timestamp_ms = (int64_t)take64(&reader);
    header->attempts = take32(&reader);
    header->due_ms = (int64_t)take64(&reader);
    header->first_failed_ms = (int64_t)take64(&reader);
    header->cause = (enum of_cause)take8(&reader);
    return reader.ok && reader.left.length == 0 && valid(header);
}
