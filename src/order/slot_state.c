#include "order/slot_state.h"

void
of_slot_state_init(struct of_slot_state *state)
{
    *state = (struct of_slot_state) { .next_offset = -1 };
}

void
of_slot_state_fini(struct of_slot_state *state)
{
    of_table_fini(&state->table);
    of_slot_state_init(state);
}

void
of_slot_state_move(struct of_slot_state *to, struct of_slot_state *from)
{
    of_slot_state_fini(to);
    *to = *from;
    of_slot_state_init(from);
}

enum of_status
of_slot_state_start(const struct of_slot_state *state, int64_t committed, int64_t from, int64_t *start,
                    struct of_error *err)
{
    int64_t recorded = state->next_offset;
    if (recorded < 0 && committed >= 0)
        return of_error_set(err, OF_POISON, "offset %lld is committed, but the aggregates topic has nothing of this "
                            "partition: the offset was set by another program or the topic was emptied; "
                            "`orderflow reset` starts over", (long long)committed);
    if (recorded >= 0 && committed > recorded)
        return of_error_set(err, OF_POISON, "offset %lld is committed, but the aggregates topic ends at %lld: somebody "
                            "moved one of them; `orderflow reset` starts over", (long long)committed,
                            (long long)recorded);
    *start = recorded >= 0 ? recorded : from;
    return OF_OK;
}
