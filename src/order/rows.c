#include "order/rows.h"

#include "core/assert.h"
#include "core/cell_json.h"
#include "core/escape.h"
#include "core/memory.h"
#include "order/csv.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

enum { NOT_THERE = OF_CSV_COLUMNS_MAX }; /* as the place of a column */

struct of_rows {
    enum of_status (*next)(struct of_rows *rows, struct of_cell *cells, struct of_error *err);
    FILE *file;
    uint64_t row_line;
    struct of_column columns[OF_ROWS_COLUMNS_MAX];
    size_t column_count;

    struct of_csv csv;
    size_t header_count;
    size_t column_at[OF_ROWS_COLUMNS_MAX]; /* which CSV field each column is */

    char *line; /* JSON: OF_ROWS_LINE_BYTES_MAX bytes */
    uint64_t line_number;
    json_t *object; /* the last row, which the cells borrow from */
};

/* "row at line 3, column price: <what>" */
static enum of_status
fail(const struct of_rows *rows, size_t column, const char *what, struct of_error *err)
{
    return of_error_set(err, OF_FATAL, "row at line %llu, column %s: %s", (unsigned long long)rows->row_line,
                        rows->columns[column].name, what);
}

static enum of_status
next_csv(struct of_rows *rows, struct of_cell *cells, struct of_error *err)
{
    enum of_status status = of_csv_next(&rows->csv, err);
    if (status != OF_OK)
        return status;
    rows->row_line = rows->csv.row_line;
    if (rows->csv.field_count != rows->header_count)
        return of_error_set(err, OF_FATAL, "row at line %llu: %zu columns, but the header has %zu",
                            (unsigned long long)rows->row_line, rows->csv.field_count, rows->header_count);
    for (size_t i = 0; i < rows->column_count; i++) {
        size_t at = rows->column_at[i];
        cells[i] = (struct of_cell) { .kind = OF_CELL_MISSING };
        if (at != NOT_THERE)
            cells[i] = (struct of_cell) { .kind = OF_CELL_FIELD, .text = rows->csv.fields[at] };
    }
    return OF_OK;
}

static enum of_status
find_column(struct of_rows *rows, size_t column, struct of_error *err)
{
    size_t found = 0;
    rows->column_at[column] = NOT_THERE;
    for (size_t i = 0; i < rows->header_count; i++)
        if (of_slice_equal(rows->csv.fields[i], of_slice_str(rows->columns[column].name))) {
            rows->column_at[column] = i;
            found++;
        }
    if (found > 1)
        return fail(rows, column, "is twice in the header", err);
    return found == 1 || !rows->columns[column].required ? OF_OK : fail(rows, column, "is missing in the header", err);
}

static enum of_status
read_header(struct of_rows *rows, struct of_error *err)
{
    enum of_status status = of_csv_next(&rows->csv, err);
    if (status != OF_OK)
        return status == OF_AGAIN ? OF_OK : status;
    rows->row_line = rows->csv.row_line;
    rows->header_count = rows->csv.field_count;
    for (size_t column = 0; column < rows->column_count && status == OF_OK; column++)
        status = find_column(rows, column, err);
    return status;
}

/* Reads the next line that is not blank. */
static enum of_status
read_line(struct of_rows *rows, size_t *length, struct of_error *err)
{
    bool blank = true;
    int c = 0;
    for (*length = 0; blank && c != EOF; rows->line_number++) {
        rows->row_line = rows->line_number;
        for (*length = 0; (c = getc_unlocked(rows->file)) != EOF && c != '\n';) {
            if (*length == OF_ROWS_LINE_BYTES_MAX)
                return of_error_set(err, OF_FATAL, "row at line %llu: longer than 1 MiB",
                                    (unsigned long long)rows->row_line);
            rows->line[(*length)++] = (char)c;
            blank = blank && isspace(c);
        }
    }
    if (ferror(rows->file))
        return of_error_set(err, OF_FATAL, "cannot read line %llu: %s", (unsigned long long)rows->row_line,
                            strerror(errno));
    return blank ? OF_AGAIN : OF_OK;
}

static enum of_status
fail_object(const struct of_rows *rows, const char *why, struct of_error *err)
{
    char text[OF_ESCAPE_GROWTH * JSON_ERROR_TEXT_LENGTH + 1]; /* it may quote the line */
    of_escape(OF_ESCAPE_TERMINAL, of_slice_str(why), text, sizeof text);
    return of_error_set(err, OF_FATAL, "row at line %llu: not a JSON object: %s", (unsigned long long)rows->row_line,
                        text);
}

static enum of_status
next_json(struct of_rows *rows, struct of_cell *cells, struct of_error *err)
{
    size_t length;
    enum of_status status = read_line(rows, &length, err);
    if (status != OF_OK)
        return status;
    json_error_t error;
    json_decref(rows->object);
    rows->object = json_loadb(rows->line, length, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(rows->object))
        return fail_object(rows, rows->object == NULL ? error.text : "a value of another kind", err);
    for (size_t i = 0; i < rows->column_count; i++)
        cells[i] = of_cell_of_json(json_object_get(rows->object, rows->columns[i].name));
    return OF_OK;
}

static bool
ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length >= tail && strcasecmp(name + length - tail, ending) == 0;
}

/* Skips what is before the first row, and tells by it, or by the name, what the rows are. */
static enum of_status
detect(struct of_rows *rows, const char *name, bool *json, struct of_error *err)
{
    int c = getc_unlocked(rows->file);
    if (c == 0xef) {
        if (getc_unlocked(rows->file) != 0xbb || getc_unlocked(rows->file) != 0xbf)
            return of_error_set(err, OF_FATAL, "row at line 1: neither a CSV header nor a JSON object");
        c = getc_unlocked(rows->file);
    }
    for (; c != EOF && isspace(c); c = getc_unlocked(rows->file))
        rows->line_number += c == '\n';
    ungetc(c, rows->file);
    *json = c == '{';
    if (name != NULL && ends_with(name, ".csv"))
        *json = false;
    if (name != NULL && (ends_with(name, ".json") || ends_with(name, ".jsonl") || ends_with(name, ".ndjson")))
        *json = true;
    if (ferror(rows->file))
        return of_error_set(err, OF_FATAL, "cannot read line 1: %s", strerror(errno));
    return OF_OK;
}

enum of_status
of_rows_open(struct of_rows **rows, FILE *file, const char *name, const struct of_column *columns, size_t count,
             struct of_error *err)
{
    OF_ASSERT(count <= OF_ROWS_COLUMNS_MAX);
    struct of_rows *opened = *rows = of_alloc(sizeof *opened);
    memcpy(opened->columns, columns, count * sizeof *columns);
    opened->column_count = count;
    opened->file = file;
    opened->line_number = opened->row_line = 1;
    bool json = false;
    enum of_status status = detect(opened, name, &json, err);
    if (status == OF_OK && json) {
        opened->next = next_json;
        opened->line = of_alloc(OF_ROWS_LINE_BYTES_MAX);
    } else if (status == OF_OK) {
        opened->next = next_csv;
        of_csv_init(&opened->csv, file, opened->line_number);
        status = read_header(opened, err);
    }
    if (status != OF_OK)
        of_rows_close(rows);
    return status;
}

enum of_status
of_rows_next(struct of_rows *rows, struct of_cell *cells, struct of_error *err)
{
    enum of_status status = rows->next(rows, cells, err);
    for (size_t i = 0; i < rows->column_count && status == OF_OK; i++) {
        bool text = cells[i].kind == OF_CELL_FIELD || cells[i].kind == OF_CELL_TEXT;
        if (rows->columns[i].not_empty && cells[i].kind == OF_CELL_MISSING)
            status = fail(rows, i, "is missing", err);
        else if (rows->columns[i].not_empty && (of_cell_is_absent(&cells[i]) || (text && cells[i].text.length == 0)))
            status = fail(rows, i, "is empty", err);
    }
    return status;
}

uint64_t
of_rows_line(const struct of_rows *rows)
{
    return rows->row_line;
}

void
of_rows_close(struct of_rows **rows)
{
    struct of_rows *gone = *rows;
    *rows = NULL;
    if (gone == NULL)
        return;
    json_decref(gone->object);
    free(gone->line);
    of_csv_fini(&gone->csv);
    free(gone);
}
