/* Where chunks come from: the contract between the fetch stage and a source.
 *
 * A source is a member of a consumer group, or plays one: it says which partitions are assigned and revoked, delivers
 * their records in order, and commits their offsets. Nothing outside a source knows which kind it is.
 *
 * Threads: every call is made by the fetch thread of the lane. No call blocks for longer than its description says. A
 * source may have threads of its own; when event, read or peek may have something new they write 8 bytes (a 1) to the
 * eventfd given to start. A write is only owed when something turns from nothing to some, so the stage asks until there
 * is nothing before it waits.
 *
 * States, moved by the fetch stage in answer to events:
 *
 *   joining --ASSIGNED event--> assigned, not reading --positions, assign--> reading
 *   reading --REVOKED event--> still reading; fetch drains --unassign--> joining
 *   reading --LOST event--> fetch drops --unassign--> joining
 *   any --leave--> (REVOKED event, unassign) --> LEFT event --close--> closed
 */
#ifndef OF_CORE_SOURCE_H
#define OF_CORE_SOURCE_H

#include "core/error.h"
#include "core/flow.h"

/* A partition as a source names it before it has a slot. */
struct of_partition {
    const char *topic; /* lives as long as the run */
    enum of_role role;
    int32_t partition;
    int64_t start; /* out of positions: the offset to begin with. Into it: what it was before, -1: not asked yet */
    bool committed; /* out of positions: start is a committed offset, not one chosen by the `from` option */
    int32_t leader_epoch; /* out of positions: as it was committed with start; -1: not known */
};

enum of_source_event_kind {
    OF_SOURCE_ASSIGNED,  /* partitions[0..count) are the whole new assignment; it may be empty */
    OF_SOURCE_REVOKED,   /* all partitions are to be given up after draining, answer with unassign */
    OF_SOURCE_LOST,      /* all partitions are gone already: drop, answer with unassign */
    OF_SOURCE_COMMITTED, /* the commit under way ended with `status` (OF_OK; OF_RETRY: try again; OF_ABORT: no longer ours) */
    OF_SOURCE_BROKEN,    /* slot cannot be read at `offset` for `cause`, until resumed */
    OF_SOURCE_SKIPPED,   /* slot does not hold `offset` any more: as the options ask it is read on at `next_offset` */
    OF_SOURCE_LEFT,      /* leave is complete */
    OF_SOURCE_FAILED,    /* the source cannot go on: `status` OF_FATAL, error text says why; fenced says if by a twin */
};

struct of_source_event {
    enum of_source_event_kind kind;
    const struct of_partition *partitions; /* ASSIGNED: valid until the next call of event */
    uint32_t count;
    struct of_slot *slot; /* BROKEN, SKIPPED: error says why */
    int64_t offset;
    int64_t next_offset; /* SKIPPED */
    uint8_t cause;
    enum of_status status;
    bool fenced;
    struct of_error error;
};

struct of_offset {
    const struct of_slot *slot;
    int64_t next_offset;
    int32_t leader_epoch; /* to be committed with it; -1: not known */
};

struct of_source_ops {
    const char *name; /* "librdkafka", "direct", "memory" */

    /* Joins the group. wake_fd: see above; -1: nobody waits. */
    enum of_status (*start)(void *self, int wake_fd, struct of_error *err);

    /* After start: a file descriptor that can be read when something is to be done, beside the wake eventfd. It stays
     * the source's. Optional; -1: none. */
    int (*wait_fd)(void *self);

    /* The next event, if there is one. Serves the group's protocol too: to be called at least once a second. */
    bool (*event)(void *self, struct of_source_event *event);

    /* Finds where to begin: fills start and committed. OF_OK; OF_RETRY: could not be found out, call again after a
     * back-off; OF_FATAL. May block for a second. */
    enum of_status (*positions)(void *self, struct of_partition *partitions, uint32_t count, struct of_error *err);

    /* Begins to read every slot at its offset. */
    enum of_status (*assign)(void *self, struct of_slot *const *slots, const int64_t *offsets, uint32_t count,
                             struct of_error *err);

    /* Ends the assignment: nothing is read any more, slots are forgotten. Chunks may still come home later. */
    void (*unassign)(void *self);

    /* Fills a chunk (slot, count, offsets, records) from whichever slot of role orders has something, in turn. False:
     * nothing there. Leaves epoch, item and decode's members alone. */
    bool (*read)(void *self, struct of_chunk *chunk);

    /* Slots of role retry are read one record at a time, because each waits for its own time. peek shows the next
     * record, false if none is there yet; the view is valid until take or the next call of peek for this slot.
     * take moves that record into the chunk, which is empty or of the same slot and has room. */
    bool (*peek)(void *self, struct of_slot *slot, struct of_record *record);
    void (*take)(void *self, struct of_slot *slot, const struct of_record *record, struct of_chunk *chunk);

    /* For a slot of role retry where peek finds nothing: the offset behind the last record if the source knows that
     * the end was reached (transaction markers count), otherwise -1. */
    int64_t (*end)(void *self, const struct of_slot *slot);

    /* The offset behind the last record that may be read, as last heard; -1: not known yet. Optional. Costs no request;
     * asked a few times per second. */
    int64_t (*high)(void *self, const struct of_slot *slot);

    /* The epoch of the leader that wrote the last of what was delivered, or of a later one; -1: not known. Optional. Who
     * reads on from there can ask a leader whether its log still has it: an unclean election may have cut it back. */
    int32_t (*leader_epoch)(void *self, const struct of_slot *slot);

    /* Stops reading the slot: read and peek give nothing of it until resume, which begins again at offset. */
    void (*hold)(void *self, struct of_slot *slot);
    enum of_status (*resume)(void *self, struct of_slot *slot, int64_t offset, struct of_error *err);

    /* Takes back what a chunk refers to. The chunk itself stays fetch's. */
    void (*release)(void *self, struct of_chunk *chunk);

    /* Commits offsets; one call under way at a time; answered by OF_SOURCE_COMMITTED. offsets are copied. */
    void (*commit)(void *self, const struct of_offset *offsets, uint32_t count);

    /* Describes the membership as it is now, for a sink that commits offsets in a transaction; NULL where there is no
     * such thing. Optional. The caller gives it back. */
    void *(*membership)(void *self);
    void (*give_back_membership)(void *membership);

    /* Leaves the group; answered by REVOKED when partitions are assigned, and by LEFT when complete. */
    void (*leave)(void *self);

    /* Releases everything. All chunks must be released first. Blocks for a few seconds at most. */
    void (*close)(void *self);

    const struct of_chunk_ops *chunk_ops; /* how to look into its chunks and records */
};

/* A source and its table. */
struct of_source {
    const struct of_source_ops *ops;
    void *self;
};

#endif
