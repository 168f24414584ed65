/* Where the orders of `orderflow produce` come from: random ones, or the rows of a file.
 *
 * Owner: the caller's memory, open to close. Threads: one at a time; reading may block as long as the file does. */
#ifndef OF_COMMANDS_ORDER_INPUT_H
#define OF_COMMANDS_ORDER_INPUT_H

#include <stdio.h>

#include "core/error.h"
#include "order/generator.h"
#include "order/rows.h"

struct of_order_input {
    FILE *file;       /* NULL: random orders */
    const char *name; /* of the file, for errors; borrowed */
    struct of_rows *rows;
    struct of_generator generator;
    uint64_t left; /* how many may still come */
};

/* name: NULL for random orders, "-" for standard input. count: how many at most. OF_FATAL: the file cannot be opened or
 * its header is wrong; nothing is left behind. */
OF_MUST_USE enum of_status of_order_input_open(struct of_order_input *input, const char *name, uint64_t count,
                                               uint64_t seed, uint64_t first_id, struct of_error *err);

/* The next order, its slices valid until the next call. OF_AGAIN: there are no more. OF_FATAL: "orders.csv: row at line
 * 3, column price: ..."; then only close. */
OF_MUST_USE enum of_status of_order_input_next(struct of_order_input *input, struct of_order *order,
                                               struct of_error *err);

void of_order_input_close(struct of_order_input *input);

#endif
