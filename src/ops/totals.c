#include "ops/totals.h"

#include <stdlib.h>

#include "core/memory.h"

void
of_totals_init(struct of_totals *totals)
{
    *totals = (struct of_totals) { 0 };
}

void
of_totals_fini(struct of_totals *totals)
{
    for (size_t i = 0; i < totals->row_count; i++)
        of_exact_sum_fini(&totals->rows[i].sum);
    of_exact_sum_fini(&totals->sum);
    free(totals->rows);
    of_totals_init(totals);
}

/* Grows when the count is a power of two. */
struct of_totals_row *
of_totals_add_row(struct of_totals *totals, struct of_slice product)
{
    size_t count = totals->row_count;
    if ((count & (count - 1)) == 0)
        totals->rows = of_realloc_array(totals->rows, count == 0 ? 1 : 2 * count, sizeof *totals->rows);
    struct of_totals_row *row = &totals->rows[totals->row_count++];
    *row = (struct of_totals_row) { .product = product };
    return row;
}

int
of_totals_compare_names(struct of_slice a, struct of_slice b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int
compare_rows(const void *left, const void *right)
{
    return of_totals_compare_names(((const struct of_totals_row *)left)->product,
                                   ((const struct of_totals_row *)right)->product);
}

void
of_totals_sort(struct of_totals *totals)
{
    if (totals->row_count > 1)
        qsort(totals->rows, totals->row_count, sizeof *totals->rows, compare_rows);
}
