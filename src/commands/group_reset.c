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
 * The transaction's producer is opened before anything is read: that aborts what a reset that was killed left open, which
 * would otherwise have to be waited for until its time is over.
 *
 * Reset again finishes what a crash or an outage left. The other order would leave offsets without markers, which a start
 * has to refuse.
 *
 * A member of the group would go on with totals that are no longer recorded, so a group with members is refused; they are
 * looked for again right before the transaction commits. An instance that starts within the moments between is told
 * by its next start that rows are lost; then reset again.
 *
 * The topics that the options name are reset and no others: what the group has of other topics stays as it is. */
#include "commands/group_reset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "commands/aggregate_schema.h"
#include "commands/interrupt.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"

enum {
    ASK_MS = 5000,
    PATIENCE_MS = 30000, /* for steps that wait for brokers */
    PAUSE_MS = 500,
    WAIT_MS = 20, /* how late it is seen that everything is read */
    ID_BYTES = 512,
};

enum of_status
of_group_reset_open(struct of_group_reset *reset, const struct of_kafka_options *kafka, const struct of_settings *settings,
                    struct of_error *err)
{
    *reset = (struct of_group_reset) {
        .kafka = kafka,
        .settings = settings,
        .writer = of_state_writer_create(),
        .orders = { .topic = kafka->orders_topic },
        .retry = { .topic = kafka->retry_topic },
    };
    enum of_status status = of_group_totals_open(&reset->totals, "reset", kafka, WAIT_MS, err);
    if (status == OF_OK)
        status = of_admin_open(kafka, &reset->admin, err);
    if (status == OF_OK)
        status = of_group_open(kafka, &reset->group, err);
    return status;
}

void
of_group_reset_close(struct of_group_reset *reset)
{
    of_state_transaction_close(&reset->transaction);
    of_group_close(&reset->group);
    of_admin_close(&reset->admin);
    of_group_totals_close(&reset->totals);
    of_state_writer_destroy(&reset->writer);
    free(reset->orders.committed);
    free(reset->retry.committed);
    free(reset->retry_ends);
}

/* Again while no broker answers. */
static enum of_status
insist(struct of_group_reset *reset, enum of_status (*step)(struct of_group_reset *, struct of_error *), struct of_error *err)
{
    int64_t deadline_ns = of_clock_mono_ns(of_clock_system()) + PATIENCE_MS * OF_MS_NS;
    struct of_log_last last = { 0 };
    enum of_status status;
    while ((status = step(reset, err)) == OF_RETRY && !of_interrupt_requested()
           && of_clock_mono_ns(of_clock_system()) < deadline_ns) {
        of_log_changed(&last, OF_LOG_WARNING, "reset", "%s; trying again", err->text);
        nanosleep(&(struct timespec) { .tv_nsec = PAUSE_MS * OF_MS_NS }, NULL);
    }
    return status;
}

/* ---- what there is ---- */

static enum of_status
refuse_members(struct of_group_reset *reset, struct of_error *err)
{
    uint32_t members;
    char one[128];
    enum of_status status = of_group_members(reset->group, ASK_MS, &members, one, sizeof one, err);
    if (status != OF_OK || members == 0)
        return status;
    return of_error_set(err, OF_FATAL, "group %s has %" PRIu32 " member%s (%s): stop its instances first; one that "
                        "crashed is a member until its session times out", reset->kafka->group, members,
                        members == 1 ? "" : "s", one);
}

static enum of_status
look_up_part(struct of_group_reset *reset, struct of_reset_part *part, struct of_error *err)
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
look_up(struct of_group_reset *reset, struct of_error *err)
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
count_records(struct of_group_reset *reset)
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
check_room(const struct of_group_reset *reset, struct of_error *err)
{
    if (reset->totals.partitions == 0)
        return of_error_set(err, OF_FATAL, "topic %s does not exist: nothing was counted yet, or --aggregates-topic "
                            "names another", reset->kafka->aggregates_topic);
    if (reset->totals.partitions < reset->retry.partitions)
        return of_error_set(err, OF_FATAL, "topic %s has %" PRId32 " partitions, and %s %" PRId32 ": add partitions to it "
                            "first, or start `orderflow run` once, which does", reset->kafka->aggregates_topic,
                            reset->totals.partitions, reset->retry.topic, reset->retry.partitions);
    return OF_OK;
}

static enum of_status
open_transaction(struct of_group_reset *reset, struct of_error *err)
{
    char id[ID_BYTES];
    snprintf(id, sizeof id, "orderflow-%s-reset", reset->kafka->group);
    return of_state_transaction_open(reset->kafka, id, PATIENCE_MS, &reset->transaction, err);
}

/* The aggregates first: that waits for transactions that are still open, and what is asked for later is behind them. */
enum of_status
of_group_reset_gather(struct of_group_reset *reset, struct of_error *err)
{
    enum of_status status = insist(reset, refuse_members, err);
    if (status == OF_OK && reset->settings != NULL)
        status = open_transaction(reset, err);
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

/* ---- doing it ---- */

static enum of_status
register_schema(struct of_group_reset *reset, struct of_error *err)
{
    return of_aggregate_schema_register(reset->settings, &reset->schema_id, err);
}

static enum of_status
forget_offsets(struct of_group_reset *reset, struct of_error *err)
{
    return of_group_forget(reset->group, reset->orders.topic, reset->orders.partitions, reset->orders.committed,
                           PATIENCE_MS, err);
}

static enum of_status
delete_record(const struct of_group_reset *reset, const struct of_recorded_partition *partition,
              struct of_slice group_value, struct of_error *err)
{
    const struct of_state_place place = { of_slice_str(reset->kafka->group), of_slice_str(partition->topic),
                                          partition->partition };
    struct of_slice key = of_state_write_key(reset->writer, &place, group_value);
    return of_state_transaction_write(reset->transaction, partition->partition, key, of_slice_of(NULL, 0), PATIENCE_MS,
                                      err);
}

static enum of_status
delete_partition(const struct of_group_reset *reset, const struct of_recorded_partition *partition, struct of_error *err)
{
    enum of_status status = OF_OK;
    for (uint32_t r = 0; status == OF_OK && r < partition->row_count; r++)
        if (partition->rows[r].state != OF_RECORDED_ABSENT)
            status = delete_record(reset, partition, partition->rows[r].group_value, err);
    if (status == OF_OK && partition->marker_state != OF_RECORDED_ABSENT)
        status = delete_record(reset, partition, of_slice_of(NULL, 0), err);
    return status;
}

static enum of_status
delete_records(const struct of_group_reset *reset, struct of_error *err)
{
    enum of_status status = OF_OK;
    for (uint32_t i = 0; status == OF_OK && i < reset->totals.recorded->count; i++)
        if (of_group_totals_counts(&reset->totals, reset->totals.recorded->partitions[i]))
            status = delete_partition(reset, reset->totals.recorded->partitions[i], err);
    return status;
}

/* Markers without fields: the next run decides on them. */
static enum of_status
mark_retries(const struct of_group_reset *reset, struct of_error *err)
{
    enum of_status status = OF_OK;
    for (int32_t p = 0; status == OF_OK && p < reset->retry.partitions; p++) {
        const struct of_state_place place = { of_slice_str(reset->kafka->group), of_slice_str(reset->retry.topic), p };
        const struct of_state_marker marker = {
            .next_offset = reset->retry_ends[p],
            .version = OF_STATE_VERSION,
            .value_field = of_slice_str(""),
            .group_by_field = of_slice_str(""),
        };
        struct of_slice key, value;
        of_state_write_marker(reset->writer, reset->schema_id, &place, &marker, &key, &value);
        status = of_state_transaction_write(reset->transaction, p, key, value, PATIENCE_MS, err);
    }
    return status;
}

static enum of_status
transact(struct of_group_reset *reset, struct of_error *err)
{
    enum of_status status = delete_records(reset, err);
    if (status == OF_OK)
        status = mark_retries(reset, err);
    if (status == OF_OK)
        status = insist(reset, refuse_members, err);
    if (status == OF_OK)
        status = of_state_transaction_commit(reset->transaction, reset->retry.topic, reset->retry_ends,
                                             reset->retry.partitions, PATIENCE_MS, err);
    return status;
}

enum of_status
of_group_reset_carry_out(struct of_group_reset *reset, struct of_error *err)
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
