/* Aggregates of one source partition, by group value.
 *
 * Rows lie together in the order in which their groups were first seen; an index by group number finds them. Rows that
 * changed since they were last collected are chained, so that a barrier costs what changed and not what is there.
 *
 * Owner: the caller's memory, init to fini; all bytes zero is an empty table. Threads: one at a time.
 * Cost: a look-up is two loads; memory 4 bytes per group number ever used here, some 80 per row. */
#ifndef OF_ORDER_TABLE_H
#define OF_ORDER_TABLE_H

#include "order/aggregate.h"

struct of_row {
    uint32_t group; /* index in the dictionary of group values */
    bool changed;   /* it is in the chain */
    uint32_t next_changed; /* row number + 1; 0: the last */
    struct of_aggregate aggregate;
};

struct of_table {
    struct of_row *rows;
    uint32_t count, room;
    uint32_t *at; /* row number + 1 by group; 0: none */
    uint32_t at_room;
    uint32_t first_changed; /* row number + 1 */
};

void of_table_init(struct of_table *table);
void of_table_fini(struct of_table *table);

/* What of_table_row does when the group is new here. Not for callers. */
struct of_row *of_table_add_row(struct of_table *table, uint32_t group);

/* The row of this group, made when missing. Valid until the next row is made. */
static inline struct of_row *
of_table_row(struct of_table *table, uint32_t group)
{
    if (__builtin_expect(group < table->at_room && table->at[group] != 0, 1))
        return &table->rows[table->at[group] - 1];
    return of_table_add_row(table, group);
}

/* Says that the row changed. */
static inline void
of_table_touch(struct of_table *table, struct of_row *row)
{
    if (row->changed)
        return;
    row->changed = true;
    row->next_changed = table->first_changed;
    table->first_changed = (uint32_t)(row - table->rows) + 1;
}

/* Takes a changed row out of the chain; NULL when no row has changed. */
struct of_row *of_table_next_changed(struct of_table *table);

/* dst becomes what src is; nothing counts as changed. */
void of_table_copy(struct of_table *dst, const struct of_table *src);

/* Adds every row of src to the row of the same group in dst. */
void of_table_merge(struct of_table *dst, const struct of_table *src);

#endif
