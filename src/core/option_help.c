#include <string.h>

#include "core/option_sources.h"

enum { TEXT_COLUMN = 34, LAST_COLUMN = 110 };

/* Writes `text` word by word from the current column, going on in TEXT_COLUMN. */
static void
print_wrapped(FILE *out, const char *text)
{
    int column = TEXT_COLUMN;
    for (const char *word = text; *word != '\0';) {
        int length = (int)strcspn(word, " ");
        if (column > TEXT_COLUMN && column + 1 + length > LAST_COLUMN) {
            fprintf(out, "\n%*s", TEXT_COLUMN, "");
            column = TEXT_COLUMN;
        } else if (column > TEXT_COLUMN) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, word);
        column += length;
        word += length;
        word += strspn(word, " ");
    }
    fputc('\n', out);
}

static void
print_entry(FILE *out, const char *flag, const char *text)
{
    if (strlen(flag) + 2 > TEXT_COLUMN)
        fprintf(out, "%s\n%*s", flag, TEXT_COLUMN, "");
    else
        fprintf(out, "%-*s", TEXT_COLUMN, flag);
    print_wrapped(out, text);
}

static void
print_option(FILE *out, const struct of_option *option, unsigned command)
{
    const char *initial = of_option_initial(option, command);
    char flag[128], allowed[256], text[1024];
    if (option->type == OF_OPTION_BOOL)
        snprintf(flag, sizeof flag, "  --[no-]%s", option->name);
    else if (option->is_secret)
        snprintf(flag, sizeof flag, "  (%s)", option->name); /* no flag, but everything else */
    else
        snprintf(flag, sizeof flag, "  --%s %s", option->name, option->placeholder);
    of_option_describe(option, allowed, sizeof allowed);
    bool says_range = allowed[0] != '\0' && option->type != OF_OPTION_BOOL;
    snprintf(text, sizeof text, "%s (%s%s%s%s)", option->help, says_range ? allowed : "", says_range ? "; " : "",
             initial != NULL ? "default " : "no default", initial != NULL ? initial : "");
    print_entry(out, flag, text);
}

void
of_options_print_help(const struct of_option_table *table, unsigned command, FILE *out)
{
    const char *section = "";
    for (const struct of_option *option = NULL; (option = of_option_next(table, command, option)) != NULL;) {
        if (of_option_begins_section(option, &section))
            fprintf(out, "\n%s\n", option->section);
        print_option(out, option, command);
    }
    if (of_option_belongs(table->property_commands, command))
        print_entry(out, "  -X NAME=VALUE", "set a property of librdkafka; may be repeated");
    print_entry(out, "  -h, --help", "print this text");
}
