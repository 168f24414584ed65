#include "kafka/direct/resolve.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"

/* Whoever comes second, the thread with its answer or the caller that gave up, frees. */
enum state { ASKING, ANSWERED, ABANDONED };

struct of_resolve {
    _Atomic int state;
    char host[256];
    char port[8];
    int code;
    struct addrinfo *found;
};

static void
look_up(struct of_resolve *resolve, int flags)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
    resolve->found = NULL;
    resolve->code = getaddrinfo(resolve->host, resolve->port, &hints, &resolve->found);
}

static void
discard(struct of_resolve *resolve)
{
    if (resolve->found != NULL)
        freeaddrinfo(resolve->found);
    free(resolve);
}

static void *
ask(void *arg)
{
    struct of_resolve *resolve = arg;
    look_up(resolve, AI_ADDRCONFIG);
    if (atomic_exchange(&resolve->state, ANSWERED) == ABANDONED)
        discard(resolve);
    return NULL;
}

struct of_resolve *
of_resolve_start(const char *host, int port)
{
    struct of_resolve *resolve = of_alloc(sizeof *resolve);
    pthread_t thread;
    snprintf(resolve->host, sizeof resolve->host, "%s", host);
    snprintf(resolve->port, sizeof resolve->port, "%d", port);
    look_up(resolve, AI_NUMERICHOST);
    if (resolve->code == 0) {
        atomic_store(&resolve->state, ANSWERED);
    } else if (pthread_create(&thread, NULL, ask, resolve) == 0) {
        pthread_detach(thread);
    } else {
        resolve->code = EAI_AGAIN;
        atomic_store(&resolve->state, ANSWERED);
    }
    return resolve;
}

bool
of_resolve_poll(struct of_resolve **resolve, struct addrinfo **found, int *code)
{
    if (atomic_load(&(*resolve)->state) == ASKING)
        return false;
    *found = (*resolve)->found;
    *code = (*resolve)->code;
    free(*resolve);
    *resolve = NULL;
    return true;
}

void
of_resolve_abandon(struct of_resolve **resolve)
{
    if (*resolve != NULL && atomic_exchange(&(*resolve)->state, ABANDONED) == ANSWERED)
        discard(*resolve);
    *resolve = NULL;
}
