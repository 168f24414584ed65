/* Slots that are held and begin again: why, from where, after how long, and who is told. fetch.h has the states. */
#include "stages/partition_log.h"
#include "stages/reading_private.h"
#include "stages/tell.h"

static const int64_t FIRST_BACKOFF_NS = 100 * OF_MS_NS;
static const int64_t LAST_BACKOFF_NS = 5 * OF_SECOND_NS;
/* For slots that go down with another one's transaction: they must get through between two tries of that one. */
static const int64_t LAST_ABORTED_NS = 800 * OF_MS_NS;

/* ---- telling ---- */

/* NULL: nobody listens, or not fast enough. */
static struct of_event *
make_event(struct of_reading *reading, enum of_event_kind kind, const struct of_slot *slot, int64_t offset,
           enum of_cause cause, const char *text)
{
    struct of_event_queue *queue = reading->options->events;
    if (queue == NULL)
        return NULL;
    struct of_event *event = of_event_queue_borrow(queue);
    if (event == NULL)
        of_event_queue_drop(queue, 1);
    else
        of_tell_partition(event, kind, slot, offset, cause, text, of_clock_wall_ms(reading->options->clock));
    return event;
}

static void
tell(struct of_reading *reading, enum of_event_kind kind, const struct of_reading_slot *slot, int64_t offset,
     enum of_cause cause, const char *text)
{
    if (kind == OF_EVENT_HELD || kind == OF_EVENT_RESUMED)
        of_partition_log(kind, &slot->slot, offset, cause, text, reading->options->quiet);
    struct of_event *event = make_event(reading, kind, &slot->slot, offset, cause, text);
    if (event != NULL)
        of_event_queue_send(reading->options->events, event);
}

void
of_reading_tell_all(struct of_reading *reading, enum of_event_kind kind, const struct of_ledger *ledger)
{
    for (uint32_t i = 0; i < reading->count; i++)
        if (ledger->slots[i].was_known)
            tell(reading, kind, reading->slots[i], ledger->slots[i].state.next_offset, OF_CAUSE_NONE, NULL);
    of_partition_log_all(kind, reading->handles, reading->count, reading->options->quiet);
}

void
of_reading_skipped(struct of_reading *reading, const struct of_source_event *skipped)
{
    struct of_event *event = make_event(reading, OF_EVENT_SKIPPED, skipped->slot, skipped->offset,
                                        (enum of_cause)skipped->cause, skipped->error.text);
    if (event == NULL)
        return;
    event->next_offset = skipped->next_offset;
    of_event_queue_send(reading->options->events, event);
}

/* ---- holding ---- */

/* A schema that is being looked up; a transaction that is begun again at once, or state that is read again at once, as its
 * topic was made a moment ago. Otherwise the first of a row of holds is news, and later on another cause. */
static bool
is_everyday(const struct of_reading_slot *slot, enum of_cause cause)
{
    return cause == OF_CAUSE_SCHEMA_PENDING
           || ((cause == OF_CAUSE_TRANSACTION_ABORTED || cause == OF_CAUSE_RESTORE_FAILED)
               && slot->backoff_ns == FIRST_BACKOFF_NS);
}

void
of_reading_hold(struct of_reading *reading, struct of_reading_slot *slot, bool restore, int64_t offset,
                enum of_cause cause, const char *text)
{
    const struct of_source *source = &reading->options->source;
    if (!slot->held) {
        if (reading->serving)
            source->ops->hold(source->self, &slot->slot);
        atomic_fetch_add_explicit(&reading->status->held, 1, memory_order_relaxed);
        slot->restore = false;
        slot->held = true;
        of_counter_add(&reading->status->holds[cause], 1);
    } else if (slot->restore && !restore) {
        return;
    } else if (!restore && slot->resume_offset < offset) {
        offset = slot->resume_offset;
    }
    slot->restore = restore;
    slot->resume_offset = offset;
    slot->cause = cause;
    slot->backoff_ns = slot->backoff_ns == 0 ? FIRST_BACKOFF_NS : 2 * slot->backoff_ns;
    int64_t last_ns = cause == OF_CAUSE_TRANSACTION_ABORTED ? LAST_ABORTED_NS : LAST_BACKOFF_NS;
    if (slot->backoff_ns > last_ns)
        slot->backoff_ns = last_ns;
    slot->retry_ns = of_clock_mono_ns(reading->options->clock) + slot->backoff_ns;
    if (is_everyday(slot, cause))
        return;
    if (text[0] == '\0')
        text = of_cause_text(cause);
    of_board_hold(reading->board, &slot->slot, offset, cause, text, of_clock_wall_ms(reading->options->clock));
    if (!slot->told || slot->told_cause != cause)
        tell(reading, OF_EVENT_HELD, slot, offset, cause, text);
    slot->told = true;
    slot->told_cause = cause;
}

void
of_reading_break(struct of_reading *reading, struct of_slot *slot, int64_t offset, enum of_cause cause,
                 const char *text)
{
    struct of_reading_slot *own = of_reading_slot_of(slot);
    if (cause == OF_CAUSE_OFFSET_OUT_OF_RANGE)
        of_gone_note(reading->options->gone, slot, offset, text);
    of_reading_hold(reading, own, false, own->next_offset > offset ? own->next_offset : offset, cause, text);
}

bool
of_reading_take_notice(struct of_reading *reading, const struct of_notice *notice)
{
    struct of_reading_slot *slot = of_reading_slot_of(notice->slot);
    if (notice->epoch < slot->restored)
        return false;
    of_slot_drop(&slot->slot, slot->epoch); /* a hold may have begun a new one meanwhile, which builds on the void */
    slot->cut_offset = notice->offset;
    atomic_store_explicit(&slot->slot.cut_cause, notice->cause, memory_order_relaxed);
    /* It begins again from the ledger; what is told is the record that cannot go on. */
    int64_t offset = notice->offset >= 0 ? notice->offset : slot->next_offset;
    of_reading_hold(reading, slot, true, offset, (enum of_cause)notice->cause, notice->text);
    return true;
}

/* A slot that waits to begin from the ledger already keeps its own reason. */
void
of_reading_restart_all(struct of_reading *reading, enum of_cause cause, const char *text)
{
    for (uint32_t i = 0; i < reading->count; i++) {
        struct of_reading_slot *slot = reading->slots[i];
        of_slot_drop(&slot->slot, slot->epoch);
        if (!slot->held || !slot->restore)
            of_reading_hold(reading, slot, true, slot->next_offset, cause, text);
    }
}

/* Only a commit shows that a slot gets anywhere: what was merely read may be refused again. */
void
of_reading_committed(struct of_reading *reading, const struct of_barrier *barrier)
{
    for (uint32_t i = 0; i < barrier->slot_count; i++) {
        struct of_reading_slot *slot = reading->slots[i];
        if (slot->held || barrier->reached[i].next_offset < 0)
            continue;
        slot->backoff_ns = 0;
        if (slot->told) {
            tell(reading, OF_EVENT_RESUMED, slot, slot->resume_offset, slot->cause, NULL);
            of_board_clear(reading->board, &slot->slot);
        }
        slot->told = false;
    }
}

/* ---- recorded state ---- */

uint32_t
of_reading_next_unknown(const struct of_reading *reading, const struct of_ledger *ledger, uint32_t from, int64_t now_ns)
{
    for (; from < reading->count; from++) {
        const struct of_reading_slot *slot = reading->slots[from];
        if (slot->held && slot->restore && !slot->asked && !ledger->slots[from].known && now_ns >= slot->retry_ns)
            break;
    }
    return from;
}

void
of_reading_state_known(struct of_reading *reading, uint32_t index, int64_t now_ns)
{
    reading->slots[index]->asked = false;
    reading->slots[index]->retry_ns = now_ns;
}

void
of_reading_state_failed(struct of_reading *reading, uint32_t index, enum of_cause cause, const char *text)
{
    struct of_reading_slot *slot = reading->slots[index];
    slot->asked = false;
    of_reading_hold(reading, slot, true, slot->next_offset, cause, text);
}

/* ---- beginning ---- */

static void
announce(struct of_port *port, struct of_reading_slot *slot, bool restore, const struct of_slot_state *state)
{
    slot->epoch++;
    if (restore)
        slot->restored = slot->epoch;
    slot->open_out = true;
    slot->slot.open = (struct of_open) {
        .item = { .kind = OF_ITEM_OPEN, .lane = slot->slot.lane, .rank = slot->slot.rank },
        .slot = &slot->slot,
        .epoch = slot->epoch,
        .restore = restore,
        .state = state,
    };
    of_port_forward(port, &slot->slot.open.item);
}

void
of_reading_open_all(struct of_reading *reading, struct of_port *port, const struct of_ledger *ledger,
                    const int64_t *starts)
{
    const struct of_source *source = &reading->options->source;
    char gone[OF_GONE_TEXT_BYTES];
    reading->serving = true;
    for (uint32_t i = 0; i < reading->count; i++) {
        struct of_reading_slot *slot = reading->slots[i];
        slot->next_offset = starts[i];
        if (ledger->slots[i].known) {
            if (slot->held) /* its state was there at the second try */
                atomic_fetch_sub_explicit(&reading->status->held, 1, memory_order_relaxed);
            slot->held = false;
            announce(port, slot, true, &ledger->slots[i].state);
            if (of_gone_look(reading->options->gone, &slot->slot, starts[i], gone))
                of_reading_hold(reading, slot, false, starts[i], OF_CAUSE_OFFSET_OUT_OF_RANGE, gone);
            continue;
        }
        if (slot->held) /* reading its state has failed: it keeps that reason */
            source->ops->hold(source->self, &slot->slot);
        else
            of_reading_hold(reading, slot, true, starts[i], OF_CAUSE_RESTORING, "");
    }
}

bool
of_reading_reopen(struct of_reading *reading, struct of_port *port, struct of_reading_slot *slot,
                  const struct of_ledger *ledger, bool barrier_home)
{
    const struct of_source *source = &reading->options->source;
    const struct of_ledger_slot *committed = &ledger->slots[slot->slot.index];
    if (!slot->restore && slot->cut_offset == slot->resume_offset && committed->state.next_offset < slot->cut_offset)
        return false; /* what is before it is still to be committed */
    if (slot->open_out || (slot->restore ? !barrier_home || !committed->known : slot->chunks_out > 0))
        return false;
    int64_t offset = slot->restore ? committed->state.next_offset : slot->resume_offset;
    char gone[OF_GONE_TEXT_BYTES];
    if (of_gone_look(reading->options->gone, &slot->slot, offset, gone)) {
        of_reading_hold(reading, slot, slot->restore, offset, OF_CAUSE_OFFSET_OUT_OF_RANGE, gone);
        return false;
    }
    bool cut = slot->restore && slot->cut_offset > offset;
    atomic_store_explicit(&slot->slot.cut_at, cut ? slot->cut_offset : INT64_MAX, memory_order_relaxed);
    struct of_error err;
    if (source->ops->resume(source->self, &slot->slot, offset, &err) != OF_OK) {
        of_reading_hold(reading, slot, slot->restore, slot->resume_offset, OF_CAUSE_FETCH_FAILED, err.text);
        return false;
    }
    slot->resume_offset = offset;
    slot->next_offset = offset;
    slot->head_offset = -1;
    slot->held = false;
    atomic_fetch_sub_explicit(&reading->status->held, 1, memory_order_relaxed);
    if (slot->told)
        of_board_try(reading->board, &slot->slot, of_clock_mono_ns(reading->options->clock));
    announce(port, slot, slot->restore, slot->restore ? &committed->state : NULL);
    return true;
}

void
of_reading_take_open(struct of_reading *reading, struct of_open *open)
{
    (void)reading;
    of_reading_slot_of(open->slot)->open_out = false;
}
