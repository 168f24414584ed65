#include "stages/handed.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

void
of_handed_fini(struct of_handed *handed)
{
    free(handed->entries);
    *handed = (struct of_handed) { 0 };
}

void
of_handed_rewind(struct of_handed *handed)
{
    handed->cursor = 0;
}

enum of_handed_state
of_handed_find(struct of_handed *handed, int64_t offset, uint8_t destination)
{
    while (handed->cursor < handed->count && handed->entries[handed->cursor].offset < offset)
        handed->cursor++;
    if (handed->cursor == handed->count)
        return OF_HANDED_NEVER;
    const struct of_handed_entry *entry = &handed->entries[handed->cursor];
    if (entry->offset != offset)
        return OF_HANDED_NEVER;
    /* Of either destination, or its report would be taken for that of the letter that replaces it. */
    if (entry->state == OF_HANDED_WAITING)
        return OF_HANDED_WAITING;
    return entry->destination == destination ? (enum of_handed_state)entry->state : OF_HANDED_NEVER;
}

uint64_t
of_handed_add(struct of_handed *handed, int64_t offset, uint8_t destination)
{
    const struct of_handed_entry entry = { offset, destination, OF_HANDED_WAITING };
    if (handed->cursor < handed->count) {
        /* A second reading: the record's own entry is used again; one that had none before is not squeezed in. */
        if (handed->entries[handed->cursor].offset != offset)
            return UINT64_MAX;
        handed->entries[handed->cursor] = entry;
        return handed->forgotten + handed->cursor;
    }
    if (handed->count == OF_HANDED_MOST)
        return UINT64_MAX;
    if (handed->count == handed->room) {
        handed->room = handed->room ? 2 * handed->room : 64;
        handed->entries = of_realloc_array(handed->entries, handed->room, sizeof *handed->entries);
    }
    handed->entries[handed->count++] = entry;
    return handed->forgotten + handed->cursor;
}

void
of_handed_settle(struct of_handed *handed, uint64_t number, bool written)
{
    if (number != UINT64_MAX && number >= handed->forgotten && number - handed->forgotten < handed->count)
        handed->entries[number - handed->forgotten].state = written ? OF_HANDED_WRITTEN : OF_HANDED_NEVER;
}

void
of_handed_forget(struct of_handed *handed, int64_t committed)
{
    size_t keep_from = 0;
    while (keep_from < handed->count && handed->entries[keep_from].offset < committed)
        keep_from++;
    handed->count -= keep_from;
    handed->forgotten += keep_from;
    handed->cursor = handed->cursor > keep_from ? handed->cursor - keep_from : 0;
    if (handed->count > 0)
        memmove(handed->entries, handed->entries + keep_from, handed->count * sizeof *handed->entries);
}
