#include "stages/recent.h"

void
of_recent_init(struct of_recent *recent)
{
    recent->noted = 0;
    pthread_mutex_init(&recent->mutex, NULL);
}

void
of_recent_fini(struct of_recent *recent)
{
    pthread_mutex_destroy(&recent->mutex);
}

void
of_recent_note(struct of_recent *recent, const struct of_event *event)
{
    if (pthread_mutex_trylock(&recent->mutex) != 0)
        return;
    recent->events[recent->noted++ % OF_RECENT_EVENTS] = *event;
    pthread_mutex_unlock(&recent->mutex);
}

uint32_t
of_recent_list(struct of_recent *recent, struct of_event *out, uint32_t most)
{
    uint32_t count = 0;
    pthread_mutex_lock(&recent->mutex);
    while (count < most && count < OF_RECENT_EVENTS && count < recent->noted) {
        count++;
        out[count - 1] = recent->events[(recent->noted - count) % OF_RECENT_EVENTS];
    }
    pthread_mutex_unlock(&recent->mutex);
    return count;
}
