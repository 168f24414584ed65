#include <inttypes.h>
#include <stdio.h>

#include "commands/commands.h"
#include "commands/group_reset.h"
#include "commands/interrupt.h"
#include "commands/kafka_options.h"

static uint32_t
count_committed(const struct of_reset_part *part)
{
    uint32_t count = 0;
    for (int32_t p = 0; p < part->partitions; p++)
        count += part->committed[p] >= 0;
    return count;
}

/* Offsets beyond what is committed: records, and the markers of transactions between them. */
static uint64_t
count_waiting(const struct of_group_reset *reset)
{
    uint64_t count = 0;
    for (int32_t p = 0; p < reset->retry.partitions; p++)
        if (reset->retry.committed[p] >= 0 && reset->retry_ends[p] > reset->retry.committed[p])
            count += (uint64_t)(reset->retry_ends[p] - reset->retry.committed[p]);
    return count;
}

static bool
is_known(const struct of_group_reset *reset)
{
    return reset->rows + reset->markers + reset->bad > 0 || count_committed(&reset->orders) > 0
           || count_committed(&reset->retry) > 0;
}

static void
print_plan(const struct of_group_reset *reset)
{
    bool yes = reset->settings != NULL;
    printf("%s group %s:\n", yes ? "Resetting" : "A reset of", reset->kafka->group);
    printf("  %-18s committed offsets of %" PRIu32 " of %" PRId32 " partitions are deleted\n", reset->orders.topic,
           count_committed(&reset->orders), reset->orders.partitions);
    printf("  %-18s all %" PRId32 " partitions go on at their present end: %" PRIu64 " offsets of waiting retries are "
           "passed over\n", reset->retry.topic, reset->retry.partitions, count_waiting(reset));
    printf("  %-18s %" PRIu64 " rows, which hold %" PRIu64 " orders, and %" PRIu64 " markers are deleted",
           reset->kafka->aggregates_topic, reset->rows, reset->counted, reset->markers);
    if (reset->bad > 0)
        printf(", and %" PRIu64 " records that cannot be read", reset->bad);
    printf("\n");
    if (reset->others > 0)
        printf("  %" PRIu64 " rows of other topics of the group stay\n", reset->others);
    printf("The next run starts from zero, where its option --from says.\n");
    fflush(stdout);
}

/* ---- the command ---- */

static enum of_status
run(struct of_group_reset *reset, const struct of_settings *settings, const struct of_kafka_options *kafka,
    struct of_error *err)
{
    enum of_status status = of_group_reset_open(reset, kafka, settings->yes ? settings : NULL, err);
    if (status == OF_OK)
        status = of_group_reset_gather(reset, err);
    if (status != OF_OK)
        return status;
    if (!is_known(reset))
        return of_error_set(err, OF_FATAL, "group %s has neither offsets of %s and %s nor totals in %s: there is nothing "
                            "to reset", kafka->group, kafka->orders_topic, kafka->retry_topic, kafka->aggregates_topic);
    print_plan(reset);
    if (!settings->yes) {
        printf("Nothing was changed; --yes does it.\n");
        return OF_OK;
    }
    status = of_group_reset_carry_out(reset, err);
    if (status == OF_OK)
        printf("Done.\n");
    return status;
}

static int
open_and_run(const struct of_command_line *line)
{
    of_interrupt_install();
    struct of_error err;
    struct of_group_reset reset = { 0 };
    struct of_kafka_options kafka;
    int exit_status = OF_EXIT_DONE;
    of_kafka_options_init(&kafka, line);
    if (of_kafka_check_properties(&kafka, &err) != OF_OK)
        exit_status = OF_EXIT_USAGE;
    else if (run(&reset, &line->settings, &kafka, &err) != OF_OK)
        exit_status = of_interrupt_requested() ? OF_EXIT_STOPPED : OF_EXIT_FAILED;
    if (exit_status != OF_EXIT_DONE)
        fprintf(stderr, "orderflow reset: %s\n", err.text);
    of_group_reset_close(&reset);
    of_kafka_options_fini(&kafka);
    return exit_status;
}

int
of_command_reset(int argc, char **argv)
{
    return of_command_line_run(OF_COMMAND_RESET, argc, argv, open_and_run);
}
