#include "support/batches.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "core/assert.h"
#include "core/memory.h"
#include "kafka/direct/crc32c.h"

/* ---- packing ---- */

static size_t
pack_gzip(struct of_slice bytes, uint8_t *out, size_t room)
{
    z_stream stream = { 0 };
    OF_ASSERT(deflateInit2(&stream, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)bytes.data;
    stream.avail_in = (uInt)bytes.length;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    OF_ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

static size_t
pack_snappy(struct of_slice bytes, uint8_t *out, size_t room)
{
    OF_ASSERT(snappy_compress((const char *)bytes.data, bytes.length, (char *)out, &room) == SNAPPY_OK);
    return room;
}

static void
pack_xerial(struct of_wire_writer *out, struct of_slice bytes)
{
    enum { BLOCK_BYTES = 100 };
    of_wire_write_bytes(out, of_slice_of("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16));
    while (bytes.length > 0) {
        size_t length = bytes.length < BLOCK_BYTES ? bytes.length : BLOCK_BYTES;
        uint8_t block[2 * BLOCK_BYTES];
        size_t packed = pack_snappy(of_slice_of(bytes.data, length), block, sizeof block);
        of_wire_write_i32(out, (int32_t)packed);
        of_wire_write_bytes(out, of_slice_of(block, packed));
        bytes = of_slice_of(bytes.data + length, bytes.length - length);
    }
}

void
test_pack(struct of_wire_writer *out, int codec, bool xerial, struct of_slice bytes)
{
    size_t room = 2 * bytes.length + 1024, length = 0;
    uint8_t *packed = of_alloc(room);
    switch (codec) {
    case OF_CODEC_GZIP: length = pack_gzip(bytes, packed, room); break;
    case OF_CODEC_SNAPPY:
        if (xerial)
            pack_xerial(out, bytes);
        else
            length = pack_snappy(bytes, packed, room);
        break;
    case OF_CODEC_LZ4: length = LZ4F_compressFrame(packed, room, bytes.data, bytes.length, NULL); break;
    case OF_CODEC_ZSTD: length = ZSTD_compress(packed, room, bytes.data, bytes.length, 3); break;
    default:
        memcpy(packed, bytes.data, bytes.length);
        length = bytes.length;
    }
    OF_ASSERT(length <= room);
    of_wire_write_bytes(out, of_slice_of(packed, length));
    free(packed);
}

/* ---- records ---- */

static void
write_field(struct of_wire_writer *out, struct of_slice field)
{
    of_wire_write_varlong(out, field.data == NULL ? -1 : (int64_t)field.length);
    of_wire_write_bytes(out, field);
}

static void
write_record(struct of_wire_writer *out, const struct test_record *record)
{
    struct of_wire_writer body = { 0 };
    of_wire_write_i8(&body, 0);
    of_wire_write_varlong(&body, record->timestamp_delta_ms);
    of_wire_write_varlong(&body, record->offset_delta);
    write_field(&body, record->key);
    write_field(&body, record->value);
    of_wire_write_varlong(&body, record->header_count);
    for (uint32_t i = 0; i < record->header_count; i++) {
        write_field(&body, of_slice_str(record->headers[i].name));
        write_field(&body, record->headers[i].value);
    }
    of_wire_write_varlong(out, (int64_t)body.length);
    of_wire_write_bytes(out, of_slice_of(body.data, body.length));
    of_wire_writer_fini(&body);
}

/* ---- batches ---- */

void
test_batch_write(struct of_wire_writer *out, const struct test_batch *batch)
{
    struct of_wire_writer records = { 0 };
    for (uint32_t i = 0; i < batch->count; i++)
        write_record(&records, &batch->records[i]);
    int32_t last = batch->last_delta >= 0 ? batch->last_delta : batch->records[batch->count - 1].offset_delta;
    size_t begin = out->length;
    of_wire_write_i64(out, batch->base_offset);
    of_wire_write_i32(out, 0); /* length */
    of_wire_write_i32(out, batch->leader_epoch);
    of_wire_write_i8(out, 2);
    of_wire_write_i32(out, 0); /* CRC */
    size_t covered = out->length;
    of_wire_write_i16(out, (int16_t)(batch->codec | (batch->append_time ? 8 : 0) | (batch->transactional ? 16 : 0) |
                                     (batch->control ? 32 : 0)));
    of_wire_write_i32(out, last);
    of_wire_write_i64(out, batch->base_timestamp_ms);
    of_wire_write_i64(out, batch->max_timestamp_ms);
    of_wire_write_i64(out, batch->producer_id);
    of_wire_write_i16(out, 0);
    of_wire_write_i32(out, 0);
    of_wire_write_i32(out, (int32_t)batch->count);
    if (records.length > 0)
        test_pack(out, batch->codec, false, of_slice_of(records.data, records.length));
    of_wire_writer_fini(&records);
    of_big_endian_put_u32(out->data + begin + 8, (uint32_t)(out->length - begin - 12));
    of_big_endian_put_u32(out->data + begin + 17, of_crc32c_plain(of_slice_of(out->data + covered, out->length - covered)));
}

void
test_batch_numbers(struct of_wire_writer *out, int codec, int64_t base_offset, int first, uint32_t count)
{
    struct test_record *records = of_alloc_array(count, sizeof *records);
    char (*texts)[16] = of_alloc_array(count, sizeof *texts);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "%d", first + (int)i);
        records[i] = (struct test_record) {
            .offset_delta = (int32_t)i, .timestamp_delta_ms = i, .key = of_slice_str("k"), .value = of_slice_str(texts[i]),
        };
    }
    test_batch_write(out, &(struct test_batch) {
        .base_offset = base_offset, .last_delta = -1, .codec = codec, .base_timestamp_ms = 1000, .producer_id = -1,
        .max_timestamp_ms = 1000 + count, .records = records, .count = count,
    });
    free(records);
    free(texts);
}

void
test_batch_marker(struct of_wire_writer *out, int64_t offset, int64_t producer_id, bool commit)
{
    const struct test_record record = {
        .key = of_slice_of(commit ? "\0\0\0\1" : "\0\0\0\0", 4), .value = of_slice_of("\0\0\0\0\0\0", 6),
    };
    test_batch_write(out, &(struct test_batch) {
        .base_offset = offset, .last_delta = -1, .transactional = true, .control = true, .producer_id = producer_id,
        .records = &record, .count = 1,
    });
}
