#include "order/limbs.h"

#include "order/exact_sum.h"

#include <math.h>
#include <string.h>

enum {
    DOUBLE_BITS = 53,
    LOWEST_DOUBLE_BIT = OF_LIMBS_POINT_BIT - 1074,
    NINE_DIGITS = 1000000000,
};

/* Number of limbs up to the highest that is not zero. */
static unsigned
used(const uint32_t *limb, unsigned count)
{
    while (count > 0 && limb[count - 1] == 0)
        count--;
    return count;
}

bool
of_limbs_is_zero(const struct of_limbs *number)
{
    return used(number->limb, OF_LIMBS) == 0;
}

unsigned
of_limbs_bit_length(const struct of_limbs *number)
{
    unsigned count = used(number->limb, OF_LIMBS);
    return count == 0 ? 0 : count * 32 - (unsigned)__builtin_clz(number->limb[count - 1]);
}

bool
of_limbs_divide(struct of_limbs *number, uint64_t divisor)
{
    unsigned at = used(number->limb, OF_LIMBS);
    uint64_t remainder = 0;
    /* Once three limbs of the quotient are known, 65 bits or more, all that matters is whether anything follows. */
    for (unsigned known = 0; at > 0 && known < 3; at--) {
        of_uint128 part = (of_uint128)remainder << 32 | number->limb[at - 1];
        number->limb[at - 1] = (uint32_t)(part / divisor);
        remainder = (uint64_t)(part % divisor);
        if (known > 0 || number->limb[at - 1] != 0)
            known++;
    }
    bool more = remainder != 0 || used(number->limb, at) > 0;
    memset(number->limb, 0, at * sizeof *number->limb);
    return more;
}

static bool
bit_at(const struct of_limbs *number, unsigned position)
{
    return number->limb[position / 32] >> position % 32 & 1;
}

static bool
any_bit_below(const struct of_limbs *number, unsigned position)
{
    uint32_t mask = (UINT32_C(1) << position % 32) - 1;
    return (number->limb[position / 32] & mask) != 0 || used(number->limb, position / 32) > 0;
}

/* The bits from `position` up, of which there are at most 64. */
static uint64_t
bits_from(const struct of_limbs *number, unsigned position)
{
    of_uint128 bits = 0;
    for (unsigned i = 0; i < 3 && position / 32 + i < OF_LIMBS; i++)
        bits |= (of_uint128)number->limb[position / 32 + i] << 32 * i;
    return (uint64_t)(bits >> position % 32);
}

double
of_limbs_round(const struct of_limbs *number, bool more)
{
    unsigned length = of_limbs_bit_length(number);
    unsigned lowest = LOWEST_DOUBLE_BIT; /* the lowest bit that the result can have */
    if (length > lowest + DOUBLE_BITS)
        lowest = length - DOUBLE_BITS;
    uint64_t kept = bits_from(number, lowest);
    bool half = bit_at(number, lowest - 1);
    bool above_half = more || any_bit_below(number, lowest - 1);
    if (half && (above_half || (kept & 1)))
        kept++;
    double magnitude = ldexp((double)kept, (int)lowest - OF_LIMBS_POINT_BIT);
    return number->negative ? -magnitude : magnitude;
}

/* Divides in place, returns the remainder. */
static uint32_t
divide_small(uint32_t *limb, unsigned count, uint32_t divisor)
{
    uint64_t remainder = 0;
    for (unsigned i = count; i-- > 0;) {
        uint64_t part = remainder << 32 | limb[i];
        limb[i] = (uint32_t)(part / divisor);
        remainder = part % divisor;
    }
    return (uint32_t)remainder;
}

/* Multiplies in place, returns what overflows. */
static uint32_t
multiply_small(uint32_t *limb, unsigned count, uint32_t factor)
{
    uint64_t carry = 0;
    for (unsigned i = 0; i < count; i++) {
        carry += (uint64_t)limb[i] * factor;
        limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return (uint32_t)carry;
}

static void
put_digits(char *text, unsigned count, uint32_t value)
{
    while (count-- > 0) {
        text[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Sign and digits before the point. Clears the integer limbs. Returns the length. */
static size_t
put_integer(uint32_t *integer, bool negative, char *text)
{
    char digits[OF_LIMBS_INTEGER * 10 + 9];
    size_t at = sizeof digits;
    unsigned count = used(integer, OF_LIMBS_INTEGER);
    do {
        at -= 9;
        put_digits(digits + at, 9, divide_small(integer, count, NINE_DIGITS));
        count = used(integer, count);
    } while (count > 0);
    while (at < sizeof digits - 1 && digits[at] == '0')
        at++;
    size_t length = 0;
    if (negative)
        text[length++] = '-';
    memcpy(text + length, digits + at, sizeof digits - at);
    return length + sizeof digits - at;
}

size_t
of_limbs_decimal(const struct of_limbs *number, char text[OF_LIMBS_TEXT_BYTES])
{
    struct of_limbs rest = *number;
    size_t length = put_integer(rest.limb + OF_LIMBS_FRACTION, number->negative, text);
    if (used(rest.limb, OF_LIMBS_FRACTION) > 0) {
        text[length++] = '.';
        /* Each step makes at least nine more of the low bits zero, hence at most 121 steps. */
        while (used(rest.limb, OF_LIMBS_FRACTION) > 0) {
            put_digits(text + length, 9, multiply_small(rest.limb, OF_LIMBS_FRACTION, NINE_DIGITS));
            length += 9;
        }
        while (text[length - 1] == '0')
            length--;
    }
    text[length] = '\0';
    return length;
}

size_t
of_limbs_money(const struct of_limbs *number, char text[OF_LIMBS_TEXT_BYTES])
{
    struct of_limbs rest = *number;
    uint32_t *integer = rest.limb + OF_LIMBS_FRACTION;
    uint32_t cents = multiply_small(rest.limb, OF_LIMBS_FRACTION, 100);
    bool half = bit_at(&rest, OF_LIMBS_POINT_BIT - 1);
    bool above_half = any_bit_below(&rest, OF_LIMBS_POINT_BIT - 1);
    if (half && (above_half || (cents & 1)))
        cents++;
    if (cents == 100) {
        cents = 0;
        for (unsigned i = 0; i < OF_LIMBS_INTEGER && ++integer[i] == 0; i++)
            continue;
    }
    bool zero = cents == 0 && used(integer, OF_LIMBS_INTEGER) == 0;
    size_t length = put_integer(integer, number->negative && !zero, text);
    text[length++] = '.';
    put_digits(text + length, 2, cents);
    text[length + 2] = '\0';
    return length + 2;
}
