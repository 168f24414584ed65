#include "order/table.h"

#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"

void
of_table_init(struct of_table *table)
{
    *table = (struct of_table) { 0 };
}

void
of_table_fini(struct of_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        of_aggregate_fini(&table->rows[i].aggregate);
    free(table->rows);
    free(table->at);
    of_table_init(table);
}

static void
index_group(struct of_table *table, uint32_t group, uint32_t row_number)
{
    if (group >= table->at_room) {
        uint32_t room = table->at_room ? table->at_room : 16;
        while (room <= group)
            room *= 2;
        table->at = of_realloc_array(table->at, room, sizeof *table->at);
        memset(table->at + table->at_room, 0, (room - table->at_room) * sizeof *table->at);
        table->at_room = room;
    }
    table->at[group] = row_number + 1;
}

struct of_row *
of_table_add_row(struct of_table *table, uint32_t group)
{
    OF_ASSERT(group < UINT32_C(1) << 31);
    if (table->count == table->room) {
        table->room = table->room ? 2 * table->room : 16;
        table->rows = of_realloc_array(table->rows, table->room, sizeof *table->rows);
    }
    struct of_row *row = &table->rows[table->count];
    *row = (struct of_row) { .group = group };
    of_aggregate_init(&row->aggregate);
    index_group(table, group, table->count++);
    return row;
}

struct of_row *
of_table_next_changed(struct of_table *table)
{
    if (table->first_changed == 0)
        return NULL;
    struct of_row *row = &table->rows[table->first_changed - 1];
    table->first_changed = row->next_changed;
    row->changed = false;
    return row;
}

void
of_table_copy(struct of_table *dst, const struct of_table *src)
{
    of_table_fini(dst);
    of_table_merge(dst, src);
}

void
of_table_merge(struct of_table *dst, const struct of_table *src)
{
    for (uint32_t i = 0; i < src->count; i++) {
        const struct of_row *row = &src->rows[i];
        of_aggregate_merge(&of_table_row(dst, row->group)->aggregate, &row->aggregate);
    }
}
