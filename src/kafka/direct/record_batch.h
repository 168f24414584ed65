/* Record batches of message format 2 as they lie in the answer to a fetch. The records in them: raw_record.h.
 *
 * Source: the Kafka documentation, "Message Format". A batch is a head of 61 bytes, then records, packed or not. Its
 * CRC covers everything from the attributes on; the base offset, the length and the leader epoch before them it does
 * not.
 *
 * Nothing here trusts a byte. Owner: everything given is a view of the caller's bytes. Threads: pure functions, any. */
#ifndef OF_KAFKA_DIRECT_RECORD_BATCH_H
#define OF_KAFKA_DIRECT_RECORD_BATCH_H

#include "core/slice.h"

enum {
    OF_BATCH_HEAD_BYTES = 61,
    OF_BATCH_LEAST_BYTES = 12 + 5, /* enough to tell the length and the format */
};

enum of_batch_look {
    OF_BATCH_WHOLE,
    OF_BATCH_CUT_OFF,   /* the rest of it is not there: fetch again from it */
    OF_BATCH_OLD,       /* a message format before 2 */
    OF_BATCH_MALFORMED, /* its head cannot be */
};

struct of_record_batch {
    struct of_slice bytes;   /* all of it */
    struct of_slice records; /* as they are packed */
    int64_t base_offset;
    int64_t last_offset;
    int32_t leader_epoch;
    uint32_t crc;
    int codec;         /* enum of_codec, or an unknown one */
    bool transactional;
    bool control;      /* holds a marker, no record for a reader */
    bool append_time;  /* all its records were written at max_timestamp_ms */
    int64_t base_timestamp_ms;
    int64_t max_timestamp_ms;
    int64_t producer_id;
    int32_t count;     /* of records; fewer than offsets after compaction */
};

/* What a marker says of its producer's transaction. */
enum of_marker { OF_MARKER_ABORT, OF_MARKER_COMMIT, OF_MARKER_OTHER };

/* The batch at the beginning of the bytes. Its bytes are known when it is whole; its head alone has been looked at. */
enum of_batch_look of_record_batch_look(struct of_slice bytes, struct of_record_batch *batch);

/* Whether its CRC is right. */
bool of_record_batch_intact(const struct of_record_batch *batch);

/* The marker in an intact control batch. */
enum of_marker of_record_batch_marker(const struct of_record_batch *batch);

#endif
