/* Questions about offsets, asked with a deadline. Private to src/kafka. */
#ifndef OF_KAFKA_OFFSETS_H
#define OF_KAFKA_OFFSETS_H

#include "core/source.h"
#include "kafka/client.h"

/* The first offset that is stored and the one behind the last that readers of committed records see. OF_OK, OF_RETRY. */
enum of_status of_kafka_query_range(struct of_kafka_client *client, const char *topic, int32_t partition, int timeout_ms,
                                    int64_t *low, int64_t *high, struct of_error *err) OF_MUST_USE;

/* Fills the offset of each element with the first (end false) or the last (end true) of its partition, by one request
 * to each broker. OF_OK, OF_RETRY. */
enum of_status of_kafka_query_edges(struct of_kafka_client *client, rd_kafka_topic_partition_list_t *list, bool end,
                                    int timeout_ms, struct of_error *err) OF_MUST_USE;

/* Asks who leads the partitions, one request for each topic; the list is in the order of topics. For a client that reads nothing of
 * them: it remembers leaders for minutes, and without any it looks for them once a second. */
void of_kafka_learn_leaders(struct of_kafka_client *client, const rd_kafka_topic_partition_list_t *list, int timeout_ms);

/* Fills the offset of each element with what the group has committed; negative: nothing. OF_OK, OF_RETRY, OF_FATAL. */
enum of_status of_kafka_query_committed(struct of_kafka_client *client, rd_kafka_topic_partition_list_t *list,
                                        int timeout_ms, struct of_error *err) OF_MUST_USE;

/* The leader epoch goes into the text that Kafka keeps with a committed offset: librdkafka before 2.1 does not know the
 * field that was made for it. Negative: none. */
void of_kafka_note_leader_epoch(rd_kafka_topic_partition_t *partition, int32_t leader_epoch);

/* Where to begin, as core/source.h's positions says: at the committed offset; without one as the option `from` asks. Retries
 * begin at the first offset in any case, as those of other groups are passed over when they are read.
 *
 * With `latest` a group begins with all partitions of the orders topic at once: the first member that finds nothing
 * committed in any of them looks up the ends of all, and commits them with a note that tells them from offsets up to which
 * something was counted. Later look-ups, by whomever, go by the note until such an offset takes its place. A partition with
 * neither, in a topic that has one or the other, was added later, and begins at its first offset. Where two members look at the same moment
 * the later note stands, but for a member that has begun before it (`start` and `committed` as this call has filled them
 * before; -1 and false at first).
 *
 * member: the client is one of the group's, and can commit; otherwise nothing is noted. Blocks for timeout_ms at most. */
enum of_status of_kafka_query_positions(struct of_kafka_client *client, struct of_partition *partitions, uint32_t count,
                                        bool member, int timeout_ms, struct of_error *err) OF_MUST_USE;

/* What the answer to a commit means: OF_OK, OF_RETRY, OF_ABORT (the partitions are no longer ours), OF_FATAL. */
enum of_status of_kafka_commit_status(rd_kafka_resp_err_t code);

#endif
