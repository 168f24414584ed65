/* Writing JSON line by line without building it in memory: one event per order must not cost an allocation.
 *
 * Text is escaped by core/escape.h first, so that every line is valid UTF-8 whatever bytes it is given. A call puts the
 * comma itself; key == NULL: the element of an array, or the outermost object. Errors: those of the FILE (ferror).
 * Threads: one at a time per writer. */
#ifndef OF_OPS_JSON_H
#define OF_OPS_JSON_H

#include <stdio.h>

#include "core/slice.h"

struct of_json {
    FILE *out;
    bool comma; /* something stands before in the same object */
};

struct of_json of_json_to(FILE *out);

void of_json_open(struct of_json *json, const char *key, char bracket);  /* '{' or '[' */
void of_json_open_text(struct of_json *json, struct of_slice key);       /* '{' under a key from outside */
void of_json_close(struct of_json *json, char bracket);                  /* '}' or ']' */
void of_json_end_line(struct of_json *json);

void of_json_text(struct of_json *json, const char *key, struct of_slice text); /* absent: null */
void of_json_string(struct of_json *json, const char *key, const char *text);   /* NULL: null */
void of_json_int(struct of_json *json, const char *key, int64_t number);
void of_json_count(struct of_json *json, const char *key, uint64_t number);
void of_json_bool(struct of_json *json, const char *key, bool value);

/* The shortest of 15 to 17 digits that reads back as the same double; null when it is not finite. */
void of_json_number(struct of_json *json, const char *key, double number);

/* A number as it is to be written. */
void of_json_literal(struct of_json *json, const char *key, const char *number);

#endif
