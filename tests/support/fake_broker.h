/* A broker of one topic, with one partition unless the test gives it more, which answers as the test tells it to. It speaks by the program's own message
 * tables, turned around; that those are right, the broker lane shows.
 *
 * No thread: the test calls serve as often as it calls what it tests. */
#ifndef OF_TESTS_FAKE_BROKER_H
#define OF_TESTS_FAKE_BROKER_H

#include "kafka/direct/messages.h"

enum { FAKE_CONNECTIONS = 8, FAKE_PARTITIONS = 4 };

struct fake_broker {
    int listener;
    int port;
    int connections[FAKE_CONNECTIONS]; /* -1: none */
    const char *topic;
    struct of_wire_writer log;       /* batches; those that end before the asked offset are left out */
    int64_t high_watermark;
    int64_t low;                     /* the first offset: fetches before it and behind high_watermark are out of range */
    struct of_array aborted;         /* of struct of_aborted_transaction */
    int32_t leader_epoch;
    int64_t topic_id;
    int64_t epoch_end;               /* the answer to OffsetForLeaderEpoch */
    int16_t fetch_error;             /* of the next fetch alone */
    int32_t partitions;              /* 0: one. With several an answer to a fetch has the first that was asked for alone */
    int32_t named_partition;         /* in answers to fetches, where there is one */
    int32_t throttle_ms;             /* of the next fetch alone */
    enum of_api old_api;             /* the highest version that it knows of this one; otherwise it knows what we do */
    int16_t old_highest;             /* -1: it does not know it at all; 0, as it is at first: nothing is old */
    bool silent;                     /* fetches are not answered */
    uint32_t fetches, looks, checks, lists; /* requests so far */
    int64_t asked_offset;            /* by the last fetch */
    int32_t asked_epoch;
    int32_t asked_wait_ms;
    uint32_t asked_partitions;       /* how many */
    int32_t checked_epoch;           /* by the last OffsetForLeaderEpoch */
};

void fake_broker_open(struct fake_broker *broker, const char *topic);
void fake_broker_close(struct fake_broker *broker);

/* Accepts, reads requests, answers; does not wait. */
void fake_broker_serve(struct fake_broker *broker);

#endif
