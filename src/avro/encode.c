#include "avro/encode.h"

#include <math.h>
#include <stdlib.h>

#include "avro/framing.h"
#include "avro/schema_text.h"
#include "core/assert.h"
#include "core/memory.h"

struct of_encoder {
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t order;
    avro_value_t id; /* the fields of order */
    avro_value_t product;
    avro_value_t price;
    avro_writer_t writer;
    char *text; /* libavro wants a NUL behind strings */
    size_t text_size;
};

/* The field of that name, if its type is one of the two. */
static enum of_status
bind_field(struct of_encoder *encoder, const char *name, avro_type_t type, avro_type_t or_type, avro_value_t *out,
           struct of_error *err)
{
    if (avro_schema_record_field_get_index(encoder->schema, name) < 0)
        return of_error_set(err, OF_POISON, "the schema has no field \"%s\"", name);
    avro_type_t actual = avro_typeof(avro_schema_record_field_get(encoder->schema, name));
    if (actual != type && actual != or_type)
        return of_error_set(err, OF_POISON, "the field \"%s\" must be a %s", name,
                            type == AVRO_STRING ? "string" : "float or double");
    OF_ASSERT(avro_value_get_by_name(&encoder->order, name, out, NULL) == 0);
    return OF_OK;
}

static enum of_status
bind_fields(struct of_encoder *encoder, struct of_error *err)
{
    enum of_status status = bind_field(encoder, "orderId", AVRO_STRING, AVRO_STRING, &encoder->id, err);
    if (status == OF_OK)
        status = bind_field(encoder, "product", AVRO_STRING, AVRO_STRING, &encoder->product, err);
    if (status == OF_OK)
        status = bind_field(encoder, "price", AVRO_FLOAT, AVRO_DOUBLE, &encoder->price, err);
    if (status == OF_OK && avro_schema_record_size(encoder->schema) != 3)
        status = of_error_set(err, OF_POISON, "the schema has fields beside orderId, product and price");
    return status;
}

enum of_status
of_encoder_create(struct of_slice schema_json, struct of_encoder **out, struct of_error *err)
{
    *out = NULL;
    avro_schema_t schema;
    enum of_status status = of_schema_parse(schema_json, &schema, err);
    if (status != OF_OK)
        return status;
    if (avro_typeof(schema) != AVRO_RECORD) {
        avro_schema_decref(schema);
        return of_error_set(err, OF_POISON, "the schema of an order must be a record");
    }
    struct of_encoder *encoder = of_alloc(sizeof *encoder);
    encoder->schema = schema;
    encoder->class = avro_generic_class_from_schema(schema);
    OF_ASSERT(encoder->class != NULL && avro_generic_value_new(encoder->class, &encoder->order) == 0);
    encoder->writer = avro_writer_memory("", 0);
    OF_ASSERT(encoder->writer != NULL);
    status = bind_fields(encoder, err);
    if (status != OF_OK)
        of_encoder_destroy(&encoder);
    *out = encoder;
    return status;
}

/* Strings are bounded by the caller's buffer, so the copy is as well. */
static enum of_status
set_text(struct of_encoder *encoder, avro_value_t *field, const char *name, struct of_slice text, size_t room,
         struct of_error *err)
{
    if (text.length >= room)
        return of_error_set(err, OF_POISON, "%s is %zu bytes long; the whole order may have %zu", name, text.length,
                            room);
    if (text.length + 1 > encoder->text_size) {
        encoder->text_size = text.length + 1;
        encoder->text = of_realloc_array(encoder->text, encoder->text_size, 1);
    }
    if (text.length > 0)
        memcpy(encoder->text, text.data, text.length);
    encoder->text[text.length] = '\0';
    OF_ASSERT(avro_value_set_string_len(field, encoder->text, text.length + 1) == 0);
    return OF_OK;
}

static enum of_status
set_price(struct of_encoder *encoder, double price, struct of_error *err)
{
    if (avro_value_get_type(&encoder->price) == AVRO_DOUBLE) {
        OF_ASSERT(avro_value_set_double(&encoder->price, price) == 0);
        return OF_OK;
    }
    if (isfinite(price) && !isfinite((float)price))
        return of_error_set(err, OF_POISON, "the price %g is beyond the range of a float", price);
    OF_ASSERT(avro_value_set_float(&encoder->price, (float)price) == 0);
    return OF_OK;
}

enum of_status
of_encoder_encode(struct of_encoder *encoder, uint32_t schema_id, struct of_slice id, struct of_slice product,
                  double price, uint8_t *buffer, size_t size, size_t *written, struct of_error *err)
{
    enum of_status status = set_text(encoder, &encoder->id, "orderId", id, size, err);
    if (status == OF_OK)
        status = set_text(encoder, &encoder->product, "product", product, size, err);
    if (status == OF_OK)
        status = set_price(encoder, price, err);
    if (status != OF_OK)
        return status;
    size_t body_bytes;
    OF_ASSERT(avro_value_sizeof(&encoder->order, &body_bytes) == 0);
    if (size < OF_FRAMING_BYTES || body_bytes > size - OF_FRAMING_BYTES)
        return of_error_set(err, OF_POISON, "the order needs %zu bytes; there is room for %zu",
                            body_bytes + OF_FRAMING_BYTES, size);
    of_framing_write(buffer, schema_id);
    avro_writer_memory_set_dest(encoder->writer, (const char *)buffer + OF_FRAMING_BYTES, (int64_t)body_bytes);
    OF_ASSERT(avro_value_write(encoder->writer, &encoder->order) == 0);
    *written = body_bytes + OF_FRAMING_BYTES;
    return OF_OK;
}

void
of_encoder_destroy(struct of_encoder **encoder)
{
    struct of_encoder *e = *encoder;
    *encoder = NULL;
    if (e == NULL)
        return;
    avro_writer_free(e->writer);
    avro_value_decref(&e->order);
    avro_value_iface_decref(e->class);
    avro_schema_decref(e->schema);
    free(e->text);
    free(e);
}
