#include "core/roff.h"

#include <stdbool.h>
#include <string.h>

enum { LINE_COLUMNS = 76, WORD_BYTES = 512 };

/* quoted: inside the double quotes of a macro's argument. */
static void
write_text(FILE *out, const char *text, bool quoted)
{
    if (*text == '.')
        fputs("\\&", out);
    for (; *text != '\0'; text++)
        switch (*text) {
        case '\\': fputs("\\e", out); break;
        case '-': fputs("\\-", out); break;
        case '"': fputs(quoted ? "\\(dq" : "\"", out); break;
        case '\'': fputs("\\(aq", out); break;
        case '`': fputs("\\(ga", out); break;
        case '^': fputs("\\(ha", out); break;
        case '~': fputs("\\(ti", out); break;
        default: fputc(*text, out);
        }
}

void
of_roff_text(FILE *out, const char *text)
{
    write_text(out, text, false);
}

void
of_roff_words(FILE *out, const char *text, const char *end)
{
    char word[WORD_BYTES];
    size_t column = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        const char *after = text + length + strspn(text + length, " ");
        snprintf(word, sizeof word, "%.*s%s", (int)length, text, *after == '\0' ? end : "");
        bool fits = column + 1 + strlen(word) <= LINE_COLUMNS;
        if (column > 0)
            fputc(fits ? ' ' : '\n', out);
        write_text(out, word, false);
        column = (fits ? column + 1 : 0) + strlen(word);
        text = after;
    }
    fputc('\n', out);
}

void
of_roff_macro(FILE *out, const char *macro, const char *text)
{
    fprintf(out, ".%s \"", macro);
    write_text(out, text, true);
    fputs("\"\n", out);
}

void
of_roff_lines(FILE *out, const char *lines)
{
    char line[1024];
    fputs(".nf\n", out);
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, lines);
        write_text(out, line, false);
        fputs(length > 0 ? "\n" : "\\&\n", out);
        lines += length + (lines[length] == '\n');
    }
    fputs(".fi\n", out);
}
