#include "avro/encode.h"

#include <math.h>
#include <stdlib.h>

#include "avro/encode_schema.h"
#include "avro/framing.h"
#include "core/assert.h"
#include "core/memory.h"

__extension__ typedef __int128 int128;

struct of_encoder {
    struct of_flat_record record;
};

/* Where a record is written. */
struct out {
    uint8_t *at, *end;
    bool full; /* more was written than there is room */
};

/* ---- bytes ---- */

static void
put(struct out *out, const void *bytes, size_t length)
{
    if ((size_t)(out->end - out->at) < length) {
        out->full = true;
        return;
    }
    if (length > 0)
        memcpy(out->at, bytes, length);
    out->at += length;
}

static void
put_byte(struct out *out, uint8_t byte)
{
    put(out, &byte, 1);
}

/* Avro's variable-length zig-zag number. */
static void
put_long(struct out *out, int64_t value)
{
    uint64_t rest = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; rest >= 0x80; rest >>= 7)
        put_byte(out, (uint8_t)(rest | 0x80));
    put_byte(out, (uint8_t)rest);
}

/* Little-endian, as Avro wants them. */
static void
put_bits(struct out *out, uint64_t bits, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        put_byte(out, (uint8_t)(bits >> 8 * i));
}

static void
put_text(struct out *out, struct of_slice text)
{
    put_long(out, (int64_t)text.length);
    put(out, text.data, text.length);
}

/* ---- decimals ---- */

/* Reads decimal notation as an integer of 10^-scale. */
static const char *
read_unscaled(const char *text, const struct of_flat_field *field, int128 *unscaled)
{
    bool negative = *text == '-';
    text += *text == '-' || *text == '+';
    const char *mark = strpbrk(text, "eE");
    long shift = mark != NULL ? strtol(mark + 1, NULL, 10) : 0;
    long decimals = 0, digits = 0;
    int128 value = 0;
    if (shift > 1000 || shift < -1000)
        return "is out of the decimal's range";
    for (bool behind = false; *text != '\0' && text != mark; text++) {
        if (*text == '.') {
            behind = true;
            continue;
        }
        decimals += behind;
        if ((value != 0 || *text != '0') && ++digits > OF_FLAT_DECIMAL_DIGITS_MAX)
            return "has more digits than the decimal";
        value = 10 * value + (*text - '0');
    }
    for (decimals -= shift; value != 0 && decimals < (long)field->scale; decimals++, digits++) {
        if (digits >= OF_FLAT_DECIMAL_DIGITS_MAX)
            return "has more digits than the decimal";
        value *= 10;
    }
    for (; value != 0 && decimals > (long)field->scale; decimals--, digits--) {
        if (value % 10 != 0)
            return "has more decimals than the decimal";
        value /= 10;
    }
    if (digits > (long)field->precision)
        return "has more digits than the decimal";
    *unscaled = negative ? -value : value;
    return NULL;
}

static enum of_status
put_decimal(struct out *out, const struct of_flat_field *field, const struct of_cell *cell, struct of_error *err)
{
    char text[OF_CELL_NUMBER_BYTES];
    uint8_t bytes[sizeof(int128)];
    int128 unscaled = 0;
    enum of_status status = of_cell_to_number_text(cell, text, err);
    if (status != OF_OK)
        return status;
    const char *complaint = read_unscaled(text, field, &unscaled);
    if (complaint != NULL)
        return of_cell_complain(cell, complaint, err);
    size_t length = 1; /* the fewest bytes that hold it with its sign */
    for (int128 rest = unscaled; rest < -128 || rest > 127; rest >>= 8)
        length++;
    for (size_t i = 0; i < length; i++)
        bytes[length - 1 - i] = (uint8_t)(unscaled >> 8 * i);
    if (field->type == OF_FLAT_BYTES) {
        put_text(out, of_slice_of(bytes, length));
        return OF_OK;
    }
    if (length > field->size)
        return of_cell_complain(cell, "has more digits than the decimal", err);
    for (size_t i = length; i < field->size; i++)
        put_byte(out, unscaled < 0 ? 0xff : 0);
    put(out, bytes, length);
    return OF_OK;
}

/* ---- one field ---- */

static enum of_status
put_number(struct out *out, const struct of_flat_field *field, const struct of_cell *cell, struct of_error *err)
{
    double number;
    enum of_status status = of_cell_to_double(cell, &number, err);
    if (status != OF_OK)
        return status;
    float single = (float)number;
    bool chosen = cell->kind == OF_CELL_REAL && !isfinite(number); /* no notation of a file says that */
    if (!chosen && !isfinite(field->type == OF_FLAT_DOUBLE ? number : (double)single))
        return of_cell_complain(cell, field->type == OF_FLAT_DOUBLE ? "is too large for a double"
                                                                    : "is too large for a float", err);
    if (field->type == OF_FLAT_DOUBLE) {
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        put_bits(out, bits, 8);
        return OF_OK;
    }
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    put_bits(out, bits, 4);
    return OF_OK;
}

static enum of_status
put_integer(struct out *out, const struct of_flat_field *field, const struct of_cell *cell, struct of_error *err)
{
    bool is_int = field->type == OF_FLAT_INT;
    int64_t number;
    enum of_status status =
        of_cell_to_integer(cell, is_int ? INT32_MIN : INT64_MIN, is_int ? INT32_MAX : INT64_MAX, &number, err);
    if (status == OF_OK)
        put_long(out, number);
    return status;
}

static enum of_status
put_symbol(struct out *out, const struct of_flat_field *field, const struct of_cell *cell, struct of_slice text,
           struct of_error *err)
{
    for (size_t i = 0; i < json_array_size(field->symbols); i++) {
        const char *symbol = json_string_value(json_array_get(field->symbols, i));
        if (symbol != NULL && of_slice_equal(text, of_slice_str(symbol))) {
            put_long(out, (int64_t)i);
            return OF_OK;
        }
    }
    return of_cell_complain(cell, "is none of the enum's symbols", err);
}

static enum of_status
put_textual(struct out *out, const struct of_flat_field *field, const struct of_cell *cell, struct of_error *err)
{
    char scratch[OF_CELL_SCRATCH_BYTES];
    struct of_slice text;
    enum of_status status = of_cell_to_text(cell, scratch, &text, err);
    if (status != OF_OK)
        return status;
    if (field->type == OF_FLAT_ENUM)
        return put_symbol(out, field, cell, text, err);
    if (field->type == OF_FLAT_FIXED && text.length != field->size)
        return of_cell_complain(cell, "is not as long as the fixed type", err);
    if (field->type == OF_FLAT_FIXED)
        put(out, text.data, text.length);
    else
        put_text(out, text);
    return OF_OK;
}

static enum of_status
put_value(struct out *out, const struct of_flat_field *field, const struct of_cell *cell, struct of_error *err)
{
    bool flag = false;
    enum of_status status = OF_OK;
    if (field->decimal)
        return put_decimal(out, field, cell, err);
    switch (field->type) {
    case OF_FLAT_NULL: return of_cell_is_absent(cell) ? OF_OK : of_cell_complain(cell, "is not null", err);
    case OF_FLAT_BOOLEAN:
        status = of_cell_to_boolean(cell, &flag, err);
        put_byte(out, flag);
        return status;
    case OF_FLAT_INT:
    case OF_FLAT_LONG: return put_integer(out, field, cell, err);
    case OF_FLAT_FLOAT:
    case OF_FLAT_DOUBLE: return put_number(out, field, cell, err);
    case OF_FLAT_BYTES:
    case OF_FLAT_STRING:
    case OF_FLAT_ENUM:
    case OF_FLAT_FIXED: return put_textual(out, field, cell, err);
    }
    OF_ASSERT(!"type of a flat field");
    return OF_FATAL;
}

static enum of_status
put_field(struct out *out, const struct of_flat_field *field, const struct of_cell *cell, struct of_error *err)
{
    bool is_default = cell->kind == OF_CELL_MISSING && field->has_initial;
    if (is_default)
        cell = &field->initial;
    if (field->nullable && of_cell_is_absent(cell)) {
        put_long(out, field->null_branch);
        return OF_OK;
    }
    if (field->in_union)
        put_long(out, field->branch);
    enum of_status status = put_value(out, field, cell, err);
    if (status == OF_OK || err == NULL)
        return status;
    return of_error_prefix(err, "column %s", field->name);
}

enum of_status
of_encoder_encode(const struct of_encoder *encoder, uint32_t schema_id, const struct of_cell *cells, uint8_t *buffer,
                  size_t size, size_t *written, struct of_error *err)
{
    struct out out = { buffer, buffer + size, size < OF_FRAMING_BYTES };
    enum of_status status = OF_OK;
    if (!out.full) {
        of_framing_write(buffer, schema_id);
        out.at += OF_FRAMING_BYTES;
    }
    for (size_t i = 0; i < encoder->record.field_count && status == OF_OK; i++)
        status = put_field(&out, &encoder->record.fields[i], &cells[i], err);
    if (status == OF_OK && out.full)
        return of_error_set(err, OF_POISON, "the record needs more than the %zu bytes that there is room for", size);
    *written = (size_t)(out.at - buffer);
    return status;
}

/* ---- life ---- */

enum of_status
of_encoder_create(struct of_slice schema_json, struct of_encoder **out, struct of_error *err)
{
    struct of_encoder *encoder = of_alloc(sizeof *encoder);
    enum of_status status = of_flat_record_init(&encoder->record, schema_json, err);
    if (status != OF_OK)
        of_encoder_destroy(&encoder);
    *out = encoder;
    return status;
}

size_t
of_encoder_field_count(const struct of_encoder *encoder)
{
    return encoder->record.field_count;
}

const char *
of_encoder_field_name(const struct of_encoder *encoder, size_t field)
{
    return encoder->record.fields[field].name;
}

bool
of_encoder_field_required(const struct of_encoder *encoder, size_t field)
{
    const struct of_flat_field *f = &encoder->record.fields[field];
    return !f->has_initial && !f->nullable && f->type != OF_FLAT_NULL;
}

bool
of_encoder_number(const struct of_encoder *encoder, size_t field, const struct of_cell *cell, double *number)
{
    const struct of_flat_field *f = &encoder->record.fields[field];
    if (cell->kind == OF_CELL_MISSING && f->has_initial)
        cell = &f->initial;
    bool numeric = !f->decimal && f->type >= OF_FLAT_INT && f->type <= OF_FLAT_DOUBLE && !of_cell_is_absent(cell);
    if (!numeric || of_cell_to_double(cell, number, NULL) != OF_OK)
        return false;
    if (f->type == OF_FLAT_FLOAT)
        *number = (double)(float)*number;
    return true;
}

void
of_encoder_destroy(struct of_encoder **encoder)
{
    struct of_encoder *gone = *encoder;
    *encoder = NULL;
    if (gone == NULL)
        return;
    of_flat_record_fini(&gone->record);
    free(gone);
}
