/* What the slots of an assignment do, for people: part of the fetch stage's description. */
#include <inttypes.h>
#include <stdio.h>

#include "stages/reading.h"

enum { LISTED = 200, STATE_BYTES = 400 }; /* slots that merely read are listed up to here; those that wait always */

static int64_t
end_of(const struct of_reading *reading, const struct of_reading_slot *slot)
{
    const struct of_source *source = &reading->options->source;
    return !reading->serving || source->ops->high == NULL ? -1 : source->ops->high(source->self, &slot->slot);
}

static double
seconds_until(int64_t at_ns, int64_t now_ns)
{
    return at_ns > now_ns ? (double)(at_ns - now_ns) / (double)OF_SECOND_NS : 0;
}

/* A retry partition stands still until its head is due: that is no hold. */
static bool
waits_at_head(const struct of_reading_slot *slot, int64_t now_ns)
{
    return slot->slot.role == OF_ROLE_RETRY && !slot->held && slot->head_offset >= 0
           && slot->head_offset >= slot->next_offset && slot->due_ns > now_ns;
}

static const char *
resumption(const struct of_reading_slot *slot, bool known)
{
    if (slot->asked)
        return "its recorded state is being read";
    if (slot->restore && !known)
        return "its recorded state is to be read";
    if (slot->open_out)
        return "its last beginning is still on its way through the stages";
    return slot->restore ? "goes on from what is committed" : "goes on from there";
}

static void
describe_state(const struct of_reading_slot *slot, bool known, int64_t end, int64_t now_ns, char out[STATE_BYTES])
{
    if (slot->held)
        snprintf(out, STATE_BYTES, "held at %" PRId64 ", %s: %s; %s, tried again in %.1f s", slot->resume_offset,
                 of_cause_name(slot->cause), of_cause_text(slot->cause), resumption(slot, known),
                 seconds_until(slot->retry_ns, now_ns));
    else if (waits_at_head(slot, now_ns) && end > slot->head_offset)
        snprintf(out, STATE_BYTES, "%" PRId64 " wait, the first, %" PRId64 ", is due in %.1f s",
                 end - slot->head_offset, slot->head_offset, seconds_until(slot->due_ns, now_ns));
    else if (waits_at_head(slot, now_ns))
        snprintf(out, STATE_BYTES, "waits for %" PRId64 ", which is due in %.1f s", slot->head_offset,
                 seconds_until(slot->due_ns, now_ns));
    else
        snprintf(out, STATE_BYTES, "reads, %u chunk%s on the way", slot->chunks_out, slot->chunks_out == 1 ? "" : "s");
}

/* "-": not known. */
static void
print_offset(FILE *out, int64_t offset)
{
    if (offset >= 0)
        fprintf(out, " %12" PRId64, offset);
    else
        fprintf(out, " %12s", "-");
}

static void
describe_slot(const struct of_reading *reading, const struct of_ledger *ledger, uint32_t index, int64_t now_ns,
              FILE *out)
{
    const struct of_reading_slot *slot = reading->slots[index];
    bool known = index < ledger->count && ledger->slots[index].known;
    int64_t end = end_of(reading, slot);
    char name[64], state[STATE_BYTES];
    describe_state(slot, known, end, now_ns, state);
    snprintf(name, sizeof name, "%.40s %" PRId32, slot->slot.topic, slot->slot.partition);
    fprintf(out, "  %-24s %5u", name, slot->epoch);
    print_offset(out, slot->next_offset);
    print_offset(out, known ? ledger->slots[index].state.next_offset : -1);
    print_offset(out, end);
    fprintf(out, "  %s\n", state);
}

/* Those that wait first: they are why somebody looks. */
void
of_reading_describe(const struct of_reading *reading, const struct of_ledger *ledger, int64_t now_ns, FILE *out)
{
    uint32_t listed = 0, left = 0, waiting = 0;
    int64_t earliest_ns = INT64_MAX;
    if (reading->count > 0)
        fprintf(out, "  %-24s %5s %12s %12s %12s\n", "partition", "epoch", "position", "committed", "end");
    for (int waits = 1; waits >= 0; waits--)
        for (uint32_t i = 0; i < reading->count; i++) {
            const struct of_reading_slot *slot = reading->slots[i];
            bool at_head = waits_at_head(slot, now_ns);
            if ((slot->held || at_head) != waits)
                continue;
            waiting += at_head;
            if (at_head && slot->due_ns < earliest_ns)
                earliest_ns = slot->due_ns;
            if (waits || listed < LISTED)
                describe_slot(reading, ledger, i, now_ns, out);
            else
                left++;
            listed++;
        }
    if (left > 0)
        fprintf(out, "  and %" PRIu32 " partitions more that are read\n", left);
    if (waiting > 0)
        fprintf(out, "  retries wait in %" PRIu32 " partition%s, the earliest is due in %.1f s\n", waiting,
                waiting == 1 ? "" : "s", seconds_until(earliest_ns, now_ns));
}
