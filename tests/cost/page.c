/* Pages of metrics of a whole pipeline that has drained 12 partitions with 1,000 products: what page.py counts the
 * instructions of. The argument says how many pages. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ops/metrics.h"
#include "support/world.h"

enum { PARTITIONS = 12, PRODUCTS = 1000 };

static struct world world;
static struct of_metrics_products products;

static void
append_order(uint32_t partition, uint32_t number)
{
    char id[16], product[32];
    uint8_t value[ORDERS_VALUE_BYTES];
    snprintf(id, sizeof id, "%u", 1000 + number);
    snprintf(product, sizeof product, "Product %u", number % PRODUCTS);
    size_t length = orders_encode(world.schema_id, id, product, (float)(number * 7 % 2000) + 0.5F, value, sizeof value);
    of_memory_append(world.cluster, OF_MEMORY_ORDERS, partition, of_slice_str(id), of_slice_of(value, length), NULL, 0);
}

/* What is counted. By this name. */
void cost_page(char **text, size_t *size);

__attribute__((noinline)) void
cost_page(char **text, size_t *size)
{
    struct of_measured measured;
    FILE *out = open_memstream(text, size);
    of_measured_init(&measured);
    measured.version = measured.group = measured.topic = measured.guarantee = measured.source = "text";
    of_pipeline_measure(world.pipeline, &measured);
    measured.products = of_groups_count(world.groups) - 1;
    measured.by_product = true;
    of_pipeline_add_run_totals(world.pipeline, &measured.run);
    of_pipeline_add_total_sum(world.pipeline, &measured.total);
    of_metrics_write(out, OF_METRICS_TEXT, &measured, &products);
    of_measured_fini(&measured);
    fclose(out);
}

int
main(int argc, char **argv)
{
    int pages = argc > 1 ? atoi(argv[1]) : 1;
    char *text = NULL;
    size_t size = 0;
    world_create(&world, &(struct world_options) { .partitions = PARTITIONS });
    for (uint32_t i = 0; i < PARTITIONS * PRODUCTS; i++)
        append_order(i % PARTITIONS, i / PARTITIONS);
    world_start(&world);
    world_run_to_end(&world, 600000);
    for (int i = 0; i < pages; i++) {
        free(text);
        cost_page(&text, &size);
    }
    printf("%d pages, %zu bytes\n%s", pages, size, argc > 2 ? text : "");
    free(text);
    world_destroy(&world);
    return 0;
}
