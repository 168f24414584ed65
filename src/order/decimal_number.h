/* A decimal fixed-point number that holds every sum of doubles and decimals, digit by digit: where the binary and the
 * decimal half of an exact sum become one.
 *
 * 1088 decimals write out every sum of doubles, OF_SCALE_MAX every decimal; 1104 are enough, too, to tell on which
 * side of the middle between two doubles a quotient lies, as such a middle has 1075 at most. Owner: the caller's
 * stack (1.6 KB). Threads: one at a time. Internal to src/order. Cost: some us per function. */
#ifndef OF_ORDER_DECIMAL_NUMBER_H
#define OF_ORDER_DECIMAL_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OF_DECIMAL_WHOLE = 360,
    OF_DECIMAL_FRACTION = 1104,
    OF_DECIMAL_DIGITS = OF_DECIMAL_WHOLE + OF_DECIMAL_FRACTION,
    OF_DECIMAL_TEXT_BYTES = OF_DECIMAL_DIGITS + 4, /* sign, point, one more digit, NUL */
};

struct of_decimal_number {
    uint8_t digit[OF_DECIMAL_DIGITS]; /* 0 to 9, the highest first */
    bool negative;                    /* false for zero */
};

/* Adds a number in plain notation: "-12.5". Its text must fit. */
void of_decimal_number_add(struct of_decimal_number *number, const char *text);

/* The exact value in plain notation without trailing zeros. Returns the length. */
size_t of_decimal_number_text(const struct of_decimal_number *number, char text[OF_DECIMAL_TEXT_BYTES]);

/* The value rounded to two decimals, ties to even; what rounds to zero is "0.00". Returns the length. */
size_t of_decimal_number_money(const struct of_decimal_number *number, char text[OF_DECIMAL_TEXT_BYTES]);

/* The double nearest to the exact quotient number / count, ties to even. count is at least 1. */
double of_decimal_number_divide(const struct of_decimal_number *number, uint64_t count);

#endif
