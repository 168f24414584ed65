/* Where the rows of `orderflow produce` come from: random orders, or the rows of a file.
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
    const struct of_column *columns; /* borrowed */
    size_t column_count;
    uint64_t left; /* how many may still come */
};

struct of_order_input_options {
    const char *name;  /* NULL: random orders, "-": standard input */
    uint64_t count;    /* how many at most */
    uint64_t seed;
    uint64_t first_id;
    const struct of_column *columns; /* what a row is to have; lives as long as the input */
    size_t column_count;
};

/* Random orders have the columns orderId, product and price. OF_FATAL: the file cannot be opened, its header is wrong,
 * or a required column is none of those; nothing is left behind. */
OF_MUST_USE enum of_status of_order_input_open(struct of_order_input *input,
                                               const struct of_order_input_options *options, struct of_error *err);

/* The next row, a cell per column, their text valid until the next call. OF_AGAIN: there are no more. OF_FATAL:
 * "orders.csv: row at line 3, column price: ..."; then only close. */
OF_MUST_USE enum of_status of_order_input_next(struct of_order_input *input, struct of_cell *cells,
                                               struct of_error *err);

/* Puts "orders.csv: row at line 3, " in front of what is wrong with the last row, and makes it OF_FATAL where the row
 * is one of a file. Returns the status. */
enum of_status of_order_input_blame(const struct of_order_input *input, struct of_error *err);

/* How much of the file is read, in bytes, and how long it is; *all is 0 where that is not known: random orders, a pipe. */
void of_order_input_bytes(const struct of_order_input *input, uint64_t *done, uint64_t *all);

void of_order_input_close(struct of_order_input *input);

#endif
