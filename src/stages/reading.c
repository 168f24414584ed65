/* The slots of an assignment from its beginning to its end, and a turn over all of them. */
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "order/failure.h"
#include "stages/reading_private.h"

/* How often to look whether who hears of records has caught up. */
static const int64_t FULL_NS = 1 * OF_MS_NS;

/* ---- memory ---- */

void
of_reading_init(struct of_reading *reading, const struct of_fetch_options *options, struct of_fetch_status *status,
                struct of_board *board, _Atomic bool *barrier_wanted)
{
    *reading = (struct of_reading) {
        .options = options,
        .status = status,
        .board = board,
        .barrier_wanted = barrier_wanted,
        .retry_delay_ms = of_tuning_retry_delay_ms(options->tuning),
        .chunks_most = options->chunks,
    };
    reading->chunks = of_alloc_array(options->chunks, sizeof *reading->chunks);
    reading->free_chunks = of_alloc_array(options->chunks, sizeof *reading->free_chunks);
    for (uint32_t i = 0; i < options->chunks; i++) {
        struct of_chunk *chunk = &reading->chunks[i];
        chunk->item.kind = OF_ITEM_CHUNK;
        chunk->item.lane = options->lane;
        chunk->ops = options->source.ops->chunk_ops;
        chunk->records = of_alloc_array(OF_CHUNK_RECORDS, sizeof *chunk->records);
        reading->free_chunks[reading->free_count++] = chunk;
    }
}

void
of_reading_fini(struct of_reading *reading)
{
    of_reading_forget(reading);
    for (uint32_t i = 0; i < reading->options->chunks; i++)
        free(reading->chunks[i].records);
    free(reading->chunks);
    free(reading->free_chunks);
}

void
of_reading_release_all(struct of_reading *reading)
{
    const struct of_source *source = &reading->options->source;
    for (uint32_t i = 0; i < reading->options->chunks; i++)
        if (reading->chunks[i].count > 0) {
            source->ops->release(source->self, &reading->chunks[i]);
            reading->chunks[i].count = 0;
        }
}

/* ---- an assignment ---- */

static int
compare_partitions(const void *a, const void *b)
{
    const struct of_partition *x = a, *y = b;
    if (x->role != y->role)
        return x->role < y->role ? -1 : 1;
    return x->partition < y->partition ? -1 : x->partition > y->partition;
}

void
of_reading_assign(struct of_reading *reading, struct of_partition *partitions, uint32_t count)
{
    OF_ASSERT(reading->count == 0 && count <= OF_LANE_SLOTS);
    if (count > 0)
        qsort(partitions, count, sizeof *partitions, compare_partitions);
    reading->slots = of_alloc_array(count, sizeof *reading->slots);
    reading->handles = of_alloc_array(count, sizeof *reading->handles);
    for (uint32_t i = 0; i < count; i++) {
        struct of_reading_slot *slot = of_alloc(sizeof *slot);
        slot->slot.lane = reading->options->lane;
        slot->slot.index = i;
        slot->slot.rank = reading->options->lane + i;
        slot->slot.role = partitions[i].role;
        slot->slot.topic = partitions[i].topic;
        slot->slot.topic_hash = of_fnv1a64(of_slice_str(partitions[i].topic));
        slot->slot.partition = partitions[i].partition;
        slot->slot.barrier_wanted = reading->barrier_wanted;
        slot->head_offset = -1;
        slot->cut_offset = -1;
        atomic_store_explicit(&slot->slot.cut_at, INT64_MAX, memory_order_relaxed);
        slot->shift_ms = INT64_MAX;
        reading->slots[i] = slot;
        reading->handles[i] = &slot->slot;
    }
    reading->count = count;
    reading->moved = false;
    reading->serving = false;
}

void
of_reading_forget(struct of_reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++)
        free(reading->slots[i]);
    free(reading->slots);
    free(reading->handles);
    reading->slots = NULL;
    reading->handles = NULL;
    reading->count = 0;
    atomic_store_explicit(&reading->status->held, 0, memory_order_relaxed);
    of_board_clear_all(reading->board);
}

bool
of_reading_is_home(const struct of_reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++)
        if (reading->slots[i]->open_out)
            return false;
    return reading->free_count == reading->options->chunks;
}

void
of_reading_drop_all(struct of_reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++)
        of_slot_drop(&reading->slots[i]->slot, reading->slots[i]->epoch);
}

/* ---- a turn ---- */

static bool
schema_news(struct of_reading *reading)
{
    if (reading->options->schemas == NULL)
        return false;
    uint64_t version = of_schema_cache_version(reading->options->schemas);
    bool news = version != reading->schema_version;
    reading->schema_version = version;
    return news;
}

static bool
waits_for_schema(const struct of_reading_slot *slot)
{
    return slot->cause == OF_CAUSE_SCHEMA_PENDING || slot->cause == OF_CAUSE_REGISTRY_UNAVAILABLE
           || slot->cause == OF_CAUSE_REGISTRY_DENIED;
}

uint32_t
of_reading_turn(struct of_reading *reading, struct of_port *port, const struct of_ledger *ledger, bool barrier_home,
                int64_t now_ns, int64_t *deadline_ns)
{
    uint32_t done = 0;
    bool news = schema_news(reading);
    reading->waits = false;
    reading->wall_ms = of_clock_wall_ms(reading->options->clock);
    of_reading_look_at_delay(reading);
    for (uint32_t i = 0; i < reading->count; i++) {
        struct of_reading_slot *slot = reading->slots[i];
        if (slot->held && news && waits_for_schema(slot))
            slot->retry_ns = now_ns;
        if (slot->held && now_ns >= slot->retry_ns)
            done += of_reading_reopen(reading, port, slot, ledger, barrier_home);
        if (slot->held && slot->retry_ns > now_ns && slot->retry_ns < *deadline_ns)
            *deadline_ns = slot->retry_ns;
        if (!slot->held && slot->slot.role == OF_ROLE_RETRY)
            done += of_reading_read_retry(reading, port, slot, now_ns, deadline_ns);
    }
    done += of_reading_read_orders(reading, port);
    if (reading->waits && now_ns + FULL_NS < *deadline_ns)
        *deadline_ns = now_ns + FULL_NS;
    return done;
}
