#include "kafka/source_records.h"

#include "core/assert.h"

/* ---- looking into a record ---- */

static void
look(const rd_kafka_message_t *message, struct of_record *record)
{
    record->key = of_slice_of(message->key, message->key_len);
    record->value = of_slice_of(message->payload, message->len);
    record->offset = message->offset;
    record->ref = message;
}

static void
chunk_record(const struct of_chunk *chunk, uint32_t at, struct of_record *record)
{
    look(chunk->records[at], record);
    record->at = at;
    record->behind = at + 1;
}

static enum of_chunk_step
chunk_next(struct of_chunk *chunk, struct of_record *record)
{
    if (chunk->cursor == chunk->count)
        return OF_CHUNK_END;
    chunk_record(chunk, chunk->cursor, record);
    return OF_CHUNK_RECORD;
}

static bool
chunk_header(const struct of_record *record, struct of_header_walk *walk, struct of_slice *name,
             struct of_slice *value)
{
    rd_kafka_headers_t *headers;
    const char *text;
    const void *data;
    size_t length;
    if (rd_kafka_message_headers(record->ref, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_all(headers, walk->passed++, &text, &data, &length) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    *name = of_slice_str(text);
    *value = of_slice_of(data, length);
    return true;
}

static int64_t
chunk_timestamp_ms(const struct of_record *record)
{
    rd_kafka_timestamp_type_t type;
    int64_t timestamp_ms = rd_kafka_message_timestamp(record->ref, &type);
    /* A writer may set any: what is negative is no time. */
    return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || timestamp_ms < 0 ? -1 : timestamp_ms;
}

const struct of_chunk_ops of_kafka_chunk_ops = {
    .next = chunk_next,
    .record = chunk_record,
    .prefetch = of_chunk_prefetch,
    .header = chunk_header,
    .timestamp_ms = chunk_timestamp_ms,
};

/* ---- filling a chunk ---- */

static void
open_chunk(struct of_chunk *chunk, struct of_kafka_part *part)
{
    chunk->slot = part->slot;
    chunk->ops = &of_kafka_chunk_ops;
    chunk->count = 0;
    chunk->first_offset = chunk->next_offset = part->expected;
}

static void
append(struct of_chunk *chunk, struct of_kafka_part *part, rd_kafka_message_t *message)
{
    chunk->records[chunk->count++] = message;
    part->expected = message->offset + 1;
    chunk->next_offset = part->expected;
}

static bool
fill(struct of_kafka_ahead *ahead, rd_kafka_queue_t *queue, size_t size)
{
    ssize_t count = rd_kafka_consume_batch_queue(queue, 0, ahead->messages, size);
    ahead->at = 0;
    ahead->count = count > 0 ? (uint32_t)count : 0;
    return ahead->count > 0;
}

/* Takes one message that is no record, or a record that is not wanted. False: the partition is broken. */
static bool
take_other(struct of_kafka_assignment *assignment, struct of_kafka_part *part, rd_kafka_message_t *message)
{
    bool usable = true;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        /* The end may lie behind the last record + 1: transaction markers have offsets too. */
        if (message->offset > part->expected)
            part->expected = message->offset;
        part->end = part->expected;
    } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        of_kafka_part_break(assignment, part, message);
        usable = false;
    }
    rd_kafka_message_destroy(message);
    return usable;
}

static bool
wanted(const struct of_kafka_part *part, const rd_kafka_message_t *message)
{
    return message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset >= part->expected;
}

/* Moves messages of one partition into the chunk for as long as they follow each other. */
static void
take_run(struct of_kafka_assignment *assignment, struct of_kafka_part *part, struct of_chunk *chunk)
{
    struct of_kafka_ahead *ahead = &assignment->ahead;
    int32_t partition = part->slot->partition;
    while (ahead->at < ahead->count && chunk->count < OF_CHUNK_RECORDS) {
        rd_kafka_message_t *message = ahead->messages[ahead->at];
        if (message == NULL || message->partition != partition)
            break;
        ahead->at++;
        if (wanted(part, message))
            append(chunk, part, message);
        else if (!take_other(assignment, part, message))
            break;
    }
    chunk->next_offset = part->expected;
}

static bool
fill_orders(struct of_kafka_assignment *assignment)
{
    bool filled = fill(&assignment->ahead, assignment->data, OF_READ_AHEAD_RECORDS);
    if (filled)
        of_kafka_assignment_nudge(assignment);
    return filled;
}

/* A chunk without records for what was passed over, so that it is committed as if it had been read. */
static bool
take_gap(struct of_kafka_assignment *assignment, struct of_chunk *chunk)
{
    for (uint32_t i = 0; assignment->gap_count > 0 && i < assignment->part_count; i++) {
        struct of_kafka_part *part = &assignment->parts[i];
        if (part->gap_from < 0 || part->held)
            continue;
        open_chunk(chunk, part);
        chunk->first_offset = part->gap_from;
        part->gap_from = -1;
        assignment->gap_count--;
        return true;
    }
    return false;
}

bool
of_kafka_records_read(struct of_kafka_assignment *assignment, struct of_chunk *chunk)
{
    if (take_gap(assignment, chunk))
        return true;
    struct of_kafka_ahead *ahead = &assignment->ahead;
    /* To the end of what is there, or the caller would sleep on it. */
    while (ahead->at < ahead->count || fill_orders(assignment)) {
        rd_kafka_message_t *message = ahead->messages[ahead->at];
        struct of_kafka_part *part = message == NULL ? NULL : of_kafka_orders_part(assignment, message->partition);
        if (part == NULL || part->held) {
            if (message != NULL)
                rd_kafka_message_destroy(message);
            ahead->at++;
            continue;
        }
        open_chunk(chunk, part);
        take_run(assignment, part, chunk);
        if (chunk->next_offset > chunk->first_offset)
            return true;
    }
    return false;
}

/* ---- one by one ---- */

static bool
fill_retry(struct of_kafka_assignment *assignment, struct of_kafka_part *part)
{
    bool filled = fill(&part->ahead, part->queue, OF_RETRY_AHEAD_RECORDS);
    if (filled)
        of_kafka_part_nudge(assignment, part);
    return filled;
}

bool
of_kafka_records_peek(struct of_kafka_assignment *assignment, struct of_kafka_part *part, struct of_record *record)
{
    struct of_kafka_ahead *ahead = &part->ahead;
    while (!part->held && (ahead->at < ahead->count || fill_retry(assignment, part))) {
        rd_kafka_message_t *message = ahead->messages[ahead->at];
        if (message != NULL && wanted(part, message)) {
            part->end = -1;
            look(message, record);
            return true;
        }
        ahead->messages[ahead->at++] = NULL;
        if (message != NULL)
            take_other(assignment, part, message);
    }
    return false;
}

void
of_kafka_records_take(struct of_kafka_part *part, struct of_chunk *chunk)
{
    OF_ASSERT(part->ahead.at < part->ahead.count && chunk->count < OF_CHUNK_RECORDS);
    if (chunk->count == 0)
        open_chunk(chunk, part);
    OF_ASSERT(chunk->slot == part->slot);
    append(chunk, part, part->ahead.messages[part->ahead.at]);
    part->ahead.messages[part->ahead.at++] = NULL;
}

void
of_kafka_records_release(struct of_chunk *chunk)
{
    for (uint32_t i = 0; i < chunk->count; i++)
        rd_kafka_message_destroy(chunk->records[i]);
    chunk->count = 0;
}
