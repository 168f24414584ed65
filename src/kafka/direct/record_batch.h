/* Record batches of message format 2 as they lie in the answer to a fetch, and the records in them.
 *
 * Source: the Kafka documentation, "Message Format". A batch is a head of 61 bytes, then records, packed or not. Its
 * CRC covers everything from the attributes on; the base offset, the length and the leader epoch before them it does
 * not.
 *
 * Nothing here trusts a byte but for what reads a record once more (of_raw_record_again, of_raw_header_count,
 * of_raw_header): that is only given what of_raw_record_read has found well formed. Owner: everything given is a view of
 * the caller's bytes. Threads: pure functions, any. */
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

/* A record in the unpacked bytes of a batch. */
struct of_raw_record {
    int64_t timestamp_delta_ms;
    int32_t offset_delta;
    struct of_slice key;   /* data NULL: null */
    struct of_slice value; /* data NULL: null */
    const uint8_t *headers; /* their count and they; well formed */
    const uint8_t *end;
};

/* What a marker says of its producer's transaction. */
enum of_marker { OF_MARKER_ABORT, OF_MARKER_COMMIT, OF_MARKER_OTHER };

/* The batch at the beginning of the bytes. Its bytes are known when it is whole; its head alone has been looked at. */
enum of_batch_look of_record_batch_look(struct of_slice bytes, struct of_record_batch *batch);

/* Whether its CRC is right. */
bool of_record_batch_intact(const struct of_record_batch *batch);

/* The record at `at`, before `end`. False: there is no whole and well-formed one. */
bool of_raw_record_read(const uint8_t *at, const uint8_t *end, struct of_raw_record *record);

/* Reads a record once more of which the function above has said that it is well formed. */
void of_raw_record_again(const uint8_t *at, struct of_raw_record *record);

/* How many headers such a record has, from its `headers` on, and one after the other. A null value has data NULL. */
uint32_t of_raw_header_count(const uint8_t **at);
void of_raw_header(const uint8_t **at, struct of_slice *name, struct of_slice *value);

/* The marker in an intact control batch. */
enum of_marker of_record_batch_marker(const struct of_record_batch *batch);

#endif
