/* A stretch of a partition: batches that follow each other in one answer, and the records in them.
 *
 * The fetch thread makes stretches: it finds the batches and leaves out what nobody is to see (markers, aborted
 * transactions, what lies before the wanted offset), looking at their heads alone. Whoever walks a stretch checks each
 * batch's CRC when it comes to it, and unpacks it; records that are not packed are read where they lie.
 *
 * A cursor is a batch's number and a position in its unpacked bytes, in 32 bits. So a batch can unpack to 64 MiB at
 * most.
 *
 * Owner: fetch until it is handed over as a chunk, then whoever has the chunk, then fetch again. Beside the owner, who
 * walks it, others may look records up that were shown to them: what was opened does not move. */
#ifndef OF_KAFKA_DIRECT_STRETCH_H
#define OF_KAFKA_DIRECT_STRETCH_H

#include "core/error.h"
#include "core/flow.h"
#include "kafka/direct/record_batch.h"
#include "kafka/direct/slab.h"

enum {
    OF_STRETCH_BATCHES = 63, /* one less than a cursor can count */
    OF_STRETCH_POSITION_BITS = 26,
    OF_STRETCH_BATCH_BYTES = 1 << OF_STRETCH_POSITION_BITS, /* of an unpacked batch, at most */
};

struct of_stretch_batch {
    struct of_slice bytes;   /* as it came */
    const uint8_t *begin;    /* of its records, unpacked; NULL until opened */
    const uint8_t *end;
    uint8_t *unpacked;       /* their memory; NULL when they lie in bytes */
    int64_t base_offset;
    int64_t last_offset;
    int64_t base_timestamp_ms;
    int64_t append_time_ms;  /* INT64_MIN: each record has a time of its own */
};

struct of_stretch {
    struct of_stretch *next;  /* in queues of the fetch thread */
    void *part;               /* the fetch thread's */
    uint32_t generation;      /* of the part when it was fetched */
    struct of_slab *slab;     /* what bytes point into; NULL: into `own` */
    uint8_t *own;
    int64_t first_offset;     /* records before it are not wanted */
    int64_t next_offset;
    int32_t leader_epoch;     /* of what is before next_offset; -1: not known */
    uint32_t count;           /* of records, a few more where some are not wanted */
    uint32_t batch_count;
    uint32_t shown_at;        /* cursor of the record that was shown last */
    int64_t shown_offset;     /* -1: none yet */
    int64_t reached;          /* behind the record before it */
    struct of_stretch_batch batches[OF_STRETCH_BATCHES];
};

/* Appends a whole batch; there is room. */
void of_stretch_add(struct of_stretch *stretch, const struct of_record_batch *batch);

/* The first wanted record at or behind the cursor, which moves over what is not. On OF_CHUNK_BROKEN err says why, and
 * stretch->reached where. */
enum of_chunk_step of_stretch_next(struct of_stretch *stretch, uint32_t *cursor, struct of_record *record,
                                   struct of_error *err);

/* A record that was shown, by its `at`. */
void of_stretch_record(const struct of_stretch *stretch, uint32_t at, struct of_record *record);

/* Has the processor bring its first bytes near. */
void of_stretch_prefetch(const struct of_stretch *stretch, uint32_t at);

/* Frees what was unpacked of batches before `batch`. */
void of_stretch_close_before(struct of_stretch *stretch, uint32_t batch);

/* All bytes of a record that was shown. */
struct of_slice of_stretch_bytes(const struct of_stretch *stretch, const struct of_record *record);

/* Headers and time of a record whose `ref` is where its headers lie and whose `stamp` is its time. */
bool of_stretch_header(const struct of_record *record, struct of_header_walk *walk, struct of_slice *name,
                       struct of_slice *value);
int64_t of_stretch_timestamp_ms(const struct of_record *record);

/* Chunks whose payload is a stretch. */
extern const struct of_chunk_ops of_stretch_chunk_ops;

/* Frees what it has unpacked and drops its slab; the stretch itself stays the caller's. */
void of_stretch_empty(struct of_stretch *stretch);

#endif
