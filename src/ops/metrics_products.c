/* The samples by product: a bounded number of labels, whatever the records hold. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "ops/metrics_page.h"

/* The one with more orders first; equal ones by name. */
static int
compare_orders(const void *left, const void *right)
{
    const struct of_totals_row *l = *(const struct of_totals_row *const *)left;
    const struct of_totals_row *r = *(const struct of_totals_row *const *)right;
    if (l->orders_processed != r->orders_processed)
        return l->orders_processed < r->orders_processed ? 1 : -1;
    return of_totals_compare_names(l->product, r->product);
}

/* The entry of `at` that has the name, or the free one where it belongs. */
static uint32_t
place_of(const struct of_metrics_products *products, struct of_slice name)
{
    const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
    uint32_t place = (uint32_t)(((uintptr_t)name.data + name.length) * odd >> 56);
    for (; products->at[place] != 0; place = (place + 1) % OF_METRICS_PLACES) {
        struct of_slice known = products->names[products->at[place] - 1];
        if (known.data == name.data && known.length == name.length)
            break;
    }
    return place;
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
    for (size_t i = 0; i < run->row_count && products->count < OF_METRICS_PRODUCTS; i++) {
        uint32_t place = place_of(products, rows[i]->product);
        if (products->at[place] != 0)
            continue;
        products->names[products->count++] = rows[i]->product;
        products->at[place] = (uint8_t)products->count;
    }
    free(rows);
}

void
of_metrics_products_find(struct of_metrics_page *page)
{
    const struct of_totals *run = &page->measured->run;
    memset(page->rows, 0, sizeof page->rows);
    choose(page->products, run);
    for (size_t i = 0; i < run->row_count; i++) {
        uint8_t number = page->products->at[place_of(page->products, run->rows[i].product)];
        if (number != 0)
            page->rows[number - 1] = &run->rows[i];
    }
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
    for (uint32_t i = 0; page->measured->by_product && i < page->products->count; i++) {
        const struct of_totals_row *row = page->rows[i];
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
        const struct of_totals_row *row = page->rows[i];
        begin(page, page->products->names[i]);
        of_sample_end(page, row != NULL ? of_exact_sum_round(&row->sum) : 0);
        if (row != NULL)
            of_exact_sum_subtract(&others, &row->sum);
    }
    if (run->row_count > page->products->count)
        of_sample(page, of_exact_sum_round(&others));
    of_exact_sum_fini(&others);
}
