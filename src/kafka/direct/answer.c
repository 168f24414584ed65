#include <stdarg.h>
#include <stdio.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "kafka/direct/fetcher.h"
#include "order/cause.h"

enum {
    STRETCH_BYTES = 128 << 10, /* as they came; a larger batch is a stretch by itself */
    LEADERLESS_MS = 30000,     /* a partition that has had no leader for so long is told of */
    APART_MS = 10000,          /* errors further apart have nothing to do with each other: a retry that waits is not asked for */
    MALFORMED_MOST = 2,        /* answers in a row: then it is told */
};

/* ---- errors ---- */

enum reaction {
    LOOK, /* ask who leads it, after a back-off */
    WAIT, /* back-off alone */
    EDGE, /* ask what the log holds */
    TELL, /* the partition cannot be read */
};

/* Kafka's codes that a fetch, or a look for an epoch, may be answered with. */
static const struct {
    int16_t code;
    enum reaction reaction;
    enum of_cause cause;
    const char *text;
} errors[] = {
    { 1, EDGE, OF_CAUSE_OFFSET_OUT_OF_RANGE, "it does not hold the offset" },
    { 2, WAIT, OF_CAUSE_FETCH_FAILED, "the broker finds its log corrupt" },
    { 3, LOOK, OF_CAUSE_FETCH_FAILED, "the broker does not know it" },
    { 5, LOOK, OF_CAUSE_FETCH_FAILED, "it has no leader" },
    { 6, LOOK, OF_CAUSE_FETCH_FAILED, "its leader has changed" },
    { 7, WAIT, OF_CAUSE_FETCH_FAILED, "the broker timed out" },
    { 8, LOOK, OF_CAUSE_FETCH_FAILED, "the broker is not available" },
    { 9, LOOK, OF_CAUSE_FETCH_FAILED, "the replica is not available" },
    { 13, LOOK, OF_CAUSE_FETCH_FAILED, "a broker behind the broker does not answer" },
    { 29, TELL, OF_CAUSE_FETCH_FAILED, "not authorized to read the topic" },
    { 56, LOOK, OF_CAUSE_FETCH_FAILED, "the broker cannot read its disk" },
    { 74, LOOK, OF_CAUSE_FETCH_FAILED, "the leader is newer than what we know" },
    { 75, LOOK, OF_CAUSE_FETCH_FAILED, "the broker does not know yet that it leads" },
    { 76, TELL, OF_CAUSE_FETCH_FAILED, "its records are packed in a way that this version of Fetch cannot carry" },
    { 78, WAIT, OF_CAUSE_FETCH_FAILED, "the new leader does not know yet how far it may be read" },
    { 100, LOOK, OF_CAUSE_FETCH_FAILED, "the topic was made anew" },
};
enum { ERRORS = sizeof errors / sizeof *errors };

void
of_part_break(struct of_fetcher *fetcher, struct of_direct_part *part, uint8_t cause, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(part->why, sizeof part->why, format, args);
    va_end(args);
    part->cause = cause;
    of_fetcher_tell(fetcher, part, OF_PART_BROKEN);
    of_fetcher_hold(fetcher, part);
}

void
of_part_back_off(struct of_fetcher *fetcher, struct of_direct_part *part, int64_t now_ns)
{
    const struct of_direct_settings *settings = &fetcher->settings;
    part->backoff_ms = part->backoff_ms == 0 ? settings->backoff_ms / 2 + 1 : 2 * part->backoff_ms;
    if (part->backoff_ms > settings->backoff_most_ms)
        part->backoff_ms = settings->backoff_most_ms;
    int64_t jitter_ms = (int64_t)((uint64_t)now_ns / 1000 % (uint64_t)(part->backoff_ms / 2 + 1));
    part->next_ask_ns = now_ns + (part->backoff_ms - jitter_ms) * OF_MS_NS;
}

static void
tell_error(struct of_fetcher *fetcher, struct of_direct_part *part, int16_t code, enum of_cause cause, const char *text)
{
    const struct of_slot *slot = part->slot;
    of_part_break(fetcher, part, (uint8_t)cause, "%.100s [%d] cannot be read at offset %lld: %s (error %d)",
                  slot->topic, slot->partition, (long long)part->position, text, code);
}

/* What may pass is told, too, when it has not passed for long. */
void
of_part_take_error(struct of_fetcher *fetcher, struct of_direct_part *part, int16_t code, int64_t now_ns)
{
    enum reaction reaction = TELL;
    enum of_cause cause = OF_CAUSE_FETCH_FAILED;
    const char *text = "the broker answers with an error";
    for (int i = 0; i < ERRORS; i++)
        if (errors[i].code == code) {
            reaction = errors[i].reaction;
            cause = errors[i].cause;
            text = errors[i].text;
        }
    if (reaction == TELL) {
        tell_error(fetcher, part, code, cause, text);
        return;
    }
    if (reaction == EDGE) {
        part->edge = OF_EDGE_FIRST;
        return;
    }
    of_part_back_off(fetcher, part, now_ns);
    if (reaction == LOOK) {
        part->unsure = true;
        of_fetcher_want_leaders(fetcher);
    }
    if (part->leaderless_ns == 0 || now_ns - part->error_ns > APART_MS * OF_MS_NS)
        part->leaderless_ns = now_ns;
    else if (now_ns - part->leaderless_ns > LEADERLESS_MS * OF_MS_NS) {
        part->leaderless_ns = now_ns;
        tell_error(fetcher, part, code, cause, text);
    }
    part->error_ns = now_ns;
}

void
of_part_made_anew(struct of_fetcher *fetcher, struct of_direct_part *part)
{
    of_part_break(fetcher, part, OF_CAUSE_OFFSET_OUT_OF_RANGE,
                  "%.80s [%d] is not what was read up to offset %lld: the topic was deleted and made anew; "
                  "`orderflow reset` starts the group over", part->slot->topic, part->slot->partition,
                  (long long)part->position);
}

void
of_part_diverged(struct of_fetcher *fetcher, struct of_direct_part *part, int32_t epoch, int64_t end)
{
    if (end < 0)
        of_part_break(fetcher, part, OF_CAUSE_FETCH_FAILED,
                      "%.80s [%d]: its leader does not know the epoch in which records up to %lld were read: the log "
                      "was cut back or the topic was made anew; `orderflow reset` starts over", part->slot->topic,
                      part->slot->partition, (long long)part->position);
    else
        of_part_break(fetcher, part, OF_CAUSE_FETCH_FAILED,
                      "%.80s [%d] was cut back to offset %lld by its new leader (epoch %d): records up to %lld were "
                      "read that are no longer there; `orderflow reset` starts over", part->slot->topic,
                      part->slot->partition, (long long)end, epoch, (long long)part->position);
}

/* ---- batches ---- */

/* What of one partition's answer is being made into stretches. */
struct walk {
    struct of_fetcher *fetcher;
    struct of_direct_part *part;
    struct of_slab *slab;
    struct of_array *aborted; /* of struct of_aborted_transaction; those that have ended get the producer -1 */
    struct of_stretch *stretch; /* the last one made */
    size_t stretch_bytes;
};

static bool
is_aborted(const struct of_array *aborted, const struct of_record_batch *batch)
{
    const struct of_aborted_transaction *transactions = aborted->items;
    if (!batch->transactional)
        return false;
    for (uint32_t i = 0; i < aborted->count; i++)
        if (transactions[i].producer_id == batch->producer_id && transactions[i].first_offset <= batch->last_offset)
            return true;
    return false;
}

static void
end_aborted(struct of_array *aborted, const struct of_record_batch *batch)
{
    struct of_aborted_transaction *transactions = aborted->items;
    if (of_record_batch_marker(batch) != OF_MARKER_ABORT)
        return;
    for (uint32_t i = 0; i < aborted->count; i++)
        if (transactions[i].producer_id == batch->producer_id && transactions[i].first_offset <= batch->base_offset)
            transactions[i].producer_id = -1;
}

/* Retries wait: they keep a copy of their own batches and no answer. */
static void
begin_stretch(struct walk *walk, size_t bytes)
{
    walk->stretch = of_fetcher_make_stretch(walk->fetcher, walk->part);
    walk->stretch_bytes = 0;
    if (bytes > 0 && walk->part->slot->role == OF_ROLE_ORDERS) {
        walk->stretch->slab = walk->slab;
        of_slab_refer(walk->slab);
    }
    of_fetcher_queue(walk->fetcher, walk->stretch);
}

static void
keep(struct walk *walk, const struct of_record_batch *batch)
{
    struct of_record_batch kept = *batch;
    const struct of_stretch *stretch = walk->stretch;
    bool retry = walk->part->slot->role == OF_ROLE_RETRY;
    if (stretch == NULL || stretch->batch_count == OF_STRETCH_BATCHES ||
        walk->stretch_bytes + batch->bytes.length > STRETCH_BYTES || retry)
        begin_stretch(walk, batch->bytes.length);
    if (retry) {
        walk->stretch->own = of_realloc_array(NULL, batch->bytes.length, 1);
        memcpy(walk->stretch->own, batch->bytes.data, batch->bytes.length);
        kept.bytes.data = walk->stretch->own;
    }
    of_stretch_add(walk->stretch, &kept);
    walk->stretch->leader_epoch = batch->leader_epoch;
    walk->stretch_bytes += batch->bytes.length;
}

/* Whether readers see it. What is left out unseen is so only when its checksum is right: heads may be corrupt, too. */
static bool
take_batch(struct walk *walk, const struct of_record_batch *batch)
{
    struct of_direct_part *part = walk->part;
    bool aborted = is_aborted(walk->aborted, batch);
    if ((batch->control || aborted) && !of_record_batch_intact(batch))
        return false;
    if (batch->control)
        end_aborted(walk->aborted, batch);
    else if (!aborted && batch->count > 0)
        keep(walk, batch);
    part->position = batch->last_offset + 1;
    part->last_epoch = batch->leader_epoch;
    return true;
}

/* No checksum covers where a batch says that it begins: it must follow the one before it, and be there to be read. */
static enum of_batch_look
walk_batches(struct walk *walk, struct of_slice bytes, int64_t high_watermark)
{
    int64_t behind = 0;
    while (bytes.length > 0) {
        struct of_record_batch batch;
        enum of_batch_look look = of_record_batch_look(bytes, &batch);
        if (look != OF_BATCH_WHOLE)
            return look;
        if (batch.base_offset < behind || batch.last_offset >= high_watermark)
            return OF_BATCH_MALFORMED;
        behind = batch.last_offset + 1;
        if (batch.last_offset >= walk->part->position && !take_batch(walk, &batch))
            return OF_BATCH_MALFORMED;
        bytes = of_slice_of(bytes.data + batch.bytes.length, bytes.length - batch.bytes.length);
    }
    return OF_BATCH_WHOLE;
}

/* What was left out behind the last stretch, or instead of one, moves the position as well. */
static void
end_walk(struct walk *walk, int64_t from)
{
    struct of_direct_part *part = walk->part;
    if (part->position == from)
        return;
    if (walk->stretch == NULL) {
        walk->stretch = of_fetcher_make_stretch(walk->fetcher, part);
        of_fetcher_queue(walk->fetcher, walk->stretch);
    }
    walk->stretch->next_offset = part->position;
    walk->stretch->leader_epoch = part->last_epoch;
}

/* An answer without a whole batch: what others left of it was too little, or the limit is. The partition comes first the next time. */
static void
ask_for_more(struct of_fetcher *fetcher, struct of_link *link, struct of_direct_part *part)
{
    int32_t most = fetcher->settings.answer_bytes / 2;
    part->bytes = part->bytes > most / 2 ? most : 2 * part->bytes;
    link->first_part = (uint32_t)(part - fetcher->parts);
}

static void
take_records(struct of_fetcher *fetcher, struct of_link *link, struct of_direct_part *part, struct of_slab *slab,
             struct of_fetched_partition *fetched, int64_t now_ns)
{
    int64_t from = part->position;
    struct walk walk = {
        .fetcher = fetcher, .part = part, .slab = slab, .aborted = &fetched->aborted_transactions,
    };
    enum of_batch_look look = walk_batches(&walk, fetched->records, fetched->high_watermark);
    end_walk(&walk, from);
    if (part->position > from) {
        part->malformed = 0;
        part->bytes = part->slot->role == OF_ROLE_RETRY ? fetcher->settings.retry_bytes
                                                        : fetcher->settings.partition_bytes;
        link->first_part = (uint32_t)(part - fetcher->parts) + 1;
    } else if (look == OF_BATCH_CUT_OFF) {
        ask_for_more(fetcher, link, part);
    } else if (look == OF_BATCH_OLD) {
        of_part_break(fetcher, part, OF_CAUSE_FETCH_FAILED,
                      "%.100s [%d] has records in a format before 2 at offset %lld: use --source librdkafka",
                      part->slot->topic, part->slot->partition, (long long)part->position);
    } else if (look == OF_BATCH_MALFORMED && ++part->malformed >= MALFORMED_MOST) {
        of_part_break(fetcher, part, OF_CAUSE_FETCH_FAILED, "%.100s [%d] has a corrupt batch at offset %lld",
                      part->slot->topic, part->slot->partition, (long long)part->position);
    } else if (look == OF_BATCH_MALFORMED) {
        of_part_back_off(fetcher, part, now_ns);
    }
}

/* ---- answers ---- */

static const struct of_asked_part *
find_asked(const struct of_link *link, const struct of_direct_part *part)
{
    for (uint32_t i = 0; i < link->asked_count; i++)
        if (link->asked[i].part == part)
            return &link->asked[i];
    return NULL;
}

static void
take_partition(struct of_fetcher *fetcher, struct of_link *link, struct of_direct_part *part, struct of_slab *slab,
               struct of_fetched_partition *fetched, int64_t now_ns)
{
    if (fetched->error_code != 0) {
        of_part_take_error(fetcher, part, fetched->error_code, now_ns);
        return;
    }
    if (fetched->diverging_epoch.end_offset >= 0) {
        of_part_diverged(fetcher, part, fetched->diverging_epoch.epoch, fetched->diverging_epoch.end_offset);
        return;
    }
    part->backoff_ms = 0;
    part->leaderless_ns = 0;
    part->end = fetched->last_stable_offset >= 0 ? fetched->last_stable_offset : fetched->high_watermark;
    fetcher->held_records[part->slot->role] |= part->end > 0;
    take_records(fetcher, link, part, slab, fetched, now_ns);
}

/* False: a partition was not asked for. */
static bool
take_topic(struct of_fetcher *fetcher, struct of_link *link, struct of_slab *slab,
           const struct of_fetched_topic *topic, int64_t now_ns)
{
    struct of_fetched_partition *partitions = topic->partitions.items;
    for (uint32_t i = 0; i < topic->partitions.count; i++) {
        struct of_direct_part *part = of_fetcher_part(fetcher, link->role, partitions[i].partition_index);
        const struct of_asked_part *asked = part == NULL ? NULL : find_asked(link, part);
        if (asked == NULL || !of_slice_equal(topic->topic, of_slice_str(part->slot->topic)))
            return false;
        if (!part->held && part->generation == asked->generation && part->position == asked->offset)
            take_partition(fetcher, link, part, slab, &partitions[i], now_ns);
    }
    return true;
}

void
of_fetcher_take_fetched(struct of_fetcher *fetcher, struct of_link *link, const struct of_received *received,
                        int64_t now_ns)
{
    struct of_error err;
    struct of_fetch_answer answer;
    const struct of_asked *asked = &received->asked;
    link->fetching = false;
    if (of_message_read_answer(asked->message, asked->version, asked->correlation, received->bytes, &answer,
                               &fetcher->arena, &err) != OF_OK) {
        of_connection_fail(&link->connection, now_ns, "%s", err.text);
        return;
    }
    if (answer.throttle_time_ms > 0)
        link->throttled_ns = now_ns + answer.throttle_time_ms * OF_MS_NS;
    if (answer.error_code != 0) {
        of_connection_fail(&link->connection, now_ns, "the broker answers Fetch with error %d", answer.error_code);
        return;
    }
    const struct of_fetched_topic *topics = answer.responses.items;
    /* Nothing was asked for any more: the assignment has ended meanwhile. */
    for (uint32_t i = 0; link->asked_count > 0 && i < answer.responses.count; i++)
        if (!take_topic(fetcher, link, received->slab, &topics[i], now_ns)) {
            of_connection_fail(&link->connection, now_ns, "Fetch: an answer about a partition that was not asked for");
            return;
        }
}
