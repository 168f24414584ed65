/* How often something took how long: a histogram of durations with bounds that never change.
 *
 * One writer, who pays two plain stores and a short search; any thread reads. A reader may see a duration's bucket
 * without its part of the sum, never half a number.
 * Units: nanoseconds, the sum in seconds: as a double, because that of nanoseconds would wrap within seconds where a
 * month-old backlog is read. Errors: none. Memory: 192 bytes. */
#ifndef OF_CORE_HISTOGRAM_H
#define OF_CORE_HISTOGRAM_H

#include "core/counter.h"

enum { OF_HISTOGRAM_BOUNDS = 22 };

/* 10 us to 2 min, three a decade; a duration belongs to the first bound that is not below it. */
extern const int64_t of_histogram_bounds_ns[OF_HISTOGRAM_BOUNDS];

/* All bytes zero: empty. */
struct of_histogram {
    of_counter counts[OF_HISTOGRAM_BOUNDS + 1]; /* the last: above all bounds */
    _Atomic double sum_s;
};

/* What a reader has added up. */
struct of_histogram_view {
    uint64_t counts[OF_HISTOGRAM_BOUNDS + 1];
    uint64_t count; /* of all */
    double sum_s;
};

/* The writer: `weight` times this duration. A negative one, as wall clocks make them, counts as 0. */
void of_histogram_add(struct of_histogram *histogram, int64_t ns, uint64_t weight);

/* Any thread: adds what the histogram holds to the view. */
void of_histogram_add_to(const struct of_histogram *histogram, struct of_histogram_view *view);

/* The duration below which `share` (0 to 1) of what is in the view lies, evenly spread within a bucket; 0 when empty. */
double of_histogram_quantile_ns(const struct of_histogram_view *view, double share);

#endif
