#include "ops/terminal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/escape.h"

enum { COLUMNS = 80, ROWS = 24, LEAST = 10, MOST = 1000, FIT_BYTES = 1024, LINE_BYTES = 4096 };

const char *const of_color_names[] = { "auto", "always", "never", NULL };

static bool
given(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && *value != '\0';
}

/* The first of them that is set decides, as for setlocale(3). */
static bool
locale_is_utf8(void)
{
    static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (int i = 0; i < 3; i++)
        if (given(variables[i])) {
            const char *charset = strchr(getenv(variables[i]), '.');
            return charset != NULL && (strncasecmp(charset, ".utf-8", 6) == 0 || strncasecmp(charset, ".utf8", 5) == 0);
        }
    return false;
}

void
of_terminal_init(struct of_terminal *terminal, FILE *out, enum of_color color)
{
    int descriptor = fileno(out);
    bool is_terminal = descriptor >= 0 && isatty(descriptor);
    bool dumb = !given("TERM") || strcmp(getenv("TERM"), "dumb") == 0;
    *terminal = (struct of_terminal) {
        .laid_out = is_terminal || color == OF_COLOR_ALWAYS,
        .colour = color == OF_COLOR_ALWAYS || (color == OF_COLOR_AUTO && is_terminal && !dumb && !given("NO_COLOR")),
        .redraws = is_terminal && !dumb,
        .utf8 = locale_is_utf8(),
        .shows_log = isatty(STDERR_FILENO),
        .descriptor = is_terminal ? descriptor : -1,
        .columns = COLUMNS,
        .rows = ROWS,
    };
    of_terminal_measure(terminal);
}

static unsigned
between(unsigned value, unsigned otherwise)
{
    return value == 0 ? otherwise : value < LEAST ? LEAST : value > MOST ? MOST : value;
}

void
of_terminal_measure(struct of_terminal *terminal)
{
    struct winsize size;
    if (terminal->descriptor < 0 || ioctl(terminal->descriptor, TIOCGWINSZ, &size) != 0)
        return;
    terminal->columns = between(size.ws_col, COLUMNS);
    terminal->rows = between(size.ws_row, ROWS);
}

const char *
of_terminal_begin(const struct of_terminal *terminal, enum of_style style)
{
    static const char *const codes[] = {
        [OF_STYLE_PLAIN] = "", [OF_STYLE_BOLD] = "\33[1m",  [OF_STYLE_DIM] = "\33[2m",
        [OF_STYLE_GOOD] = "\33[32m", [OF_STYLE_WARN] = "\33[33m", [OF_STYLE_BAD] = "\33[31m",
    };
    return terminal->colour ? codes[style] : "";
}

const char *
of_terminal_end(const struct of_terminal *terminal, enum of_style style)
{
    return terminal->colour && style != OF_STYLE_PLAIN ? "\33[0m" : "";
}

/* ---- text ---- */

static uint32_t
code_point(const uint8_t *c, size_t length)
{
    uint32_t code = length == 1 ? c[0] : c[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (c[i] & 0x3F);
    return code;
}

/* Combining marks take no column; the East Asian and pictographic blocks two. Near enough for alignment. */
static unsigned
columns_of(uint32_t code)
{
    static const uint32_t wide[][2] = {
        { 0x1100, 0x115F }, { 0x2E80, 0xA4CF }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F },
        { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1F64F }, { 0x1F900, 0x1F9FF }, { 0x20000, 0x3FFFD },
    };
    if ((code >= 0x300 && code <= 0x36F) || code == 0x200D || (code >= 0xFE00 && code <= 0xFE0F))
        return 0;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (code >= wide[i][0] && code <= wide[i][1])
            return 2;
    return 1;
}

unsigned
of_terminal_fit(const struct of_terminal *terminal, struct of_slice text, unsigned least, unsigned most, char *out,
                size_t size)
{
    char shown[FIT_BYTES];
    struct of_slice rest = of_slice_of(shown, of_escape(OF_ESCAPE_TERMINAL, text, shown, sizeof shown));
    unsigned columns = 0;
    size_t written = 0;
    while (rest.length > 0) {
        size_t length = of_utf8_length(rest);
        bool strange = length > 1 && !terminal->utf8;
        unsigned takes = strange ? 1 : columns_of(code_point(rest.data, length));
        if (columns + takes > most || written + length >= size)
            break;
        memcpy(out + written, strange ? (const uint8_t *)"?" : rest.data, strange ? 1 : length);
        written += strange ? 1 : length;
        columns += takes;
        rest = of_slice_of(rest.data + length, rest.length - length);
    }
    while (columns < least && written + 1 < size) {
        out[written++] = ' ';
        columns++;
    }
    out[written] = '\0';
    return columns;
}

const char *
of_terminal_number(uint64_t number, char text[OF_TERMINAL_NUMBER_BYTES])
{
    char *at = text + OF_TERMINAL_NUMBER_BYTES - 1;
    *at = '\0';
    for (int digits = 0; digits == 0 || number > 0; digits++, number /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + number % 10);
    }
    return at;
}

void
of_terminal_put(struct of_terminal_line *line, enum of_style style, const char *format, ...)
{
    char text[LINE_BYTES], shown[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    unsigned room = line->terminal->columns - 1 - line->column;
    line->column += of_terminal_fit(line->terminal, of_slice_str(text), 0, room, shown, sizeof shown);
    fprintf(line->out, "%s%s%s", of_terminal_begin(line->terminal, style), shown,
            of_terminal_end(line->terminal, style));
}
