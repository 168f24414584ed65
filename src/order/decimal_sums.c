#include "order/decimal_sums.h"

#include <math.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"

enum { LIMBS = 4, FIRST_ROOM = 2 };

static bool
is_negative(const struct of_decimal_part *part)
{
    return part->limb[LIMBS - 1] >> 63;
}

static bool
is_zero(const struct of_decimal_part *part)
{
    return (part->limb[0] | part->limb[1] | part->limb[2] | part->limb[3]) == 0;
}

static void
add_limbs(struct of_decimal_part *part, const uint64_t other[LIMBS])
{
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        of_uint128 sum = (of_uint128)part->limb[i] + other[i] + carry;
        part->limb[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
}

static void
negate(uint64_t limb[LIMBS])
{
    uint64_t carry = 1;
    for (int i = 0; i < LIMBS; i++) {
        limb[i] = ~limb[i] + carry;
        carry = carry && limb[i] == 0;
    }
}

/* The part of that scale, made when missing. */
static struct of_decimal_part *
part_of(struct of_decimal_sums **sums, uint32_t scale)
{
    uint32_t count = *sums != NULL ? (*sums)->count : 0, at = 0;
    while (at < count && (*sums)->parts[at].scale < scale)
        at++;
    if (at < count && (*sums)->parts[at].scale == scale)
        return &(*sums)->parts[at];
    if (*sums == NULL || count == (*sums)->room) {
        uint32_t room = count > 0 ? 2 * count : FIRST_ROOM;
        struct of_decimal_sums *grown = of_alloc(sizeof *grown + room * sizeof *grown->parts);
        if (*sums != NULL)
            memcpy(grown->parts, (*sums)->parts, count * sizeof *grown->parts);
        free(*sums);
        *sums = grown;
        grown->room = room;
        grown->count = count;
    }
    struct of_decimal_part *parts = (*sums)->parts;
    memmove(parts + at + 1, parts + at, (count - at) * sizeof *parts);
    parts[at] = (struct of_decimal_part) { .scale = scale };
    (*sums)->count++;
    return &parts[at];
}

void
of_decimal_sums_add(struct of_decimal_sums **sums, of_int128 unscaled, unsigned scale)
{
    OF_ASSERT(scale <= OF_SCALE_MAX);
    uint64_t sign = unscaled < 0 ? UINT64_MAX : 0;
    const uint64_t limb[LIMBS] = { (uint64_t)unscaled, (uint64_t)((of_uint128)unscaled >> 64), sign, sign };
    add_limbs(part_of(sums, scale), limb);
}

void
of_decimal_sums_merge(struct of_decimal_sums **dst, const struct of_decimal_sums *src, bool subtract)
{
    OF_ASSERT(src == NULL || *dst != src);
    for (uint32_t i = 0; src != NULL && i < src->count; i++) {
        uint64_t limb[LIMBS];
        memcpy(limb, src->parts[i].limb, sizeof limb);
        if (subtract)
            negate(limb);
        add_limbs(part_of(dst, src->parts[i].scale), limb);
    }
}

void
of_decimal_sums_copy(struct of_decimal_sums **dst, const struct of_decimal_sums *src)
{
    if (src == NULL || src->count == 0 || *dst == NULL || (*dst)->room < src->count) {
        of_decimal_sums_free(dst);
        of_decimal_sums_merge(dst, src, false);
        return;
    }
    (*dst)->count = src->count;
    memcpy((*dst)->parts, src->parts, src->count * sizeof *src->parts);
}

void
of_decimal_sums_free(struct of_decimal_sums **sums)
{
    free(*sums);
    *sums = NULL;
}

const struct of_decimal_part *
of_decimal_sums_next(const struct of_decimal_sums *sums, uint32_t *at)
{
    while (sums != NULL && *at < sums->count) {
        const struct of_decimal_part *part = &sums->parts[(*at)++];
        if (!is_zero(part))
            return part;
    }
    return NULL;
}

/* ---- bytes ---- */

static uint8_t
byte_at(const struct of_decimal_part *part, size_t index)
{
    return (uint8_t)(part->limb[index / 8] >> index % 8 * 8);
}

size_t
of_decimal_part_write(const struct of_decimal_part *part, uint8_t bytes[OF_DECIMAL_PART_BYTES])
{
    uint8_t sign = is_negative(part) ? 0xff : 0;
    size_t length = LIMBS * 8;
    while (length > 1 && byte_at(part, length - 1) == sign && (byte_at(part, length - 2) ^ sign) < 0x80)
        length--;
    OF_ASSERT(length <= OF_DECIMAL_PART_BYTES);
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(part, length - 1 - i);
    return length;
}

bool
of_decimal_sums_read(struct of_decimal_sums **sums, int32_t scale, struct of_slice bytes)
{
    if (scale < 0 || scale > OF_SCALE_MAX || bytes.length == 0 || bytes.length > OF_DECIMAL_PART_BYTES)
        return false;
    uint64_t sign = bytes.data[0] >= 0x80 ? UINT64_MAX : 0;
    uint64_t limb[LIMBS] = { sign, sign, sign, sign };
    for (size_t i = 0; i < bytes.length; i++) {
        size_t index = bytes.length - 1 - i;
        limb[index / 8] &= ~(UINT64_C(0xff) << index % 8 * 8);
        limb[index / 8] |= (uint64_t)bytes.data[i] << index % 8 * 8;
    }
    add_limbs(part_of(sums, (uint32_t)scale), limb);
    return true;
}

/* ---- numbers ---- */

/* Divides the magnitude in place, returns the remainder. */
static unsigned
divide_by_ten(uint64_t limb[LIMBS])
{
    of_uint128 rest = 0;
    for (int i = LIMBS; i-- > 0;) {
        rest = rest << 64 | limb[i];
        limb[i] = (uint64_t)(rest / 10);
        rest %= 10;
    }
    return (unsigned)rest;
}

size_t
of_decimal_part_text(const struct of_decimal_part *part, char text[OF_DECIMAL_PART_TEXT_BYTES])
{
    struct of_decimal_part rest = *part;
    if (is_negative(part))
        negate(rest.limb);
    char digits[OF_DECIMAL_PART_TEXT_BYTES];
    size_t at = sizeof digits, length = 0;
    for (uint32_t i = 0; !is_zero(&rest) || i <= part->scale; i++) {
        if (i == part->scale && i > 0)
            digits[--at] = '.';
        digits[--at] = (char)('0' + divide_by_ten(rest.limb));
    }
    if (is_negative(part))
        text[length++] = '-';
    memcpy(text + length, digits + at, sizeof digits - at);
    length += sizeof digits - at;
    text[length] = '\0';
    return length;
}

bool
of_decimal_sums_single(const struct of_decimal_sums *sums, of_int128 *unscaled, uint32_t *scale)
{
    if (sums == NULL || sums->count != 1)
        return false;
    const struct of_decimal_part *part = &sums->parts[0];
    *unscaled = (of_int128)((of_uint128)part->limb[1] << 64 | part->limb[0]);
    *scale = part->scale;
    uint64_t sign = *unscaled < 0 ? UINT64_MAX : 0;
    return part->limb[2] == sign && part->limb[3] == sign;
}

double
of_decimal_sums_estimate(const struct of_decimal_sums *sums)
{
    double estimate = 0;
    uint32_t at = 0;
    for (const struct of_decimal_part *part; (part = of_decimal_sums_next(sums, &at)) != NULL;) {
        struct of_decimal_part magnitude = *part;
        if (is_negative(part))
            negate(magnitude.limb);
        double sum = 0;
        for (int i = LIMBS; i-- > 0;)
            sum = sum * 0x1p64 + (double)magnitude.limb[i];
        sum /= pow(10, part->scale);
        estimate += is_negative(part) ? -sum : sum;
    }
    return estimate;
}
