#include "stages/ledger.h"

#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "stages/aggregate.h"

void
of_ledger_init(struct of_ledger *ledger)
{
    memset(ledger, 0, sizeof *ledger);
    of_aggregate_init(&ledger->run_sum);
    pthread_mutex_init(&ledger->lock, NULL);
}

static void
forget_slots(struct of_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++) {
        of_slot_state_fini(&ledger->slots[i].state);
        of_aggregate_fini(&ledger->slots[i].sum);
    }
    ledger->count = 0;
}

void
of_ledger_fini(struct of_ledger *ledger)
{
    forget_slots(ledger);
    of_table_fini(&ledger->run);
    of_aggregate_fini(&ledger->run_sum);
    free(ledger->slots);
    pthread_mutex_destroy(&ledger->lock);
}

void
of_ledger_open(struct of_ledger *ledger, uint32_t count)
{
    pthread_mutex_lock(&ledger->lock);
    forget_slots(ledger);
    if (count > ledger->room) {
        ledger->slots = of_realloc_array(ledger->slots, count, sizeof *ledger->slots);
        ledger->room = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        ledger->slots[i] = (struct of_ledger_slot) { 0 };
        of_slot_state_init(&ledger->slots[i].state);
        of_aggregate_init(&ledger->slots[i].sum);
    }
    ledger->count = count;
    pthread_mutex_unlock(&ledger->lock);
}

/* ---- the run ---- */

/* The run has committed what turns `before` into `after`. */
static void
add_difference(struct of_ledger *ledger, uint32_t group, const struct of_aggregate *before,
               const struct of_aggregate *after)
{
    struct of_aggregate *run = &of_table_row(&ledger->run, group)->aggregate;
    of_aggregate_merge(run, after);
    of_aggregate_subtract(run, before);
    of_aggregate_merge(&ledger->run_sum, after);
    of_aggregate_subtract(&ledger->run_sum, before);
}

/* What the recorded state has more than the ledger knew was committed by this process. */
static void
claim(struct of_ledger *ledger, struct of_slot_state *known, const struct of_slot_state *recorded)
{
    for (uint32_t i = 0; i < recorded->table.count; i++) {
        const struct of_row *row = &recorded->table.rows[i];
        const struct of_aggregate *before = &of_table_row(&known->table, row->group)->aggregate;
        if (row->aggregate.count > before->count)
            add_difference(ledger, row->group, before, &row->aggregate);
    }
    ledger->run_letters.retries += recorded->retries - known->retries;
    ledger->run_letters.dead_letters += recorded->dead_letters - known->dead_letters;
}

void
of_ledger_restore(struct of_ledger *ledger, uint32_t slot, struct of_slot_state *state, int64_t start)
{
    OF_ASSERT(slot < ledger->count && !ledger->slots[slot].known);
    struct of_ledger_slot *own = &ledger->slots[slot];
    pthread_mutex_lock(&ledger->lock);
    if (own->was_known && state->next_offset > own->state.next_offset)
        claim(ledger, &own->state, state);
    of_slot_state_move(&own->state, state);
    of_aggregate_fini(&own->sum);
    for (uint32_t i = 0; i < own->state.table.count; i++)
        of_aggregate_merge(&own->sum, &own->state.table.rows[i].aggregate);
    own->state.next_offset = start;
    own->known = own->was_known = true;
    pthread_mutex_unlock(&ledger->lock);
}

void
of_ledger_doubt(struct of_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++)
        ledger->slots[i].known = false;
}

void
of_ledger_doubt_slot(struct of_ledger *ledger, uint32_t slot)
{
    OF_ASSERT(slot < ledger->count);
    ledger->slots[slot].known = false;
}

/* ---- commits ---- */

/* Nothing of a slot that did not reach anything counts: what aggregate has of it is void. */
static void
commit_snapshot(struct of_ledger *ledger, const struct of_barrier *barrier, const struct of_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->count; i++) {
        const struct of_snapshot_row *row = &snapshot->rows[i];
        if (barrier->reached[row->slot].next_offset < 0)
            continue;
        struct of_aggregate *own = &of_table_row(&ledger->slots[row->slot].state.table, row->group)->aggregate;
        add_difference(ledger, row->group, own, &row->aggregate);
        of_aggregate_merge(&ledger->slots[row->slot].sum, &row->aggregate);
        of_aggregate_subtract(&ledger->slots[row->slot].sum, own);
        of_aggregate_copy(own, &row->aggregate);
    }
}

void
of_ledger_commit(struct of_ledger *ledger, const struct of_barrier *barrier)
{
    OF_ASSERT(barrier->slot_count == ledger->count);
    pthread_mutex_lock(&ledger->lock);
    for (uint32_t i = 0; i < barrier->slot_count; i++) {
        const struct of_reached *reached = &barrier->reached[i];
        struct of_slot_state *state = &ledger->slots[i].state;
        if (reached->next_offset < 0)
            continue;
        OF_ASSERT(ledger->slots[i].known);
        if (reached->next_offset > state->next_offset)
            state->next_offset = reached->next_offset;
        state->retries += reached->retries;
        state->dead_letters += reached->dead_letters;
        ledger->run_letters.retries += reached->retries;
        ledger->run_letters.dead_letters += reached->dead_letters;
    }
    for (uint32_t a = 0; a < OF_THREADS_PER_STAGE; a++)
        if (barrier->snapshots[a] != NULL)
            commit_snapshot(ledger, barrier, barrier->snapshots[a]);
    pthread_mutex_unlock(&ledger->lock);
}

/* ---- totals ---- */

static void
add_run_letters(const struct of_ledger *ledger, struct of_letter_counts *letters)
{
    letters->retries += ledger->run_letters.retries;
    letters->dead_letters += ledger->run_letters.dead_letters;
}

void
of_ledger_add_run(struct of_ledger *ledger, struct of_table *table, struct of_letter_counts *letters)
{
    pthread_mutex_lock(&ledger->lock);
    of_table_merge(table, &ledger->run);
    add_run_letters(ledger, letters);
    pthread_mutex_unlock(&ledger->lock);
}

void
of_ledger_add_run_sum(struct of_ledger *ledger, struct of_aggregate *sum, struct of_letter_counts *letters)
{
    pthread_mutex_lock(&ledger->lock);
    of_aggregate_merge(sum, &ledger->run_sum);
    add_run_letters(ledger, letters);
    pthread_mutex_unlock(&ledger->lock);
}

static void
add_slot_letters(const struct of_ledger_slot *slot, struct of_letter_counts *letters)
{
    letters->retries += slot->state.retries;
    letters->dead_letters += slot->state.dead_letters;
}

void
of_ledger_add_total(struct of_ledger *ledger, struct of_table *table, struct of_letter_counts *letters)
{
    pthread_mutex_lock(&ledger->lock);
    for (uint32_t i = 0; i < ledger->count; i++) {
        of_table_merge(table, &ledger->slots[i].state.table);
        add_slot_letters(&ledger->slots[i], letters);
    }
    pthread_mutex_unlock(&ledger->lock);
}

void
of_ledger_add_total_sum(struct of_ledger *ledger, struct of_aggregate *sum, struct of_letter_counts *letters)
{
    pthread_mutex_lock(&ledger->lock);
    for (uint32_t i = 0; i < ledger->count; i++) {
        of_aggregate_merge(sum, &ledger->slots[i].sum);
        add_slot_letters(&ledger->slots[i], letters);
    }
    pthread_mutex_unlock(&ledger->lock);
}
