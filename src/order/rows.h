/* Rows from a file, column by column: CSV with a header row, or JSON lines.
 *
 *     orderId,product,price             {"orderId": "1001", "product": "Laptop", "price": 756.32}
 *     1001,Laptop,756.32                {"orderId": 1002, "product": "Phone", "price": "199.99"}
 *
 * CSV (order/csv.h): columns in any order, others ignored; every row as many fields as the header. JSON: one object per
 * line, other keys ignored, blank lines too. A byte order mark is passed over. What a cell may hold is the business of
 * whoever takes it (core/cell.h).
 *
 * Owner: whoever opened it; the file is borrowed until of_rows_close. Threads: one at a time; reading may block as long
 * as the file does. Errors: OF_FATAL and a text that names row and column:
 *
 *     row at line 3, column price: "abc" is not a number
 *
 * Bounds: 1 MiB per row or line. Cost: some 100 ns per CSV row, 1.1 us per JSON line. */
#ifndef OF_ORDER_ROWS_H
#define OF_ORDER_ROWS_H

#include "core/cell.h"
#include "core/error.h"

#include <stdio.h>

enum { OF_ROWS_LINE_BYTES_MAX = 1 << 20, OF_ROWS_COLUMNS_MAX = 256 };

/* A column that is wanted. */
struct of_column {
    const char *name;
    bool required;  /* a CSV header without it is an error; JSON objects without it give a cell that is missing */
    bool not_empty; /* a row in which it is empty or missing is an error */
};

struct of_rows;

/* columns: OF_ROWS_COLUMNS_MAX at most, copied; their names are borrowed. The format follows from the name where it ends in
 * .csv, .json, .jsonl or .ndjson, otherwise from the first byte that is not white space: an opening brace makes it JSON
 * lines. name may be NULL. Reads the CSV header. An empty file is fine: it has no rows. On failure *rows is NULL. */
OF_MUST_USE enum of_status of_rows_open(struct of_rows **rows, FILE *file, const char *name,
                                        const struct of_column *columns, size_t count, struct of_error *err);

/* The next row, a cell per column; their text is valid until the next call. OF_AGAIN: there are no more. After OF_FATAL
 * only close. */
OF_MUST_USE enum of_status of_rows_next(struct of_rows *rows, struct of_cell *cells, struct of_error *err);

/* The line, from 1, at which the last row began. */
uint64_t of_rows_line(const struct of_rows *rows);

void of_rows_close(struct of_rows **rows);

#endif
