/* A binary fixed-point number large enough for every sum of doubles: what an exact sum is turned into to be read.
 *
 * 1088 bits before the point would hold 2^63 times the largest double; 64 more make sums of such sums safe. 1088 bits
 * after the point hold the smallest double (2^-1074) and leave 14 spare bits for rounding quotients. Both are whole
 * numbers of 32-bit limbs, limb[0] the lowest.
 * Owner: the caller's stack (284 bytes). Threads: one at a time. Internal to src/order. */
#ifndef OF_ORDER_LIMBS_H
#define OF_ORDER_LIMBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OF_LIMBS_FRACTION = 34,
    OF_LIMBS_INTEGER = 36,
    OF_LIMBS = OF_LIMBS_FRACTION + OF_LIMBS_INTEGER,
    OF_LIMBS_POINT_BIT = OF_LIMBS_FRACTION * 32, /* number of the bit that is worth 1 */
    OF_LIMBS_TEXT_BYTES = 1440,                  /* sign, 347 digits, point, 1088 digits, NUL */
};

struct of_limbs {
    uint32_t limb[OF_LIMBS]; /* magnitude */
    bool negative;           /* false for zero */
};

bool of_limbs_is_zero(const struct of_limbs *number);

/* Bits up to the highest one that is set; 0 for zero. */
unsigned of_limbs_bit_length(const struct of_limbs *number);

/* Divides the magnitude, towards zero, but may stop early: enough of the quotient's leading bits are right for
 * of_limbs_round, and the rest are zero. Returns whether something was cut off. */
bool of_limbs_divide(struct of_limbs *number, uint64_t divisor);

/* The nearest double, ties to even. more: the true magnitude is larger, by less than the lowest bit set or kept. */
double of_limbs_round(const struct of_limbs *number, bool more);

/* The exact value in plain decimal notation. Returns the length. */
size_t of_limbs_decimal(const struct of_limbs *number, char text[OF_LIMBS_TEXT_BYTES]);

/* The value rounded to two decimals, ties to even. Returns the length. */
size_t of_limbs_money(const struct of_limbs *number, char text[OF_LIMBS_TEXT_BYTES]);

#endif
