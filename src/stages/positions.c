#include "stages/positions.h"

#include <stdlib.h>

#include "core/memory.h"

void
of_positions_init(struct of_positions *positions)
{
    *positions = (struct of_positions) { .list = NULL };
    pthread_mutex_init(&positions->mutex, NULL);
}

void
of_positions_fini(struct of_positions *positions)
{
    pthread_mutex_destroy(&positions->mutex);
    free(positions->list);
}

void
of_positions_set(struct of_positions *positions, const struct of_position *list, uint32_t count)
{
    pthread_mutex_lock(&positions->mutex);
    if (count > positions->room) {
        positions->list = of_realloc_array(positions->list, count, sizeof *list);
        positions->room = count;
    }
    if (count > 0)
        memcpy(positions->list, list, count * sizeof *list);
    positions->count = count;
    pthread_mutex_unlock(&positions->mutex);
}

void
of_positions_append(struct of_positions *positions, struct of_position **list, uint32_t *count)
{
    pthread_mutex_lock(&positions->mutex);
    if (positions->count > 0) {
        *list = of_realloc_array(*list, *count + positions->count, sizeof **list);
        memcpy(*list + *count, positions->list, positions->count * sizeof **list);
        *count += positions->count;
    }
    pthread_mutex_unlock(&positions->mutex);
}
