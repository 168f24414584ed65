/* Sums of doubles without rounding: the result depends on which values were added, never on their order.
 *
 * A sum is a window plus, rarely, a wide accumulator. The window is a 128-bit two's complement integer in units of
 * 2^-72: it holds every double from one millionth upwards in full, and totals up to 3.6e16. What does not fit (a tiny
 * or huge value, a full window) goes into a superaccumulator on the heap that covers the whole range of double, after
 * R. M. Neal, "Fast exact summation using small and large superaccumulators", 2015. The sum is always both together.
 * It stays exact for 2^63 additions of any finite values.
 *
 * Owner: the caller's memory, init to fini; all bytes zero is a valid sum, of nothing. Do not copy the struct by
 * assignment: of_exact_sum_copy.
 * Threads: one at a time. Errors: none, except where a function says so. A value that is not finite is a bug.
 * Cost: 24 bytes and 2 to 3 ns per addition inside the window; 568 bytes and some 20 ns outside. */
#ifndef OF_ORDER_EXACT_SUM_H
#define OF_ORDER_EXACT_SUM_H

#include "core/error.h"
#include "core/slice.h"

__extension__ typedef __int128 of_int128;
__extension__ typedef unsigned __int128 of_uint128;

enum {
    OF_EXACT_SUM_UNIT_EXPONENT = -72, /* the window counts in units of 2 to this power */
    OF_EXACT_SUM_BYTES = 283,         /* the longest canonical form */
    OF_EXACT_SUM_MONEY_BYTES = 352,   /* the longest text of of_exact_sum_money, with its NUL */
};

struct of_wide_sum;

struct of_exact_sum {
    uint64_t low; /* the window, lower half */
    int64_t high;
    struct of_wide_sum *wide; /* NULL until needed */
};

static inline void
of_exact_sum_init(struct of_exact_sum *sum)
{
    *sum = (struct of_exact_sum) { 0 };
}

/* Releases what the sum holds and leaves it zero. */
void of_exact_sum_fini(struct of_exact_sum *sum);

/* What of_exact_sum_add does when the window alone cannot. Not for callers. */
void of_exact_sum_add_slow(struct of_exact_sum *sum, double value);

/* Adds to the window; false, and nothing has changed, if it would overflow. Not for callers. */
static inline bool
of_exact_sum_add_units(struct of_exact_sum *sum, of_int128 units)
{
    of_int128 window = (of_int128)((of_uint128)(uint64_t)sum->high << 64 | sum->low);
    if (__builtin_add_overflow(window, units, &window))
        return false;
    sum->low = (uint64_t)window;
    sum->high = (int64_t)(window >> 64);
    return true;
}

/* Adds a finite value, negative ones too. */
static inline void
of_exact_sum_add(struct of_exact_sum *sum, double value)
{
    /* A normal double is mantissa * 2^(exponent - 1075); up to a shift of 73 the mantissa's 53 bits stay below the
     * sign bit. Zero, subnormals, NaN and infinities have exponents far outside of that, so they need no test here. */
    enum { LOWEST_EXPONENT = 1075 + OF_EXACT_SUM_UNIT_EXPONENT, HIGHEST_SHIFT = 73 };
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t shift = (bits >> 52 & 0x7ff) - LOWEST_EXPONENT; /* below it: a huge number */
    if (__builtin_expect(shift <= HIGHEST_SHIFT, 1)) {
        uint64_t mantissa = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
        of_int128 units = (of_int128)mantissa << shift;
        if (__builtin_expect(of_exact_sum_add_units(sum, bits >> 63 ? -units : units), 1))
            return;
    }
    of_exact_sum_add_slow(sum, value);
}

/* dst becomes dst + src. They must differ. */
void of_exact_sum_merge(struct of_exact_sum *dst, const struct of_exact_sum *src);

/* dst becomes dst - src. They must differ. */
void of_exact_sum_subtract(struct of_exact_sum *dst, const struct of_exact_sum *src);

/* dst, which is initialised, takes the value of src. */
void of_exact_sum_copy(struct of_exact_sum *dst, const struct of_exact_sum *src);

bool of_exact_sum_is_zero(const struct of_exact_sum *sum);

/* The nearest double, ties to even; an infinity where IEEE 754 rounds to one. */
double of_exact_sum_round(const struct of_exact_sum *sum);

/* The double nearest to the exact quotient sum / count, ties to even. count is at least 1. Under 1 us. */
double of_exact_sum_average(const struct of_exact_sum *sum, uint64_t count);

/* The exact value in plain decimal notation: "756.32000732421875", "0", "-0.5", "100". No exponent, no trailing zeros.
 * The caller frees it. Tens of us for extreme values. */
char *of_exact_sum_decimal(const struct of_exact_sum *sum);

/* The exact value rounded to two decimals, ties to even: "756.32", "-0.50"; what rounds to zero is "0.00". Returns its
 * length; 0 and an empty text if it does not fit (OF_EXACT_SUM_MONEY_BYTES always do, 24 do for a window). */
size_t of_exact_sum_money(const struct of_exact_sum *sum, char *text, size_t size);

/* The canonical form, the same bytes for the same value however it came about:
 *
 *   00                        zero
 *   SS EE EE MM ... MM        SS: 01 positive, 02 negative; E: int16, big-endian; M: magnitude, big-endian, whose
 *                             first and last byte are not zero; the value is M * 256^E
 *
 * Returns the number of bytes; 0 if they do not fit (OF_EXACT_SUM_BYTES always do). */
size_t of_exact_sum_write(const struct of_exact_sum *sum, uint8_t *bytes, size_t size);

/* sum, which is initialised, takes the value whose canonical form is exactly these bytes. False, and the sum is as
 * before, if they are not one. For bytes from anywhere. */
OF_MUST_USE bool of_exact_sum_read(struct of_exact_sum *sum, struct of_slice bytes);

#endif
