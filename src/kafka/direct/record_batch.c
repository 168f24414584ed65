#include "kafka/direct/record_batch.h"

#include "core/big_endian.h"
#include "kafka/direct/crc32c.h"
#include "kafka/direct/raw_record.h"

/* Where the fields of a batch's head lie. */
enum {
    AT_BASE_OFFSET = 0,
    AT_LENGTH = 8, /* of what follows it */
    AT_LEADER_EPOCH = 12,
    AT_MAGIC = 16,
    AT_CRC = 17,
    AT_ATTRIBUTES = 21, /* the CRC's first byte */
    AT_LAST_DELTA = 23,
    AT_BASE_TIMESTAMP = 27,
    AT_MAX_TIMESTAMP = 35,
    AT_PRODUCER_ID = 43,
    AT_COUNT = 57,
    LENGTH_END = AT_LENGTH + 4,
    FORMAT = 2,
};

enum { CODEC_BITS = 0x07, APPEND_TIME_BIT = 0x08, TRANSACTIONAL_BIT = 0x10, CONTROL_BIT = 0x20 };

enum of_batch_look
of_record_batch_look(struct of_slice bytes, struct of_record_batch *batch)
{
    const uint8_t *p = bytes.data;
    if (bytes.length < OF_BATCH_LEAST_BYTES)
        return OF_BATCH_CUT_OFF;
    uint32_t length = of_big_endian_u32(p + AT_LENGTH);
    if (p[AT_MAGIC] < FORMAT)
        return OF_BATCH_OLD;
    if (p[AT_MAGIC] > FORMAT || length > INT32_MAX || length < OF_BATCH_HEAD_BYTES - LENGTH_END)
        return OF_BATCH_MALFORMED;
    if (length > bytes.length - LENGTH_END)
        return OF_BATCH_CUT_OFF;
    size_t size = LENGTH_END + (size_t)length;
    uint16_t attributes = of_big_endian_u16(p + AT_ATTRIBUTES);
    int32_t last_delta = (int32_t)of_big_endian_u32(p + AT_LAST_DELTA);
    *batch = (struct of_record_batch) {
        .bytes = of_slice_of(p, size),
        .records = of_slice_of(p + OF_BATCH_HEAD_BYTES, size - OF_BATCH_HEAD_BYTES),
        .base_offset = (int64_t)of_big_endian_u64(p + AT_BASE_OFFSET),
        .leader_epoch = (int32_t)of_big_endian_u32(p + AT_LEADER_EPOCH),
        .crc = of_big_endian_u32(p + AT_CRC),
        .codec = attributes & CODEC_BITS,
        .append_time = attributes & APPEND_TIME_BIT,
        .transactional = attributes & TRANSACTIONAL_BIT,
        .control = attributes & CONTROL_BIT,
        .base_timestamp_ms = (int64_t)of_big_endian_u64(p + AT_BASE_TIMESTAMP),
        .max_timestamp_ms = (int64_t)of_big_endian_u64(p + AT_MAX_TIMESTAMP),
        .producer_id = (int64_t)of_big_endian_u64(p + AT_PRODUCER_ID),
        .count = (int32_t)of_big_endian_u32(p + AT_COUNT),
    };
    if (batch->base_offset < 0 || last_delta < 0 || batch->base_offset > INT64_MAX - last_delta - 1 || batch->count < 0)
        return OF_BATCH_MALFORMED;
    batch->last_offset = batch->base_offset + last_delta;
    return OF_BATCH_WHOLE;
}

bool
of_record_batch_intact(const struct of_record_batch *batch)
{
    const struct of_slice bytes = batch->bytes;
    return of_crc32c(of_slice_of(bytes.data + AT_ATTRIBUTES, bytes.length - AT_ATTRIBUTES)) == batch->crc;
}

/* ---- markers ---- */

/* The key of a marker: version and type, two bytes each. */
enum of_marker
of_record_batch_marker(const struct of_record_batch *batch)
{
    enum { ABORT = 0, COMMIT = 1 };
    struct of_raw_record record;
    const struct of_slice records = batch->records;
    if (batch->codec != 0 || !of_raw_record_read(records.data, records.data + records.length, &record) ||
        record.key.length < 4)
        return OF_MARKER_OTHER;
    switch (of_big_endian_u16(record.key.data + 2)) {
    case ABORT: return OF_MARKER_ABORT;
    case COMMIT: return OF_MARKER_COMMIT;
    default: return OF_MARKER_OTHER;
    }
}
