#include "kafka/topic_ids.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/memory.h"
#include "kafka/direct/messages.h"

struct known {
    struct of_topic_id id; /* none: it was never ours */
    bool held;             /* records, when it was given up */
    bool doubted;
};

struct of_topic_ids {
    pthread_mutex_t mutex;
    struct known *known[2]; /* by role and partition */
    int32_t sizes[2];
};

struct of_topic_ids *
of_topic_ids_create(void)
{
    struct of_topic_ids *ids = of_alloc(sizeof *ids);
    pthread_mutex_init(&ids->mutex, NULL);
    return ids;
}

void
of_topic_ids_destroy(struct of_topic_ids **ids)
{
    if (*ids == NULL)
        return;
    pthread_mutex_destroy(&(*ids)->mutex);
    for (int role = 0; role < 2; role++)
        free((*ids)->known[role]);
    free(*ids);
    *ids = NULL;
}

static struct known *
find(struct of_topic_ids *ids, enum of_role role, int32_t partition)
{
    if (partition >= ids->sizes[role]) {
        ids->known[role] = of_realloc_array(ids->known[role], (size_t)partition + 1, sizeof *ids->known[role]);
        for (int32_t i = ids->sizes[role]; i <= partition; i++)
            ids->known[role][i] = (struct known) { .held = false };
        ids->sizes[role] = partition + 1;
    }
    return &ids->known[role][partition];
}

bool
of_topic_ids_swap(struct of_topic_ids *ids, enum of_role role, int32_t partition, struct of_topic_id id, bool *held)
{
    pthread_mutex_lock(&ids->mutex);
    struct known *known = find(ids, role, partition);
    bool same = known->id.high == id.high && known->id.low == id.low;
    bool never = known->id.high == 0 && known->id.low == 0;
    bool another = !never && (!same || known->doubted);
    *held = known->held && another;
    *known = (struct known) { .id = id, .held = known->held && !another };
    pthread_mutex_unlock(&ids->mutex);
    return another;
}

void
of_topic_ids_keep(struct of_topic_ids *ids, enum of_role role, int32_t partition, bool held)
{
    pthread_mutex_lock(&ids->mutex);
    find(ids, role, partition)->held |= held;
    pthread_mutex_unlock(&ids->mutex);
}

void
of_topic_ids_doubt(struct of_topic_ids *ids, enum of_role role, int32_t partition)
{
    pthread_mutex_lock(&ids->mutex);
    struct known *known = find(ids, role, partition);
    known->doubted = known->held = true;
    pthread_mutex_unlock(&ids->mutex);
}
