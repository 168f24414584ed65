#include "kafka/direct/stretch.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "kafka/direct/codec.h"
#include "kafka/direct/raw_record.h"
#include "order/cause.h"

static const uint32_t POSITION_MASK = OF_STRETCH_BATCH_BYTES - 1;

void
of_stretch_add(struct of_stretch *stretch, const struct of_record_batch *batch)
{
    OF_ASSERT(stretch->batch_count < OF_STRETCH_BATCHES);
    stretch->batches[stretch->batch_count++] = (struct of_stretch_batch) {
        .bytes = batch->bytes,
        .base_offset = batch->base_offset,
        .last_offset = batch->last_offset,
        .base_timestamp_ms = batch->base_timestamp_ms,
        .append_time_ms = batch->append_time ? batch->max_timestamp_ms : INT64_MIN,
    };
    stretch->count += (uint32_t)batch->count;
    stretch->next_offset = batch->last_offset + 1;
}

/* ---- opening ---- */

static enum of_status
check_length(size_t length, struct of_error *err)
{
    if (length < OF_STRETCH_BATCH_BYTES)
        return OF_OK;
    return of_error_set(err, OF_POISON, "its records take more than %d MiB", OF_STRETCH_BATCH_BYTES >> 20);
}

/* Its head was looked at when it came; what the CRC covers is trusted only now. */
static enum of_status
open_batch(struct of_stretch_batch *own, struct of_error *err)
{
    struct of_record_batch batch;
    enum of_batch_look look = of_record_batch_look(own->bytes, &batch);
    OF_ASSERT(look == OF_BATCH_WHOLE);
    if (!of_record_batch_intact(&batch))
        return of_error_set(err, OF_POISON, "its checksum is wrong");
    struct of_slice records = batch.records;
    enum of_status status = OF_OK;
    if (batch.codec != OF_CODEC_NONE) {
        size_t length;
        status = of_codec_unpack(batch.codec, records, OF_STRETCH_BATCH_BYTES - 1, &own->unpacked, &length, err);
        records = of_slice_of(own->unpacked, length);
    }
    if (status == OF_OK)
        status = check_length(records.length, err);
    if (status == OF_OK) {
        own->begin = records.data;
        own->end = records.data + records.length;
    }
    return status;
}

/* ---- walking ---- */

static void
show(const struct of_stretch_batch *batch, uint32_t index, const uint8_t *at, const struct of_raw_record *raw,
     struct of_record *record)
{
    uint32_t high = index << OF_STRETCH_POSITION_BITS;
    record->key = raw->key;
    record->value = raw->value;
    /* Wraps where the bytes are hostile: then it is out of order. */
    record->offset = (int64_t)((uint64_t)batch->base_offset + (uint64_t)raw->offset_delta);
    record->at = high | (uint32_t)(at - batch->begin);
    record->behind = raw->end == batch->end ? (index + 1) << OF_STRETCH_POSITION_BITS
                                            : high | (uint32_t)(raw->end - batch->begin);
    record->ref = raw->headers;
    record->stamp = batch->append_time_ms != INT64_MIN
                        ? batch->append_time_ms
                        : (int64_t)((uint64_t)batch->base_timestamp_ms + (uint64_t)raw->timestamp_delta_ms);
}

static enum of_chunk_step
broken(struct of_stretch *stretch, const struct of_stretch_batch *batch, struct of_error *err, const char *why)
{
    if (stretch->reached < batch->base_offset)
        stretch->reached = batch->base_offset;
    if (stretch->reached < stretch->first_offset)
        stretch->reached = stretch->first_offset;
    if (why != NULL)
        of_error_set(err, OF_POISON, "%s", why);
    of_error_prefix(err, "the batch at offset %lld cannot be read", (long long)batch->base_offset);
    return OF_CHUNK_BROKEN;
}

/* One and the same record is shown as often as it is asked for: only a step to another place makes progress, and one
 * back takes it back. */
static void
note_progress(struct of_stretch *stretch, uint32_t cursor)
{
    if (cursor < stretch->shown_at)
        stretch->reached = stretch->shown_offset = -1;
    if (stretch->shown_offset >= 0 && stretch->shown_at != cursor)
        stretch->reached = stretch->shown_offset + 1;
}

static bool
in_order(const struct of_stretch *stretch, const struct of_stretch_batch *batch, const struct of_record *record)
{
    return record->offset >= stretch->reached && record->offset <= batch->last_offset &&
           record->offset >= batch->base_offset;
}

enum of_chunk_step
of_stretch_next(struct of_stretch *stretch, uint32_t *cursor, struct of_record *record, struct of_error *err)
{
    uint32_t index;
    for (; (index = *cursor >> OF_STRETCH_POSITION_BITS) < stretch->batch_count; *cursor = record->behind) {
        struct of_stretch_batch *batch = &stretch->batches[index];
        note_progress(stretch, *cursor);
        if (batch->begin == NULL && open_batch(batch, err) != OF_OK)
            return broken(stretch, batch, err, NULL);
        const uint8_t *at = batch->begin + (*cursor & POSITION_MASK);
        if (at == batch->end) { /* a batch without records */
            record->behind = (index + 1) << OF_STRETCH_POSITION_BITS;
            continue;
        }
        struct of_raw_record raw;
        if (!of_raw_record_read(at, batch->end, &raw))
            return broken(stretch, batch, err, "its records are malformed");
        show(batch, index, at, &raw, record);
        if (!in_order(stretch, batch, record))
            return broken(stretch, batch, err, "its records are out of order");
        stretch->shown_at = record->at;
        stretch->shown_offset = record->offset;
        if (record->offset >= stretch->first_offset)
            return OF_CHUNK_RECORD;
    }
    return OF_CHUNK_END;
}

void
of_stretch_record(const struct of_stretch *stretch, uint32_t at, struct of_record *record)
{
    uint32_t index = at >> OF_STRETCH_POSITION_BITS;
    const struct of_stretch_batch *batch = &stretch->batches[index];
    const uint8_t *bytes = batch->begin + (at & POSITION_MASK);
    struct of_raw_record raw;
    of_raw_record_again(bytes, &raw);
    show(batch, index, bytes, &raw, record);
}

/* A small order lies in one cache line or in two. */
void
of_stretch_prefetch(const struct of_stretch *stretch, uint32_t at)
{
    const uint8_t *bytes = stretch->batches[at >> OF_STRETCH_POSITION_BITS].begin + (at & POSITION_MASK);
    __builtin_prefetch(bytes);
    __builtin_prefetch(bytes + 32);
}

struct of_slice
of_stretch_bytes(const struct of_stretch *stretch, const struct of_record *record)
{
    const struct of_stretch_batch *batch = &stretch->batches[record->at >> OF_STRETCH_POSITION_BITS];
    const uint8_t *begin = batch->begin + (record->at & POSITION_MASK);
    uint32_t behind = record->behind & POSITION_MASK;
    const uint8_t *end = behind == 0 ? batch->end : batch->begin + behind;
    return of_slice_of(begin, (size_t)(end - begin));
}

bool
of_stretch_header(const struct of_record *record, struct of_header_walk *walk, struct of_slice *name,
                  struct of_slice *value)
{
    const uint8_t *at = walk->at;
    if (walk->passed == 0) {
        at = record->ref;
        walk->left = of_raw_header_count(&at);
    }
    if (walk->left == 0)
        return false;
    of_raw_header(&at, name, value);
    walk->at = at;
    walk->left--;
    walk->passed++;
    return true;
}

/* A writer may set any: what is negative is no time. */
int64_t
of_stretch_timestamp_ms(const struct of_record *record)
{
    return record->stamp < 0 ? -1 : record->stamp;
}

/* ---- chunks ---- */

static enum of_chunk_step
chunk_next(struct of_chunk *chunk, struct of_record *record)
{
    struct of_error err;
    struct of_stretch *stretch = chunk->payload;
    if (stretch == NULL)
        return OF_CHUNK_END;
    enum of_chunk_step step = of_stretch_next(stretch, &chunk->cursor, record, &err);
    if (step == OF_CHUNK_BROKEN) {
        chunk->held_offset = stretch->reached;
        chunk->held_cause = OF_CAUSE_FETCH_FAILED;
        snprintf(chunk->held_text, sizeof chunk->held_text, "%.*s", (int)sizeof chunk->held_text - 1, err.text);
    }
    return step;
}

static void
chunk_record(const struct of_chunk *chunk, uint32_t at, struct of_record *record)
{
    of_stretch_record(chunk->payload, at, record);
}

static void
chunk_prefetch(const struct of_chunk *chunk, uint32_t at)
{
    of_stretch_prefetch(chunk->payload, at);
}

const struct of_chunk_ops of_stretch_chunk_ops = {
    .next = chunk_next,
    .record = chunk_record,
    .prefetch = chunk_prefetch,
    .header = of_stretch_header,
    .timestamp_ms = of_stretch_timestamp_ms,
};

/* ---- the end ---- */

void
of_stretch_close_before(struct of_stretch *stretch, uint32_t batch)
{
    for (uint32_t i = 0; i < batch; i++) {
        free(stretch->batches[i].unpacked);
        stretch->batches[i].unpacked = NULL;
    }
}

void
of_stretch_empty(struct of_stretch *stretch)
{
    of_stretch_close_before(stretch, stretch->batch_count);
    stretch->batch_count = 0;
    if (stretch->slab != NULL)
        of_slab_drop(stretch->slab);
    stretch->slab = NULL;
    free(stretch->own);
    stretch->own = NULL;
}
