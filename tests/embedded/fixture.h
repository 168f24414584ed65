/* What the tests of this lane share: a cluster with topics, a plain producer, and a small stand-in for the fetch stage. */
#ifndef OF_TESTS_EMBEDDED_FIXTURE_H
#define OF_TESTS_EMBEDDED_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sink.h"
#include "core/source.h"
#include "kafka/embedded.h"
#include "kafka/options.h"
#include "kafka/source_direct.h"
#include "kafka/source_librdkafka.h"

enum { FIXTURE_PARTITIONS = 4 };

/* The source under test: CMakeLists.txt builds some tests once with each. */
#ifndef FIXTURE_OPEN_SOURCE
#define FIXTURE_OPEN_SOURCE of_source_librdkafka_open
#endif

struct fixture {
    struct of_embedded *cluster;
    struct of_kafka_options options;
};

/* A cluster with the topics orders, orders-retry and orders-dlq. */
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);

/* Writes records with the values "0", "1", ... (from `first`) into a partition, and waits until they are acknowledged. */
void fixture_produce(struct fixture *fixture, enum of_destination to, int32_t partition, int first, int count,
                     const struct of_header *headers, uint32_t header_count);
/* The same into the orders topic; the key of each is "k". */
void fixture_produce_orders(struct fixture *fixture, int32_t partition, int first, int count);
/* The order "0", as if written at that time; 0: now. */
void fixture_produce_order_at(struct fixture *fixture, int32_t partition, int64_t timestamp_ms);

/* ---- a member that reads ---- */

enum { READER_SLOTS = 16 };

struct reader {
    struct of_source source;
    int wake_fd;
    struct of_slot slots[READER_SLOTS];
    bool committed[READER_SLOTS]; /* as positions said */
    uint32_t slot_count;
    struct of_chunk chunk; /* what read filled last */
    void *records[OF_CHUNK_RECORDS];
    bool assigned; /* between ASSIGNED and unassign */
    bool revoking; /* REVOKED or LOST came and is not answered */
    bool lost, left;
    uint32_t commits; /* answered */
    enum of_status commit_status;
    struct of_source_event broken; /* the last */
    uint32_t broken_count;
};

void reader_open(struct reader *reader, const struct of_kafka_options *options);

/* Takes events for timeout_ms, or until done is true. Answers ASSIGNED by positions and assign; with auto_revoke it
 * answers REVOKED by unassign. Returns *done. */
bool reader_wait(struct reader *reader, const bool *done, int timeout_ms);

/* The slot of a partition; fails the test when it is not assigned. */
struct of_slot *reader_slot(struct reader *reader, enum of_role role, int32_t partition);

/* Commits one offset and waits for the answer. */
enum of_status reader_commit(struct reader *reader, struct of_slot *slot, int64_t next_offset);

/* Leaves, answers what comes, closes. */
void reader_close(struct reader *reader);

/* The number that a record's value holds. */
int record_number(const struct of_record *record);

int64_t test_now_ms(void);

#endif
