/* What the messages look like. One row per field, in the order of the protocol. */
#include "kafka/direct/messages.h"

#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SHAPE(name, row_type, ...) \
    static const struct of_shape name = { name##_fields, COUNT(name##_fields), sizeof(row_type), __VA_ARGS__ }
#define ROW(kind, first, last, ...) \
    { .type = OF_FIELD_##kind, .since = (first), .until = (last), .tag = OF_FIELD_NO_TAG, __VA_ARGS__ }
#define TAGGED(number, first, ...) \
    { .type = OF_FIELD_STRUCT, .since = (first), .until = OF_FIELD_EVER, .tag = (number), __VA_ARGS__ }
#define EVER OF_FIELD_EVER
#define NULLABLE .nullable = true
#define OF(element) .shape = &(element)
#define AT(member) .at = offsetof(TYPE, member)

/* ---- ApiVersions ---- */

#define TYPE struct of_api_versions_request
static const struct of_field api_versions_request_fields[] = {
    ROW(STRING, 3, EVER, AT(client_software_name)),
    ROW(STRING, 3, EVER, AT(client_software_version)),
};
SHAPE(api_versions_request, TYPE, NULL);
#undef TYPE

#define TYPE struct of_api_version
static const struct of_field api_version_fields[] = {
    ROW(INT16, 0, EVER, AT(api_key)),
    ROW(INT16, 0, EVER, AT(min_version)),
    ROW(INT16, 0, EVER, AT(max_version)),
};
SHAPE(api_version, TYPE, NULL);
#undef TYPE

#define TYPE struct of_api_versions_answer
static const struct of_field api_versions_answer_fields[] = {
    ROW(INT16, 0, EVER, AT(error_code)),
    ROW(ARRAY, 0, EVER, AT(api_keys), OF(api_version)),
    ROW(INT32, 1, EVER, AT(throttle_time_ms)),
};
SHAPE(api_versions_answer, TYPE, NULL);
#undef TYPE

/* ---- Metadata ---- */

#define TYPE struct of_topic_name
static const struct of_field topic_name_fields[] = {
    ROW(INT64, 10, EVER, AT(id.high)),
    ROW(INT64, 10, EVER, AT(id.low)),
    ROW(STRING, 0, EVER, AT(name)),
};
SHAPE(topic_name, TYPE, NULL);
#undef TYPE

#define TYPE struct of_metadata_request
static const struct of_field metadata_request_fields[] = {
    ROW(ARRAY, 0, EVER, AT(topics), OF(topic_name), NULLABLE),
    ROW(BOOL, 4, EVER, AT(allow_auto_topic_creation)),
    ROW(BOOL, 8, 10, AT(include_cluster_authorized_operations)),
    ROW(BOOL, 8, EVER, AT(include_topic_authorized_operations)),
};
SHAPE(metadata_request, TYPE, NULL);
#undef TYPE

#define TYPE struct of_metadata_broker
static const struct of_field metadata_broker_fields[] = {
    ROW(INT32, 0, EVER, AT(node_id)),
    ROW(STRING, 0, EVER, AT(host)),
    ROW(INT32, 0, EVER, AT(port)),
    ROW(STRING, 1, EVER, AT(rack), NULLABLE),
};
SHAPE(metadata_broker, TYPE, NULL);
#undef TYPE

#define TYPE struct of_metadata_partition
static const struct of_field metadata_partition_fields[] = {
    ROW(INT16, 0, EVER, AT(error_code)),
    ROW(INT32, 0, EVER, AT(partition_index)),
    ROW(INT32, 0, EVER, AT(leader_id)),
    ROW(INT32, 7, EVER, AT(leader_epoch)),
    ROW(NUMBERS, 0, EVER, AT(replica_nodes)),
    ROW(NUMBERS, 0, EVER, AT(isr_nodes)),
    ROW(NUMBERS, 5, EVER, AT(offline_replicas)),
};
static const struct of_metadata_partition metadata_partition_initial = { .leader_epoch = -1 };
SHAPE(metadata_partition, TYPE, &metadata_partition_initial);
#undef TYPE

#define TYPE struct of_metadata_topic
static const struct of_field metadata_topic_fields[] = {
    ROW(INT16, 0, EVER, AT(error_code)),
    ROW(STRING, 0, EVER, AT(name)),
    ROW(INT64, 10, EVER, AT(id.high)),
    ROW(INT64, 10, EVER, AT(id.low)),
    ROW(BOOL, 1, EVER, AT(is_internal)),
    ROW(ARRAY, 0, EVER, AT(partitions), OF(metadata_partition)),
    ROW(INT32, 8, EVER, AT(topic_authorized_operations)),
};
SHAPE(metadata_topic, TYPE, NULL);
#undef TYPE

#define TYPE struct of_metadata_answer
static const struct of_field metadata_answer_fields[] = {
    ROW(INT32, 3, EVER, AT(throttle_time_ms)),
    ROW(ARRAY, 0, EVER, AT(brokers), OF(metadata_broker)),
    ROW(STRING, 2, EVER, AT(cluster_id), NULLABLE),
    ROW(INT32, 1, EVER, AT(controller_id)),
    ROW(ARRAY, 0, EVER, AT(topics), OF(metadata_topic)),
    ROW(INT32, 8, 10, AT(cluster_authorized_operations)),
};
SHAPE(metadata_answer, TYPE, NULL);
#undef TYPE

/* ---- Fetch ---- */

#define TYPE struct of_fetch_partition
static const struct of_field fetch_partition_fields[] = {
    ROW(INT32, 0, EVER, AT(partition)),
    ROW(INT32, 9, EVER, AT(current_leader_epoch)),
    ROW(INT64, 0, EVER, AT(fetch_offset)),
    ROW(INT32, 12, EVER, AT(last_fetched_epoch)),
    ROW(INT64, 5, EVER, AT(log_start_offset)),
    ROW(INT32, 0, EVER, AT(partition_max_bytes)),
};
SHAPE(fetch_partition, TYPE, NULL);
#undef TYPE

#define TYPE struct of_fetch_topic
static const struct of_field fetch_topic_fields[] = {
    ROW(STRING, 0, 12, AT(topic)),
    ROW(ARRAY, 0, EVER, AT(partitions), OF(fetch_partition)),
};
SHAPE(fetch_topic, TYPE, NULL);
#undef TYPE

#define TYPE struct of_fetch_request
static const struct of_field fetch_request_fields[] = {
    ROW(INT32, 0, 14, AT(replica_id)),
    ROW(INT32, 0, EVER, AT(max_wait_ms)),
    ROW(INT32, 0, EVER, AT(min_bytes)),
    ROW(INT32, 3, EVER, AT(max_bytes)),
    ROW(INT8, 4, EVER, AT(isolation_level)),
    ROW(INT32, 7, EVER, AT(session_id)),
    ROW(INT32, 7, EVER, AT(session_epoch)),
    ROW(ARRAY, 0, EVER, AT(topics), OF(fetch_topic)),
    ROW(ARRAY, 7, EVER, AT(forgotten_topics), OF(fetch_topic)),
    ROW(STRING, 11, EVER, AT(rack_id)),
};
SHAPE(fetch_request, TYPE, NULL);
#undef TYPE

#define TYPE struct of_aborted_transaction
static const struct of_field aborted_transaction_fields[] = {
    ROW(INT64, 4, EVER, AT(producer_id)),
    ROW(INT64, 4, EVER, AT(first_offset)),
};
SHAPE(aborted_transaction, TYPE, NULL);
#undef TYPE

#define TYPE struct of_epoch_end
static const struct of_field epoch_end_fields[] = {
    ROW(INT32, 12, EVER, AT(epoch)),
    ROW(INT64, 12, EVER, AT(end_offset)),
};
SHAPE(epoch_end, TYPE, NULL);
#undef TYPE

#define TYPE struct of_leader_and_epoch
static const struct of_field leader_and_epoch_fields[] = {
    ROW(INT32, 12, EVER, AT(leader_id)),
    ROW(INT32, 12, EVER, AT(leader_epoch)),
};
SHAPE(leader_and_epoch, TYPE, NULL);
#undef TYPE

#define TYPE struct of_fetched_partition
static const struct of_field fetched_partition_fields[] = {
    ROW(INT32, 0, EVER, AT(partition_index)),
    ROW(INT16, 0, EVER, AT(error_code)),
    ROW(INT64, 0, EVER, AT(high_watermark)),
    ROW(INT64, 4, EVER, AT(last_stable_offset)),
    ROW(INT64, 5, EVER, AT(log_start_offset)),
    TAGGED(0, 12, AT(diverging_epoch), OF(epoch_end)),
    TAGGED(1, 12, AT(current_leader), OF(leader_and_epoch)),
    ROW(ARRAY, 4, EVER, AT(aborted_transactions), OF(aborted_transaction), NULLABLE),
    ROW(INT32, 11, EVER, AT(preferred_read_replica)),
    ROW(BYTES, 0, EVER, AT(records), NULLABLE),
};
static const struct of_fetched_partition fetched_partition_initial = {
    .last_stable_offset = -1,
    .log_start_offset = -1,
    .diverging_epoch = { -1, -1 },
    .current_leader = { -1, -1 },
    .preferred_read_replica = -1,
};
SHAPE(fetched_partition, TYPE, &fetched_partition_initial);
#undef TYPE

#define TYPE struct of_fetched_topic
static const struct of_field fetched_topic_fields[] = {
    ROW(STRING, 0, 12, AT(topic)),
    ROW(ARRAY, 0, EVER, AT(partitions), OF(fetched_partition)),
};
SHAPE(fetched_topic, TYPE, NULL);
#undef TYPE

#define TYPE struct of_fetch_answer
static const struct of_field fetch_answer_fields[] = {
    ROW(INT32, 1, EVER, AT(throttle_time_ms)),
    ROW(INT16, 7, EVER, AT(error_code)),
    ROW(INT32, 7, EVER, AT(session_id)),
    ROW(ARRAY, 0, EVER, AT(responses), OF(fetched_topic)),
};
SHAPE(fetch_answer, TYPE, NULL);
#undef TYPE

/* ---- ListOffsets ---- */

#define TYPE struct of_list_partition
static const struct of_field list_partition_fields[] = {
    ROW(INT32, 0, EVER, AT(partition_index)),
    ROW(INT32, 4, EVER, AT(current_leader_epoch)),
    ROW(INT64, 0, EVER, AT(timestamp)),
};
SHAPE(list_partition, TYPE, NULL);
#undef TYPE

#define TYPE struct of_list_topic
static const struct of_field list_topic_fields[] = {
    ROW(STRING, 0, EVER, AT(name)),
    ROW(ARRAY, 0, EVER, AT(partitions), OF(list_partition)),
};
SHAPE(list_topic, TYPE, NULL);
#undef TYPE

#define TYPE struct of_list_request
static const struct of_field list_request_fields[] = {
    ROW(INT32, 0, EVER, AT(replica_id)),
    ROW(INT8, 2, EVER, AT(isolation_level)),
    ROW(ARRAY, 0, EVER, AT(topics), OF(list_topic)),
};
SHAPE(list_request, TYPE, NULL);
#undef TYPE

#define TYPE struct of_listed_partition
static const struct of_field listed_partition_fields[] = {
    ROW(INT32, 0, EVER, AT(partition_index)),
    ROW(INT16, 0, EVER, AT(error_code)),
    ROW(INT64, 1, EVER, AT(timestamp)),
    ROW(INT64, 1, EVER, AT(offset)),
    ROW(INT32, 4, EVER, AT(leader_epoch)),
};
static const struct of_listed_partition listed_partition_initial = { .leader_epoch = -1 };
SHAPE(listed_partition, TYPE, &listed_partition_initial);
#undef TYPE

#define TYPE struct of_listed_topic
static const struct of_field listed_topic_fields[] = {
    ROW(STRING, 0, EVER, AT(name)),
    ROW(ARRAY, 0, EVER, AT(partitions), OF(listed_partition)),
};
SHAPE(listed_topic, TYPE, NULL);
#undef TYPE

#define TYPE struct of_list_answer
static const struct of_field list_answer_fields[] = {
    ROW(INT32, 2, EVER, AT(throttle_time_ms)),
    ROW(ARRAY, 0, EVER, AT(topics), OF(listed_topic)),
};
SHAPE(list_answer, TYPE, NULL);
#undef TYPE

/* ---- OffsetForLeaderEpoch ---- */

#define TYPE struct of_epoch_partition
static const struct of_field epoch_partition_fields[] = {
    ROW(INT32, 0, EVER, AT(partition)),
    ROW(INT32, 2, EVER, AT(current_leader_epoch)),
    ROW(INT32, 0, EVER, AT(leader_epoch)),
};
SHAPE(epoch_partition, TYPE, NULL);
#undef TYPE

#define TYPE struct of_epoch_topic
static const struct of_field epoch_topic_fields[] = {
    ROW(STRING, 0, EVER, AT(topic)),
    ROW(ARRAY, 0, EVER, AT(partitions), OF(epoch_partition)),
};
SHAPE(epoch_topic, TYPE, NULL);
#undef TYPE

#define TYPE struct of_epoch_request
static const struct of_field epoch_request_fields[] = {
    ROW(INT32, 3, EVER, AT(replica_id)),
    ROW(ARRAY, 0, EVER, AT(topics), OF(epoch_topic)),
};
SHAPE(epoch_request, TYPE, NULL);
#undef TYPE

#define TYPE struct of_epoch_found
static const struct of_field epoch_found_fields[] = {
    ROW(INT16, 0, EVER, AT(error_code)),
    ROW(INT32, 0, EVER, AT(partition)),
    ROW(INT32, 1, EVER, AT(leader_epoch)),
    ROW(INT64, 0, EVER, AT(end_offset)),
};
static const struct of_epoch_found epoch_found_initial = { .leader_epoch = -1, .end_offset = -1 };
SHAPE(epoch_found, TYPE, &epoch_found_initial);
#undef TYPE

#define TYPE struct of_epoch_found_topic
static const struct of_field epoch_found_topic_fields[] = {
    ROW(STRING, 0, EVER, AT(topic)),
    ROW(ARRAY, 0, EVER, AT(partitions), OF(epoch_found)),
};
SHAPE(epoch_found_topic, TYPE, NULL);
#undef TYPE

#define TYPE struct of_epoch_answer
static const struct of_field epoch_answer_fields[] = {
    ROW(INT32, 2, EVER, AT(throttle_time_ms)),
    ROW(ARRAY, 0, EVER, AT(topics), OF(epoch_found_topic)),
};
SHAPE(epoch_answer, TYPE, NULL);
#undef TYPE

/* ---- SASL ---- */

#define TYPE struct of_sasl_handshake_request
static const struct of_field sasl_handshake_request_fields[] = {
    ROW(STRING, 0, EVER, AT(mechanism)),
};
SHAPE(sasl_handshake_request, TYPE, NULL);
#undef TYPE

#define TYPE struct of_sasl_mechanism
static const struct of_field sasl_mechanism_fields[] = {
    ROW(STRING, 0, EVER, AT(name)),
};
SHAPE(sasl_mechanism, TYPE, NULL);
#undef TYPE

#define TYPE struct of_sasl_handshake_answer
static const struct of_field sasl_handshake_answer_fields[] = {
    ROW(INT16, 0, EVER, AT(error_code)),
    ROW(ARRAY, 0, EVER, AT(mechanisms), OF(sasl_mechanism)),
};
SHAPE(sasl_handshake_answer, TYPE, NULL);
#undef TYPE

#define TYPE struct of_sasl_request
static const struct of_field sasl_request_fields[] = {
    ROW(BYTES, 0, EVER, AT(auth_bytes)),
};
SHAPE(sasl_request, TYPE, NULL);
#undef TYPE

#define TYPE struct of_sasl_answer
static const struct of_field sasl_answer_fields[] = {
    ROW(INT16, 0, EVER, AT(error_code)),
    ROW(STRING, 0, EVER, AT(error_message), NULLABLE),
    ROW(BYTES, 0, EVER, AT(auth_bytes)),
    ROW(INT64, 1, EVER, AT(session_lifetime_ms)),
};
SHAPE(sasl_answer, TYPE, NULL);
#undef TYPE

/* ---- all ---- */

/* The mechanisms of an answer to SaslHandshake are bare strings; a struct of one string before flexible versions is the
 * same bytes, and version 1 is the last. */
const struct of_message of_messages[] = {
    { "Fetch", OF_API_FETCH, 4, 12, 12, &fetch_request, &fetch_answer },
    { "ListOffsets", OF_API_LIST_OFFSETS, 1, 6, 6, &list_request, &list_answer },
    { "Metadata", OF_API_METADATA, 1, 10, 9, &metadata_request, &metadata_answer },
    { "SaslHandshake", OF_API_SASL_HANDSHAKE, 1, 1, EVER, &sasl_handshake_request, &sasl_handshake_answer },
    { "ApiVersions", OF_API_VERSIONS, 0, 3, 3, &api_versions_request, &api_versions_answer },
    { "OffsetForLeaderEpoch", OF_API_OFFSET_FOR_LEADER_EPOCH, 0, 4, 4, &epoch_request, &epoch_answer },
    { "SaslAuthenticate", OF_API_SASL_AUTHENTICATE, 0, 2, 2, &sasl_request, &sasl_answer },
};
const uint32_t of_message_count = COUNT(of_messages);
