#include "order/csv.h"

#include "core/memory.h"

#include <errno.h>
#include <stdlib.h>

void
of_csv_init(struct of_csv *csv, FILE *file, uint64_t first_line)
{
    *csv = (struct of_csv) { .file = file, .bytes = of_alloc(OF_CSV_ROW_BYTES_MAX), .line = first_line };
}

void
of_csv_fini(struct of_csv *csv)
{
    free(csv->bytes);
    csv->bytes = NULL;
}

static enum of_status
fail(const struct of_csv *csv, const char *what, struct of_error *err)
{
    return of_error_set(err, OF_FATAL, "row at line %llu, column %zu: %s", (unsigned long long)csv->row_line,
                        csv->field_count + 1, what);
}

/* The next byte, or EOF. */
static int
next_byte(struct of_csv *csv)
{
    int c = getc_unlocked(csv->file);
    if (c == '\n')
        csv->line++;
    return c;
}

/* The next byte outside of quotes, where CRLF is a line end like LF. */
static int
next_plain(struct of_csv *csv)
{
    int c = next_byte(csv);
    if (c != '\r')
        return c;
    int after = getc_unlocked(csv->file);
    ungetc(after, csv->file);
    return after == '\n' ? next_byte(csv) : c;
}

static bool
keep(struct of_csv *csv, int c)
{
    if (csv->used == OF_CSV_ROW_BYTES_MAX)
        return false;
    csv->bytes[csv->used++] = (uint8_t)c;
    return true;
}

/* What ends a field: a comma, a line feed, or EOF. */
static bool
ends_field(int c)
{
    return c == ',' || c == '\n' || c == EOF;
}

/* After the opening quote. *end is what follows the field. */
static enum of_status
read_quoted(struct of_csv *csv, int *end, struct of_error *err)
{
    for (;;) {
        int c = next_byte(csv);
        if (c == EOF)
            return fail(csv, "the opening quote has no closing one", err);
        if (c == '"') {
            *end = next_plain(csv);
            if (*end != '"')
                return ends_field(*end) ? OF_OK : fail(csv, "text after the closing quote", err);
        }
        if (!keep(csv, c))
            return fail(csv, "the row is longer than 1 MiB", err);
    }
}

/* From its first byte. */
static enum of_status
read_unquoted(struct of_csv *csv, int c, int *end, struct of_error *err)
{
    for (; !ends_field(c); c = next_plain(csv)) {
        if (c == '"')
            return fail(csv, "a quote inside a field without quotes", err);
        if (!keep(csv, c))
            return fail(csv, "the row is longer than 1 MiB", err);
    }
    *end = c;
    return OF_OK;
}

/* From its first byte, which may already be the end of the row. */
static enum of_status
read_row(struct of_csv *csv, int c, struct of_error *err)
{
    for (int end = ','; end == ',';) {
        size_t start = csv->used;
        if (csv->field_count == OF_CSV_COLUMNS_MAX)
            return fail(csv, "more than 256 columns", err);
        enum of_status status = c == '"' ? read_quoted(csv, &end, err) : read_unquoted(csv, c, &end, err);
        if (status != OF_OK)
            return status;
        csv->fields[csv->field_count++] = of_slice_of(csv->bytes + start, csv->used - start);
        if (end == ',')
            c = next_plain(csv);
    }
    return OF_OK;
}

/* The first byte of the next row that is not empty, or EOF. */
static int
first_byte(struct of_csv *csv)
{
    int c;
    do {
        csv->row_line = csv->line;
        c = next_plain(csv);
    } while (c == '\n');
    return c;
}

enum of_status
of_csv_next(struct of_csv *csv, struct of_error *err)
{
    csv->used = 0;
    csv->field_count = 0;
    int c = first_byte(csv);
    enum of_status status = c == EOF ? OF_AGAIN : read_row(csv, c, err);
    if (ferror(csv->file))
        return of_error_set(err, OF_FATAL, "cannot read line %llu: %s", (unsigned long long)csv->line, strerror(errno));
    return status;
}
