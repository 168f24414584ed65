#include "order/exact_sum.h"

#include "core/assert.h"
#include "core/big_endian.h"
#include "core/memory.h"
#include "order/decimal_number.h"
#include "order/limbs.h"

#include <math.h>
#include <stdlib.h>

/* The places of struct of_limbs, each in 64 bits and signed: additions go into the places that they concern and carry
 * nothing, until so many have been made that a place could overflow. In the settled state every place but the highest
 * is in 0 .. 2^32 - 1; the highest has the sign of the whole. */
struct of_wide_sum {
    int64_t place[OF_LIMBS];
    uint32_t unsettled; /* additions since it was settled, each less than 2^32 in every place */
};

enum {
    WINDOW_BIT = OF_LIMBS_POINT_BIT + OF_EXACT_SUM_UNIT_EXPONENT, /* where the window's lowest bit lies */
    UNSETTLED_MAX = 1 << 30,
    CANONICAL_HEAD_BYTES = 3,
    POINT_BYTE = OF_LIMBS_POINT_BIT / 8,
    READ_BITS_MAX = OF_LIMBS_POINT_BIT + 1087, /* 2^63 times the largest double lies below */
    LOWEST_DOUBLE_BIT = OF_LIMBS_POINT_BIT - 1074,
};

_Static_assert((int)OF_DECIMAL_TEXT_BYTES >= (int)OF_LIMBS_TEXT_BYTES, "a text of either fits");

static void
settle(struct of_wide_sum *wide)
{
    int64_t carry = 0;
    for (unsigned i = 0; i < OF_LIMBS - 1; i++) {
        int64_t place = wide->place[i] + carry;
        wide->place[i] = place & UINT32_MAX;
        carry = place >> 32; /* rounds down: a negative place borrows from the next */
    }
    wide->place[OF_LIMBS - 1] += carry;
    wide->unsettled = 0;
}

static void
count_addition(struct of_wide_sum *wide)
{
    if (++wide->unsettled >= UNSETTLED_MAX)
        settle(wide);
}

/* Adds magnitude * 2^bit, in the numbering of struct of_limbs. */
static void
wide_add_bits(struct of_wide_sum *wide, unsigned bit, uint64_t magnitude, bool negative)
{
    of_uint128 shifted = (of_uint128)magnitude << bit % 32;
    for (unsigned i = bit / 32; shifted != 0; i++, shifted >>= 32) {
        int64_t part = (int64_t)(uint32_t)shifted;
        wide->place[i] += negative ? -part : part;
    }
    count_addition(wide);
}

static void
wide_add_double(struct of_wide_sum *wide, double value)
{
    int exponent;
    double fraction = frexp(fabs(value), &exponent); /* exact, for subnormals too */
    uint64_t mantissa = (uint64_t)ldexp(fraction, 53);
    int bit = OF_LIMBS_POINT_BIT + exponent - 53;
    if (bit < 0) { /* a subnormal: its low bits are zeros that frexp has shifted in */
        mantissa >>= -bit;
        bit = 0;
    }
    wide_add_bits(wide, (unsigned)bit, mantissa, value < 0);
}

static void
wide_add_window(struct of_wide_sum *wide, const struct of_exact_sum *sum)
{
    bool negative = sum->high < 0;
    wide_add_bits(wide, WINDOW_BIT, sum->low, false);
    wide_add_bits(wide, WINDOW_BIT + 64, negative ? -(uint64_t)sum->high : (uint64_t)sum->high, negative);
}

static struct of_wide_sum *
widen(struct of_exact_sum *sum)
{
    if (sum->wide == NULL)
        sum->wide = of_alloc(sizeof *sum->wide);
    return sum->wide;
}

static void
add_units(struct of_exact_sum *sum, of_int128 units)
{
    if (of_exact_sum_add_units(sum, units))
        return;
    wide_add_window(widen(sum), sum);
    sum->low = (uint64_t)units;
    sum->high = (int64_t)(units >> 64);
}

void
of_exact_sum_add_slow(struct of_exact_sum *sum, double value)
{
    OF_ASSERT(isfinite(value));
    double units = ldexp(value, -OF_EXACT_SUM_UNIT_EXPONENT); /* exact, or an infinity */
    if (fabs(units) < 0x1p126 && (double)(of_int128)units == units)
        add_units(sum, (of_int128)units);
    else
        wide_add_double(widen(sum), value);
}

void
of_exact_sum_fini(struct of_exact_sum *sum)
{
    free(sum->wide);
    of_decimal_sums_free(&sum->decimals);
    of_exact_sum_init(sum);
}

/* Adds the places, or takes them away. */
static void
combine_wide(struct of_exact_sum *dst, const struct of_wide_sum *src, bool subtract)
{
    struct of_wide_sum settled = *src;
    settle(&settled);
    struct of_wide_sum *wide = widen(dst);
    for (unsigned i = 0; i < OF_LIMBS; i++)
        wide->place[i] += subtract ? -settled.place[i] : settled.place[i];
    count_addition(wide);
}

static of_int128
window_of(const struct of_exact_sum *sum)
{
    return (of_int128)((of_uint128)(uint64_t)sum->high << 64 | sum->low);
}

void
of_exact_sum_merge(struct of_exact_sum *dst, const struct of_exact_sum *src)
{
    OF_ASSERT(dst != src);
    add_units(dst, window_of(src));
    if (src->wide != NULL)
        combine_wide(dst, src->wide, false);
    if (src->decimals != NULL)
        of_decimal_sums_merge(&dst->decimals, src->decimals, false);
}

void
of_exact_sum_subtract(struct of_exact_sum *dst, const struct of_exact_sum *src)
{
    OF_ASSERT(dst != src);
    of_int128 window = window_of(src);
    /* The least number has no counterpart: it goes in two halves. */
    of_int128 half = window / 2;
    add_units(dst, -half);
    add_units(dst, -(window - half));
    if (src->wide != NULL)
        combine_wide(dst, src->wide, true);
    if (src->decimals != NULL)
        of_decimal_sums_merge(&dst->decimals, src->decimals, true);
}

void
of_exact_sum_copy(struct of_exact_sum *dst, const struct of_exact_sum *src)
{
    if (dst == src)
        return;
    if (src->wide == NULL) {
        free(dst->wide);
        dst->wide = NULL;
    } else {
        *widen(dst) = *src->wide;
    }
    if (src->decimals != NULL || dst->decimals != NULL)
        of_decimal_sums_copy(&dst->decimals, src->decimals);
    dst->low = src->low;
    dst->high = src->high;
}

/* The whole value as sign and magnitude. */
static void
take_limbs(const struct of_exact_sum *sum, struct of_limbs *number)
{
    struct of_wide_sum all = { 0 };
    if (sum->wide != NULL)
        all = *sum->wide;
    wide_add_window(&all, sum);
    settle(&all);
    number->negative = all.place[OF_LIMBS - 1] < 0;
    if (number->negative) {
        for (unsigned i = 0; i < OF_LIMBS; i++)
            all.place[i] = -all.place[i];
        settle(&all);
    }
    OF_ASSERT(all.place[OF_LIMBS - 1] <= UINT32_MAX);
    for (unsigned i = 0; i < OF_LIMBS; i++)
        number->limb[i] = (uint32_t)all.place[i];
}

/* Both halves in decimal notation; false where there is no decimal one, and nothing is written. */
static bool
take_decimals(const struct of_exact_sum *sum, struct of_decimal_number *number)
{
    uint32_t at = 0;
    const struct of_decimal_part *part = of_decimal_sums_next(sum->decimals, &at);
    if (part == NULL)
        return false;
    struct of_limbs binary;
    char text[OF_LIMBS_TEXT_BYTES];
    *number = (struct of_decimal_number) { .negative = false };
    take_limbs(sum, &binary);
    if (!of_limbs_is_zero(&binary)) {
        of_limbs_decimal(&binary, text);
        of_decimal_number_add(number, text);
    }
    for (; part != NULL; part = of_decimal_sums_next(sum->decimals, &at)) {
        of_decimal_part_text(part, text);
        of_decimal_number_add(number, text);
    }
    return true;
}

static bool
is_binary_zero(const struct of_exact_sum *sum)
{
    if (sum->wide == NULL)
        return sum->low == 0 && sum->high == 0;
    struct of_limbs number;
    take_limbs(sum, &number);
    return of_limbs_is_zero(&number);
}

bool
of_exact_sum_is_zero(const struct of_exact_sum *sum)
{
    struct of_decimal_number number;
    char text[OF_DECIMAL_TEXT_BYTES];
    if (!take_decimals(sum, &number))
        return is_binary_zero(sum);
    of_decimal_number_text(&number, text);
    return strcmp(text, "0") == 0;
}

double
of_exact_sum_round(const struct of_exact_sum *sum)
{
    struct of_decimal_number decimal;
    if (take_decimals(sum, &decimal))
        return of_decimal_number_divide(&decimal, 1);
    struct of_limbs number;
    take_limbs(sum, &number);
    return of_limbs_round(&number, false);
}

double
of_exact_sum_average(const struct of_exact_sum *sum, uint64_t count)
{
    OF_ASSERT(count > 0);
    struct of_decimal_number decimal;
    if (take_decimals(sum, &decimal))
        return of_decimal_number_divide(&decimal, count);
    struct of_limbs number;
    take_limbs(sum, &number);
    bool more = of_limbs_divide(&number, count);
    return of_limbs_round(&number, more);
}

double
of_exact_sum_estimate(const struct of_exact_sum *sum)
{
    struct of_limbs number;
    take_limbs(sum, &number);
    return of_limbs_round(&number, false) + of_decimal_sums_estimate(sum->decimals);
}

char *
of_exact_sum_decimal(const struct of_exact_sum *sum)
{
    struct of_decimal_number decimal;
    char text[OF_DECIMAL_TEXT_BYTES];
    if (take_decimals(sum, &decimal)) {
        of_decimal_number_text(&decimal, text);
    } else {
        struct of_limbs number;
        take_limbs(sum, &number);
        of_limbs_decimal(&number, text);
    }
    return of_strdup(text);
}

static size_t
whole_money(const struct of_exact_sum *sum, char *text)
{
    struct of_decimal_number decimal;
    if (take_decimals(sum, &decimal))
        return of_decimal_number_money(&decimal, text);
    struct of_limbs number;
    take_limbs(sum, &number);
    return of_limbs_money(&number, text);
}

size_t
of_exact_sum_money(const struct of_exact_sum *sum, char *text, size_t size)
{
    char whole[OF_DECIMAL_TEXT_BYTES];
    size_t length = whole_money(sum, whole);
    if (length >= size) {
        if (size > 0)
            text[0] = '\0';
        return 0;
    }
    memcpy(text, whole, length + 1);
    return length;
}

/* Byte `index` of the magnitude, 0 the lowest. */
static uint8_t
byte_at(const struct of_limbs *number, size_t index)
{
    return (uint8_t)(number->limb[index / 4] >> index % 4 * 8);
}

size_t
of_exact_sum_write(const struct of_exact_sum *sum, uint8_t *bytes, size_t size)
{
    struct of_limbs number;
    take_limbs(sum, &number);
    size_t high = (of_limbs_bit_length(&number) + 7) / 8;
    if (high == 0) {
        if (size == 0)
            return 0;
        bytes[0] = 0;
        return 1;
    }
    size_t low = 0;
    while (byte_at(&number, low) == 0)
        low++;
    size_t length = CANONICAL_HEAD_BYTES + high - low;
    if (length > size)
        return 0;
    uint16_t exponent = (uint16_t)((int)low - POINT_BYTE);
    bytes[0] = number.negative ? 2 : 1;
    of_big_endian_put_u16(bytes + 1, exponent);
    for (size_t i = 0; i < high - low; i++)
        bytes[CANONICAL_HEAD_BYTES + i] = byte_at(&number, high - 1 - i);
    return length;
}

/* The magnitude of a canonical form that is not zero; false if it is none. */
static bool
parse_limbs(struct of_limbs *number, struct of_slice bytes)
{
    *number = (struct of_limbs) { 0 };
    if (bytes.length <= CANONICAL_HEAD_BYTES || bytes.length > OF_EXACT_SUM_BYTES)
        return false;
    int low = POINT_BYTE + (int16_t)of_big_endian_u16(bytes.data + 1);
    int count = (int)bytes.length - CANONICAL_HEAD_BYTES;
    const uint8_t *magnitude = bytes.data + CANONICAL_HEAD_BYTES;
    if (bytes.data[0] < 1 || bytes.data[0] > 2 || low < 0 || low + count > OF_LIMBS * 4)
        return false;
    if (magnitude[0] == 0 || magnitude[count - 1] == 0)
        return false;
    for (int i = 0; i < count; i++) {
        int index = low + count - 1 - i;
        number->limb[index / 4] |= (uint32_t)magnitude[i] << index % 4 * 8;
    }
    number->negative = bytes.data[0] == 2;
    bool below_lowest = (number->limb[0] & ((1U << LOWEST_DOUBLE_BIT) - 1)) != 0;
    return !below_lowest && of_limbs_bit_length(number) <= READ_BITS_MAX;
}

/* The magnitude in units of the window; false if it does not fit. */
static bool
window_units(const struct of_limbs *number, of_int128 *units)
{
    enum { FIRST = WINDOW_BIT / 32, SHIFT = WINDOW_BIT % 32 };
    if (of_limbs_bit_length(number) > WINDOW_BIT + 127)
        return false;
    of_uint128 magnitude = number->limb[FIRST] >> SHIFT;
    for (unsigned i = 1; i <= 4; i++)
        magnitude |= (of_uint128)number->limb[FIRST + i] << (32 * i - SHIFT);
    *units = number->negative ? -(of_int128)magnitude : (of_int128)magnitude;
    uint32_t below = number->limb[FIRST] & ((UINT32_C(1) << SHIFT) - 1);
    for (unsigned i = 0; i < FIRST; i++)
        below |= number->limb[i];
    return below == 0;
}

bool
of_exact_sum_read(struct of_exact_sum *sum, struct of_slice bytes)
{
    struct of_limbs number;
    if (bytes.data != NULL && bytes.length == 1 && bytes.data[0] == 0) {
        of_exact_sum_fini(sum);
        return true;
    }
    if (bytes.data == NULL || !parse_limbs(&number, bytes))
        return false;
    of_exact_sum_fini(sum);
    of_int128 units;
    if (window_units(&number, &units)) {
        add_units(sum, units);
        return true;
    }
    struct of_wide_sum *wide = widen(sum);
    for (unsigned i = 0; i < OF_LIMBS; i++)
        wide->place[i] = number.negative ? -(int64_t)number.limb[i] : (int64_t)number.limb[i];
    settle(wide);
    return true;
}
