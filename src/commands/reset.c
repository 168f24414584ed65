/* Starting over: a group's offsets and totals are forgotten together.
 *
 * What there is of a group: committed offsets of orders and retries; in the aggregates topic rows and a marker for each
 * of their partitions. A start believes the marker where no offset is committed, and refuses a partition that has an
 * offset without a marker (order/slot_state.h). Hence this order of work:
 *
 *   1  the committed offsets of the orders partitions are deleted
 *   2  in one transaction: all rows and markers of the group are deleted; every retry partition gets a new marker at its
 *      present end, and that end as the committed offset, because the retries that wait there belong to the history that
 *      is forgotten: their orders will be read again
 *
 *   a crash       leaves
 *   before 1      everything as it was
 *   between 1, 2  partitions of orders with a marker and without an offset: a start goes on at the marker, with all
 *                 totals. Nothing is lost or counted twice; it was no reset
 *   within 2      the same: what is not committed does not count
 *   after 2       partitions of orders with neither: the next start begins at --from, from zero; retry partitions go on
 *                 behind what waited
 *
 * Reset again finishes what a crash or an outage left. The other order would leave offsets without markers, which a start
 * has to refuse.
 *
 * A member of the group would go on with totals that are no longer recorded, so a group with members is refused; they are
 * looked for again right before the transaction commits. An instance that starts within the moments between is told
 * by its next start that rows are lost; then reset again.
 *
 * The topics that the options name are reset and no others: what the group has of other topics stays as it is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands/aggregate_schema.h"
#include "commands/commands.h"
#include "commands/group_totals.h"
#include "commands/interrupt.h"
#include "commands/kafka_options.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "kafka/admin.h"
#include "kafka/group.h"
#include "kafka/state_transaction.h"

enum {
    ASK_MS = 5000,
    PATIENCE_MS = 30000, /* for steps that wait for brokers */
    PAUSE_MS = 500,
    ID_BYTES = 512,
};

/* The partitions of a topic, and what the group has in them. */
struct part {
    const char *topic;
    int32_t partitions; /* 0: there is no such topic */
    int64_t *committed; /* by partition; -1: nothing */
};

struct reset {
    const struct of_settings *settings;
    struct of_kafka_options kafka;
    struct of_admin *admin;
    struct of_group *group;
    struct of_group_totals totals;
    struct part orders, retry;
    int64_t *retry_ends; /* by partition */
    uint32_t schema_id;
    uint64_t rows, markers, bad, others; /* records that are to be deleted; that are of other topics */
    uint64_t counted;                    /* orders that the rows hold */
};

/* Again while no broker answers. */
static enum of_status
insist(struct reset *reset, enum of_status (*step)(struct reset *, struct of_error *), struct of_error *err)
{
    int64_t deadline_ns = of_clock_mono_ns(of_clock_system()) + PATIENCE_MS * OF_MS_NS;
    enum of_status status;
    while ((status = step(reset, err)) == OF_RETRY && !of_interrupt_requested()
           && of_clock_mono_ns(of_clock_system()) < deadline_ns) {
        of_log_limited(OF_LOG_WARNING, "reset", "%s; trying again", err->text);
        nanosleep(&(struct timespec) { .tv_nsec = PAUSE_MS * OF_MS_NS }, NULL);
    }
    return status;
}

/* ---- what there is ---- */

static enum of_status
refuse_members(struct reset *reset, struct of_error *err)
{
    uint32_t members;
    char one[128];
    enum of_status status = of_group_members(reset->group, ASK_MS, &members, one, sizeof one, err);
    if (status != OF_OK || members == 0)
        return status;
    return of_error_set(err, OF_FATAL, "group %s has %" PRIu32 " member%s (%s): stop its instances first; one that "
                        "crashed is a member until its session times out", reset->kafka.group, members,
                        members == 1 ? "" : "s", one);
}

static enum of_status
look_up_part(struct reset *reset, struct part *part, struct of_error *err)
{
    enum of_status status = of_admin_look_up(reset->admin, part->topic, ASK_MS, &part->partitions, err);
    if (status != OF_OK)
        return status;
    free(part->committed);
    part->committed = of_alloc_array((size_t)part->partitions, sizeof *part->committed);
    if (part->partitions == 0)
        return OF_OK;
    return of_group_committed(reset->group, part->topic, part->partitions, PATIENCE_MS, part->committed, err);
}

static enum of_status
look_up(struct reset *reset, struct of_error *err)
{
    enum of_status status = look_up_part(reset, &reset->orders, err);
    if (status == OF_OK)
        status = look_up_part(reset, &reset->retry, err);
    free(reset->retry_ends);
    reset->retry_ends = of_alloc_array((size_t)reset->retry.partitions, sizeof *reset->retry_ends);
    if (status == OF_OK && reset->retry.partitions > 0)
        status = of_group_ends(reset->group, reset->retry.topic, reset->retry.partitions, ASK_MS, reset->retry_ends, err);
    return status;
}

static void
count_records(struct reset *reset)
{
    for (uint32_t i = 0; i < reset->totals.recorded->count; i++) {
        const struct of_recorded_partition *partition = reset->totals.recorded->partitions[i];
        if (!of_group_totals_counts(&reset->totals, partition)) {
            reset->others += partition->there;
            continue;
        }
        reset->rows += partition->there;
        reset->markers += partition->marker_state == OF_RECORDED_THERE;
        reset->bad += partition->bad;
        for (uint32_t r = 0; r < partition->row_count; r++)
            if (partition->rows[r].state == OF_RECORDED_THERE)
                reset->counted += partition->rows[r].aggregate.count;
    }
}

static enum of_status
check_room(const struct reset *reset, struct of_error *err)
{
    if (reset->totals.partitions == 0)
        return of_error_set(err, OF_FATAL, "topic %s does not exist: nothing was counted yet, or --aggregates-topic "
                            "names another", reset->kafka.aggregates_topic);
    if (reset->totals.partitions < reset->retry.partitions)
        return of_error_set(err, OF_FATAL, "topic %s has %" PRId32 " partitions, and %s %" PRId32 ": add partitions to it "
                            "first, or start `orderflow run` once, which does", reset->kafka.aggregates_topic,
                            reset->totals.partitions, reset->retry.topic, reset->retry.partitions);
    return OF_OK;
}

/* The aggregates first: that waits for transactions that are still open, and what is asked for later is behind them. */
static enum of_status
gather(struct reset *reset, struct of_error *err)
{
    enum of_status status = insist(reset, refuse_members, err);
    if (status == OF_OK)
        status = of_group_totals_read(&reset->totals, err);
    if (status == OF_OK)
        status = insist(reset, look_up, err);
    if (status == OF_OK)
        status = check_room(reset, err);
    if (status == OF_OK)
        count_records(reset);
    return status;
}

/* ---- what is to be done ---- */

static uint32_t
count_committed(const struct part *part)
{
    uint32_t count = 0;
    for (int32_t p = 0; p < part->partitions; p++)
        count += part->committed[p] >= 0;
    return count;
}

/* Offsets beyond what is committed: records, and the markers of transactions between them. */
static uint64_t
count_waiting(const struct reset *reset)
{
    uint64_t count = 0;
    for (int32_t p = 0; p < reset->retry.partitions; p++)
        if (reset->retry.committed[p] >= 0 && reset->retry_ends[p] > reset->retry.committed[p])
            count += (uint64_t)(reset->retry_ends[p] - reset->retry.committed[p]);
    return count;
}

static bool
is_known(const struct reset *reset)
{
    return reset->rows + reset->markers + reset->bad > 0 || count_committed(&reset->orders) > 0
           || count_committed(&reset->retry) > 0;
}

static void
print_plan(const struct reset *reset)
{
    bool yes = reset->settings->yes;
    printf("%s group %s:\n", yes ? "Resetting" : "A reset of", reset->kafka.group);
    printf("  %-18s committed offsets of %" PRIu32 " of %" PRId32 " partitions are deleted\n", reset->orders.topic,
           count_committed(&reset->orders), reset->orders.partitions);
    printf("  %-18s all %" PRId32 " partitions go on at their present end: %" PRIu64 " offsets of waiting retries are "
           "passed over\n", reset->retry.topic, reset->retry.partitions, count_waiting(reset));
    printf("  %-18s %" PRIu64 " rows, which hold %" PRIu64 " orders, and %" PRIu64 " markers are deleted",
           reset->kafka.aggregates_topic, reset->rows, reset->counted, reset->markers);
    if (reset->bad > 0)
        printf(", and %" PRIu64 " records that cannot be read", reset->bad);
    printf("\n");
    if (reset->others > 0)
        printf("  %" PRIu64 " rows of other topics of the group stay\n", reset->others);
    printf("The next run starts from zero, where its option --from says.\n");
    fflush(stdout);
}

/* ---- doing it ---- */

static enum of_status
register_schema(struct reset *reset, struct of_error *err)
{
    return of_aggregate_schema_register(reset->settings->registry, reset->kafka.aggregates_topic, &reset->schema_id, err);
}

static enum of_status
forget_offsets(struct reset *reset, struct of_error *err)
{
    return of_group_forget(reset->group, reset->orders.topic, reset->orders.partitions, reset->orders.committed,
                           PATIENCE_MS, err);
}

/* group TAB topic TAB partition [TAB group value]; the caller frees key->data. */
static void
make_key(const struct reset *reset, const struct of_recorded_partition *partition, struct of_slice *group_value,
         struct of_slice *key)
{
    size_t room = strlen(reset->kafka.group) + strlen(partition->topic) + 32
                  + (group_value != NULL ? group_value->length : 0);
    char *text = of_alloc(room);
    size_t length = (size_t)snprintf(text, room, "%s\t%s\t%" PRId32 "%s", reset->kafka.group, partition->topic,
                                     partition->partition, group_value != NULL ? "\t" : "");
    if (group_value != NULL)
        memcpy(text + length, group_value->data, group_value->length);
    *key = of_slice_of(text, length + (group_value != NULL ? group_value->length : 0));
}

static enum of_status
delete_record(const struct reset *reset, struct of_state_transaction *transaction,
              const struct of_recorded_partition *partition, struct of_slice *group_value, struct of_error *err)
{
    struct of_slice key;
    make_key(reset, partition, group_value, &key);
    enum of_status status = of_state_transaction_write(transaction, partition->partition, key, of_slice_of(NULL, 0),
                                                       PATIENCE_MS, err);
    free((void *)(uintptr_t)key.data);
    return status;
}

static enum of_status
delete_partition(const struct reset *reset, struct of_state_transaction *transaction,
                 const struct of_recorded_partition *partition, struct of_error *err)
{
    enum of_status status = OF_OK;
    for (uint32_t r = 0; status == OF_OK && r < partition->row_count; r++)
        if (partition->rows[r].state != OF_RECORDED_ABSENT)
            status = delete_record(reset, transaction, partition, &partition->rows[r].group_value, err);
    if (status == OF_OK && partition->marker_state != OF_RECORDED_ABSENT)
        status = delete_record(reset, transaction, partition, NULL, err);
    return status;
}

static enum of_status
delete_records(const struct reset *reset, struct of_state_transaction *transaction, struct of_error *err)
{
    enum of_status status = OF_OK;
    for (uint32_t i = 0; status == OF_OK && i < reset->totals.recorded->count; i++)
        if (of_group_totals_counts(&reset->totals, reset->totals.recorded->partitions[i]))
            status = delete_partition(reset, transaction, reset->totals.recorded->partitions[i], err);
    return status;
}

/* Markers without fields: the next run decides on them. */
static enum of_status
mark_retries(const struct reset *reset, struct of_state_transaction *transaction, struct of_error *err)
{
    struct of_state_writer *writer = of_state_writer_create();
    enum of_status status = OF_OK;
    for (int32_t p = 0; status == OF_OK && p < reset->retry.partitions; p++) {
        const struct of_state_place place = { of_slice_str(reset->kafka.group), of_slice_str(reset->retry.topic), p };
        const struct of_state_marker marker = {
            .next_offset = reset->retry_ends[p],
            .version = OF_STATE_VERSION,
            .value_field = of_slice_str(""),
            .group_by_field = of_slice_str(""),
        };
        struct of_slice key, value;
        of_state_write_marker(writer, reset->schema_id, &place, &marker, &key, &value);
        status = of_state_transaction_write(transaction, p, key, value, PATIENCE_MS, err);
    }
    of_state_writer_destroy(&writer);
    return status;
}

static enum of_status
transact(struct reset *reset, struct of_error *err)
{
    char id[ID_BYTES];
    struct of_state_transaction *transaction;
    snprintf(id, sizeof id, "orderflow-%s-reset", reset->kafka.group);
    enum of_status status = of_state_transaction_open(&reset->kafka, id, PATIENCE_MS, &transaction, err);
    if (status == OF_OK)
        status = delete_records(reset, transaction, err);
    if (status == OF_OK)
        status = mark_retries(reset, transaction, err);
    if (status == OF_OK)
        status = insist(reset, refuse_members, err);
    if (status == OF_OK)
        status = of_state_transaction_commit(transaction, reset->retry.topic, reset->retry_ends, reset->retry.partitions,
                                             PATIENCE_MS, err);
    of_state_transaction_close(&transaction);
    return status;
}

static enum of_status
carry_out(struct reset *reset, struct of_error *err)
{
    enum of_status status = insist(reset, register_schema, err);
    if (status == OF_OK)
        status = insist(reset, forget_offsets, err);
    if (status != OF_OK)
        return status;
    status = transact(reset, err);
    if (status == OF_OK)
        return OF_OK;
    of_error_prefix(err, "not finished: reset again to finish it, or run on with the totals as they were");
    return status;
}

/* ---- the command ---- */

static enum of_status
begin(struct reset *reset, struct of_error *err)
{
    enum of_status status = of_group_totals_open(&reset->totals, "reset", &reset->kafka, 20, err);
    if (status == OF_OK)
        status = of_admin_open(&reset->kafka, &reset->admin, err);
    if (status == OF_OK)
        status = of_group_open(&reset->kafka, &reset->group, err);
    return status == OF_OK ? gather(reset, err) : status;
}

static enum of_status
run(struct reset *reset, struct of_error *err)
{
    enum of_status status = begin(reset, err);
    if (status != OF_OK)
        return status;
    if (!is_known(reset))
        return of_error_set(err, OF_FATAL, "group %s has neither offsets of %s and %s nor totals in %s: there is nothing "
                            "to reset", reset->kafka.group, reset->orders.topic, reset->retry.topic,
                            reset->kafka.aggregates_topic);
    print_plan(reset);
    if (!reset->settings->yes) {
        printf("Nothing was changed; --yes does it.\n");
        return OF_OK;
    }
    status = carry_out(reset, err);
    if (status == OF_OK)
        printf("Done.\n");
    return status;
}

static void
end(struct reset *reset)
{
    of_group_close(&reset->group);
    of_admin_close(&reset->admin);
    of_group_totals_close(&reset->totals);
    free(reset->orders.committed);
    free(reset->retry.committed);
    free(reset->retry_ends);
    of_kafka_options_fini(&reset->kafka);
}

static int
open_and_run(const struct of_command_line *line)
{
    struct of_error err;
    struct reset reset = {
        .settings = &line->settings,
        .orders = { .topic = line->settings.topic },
        .retry = { .topic = line->settings.retry_topic },
    };
    int exit_status = OF_EXIT_DONE;
    of_kafka_options_init(&reset.kafka, line);
    if (of_kafka_check_properties(&reset.kafka, &err) != OF_OK)
        exit_status = OF_EXIT_USAGE;
    else if (run(&reset, &err) != OF_OK)
        exit_status = of_interrupt_requested() ? OF_EXIT_STOPPED : OF_EXIT_FAILED;
    if (exit_status != OF_EXIT_DONE)
        fprintf(stderr, "orderflow reset: %s\n", err.text);
    end(&reset);
    return exit_status;
}

int
of_command_reset(int argc, char **argv)
{
    struct of_command_line line;
    int status;
    if (!of_settings_load(&line, OF_COMMAND_RESET, argc, argv, &status))
        return status;
    of_interrupt_install();
    status = open_and_run(&line);
    of_settings_fini(&line);
    return status;
}
