/* Rows of a CSV file after RFC 4180: fields in quotes may contain commas, quotes (doubled) and line breaks.
 *
 * Lines end in LF or CRLF, the last one also in the end of the file; empty lines are passed over. What the RFC does not
 * allow is an error rather than a guess: a quote inside a field without quotes, text after a closing quote, a quote
 * without its end.
 *
 * Owner: the caller's memory, init to fini; the file is borrowed. Threads: one at a time.
 * Errors: OF_FATAL with "row at line N, column C: ...", lines and columns from 1. A row of several lines is named by
 * its first. Bounds: OF_CSV_ROW_BYTES_MAX per row, OF_CSV_COLUMNS_MAX columns. */
#ifndef OF_ORDER_CSV_H
#define OF_ORDER_CSV_H

#include "core/error.h"
#include "core/slice.h"

#include <stdio.h>

enum {
    OF_CSV_ROW_BYTES_MAX = 1 << 20,
    OF_CSV_COLUMNS_MAX = 256,
};

struct of_csv {
    FILE *file;
    uint8_t *bytes; /* the row's fields, one after the other, without quotes */
    size_t used;
    uint64_t line;     /* that is being read */
    uint64_t row_line; /* where the last row began */
    struct of_slice fields[OF_CSV_COLUMNS_MAX];
    size_t field_count;
};

/* first_line: the number of the line at which the file stands, 1 at its start. */
void of_csv_init(struct of_csv *csv, FILE *file, uint64_t first_line);

void of_csv_fini(struct of_csv *csv);

/* Reads the next row into fields, valid until the next call. OF_AGAIN: the file has no more. */
OF_MUST_USE enum of_status of_csv_next(struct of_csv *csv, struct of_error *err);

#endif
