/* JSON values as cells (core/cell.h), for the folders that know jansson. */
#ifndef OF_CORE_CELL_JSON_H
#define OF_CORE_CELL_JSON_H

#include <jansson.h>

#include "core/cell.h"

/* The cell that a value is; it borrows. NULL is a cell that is missing. */
static inline struct of_cell
of_cell_of_json(const json_t *value)
{
    if (value == NULL)
        return (struct of_cell) { .kind = OF_CELL_MISSING };
    switch (json_typeof(value)) {
    case JSON_NULL: return (struct of_cell) { .kind = OF_CELL_NULL };
    case JSON_TRUE: return (struct of_cell) { .kind = OF_CELL_BOOLEAN, .boolean = true };
    case JSON_FALSE: return (struct of_cell) { .kind = OF_CELL_BOOLEAN, .boolean = false };
    case JSON_INTEGER: return (struct of_cell) { .kind = OF_CELL_INTEGER, .integer = json_integer_value(value) };
    case JSON_REAL: return of_cell_real(json_real_value(value));
    case JSON_STRING: return of_cell_text(of_slice_of(json_string_value(value), json_string_length(value)));
    case JSON_OBJECT:
    case JSON_ARRAY: break;
    }
    return (struct of_cell) { .kind = OF_CELL_OTHER };
}

#endif
