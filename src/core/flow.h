/* What travels between the stages, and who owns it when.
 *
 *   slot     one partition of one assignment. Made by fetch when partitions are assigned, freed by fetch when the
 *            revoke barrier is home; between the two every stage may read it.
 *   chunk    records of one slot as the source delivered them. fetch -> decode -> (its batches) -> decode -> fetch.
 *   batch    up to OF_BATCH_RECORDS records of one chunk in columns. decode -> process -> aggregate -> publish -> decode.
 *   open     begins an epoch of a slot in every stage. It takes the way of the slot's batches: fetch -> ... -> publish
 *            -> fetch.
 *   barrier  one per lane, on every path of the lane, never overtaken. fetch -> ... -> publish -> fetch.
 *   notice   a slot that publish cannot serve any more. publish -> fetch.
 *
 * All travel by pointer through rings, with one owner at any moment, except the barrier: it is on several rings at once
 * and each stage writes only the parts that are its own.
 *
 * Epochs. A slot's epoch counts how often its reading began anew; chunks and batches carry the epoch they were read in.
 * Two ways lead to a new one:
 *   hold  the partition cannot go on for now; what lies before the cut is good and is counted under the old epoch,
 *         what lies behind it goes home and is read again later, on top of what was counted: a drop voids both.
 *   drop  what is in flight cannot be trusted to be written; slot->dropped_below rises above it, every stage sends such
 *         work home uncounted, aggregate is given the committed state again, and reading restarts at the committed
 *         offset.
 */
#ifndef OF_CORE_FLOW_H
#define OF_CORE_FLOW_H

#include <stdatomic.h>

#include "core/schema_key.h"
#include "core/slice.h"
#include "core/value.h"

enum {
    OF_BATCH_RECORDS = 256,  /* records in a batch at most */
    OF_CHUNK_RECORDS = 1024, /* records in a chunk at most, where a source delivers them one by one */
    OF_LANE_SLOTS = 4096,    /* partitions that one lane can be assigned at most */
    OF_THREADS_PER_STAGE = 64,
    OF_BATCH_REFUSED_BYTES = 400,
};

/* ---- items ---- */

enum of_item_kind { OF_ITEM_OPEN, OF_ITEM_CHUNK, OF_ITEM_BATCH, OF_ITEM_BARRIER, OF_ITEM_NOTICE };

/* The first member of everything that goes through a ring. */
struct of_item {
    enum of_item_kind kind;
    uint32_t lane;
    uint32_t rank; /* chooses the thread of each stage, so that a partition always takes the same; unused by barriers */
    uint32_t weight;  /* for how many records its time in a stage stands; 0: it is not measured */
    int64_t stamp_ns; /* measured ones: when the stage before handed it on; the agents' */
};

/* ---- slots ---- */

enum of_role { OF_ROLE_ORDERS, OF_ROLE_RETRY };

/* fetch -> ... -> publish -> fetch: a new epoch of this slot begins. At most one per slot is under way. */
struct of_open {
    struct of_item item;
    struct of_slot *slot;
    uint32_t epoch;
    bool restore;      /* the stages' state is to be set to `state`; otherwise they go on with what they have */
    const void *state; /* a struct of_slot_state, borrowed until the item is home; NULL: empty */
};

/* publish -> fetch: this slot's epoch cannot be finished; drop it, and what holds have begun on top of it. At most one
 * per slot from one restoring open to the next, and at most two under way: fetch may send that open before it has seen the
 * notice, but not another one before the first is home, which comes behind the notice. */
struct of_notice {
    struct of_item item;
    struct of_slot *slot;
    uint32_t epoch;
    int64_t offset;  /* of the record whose letter was refused; -1: not a record's */
    uint8_t cause;   /* enum of_cause */
    char text[200];  /* for people */
};

struct of_slot {
    uint32_t lane;
    uint32_t index; /* within the lane's assignment, from 0 */
    uint32_t rank;
    enum of_role role;
    const char *topic; /* lives as long as the run */
    uint64_t topic_hash;
    int32_t partition;
    _Atomic int64_t cut_at;  /* decode goes no further than this offset in this epoch; written by fetch before its open */
    _Atomic uint8_t cut_cause;
    _Atomic uint32_t dropped_below; /* epochs below this one are void; written by fetch and publish, only raised */
    struct of_open open;            /* fetch's while it is home */
    struct of_notice notices[2];    /* publish's, used in turn; fetch's from when it is pushed until the open behind it is home */
    _Atomic bool *barrier_wanted;   /* the lane's: publish asks for a barrier before the interval is over */
    int32_t start_epoch;            /* of the leader that wrote what is before where reading begins; -1: not known */
    void *source;                   /* the source's own; the fetch thread's */
};

static inline bool
of_slot_dropped(const struct of_slot *slot, uint32_t epoch)
{
    return epoch < atomic_load_explicit(&slot->dropped_below, memory_order_acquire);
}

/* Voids this epoch and all before it. */
static inline void
of_slot_drop(struct of_slot *slot, uint32_t epoch)
{
    uint32_t seen = atomic_load_explicit(&slot->dropped_below, memory_order_relaxed);
    while (seen <= epoch && !atomic_compare_exchange_weak_explicit(&slot->dropped_below, &seen, epoch + 1,
                                                                   memory_order_acq_rel, memory_order_relaxed))
        continue;
}

/* ---- records ---- */

/* A record where it lies: a view into its chunk, valid as long as the chunk is. */
struct of_record {
    struct of_slice key;   /* data NULL: null key */
    struct of_slice value; /* data NULL: null value */
    int64_t offset;
    uint32_t at;     /* finds it again in its chunk: of_chunk_ops.record */
    uint32_t behind; /* what the chunk's cursor becomes when it is done with */
    const void *ref; /* the source's handle of the record, for its headers and timestamp */
    int64_t stamp;   /* the source's own, too */
};

/* How far a walk over a record's headers has come; all zero: it has not begun. */
struct of_header_walk {
    uint32_t passed;
    uint32_t left;  /* this and the next are the source's own */
    const void *at;
};

struct of_chunk;

/* What is under a chunk's cursor. */
enum of_chunk_step {
    OF_CHUNK_RECORD,
    OF_CHUNK_END,
    OF_CHUNK_BROKEN, /* nothing behind it can be read: held_offset, held_cause and held_text say where and why */
};

/* How to look into a chunk; one constant table per kind of chunk. */
struct of_chunk_ops {
    /* The first record at or behind the cursor, which it may move over what is no record; the same one until the cursor
     * is set to `behind`, or back to where it was. The chunk's owner alone calls it: what is packed is unpacked here. */
    enum of_chunk_step (*next)(struct of_chunk *chunk, struct of_record *record);
    /* A record that next has shown, by its `at`. Callable, as those below, by whoever owns the chunk or one of its
     * batches, beside next. */
    void (*record)(const struct of_chunk *chunk, uint32_t at, struct of_record *record);
    /* Has the processor bring near what `record` will look at: for who goes from one record to another far behind it. */
    void (*prefetch)(const struct of_chunk *chunk, uint32_t at);
    /* The next header; false behind the last. A null value has data NULL. */
    bool (*header)(const struct of_record *record, struct of_header_walk *walk, struct of_slice *name,
                   struct of_slice *value);
    /* When it was written, as the topic counts; -1: unknown. Apart from record, because no good order needs it. */
    int64_t (*timestamp_ms)(const struct of_record *record);
};

/* ---- chunks ---- */

struct of_chunk {
    struct of_item item;
    struct of_slot *slot;
    uint32_t epoch;
    uint32_t count; /* records, or a few more where some turn out not to be wanted; 0: only next_offset speaks */
    int64_t first_offset;
    int64_t next_offset; /* where reading goes on behind this chunk: last record + 1, or further (gaps, markers) */
    const struct of_chunk_ops *ops;
    void **records; /* OF_CHUNK_RECORDS pointers, the source's to use */
    void *payload;  /* the source's own */

    /* decode's, from the time it takes the chunk until it sends it home */
    uint32_t cursor;      /* where next goes on; 0: at the beginning */
    bool done;            /* nothing more will be looked at */
    uint32_t batches_out; /* batches that point into it */

    /* what fetch learns when it comes home */
    bool held; /* the slot cannot go on behind held_offset - 1, for held_cause */
    int64_t held_offset;
    uint8_t held_cause; /* enum of_cause */
    char held_text[200]; /* for people; may be empty */
};

/* The `prefetch` of chunks whose `records` point to them. */
void of_chunk_prefetch(const struct of_chunk *chunk, uint32_t at);

/* The last header of that name; false if there is none. */
bool of_record_header(const struct of_chunk_ops *ops, const struct of_record *record, struct of_slice name,
                      struct of_slice *value);

/* ---- batches ---- */

/* Where a record of the retry topic came from, and how far it got. Slices point into the chunk. */
struct of_origin {
    struct of_slice topic;
    int32_t partition;
    uint32_t attempts; /* made before this delivery; 0 on the first */
    int64_t offset;
    int64_t timestamp_ms;
    int64_t first_failed_ms; /* -1: never failed */
};

struct of_batch {
    struct of_item item;
    struct of_slot *slot;
    struct of_chunk *chunk;
    uint32_t epoch;
    uint32_t count;
    uint32_t owner;  /* the decode instance whose pool it comes from */
    uint32_t failed; /* records whose status is not 0: when 0, nobody needs to look at the column */
    int64_t first_offset;
    int64_t next_offset;
    uint32_t cursor;        /* publish's: records already handed over */
    struct of_schema_key schema; /* of all records with a status of 0 or one given after decoding */
    const void *plan;       /* how decode read them: to name an order again; lives as long as the run */
    struct of_batch *next;  /* the pool's */
    _Atomic uint32_t *aside; /* of the pool: its batches that publish has put aside, for the transaction after this one */
    struct of_origin *origins; /* one per record where slot->role is retry; otherwise not looked at */

    uint8_t value_kind;  /* enum of_value_kind, of all good records: it says which of the columns there is */
    uint8_t value_scale; /* of all scaled values */
    struct of_schema_key refused_schema; /* one of which there is no plan; all records without one for that reason have it */
    char refused[OF_BATCH_REFUSED_BYTES]; /* why, for people; "": no such record */

    union {
        double value[OF_BATCH_RECORDS];
        of_int128 scaled[OF_BATCH_RECORDS]; /* value times 10^value_scale */
    };
    int64_t offset[OF_BATCH_RECORDS];
    uint32_t group[OF_BATCH_RECORDS];  /* index in the dictionary of group values */
    uint32_t record[OF_BATCH_RECORDS]; /* where in the chunk: of_record.at */
    uint8_t status[OF_BATCH_RECORDS];  /* enum of_cause; 0: a good order */
    uint8_t body_at[OF_BATCH_RECORDS]; /* bytes of framing before the body */
};

/* ---- barriers ---- */

enum of_barrier_kind {
    OF_BARRIER_COMMIT, /* what is before it can be committed */
    OF_BARRIER_REVOKE, /* the same, and afterwards all slots of the lane are gone */
};

/* Copies of what changed in one aggregate instance since the barrier before. The stages define it; core carries it. */
struct of_snapshot;

/* How far publish got in one slot: what a barrier lets fetch commit. */
struct of_reached {
    int64_t next_offset; /* behind the last record that is through; -1: nothing since the barrier before, or not to be
                          * committed because something of this slot failed */
    uint64_t retries;      /* retry records handed over since the barrier before, and acknowledged */
    uint64_t dead_letters; /* the same for dead letters */
};

/* What publish could do about a barrier. */
enum of_barrier_outcome {
    OF_BARRIER_WRITTEN,   /* what belongs to the offsets reached is written: they may be committed */
    OF_BARRIER_COMMITTED, /* they are committed already, in one transaction with it */
    OF_BARRIER_ABORTED,   /* nothing since the barrier before counts, in all slots: start again from what is committed */
    OF_BARRIER_UNKNOWN,   /* the same, but what is committed must be looked up: the barrier may count after all */
    OF_BARRIER_FAILED,    /* nothing can be written any more; `fenced`: another has the same identity */
};

/* One per lane, fetch's while it is home. */
struct of_barrier {
    struct of_item item;
    enum of_barrier_kind kind;
    uint64_t number;            /* 1, 2, ... in this lane */
    struct of_slot *const *slots; /* all of the lane, by slot index */
    uint32_t slot_count;
    const int64_t *starts; /* by slot index: where the slot begins if nothing is committed of it yet; otherwise -1 */
    const int32_t *leader_epochs; /* by slot index: of_source_ops.leader_epoch, as of now; NULL: none is known */
    void *membership;      /* the source's, as of now; may be NULL */
    struct of_snapshot *snapshots[OF_THREADS_PER_STAGE]; /* aggregate instance i writes element i */

    /* publish's answer */
    struct of_reached *reached; /* by slot index */
    enum of_barrier_outcome outcome;
    bool late; /* ABORTED: it did not come as soon as its transaction had to end */
    bool fenced;
    char text[200]; /* ABORTED, UNKNOWN, FAILED: why, for people */
};

#endif
