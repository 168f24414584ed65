#include "kafka/assignment.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "kafka/offsets.h"
#include "kafka/out_of_range.h"
#include "order/cause.h"

enum { RESUME_QUERY_MS = 1000, LOG_WARNING = 4 };

static size_t
queue_limit(rd_kafka_t *rk)
{
    char text[32] = "";
    size_t size = sizeof text;
    rd_kafka_conf_get(rd_kafka_conf(rk), "queued.min.messages", text, &size);
    return strtoul(text, NULL, 10);
}

static void
init_reader(struct of_kafka_reader *reader, struct of_kafka_client *client)
{
    reader->client = client;
    reader->unwanted = rd_kafka_queue_new(client->rk);
    reader->full_at = queue_limit(client->rk);
}

void
of_kafka_assignment_init(struct of_kafka_assignment *assignment, const struct of_kafka_options *options,
                         struct of_kafka_client *clients, int wake_fd)
{
    *assignment = (struct of_kafka_assignment) { .options = options, .wake_fd = wake_fd };
    for (int role = 0; role < 2; role++)
        init_reader(&assignment->readers[role], &clients[role]);
    assignment->ahead.messages = assignment->messages;
    assignment->data = rd_kafka_queue_new(clients[OF_ROLE_ORDERS].rk);
    if (wake_fd >= 0)
        of_kafka_queue_wake(assignment->data, wake_fd);
}

void
of_kafka_assignment_fini(struct of_kafka_assignment *assignment)
{
    if (assignment->data == NULL)
        return;
    of_kafka_assignment_end(assignment);
    of_kafka_queue_wake(assignment->data, -1);
    rd_kafka_queue_destroy(assignment->data);
    for (int role = 0; role < 2; role++)
        rd_kafka_queue_destroy(assignment->readers[role].unwanted);
    assignment->data = NULL;
}

/* ---- dropping ---- */

/* Destroys what was taken out of a queue and not delivered; partition -1: of all partitions. */
static void
drop_ahead(struct of_kafka_ahead *ahead, int32_t partition)
{
    for (uint32_t i = ahead->at; i < ahead->count; i++) {
        rd_kafka_message_t *message = ahead->messages[i];
        if (message == NULL || (partition >= 0 && message->partition != partition))
            continue;
        rd_kafka_message_destroy(message);
        ahead->messages[i] = NULL;
    }
}

static void
drop_queued(rd_kafka_queue_t *queue)
{
    rd_kafka_message_t *messages[256];
    ssize_t count;
    while ((count = rd_kafka_consume_batch_queue(queue, 0, messages, 256)) > 0)
        for (ssize_t i = 0; i < count; i++)
            rd_kafka_message_destroy(messages[i]);
}

static struct of_kafka_ahead *
ahead_of(struct of_kafka_assignment *assignment, struct of_kafka_part *part)
{
    return part->slot->role == OF_ROLE_RETRY ? &part->ahead : &assignment->ahead;
}

/* ---- assigning ---- */

static void
route(struct of_kafka_assignment *assignment, struct of_kafka_part *part, bool wanted)
{
    rd_kafka_queue_t *own_way = part->slot->role == OF_ROLE_ORDERS ? assignment->data : NULL;
    rd_kafka_queue_forward(part->queue, wanted ? own_way : part->reader->unwanted);
}

static void
add_part(struct of_kafka_assignment *assignment, struct of_kafka_part *part, struct of_slot *slot, int64_t offset)
{
    struct of_kafka_reader *reader = &assignment->readers[slot->role];
    *part = (struct of_kafka_part) { .slot = slot, .reader = reader, .expected = offset, .end = -1, .gap_from = -1 };
    part->ahead.messages = part->retry_messages;
    slot->source = part;
    part->queue = rd_kafka_queue_get_partition(reader->client->rk, slot->topic, slot->partition);
    OF_ASSERT(part->queue != NULL);
    route(assignment, part, true);
    if (slot->role == OF_ROLE_ORDERS)
        assignment->orders[slot->partition] = part;
    else if (assignment->wake_fd >= 0)
        of_kafka_queue_wake(part->queue, assignment->wake_fd);
}

static void
make_orders_index(struct of_kafka_assignment *assignment, struct of_slot *const *slots, uint32_t count)
{
    int32_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        if (slots[i]->role == OF_ROLE_ORDERS && slots[i]->partition >= size)
            size = slots[i]->partition + 1;
    assignment->orders_size = size;
    assignment->orders = of_alloc_array((size_t)size + 1, sizeof(struct of_kafka_part *));
}

/* Has the reader fetch nothing. librdkafka's main thread, which works its operations off in turn, takes the route of a partition away
 * when it stops it: one that is laid after this, behind an operation that is answered after all stops, stays. */
static void
stop(const struct of_kafka_reader *reader)
{
    rd_kafka_topic_partition_list_t *none;
    rd_kafka_assign(reader->client->rk, NULL);
    if (rd_kafka_assignment(reader->client->rk, &none) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_topic_partition_list_destroy(none);
}

/* Assigns every part of the reader at the offset it expects next. */
static enum of_status
assign_parts(struct of_kafka_assignment *assignment, const struct of_kafka_reader *reader, struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)assignment->part_count);
    for (uint32_t i = 0; i < assignment->part_count; i++) {
        const struct of_kafka_part *part = &assignment->parts[i];
        if (part->reader == reader)
            rd_kafka_topic_partition_list_add(list, part->slot->topic, part->slot->partition)->offset = part->expected;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(reader->client->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_FATAL, "cannot read the assigned partitions: %s", rd_kafka_err2str(code));
    return OF_OK;
}

enum of_status
of_kafka_assignment_begin(struct of_kafka_assignment *assignment, struct of_slot *const *slots, const int64_t *offsets,
                          uint32_t count, struct of_error *err)
{
    OF_ASSERT(assignment->parts == NULL);
    assignment->parts = of_alloc_array((size_t)count + 1, sizeof *assignment->parts);
    assignment->part_count = count;
    make_orders_index(assignment, slots, count);
    for (uint32_t i = 0; i < count; i++)
        add_part(assignment, &assignment->parts[i], slots[i], offsets[i]);
    enum of_status status = assign_parts(assignment, &assignment->readers[OF_ROLE_ORDERS], err);
    return status == OF_OK ? assign_parts(assignment, &assignment->readers[OF_ROLE_RETRY], err) : status;
}

void
of_kafka_assignment_end(struct of_kafka_assignment *assignment)
{
    for (int role = 0; role < 2; role++)
        stop(&assignment->readers[role]);
    for (uint32_t i = 0; i < assignment->part_count; i++) {
        struct of_kafka_part *part = &assignment->parts[i];
        if (part->slot->role == OF_ROLE_RETRY) {
            of_kafka_queue_wake(part->queue, -1);
            drop_ahead(&part->ahead, -1);
            drop_queued(part->queue);
        }
        rd_kafka_queue_destroy(part->queue);
        part->slot->source = NULL;
    }
    drop_ahead(&assignment->ahead, -1);
    assignment->ahead.at = assignment->ahead.count = 0;
    drop_queued(assignment->data);
    for (int role = 0; role < 2; role++) {
        drop_queued(assignment->readers[role].unwanted);
        assignment->readers[role].held_count = 0;
    }
    free(assignment->parts);
    free(assignment->orders);
    assignment->parts = NULL;
    assignment->orders = NULL;
    assignment->part_count = assignment->news_count = assignment->gap_count = 0;
    assignment->orders_size = 0;
}

/* ---- holding ---- */

void
of_kafka_part_hold(struct of_kafka_assignment *assignment, struct of_kafka_part *part)
{
    if (part->held)
        return;
    part->held = true;
    part->end = -1;
    if (part->gap_from >= 0)
        assignment->gap_count--;
    part->gap_from = -1;
    part->reader->held_count++;
    route(assignment, part, false);
}

static enum of_status
seek(const struct of_kafka_part *part, struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *element =
        rd_kafka_topic_partition_list_add(list, part->slot->topic, part->slot->partition);
    element->offset = part->expected;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(part->reader->client->rk, list, 0);
    rd_kafka_resp_err_t code = error != NULL ? rd_kafka_error_code(error) : element->err;
    rd_kafka_error_destroy(error);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__IN_PROGRESS)
        return of_error_set(err, OF_RETRY, "cannot seek to offset %lld: %s", (long long)part->expected,
                            rd_kafka_err2str(code));
    return OF_OK;
}

/* Assigns all parts of its reader anew where they are. */
static enum of_status
assign_anew(struct of_kafka_assignment *assignment, const struct of_kafka_part *resumed, struct of_error *err)
{
    const struct of_kafka_reader *reader = resumed->reader;
    stop(reader);
    for (uint32_t i = 0; i < assignment->part_count; i++) {
        struct of_kafka_part *part = &assignment->parts[i];
        if (part->reader == reader)
            route(assignment, part, !part->held || part == resumed);
    }
    return assign_parts(assignment, reader, err);
}

static void
skip_to(struct of_kafka_assignment *assignment, struct of_kafka_part *part, int64_t next, const char *text)
{
    if (!part->skipped)
        assignment->news_count++;
    part->skipped = true;
    part->skipped_from = part->expected;
    snprintf(part->why, sizeof part->why, "%.*s", (int)sizeof part->why - 1, text);
    of_kafka_log_line(assignment->options, LOG_WARNING, "%s", text);
    if (part->slot->role == OF_ROLE_ORDERS) {
        assignment->gap_count += part->gap_from < 0; /* it may have been passed over before, and then not assigned */
        part->gap_from = part->expected;
    }
    part->expected = part->end = next; /* for retries the end says that nothing comes before it */
}

/* What the options do not pass over: told once. */
static void
tell_out_of_range(struct of_kafka_assignment *assignment, struct of_kafka_part *part, const char *text)
{
    if (part->cause == OF_CAUSE_OFFSET_OUT_OF_RANGE)
        return;
    part->cause = OF_CAUSE_OFFSET_OUT_OF_RANGE;
    snprintf(part->why, sizeof part->why, "%.*s", (int)sizeof part->why - 1, text);
    if (!part->broken)
        assignment->news_count++;
    part->broken = true;
}

/* librdkafka fetches a partition no more whose offset was out of range. Assigning anew is the only way back, and costs
 * what was fetched ahead of all partitions: only when the offset has come into range. */
static enum of_status
restart(struct of_kafka_assignment *assignment, struct of_kafka_part *part, struct of_error *err)
{
    int64_t low, high;
    enum of_status status = of_kafka_query_range(part->reader->client, part->slot->topic, part->slot->partition,
                                                 RESUME_QUERY_MS, &low, &high, err);
    if (status != OF_OK)
        return status;
    int64_t next;
    status = of_kafka_judge_range(assignment->options, part->slot, part->expected, low, high, &next, err);
    if (status == OF_RETRY) {
        tell_out_of_range(assignment, part, err->text);
        return status;
    }
    if (status == OF_OK)
        skip_to(assignment, part, next, err->text);
    status = assign_anew(assignment, part, err);
    part->stopped = status != OF_OK;
    return status;
}

enum of_status
of_kafka_part_resume(struct of_kafka_assignment *assignment, struct of_kafka_part *part, int64_t offset,
                     struct of_error *err)
{
    of_kafka_part_hold(assignment, part); /* resuming what was not held is only a seek */
    part->expected = offset;
    /* First the way, then the seek: what is fetched after it must not go to the unwanted. */
    route(assignment, part, true);
    enum of_status status = part->stopped ? restart(assignment, part, err) : seek(part, err);
    if (status != OF_OK) {
        route(assignment, part, false);
        return status;
    }
    drop_ahead(ahead_of(assignment, part), part->slot->partition); /* may have been taken out while it was held */
    part->held = false;
    part->reader->held_count--;
    if (part->broken)
        assignment->news_count--;
    part->broken = false;
    if (part->reader->held_count == 0)
        drop_queued(part->reader->unwanted);
    return OF_OK;
}

/* ---- keeping librdkafka awake ---- */

/* Asks the leader of every partition of the reader for something, and does not wait for the answer. */
static void
wake_fetchers(struct of_kafka_assignment *assignment, const struct of_kafka_reader *reader)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)assignment->part_count);
    for (uint32_t i = 0; i < assignment->part_count; i++) {
        const struct of_kafka_part *part = &assignment->parts[i];
        if (part->reader == reader)
            rd_kafka_topic_partition_list_add(list, part->slot->topic, part->slot->partition)->offset =
                RD_KAFKA_OFFSET_END;
    }
    rd_kafka_offsets_for_times(reader->client->rk, list, 0);
    rd_kafka_topic_partition_list_destroy(list);
}

static void
nudge(struct of_kafka_assignment *assignment, const struct of_kafka_reader *reader, rd_kafka_queue_t *queue, bool *full)
{
    size_t length = rd_kafka_queue_length(queue);
    if (length >= reader->full_at / 4 * 3) { /* a full one may be seen only after some was taken out */
        *full = true;
    } else if (*full && length <= reader->full_at / 2) {
        *full = false;
        wake_fetchers(assignment, reader);
    }
}

void
of_kafka_assignment_nudge(struct of_kafka_assignment *assignment)
{
    nudge(assignment, &assignment->readers[OF_ROLE_ORDERS], assignment->data, &assignment->full);
}

void
of_kafka_part_nudge(struct of_kafka_assignment *assignment, struct of_kafka_part *part)
{
    nudge(assignment, part->reader, part->queue, &part->full);
}

/* ---- what cannot be read ---- */

/* Out of range: what the log holds is looked up first, on the way to reading again. It is not said before that the place is
 * gone, because who hears so does not read from there again. */
static void
explain(struct of_kafka_part *part, const rd_kafka_message_t *message)
{
    const struct of_slot *slot = part->slot;
    bool out_of_range = message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                        message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
    part->stopped = part->stopped || out_of_range;
    part->cause = OF_CAUSE_FETCH_FAILED;
    if (out_of_range)
        snprintf(part->why, sizeof part->why, "%.100s [%d] does not hold offset %lld; what it holds is looked up",
                 slot->topic, slot->partition, (long long)part->expected);
    else
        snprintf(part->why, sizeof part->why, "%.100s [%d] cannot be read at offset %lld: %s", slot->topic,
                 slot->partition, (long long)part->expected, rd_kafka_message_errstr(message));
}

void
of_kafka_part_break(struct of_kafka_assignment *assignment, struct of_kafka_part *part,
                    const rd_kafka_message_t *message)
{
    explain(part, message);
    if (!part->broken)
        assignment->news_count++;
    part->broken = true;
    of_kafka_part_hold(assignment, part);
}
