/* A stage: a table of functions over private state.
 *
 * A stage takes items, does its work on them and passes them on. It never sees a ring, a thread or another stage: the
 * agent (core/agent) that runs it owns waiting, stopping, routing and counting. That is why the same stage runs on a
 * thread of its own, on the thread of the stage before it, or, with all the others, on one thread under a fake clock.
 *
 * Threads: one instance is run by one thread at a time, not always the same (core/crew.h), so its private state needs no
 * protection, and nothing of it may belong to a thread. */
#ifndef OF_CORE_STAGE_H
#define OF_CORE_STAGE_H

#include <stdio.h>

#include "core/flow.h"

/* What a stage may do with what it holds. Implemented by the agent. */
struct of_port;

/* Passes a chunk or batch on to the next stage; a partition's items keep their order. The stage no longer owns it. */
void of_port_forward(struct of_port *port, struct of_item *item);

/* Starts a barrier (fetch only): it goes to every instance of the next stage that its lane passes through. */
void of_port_broadcast(struct of_port *port, struct of_barrier *barrier);

/* Sends an item the way home: a batch to the decode instance that made it, a chunk, an open, a barrier or a notice to the fetch
 * stage of its lane. */
void of_port_home(struct of_port *port, struct of_item *item);

/* Has the decode instance that made the batch look around, as if the batch had come home. */
void of_port_wake_owner(struct of_port *port, const struct of_batch *batch);

struct of_stage_ops {
    const char *name;

    /* Takes an item from the stage before. False: cannot take it now (no batch left, producer's queue full); nothing
     * is taken, the same item is offered again later, items of other lanes go on meanwhile. */
    bool (*process)(void *self, struct of_port *port, struct of_item *item);

    /* An epoch of a slot begins: what follows of this slot belongs to it. The agent passes it on. Optional. */
    void (*open)(void *self, const struct of_open *open);

    /* Takes an item that came home. Optional where none does. */
    void (*home)(void *self, struct of_port *port, struct of_item *item);

    /* A barrier has come on every input of its lane: everything before it has been processed. It goes on to the next
     * stage when this returns; the last stage keeps it, and sends it home when everything before it is settled.
     * Optional. */
    void (*barrier)(void *self, struct of_port *port, struct of_barrier *barrier);

    /* Called once a turn, whether or not there was work. Returns how much it did; *deadline_ns may be lowered to when it
     * wants to be called again at the latest. Optional. */
    uint32_t (*tick)(void *self, struct of_port *port, int64_t now_ns, int64_t *deadline_ns);

    /* Says for people what it holds and waits for, whole lines that begin with two spaces. When somebody asks. Optional. */
    void (*describe)(const void *self, int64_t now_ns, FILE *out);
};

#endif
