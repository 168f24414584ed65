#include "kafka/direct/wire.h"

#include <stdlib.h>

#include "core/memory.h"

uint64_t
of_wire_unsigned(struct of_wire_reader *reader, unsigned bits)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < bits; shift += 7) {
        const uint8_t *p = of_wire_take(reader, 1);
        if (p == NULL)
            return 0;
        uint64_t part = *p & 0x7f;
        if (bits - shift < 7 && part >> (bits - shift) != 0)
            break;
        value |= part << shift;
        if (*p < 0x80)
            return value;
    }
    reader->bad = true;
    return 0;
}

void
of_wire_writer_fini(struct of_wire_writer *writer)
{
    free(writer->data);
    *writer = (struct of_wire_writer) { 0 };
}

uint8_t *
of_wire_extend(struct of_wire_writer *writer, size_t count)
{
    if (writer->length + count > writer->room) {
        writer->room = 2 * (writer->length + count) + 64;
        writer->data = of_realloc_array(writer->data, writer->room, 1);
    }
    uint8_t *at = writer->data + writer->length;
    writer->length += count;
    return at;
}

void
of_wire_write_i8(struct of_wire_writer *writer, int8_t value)
{
    *of_wire_extend(writer, 1) = (uint8_t)value;
}

void
of_wire_write_i16(struct of_wire_writer *writer, int16_t value)
{
    of_big_endian_put_u16(of_wire_extend(writer, 2), (uint16_t)value);
}

void
of_wire_write_i32(struct of_wire_writer *writer, int32_t value)
{
    of_big_endian_put_u32(of_wire_extend(writer, 4), (uint32_t)value);
}

void
of_wire_write_i64(struct of_wire_writer *writer, int64_t value)
{
    of_big_endian_put_u64(of_wire_extend(writer, 8), (uint64_t)value);
}

void
of_wire_write_uvarint(struct of_wire_writer *writer, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *of_wire_extend(writer, 1) = (uint8_t)(value | 0x80);
    *of_wire_extend(writer, 1) = (uint8_t)value;
}

void
of_wire_write_varlong(struct of_wire_writer *writer, int64_t value)
{
    of_wire_write_uvarint(writer, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void
of_wire_write_bytes(struct of_wire_writer *writer, struct of_slice bytes)
{
    if (bytes.length > 0)
        memcpy(of_wire_extend(writer, bytes.length), bytes.data, bytes.length);
}
