#include "order/rows.h"

#include "core/escape.h"
#include "core/memory.h"
#include "order/csv.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

enum column { COLUMN_ID, COLUMN_PRODUCT, COLUMN_PRICE, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = { "orderId", "product", "price" };

struct of_rows {
    enum of_status (*next)(struct of_rows *rows, struct of_order *order, struct of_error *err);
    FILE *file;
    uint64_t row_line;

    struct of_csv csv;
    size_t header_count;
    size_t column_at[COLUMN_COUNT]; /* which CSV field each column is */

    char *line; /* JSON: OF_ROWS_LINE_BYTES_MAX bytes */
    uint64_t line_number;
    json_t *object; /* the last row, which the order borrows from */
    char id_text[24];
};

/* "row at line 3, column price: <what>" */
static enum of_status
fail(const struct of_rows *rows, enum column column, const char *what, struct of_error *err)
{
    return of_error_set(err, OF_FATAL, "row at line %llu, column %s: %s", (unsigned long long)rows->row_line,
                        column_names[column], what);
}

/* The same with the value in question, of which enough is shown to find it. */
static enum of_status
fail_value(const struct of_rows *rows, enum column column, struct of_slice value, const char *what,
           struct of_error *err)
{
    enum { SHOWN_BYTES = 40 };
    char text[OF_ESCAPE_GROWTH * SHOWN_BYTES + 1], message[sizeof text + 80];
    bool cut = value.length > SHOWN_BYTES;
    of_escape(OF_ESCAPE_TERMINAL, of_slice_of(value.data, cut ? SHOWN_BYTES : value.length), text, sizeof text);
    snprintf(message, sizeof message, "\"%s%s\" %s", text, cut ? "..." : "", what);
    return fail(rows, column, message, err);
}

static bool
valid_utf8(struct of_slice text)
{
    while (text.length > 0) {
        size_t length = of_utf8_length(text);
        if (length == 0)
            return false;
        text = of_slice_of(text.data + length, text.length - length);
    }
    return true;
}

static enum of_status
check_text(const struct of_rows *rows, enum column column, struct of_slice text, struct of_error *err)
{
    if (!valid_utf8(text))
        return fail_value(rows, column, text, "is not valid UTF-8", err);
    if (column == COLUMN_ID && text.length == 0)
        return fail(rows, column, "is empty", err);
    return OF_OK;
}

static const char *
skip_digits(const char *at)
{
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/* Decimal notation only: strtod alone would take hexadecimal, infinities and leading white space as well. */
static bool
is_decimal_number(const char *text)
{
    const char *whole = text + (*text == '+' || *text == '-');
    const char *at = skip_digits(whole);
    size_t digits = (size_t)(at - whole);
    if (*at == '.') {
        const char *fraction = at + 1;
        at = skip_digits(fraction);
        digits += (size_t)(at - fraction);
    }
    if (digits == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        const char *exponent = at + 1 + (at[1] == '+' || at[1] == '-');
        at = skip_digits(exponent);
        if (at == exponent)
            return false;
    }
    return *at == '\0';
}

static enum of_status
parse_price(const struct of_rows *rows, struct of_slice text, float *price, struct of_error *err)
{
    char number[512];
    if (text.length == 0)
        return fail(rows, COLUMN_PRICE, "is empty", err);
    if (text.length >= sizeof number)
        return fail_value(rows, COLUMN_PRICE, text, "is too long for a number", err);
    memcpy(number, text.data, text.length);
    number[text.length] = '\0';
    if (strlen(number) != text.length || !is_decimal_number(number))
        return fail_value(rows, COLUMN_PRICE, text, "is not a number", err);
    *price = (float)strtod(number, NULL);
    return isfinite(*price) ? OF_OK : fail_value(rows, COLUMN_PRICE, text, "is too large for a float", err);
}

static enum of_status
next_csv(struct of_rows *rows, struct of_order *order, struct of_error *err)
{
    enum of_status status = of_csv_next(&rows->csv, err);
    if (status != OF_OK)
        return status;
    rows->row_line = rows->csv.row_line;
    if (rows->csv.field_count != rows->header_count)
        return of_error_set(err, OF_FATAL, "row at line %llu: %zu columns, but the header has %zu",
                            (unsigned long long)rows->row_line, rows->csv.field_count, rows->header_count);
    order->id = rows->csv.fields[rows->column_at[COLUMN_ID]];
    order->product = rows->csv.fields[rows->column_at[COLUMN_PRODUCT]];
    status = check_text(rows, COLUMN_ID, order->id, err);
    if (status == OF_OK)
        status = check_text(rows, COLUMN_PRODUCT, order->product, err);
    if (status == OF_OK)
        status = parse_price(rows, rows->csv.fields[rows->column_at[COLUMN_PRICE]], &order->price, err);
    return status;
}

static enum of_status
read_header(struct of_rows *rows, struct of_error *err)
{
    enum of_status status = of_csv_next(&rows->csv, err);
    if (status != OF_OK)
        return status == OF_AGAIN ? OF_OK : status;
    rows->row_line = rows->csv.row_line;
    rows->header_count = rows->csv.field_count;
    for (enum column column = 0; column < COLUMN_COUNT; column++) {
        size_t found = 0;
        for (size_t i = 0; i < rows->header_count; i++)
            if (of_slice_equal(rows->csv.fields[i], of_slice_str(column_names[column]))) {
                rows->column_at[column] = i;
                found++;
            }
        if (found != 1)
            return fail(rows, column, found == 0 ? "is missing in the header" : "is twice in the header", err);
    }
    return OF_OK;
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

static struct of_slice
string_slice(const json_t *value)
{
    return of_slice_of(json_string_value(value), json_string_length(value));
}

static enum of_status
take_id(struct of_rows *rows, const json_t *value, struct of_slice *id, struct of_error *err)
{
    if (json_is_integer(value)) {
        int length = snprintf(rows->id_text, sizeof rows->id_text, "%lld", (long long)json_integer_value(value));
        *id = of_slice_of(rows->id_text, (size_t)length);
        return OF_OK;
    }
    if (!json_is_string(value))
        return fail(rows, COLUMN_ID, value == NULL ? "is missing" : "is neither a string nor an integer", err);
    *id = string_slice(value);
    return check_text(rows, COLUMN_ID, *id, err);
}

static enum of_status
take_product(const struct of_rows *rows, const json_t *value, struct of_slice *product, struct of_error *err)
{
    if (!json_is_string(value))
        return fail(rows, COLUMN_PRODUCT, value == NULL ? "is missing" : "is not a string", err);
    *product = string_slice(value);
    return OF_OK;
}

static enum of_status
take_price(const struct of_rows *rows, const json_t *value, float *price, struct of_error *err)
{
    if (json_is_string(value))
        return parse_price(rows, string_slice(value), price, err);
    if (!json_is_number(value))
        return fail(rows, COLUMN_PRICE, value == NULL ? "is missing" : "is not a number", err);
    *price = (float)json_number_value(value);
    return isfinite(*price) ? OF_OK : fail(rows, COLUMN_PRICE, "is too large for a float", err);
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
next_json(struct of_rows *rows, struct of_order *order, struct of_error *err)
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
    status = take_id(rows, json_object_get(rows->object, column_names[COLUMN_ID]), &order->id, err);
    if (status == OF_OK)
        status = take_product(rows, json_object_get(rows->object, column_names[COLUMN_PRODUCT]), &order->product, err);
    if (status == OF_OK)
        status = take_price(rows, json_object_get(rows->object, column_names[COLUMN_PRICE]), &order->price, err);
    return status;
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
of_rows_open(struct of_rows **rows, FILE *file, const char *name, struct of_error *err)
{
    struct of_rows *opened = *rows = of_alloc(sizeof *opened);
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
of_rows_next(struct of_rows *rows, struct of_order *order, struct of_error *err)
{
    return rows->next(rows, order, err);
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
