#include "stages/gone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

void
of_gone_init(struct of_gone *gone)
{
    *gone = (struct of_gone) { .places = NULL };
    pthread_mutex_init(&gone->mutex, NULL);
}

void
of_gone_fini(struct of_gone *gone)
{
    pthread_mutex_destroy(&gone->mutex);
    free(gone->places);
}

static struct of_gone_place *
find(const struct of_gone *gone, const struct of_slot *slot)
{
    for (uint32_t i = 0; i < gone->count; i++)
        if (gone->places[i].partition == slot->partition && strcmp(gone->places[i].topic, slot->topic) == 0)
            return &gone->places[i];
    return NULL;
}

void
of_gone_note(struct of_gone *gone, const struct of_slot *slot, int64_t offset, const char *text)
{
    pthread_mutex_lock(&gone->mutex);
    struct of_gone_place *place = find(gone, slot);
    if (place == NULL) {
        gone->places = of_realloc_array(gone->places, gone->count + 1, sizeof *gone->places);
        place = &gone->places[gone->count++];
        *place = (struct of_gone_place) { .topic = slot->topic, .partition = slot->partition, .offset = offset };
    }
    if (place->offset < offset)
        place->offset = offset;
    snprintf(place->text, sizeof place->text, "%s", text);
    pthread_mutex_unlock(&gone->mutex);
}

bool
of_gone_look(struct of_gone *gone, const struct of_slot *slot, int64_t offset, char text[OF_GONE_TEXT_BYTES])
{
    pthread_mutex_lock(&gone->mutex);
    struct of_gone_place *place = find(gone, slot);
    bool is_gone = place != NULL && offset <= place->offset;
    if (is_gone)
        memcpy(text, place->text, OF_GONE_TEXT_BYTES);
    else if (place != NULL)
        *place = gone->places[--gone->count];
    pthread_mutex_unlock(&gone->mutex);
    return is_gone;
}
