/* The partitions that a librdkafka source reads, and through which queue each of them comes. Private to src/kafka.
 * The clients that fetch them are no members of the group, and may be assigned anew at any time.
 *
 *   orders partition ----forward----> data     read in turn, all partitions together
 *   retry partition                            its own queue, read one record at a time
 *   either, held ------forward----> unwanted   what librdkafka still fetches of it; not read while anything is held
 *
 * A queue that is not read fills up to librdkafka's limits, and then its partitions are no longer fetched: this is the
 * back-pressure, and there is no pausing. All held partitions of one role share one queue, and so one limit.
 *
 * Each role is fetched by a client of its own. A record keeps the whole answer alive that it came with: a retry record
 * that waits for seconds must not have come with megabytes of orders.
 *
 * Moving a partition between queues leaves no stale record behind: a seek makes what was fetched before it outdated, and
 * librdkafka drops that wherever it lies; what had already been taken out is dropped here.
 *
 * Threads: the fetch thread's. */
#ifndef OF_KAFKA_ASSIGNMENT_H
#define OF_KAFKA_ASSIGNMENT_H

#include "core/source.h"
#include "kafka/client.h"

enum { OF_READ_AHEAD_RECORDS = 2048, OF_RETRY_AHEAD_RECORDS = 32 };

/* Messages taken out of a queue and not delivered yet; an element may be NULL. */
struct of_kafka_ahead {
    rd_kafka_message_t **messages;
    uint32_t at;
    uint32_t count;
};

/* What fetches the partitions of one role. */
struct of_kafka_reader {
    struct of_kafka_client *client;
    rd_kafka_queue_t *unwanted;
    size_t full_at; /* records in one queue at which librdkafka stops fetching into it */
    uint32_t held_count;
};

/* One assigned partition; slot->source points to it. */
struct of_kafka_part {
    struct of_slot *slot;
    struct of_kafka_reader *reader;
    rd_kafka_queue_t *queue;
    int64_t expected; /* the next offset to deliver; smaller ones are stale */
    int64_t end;      /* retry: where the end of the partition was seen, -1 when something came after it */
    bool held;        /* deliver nothing */
    bool full;        /* retry: its queue was seen nearly full, and not yet half empty */
    bool stopped;     /* librdkafka has given up fetching it; only a new assign starts it again */
    int64_t gap_from; /* passed over from there up to `expected`: to be delivered as a chunk of its own. -1: nothing */
    bool skipped;     /* that is to be told, with `why` */
    int64_t skipped_from;
    bool broken;      /* to be told: cannot be read at `expected` for `cause` */
    uint8_t cause;    /* enum of_cause */
    char why[256];
    rd_kafka_message_t *retry_messages[OF_RETRY_AHEAD_RECORDS];
    struct of_kafka_ahead ahead; /* retry: in retry_messages */
};

struct of_kafka_assignment {
    const struct of_kafka_options *options;
    struct of_kafka_reader readers[2]; /* by enum of_role */
    int wake_fd;
    rd_kafka_queue_t *data;
    struct of_kafka_part *parts;
    uint32_t part_count;
    uint32_t news_count; /* of what parts have to tell */
    uint32_t gap_count;
    struct of_kafka_part **orders; /* by partition number; NULL where not assigned */
    int32_t orders_size;
    rd_kafka_message_t *messages[OF_READ_AHEAD_RECORDS];
    struct of_kafka_ahead ahead; /* orders: in messages */
    bool full; /* the data queue was seen nearly full, and not yet half empty */
};

/* clients[2]: by enum of_role. */
void of_kafka_assignment_init(struct of_kafka_assignment *assignment, const struct of_kafka_options *options,
                              struct of_kafka_client *clients, int wake_fd);

/* Ends the assignment if there is one. */
void of_kafka_assignment_fini(struct of_kafka_assignment *assignment);

/* Routes the queues and has librdkafka fetch. OF_OK or OF_FATAL. */
enum of_status of_kafka_assignment_begin(struct of_kafka_assignment *assignment, struct of_slot *const *slots,
                                         const int64_t *offsets, uint32_t count, struct of_error *err) OF_MUST_USE;

/* Has librdkafka fetch nothing, and drops everything fetched. Also right when nothing is assigned. */
void of_kafka_assignment_end(struct of_kafka_assignment *assignment);

void of_kafka_part_hold(struct of_kafka_assignment *assignment, struct of_kafka_part *part);

/* OF_OK, maybe further on than at the offset, as kafka/out_of_range.h has it; OF_RETRY: not possible yet. Blocks for a
 * second at most, and only for a part that is stopped. */
enum of_status of_kafka_part_resume(struct of_kafka_assignment *assignment, struct of_kafka_part *part, int64_t offset,
                                    struct of_error *err) OF_MUST_USE;

/* To be called when records were taken out of the data queue, or of the queue of a retry partition. librdkafka looks
 * again at a queue that was full only when its broker's thread has something else to do, or after a second: when the
 * queue is half empty again it is given something to do. */
void of_kafka_assignment_nudge(struct of_kafka_assignment *assignment);
void of_kafka_part_nudge(struct of_kafka_assignment *assignment, struct of_kafka_part *part);

/* Notes that the part cannot be read, and holds it. */
void of_kafka_part_break(struct of_kafka_assignment *assignment, struct of_kafka_part *part,
                         const rd_kafka_message_t *message);

/* The part of an orders partition; NULL if it is not assigned. */
static inline struct of_kafka_part *
of_kafka_orders_part(const struct of_kafka_assignment *assignment, int32_t partition)
{
    return partition >= 0 && partition < assignment->orders_size ? assignment->orders[partition] : NULL;
}

#endif
