/* A double is mantissa * 2^-shift. Times a power of ten that makes it an integer of n digits and a fraction, it still fits
 * 128 bits where n is at most 17 and the double from 0.0001 up to 10^15: so both the rounding to n digits and whether they
 * read back as the double can be told exactly, without the long arithmetic that printf and strtod need. */
#include "core/number_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/value.h"

enum {
    DIGITS_LEAST = 15, /* these a double always keeps */
    DIGITS_MOST = 17,  /* these always tell it */
    PLACE_LEAST = -4,  /* of the first digit: 0.0001; printf has smaller ones with an exponent */
    PLACE_MOST = 14,
    MANTISSA_BITS = 52,
    UNIT_EXPONENT = 1075, /* of the lowest bit of the mantissa, as the format adds to it */
};

static const double places[PLACE_MOST - PLACE_LEAST + 2] = {
    1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
};

size_t
of_count_text(uint64_t count, char text[OF_COUNT_TEXT_BYTES])
{
    char digits[OF_COUNT_TEXT_BYTES];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + count % 10);
    while ((count /= 10) > 0);
    memcpy(text, digits + at, sizeof digits - at);
    return sizeof digits - 1 - at;
}

static of_uint128
power_of_ten(int exponent)
{
    of_uint128 power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

/* digits / 10^decimals without needless zeros. */
static size_t
put_decimal(uint64_t digits, int decimals, char *text)
{
    char whole[OF_COUNT_TEXT_BYTES];
    while (decimals > 0 && digits % 10 == 0) {
        digits /= 10;
        decimals--;
    }
    int length = (int)of_count_text(digits, whole), point = length - decimals, written = 0;
    if (point <= 0) {
        memcpy(text, "0.0000", 6);
        written = 2 - point;
        point = 0;
    } else {
        memcpy(text, whole, (size_t)point);
        written = point;
        if (decimals > 0)
            text[written++] = '.';
    }
    memcpy(text + written, whole + point, (size_t)(length - point) + 1);
    return (size_t)(written + length - point);
}

/* False: these digits read back as another double, or it is not known whether they do. */
static bool
put_digits(uint64_t mantissa, int shift, int digit_count, int place, char *text, size_t *length)
{
    int decimals = digit_count - 1 - place;
    of_uint128 scale = power_of_ten(decimals);
    of_uint128 exact = mantissa * scale, half = (of_uint128)1 << (shift - 1);
    of_uint128 rest = exact & (2 * half - 1);
    uint64_t digits = (uint64_t)(exact >> shift);
    if (rest > half || (rest == half && digits % 2 == 1))
        digits++;
    of_uint128 read = (of_uint128)digits << shift, off = read > exact ? read - exact : exact - read;
    /* Half a unit of the mantissa is as much as it may be off; below a power of two units are half as large. */
    if (off != 0 && (mantissa == UINT64_C(1) << MANTISSA_BITS || 2 * off >= scale))
        return false;
    *length = put_decimal(digits, decimals, text);
    return true;
}

static size_t
put_slowly(double value, char *text)
{
    for (int digits = DIGITS_LEAST; digits <= DIGITS_MOST; digits++) {
        snprintf(text, OF_DOUBLE_TEXT_BYTES, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return strlen(text);
}

size_t
of_double_text(double value, char text[OF_DOUBLE_TEXT_BYTES])
{
    OF_ASSERT(isfinite(value));
    double size = fabs(value);
    if (size < places[0] || size >= places[PLACE_MOST - PLACE_LEAST + 1])
        return size == 0 && !signbit(value) ? of_count_text(0, text) : put_slowly(value, text);
    size_t sign = value < 0, length;
    text[0] = '-';
    if (size == (double)(uint64_t)size)
        return sign + of_count_text((uint64_t)size, text + sign);
    int place = PLACE_LEAST;
    while (size >= places[place - PLACE_LEAST + 1])
        place++;
    uint64_t bits;
    memcpy(&bits, &size, sizeof bits);
    uint64_t mantissa = (bits & ((UINT64_C(1) << MANTISSA_BITS) - 1)) | UINT64_C(1) << MANTISSA_BITS;
    int shift = UNIT_EXPONENT - (int)(bits >> MANTISSA_BITS);
    for (int digits = DIGITS_LEAST; digits <= DIGITS_MOST; digits++)
        if (put_digits(mantissa, shift, digits, place, text + sign, &length))
            return sign + length;
    return put_slowly(value, text);
}
