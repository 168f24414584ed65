/* Where the committed state of partitions is read from: the contract between the fetch stage and the aggregates topic.
 *
 * Threads: all calls by the fetch thread of the lane. Nothing blocks. When poll may have something new, threads of the
 * restorer's own write 8 bytes (a 1) to the eventfd given to start. */
#ifndef OF_ORDER_RESTORER_H
#define OF_ORDER_RESTORER_H

#include "core/error.h"
#include "order/slot_state.h"

struct of_restore_request {
    uint32_t slot;     /* comes back with the answer */
    const char *topic; /* of the orders or retries whose state is wanted; outlives the answer */
    int32_t partition;
};

struct of_restored {
    uint32_t slot;
    enum of_status status;      /* OF_OK; OF_RETRY: could not be read, ask again after a back-off; OF_POISON: what is
                                 * recorded cannot be used, err says why and what to do. Never taken as empty */
    struct of_slot_state state; /* on OF_OK the caller's, to fini; otherwise initialised and empty */
    struct of_error err;
};

struct of_restorer_ops {
    /* wake_fd -1: nobody waits. */
    enum of_status (*start)(void *self, int wake_fd, struct of_error *err);

    /* Asks for these partitions, which are read at the same time. Each is answered once, unless cancelled. A slot is
     * not asked for again before its answer. */
    void (*request)(void *self, const struct of_restore_request *requests, uint32_t count);

    /* The next answer, if there is one. */
    bool (*poll)(void *self, struct of_restored *restored);

    /* Forgets every request that is not answered, and every answer that was not taken. */
    void (*cancel)(void *self);

    /* Records read for the requests under way, and how many there are to read as far as it is known. Any thread, until
     * close. */
    void (*progress)(void *self, uint64_t *done, uint64_t *all);

    /* Releases everything. Blocks for a second or two at most. */
    void (*close)(void *self);
};

struct of_restorer {
    const struct of_restorer_ops *ops;
    void *self;
};

#endif
