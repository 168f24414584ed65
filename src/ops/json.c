#include "ops/json.h"

#include <inttypes.h>
#include <math.h>

#include "core/escape.h"
#include "core/number_text.h"

struct of_json
of_json_to(FILE *out)
{
    return (struct of_json) { .out = out };
}

static void
put_piece(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            fprintf(out, "\\u%04x", c);
        else
            putc(c, out);
    }
}

/* In pieces that do not cut a character, nor a backslash from what makes it one of ours. */
static size_t
piece_length(struct of_slice rest, size_t most)
{
    if (rest.length <= most)
        return rest.length;
    size_t length = 0;
    while (length < most) {
        size_t step = of_utf8_length(of_slice_of(rest.data + length, rest.length - length));
        length += step == 0 ? 1 : step;
    }
    return rest.data[length - 1] == '\\' ? length - 1 : length;
}

static void
put_text(FILE *out, struct of_slice text)
{
    enum { PIECE = 256 };
    char escaped[(PIECE + 4) * OF_ESCAPE_GROWTH + 1];
    putc('"', out);
    while (text.length > 0) {
        size_t piece = piece_length(text, PIECE);
        put_piece(out, escaped, of_escape(OF_ESCAPE_TEXT, of_slice_of(text.data, piece), escaped, sizeof escaped));
        text = of_slice_of(text.data + piece, text.length - piece);
    }
    putc('"', out);
}

static void
put_key(struct of_json *json, const char *key)
{
    if (json->comma)
        putc(',', json->out);
    json->comma = true;
    if (key != NULL)
        fprintf(json->out, "\"%s\":", key);
}

void
of_json_open(struct of_json *json, const char *key, char bracket)
{
    put_key(json, key);
    putc(bracket, json->out);
    json->comma = false;
}

void
of_json_open_text(struct of_json *json, struct of_slice key)
{
    put_key(json, NULL);
    put_text(json->out, key);
    fputs(":{", json->out);
    json->comma = false;
}

void
of_json_close(struct of_json *json, char bracket)
{
    putc(bracket, json->out);
    json->comma = true;
}

void
of_json_end_line(struct of_json *json)
{
    putc('\n', json->out);
    json->comma = false;
}

void
of_json_text(struct of_json *json, const char *key, struct of_slice text)
{
    put_key(json, key);
    if (text.data == NULL)
        fputs("null", json->out);
    else
        put_text(json->out, text);
}

void
of_json_string(struct of_json *json, const char *key, const char *text)
{
    of_json_text(json, key, text == NULL ? of_slice_of(NULL, 0) : of_slice_str(text));
}

void
of_json_int(struct of_json *json, const char *key, int64_t number)
{
    put_key(json, key);
    fprintf(json->out, "%" PRId64, number);
}

void
of_json_count(struct of_json *json, const char *key, uint64_t number)
{
    put_key(json, key);
    fprintf(json->out, "%" PRIu64, number);
}

void
of_json_bool(struct of_json *json, const char *key, bool value)
{
    put_key(json, key);
    fputs(value ? "true" : "false", json->out);
}

void
of_json_number(struct of_json *json, const char *key, double number)
{
    char text[OF_DOUBLE_TEXT_BYTES] = "null";
    if (isfinite(number))
        of_double_text(number, text);
    put_key(json, key);
    fputs(text, json->out);
}

void
of_json_literal(struct of_json *json, const char *key, const char *number)
{
    put_key(json, key);
    fputs(number, json->out);
}
