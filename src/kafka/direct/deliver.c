#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "kafka/direct/fetcher.h"
#include "order/cause.h"

/* ---- stretches ---- */

struct of_stretch *
of_fetcher_make_stretch(struct of_fetcher *fetcher, struct of_direct_part *part)
{
    struct of_stretch *stretch = fetcher->free;
    if (stretch != NULL)
        fetcher->free = stretch->next;
    else
        stretch = of_alloc(sizeof *stretch);
    stretch->next = NULL;
    stretch->part = part;
    stretch->generation = part->generation;
    stretch->slab = NULL;
    stretch->own = NULL;
    stretch->first_offset = stretch->next_offset = part->position;
    stretch->leader_epoch = part->last_epoch;
    stretch->count = stretch->batch_count = stretch->shown_at = 0;
    stretch->shown_offset = -1;
    stretch->reached = -1;
    return stretch;
}

void
of_fetcher_discard(struct of_fetcher *fetcher, struct of_stretch *stretch)
{
    of_stretch_empty(stretch);
    stretch->next = fetcher->free;
    fetcher->free = stretch;
}

/* Orders in the order in which they came, retries where they wait. */
void
of_fetcher_queue(struct of_fetcher *fetcher, struct of_stretch *stretch)
{
    struct of_direct_part *part = stretch->part;
    bool retry = part->slot->role == OF_ROLE_RETRY;
    struct of_stretch **first = retry ? &part->first : &fetcher->ready;
    struct of_stretch **last = retry ? &part->last : &fetcher->ready_last;
    if (*last != NULL)
        (*last)->next = stretch;
    else
        *first = stretch;
    *last = stretch;
}

void
of_fetcher_drop_waiting(struct of_fetcher *fetcher, struct of_direct_part *part)
{
    while (part->first != NULL) {
        struct of_stretch *stretch = part->first;
        part->first = stretch->next;
        of_fetcher_discard(fetcher, stretch);
    }
    part->last = NULL;
    part->cursor = 0;
}

void
of_fetcher_drop_ready(struct of_fetcher *fetcher)
{
    while (fetcher->ready != NULL) {
        struct of_stretch *stretch = fetcher->ready;
        fetcher->ready = stretch->next;
        of_fetcher_discard(fetcher, stretch);
    }
    fetcher->ready_last = NULL;
}

/* ---- orders ---- */

static void
fill_chunk(struct of_fetcher *fetcher, struct of_stretch *stretch, struct of_chunk *chunk)
{
    struct of_direct_part *part = stretch->part;
    chunk->slot = part->slot;
    chunk->ops = &of_stretch_chunk_ops;
    chunk->first_offset = part->delivered;
    chunk->next_offset = part->delivered = stretch->next_offset;
    part->delivered_epoch = stretch->leader_epoch;
    chunk->payload = NULL;
    chunk->count = 0;
    if (stretch->batch_count == 0) {
        of_fetcher_discard(fetcher, stretch);
        return;
    }
    chunk->payload = stretch;
    chunk->count = stretch->count > 0 ? stretch->count : 1;
}

bool
of_fetcher_read(struct of_fetcher *fetcher, struct of_chunk *chunk)
{
    while (fetcher->ready != NULL) {
        struct of_stretch *stretch = fetcher->ready;
        struct of_direct_part *part = stretch->part;
        fetcher->ready = stretch->next;
        if (fetcher->ready == NULL)
            fetcher->ready_last = NULL;
        if (part->held || stretch->generation != part->generation) {
            of_fetcher_discard(fetcher, stretch);
            continue;
        }
        fill_chunk(fetcher, stretch, chunk);
        return true;
    }
    return false;
}

/* ---- retries ---- */

/* A record whose time has come: by itself, so that it keeps nothing else. */
struct copy {
    struct of_record record; /* points into the bytes */
    uint8_t bytes[];         /* the record as it came */
};

static struct of_slice
moved(struct of_slice part, const uint8_t *from, const uint8_t *to)
{
    return part.data == NULL ? part : of_slice_of(to + (part.data - from), part.length);
}

static struct copy *
make_copy(const struct of_record *record, struct of_slice bytes, uint32_t at)
{
    struct copy *copy = of_realloc_array(NULL, sizeof *copy + bytes.length, 1); /* not zeroed */
    memcpy(copy->bytes, bytes.data, bytes.length);
    copy->record = (struct of_record) {
        .key = moved(record->key, bytes.data, copy->bytes),
        .value = moved(record->value, bytes.data, copy->bytes),
        .offset = record->offset,
        .at = at,
        .behind = at + 1,
        .ref = copy->bytes + ((const uint8_t *)record->ref - bytes.data),
        .stamp = record->stamp,
    };
    return copy;
}

static void
copies_record(const struct of_chunk *chunk, uint32_t at, struct of_record *record)
{
    const struct copy *copy = chunk->records[at];
    *record = copy->record;
}

static enum of_chunk_step
copies_next(struct of_chunk *chunk, struct of_record *record)
{
    if (chunk->cursor == chunk->count)
        return OF_CHUNK_END;
    copies_record(chunk, chunk->cursor, record);
    return OF_CHUNK_RECORD;
}

static const struct of_chunk_ops copies_ops = {
    .next = copies_next,
    .record = copies_record,
    .prefetch = of_chunk_prefetch,
    .header = of_stretch_header,
    .timestamp_ms = of_stretch_timestamp_ms,
};

static void
drop_first(struct of_fetcher *fetcher, struct of_direct_part *part)
{
    struct of_stretch *stretch = part->first;
    part->first = stretch->next;
    if (part->first == NULL)
        part->last = NULL;
    part->cursor = 0;
    fetcher->part_is_free |= part->first == NULL;
    of_fetcher_discard(fetcher, stretch);
}

bool
of_fetcher_peek(struct of_fetcher *fetcher, struct of_direct_part *part, struct of_record *record)
{
    struct of_error err;
    while (!part->held && part->first != NULL) {
        switch (of_stretch_next(part->first, &part->cursor, record, &err)) {
        case OF_CHUNK_RECORD: return true;
        case OF_CHUNK_END: drop_first(fetcher, part); break;
        case OF_CHUNK_BROKEN:
            part->position = part->first->reached;
            of_part_break(fetcher, part, OF_CAUSE_FETCH_FAILED, "%s [%d]: %s", part->slot->topic, part->slot->partition,
                          err.text);
            break;
        }
    }
    return false;
}

void
of_fetcher_take(struct of_direct_part *part, const struct of_record *record, struct of_chunk *chunk)
{
    struct of_stretch *stretch = part->first;
    OF_ASSERT(stretch != NULL && record->at == part->cursor && chunk->count < OF_CHUNK_RECORDS);
    if (chunk->count == 0) {
        chunk->slot = part->slot;
        chunk->ops = &copies_ops;
        chunk->payload = NULL;
        chunk->first_offset = part->delivered;
    }
    OF_ASSERT(chunk->slot == part->slot);
    chunk->records[chunk->count] = make_copy(record, of_stretch_bytes(stretch, record), chunk->count);
    chunk->count++;
    chunk->next_offset = part->delivered = record->offset + 1;
    part->delivered_epoch = stretch->leader_epoch;
    part->cursor = record->behind;
    of_stretch_close_before(stretch, record->at >> OF_STRETCH_POSITION_BITS);
}

int64_t
of_fetcher_at_end(struct of_direct_part *part)
{
    if (part->first != NULL || part->end < 0 || part->position < part->end)
        return -1;
    part->delivered_epoch = part->last_epoch;
    return part->position;
}

/* ---- home ---- */

void
of_fetcher_release(struct of_fetcher *fetcher, struct of_chunk *chunk)
{
    if (chunk->payload != NULL)
        of_fetcher_discard(fetcher, chunk->payload);
    else
        for (uint32_t i = 0; i < chunk->count; i++)
            free(chunk->records[i]);
    chunk->payload = NULL;
    chunk->count = 0;
}
