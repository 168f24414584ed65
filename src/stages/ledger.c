#include "stages/ledger.h"

#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"
#include "stages/aggregate.h"

void
of_ledger_init(struct of_ledger *ledger)
{
    memset(ledger, 0, sizeof *ledger);
    pthread_mutex_init(&ledger->lock, NULL);
}

void
of_ledger_fini(struct of_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++)
        of_table_fini(&ledger->slots[i].table);
    of_table_fini(&ledger->retired);
    free(ledger->slots);
    pthread_mutex_destroy(&ledger->lock);
}

void
of_ledger_open(struct of_ledger *ledger, const int64_t *starts, uint32_t count)
{
    OF_ASSERT(ledger->count == 0);
    pthread_mutex_lock(&ledger->lock);
    if (count > ledger->room) {
        ledger->slots = of_realloc_array(ledger->slots, count, sizeof *ledger->slots);
        ledger->room = count;
    }
    for (uint32_t i = 0; i < count; i++)
        ledger->slots[i] = (struct of_ledger_slot) { .committed = starts[i] };
    ledger->count = count;
    pthread_mutex_unlock(&ledger->lock);
}

void
of_ledger_commit(struct of_ledger *ledger, const struct of_barrier *barrier)
{
    OF_ASSERT(barrier->slot_count == ledger->count);
    pthread_mutex_lock(&ledger->lock);
    for (uint32_t i = 0; i < barrier->slot_count; i++) {
        const struct of_reached *reached = &barrier->reached[i];
        if (reached->next_offset < 0)
            continue;
        if (reached->next_offset > ledger->slots[i].committed)
            ledger->slots[i].committed = reached->next_offset;
        ledger->retries += reached->retries;
        ledger->dead_letters += reached->dead_letters;
    }
    for (uint32_t a = 0; a < OF_THREADS_PER_STAGE; a++) {
        const struct of_snapshot *snapshot = barrier->snapshots[a];
        for (uint32_t i = 0; snapshot != NULL && i < snapshot->count; i++) {
            const struct of_snapshot_row *row = &snapshot->rows[i];
            /* A slot that failed before the barrier: what aggregate has of it is void. */
            if (barrier->reached[row->slot].next_offset >= 0)
                of_aggregate_copy(&of_table_row(&ledger->slots[row->slot].table, row->group)->aggregate,
                                  &row->aggregate);
        }
    }
    pthread_mutex_unlock(&ledger->lock);
}

void
of_ledger_retire(struct of_ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    for (uint32_t i = 0; i < ledger->count; i++) {
        of_table_merge(&ledger->retired, &ledger->slots[i].table);
        of_table_fini(&ledger->slots[i].table);
    }
    ledger->count = 0;
    pthread_mutex_unlock(&ledger->lock);
    uint64_t orders = 0;
    struct of_exact_sum sum = { 0 };
    for (uint32_t i = 0; i < ledger->retired.count; i++) {
        orders += ledger->retired.rows[i].aggregate.count;
        of_exact_sum_merge(&sum, &ledger->retired.rows[i].aggregate.sum);
    }
    of_live_total_set(&ledger->live, orders, &sum);
    of_exact_sum_fini(&sum);
}

void
of_ledger_add_run(struct of_ledger *ledger, struct of_table *table, uint64_t *retries, uint64_t *dead_letters)
{
    pthread_mutex_lock(&ledger->lock);
    of_table_merge(table, &ledger->retired);
    for (uint32_t i = 0; i < ledger->count; i++)
        of_table_merge(table, &ledger->slots[i].table);
    *retries += ledger->retries;
    *dead_letters += ledger->dead_letters;
    pthread_mutex_unlock(&ledger->lock);
}
