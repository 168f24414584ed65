/* A member of the consumer group, whatever reads its partitions. It keeps the group, the heartbeats and the offsets, and is
 * assigned an empty list, so that it fetches nothing: it is only assigned to answer a rebalance or to leave, as to assign for other
 * reasons would answer a rebalance that nobody has heard of yet. Private to src/kafka; what core/source.h says of events, positions, commit,
 * leave and close holds here.
 *
 * Threads: the fetch thread's; librdkafka's own threads never call into the program, they write to the wake eventfd. */
#ifndef OF_KAFKA_MEMBERSHIP_H
#define OF_KAFKA_MEMBERSHIP_H

#include "core/source.h"
#include "kafka/client.h"

enum of_kafka_membership_state { OF_MEMBER_JOINING, OF_MEMBER_OFFERED, OF_MEMBER_READING, OF_MEMBER_GIVING_UP };

struct of_kafka_membership {
    struct of_kafka_client client; /* its queue is the consumer's, and gets the main queue's events too */
    const struct of_kafka_options *options;
    enum of_kafka_membership_state state;
    struct of_partition *offered; /* the assignment that the group gave, until the next */
    uint32_t offered_count;
    rd_kafka_topic_partition_list_t *next; /* given by the group while the one before was not given up; NULL: none */
    bool group_assigned; /* librdkafka owes a revoke */
    bool leaving;
    bool left;
    int64_t joined_by_ns; /* leaving waits until then for a join under way; 0: not yet */
    int64_t look_ns; /* leaving looks again then */
    int64_t left_by_ns; /* when unsubscribed: LEFT is given then at the latest; 0 before */
    bool commit_failed; /* at once, to be told */
    enum of_status commit_status;
    bool failed; /* told */
};

/* How long the group waits for a member that keeps silent, as the properties or we say. The embedded cluster's, which is shorter
 * because joins take as long, is not meant. */
int64_t of_kafka_session_ms(const struct of_kafka_options *options);

/* Opens a consumer's handle that commits nothing by itself, reads committed records only and never jumps, and is no member of the
 * group before it subscribes; settings[0..count) come on top. events: RD_KAFKA_EVENT_* beside errors and logs. OF_FATAL: a
 * property is refused. */
enum of_status of_kafka_consumer_open(struct of_kafka_client *client, const struct of_kafka_options *options,
                                      const struct of_kafka_property *settings, size_t count, int events,
                                      struct of_error *err) OF_MUST_USE;

/* Opens the member's consumer. statistics: where they go; NULL: not wanted. Nothing is left behind by a failure. */
enum of_status of_kafka_membership_open(struct of_kafka_membership *membership, const struct of_kafka_options *options,
                                        struct of_kafka_statistics *statistics, struct of_error *err) OF_MUST_USE;

/* Joins the group; wake_fd as core/source.h's start. OF_OK or OF_FATAL. */
enum of_status of_kafka_membership_start(struct of_kafka_membership *membership, int wake_fd,
                                         struct of_error *err) OF_MUST_USE;

/* The next event of the group, if there is one. To be called at least once a second. */
bool of_kafka_membership_event(struct of_kafka_membership *membership, struct of_source_event *event);

/* What leave() asked for, step by step; to be asked when there is no other event. */
bool of_kafka_membership_leaving(struct of_kafka_membership *membership, struct of_source_event *event);

/* As the source's positions. Blocks for a second at most. */
enum of_status of_kafka_membership_positions(struct of_kafka_membership *membership, struct of_partition *partitions,
                                             uint32_t count, struct of_error *err) OF_MUST_USE;

/* The answer to an assignment: its partitions are read from now on. OF_OK or OF_FATAL. */
enum of_status of_kafka_membership_accept(struct of_kafka_membership *membership, struct of_error *err) OF_MUST_USE;

/* The answer to a revoke, or before leaving: nothing is read any more. */
void of_kafka_membership_give_up(struct of_kafka_membership *membership);

void of_kafka_membership_commit(struct of_kafka_membership *membership, const struct of_offset *offsets, uint32_t count);
/* As the source's membership and give_back_membership: a rd_kafka_consumer_group_metadata_t. */
void *of_kafka_membership_metadata(struct of_kafka_membership *membership);
void of_kafka_membership_give_back_metadata(void *metadata);

void of_kafka_membership_leave(struct of_kafka_membership *membership);

/* Ends the membership and the handle. Blocks for five seconds at most. */
void of_kafka_membership_close(struct of_kafka_membership *membership);

#endif
