#include "core/assert.h"
#include "core/crash_point.h"
#include "core/memory.h"
#include "stages/publish_private.h"

/* A row's or marker's tag: this bit, the round of its barrier, its slot. */
#define STATE_TAG (UINT64_C(1) << 63)
enum { ROUND_BIT = 32, ROUND_MASK = 0x7fffffff };

void
of_publish_forget_letters(struct of_publish *publish)
{
    publish->unsettled[0] = publish->unsettled[1] = 0;
    publish->state_unsettled = 0;
}

/* ---- handing over ---- */

/* A transaction that has become large does not wait until the interval is over. It cannot wait for its barrier to come
 * either, as that is behind the letter: what is in flight before it is what it can grow by. */
static uint32_t
next_in_transaction(struct of_publish *publish)
{
    if (publish->used + 1 >= publish->options.in_flight)
        atomic_store_explicit(publish->barrier_wanted, true, memory_order_relaxed);
    if (publish->used + 1 == publish->letter_room) {
        publish->letter_room *= 2;
        publish->letters = of_realloc_array(publish->letters, publish->letter_room, sizeof *publish->letters);
    }
    return publish->used + 1;
}

/* The next letter's number; 0: as many as there may be are under way. */
static uint32_t
next_tag(struct of_publish *publish)
{
    return publish->transactional ? next_in_transaction(publish) : publish->first_free;
}

static void
note_opened(struct of_publish *publish)
{
    if (publish->transactional && publish->opened_ns == 0)
        publish->opened_ns = of_clock_mono_ns(publish->options.clock);
}

static enum of_status
produce(struct of_publish *publish, const struct of_outgoing *out, uint64_t tag, struct of_error *err)
{
    if (publish->ending)
        return OF_AGAIN;
    OF_CRASH_POINT("produce-before");
    enum of_status status = publish->options.sink.ops->produce(publish->options.sink.self, out, tag, err);
    OF_CRASH_POINT("produce-after");
    if (status == OF_OK || status == OF_ABORT) /* a transaction that has failed is one to end */
        note_opened(publish);
    return status;
}

enum of_status
of_publish_hand_over(struct of_publish *publish, struct of_publish_slot *slot, const struct of_outgoing *out,
                     int64_t offset, uint8_t size, struct of_error *err)
{
    uint8_t destination = (uint8_t)out->destination;
    enum of_handed_state handed = OF_HANDED_NEVER;
    if (of_publish_closed(publish))
        return OF_AGAIN;
    if (!publish->transactional)
        handed = of_handed_find(&slot->handed, offset, destination);
    if (handed == OF_HANDED_WRITTEN)
        return OF_OK;
    uint32_t tag = next_tag(publish);
    if (handed == OF_HANDED_WAITING || tag == 0)
        return OF_AGAIN;
    enum of_status status = produce(publish, out, tag, err);
    if (status != OF_OK)
        return status;
    struct of_publish_letter *letter = &publish->letters[tag];
    uint32_t next_free = letter->next_free;
    *letter = (struct of_publish_letter) {
        .slot = slot->slot->index,
        .epoch = slot->epoch,
        .assignment = publish->assignment,
        .offset = offset,
        .number = UINT64_MAX,
        .generation = publish->generation,
        .destination = destination,
        .size = size,
    };
    if (publish->transactional) {
        publish->used = tag;
        slot->transaction = publish->transaction;
        return OF_OK;
    }
    publish->first_free = next_free;
    letter->number = of_handed_add(&slot->handed, offset, destination);
    publish->unsettled[publish->generation]++;
    return OF_OK;
}

/* The barrier that is here must not commit what the slot reached. */
static void
take_back(struct of_publish *publish, uint32_t slot)
{
    if (publish->barrier != NULL)
        publish->barrier->reached[slot] = (struct of_reached) { .next_offset = -1 };
}

enum of_status
of_publish_hand_over_state(struct of_publish *publish, uint32_t slot, struct of_slice key, struct of_slice value)
{
    struct of_error err;
    const struct of_outgoing out = {
        .destination = OF_TO_AGGREGATES,
        .partition = publish->slots[slot].slot->partition,
        .key = key,
        .value = value,
    };
    uint64_t tag = STATE_TAG | (uint64_t)(publish->round & ROUND_MASK) << ROUND_BIT | slot;
    enum of_status status = produce(publish, &out, tag, &err);
    if (status == OF_AGAIN)
        return OF_AGAIN;
    if (status == OF_OK) {
        publish->state_unsettled++;
        publish->slots[slot].transaction = publish->transaction;
        return OF_OK;
    }
    if (status == OF_ABORT || status == OF_FATAL) {
        (status == OF_ABORT ? of_publish_abort : of_publish_give_up)(publish, err.text);
        return OF_AGAIN;
    }
    take_back(publish, slot);
    of_publish_fail_slot(publish, &publish->slots[slot], -1, OF_CAUSE_STATE_REFUSED, err.text);
    return OF_OK;
}

/* ---- reports ---- */

static void
letter_failed(struct of_publish *publish, const struct of_publish_letter *letter, enum of_status status,
              const char *text)
{
    struct of_publish_slot *slot = &publish->slots[letter->slot];
    if (letter->epoch < slot->restored)
        return;
    if (status == OF_POISON) {
        slot->shrunk_offset = letter->offset;
        slot->shrunk_size = (uint8_t)(letter->size + 1 < OF_LETTER_SIZES ? letter->size + 1 : letter->size);
    }
    if (!publish->transactional && letter->generation != publish->generation)
        take_back(publish, letter->slot);
    of_publish_fail_slot(publish, slot, letter->offset,
                         letter->destination == OF_TO_RETRY ? OF_CAUSE_RETRY_REFUSED : OF_CAUSE_DEAD_LETTER_REFUSED,
                         text);
}

static void
letter_settled(struct of_publish *publish, uint32_t tag, enum of_status status, const char *text)
{
    OF_ASSERT(tag >= 1 && tag < publish->letter_room);
    struct of_publish_letter *letter = &publish->letters[tag];
    bool concerns = letter->assignment == publish->assignment;
    if (publish->transactional) {
        /* When it is given up already, its other letters' failures are consequences. */
        if (concerns && !publish->doomed && tag <= publish->used)
            letter_failed(publish, letter, status, text);
        return;
    }
    if (concerns) {
        OF_ASSERT(publish->unsettled[letter->generation] > 0);
        publish->unsettled[letter->generation]--;
        of_handed_settle(&publish->slots[letter->slot].handed, letter->number, status == OF_OK);
        if (status != OF_OK)
            letter_failed(publish, letter, status, text);
    }
    letter->next_free = publish->first_free;
    publish->first_free = tag;
}

static void
state_settled(struct of_publish *publish, uint64_t tag, enum of_status status, const char *text)
{
    uint32_t slot = (uint32_t)tag;
    if ((tag >> ROUND_BIT & ROUND_MASK) != (publish->round & ROUND_MASK) || publish->state_unsettled == 0)
        return;
    publish->state_unsettled--;
    if (status == OF_OK || publish->doomed || slot >= publish->slot_count)
        return;
    take_back(publish, slot);
    of_publish_fail_slot(publish, &publish->slots[slot], -1, OF_CAUSE_STATE_REFUSED, text);
}

void
of_publish_settled(void *arg, uint64_t tag, enum of_status status, const char *text)
{
    if (tag & STATE_TAG)
        state_settled(arg, tag, status, text);
    else
        letter_settled(arg, (uint32_t)tag, status, text);
}
