/* The structs that messages.c describes. Members are named as in the protocol; what a version lacks has the protocol's
 * default. */
#ifndef OF_KAFKA_DIRECT_MESSAGES_H
#define OF_KAFKA_DIRECT_MESSAGES_H

#include "kafka/direct/message.h"

/* ---- ApiVersions ---- */

struct of_api_versions_request {
    struct of_slice client_software_name, client_software_version;
};

struct of_api_version {
    int16_t api_key, min_version, max_version;
};

struct of_api_versions_answer {
    int16_t error_code;
    struct of_array api_keys; /* of struct of_api_version */
    int32_t throttle_time_ms;
};

/* ---- Metadata ---- */

/* A topic's id, in two halves; both 0: none. A topic that is made anew has another one. */
struct of_topic_id {
    int64_t high, low;
};

struct of_topic_name {
    struct of_topic_id id; /* none: the name counts */
    struct of_slice name;
};

struct of_metadata_request {
    struct of_array topics; /* of struct of_topic_name; null: all */
    bool allow_auto_topic_creation;
    bool include_cluster_authorized_operations;
    bool include_topic_authorized_operations;
};

struct of_metadata_broker {
    int32_t node_id;
    struct of_slice host;
    int32_t port;
    struct of_slice rack;
};

struct of_metadata_partition {
    int16_t error_code;
    int32_t partition_index;
    int32_t leader_id;
    int32_t leader_epoch; /* -1: not known */
    struct of_array replica_nodes, isr_nodes, offline_replicas;
};

struct of_metadata_topic {
    int16_t error_code;
    struct of_slice name;
    struct of_topic_id id; /* since version 10 */
    bool is_internal;
    struct of_array partitions; /* of struct of_metadata_partition */
    int32_t topic_authorized_operations;
};

struct of_metadata_answer {
    int32_t throttle_time_ms;
    struct of_array brokers; /* of struct of_metadata_broker */
    struct of_slice cluster_id;
    int32_t controller_id;
    struct of_array topics; /* of struct of_metadata_topic */
    int32_t cluster_authorized_operations;
};

/* ---- Fetch ---- */

struct of_fetch_partition {
    int32_t partition;
    int32_t current_leader_epoch;
    int64_t fetch_offset;
    int32_t last_fetched_epoch;
    int64_t log_start_offset;
    int32_t partition_max_bytes;
};

struct of_fetch_topic {
    struct of_slice topic;
    struct of_array partitions; /* of struct of_fetch_partition */
};

struct of_fetch_request {
    int32_t replica_id;
    int32_t max_wait_ms;
    int32_t min_bytes;
    int32_t max_bytes;
    int8_t isolation_level;
    int32_t session_id;
    int32_t session_epoch;
    struct of_array topics;           /* of struct of_fetch_topic */
    struct of_array forgotten_topics; /* of struct of_fetch_topic, without versions of their own: always empty */
    struct of_slice rack_id;
};

struct of_aborted_transaction {
    int64_t producer_id;
    int64_t first_offset;
};

struct of_epoch_end {
    int32_t epoch;
    int64_t end_offset;
};

struct of_leader_and_epoch {
    int32_t leader_id;
    int32_t leader_epoch;
};

struct of_fetched_partition {
    int32_t partition_index;
    int16_t error_code;
    int64_t high_watermark;
    int64_t last_stable_offset;
    int64_t log_start_offset;
    struct of_epoch_end diverging_epoch; /* epoch -1: the logs agree */
    struct of_leader_and_epoch current_leader;
    struct of_array aborted_transactions; /* of struct of_aborted_transaction */
    int32_t preferred_read_replica;
    struct of_slice records;
};

struct of_fetched_topic {
    struct of_slice topic;
    struct of_array partitions; /* of struct of_fetched_partition */
};

struct of_fetch_answer {
    int32_t throttle_time_ms;
    int16_t error_code;
    int32_t session_id;
    struct of_array responses; /* of struct of_fetched_topic */
};

/* ---- ListOffsets ---- */

struct of_list_partition {
    int32_t partition_index;
    int32_t current_leader_epoch;
    int64_t timestamp; /* -1: the end, -2: the beginning */
};

struct of_list_topic {
    struct of_slice name;
    struct of_array partitions; /* of struct of_list_partition */
};

struct of_list_request {
    int32_t replica_id;
    int8_t isolation_level;
    struct of_array topics; /* of struct of_list_topic */
};

struct of_listed_partition {
    int32_t partition_index;
    int16_t error_code;
    int64_t timestamp;
    int64_t offset;
    int32_t leader_epoch;
};

struct of_listed_topic {
    struct of_slice name;
    struct of_array partitions; /* of struct of_listed_partition */
};

struct of_list_answer {
    int32_t throttle_time_ms;
    struct of_array topics; /* of struct of_listed_topic */
};

/* ---- OffsetForLeaderEpoch ---- */

struct of_epoch_partition {
    int32_t partition;
    int32_t current_leader_epoch;
    int32_t leader_epoch;
};

struct of_epoch_topic {
    struct of_slice topic;
    struct of_array partitions; /* of struct of_epoch_partition */
};

struct of_epoch_request {
    int32_t replica_id;
    struct of_array topics; /* of struct of_epoch_topic */
};

struct of_epoch_found {
    int16_t error_code;
    int32_t partition;
    int32_t leader_epoch;
    int64_t end_offset;
};

struct of_epoch_found_topic {
    struct of_slice topic;
    struct of_array partitions; /* of struct of_epoch_found */
};

struct of_epoch_answer {
    int32_t throttle_time_ms;
    struct of_array topics; /* of struct of_epoch_found_topic */
};

/* ---- SASL ---- */

struct of_sasl_handshake_request {
    struct of_slice mechanism;
};

struct of_sasl_mechanism {
    struct of_slice name;
};

struct of_sasl_handshake_answer {
    int16_t error_code;
    struct of_array mechanisms; /* of struct of_sasl_mechanism */
};

struct of_sasl_request {
    struct of_slice auth_bytes;
};

struct of_sasl_answer {
    int16_t error_code;
    struct of_slice error_message;
    struct of_slice auth_bytes;
    int64_t session_lifetime_ms;
};

#endif
