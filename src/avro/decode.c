#include <endian.h>

#include "avro/plan_private.h"
#include "core/assert.h"

/* The part of the body that is still to be read. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static size_t
left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* What take_long_slowly found: a number and where it ends, or at == NULL and an enum of_decode_result. By value and in
 * registers: were the cursor's address given away, every step of the fast path would go through memory. */
struct long_read {
    int64_t number;
    const uint8_t *at;
};

/* A zigzag number of up to ten bytes of seven bits; the tenth has room for one bit. */
static __attribute__((noinline)) struct long_read
take_long_slowly(const uint8_t *at, const uint8_t *end)
{
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (at == end)
            return (struct long_read) { OF_DECODE_TRUNCATED, NULL };
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            return (struct long_read) { OF_DECODE_OVERLONG_VARINT, NULL };
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return (struct long_read) { (int64_t)(bits >> 1 ^ (0 - (bits & 1))), at };
    }
    return (struct long_read) { OF_DECODE_OVERLONG_VARINT, NULL };
}

static inline enum of_decode_result
take_long(struct cursor *cursor, int64_t *out)
{
    if (cursor->at < cursor->end && *cursor->at < 0x80) {
        uint8_t bits = *cursor->at++;
        *out = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
        return OF_DECODE_OK;
    }
    struct long_read read = take_long_slowly(cursor->at, cursor->end);
    if (read.at == NULL)
        return read.number == OF_DECODE_TRUNCATED ? OF_DECODE_TRUNCATED : OF_DECODE_OVERLONG_VARINT;
    cursor->at = read.at;
    *out = read.number;
    return OF_DECODE_OK;
}

static inline enum of_decode_result
take_int(struct cursor *cursor, int64_t *out)
{
    const uint8_t *start = cursor->at;
    enum of_decode_result result = take_long(cursor, out);
    if (result == OF_DECODE_OK && cursor->at - start > 5)
        return OF_DECODE_OVERLONG_VARINT;
    if (result == OF_DECODE_OK && (*out < INT32_MIN || *out > INT32_MAX))
        return OF_DECODE_INT_RANGE;
    return result;
}

static inline enum of_decode_result
take_bytes(struct cursor *cursor, size_t max_bytes, struct of_slice *out)
{
    int64_t length;
    enum of_decode_result result = take_long(cursor, &length);
    if (__builtin_expect(result != OF_DECODE_OK, 0))
        return result;
    /* As unsigned a negative length is larger than anything left, so that good lengths pass one comparison. */
    if (__builtin_expect((uint64_t)length > left(cursor) || (uint64_t)length > max_bytes, 0)) {
        if (length < 0)
            return OF_DECODE_NEGATIVE_LENGTH;
        return (uint64_t)length > max_bytes ? OF_DECODE_FIELD_TOO_LARGE : OF_DECODE_TRUNCATED;
    }
    *out = of_slice_of(cursor->at, (size_t)length);
    cursor->at += length;
    return OF_DECODE_OK;
}

static inline enum of_decode_result
take_float(struct cursor *cursor, double *out)
{
    uint32_t bits;
    if (left(cursor) < sizeof bits)
        return OF_DECODE_TRUNCATED;
    memcpy(&bits, cursor->at, sizeof bits);
    cursor->at += sizeof bits;
    bits = le32toh(bits);
    float value;
    memcpy(&value, &bits, sizeof value);
    *out = value;
    return OF_DECODE_OK;
}

static inline enum of_decode_result
take_double(struct cursor *cursor, double *out)
{
    uint64_t bits;
    if (left(cursor) < sizeof bits)
        return OF_DECODE_TRUNCATED;
    memcpy(&bits, cursor->at, sizeof bits);
    cursor->at += sizeof bits;
    bits = le64toh(bits);
    memcpy(out, &bits, sizeof bits);
    return OF_DECODE_OK;
}

static inline enum of_decode_result
skip(struct cursor *cursor, uint32_t bytes)
{
    if (left(cursor) < bytes)
        return OF_DECODE_TRUNCATED;
    cursor->at += bytes;
    return OF_DECODE_OK;
}

static inline enum of_decode_result
skip_boolean(struct cursor *cursor)
{
    if (cursor->at == cursor->end)
        return OF_DECODE_TRUNCATED;
    return *cursor->at++ <= 1 ? OF_DECODE_OK : OF_DECODE_BAD_BOOLEAN;
}

static inline enum of_decode_result
skip_enum(struct cursor *cursor, uint32_t count)
{
    int64_t index;
    enum of_decode_result result = take_int(cursor, &index);
    if (result == OF_DECODE_OK && (index < 0 || index >= (int64_t)count))
        return OF_DECODE_BAD_ENUM;
    return result;
}

static struct of_slice
decimal(int64_t number, char text[OF_DECODED_SCRATCH_BYTES])
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t at = OF_DECODED_SCRATCH_BYTES;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (number < 0)
        text[--at] = '-';
    return of_slice_of(text + at, OF_DECODED_SCRATCH_BYTES - at);
}

static enum of_decode_result
give_number(unsigned roles, int64_t number, struct of_decoded *out)
{
    if (roles & OF_ROLE_GROUP)
        out->group = decimal(number, out->scratch[0]);
    if (roles & OF_ROLE_ID)
        out->id = decimal(number, out->scratch[1]);
    if (roles & OF_ROLE_VALUE) {
        out->value = (double)number;
        /* 2^63 is what INT64_MAX rounds to, and must not be converted back. */
        if (out->value == 0x1p63 || (int64_t)out->value != number)
            return OF_DECODE_INEXACT_VALUE;
    }
    return OF_DECODE_OK;
}

static inline void
give_bytes(unsigned roles, struct of_slice bytes, struct of_decoded *out)
{
    if (roles & OF_ROLE_GROUP)
        out->group = bytes;
    if (roles & OF_ROLE_ID)
        out->id = bytes;
}

static inline enum of_decode_result
run(const struct of_plan *plan, const struct of_op *op, struct cursor *cursor, struct of_decoded *out)
{
    int64_t number;
    struct of_slice bytes;
    enum of_decode_result result;
    switch ((enum of_op_kind)op->kind) {
    case OF_OP_BYTES:
        result = take_bytes(cursor, plan->max_field_bytes, &bytes);
        if (result == OF_DECODE_OK)
            give_bytes(op->roles, bytes, out);
        return result;
    case OF_OP_FLOAT: return take_float(cursor, &out->value);
    case OF_OP_DOUBLE: return take_double(cursor, &out->value);
    case OF_OP_INT:
        result = take_int(cursor, &number);
        return result == OF_DECODE_OK ? give_number(op->roles, number, out) : result;
    case OF_OP_LONG:
        result = take_long(cursor, &number);
        return result == OF_DECODE_OK ? give_number(op->roles, number, out) : result;
    case OF_OP_SKIP: return skip(cursor, op->count);
    case OF_OP_BOOLEAN: return skip_boolean(cursor);
    case OF_OP_ENUM: return skip_enum(cursor, op->count);
    }
    OF_ASSERT(!"a step that no plan has");
}

/* Two texts, then a float: the order of the classic schema, without a step to look at. */
static enum of_decode_result
decode_texts_float(const struct of_plan *plan, struct cursor cursor, struct of_slice *first, struct of_slice *second,
                   double *value)
{
    enum of_decode_result result = take_bytes(&cursor, plan->max_field_bytes, first);
    if (__builtin_expect(result != OF_DECODE_OK, 0))
        return result;
    result = take_bytes(&cursor, plan->max_field_bytes, second);
    if (__builtin_expect(result != OF_DECODE_OK, 0))
        return result;
    result = take_float(&cursor, value);
    if (__builtin_expect(result != OF_DECODE_OK, 0))
        return result;
    return cursor.at == cursor.end ? OF_DECODE_OK : OF_DECODE_TRAILING_BYTES;
}

enum of_decode_result
of_plan_decode(const struct of_plan *plan, struct of_slice body, struct of_decoded *out)
{
    struct cursor cursor = { body.data, body.data + body.length };
    if (plan->shape == OF_SHAPE_ID_GROUP_FLOAT)
        return decode_texts_float(plan, cursor, &out->id, &out->group, &out->value);
    for (const struct of_op *op = plan->ops, *end = op + plan->op_count; op < end; op++) {
        enum of_decode_result result = run(plan, op, &cursor, out);
        if (__builtin_expect(result != OF_DECODE_OK, 0))
            return result;
    }
    return cursor.at == cursor.end ? OF_DECODE_OK : OF_DECODE_TRAILING_BYTES;
}

const char *
of_decode_result_text(enum of_decode_result result)
{
    static const char *const texts[OF_DECODE_RESULT_COUNT] = {
        [OF_DECODE_OK] = "the value is well formed",
        [OF_DECODE_TRUNCATED] = "the value ends before its last field does",
        [OF_DECODE_OVERLONG_VARINT] = "a number has more bytes than its type allows",
        [OF_DECODE_INT_RANGE] = "an int does not fit in 32 bits",
        [OF_DECODE_NEGATIVE_LENGTH] = "a string or bytes field has a negative length",
        [OF_DECODE_FIELD_TOO_LARGE] = "a string or bytes field is longer than max-field-bytes",
        [OF_DECODE_BAD_BOOLEAN] = "a boolean is neither 0 nor 1",
        [OF_DECODE_BAD_ENUM] = "an enum has an index that its schema does not have",
        [OF_DECODE_INEXACT_VALUE] = "the value field is a long that a double cannot hold exactly",
        [OF_DECODE_TRAILING_BYTES] = "bytes follow the last field",
    };
    return (unsigned)result < OF_DECODE_RESULT_COUNT ? texts[result] : "unknown result";
}
