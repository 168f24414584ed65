/* One value of a row, as a file gives it: a field of CSV, which is text that may stand for anything, or a JSON value.
 *
 * Conversions say what is wrong in words that follow a name ("is not a number", "\"abc\" is not a number"); whoever
 * knows row and column puts them in front. Threads: any. Slices borrow; whoever fills the cell says for how long. */
#ifndef OF_CORE_CELL_H
#define OF_CORE_CELL_H

#include "core/error.h"
#include "core/slice.h"

enum of_cell_kind {
    OF_CELL_MISSING, /* there is no such column or key */
    OF_CELL_FIELD,   /* text: of CSV */
    OF_CELL_NULL,    /* and these are JSON's */
    OF_CELL_BOOLEAN,
    OF_CELL_INTEGER,
    OF_CELL_REAL,
    OF_CELL_TEXT,
    OF_CELL_OTHER,   /* an object or array */
};

struct of_cell {
    enum of_cell_kind kind;
    struct of_slice text; /* FIELD, TEXT */
    union {
        bool boolean;
        int64_t integer;
        double real;
    };
};

enum { OF_CELL_SCRATCH_BYTES = 24 };

static inline struct of_cell
of_cell_text(struct of_slice text)
{
    return (struct of_cell) { .kind = OF_CELL_TEXT, .text = text };
}

static inline struct of_cell
of_cell_real(double real)
{
    return (struct of_cell) { .kind = OF_CELL_REAL, .real = real };
}

/* Whether it stands for nothing: missing, null, or an empty field. */
static inline bool
of_cell_is_absent(const struct of_cell *cell)
{
    return cell->kind == OF_CELL_MISSING || cell->kind == OF_CELL_NULL ||
           (cell->kind == OF_CELL_FIELD && cell->text.length == 0);
}

/* Text, or an integer in decimal, for which scratch is used. OF_POISON: something else, or no valid UTF-8. */
OF_MUST_USE enum of_status of_cell_to_text(const struct of_cell *cell, char scratch[OF_CELL_SCRATCH_BYTES],
                                           struct of_slice *out, struct of_error *err);

/* A number; text must be in decimal notation, and is infinite beyond a double's range. OF_POISON: it is none. */
OF_MUST_USE enum of_status of_cell_to_double(const struct of_cell *cell, double *out, struct of_error *err);

/* An integer between the two limits, both allowed. */
OF_MUST_USE enum of_status of_cell_to_integer(const struct of_cell *cell, int64_t lowest, int64_t highest, int64_t *out,
                                              struct of_error *err);

OF_MUST_USE enum of_status of_cell_to_boolean(const struct of_cell *cell, bool *out, struct of_error *err);

/* Decimal notation as text ("-12.50", "1e3"): what a number was written as, or is. OF_POISON: it is no number. */
enum { OF_CELL_NUMBER_BYTES = 512 };
OF_MUST_USE enum of_status of_cell_to_number_text(const struct of_cell *cell, char out[OF_CELL_NUMBER_BYTES],
                                                  struct of_error *err);

/* Sets "\"VALUE\" WHAT" with as much of the value as it takes to find it, or only WHAT where there is none. */
enum of_status of_cell_complain(const struct of_cell *cell, const char *what, struct of_error *err);

#endif
