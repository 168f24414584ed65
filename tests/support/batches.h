/* Record batches as a producer would make them, for tests of what reads them. Written after the message format alone. */
#ifndef OF_TESTS_BATCHES_H
#define OF_TESTS_BATCHES_H

#include "kafka/direct/codec.h"
#include "kafka/direct/wire.h"

struct test_header {
    const char *name;
    struct of_slice value;
};

struct test_record {
    int32_t offset_delta;
    int64_t timestamp_delta_ms;
    struct of_slice key, value;
    const struct test_header *headers;
    uint32_t header_count;
};

struct test_batch {
    int64_t base_offset;
    int32_t last_delta; /* -1: that of the last record */
    int32_t leader_epoch;
    int codec;
    bool transactional, control, append_time;
    int64_t base_timestamp_ms, max_timestamp_ms;
    int64_t producer_id;
    const struct test_record *records;
    uint32_t count;
};

/* Appends the batch. */
void test_batch_write(struct of_wire_writer *out, const struct test_batch *batch);

/* Appends a batch of `count` records with the values "0", "1", ... from `first`, and the key "k". */
void test_batch_numbers(struct of_wire_writer *out, int codec, int64_t base_offset, int first, uint32_t count);

/* Appends the marker that ends a producer's transaction. */
void test_batch_marker(struct of_wire_writer *out, int64_t offset, int64_t producer_id, bool commit);

/* Packs bytes; xerial: snappy in the framing of Java's library. */
void test_pack(struct of_wire_writer *out, int codec, bool xerial, struct of_slice bytes);

#endif
