/* Sums of scaled integers (core/value.h) without rounding, one part per scale: the decimal half of order/exact_sum.
 *
 * A part is a 256-bit integer in units of 10^-scale: 2^63 additions of any 127-bit number stay far within it. Parts of
 * different scales are never mixed; whoever wants one number adds them up as decimals (order/decimal_number).
 *
 * Owner: a pointer of the caller; NULL is a sum of nothing and costs nothing. Threads: one at a time. Errors: none,
 * except where a function says so. Cost: 2 ns per addition to the first part; 48 bytes per scale. */
#ifndef OF_ORDER_DECIMAL_SUMS_H
#define OF_ORDER_DECIMAL_SUMS_H

#include "core/error.h"
#include "core/slice.h"
#include "core/value.h"

enum {
    OF_DECIMAL_PART_BYTES = 28,      /* the longest part in bytes that is written and read: 224 bits */
    OF_DECIMAL_PART_TEXT_BYTES = 224, /* sign, "0.", OF_SCALE_MAX or 78 digits, NUL */
};

struct of_decimal_part {
    uint64_t limb[4]; /* two's complement, limb[0] the lowest */
    uint32_t scale;
};

struct of_decimal_sums {
    uint32_t count, room;
    struct of_decimal_part parts[]; /* by ascending scale */
};

/* Adds unscaled / 10^scale; scale is at most OF_SCALE_MAX. */
void of_decimal_sums_add(struct of_decimal_sums **sums, of_int128 unscaled, unsigned scale);

/* *dst becomes *dst + src, or *dst - src. */
void of_decimal_sums_merge(struct of_decimal_sums **dst, const struct of_decimal_sums *src, bool subtract);

/* *dst takes the value of src. */
void of_decimal_sums_copy(struct of_decimal_sums **dst, const struct of_decimal_sums *src);

/* Clears the caller's pointer. */
void of_decimal_sums_free(struct of_decimal_sums **sums);

/* The next part that is not zero, from *at on, 0 at first; moves *at behind it. NULL: there is none. */
const struct of_decimal_part *of_decimal_sums_next(const struct of_decimal_sums *sums, uint32_t *at);

/* The part as Avro writes a decimal: two's complement, highest byte first, as few bytes as hold it. Returns how
 * many. */
size_t of_decimal_part_write(const struct of_decimal_part *part, uint8_t bytes[OF_DECIMAL_PART_BYTES]);

/* Adds a part from such bytes. False, and nothing has changed: none or too many bytes, or an impossible scale. For
 * bytes from anywhere. */
OF_MUST_USE bool of_decimal_sums_read(struct of_decimal_sums **sums, int32_t scale, struct of_slice bytes);

/* The part's exact value with all its decimals. Returns the length. */
size_t of_decimal_part_text(const struct of_decimal_part *part, char text[OF_DECIMAL_PART_TEXT_BYTES]);

/* The one part, if there is only one and it fits in 127 bits. For looking at a sum without waiting. */
bool of_decimal_sums_single(const struct of_decimal_sums *sums, of_int128 *unscaled, uint32_t *scale);

/* About the sum of all parts; wrong by a few units in the last place. 20 ns a part. */
double of_decimal_sums_estimate(const struct of_decimal_sums *sums);

#endif
