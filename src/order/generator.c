#include "order/generator.h"

#include "order/failure.h"

enum { CENTS_MIN = 100, CENTS_MAX = 200000 };

static const char *const products[] = {
    "Laptop", "Phone", "Tablet", "Monitor", "Keyboard", "Mouse", "Headphones", "Camera", "Printer", "Router",
};
enum { PRODUCT_COUNT = sizeof products / sizeof *products };

/* SplitMix64. */
static uint64_t
next_number(struct of_generator *generator)
{
    generator->state += UINT64_C(0x9e3779b97f4a7c15);
    return of_failure_mix(generator->state);
}

/* 0 to limit - 1, uniform to within limit * 2^-32. */
static uint32_t
below(struct of_generator *generator, uint32_t limit)
{
    return (uint32_t)((next_number(generator) >> 32) * limit >> 32);
}

static struct of_slice
write_id(struct of_generator *generator, uint64_t id)
{
    char *end = generator->id_text + sizeof generator->id_text, *at = end;
    do {
        *--at = (char)('0' + id % 10);
        id /= 10;
    } while (id > 0);
    return of_slice_of(at, (size_t)(end - at));
}

void
of_generator_init(struct of_generator *generator, uint64_t seed, uint64_t first_id)
{
    *generator = (struct of_generator) { .state = seed, .next_id = first_id };
}

void
of_generator_next(struct of_generator *generator, struct of_order *order)
{
    order->id = write_id(generator, generator->next_id++);
    order->product = of_slice_str(products[below(generator, PRODUCT_COUNT)]);
    order->price = (float)(CENTS_MIN + below(generator, CENTS_MAX - CENTS_MIN + 1)) / 100.0f;
}
