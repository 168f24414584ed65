/* The samples by product: a bounded number of labels, whatever the records hold. */
#include <stdlib.h>

#include "core/memory.h"
#include "ops/metrics_page.h"

static int
compare_orders(const void *left, const void *right)
{
    const struct of_totals_row *l = *(const struct of_totals_row *const *)left;
    const struct of_totals_row *r = *(const struct of_totals_row *const *)right;
    return (l->orders_processed < r->orders_processed) - (l->orders_processed > r->orders_processed);
}

static bool
is_chosen(const struct of_metrics_products *products, struct of_slice name)
{
    for (uint32_t i = 0; i < products->count; i++)
        if (of_slice_equal(products->names[i], name))
            return true;
    return false;
}

/* Fills what is left of the labels with the products that have most orders and none yet. */
static void
choose(struct of_metrics_products *products, const struct of_totals *run)
{
    if (products->count == OF_METRICS_PRODUCTS || run->row_count == products->count)
        return;
    const struct of_totals_row **rows = of_alloc_array(run->row_count, sizeof(struct of_totals_row *));
    for (size_t i = 0; i < run->row_count; i++)
        rows[i] = &run->rows[i];
    qsort(rows, run->row_count, sizeof(struct of_totals_row *), compare_orders);
    for (size_t i = 0; i < run->row_count && products->count < OF_METRICS_PRODUCTS; i++)
        if (!is_chosen(products, rows[i]->product))
            products->names[products->count++] = rows[i]->product;
    free(rows);
}

static int
compare_name(const void *name, const void *row)
{
    const struct of_slice *a = name;
    struct of_slice b = ((const struct of_totals_row *)row)->product;
    size_t common = a->length < b.length ? a->length : b.length;
    int order = common == 0 ? 0 : memcmp(a->data, b.data, common);
    return order != 0 ? order : (a->length > b.length) - (a->length < b.length);
}

/* Rows are sorted by name. */
static const struct of_totals_row *
find(const struct of_totals *run, struct of_slice name)
{
    return run->row_count > 0 ? bsearch(&name, run->rows, run->row_count, sizeof *run->rows, compare_name) : NULL;
}

static void
begin(struct of_metrics_page *page, struct of_slice product)
{
    of_sample_begin(page);
    of_sample_label_slice(page, "product", product);
}

void
of_samples_product_orders(struct of_metrics_page *page)
{
    const struct of_totals *run = &page->measured->run;
    uint64_t others = run->orders_processed;
    choose(page->products, run);
    for (uint32_t i = 0; page->measured->by_product && i < page->products->count; i++) {
        const struct of_totals_row *row = find(run, page->products->names[i]);
        uint64_t orders = row != NULL ? row->orders_processed : 0;
        others -= orders;
        begin(page, page->products->names[i]);
        of_sample_end_count(page, orders);
    }
    if (run->row_count > page->products->count)
        of_sample_count(page, others);
}

void
of_samples_product_summed_value(struct of_metrics_page *page)
{
    const struct of_totals *run = &page->measured->run;
    struct of_exact_sum others;
    of_exact_sum_init(&others);
    of_exact_sum_copy(&others, &run->sum);
    for (uint32_t i = 0; page->measured->by_product && i < page->products->count; i++) {
        const struct of_totals_row *row = find(run, page->products->names[i]);
        begin(page, page->products->names[i]);
        of_sample_end(page, row != NULL ? of_exact_sum_round(&row->sum) : 0);
        if (row != NULL)
            of_exact_sum_subtract(&others, &row->sum);
    }
    if (run->row_count > page->products->count)
        of_sample(page, of_exact_sum_round(&others));
    of_exact_sum_fini(&others);
}
