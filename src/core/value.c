#include "core/value.h"

#include <stdlib.h>
#include <string.h>

#include "core/assert.h"

enum { EXACT_POWERS = 23 }; /* 10^22 is the largest power of ten that is a double */

double
of_scaled_round(of_int128 unscaled, unsigned scale)
{
    static const double powers[EXACT_POWERS] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    of_int128 limit = (of_int128)1 << 53;
    /* Both sides of the division are exact, so that it rounds once. */
    if (scale < EXACT_POWERS && unscaled >= -limit && unscaled <= limit)
        return (double)(int64_t)unscaled / powers[scale];
    char text[OF_SCALED_TEXT_BYTES];
    of_scaled_text(unscaled, scale, text);
    return strtod(text, NULL);
}

size_t
of_scaled_text(of_int128 unscaled, unsigned scale, char text[OF_SCALED_TEXT_BYTES])
{
    OF_ASSERT(scale <= OF_SCALE_MAX);
    char digits[OF_SCALED_TEXT_BYTES];
    size_t at = sizeof digits, length = 0;
    of_uint128 rest = unscaled < 0 ? 0 - (of_uint128)unscaled : (of_uint128)unscaled;
    for (unsigned i = 0; rest != 0 || i <= scale; i++) {
        if (i == scale && scale > 0)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (unscaled < 0)
        text[length++] = '-';
    memcpy(text + length, digits + at, sizeof digits - at);
    length += sizeof digits - at;
    text[length] = '\0';
    return length;
}
