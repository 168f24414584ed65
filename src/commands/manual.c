/* The pages of the manual: what only a person can say of a command stands here, the rest comes from the tables. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/settings.h"
#include "core/assert.h"
#include "core/roff.h"

/* Paragraphs and examples, one line each. */
static const struct {
    const char *command;
    const char *description[5];
    const char *examples[5];
} words[] = {
    { "run",
      { "Consumes orders from Kafka and keeps the exact running average of their price, overall and by product. Orders "
        "that fail for a moment wait in the retry topic without holding anything up; what keeps failing, or cannot be "
        "read, becomes a dead letter that says why.",
        "Progress, totals, retries and dead letters are committed together, so that a crash loses nothing and counts "
        "nothing twice. Several instances with the same group share the partitions.",
        "SIGINT or SIGTERM finishes what was read, commits it and leaves the group; a second one ends at once with "
        "status 3. Under a service manager that asks for it (NOTIFY_SOCKET, see sd_notify(3)) it tells when it is "
        "ready, what it does, and that its threads make progress." },
      { "orderflow run --brokers kafka-1:9092,kafka-2:9092 --registry http://registry:8081",
        "orderflow run --exit-at-end --console json", "orderflow run --config /etc/orderflow/orderflow.conf" } },
    { "produce",
      { "Publishes orders in Avro with the registry's framing: random ones, or the rows of a CSV file or of JSON lines. "
        "The schema is registered first. At the end the exact sum of what was delivered is told, to be compared with "
        "that of a run." },
      { "orderflow produce", "orderflow produce --count 100000 --rate 0",
        "orderflow produce --file orders.csv --schema sale.avsc" } },
    { "demo",
      { "Publishes and consumes orders in one process that carries a small Kafka and a schema registry inside; nothing "
        "needs to run." },
      { "orderflow demo", "orderflow demo --count 100000 --rate 0" } },
    { "stats",
      { "Reads the totals that all instances of a group have committed from the aggregates topic, without being a "
        "member of the group." },
      { "orderflow stats", "orderflow stats --json", "orderflow stats --follow" } },
    { "reset",
      { "Forgets committed offsets and recorded totals of a group together, so that the next run counts everything "
        "again. No instance of the group may run. Without --yes it only says what it would do." },
      { "orderflow reset", "orderflow reset --yes" } },
    { "doctor",
      { "Looks at all that a run would need: brokers, topics and their settings, permissions, the group, the schema registry, the clock "
        "and the limits of the process, and says what to fix, the first thing first." },
      { "orderflow doctor", "orderflow doctor --config /etc/orderflow/orderflow.conf" } },
    { "schema",
      { "Tells what becomes of each field of a schema, and talks to the schema registry." },
      { "orderflow schema explain sale.avsc", "orderflow schema register --schema sale.avsc --subject sales-value",
        "orderflow schema list" } },
};

enum { WORDS = sizeof words / sizeof *words };

static unsigned
number_of(const char *command)
{
    unsigned k = 0;
    while (of_settings_table.commands[k] != NULL && strcmp(of_settings_table.commands[k], command) != 0)
        k++;
    return of_settings_table.commands[k] != NULL ? k : OF_EVERY_COMMAND;
}

/* Those of `help` and `version` are told with the program. */
static bool
has_page(const struct of_command *command)
{
    return strcmp(command->name, "help") != 0 && strcmp(command->name, "version") != 0;
}

/* ---- what pages are made of ---- */

static void
print_title(FILE *out, const char *page, int section, const char *summary)
{
    fprintf(out, ".\\\" Made by 'orderflow help --man'.\n.TH \"");
    for (const char *letter = page; *letter != '\0'; letter++)
        fputc(toupper((unsigned char)*letter), out);
    fprintf(out, "\" %d \"%s\" \"orderflow %s\"%s\n", section, ORDERFLOW_DATE, ORDERFLOW_VERSION,
            section == 1 ? " \"User commands\"" : " \"File formats\"");
    fputs(".SH NAME\n", out);
    of_roff_text(out, page);
    fputs(" \\- ", out);
    of_roff_text(out, summary); /* whatis wants it in one line */
    fputc('\n', out);
}

static void
print_example(FILE *out, const char *text)
{
    fputs(".RS 4\n.nf\n", out);
    of_roff_text(out, text);
    fputs("\n.fi\n.RE\n", out);
}

static void
print_exit_statuses(FILE *out)
{
    of_roff_macro(out, "SH", "EXIT STATUS");
    for (int i = 0; of_exit_meanings[i] != NULL; i++) {
        fprintf(out, ".TP\n.B %d\n", i);
        of_roff_words(out, of_exit_meanings[i], ".");
    }
}

static void
print_environment(FILE *out)
{
    of_roff_macro(out, "SH", "ENVIRONMENT");
    of_roff_words(out, "Every option can be given as a variable: ORDERFLOW_RETRY_DELAY_MS=2000 for --retry-delay-ms 2000. "
                       "Flags win over the environment, the environment over the file, the file over the default.", "");
    fputs(".TP\n.B ORDERFLOW_CONFIG\nthe configuration file, as \\-\\-config.\n"
          ".TP\n.B NO_COLOR\nno colours, unless \\-\\-color always.\n", out);
}

static void
print_files(FILE *out)
{
    of_roff_macro(out, "SH", "FILES");
    fputs(".TP\n.I /etc/orderflow/orderflow.conf\nthe configuration of the service; commands read it when\n"
          "\\-\\-config or ORDERFLOW_CONFIG names it.\n", out);
}

static void
print_see_also(FILE *out, const char *without)
{
    of_roff_macro(out, "SH", "SEE ALSO");
    if (strcmp(without, "orderflow") != 0)
        fputs(".BR orderflow (1),\n", out);
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        if (has_page(command) && strcmp(command->name, without) != 0)
            fprintf(out, ".BR orderflow\\-%s (1),\n", command->name);
    fputs(strcmp(without, "orderflow.conf") != 0 ? ".BR orderflow.conf (5)\n" : ".BR systemd.service (5)\n", out);
}

/* ---- commands ---- */

/* What `orderflow COMMAND --help` prints, for commands that are not in the table of options. To be freed. */
static char *
help_text(const struct of_command *command)
{
    FILE *file = tmpfile();
    OF_ASSERT(file != NULL);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    OF_ASSERT(kept >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    (void)command->run(2, (char *[]) { (char *)(uintptr_t)command->name, (char[]) { "--help" }, NULL });
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    long size = ftell(file) >= 0 && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
    char *text = calloc((size_t)size + 1, 1);
    OF_ASSERT(text != NULL);
    rewind(file);
    size_t length = fread(text, 1, (size_t)size, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static char *
usage_text(const struct of_command *command)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    OF_ASSERT(out != NULL);
    if (command->print_usage != NULL)
        command->print_usage(out);
    else
        fprintf(out, "usage: orderflow %s [OPTION]...\n", command->name);
    fclose(out);
    return text;
}

static bool
is_about(size_t i, const char *command)
{
    return strcmp(words[i].command, command) == 0;
}

/* otherwise: what is said of a command that is not among the words. */
static void
print_words(FILE *out, const char *command, const char *otherwise)
{
    size_t i = 0;
    while (i < WORDS && !is_about(i, command))
        i++;
    if (i == WORDS)
        of_roff_words(out, otherwise, ".");
    for (int k = 0; i < WORDS && words[i].description[k] != NULL; k++) {
        fputs(k > 0 ? ".PP\n" : "", out);
        of_roff_words(out, words[i].description[k], "");
    }
}

static void
print_examples(FILE *out, const char *command)
{
    for (size_t i = 0; i < WORDS; i++)
        if (is_about(i, command)) {
            of_roff_macro(out, "SH", "EXAMPLES");
            for (int k = 0; words[i].examples[k] != NULL; k++) {
                fputs(k > 0 ? ".PP\n" : "", out);
                print_example(out, words[i].examples[k]);
            }
        }
}

static void
print_command(const struct of_command *command, FILE *out)
{
    char page[64];
    unsigned number = number_of(command->name);
    char *usage = number != OF_EVERY_COMMAND ? usage_text(command) : help_text(command);
    const char *synopsis = strstr(usage, "usage: ");
    snprintf(page, sizeof page, "orderflow-%s", command->name);
    print_title(out, page, 1, command->summary);
    of_roff_macro(out, "SH", "SYNOPSIS");
    of_roff_lines(out, synopsis != NULL ? synopsis + strlen("usage: ") : usage);
    if (number != OF_EVERY_COMMAND) {
        of_roff_macro(out, "SH", "DESCRIPTION");
        print_words(out, command->name, command->summary);
        of_roff_macro(out, "SH", "OPTIONS");
        of_options_print_man(&of_settings_table, number, out);
        print_environment(out);
        print_files(out);
    }
    print_exit_statuses(out);
    print_examples(out, command->name);
    print_see_also(out, command->name);
    free(usage);
}

/* ---- the program and its file ---- */

static void
print_program(FILE *out)
{
    print_title(out, "orderflow", 1, "exact running averages of Kafka orders, with retries and dead letters");
    of_roff_macro(out, "SH", "SYNOPSIS");
    of_roff_lines(out, "orderflow COMMAND [OPTION]...\norderflow help [COMMAND]\norderflow version");
    of_roff_macro(out, "SH", "DESCRIPTION");
    print_words(out, "run", "");
    of_roff_macro(out, "SH", "COMMANDS");
    for (const struct of_command *command = of_commands; command->name != NULL; command++) {
        if (has_page(command))
            fprintf(out, ".TP\n.BR orderflow\\-%s (1)\n", command->name);
        else
            fprintf(out, ".TP\n.B orderflow %s\n", command->name);
        of_roff_words(out, command->summary, ".");
    }
    print_environment(out);
    print_files(out);
    print_exit_statuses(out);
    print_see_also(out, "orderflow");
}

static void
print_file(FILE *out)
{
    print_title(out, "orderflow.conf", 5, "configuration of orderflow");
    of_roff_macro(out, "SH", "DESCRIPTION");
    of_roff_words(out, "Lines 'option = value'. Blank lines, and lines that start with '#' or '!', are comments. The "
                       "value is the rest of the line, without quotes or escapes. One file serves all commands: options "
                       "of other commands are checked and then ignored. A name that is no option, a name given twice and "
                       "a value out of range are errors, told with file and line.", "");
    fputs(".PP\n", out);
    of_roff_words(out, "'orderflow config template' prints a file with every option, and 'orderflow config print' what "
                       "is configured and from where.", "");
    of_roff_macro(out, "SH", "OPTIONS");
    of_options_print_man_file(&of_settings_table, out);
    of_roff_macro(out, "SH", "PROPERTIES");
    of_roff_words(out, "'kafka.NAME = VALUE' sets a property of librdkafka that delivery does not depend on:", "");
    print_example(out, "kafka.security.protocol = ssl");
    print_files(out);
    print_see_also(out, "orderflow.conf");
}

/* ---- all of them ---- */

int
of_manual_print(const char *page, FILE *out)
{
    if (strcmp(page, "orderflow") == 0) {
        print_program(out);
        return OF_EXIT_DONE;
    }
    if (strcmp(page, "orderflow.conf") == 0) {
        print_file(out);
        return OF_EXIT_DONE;
    }
    for (const struct of_command *command = of_commands; command->name != NULL; command++)
        if (strcmp(command->name, page) == 0 && has_page(command)) {
            print_command(command, out);
            return OF_EXIT_DONE;
        }
    return OF_EXIT_USAGE;
}

static int
write_page(const char *folder, const char *name, const char *page)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "we");
    int status = out != NULL ? of_manual_print(page, out) : OF_EXIT_FAILED;
    if (out != NULL && (ferror(out) | fclose(out)) == 0)
        return status;
    fprintf(stderr, "orderflow help: %s: %s\n", path, strerror(errno));
    return OF_EXIT_FAILED;
}

int
of_manual_write(const char *folder)
{
    char name[128];
    int status = write_page(folder, "orderflow.1", "orderflow");
    if (status == OF_EXIT_DONE)
        status = write_page(folder, "orderflow.conf.5", "orderflow.conf");
    for (const struct of_command *command = of_commands; command->name != NULL && status == OF_EXIT_DONE; command++) {
        snprintf(name, sizeof name, "orderflow-%s.1", command->name);
        if (has_page(command))
            status = write_page(folder, name, command->name);
    }
    return status;
}
