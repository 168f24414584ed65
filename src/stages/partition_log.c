#include "stages/partition_log.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"

enum { LIST_BYTES = 512 };

/* Which stage could not go on; the fetch stage, which holds partitions, tells it. */
static const char *
stage_of(enum of_cause cause)
{
    switch (cause) {
    case OF_CAUSE_SCHEMA_PENDING:
    case OF_CAUSE_REGISTRY_UNAVAILABLE:
    case OF_CAUSE_REGISTRY_DENIED: return "decode";
    case OF_CAUSE_RETRY_REFUSED:
    case OF_CAUSE_DEAD_LETTER_REFUSED:
    case OF_CAUSE_STATE_REFUSED:
    case OF_CAUSE_TRANSACTION_ABORTED: return "publish";
    default: return "fetch";
    }
}

void
of_partition_log(enum of_event_kind kind, const struct of_slot *slot, int64_t offset, enum of_cause cause,
                 const char *text, bool quiet)
{
    const struct of_log_place place = {
        .stage = kind == OF_EVENT_HELD ? stage_of(cause) : NULL,
        .topic = slot->topic,
        .partition = slot->partition,
        .offset = offset,
        .cause = kind == OF_EVENT_HELD ? of_cause_name(cause) : NULL,
    };
    if (kind == OF_EVENT_HELD)
        of_log_limited_at(quiet ? OF_LOG_DEBUG : OF_LOG_WARNING, "fetch", &place, "held: %s", text);
    else
        of_log_limited_at(quiet ? OF_LOG_DEBUG : OF_LOG_INFO, "fetch", &place, "goes on");
}

/* "0-2, 5, 7-9": the partitions of slots[0..count). */
static void
print_partitions(struct of_slot *const *slots, uint32_t count, char out[LIST_BYTES])
{
    int length = 0;
    for (uint32_t i = 0, last; i < count && length < LIST_BYTES; i = last + 1) {
        for (last = i; last + 1 < count && slots[last + 1]->partition == slots[last]->partition + 1;)
            last++;
        length += snprintf(out + length, (size_t)(LIST_BYTES - length), "%s%d", i > 0 ? ", " : "", slots[i]->partition);
        if (last > i && length < LIST_BYTES)
            length += snprintf(out + length, (size_t)(LIST_BYTES - length), "-%d", slots[last]->partition);
    }
}

void
of_partition_log_all(enum of_event_kind kind, struct of_slot *const *slots, uint32_t count, bool quiet)
{
    enum of_log_level level = quiet ? OF_LOG_DEBUG : kind == OF_EVENT_LOST ? OF_LOG_WARNING : OF_LOG_INFO;
    const char *what = kind == OF_EVENT_ASSIGNED  ? "assigned"
                       : kind == OF_EVENT_REVOKED ? "given up, all committed"
                                                  : "lost: others may have them, what was not committed is dropped";
    if (!of_log_enabled(level, "fetch"))
        return;
    for (uint32_t i = 0, end; i < count; i = end) {
        char list[LIST_BYTES] = "";
        for (end = i; end < count && slots[end]->topic == slots[i]->topic;)
            end++;
        print_partitions(slots + i, end - i, list);
        of_log_at(level, "fetch", &(struct of_log_place) { .topic = slots[i]->topic, .partition = -1, .offset = -1 },
                  "partitions %s: %s", what, list);
    }
    if (count == 0 && kind == OF_EVENT_ASSIGNED)
        of_log(level, "fetch", "no partitions assigned: the group has more members than there are partitions");
}
