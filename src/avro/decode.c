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

static inline struct long_read
zigzag(uint64_t bits, const uint8_t *at)
{
    return (struct long_read) { (int64_t)(bits >> 1 ^ (0 - (bits & 1))), at };
}

/* The seven bits of each of `count` bytes, 1 to 8, moved together in three steps: two, four, eight at a time. */
static inline uint64_t
join_sevens(uint64_t word, unsigned count)
{
    word &= UINT64_C(0x7f7f7f7f7f7f7f7f) >> (64 - 8 * count);
    word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
    word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (word & UINT64_C(0x0fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* A zigzag number of up to ten bytes of seven bits; the tenth has room for one bit. */
static __attribute__((noinline)) struct long_read
take_long_slowly(const uint8_t *at, const uint8_t *end)
{
    uint64_t bits = 0, word;
    if (end - at >= (ptrdiff_t)sizeof word) {
        memcpy(&word, at, sizeof word);
        word = le64toh(word);
        uint64_t last = ~word & UINT64_C(0x8080808080808080); /* bytes that nothing follows */
        if (last != 0) {
            unsigned count = ((unsigned)__builtin_ctzll(last) + 1) / 8;
            return zigzag(join_sevens(word, count), at + count);
        }
    }
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (at == end)
            return (struct long_read) { OF_DECODE_TRUNCATED, NULL };
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            return (struct long_read) { OF_DECODE_OVERLONG_VARINT, NULL };
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return zigzag(bits, at);
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

/* Passes over a number of up to that many bytes, of which eight at most are looked at; false, and nothing happened,
 * where it is longer or near the end, and must be taken. */
static inline bool
skip_number(struct cursor *cursor, uint64_t bytes)
{
    uint64_t word;
    if (left(cursor) < sizeof word)
        return false;
    memcpy(&word, cursor->at, sizeof word);
    uint64_t last = ~le64toh(word) & (UINT64_C(0x8080808080808080) >> (64 - 8 * bytes));
    if (last == 0)
        return false;
    cursor->at += ((unsigned)__builtin_ctzll(last) + 1) / 8;
    return true;
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
skip(struct cursor *cursor, uint64_t bytes)
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

/* ---- arrays and maps ---- */

/* Items without bytes can be as many as the count says: no work is done for them, but a count beyond all reason is not
 * believed. */
enum { EMPTY_ITEMS_MAX = 65536 };

/* How many items follow, and in how many bytes; -1 where that is not said. */
static inline __attribute__((always_inline)) enum of_decode_result
take_block(struct cursor *cursor, uint32_t item_bytes, int64_t *count, int64_t *bytes)
{
    enum of_decode_result result = take_long(cursor, count);
    *bytes = -1;
    if (result == OF_DECODE_OK && *count < 0) {
        if (*count == INT64_MIN)
            return OF_DECODE_BAD_COUNT;
        *count = -*count;
        result = take_long(cursor, bytes);
        if (result == OF_DECODE_OK && (uint64_t)*bytes > left(cursor))
            return *bytes < 0 ? OF_DECODE_NEGATIVE_LENGTH : OF_DECODE_TRUNCATED;
    }
    if (result != OF_DECODE_OK)
        return result;
    uint64_t most = item_bytes > 0 ? left(cursor) / item_bytes : EMPTY_ITEMS_MAX;
    return (uint64_t)*count <= most ? OF_DECODE_OK : OF_DECODE_BAD_COUNT;
}

/* All blocks of an array whose items have a known number of bytes. */
static inline __attribute__((always_inline)) enum of_decode_result
skip_items(struct cursor *cursor, uint32_t item_bytes)
{
    int64_t count, bytes;
    do {
        enum of_decode_result result = take_block(cursor, item_bytes, &count, &bytes);
        if (result == OF_DECODE_OK)
            result = skip(cursor, bytes >= 0 ? (uint64_t)bytes : (uint64_t)count * item_bytes);
        if (result != OF_DECODE_OK)
            return result;
    } while (count > 0);
    return OF_DECODE_OK;
}

/* All blocks of an array of strings or bytes. */
static inline __attribute__((always_inline)) enum of_decode_result
skip_texts(struct cursor *cursor, size_t max_bytes)
{
    int64_t count, bytes;
    struct of_slice text;
    do {
        enum of_decode_result result = take_block(cursor, 1, &count, &bytes);
        if (result == OF_DECODE_OK && bytes >= 0)
            result = skip(cursor, (uint64_t)bytes);
        for (int64_t i = 0; result == OF_DECODE_OK && bytes < 0 && i < count; i++)
            result = take_bytes(cursor, max_bytes, &text);
        if (result != OF_DECODE_OK)
            return result;
    } while (count > 0);
    return OF_DECODE_OK;
}

/* A string or bytes that may be absent. */
static inline __attribute__((always_inline)) enum of_decode_result
skip_option(const struct of_op *op, struct cursor *cursor, size_t max_bytes)
{
    int64_t index;
    struct of_slice text;
    enum of_decode_result result = take_long(cursor, &index);
    if (result != OF_DECODE_OK || index == op->count)
        return result;
    return index == 1 - (int64_t)op->count ? take_bytes(cursor, max_bytes, &text) : OF_DECODE_BAD_BRANCH;
}

/* The next block whose items must be looked at; *count 0: there is none any more. */
static inline __attribute__((always_inline)) enum of_decode_result
next_block(struct cursor *cursor, const struct of_op *op, int64_t *count)
{
    for (;;) {
        int64_t bytes;
        enum of_decode_result result = take_block(cursor, op->count, count, &bytes);
        if (result != OF_DECODE_OK || *count == 0 || bytes < 0 || op->as == 0)
            return result;
        cursor->at += bytes;
    }
}

/* ---- what was wanted ---- */

static struct of_slice
decimal_text(int64_t number, char text[OF_DECODED_SCRATCH_BYTES])
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

static inline void
give_value(double value, struct of_decoded *out)
{
    out->value = value;
    out->kind = OF_VALUE_BINARY;
    out->scale = 0;
}

static inline void
give_scaled(of_int128 scaled, uint8_t scale, struct of_decoded *out)
{
    out->scaled = scaled;
    out->kind = OF_VALUE_SCALED;
    out->scale = scale;
}

static inline void
give_bytes(unsigned roles, struct of_slice bytes, struct of_decoded *out)
{
    if (roles & OF_ROLE_GROUP)
        out->group = bytes;
    if (roles & OF_ROLE_ID)
        out->id = bytes;
}

static void
give_number(const struct of_op *op, int64_t number, struct of_decoded *out)
{
    if (op->roles & OF_ROLE_GROUP)
        out->group = decimal_text(number, out->scratch[0]);
    if (op->roles & OF_ROLE_ID)
        out->id = decimal_text(number, out->scratch[1]);
    if ((op->roles & OF_ROLE_VALUE) == 0)
        return;
    if (op->as == OF_AS_SCALED)
        give_scaled(number, 0, out);
    else
        give_value(op->as == OF_AS_FLOAT ? (double)(float)number : (double)number, out);
}

bool
of_decode_decimal(struct of_slice bytes, of_int128 *out)
{
    if (bytes.length == 0)
        return false;
    bool negative = bytes.data[0] >= 0x80;
    size_t at = 0;
    while (bytes.length - at > sizeof *out && bytes.data[at] == (negative ? 0xff : 0))
        at++;
    if (bytes.length - at > sizeof *out || (bytes.data[at] >= 0x80) != negative)
        return false;
    of_uint128 number = negative ? ~(of_uint128)0 : 0;
    for (; at < bytes.length; at++)
        number = number << 8 | bytes.data[at];
    *out = (of_int128)number;
    return number != (of_uint128)1 << 127; /* its magnitude would not fit */
}

static enum of_decode_result
give_decimal(const struct of_op *op, struct of_slice bytes, struct of_decoded *out)
{
    of_int128 scaled;
    if (!of_decode_decimal(bytes, &scaled))
        return OF_DECODE_BAD_DECIMAL;
    give_scaled(scaled, op->scale, out);
    give_bytes(op->roles, bytes, out);
    return OF_DECODE_OK;
}

void
of_decode_uuid(const uint8_t bytes[16], char text[OF_DECODED_SCRATCH_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
}

static void
give_uuid(unsigned roles, const uint8_t *bytes, struct of_decoded *out)
{
    for (unsigned i = 0; i < 2; i++)
        if (roles & (i == 0 ? OF_ROLE_GROUP : OF_ROLE_ID)) {
            of_decode_uuid(bytes, out->scratch[i]);
            give_bytes(i == 0 ? OF_ROLE_GROUP : OF_ROLE_ID, of_slice_of(out->scratch[i], 36), out);
        }
}

static void
give_constant(unsigned roles, const struct of_plan_constant *constant, struct of_decoded *out)
{
    give_bytes(roles, constant->bytes, out);
    if ((roles & OF_ROLE_VALUE) && constant->kind == OF_VALUE_SCALED)
        give_scaled(constant->scaled, constant->scale, out);
    else if (roles & OF_ROLE_VALUE)
        give_value(constant->value, out);
}

static inline __attribute__((always_inline)) enum of_decode_result
take_enum(const struct of_plan *plan, const struct of_op *op, struct cursor *cursor, struct of_decoded *out)
{
    int64_t index;
    enum of_decode_result result = take_int(cursor, &index);
    if (result != OF_DECODE_OK)
        return result;
    if (index < 0 || index >= (int64_t)op->count)
        return OF_DECODE_BAD_ENUM;
    if (op->to == 0)
        return OF_DECODE_OK;
    const char *symbol = plan->texts[op->to + (size_t)index];
    if (symbol == NULL)
        return OF_DECODE_UNFIT;
    if (op->roles != 0)
        give_bytes(op->roles, of_slice_str(symbol), out);
    return OF_DECODE_OK;
}

static inline enum of_decode_result
take_branch(const struct of_op *op, struct cursor *cursor, int64_t *index)
{
    enum of_decode_result result = take_long(cursor, index);
    if (result == OF_DECODE_OK && (uint64_t)*index >= op->count)
        return OF_DECODE_BAD_BRANCH;
    return result;
}

/* ---- running ---- */

#define TRY(call)                                    \
    do {                                             \
        result = (call);                             \
        if (__builtin_expect(result != OF_DECODE_OK, 0)) \
            goto fail;                               \
    } while (0)

/* One loop over the steps, in which everything that takes the cursor's address is inlined, so that it stays in
 * registers. The stack has, per loop that is under way, how many items are left, and per call the step that follows
 * it; what was put there is taken away by the same step's counterpart, as the steps are properly nested. */
static inline __attribute__((always_inline)) enum of_decode_result
run(const struct of_plan *plan, struct of_slice body, struct of_decoded *out, struct of_decode_fault *fault)
{
    struct cursor cursor = { body.data, body.data + body.length };
    const struct of_op *op = plan->ops;
    enum of_decode_result result;
    struct of_slice bytes;
    int64_t number;
    double value;
    uint64_t stack[OF_PLAN_DEPTH];
    unsigned depth = 0;
    const uint8_t *began = cursor.at; /* where the step, or the branch that leads to it, begins; only for a fault */
    for (;;) {
        if (fault != NULL && op->kind != OF_OP_NULL_FIELD && op->kind != OF_OP_UNFIT)
            began = cursor.at;
        switch ((enum of_op_kind)op->kind) {
        case OF_OP_BYTES:
            TRY(take_bytes(&cursor, plan->max_field_bytes, &bytes));
            if (op->roles != 0)
                give_bytes(op->roles, bytes, out);
            break;
        case OF_OP_FLOAT:
            TRY(take_float(&cursor, &value));
            give_value(value, out);
            break;
        case OF_OP_DOUBLE:
            TRY(take_double(&cursor, &value));
            give_value(value, out);
            break;
        case OF_OP_INT:
            if (op->roles == 0 && skip_number(&cursor, 4)) /* four bytes of seven bits are in range for certain */
                break;
            TRY(take_int(&cursor, &number));
            if (op->roles != 0)
                give_number(op, number, out);
            break;
        case OF_OP_LONG:
            if (op->roles == 0 && skip_number(&cursor, 8))
                break;
            TRY(take_long(&cursor, &number));
            if (op->roles != 0)
                give_number(op, number, out);
            break;
        case OF_OP_SKIP: TRY(skip(&cursor, op->count)); break;
        case OF_OP_BOOLEAN: TRY(skip_boolean(&cursor)); break;
        case OF_OP_ENUM: TRY(take_enum(plan, op, &cursor, out)); break;
        case OF_OP_DECIMAL:
            TRY(take_bytes(&cursor, plan->max_field_bytes, &bytes));
            TRY(give_decimal(op, bytes, out));
            break;
        case OF_OP_FIXED_DECIMAL:
            TRY(skip(&cursor, op->count));
            TRY(give_decimal(op, of_slice_of(cursor.at - op->count, op->count), out));
            break;
        case OF_OP_UUID:
            TRY(skip(&cursor, op->count));
            give_uuid(op->roles, cursor.at - op->count, out);
            break;
        case OF_OP_CONSTANT: give_constant(op->roles, &plan->constants[op->to], out); break;
        case OF_OP_UNION:
            TRY(take_branch(op, &cursor, &number));
            op = plan->ops + plan->targets[op->to + (uint64_t)number];
            continue;
        case OF_OP_JUMP: op = plan->ops + op->to; continue;
        case OF_OP_CALL:
            if (depth == OF_PLAN_DEPTH)
                TRY(OF_DECODE_TOO_DEEP);
            stack[depth++] = (uint64_t)(op + 1 - plan->ops);
            op = plan->ops + op->to;
            continue;
        case OF_OP_RETURN: op = plan->ops + stack[--depth]; continue;
        case OF_OP_ITEMS: TRY(skip_items(&cursor, op->count)); break;
        case OF_OP_TEXTS: TRY(skip_texts(&cursor, plan->max_field_bytes)); break;
        case OF_OP_OPTION: TRY(skip_option(op, &cursor, plan->max_field_bytes)); break;
        case OF_OP_LOOP:
            if (depth == OF_PLAN_DEPTH)
                TRY(OF_DECODE_TOO_DEEP);
            stack[depth++] = 0;
            break;
        case OF_OP_BLOCK:
            TRY(next_block(&cursor, op, &number));
            stack[depth - 1] = (uint64_t)number;
            if (number > 0)
                break;
            depth--;
            op = plan->ops + op->to;
            continue;
        case OF_OP_NEXT:
            op = plan->ops + op->to + (--stack[depth - 1] > 0);
            continue;
        case OF_OP_NULL_FIELD: TRY(OF_DECODE_NULL_FIELD); break;
        case OF_OP_UNFIT: TRY(OF_DECODE_UNFIT); break;
        case OF_OP_END:
            if (cursor.at == cursor.end)
                return OF_DECODE_OK;
            TRY(OF_DECODE_TRAILING_BYTES);
            break;
        default: __builtin_unreachable(); /* no plan has another kind, and no step need be looked at for that */
        }
        op++;
    }
fail:
    if (fault != NULL)
        *fault = (struct of_decode_fault) { op, (size_t)(began - body.data) };
    return result;
}

static __attribute__((noinline)) enum of_decode_result
run_steps(const struct of_plan *plan, struct of_slice body, struct of_decoded *out)
{
    return run(plan, body, out, NULL);
}

enum of_decode_result
of_plan_decode_steps(const struct of_plan *plan, struct of_slice body, struct of_decoded *out,
                     struct of_decode_fault *fault)
{
    return run(plan, body, out, fault);
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
    if (plan->shape == OF_SHAPE_ANY)
        return run_steps(plan, body, out);
    out->kind = OF_VALUE_BINARY;
    out->scale = 0;
    return decode_texts_float(plan, (struct cursor) { body.data, body.data + body.length }, &out->id, &out->group,
                              &out->value);
}
