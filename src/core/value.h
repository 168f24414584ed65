/* Numbers as records have them: binary (a double) or scaled (an integer and how many decimals it has).
 *
 * float, double and int become binary; long and decimal become scaled: 12345 with a scale of 2 is 123.45 exactly, and a
 * long beyond 2^53 keeps its last digit. Which of the two a number is, is known beside it, not in it.
 * Threads: pure functions, any. */
#ifndef OF_CORE_VALUE_H
#define OF_CORE_VALUE_H

#include <stddef.h>
#include <stdint.h>

__extension__ typedef __int128 of_int128;
__extension__ typedef unsigned __int128 of_uint128;

enum of_value_kind { OF_VALUE_BINARY, OF_VALUE_SCALED };

enum {
    OF_SCALE_MAX = 128,       /* decimals at most */
    OF_SCALED_TEXT_BYTES = 176, /* sign, "0.", OF_SCALE_MAX or 39 digits, NUL */
};

/* The nearest double to unscaled / 10^scale, ties to even. 5 ns for money, 1 us beyond 2^53 or 22 decimals. */
double of_scaled_round(of_int128 unscaled, unsigned scale);

/* The exact value in plain decimal notation, with all its decimals: "123.45", "-0.50", "100". Returns the length. */
size_t of_scaled_text(of_int128 unscaled, unsigned scale, char text[OF_SCALED_TEXT_BYTES]);

#endif
