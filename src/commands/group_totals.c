#include "commands/group_totals.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands/interrupt.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"

enum {
    ASK_MS = 1000,
    PATIENCE_MS = 90000, /* above the time-out of a transaction that a killed reset left open, 60 s, and the 10 s after which
                          * brokers look */
    TELL_MS = 3000,      /* without progress, before it is said what is waited for */
    POLL_MS = 50,
    PAUSE_MS = 500,
};

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

enum of_status
of_group_totals_open(struct of_group_totals *totals, const char *command, const struct of_kafka_options *kafka,
                     int wait_ms, struct of_error *err)
{
    *totals = (struct of_group_totals) { .kafka = kafka, .command = command };
    totals->recorded = of_recorded_create(kafka->group);
    return of_state_reader_open(kafka, wait_ms, &totals->reader, err);
}

void
of_group_totals_close(struct of_group_totals *totals)
{
    of_state_reader_close(&totals->reader);
    of_recorded_destroy(&totals->recorded);
}

/* ---- reading ---- */

/* Partitions [first, first + count). */
static enum of_status
begin(struct of_group_totals *totals, int32_t first, int32_t count, struct of_error *err)
{
    int32_t *partitions = of_alloc_array((size_t)count, sizeof *partitions);
    for (int32_t i = 0; i < count; i++)
        partitions[i] = first + i;
    enum of_status status = of_state_reader_begin(totals->reader, partitions, (uint32_t)count, ASK_MS, err);
    free(partitions);
    return status;
}

/* Begins what is there and not read yet. */
static enum of_status
begin_new(struct of_group_totals *totals, struct of_error *err)
{
    int32_t there;
    enum of_status status = of_state_reader_look_up(totals->reader, ASK_MS, &there, err);
    if (status != OF_OK || there <= totals->partitions)
        return status;
    status = begin(totals, totals->partitions, there - totals->partitions, err);
    if (status == OF_OK)
        totals->partitions = there;
    return status;
}

static void
take(void *context, int32_t partition, struct of_slice key, struct of_slice value)
{
    of_recorded_take(((struct of_group_totals *)context)->recorded, partition, key, value);
}

/* A partition that cannot be read, if there is one. */
static enum of_status
check_readings(const struct of_group_totals *totals, struct of_error *err)
{
    for (int32_t p = 0; p < totals->partitions; p++) {
        const struct of_state_reading *reading = of_state_reader_reading(totals->reader, p);
        if (reading->failed)
            return of_error_set(err, OF_RETRY, "cannot read %s [%" PRId32 "]: %s", totals->kafka->aggregates_topic, p,
                                reading->why);
    }
    return OF_OK;
}

/* OF_AGAIN: a partition is not there yet; err says which. */
static enum of_status
check_ends(const struct of_group_totals *totals, struct of_error *err)
{
    for (int32_t p = 0; p < totals->partitions; p++) {
        const struct of_state_reading *reading = of_state_reader_reading(totals->reader, p);
        if (!of_state_reading_is_there(reading))
            return of_error_set(err, OF_AGAIN, "%s [%" PRId32 "] can be read to offset %" PRId64 " of %" PRId64 " so far, "
                                "as a transaction is open or its broker is away", totals->kafka->aggregates_topic, p,
                                reading->next, reading->end);
    }
    return OF_OK;
}

static enum of_status
read_to_ends(struct of_group_totals *totals, struct of_error *err)
{
    int64_t moved_ns = now_ns();
    bool told = false;
    enum of_status status;
    while ((status = check_ends(totals, err)) == OF_AGAIN && !of_interrupt_requested()) {
        int64_t still_ms = (now_ns() - moved_ns) / OF_MS_NS;
        if (still_ms >= PATIENCE_MS)
            break;
        if (still_ms >= TELL_MS && !told)
            of_log_info(totals->command, "waiting: %s", err->text), told = true;
        if (of_state_reader_poll(totals->reader, POLL_MS, take, totals) > 0)
            moved_ns = now_ns();
        struct of_error failure;
        if (check_readings(totals, &failure) != OF_OK)
            return *err = failure, OF_RETRY;
    }
    return status == OF_AGAIN ? (err->status = OF_RETRY) : status;
}

enum of_status
of_group_totals_read(struct of_group_totals *totals, struct of_error *err)
{
    int64_t deadline_ns = now_ns() + PATIENCE_MS * OF_MS_NS;
    struct of_log_last last = { 0 };
    enum of_status status;
    while ((status = begin_new(totals, err)) == OF_RETRY && !of_interrupt_requested() && now_ns() < deadline_ns) {
        of_log_changed(&last, OF_LOG_WARNING, totals->command, "%s; trying again", err->text);
        nanosleep(&(struct timespec) { .tv_nsec = PAUSE_MS * OF_MS_NS }, NULL);
    }
    return status == OF_OK ? read_to_ends(totals, err) : status;
}

enum of_status
of_group_totals_follow(struct of_group_totals *totals, int timeout_ms, struct of_error *err)
{
    of_state_reader_poll(totals->reader, timeout_ms, take, totals);
    return check_readings(totals, err);
}

void
of_group_totals_look(struct of_group_totals *totals)
{
    if (begin_new(totals, NULL) != OF_OK)
        of_log_debug(totals->command, "cannot look for new partitions");
}

/* ---- summing up ---- */

bool
of_group_totals_counts(const struct of_group_totals *totals, const struct of_recorded_partition *partition)
{
    return !of_recorded_is_empty(partition)
           && (strcmp(partition->topic, totals->kafka->orders_topic) == 0
               || strcmp(partition->topic, totals->kafka->retry_topic) == 0);
}

static int
compare_rows(const void *left, const void *right)
{
    struct of_slice a = (*(const struct of_recorded_row *const *)left)->group_value;
    struct of_slice b = (*(const struct of_recorded_row *const *)right)->group_value;
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* All rows that count, those of the same group value beside each other; the caller frees. */
static const struct of_recorded_row **
sorted_rows(const struct of_group_totals *totals, size_t *count)
{
    size_t room = 1;
    for (uint32_t i = 0; i < totals->recorded->count; i++)
        room += totals->recorded->partitions[i]->there;
    const struct of_recorded_row **rows = of_alloc_array(room, sizeof(struct of_recorded_row *));
    *count = 0;
    for (uint32_t i = 0; i < totals->recorded->count; i++) {
        const struct of_recorded_partition *partition = totals->recorded->partitions[i];
        for (uint32_t r = 0; of_group_totals_counts(totals, partition) && r < partition->row_count; r++)
            if (partition->rows[r].state == OF_RECORDED_THERE)
                rows[(*count)++] = &partition->rows[r];
    }
    qsort(rows, *count, sizeof(struct of_recorded_row *), compare_rows);
    return rows;
}

static void
add_rows(const struct of_group_totals *totals, struct of_totals *sums)
{
    size_t count;
    const struct of_recorded_row **rows = sorted_rows(totals, &count);
    struct of_totals_row *to = NULL;
    for (size_t i = 0; i < count; i++) {
        if (to == NULL || !of_slice_equal(to->product, rows[i]->group_value))
            to = of_totals_add_row(sums, rows[i]->group_value);
        to->orders_processed += rows[i]->aggregate.count;
        of_exact_sum_merge(&to->sum, &rows[i]->aggregate.sum);
        sums->orders_processed += rows[i]->aggregate.count;
        of_exact_sum_merge(&sums->sum, &rows[i]->aggregate.sum);
    }
    free(rows);
}

enum of_status
of_group_totals_sum(const struct of_group_totals *totals, struct of_totals *sums, struct of_error *err)
{
    bool any = false;
    of_totals_init(sums);
    for (uint32_t i = 0; i < totals->recorded->count; i++) {
        const struct of_recorded_partition *partition = totals->recorded->partitions[i];
        if (!of_group_totals_counts(totals, partition))
            continue;
        enum of_status status = of_recorded_check(partition, NULL, err);
        if (status != OF_OK)
            return status;
        if (partition->marker_state == OF_RECORDED_THERE) {
            sums->retry_attempts += partition->marker.retries;
            sums->dead_letters += partition->marker.dead_letters;
        }
        any = true;
    }
    if (!any)
        return of_error_set(err, OF_AGAIN, "topic %s holds no totals of group %s for the topics %s and %s",
                            totals->kafka->aggregates_topic, totals->kafka->group, totals->kafka->orders_topic,
                            totals->kafka->retry_topic);
    add_rows(totals, sums);
    return OF_OK;
}
