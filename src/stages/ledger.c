#include "stages/ledger.h"

#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "stages/aggregate.h"

static void
init_sum(struct of_ledger_sum *sum)
{
    *sum = (struct of_ledger_sum) { .letters = { 0 } };
    of_aggregate_init(&sum->rows);
}

static void
fini_sum(struct of_ledger_sum *sum)
{
    of_aggregate_fini(&sum->rows);
    init_sum(sum);
}

static void
add_letters(struct of_letter_counts *letters, const struct of_letter_counts *more)
{
    letters->retries += more->retries;
    letters->dead_letters += more->dead_letters;
}

static void
add_sum(struct of_ledger_sum *sum, const struct of_ledger_sum *more)
{
    of_aggregate_merge(&sum->rows, &more->rows);
    add_letters(&sum->letters, &more->letters);
}

static void
subtract_sum(struct of_ledger_sum *sum, const struct of_ledger_sum *less)
{
    of_aggregate_subtract(&sum->rows, &less->rows);
    sum->letters.retries -= less->letters.retries;
    sum->letters.dead_letters -= less->letters.dead_letters;
}

void
of_ledger_init(struct of_ledger *ledger)
{
    memset(ledger, 0, sizeof *ledger);
    init_sum(&ledger->more_sum);
    init_sum(&ledger->run_sum);
    init_sum(&ledger->total_sum);
    pthread_mutex_init(&ledger->lock, NULL);
    pthread_mutex_init(&ledger->sums_lock, NULL);
}

static void
forget_slots(struct of_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++) {
        of_slot_state_fini(&ledger->slots[i].state);
        fini_sum(&ledger->slots[i].sum);
    }
    ledger->count = 0;
}

void
of_ledger_fini(struct of_ledger *ledger)
{
    forget_slots(ledger);
    of_table_fini(&ledger->more);
    of_table_fini(&ledger->run);
    fini_sum(&ledger->more_sum);
    fini_sum(&ledger->run_sum);
    fini_sum(&ledger->total_sum);
    free(ledger->slots);
    pthread_mutex_destroy(&ledger->lock);
    pthread_mutex_destroy(&ledger->sums_lock);
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
        init_sum(&ledger->slots[i].sum);
    }
    ledger->count = count;
    pthread_mutex_unlock(&ledger->lock);
    pthread_mutex_lock(&ledger->sums_lock);
    fini_sum(&ledger->total_sum);
    pthread_mutex_unlock(&ledger->sums_lock);
}

/* ---- the run ---- */

/* The run has committed what turns `before` into `after`. */
static void
add_difference(struct of_ledger *ledger, uint32_t group, const struct of_aggregate *before,
               const struct of_aggregate *after)
{
    struct of_row *row = of_table_row(&ledger->more, group);
    of_aggregate_merge(&row->aggregate, after);
    of_aggregate_subtract(&row->aggregate, before);
    of_table_touch(&ledger->more, row);
    of_aggregate_merge(&ledger->more_sum.rows, after);
    of_aggregate_subtract(&ledger->more_sum.rows, before);
}

/* Lets others see what the run has more, and the total of a slot, or of all, become `after` where it was `before`. */
static void
show(struct of_ledger *ledger, const struct of_ledger_sum *before, const struct of_ledger_sum *after)
{
    struct of_row *row;
    pthread_mutex_lock(&ledger->sums_lock);
    while ((row = of_table_next_changed(&ledger->more)) != NULL) {
        of_aggregate_merge(&of_table_row(&ledger->run, row->group)->aggregate, &row->aggregate);
        of_aggregate_fini(&row->aggregate);
    }
    add_sum(&ledger->run_sum, &ledger->more_sum);
    add_sum(&ledger->total_sum, after);
    subtract_sum(&ledger->total_sum, before);
    pthread_mutex_unlock(&ledger->sums_lock);
    fini_sum(&ledger->more_sum);
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
    ledger->more_sum.letters.retries += recorded->retries - known->retries;
    ledger->more_sum.letters.dead_letters += recorded->dead_letters - known->dead_letters;
}

/* sum is initialised. */
static void
sum_up(struct of_ledger_sum *sum, const struct of_slot_state *state)
{
    for (uint32_t i = 0; i < state->table.count; i++)
        of_aggregate_merge(&sum->rows, &state->table.rows[i].aggregate);
    sum->letters = (struct of_letter_counts) { state->retries, state->dead_letters };
}

void
of_ledger_restore(struct of_ledger *ledger, uint32_t slot, struct of_slot_state *state, int64_t start)
{
    OF_ASSERT(slot < ledger->count && !ledger->slots[slot].known);
    struct of_ledger_slot *own = &ledger->slots[slot];
    struct of_ledger_sum before = own->sum;
    init_sum(&own->sum);
    sum_up(&own->sum, state);
    pthread_mutex_lock(&ledger->lock);
    if (own->was_known && state->next_offset > own->state.next_offset)
        claim(ledger, &own->state, state);
    of_slot_state_move(&own->state, state);
    own->state.next_offset = start;
    own->known = own->was_known = true;
    pthread_mutex_unlock(&ledger->lock);
    show(ledger, &before, &own->sum);
    fini_sum(&before);
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
        of_aggregate_merge(&ledger->slots[row->slot].sum.rows, &row->aggregate);
        of_aggregate_subtract(&ledger->slots[row->slot].sum.rows, own);
        of_aggregate_copy(own, &row->aggregate);
    }
}

static void
commit_slot(struct of_ledger *ledger, uint32_t slot, const struct of_reached *reached)
{
    const struct of_letter_counts letters = { reached->retries, reached->dead_letters };
    struct of_slot_state *state = &ledger->slots[slot].state;
    OF_ASSERT(ledger->slots[slot].known);
    if (reached->next_offset > state->next_offset)
        state->next_offset = reached->next_offset;
    state->retries += reached->retries;
    state->dead_letters += reached->dead_letters;
    add_letters(&ledger->slots[slot].sum.letters, &letters);
    add_letters(&ledger->more_sum.letters, &letters);
}

void
of_ledger_commit(struct of_ledger *ledger, const struct of_barrier *barrier)
{
    struct of_ledger_sum nothing;
    init_sum(&nothing);
    OF_ASSERT(barrier->slot_count == ledger->count);
    pthread_mutex_lock(&ledger->lock);
    for (uint32_t i = 0; i < barrier->slot_count; i++)
        if (barrier->reached[i].next_offset >= 0)
            commit_slot(ledger, i, &barrier->reached[i]);
    for (uint32_t a = 0; a < OF_THREADS_PER_STAGE; a++)
        if (barrier->snapshots[a] != NULL)
            commit_snapshot(ledger, barrier, barrier->snapshots[a]);
    pthread_mutex_unlock(&ledger->lock);
    show(ledger, &nothing, &ledger->more_sum);
}

/* ---- totals ---- */

void
of_ledger_add_run(struct of_ledger *ledger, struct of_table *table, struct of_letter_counts *letters)
{
    pthread_mutex_lock(&ledger->sums_lock);
    of_table_merge(table, &ledger->run);
    add_letters(letters, &ledger->run_sum.letters);
    pthread_mutex_unlock(&ledger->sums_lock);
}

void
of_ledger_add_total(struct of_ledger *ledger, struct of_table *table, struct of_letter_counts *letters)
{
    pthread_mutex_lock(&ledger->lock);
    for (uint32_t i = 0; i < ledger->count; i++) {
        const struct of_slot_state *state = &ledger->slots[i].state;
        of_table_merge(table, &state->table);
        add_letters(letters, &(struct of_letter_counts) { state->retries, state->dead_letters });
    }
    pthread_mutex_unlock(&ledger->lock);
}

static void
read_sum(struct of_ledger *ledger, const struct of_ledger_sum *sum, struct of_aggregate *rows,
         struct of_letter_counts *letters)
{
    pthread_mutex_lock(&ledger->sums_lock);
    of_aggregate_merge(rows, &sum->rows);
    add_letters(letters, &sum->letters);
    pthread_mutex_unlock(&ledger->sums_lock);
}

void
of_ledger_add_run_sum(struct of_ledger *ledger, struct of_aggregate *sum, struct of_letter_counts *letters)
{
    read_sum(ledger, &ledger->run_sum, sum, letters);
}

void
of_ledger_add_total_sum(struct of_ledger *ledger, struct of_aggregate *sum, struct of_letter_counts *letters)
{
    read_sum(ledger, &ledger->total_sum, sum, letters);
}
