/* Totals of a whole consumer group, out of the aggregates topic: whether its instances run makes no difference.
 *
 * With --follow the numbers are rendered again whenever records came, and printed when they read otherwise than the last
 * time; on a terminal over what was printed before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands/commands.h"
#include "commands/group_totals.h"
#include "commands/interrupt.h"
#include "commands/kafka_options.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "ops/console.h"

enum {
    ONCE_WAIT_MS = 20,    /* how late it is seen that everything is read */
    FOLLOW_WAIT_MS = 200,
    POLL_MS = 100,
    PRINT_MS = 200,       /* between two prints, at least */
    LOOK_MS = 5000,       /* between two looks for new partitions */
    LINE_BYTES = 4096,
};

struct stats {
    const struct of_settings *settings;
    struct of_kafka_options kafka;
    struct of_group_totals totals;
    struct of_terminal terminal;
    char *shown;           /* what was printed last; NULL: nothing */
    unsigned shown_lines;  /* on the terminal, that can be printed over */
};

/* ---- printing ---- */

/* On OF_OK the caller frees *text. */
static enum of_status
render(struct stats *stats, char **text, struct of_error *err)
{
    struct of_totals sums;
    enum of_status status = of_group_totals_sum(&stats->totals, &sums, err);
    if (status == OF_OK) {
        size_t size;
        FILE *out = open_memstream(text, &size);
        if (out == NULL)
            abort(); /* out of memory, as everywhere */
        char title[512];
        snprintf(title, sizeof title, "Group %s", stats->kafka.group);
        if (stats->settings->json)
            of_console_print_totals_json(out, &sums);
        else
            of_console_print_totals(out, title, &sums, "--json");
        fclose(out);
    }
    of_totals_fini(&sums);
    return status;
}

/* As much as fits onto the screen, each line cut to its width. */
static void
print_over(struct stats *stats, const char *text)
{
    char line[LINE_BYTES];
    if (stats->shown_lines > 0)
        printf("\33[%uA", stats->shown_lines);
    of_terminal_measure(&stats->terminal);
    for (stats->shown_lines = 0; *text != '\0' && stats->shown_lines + 1 < stats->terminal.rows; stats->shown_lines++) {
        size_t length = strcspn(text, "\n");
        of_terminal_fit(&stats->terminal, of_slice_of(text, length), 0, stats->terminal.columns - 1, line, sizeof line);
        printf("%s\33[K\n", line);
        text += length + (text[length] == '\n');
    }
    fputs("\33[J", stdout);
}

/* Takes the text. */
static enum of_status
print(struct stats *stats, char *text, struct of_error *err)
{
    bool separate = stats->shown != NULL && !stats->settings->json;
    if (stats->settings->follow && stats->terminal.redraws && !stats->settings->json)
        print_over(stats, text);
    else
        printf("%s%s", separate ? "\n" : "", text);
    free(stats->shown);
    stats->shown = text;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return OF_OK;
    return of_error_set(err, OF_FATAL, "standard output is gone");
}

static enum of_status
print_changes(struct stats *stats, struct of_error *err)
{
    char *text;
    enum of_status status = render(stats, &text, err);
    if (status != OF_OK)
        return status;
    if (stats->shown == NULL || strcmp(stats->shown, text) != 0)
        return print(stats, text, err);
    free(text);
    return OF_OK;
}

/* ---- running ---- */

/* A group that has just begun or was reset has nothing for a moment; it is shown once it has. */
static enum of_status
follow(struct stats *stats, struct of_error *err)
{
    uint64_t seen = stats->totals.recorded->changes;
    int64_t print_ns = 0, look_ns = 0;
    enum of_status status = OF_OK;
    while ((status == OF_OK || status == OF_AGAIN) && !of_interrupt_requested()) {
        status = of_group_totals_follow(&stats->totals, POLL_MS, err);
        int64_t now_ns = of_clock_mono_ns(of_clock_system());
        if (status == OF_OK && now_ns >= look_ns) {
            look_ns = now_ns + LOOK_MS * OF_MS_NS;
            of_group_totals_look(&stats->totals);
        }
        if (status != OF_OK || stats->totals.recorded->changes == seen || now_ns < print_ns)
            continue;
        print_ns = now_ns + PRINT_MS * OF_MS_NS;
        seen = stats->totals.recorded->changes;
        status = print_changes(stats, err);
    }
    return status == OF_AGAIN ? OF_OK : status;
}

static enum of_status
show(struct stats *stats, struct of_error *err)
{
    int wait_ms = stats->settings->follow ? FOLLOW_WAIT_MS : ONCE_WAIT_MS;
    enum of_status status = of_group_totals_open(&stats->totals, "stats", &stats->kafka, wait_ms, err);
    if (status == OF_OK)
        status = of_group_totals_read(&stats->totals, err);
    if (status == OF_OK && stats->totals.partitions == 0)
        status = of_error_set(err, OF_FATAL, "topic %s does not exist: nothing was counted yet, or --aggregates-topic "
                              "names another", stats->kafka.aggregates_topic);
    if (status == OF_OK)
        status = print_changes(stats, err);
    if (status == OF_AGAIN && stats->settings->follow) {
        fprintf(stderr, "orderflow stats: %s: waiting for the first\n", err->text);
        status = OF_OK;
    }
    if (status == OF_OK && stats->settings->follow)
        status = follow(stats, err);
    return status;
}

static int
open_and_run(const struct of_command_line *line)
{
    of_interrupt_install();
    struct of_error err;
    struct stats stats = { .settings = &line->settings };
    of_kafka_options_init(&stats.kafka, line);
    of_terminal_init(&stats.terminal, stdout, (enum of_color)line->settings.color);
    int exit_status = OF_EXIT_DONE;
    if (of_kafka_check_properties(&stats.kafka, &err) != OF_OK)
        exit_status = OF_EXIT_USAGE;
    else if (show(&stats, &err) != OF_OK)
        exit_status = of_interrupt_requested() ? OF_EXIT_STOPPED : OF_EXIT_FAILED;
    if (exit_status != OF_EXIT_DONE && exit_status != OF_EXIT_STOPPED)
        fprintf(stderr, "orderflow stats: %s\n", err.text);
    of_group_totals_close(&stats.totals);
    free(stats.shown);
    of_kafka_options_fini(&stats.kafka);
    return exit_status;
}

int
of_command_stats(int argc, char **argv)
{
    return of_command_line_run(OF_COMMAND_STATS, argc, argv, open_and_run);
}
