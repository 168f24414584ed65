#include "order/aggregate.h"

#include "core/assert.h"

#include <math.h>

void
of_aggregate_init(struct of_aggregate *aggregate)
{
    *aggregate = (struct of_aggregate) { .min = INFINITY, .max = -INFINITY };
}

void
of_aggregate_fini(struct of_aggregate *aggregate)
{
    of_exact_sum_fini(&aggregate->sum);
    of_aggregate_init(aggregate);
}

void
of_aggregate_merge(struct of_aggregate *dst, const struct of_aggregate *src)
{
    OF_ASSERT(dst != src);
    dst->count += src->count;
    dst->min = src->min < dst->min ? src->min : dst->min;
    dst->max = src->max > dst->max ? src->max : dst->max;
    of_exact_sum_merge(&dst->sum, &src->sum);
    if (src->next_offset > dst->next_offset)
        dst->next_offset = src->next_offset;
}

void
of_aggregate_subtract(struct of_aggregate *dst, const struct of_aggregate *src)
{
    dst->count -= src->count;
    of_exact_sum_subtract(&dst->sum, &src->sum);
}

void
of_aggregate_copy(struct of_aggregate *dst, const struct of_aggregate *src)
{
    dst->count = src->count;
    dst->min = src->min;
    dst->max = src->max;
    of_exact_sum_copy(&dst->sum, &src->sum);
    dst->next_offset = src->next_offset;
}
