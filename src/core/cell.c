#include "core/cell.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/escape.h"

enum { SHOWN_BYTES = 40 };

static bool
has_text(const struct of_cell *cell)
{
    return cell->kind == OF_CELL_FIELD || cell->kind == OF_CELL_TEXT;
}

enum of_status
of_cell_complain(const struct of_cell *cell, const char *what, struct of_error *err)
{
    char text[OF_ESCAPE_GROWTH * SHOWN_BYTES + 1];
    if (cell->kind == OF_CELL_MISSING)
        return of_error_set(err, OF_POISON, "is missing");
    if (cell->kind == OF_CELL_FIELD && cell->text.length == 0)
        return of_error_set(err, OF_POISON, "is empty");
    if (!has_text(cell))
        return of_error_set(err, OF_POISON, "%s", what);
    bool cut = cell->text.length > SHOWN_BYTES;
    of_escape(OF_ESCAPE_TERMINAL, of_slice_of(cell->text.data, cut ? SHOWN_BYTES : cell->text.length), text,
              sizeof text);
    return of_error_set(err, OF_POISON, "\"%s%s\" %s", text, cut ? "..." : "", what);
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

enum of_status
of_cell_to_text(const struct of_cell *cell, char scratch[OF_CELL_SCRATCH_BYTES], struct of_slice *out,
                struct of_error *err)
{
    if (cell->kind == OF_CELL_INTEGER) {
        int length = snprintf(scratch, OF_CELL_SCRATCH_BYTES, "%" PRId64, cell->integer);
        *out = of_slice_of(scratch, (size_t)length);
        return OF_OK;
    }
    if (!has_text(cell))
        return of_cell_complain(cell, "is neither a string nor an integer", err);
    *out = cell->text;
    return valid_utf8(cell->text) ? OF_OK : of_cell_complain(cell, "is not valid UTF-8", err);
}

/* ---- numbers ---- */

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

enum of_status
of_cell_to_number_text(const struct of_cell *cell, char out[OF_CELL_NUMBER_BYTES], struct of_error *err)
{
    if (cell->kind == OF_CELL_INTEGER) {
        snprintf(out, OF_CELL_NUMBER_BYTES, "%" PRId64, cell->integer);
        return OF_OK;
    }
    if (cell->kind == OF_CELL_REAL) {
        snprintf(out, OF_CELL_NUMBER_BYTES, "%.15g", cell->real);
        return isfinite(cell->real) ? OF_OK : of_cell_complain(cell, "is not a number", err);
    }
    if (has_text(cell) && cell->text.length == 0)
        return of_error_set(err, OF_POISON, "is empty");
    if (!has_text(cell))
        return of_cell_complain(cell, "is not a number", err);
    if (cell->text.length >= OF_CELL_NUMBER_BYTES)
        return of_cell_complain(cell, "is too long for a number", err);
    memcpy(out, cell->text.data, cell->text.length);
    out[cell->text.length] = '\0';
    bool number = strlen(out) == cell->text.length && is_decimal_number(out);
    return number ? OF_OK : of_cell_complain(cell, "is not a number", err);
}

enum of_status
of_cell_to_double(const struct of_cell *cell, double *out, struct of_error *err)
{
    char text[OF_CELL_NUMBER_BYTES];
    if (cell->kind == OF_CELL_REAL) {
        *out = cell->real;
        return OF_OK;
    }
    enum of_status status = of_cell_to_number_text(cell, text, err);
    if (status != OF_OK)
        return status;
    *out = strtod(text, NULL);
    return OF_OK;
}

static bool
is_integer(const char *text)
{
    const char *digits = text + (*text == '+' || *text == '-');
    const char *end = skip_digits(digits);
    return end > digits && *end == '\0';
}

enum of_status
of_cell_to_integer(const struct of_cell *cell, int64_t lowest, int64_t highest, int64_t *out, struct of_error *err)
{
    char text[OF_CELL_NUMBER_BYTES];
    if (cell->kind == OF_CELL_REAL)
        return of_cell_complain(cell, "is not an integer", err);
    enum of_status status = of_cell_to_number_text(cell, text, err);
    if (status != OF_OK)
        return status;
    if (!is_integer(text))
        return of_cell_complain(cell, "is not an integer", err);
    errno = 0;
    *out = strtoll(text, NULL, 10);
    if (errno != 0 || *out < lowest || *out > highest)
        return of_cell_complain(cell, highest == INT32_MAX ? "does not fit in an int" : "does not fit in a long", err);
    return OF_OK;
}

enum of_status
of_cell_to_boolean(const struct of_cell *cell, bool *out, struct of_error *err)
{
    if (cell->kind == OF_CELL_BOOLEAN) {
        *out = cell->boolean;
        return OF_OK;
    }
    *out = has_text(cell) && of_slice_equal(cell->text, of_slice_str("true"));
    if (*out || (has_text(cell) && of_slice_equal(cell->text, of_slice_str("false"))))
        return OF_OK;
    return of_cell_complain(cell, "is neither true nor false", err);
}
