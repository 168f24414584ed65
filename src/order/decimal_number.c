#include "order/decimal_number.h"

#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/value.h"

/* Magnitude of a text into digits. */
static void
parse(const char *text, uint8_t digit[OF_DECIMAL_DIGITS])
{
    memset(digit, 0, OF_DECIMAL_DIGITS);
    size_t whole = strcspn(text, ".");
    OF_ASSERT(whole <= OF_DECIMAL_WHOLE);
    for (size_t i = 0; i < whole; i++)
        digit[OF_DECIMAL_WHOLE - whole + i] = (uint8_t)(text[i] - '0');
    text += whole + (text[whole] == '.');
    for (size_t i = 0; text[i] != '\0'; i++) {
        OF_ASSERT(i < OF_DECIMAL_FRACTION);
        digit[OF_DECIMAL_WHOLE + i] = (uint8_t)(text[i] - '0');
    }
}

static void
add_digits(uint8_t *sum, const uint8_t *other)
{
    unsigned carry = 0;
    for (size_t i = OF_DECIMAL_DIGITS; i-- > 0;) {
        unsigned digit = sum[i] + other[i] + carry;
        carry = digit >= 10;
        sum[i] = (uint8_t)(digit - 10 * carry);
    }
    OF_ASSERT(carry == 0);
}

/* larger - smaller, into result, which may be either. */
static void
subtract_digits(uint8_t *result, const uint8_t *larger, const uint8_t *smaller)
{
    unsigned borrow = 0;
    for (size_t i = OF_DECIMAL_DIGITS; i-- > 0;) {
        unsigned digit = larger[i] + 10U - smaller[i] - borrow;
        borrow = digit < 10;
        result[i] = (uint8_t)(borrow ? digit : digit - 10);
    }
}

static bool
is_zero(const struct of_decimal_number *number)
{
    for (size_t i = 0; i < OF_DECIMAL_DIGITS; i++)
        if (number->digit[i] != 0)
            return false;
    return true;
}

void
of_decimal_number_add(struct of_decimal_number *number, const char *text)
{
    uint8_t other[OF_DECIMAL_DIGITS];
    bool negative = *text == '-';
    parse(text + negative, other);
    if (negative == number->negative)
        add_digits(number->digit, other);
    else if (memcmp(number->digit, other, sizeof other) >= 0)
        subtract_digits(number->digit, number->digit, other);
    else {
        subtract_digits(number->digit, other, number->digit);
        number->negative = negative;
    }
    if (is_zero(number))
        number->negative = false;
}

/* Sign, whole part and so many decimals. */
static size_t
put(const struct of_decimal_number *number, size_t decimals, char *text)
{
    size_t first = 0, length = 0;
    while (first < OF_DECIMAL_WHOLE - 1 && number->digit[first] == 0)
        first++;
    if (number->negative)
        text[length++] = '-';
    for (size_t i = first; i < OF_DECIMAL_WHOLE + decimals; i++) {
        if (i == OF_DECIMAL_WHOLE)
            text[length++] = '.';
        text[length++] = (char)('0' + number->digit[i]);
    }
    text[length] = '\0';
    return length;
}

size_t
of_decimal_number_text(const struct of_decimal_number *number, char text[OF_DECIMAL_TEXT_BYTES])
{
    size_t decimals = OF_DECIMAL_FRACTION;
    while (decimals > 0 && number->digit[OF_DECIMAL_WHOLE + decimals - 1] == 0)
        decimals--;
    return put(number, decimals, text);
}

size_t
of_decimal_number_money(const struct of_decimal_number *number, char text[OF_DECIMAL_TEXT_BYTES])
{
    enum { KEPT = OF_DECIMAL_WHOLE + 2 };
    struct of_decimal_number rounded = *number;
    bool above_half = number->digit[KEPT] > 5;
    for (size_t i = KEPT + 1; i < OF_DECIMAL_DIGITS; i++)
        above_half = above_half || (number->digit[KEPT] == 5 && number->digit[i] != 0);
    bool half = number->digit[KEPT] == 5;
    memset(rounded.digit + KEPT, 0, OF_DECIMAL_DIGITS - KEPT);
    if (above_half || (half && number->digit[KEPT - 1] % 2 != 0))
        for (size_t i = KEPT; i-- > 0 && ++rounded.digit[i] == 10;)
            rounded.digit[i] = 0;
    rounded.negative = number->negative && !is_zero(&rounded);
    return put(&rounded, 2, text);
}

/* strtod rounds correctly whatever the length, and one digit more than are there tells it that something follows. */
double
of_decimal_number_divide(const struct of_decimal_number *number, uint64_t count)
{
    struct of_decimal_number quotient = { .negative = number->negative };
    of_uint128 rest = 0;
    size_t last = OF_DECIMAL_DIGITS; /* digit of the dividend that is not zero, + 1 */
    while (last > 0 && number->digit[last - 1] == 0)
        last--;
    for (size_t i = 0; i < OF_DECIMAL_DIGITS && (i < last || rest != 0); i++) {
        rest = rest * 10 + number->digit[i];
        quotient.digit[i] = (uint8_t)(rest / count);
        rest %= count;
    }
    char text[OF_DECIMAL_TEXT_BYTES];
    if (rest == 0)
        of_decimal_number_text(&quotient, text);
    else
        strcpy(text + put(&quotient, OF_DECIMAL_FRACTION, text), "1");
    return strtod(text, NULL);
}
