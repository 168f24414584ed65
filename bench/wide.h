/* A record of forty fields, with records, arrays, maps and unions among them: what decoding costs beyond the classic
 * order.
 *
 * Owner: the caller's memory, bench_wide_make to bench_wide_free. Threads: constant once made. */
#ifndef BENCH_WIDE_H
#define BENCH_WIDE_H

#include "core/slice.h"

extern const char bench_wide_schema[]; /* with orderId, product and price at the top, far apart */

struct bench_wide {
    struct of_slice *bodies; /* without framing */
    struct of_slice *broken; /* the same with one byte changed each, at random */
    uint32_t count;
    uint8_t *bytes;
};

void bench_wide_make(struct bench_wide *wide, uint32_t count);
void bench_wide_free(struct bench_wide *wide);

#endif
