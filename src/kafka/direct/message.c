#include "kafka/direct/message.h"

#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"

/* ---- the arena ---- */

struct of_arena_block {
    struct of_arena_block *next;
    _Alignas(max_align_t) uint8_t bytes[];
};

void
of_arena_empty(struct of_arena *arena)
{
    while (arena->blocks != NULL) {
        struct of_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->used = 0;
}

/* NULL: beyond the limit. */
static void *
arena_take(struct of_arena *arena, size_t count, size_t bytes)
{
    if (count > (arena->limit - arena->used) / bytes)
        return NULL;
    struct of_arena_block *block = of_alloc(sizeof *block + count * bytes);
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used += count * bytes;
    return block->bytes;
}

/* ---- writing ---- */

static bool
has(const struct of_field *field, int16_t version)
{
    return version >= field->since && version <= field->until;
}

/* A length, or -1 for null, as the version counts it. */
static void
write_length(struct of_wire_writer *writer, bool flexible, bool wide, int64_t length)
{
    if (flexible)
        of_wire_write_uvarint(writer, (uint64_t)(length + 1));
    else if (wide)
        of_wire_write_i32(writer, (int32_t)length);
    else
        of_wire_write_i16(writer, (int16_t)length);
}

static void
write_array(struct of_wire_writer *writer, const struct of_field *field, int16_t version, bool flexible,
            const struct of_array *array)
{
    write_length(writer, flexible, true, array->null ? -1 : (int64_t)array->count);
    for (uint32_t i = 0; i < array->count; i++)
        if (field->type == OF_FIELD_NUMBERS)
            of_wire_write_i32(writer, ((const int32_t *)array->items)[i]);
        else
            of_message_write(writer, field->shape, version, flexible,
                             (const uint8_t *)array->items + i * field->shape->size);
}

static void
write_field(struct of_wire_writer *writer, const struct of_field *field, int16_t version, bool flexible, const void *at)
{
    switch (field->type) {
    case OF_FIELD_BOOL: of_wire_write_i8(writer, *(const bool *)at); break;
    case OF_FIELD_INT8: of_wire_write_i8(writer, *(const int8_t *)at); break;
    case OF_FIELD_INT16: of_wire_write_i16(writer, *(const int16_t *)at); break;
    case OF_FIELD_INT32: of_wire_write_i32(writer, *(const int32_t *)at); break;
    case OF_FIELD_INT64: of_wire_write_i64(writer, *(const int64_t *)at); break;
    case OF_FIELD_STRING:
    case OF_FIELD_BYTES: {
        const struct of_slice *bytes = at;
        OF_ASSERT(bytes->data != NULL || field->nullable);
        write_length(writer, flexible, field->type == OF_FIELD_BYTES,
                     bytes->data == NULL ? -1 : (int64_t)bytes->length);
        of_wire_write_bytes(writer, *bytes);
        break;
    }
    case OF_FIELD_STRUCT: of_message_write(writer, field->shape, version, flexible, at); break;
    case OF_FIELD_ARRAY:
    case OF_FIELD_NUMBERS: write_array(writer, field, version, flexible, at); break;
    }
}

static void
write_tagged(struct of_wire_writer *writer, const struct of_field *field, int16_t version, const void *at)
{
    struct of_wire_writer value = { 0 };
    write_field(&value, field, version, true, at);
    of_wire_write_uvarint(writer, (uint64_t)field->tag);
    of_wire_write_uvarint(writer, value.length);
    of_wire_write_bytes(writer, of_slice_of(value.data, value.length));
    of_wire_writer_fini(&value);
}

void
of_message_write(struct of_wire_writer *writer, const struct of_shape *shape, int16_t version, bool flexible,
                 const void *object)
{
    uint32_t tagged = 0;
    for (uint32_t i = 0; i < shape->count; i++) {
        const struct of_field *field = &shape->fields[i];
        if (!has(field, version))
            continue;
        if (field->tag == OF_FIELD_NO_TAG)
            write_field(writer, field, version, flexible, (const uint8_t *)object + field->at);
        else
            tagged++;
    }
    if (!flexible)
        return;
    of_wire_write_uvarint(writer, tagged);
    for (uint32_t i = 0; i < shape->count; i++)
        if (has(&shape->fields[i], version) && shape->fields[i].tag != OF_FIELD_NO_TAG)
            write_tagged(writer, &shape->fields[i], version, (const uint8_t *)object + shape->fields[i].at);
}

/* ---- reading ---- */

static int64_t
read_length(struct of_wire_reader *reader, bool flexible, bool wide)
{
    if (flexible)
        return (int64_t)of_wire_uvarint(reader) - 1;
    return wide ? of_wire_i32(reader) : of_wire_i16(reader);
}

static void
read_bytes(struct of_wire_reader *reader, const struct of_field *field, bool flexible, struct of_slice *bytes)
{
    int64_t length = read_length(reader, flexible, field->type == OF_FIELD_BYTES);
    *bytes = of_slice_of(NULL, 0);
    if (length >= 0)
        *bytes = of_slice_of(of_wire_take(reader, (size_t)length), (size_t)length);
    else if (length != -1 || !field->nullable)
        reader->bad = true;
    if (reader->bad)
        *bytes = of_slice_of(NULL, 0);
}

/* Every element takes a byte at least, so a count beyond the bytes that are left is a lie. */
static void
read_array(struct of_wire_reader *reader, const struct of_field *field, int16_t version, bool flexible,
           struct of_array *array, struct of_arena *arena)
{
    int64_t count = read_length(reader, flexible, true);
    *array = (struct of_array) { .null = count == -1 };
    if (count < -1 || (count == -1 && !field->nullable) || (count > 0 && (size_t)count > of_wire_left(reader)))
        reader->bad = true;
    if (reader->bad || count <= 0)
        return;
    size_t size = field->type == OF_FIELD_NUMBERS ? sizeof(int32_t) : field->shape->size;
    array->items = arena_take(arena, (size_t)count, size);
    if (array->items == NULL) {
        reader->bad = true;
        return;
    }
    array->count = (uint32_t)count;
    for (uint32_t i = 0; i < array->count && !reader->bad; i++)
        if (field->type == OF_FIELD_NUMBERS)
            ((int32_t *)array->items)[i] = of_wire_i32(reader);
        else
            of_message_read(reader, field->shape, version, flexible, (uint8_t *)array->items + i * size, arena);
}

static void
read_field(struct of_wire_reader *reader, const struct of_field *field, int16_t version, bool flexible, void *at,
           struct of_arena *arena)
{
    switch (field->type) {
    case OF_FIELD_BOOL: *(bool *)at = of_wire_i8(reader) != 0; break;
    case OF_FIELD_INT8: *(int8_t *)at = of_wire_i8(reader); break;
    case OF_FIELD_INT16: *(int16_t *)at = of_wire_i16(reader); break;
    case OF_FIELD_INT32: *(int32_t *)at = of_wire_i32(reader); break;
    case OF_FIELD_INT64: *(int64_t *)at = of_wire_i64(reader); break;
    case OF_FIELD_STRING:
    case OF_FIELD_BYTES: read_bytes(reader, field, flexible, at); break;
    case OF_FIELD_STRUCT: of_message_read(reader, field->shape, version, flexible, at, arena); break;
    case OF_FIELD_ARRAY:
    case OF_FIELD_NUMBERS: read_array(reader, field, version, flexible, at, arena); break;
    }
}

static const struct of_field *
find_tag(const struct of_shape *shape, int16_t version, uint32_t tag)
{
    for (uint32_t i = 0; i < shape->count; i++)
        if (shape->fields[i].tag >= 0 && (uint32_t)shape->fields[i].tag == tag && has(&shape->fields[i], version))
            return &shape->fields[i];
    return NULL;
}

/* Tags that we do not know are passed over: that is what they are for. */
static void
read_tags(struct of_wire_reader *reader, const struct of_shape *shape, int16_t version, void *object,
          struct of_arena *arena)
{
    uint32_t count = of_wire_uvarint(reader);
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        const struct of_field *field = find_tag(shape, version, of_wire_uvarint(reader));
        uint32_t length = of_wire_uvarint(reader);
        const uint8_t *bytes = of_wire_take(reader, length);
        if (bytes == NULL || field == NULL)
            continue;
        struct of_wire_reader value = of_wire_read(of_slice_of(bytes, length));
        read_field(&value, field, version, true, (uint8_t *)object + field->at, arena);
        reader->bad = value.bad || of_wire_left(&value) > 0;
    }
}

void
of_message_read(struct of_wire_reader *reader, const struct of_shape *shape, int16_t version, bool flexible,
                void *object, struct of_arena *arena)
{
    if (shape->initial != NULL)
        memcpy(object, shape->initial, shape->size);
    else
        memset(object, 0, shape->size);
    for (uint32_t i = 0; i < shape->count && !reader->bad; i++) {
        const struct of_field *field = &shape->fields[i];
        if (has(field, version) && field->tag == OF_FIELD_NO_TAG)
            read_field(reader, field, version, flexible, (uint8_t *)object + field->at, arena);
    }
    if (flexible)
        read_tags(reader, shape, version, object, arena);
}

/* ---- whole messages ---- */

const struct of_message *
of_message_find(enum of_api api)
{
    for (uint32_t i = 0; i < of_message_count; i++)
        if (of_messages[i].api == api)
            return &of_messages[i];
    OF_ASSERT(!"a message that is in the table");
    return NULL;
}

/* Head version 2 has tags but keeps the client id's old length, so that a broker can read it before it knows which. */
void
of_message_write_request(struct of_wire_writer *writer, const struct of_message *message, int16_t version,
                         int32_t correlation, const char *client_id, const void *request)
{
    bool flexible = version >= message->flexible;
    size_t begin = writer->length;
    of_wire_extend(writer, 4);
    of_wire_write_i16(writer, (int16_t)message->api);
    of_wire_write_i16(writer, version);
    of_wire_write_i32(writer, correlation);
    of_wire_write_i16(writer, (int16_t)strlen(client_id));
    of_wire_write_bytes(writer, of_slice_str(client_id));
    if (flexible)
        of_wire_write_uvarint(writer, 0);
    of_message_write(writer, message->request, version, flexible, request);
    of_big_endian_put_u32(writer->data + begin, (uint32_t)(writer->length - begin - 4));
}

/* An answer to ApiVersions has no tags in its head, as whoever asks may not know them. librdkafka's embedded
 * cluster ends Metadata with its tags twice; anything else behind the last field is refused. */
enum of_status
of_message_read_answer(const struct of_message *message, int16_t version, int32_t correlation, struct of_slice bytes,
                       void *answer, struct of_arena *arena, struct of_error *err)
{
    static const struct of_shape no_fields = { .size = 0 };
    bool flexible = version >= message->flexible;
    struct of_wire_reader reader = of_wire_read(bytes);
    int32_t answered = of_wire_i32(&reader);
    if (reader.bad || answered != correlation)
        return of_error_set(err, OF_POISON, "%s: an answer to request %d came to request %d", message->name, answered,
                            correlation);
    if (flexible && message->api != OF_API_VERSIONS)
        read_tags(&reader, &no_fields, version, NULL, arena);
    of_message_read(&reader, message->answer, version, flexible, answer, arena);
    while (flexible && !reader.bad && of_wire_left(&reader) > 0)
        read_tags(&reader, &no_fields, version, NULL, arena);
    if (reader.bad || of_wire_left(&reader) > 0)
        return of_error_set(err, OF_POISON, "%s: an answer of %zu bytes does not follow version %d of the protocol",
                            message->name, bytes.length, version);
    return OF_OK;
}
