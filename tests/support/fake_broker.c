#include "support/fake_broker.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/memory.h"
#include "kafka/direct/record_batch.h"

enum { NODE = 1, OUT_OF_RANGE = 1, FIRST_OFFSET = -2, REQUEST_BYTES = 1 << 16, ARENA_BYTES = 1 << 20 };

void
fake_broker_open(struct fake_broker *broker, const char *topic)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    *broker = (struct fake_broker) { .topic = topic, .epoch_end = INT64_MAX };
    for (int i = 0; i < FAKE_CONNECTIONS; i++)
        broker->connections[i] = -1;
    broker->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    OF_ASSERT(bind(broker->listener, (struct sockaddr *)&address, sizeof address) == 0);
    OF_ASSERT(listen(broker->listener, 16) == 0);
    OF_ASSERT(getsockname(broker->listener, (struct sockaddr *)&address, &size) == 0);
    broker->port = ntohs(address.sin_port);
}

void
fake_broker_close(struct fake_broker *broker)
{
    for (int i = 0; i < FAKE_CONNECTIONS; i++)
        if (broker->connections[i] >= 0)
            close(broker->connections[i]);
    close(broker->listener);
    of_wire_writer_fini(&broker->log);
}

/* ---- answers ---- */

static struct of_array
one(void *item)
{
    return (struct of_array) { .items = item, .count = 1 };
}

static void
answer_versions(const struct fake_broker *broker, struct of_wire_writer *out, const struct of_message *message,
                int16_t version)
{
    struct of_api_version *versions = of_alloc_array(of_message_count, sizeof *versions);
    uint32_t count = 0;
    for (uint32_t i = 0; i < of_message_count; i++) {
        bool old = broker->old_highest != 0 && of_messages[i].api == broker->old_api;
        if (old && broker->old_highest < 0)
            continue;
        versions[count++] = (struct of_api_version) {
            (int16_t)of_messages[i].api, old ? 0 : of_messages[i].lowest,
            old ? broker->old_highest : of_messages[i].highest,
        };
    }
    const struct of_api_versions_answer answer = { .api_keys = { versions, count, false } };
    of_message_write(out, message->answer, version, version >= message->flexible, &answer);
    free(versions);
}

static void
answer_metadata(struct fake_broker *broker, struct of_wire_writer *out, const struct of_message *message,
                int16_t version)
{
    struct of_metadata_broker node = { NODE, of_slice_str("127.0.0.1"), broker->port, { NULL, 0 } };
    struct of_metadata_partition partitions[FAKE_PARTITIONS];
    uint32_t count = broker->partitions > 0 ? (uint32_t)broker->partitions : 1;
    for (uint32_t i = 0; i < count; i++)
        partitions[i] = (struct of_metadata_partition) {
            .partition_index = (int32_t)i, .leader_id = NODE, .leader_epoch = broker->leader_epoch,
        };
    struct of_metadata_topic topic = {
        .name = of_slice_str(broker->topic),
        .id = { 1, broker->topic_id },
        .partitions = { partitions, count, false },
    };
    const struct of_metadata_answer answer = { .brokers = one(&node), .topics = one(&topic) };
    of_message_write(out, message->answer, version, version >= message->flexible, &answer);
    broker->looks++;
}

/* From the batch that holds the offset on. */
static struct of_slice
log_from(const struct fake_broker *broker, int64_t offset)
{
    struct of_record_batch batch;
    struct of_slice left = of_slice_of(broker->log.data, broker->log.length);
    while (left.length > 0 && of_record_batch_look(left, &batch) == OF_BATCH_WHOLE && batch.last_offset < offset)
        left = of_slice_of(left.data + batch.bytes.length, left.length - batch.bytes.length);
    return left.length > 0 ? left : of_slice_of("", 0);
}

static void
answer_fetch(struct fake_broker *broker, const struct of_fetch_request *request, struct of_wire_writer *out,
             const struct of_message *message, int16_t version)
{
    const struct of_fetch_topic *asked_topic = request->topics.items;
    const struct of_fetch_partition *asked = asked_topic->partitions.items;
    broker->asked_offset = asked->fetch_offset;
    broker->asked_epoch = asked->current_leader_epoch;
    broker->asked_wait_ms = request->max_wait_ms;
    broker->asked_partitions = asked_topic->partitions.count;
    bool outside = asked->fetch_offset < broker->low || asked->fetch_offset > broker->high_watermark;
    int16_t error = broker->fetch_error != 0 ? broker->fetch_error : outside ? OUT_OF_RANGE : 0;
    struct of_fetched_partition partition = {
        .partition_index = broker->partitions > 0 ? asked->partition : broker->named_partition,
        .error_code = error,
        .high_watermark = broker->high_watermark,
        .last_stable_offset = broker->high_watermark,
        .diverging_epoch = { -1, -1 },
        .current_leader = { -1, -1 },
        .preferred_read_replica = -1,
        .aborted_transactions = broker->aborted,
        .records = error == 0 ? log_from(broker, asked->fetch_offset) : of_slice_of("", 0),
    };
    struct of_fetched_topic topic = { of_slice_str(broker->topic), one(&partition) };
    const struct of_fetch_answer answer = { .throttle_time_ms = broker->throttle_ms, .responses = one(&topic) };
    of_message_write(out, message->answer, version, version >= message->flexible, &answer);
    broker->fetch_error = 0;
    broker->throttle_ms = 0;
}

static void
answer_epochs(struct fake_broker *broker, const struct of_epoch_request *request, struct of_wire_writer *out,
              const struct of_message *message, int16_t version)
{
    const struct of_epoch_topic *asked_topic = request->topics.items;
    const struct of_epoch_partition *asked = asked_topic->partitions.items;
    broker->checked_epoch = asked->leader_epoch;
    struct of_epoch_found found = { .leader_epoch = broker->leader_epoch, .end_offset = broker->epoch_end };
    struct of_epoch_found_topic topic = { of_slice_str(broker->topic), one(&found) };
    const struct of_epoch_answer answer = { .topics = one(&topic) };
    of_message_write(out, message->answer, version, version >= message->flexible, &answer);
    broker->checks++;
}

static void
answer_list(struct fake_broker *broker, const struct of_list_request *request, struct of_wire_writer *out,
            const struct of_message *message, int16_t version)
{
    const struct of_list_topic *asked_topic = request->topics.items;
    const struct of_list_partition *asked = asked_topic->partitions.items;
    struct of_listed_partition listed = {
        .offset = asked->timestamp == FIRST_OFFSET ? broker->low : broker->high_watermark,
    };
    struct of_listed_topic topic = { of_slice_str(broker->topic), one(&listed) };
    const struct of_list_answer answer = { .topics = one(&topic) };
    of_message_write(out, message->answer, version, version >= message->flexible, &answer);
    broker->lists++;
}

/* ---- requests ---- */

static void
answer(struct fake_broker *broker, int connection, struct of_slice bytes)
{
    _Alignas(max_align_t) uint8_t request[256];
    struct of_arena arena = { .limit = ARENA_BYTES };
    struct of_wire_reader reader = of_wire_read(bytes);
    struct of_wire_writer out = { 0 };
    const struct of_message *message = of_message_find((enum of_api)of_wire_i16(&reader));
    int16_t version = of_wire_i16(&reader);
    int32_t correlation = of_wire_i32(&reader);
    bool flexible = version >= message->flexible;
    of_wire_take(&reader, (size_t)of_wire_i16(&reader));
    if (flexible)
        of_wire_take(&reader, 1);
    OF_ASSERT(message->request->size <= sizeof request);
    of_message_read(&reader, message->request, version, flexible, request, &arena);
    OF_ASSERT(!reader.bad && of_wire_left(&reader) == 0);
    of_wire_write_i32(&out, 0);
    of_wire_write_i32(&out, correlation);
    if (flexible && message->api != OF_API_VERSIONS)
        of_wire_write_uvarint(&out, 0);
    switch (message->api) {
    case OF_API_VERSIONS: answer_versions(broker, &out, message, version); break;
    case OF_API_METADATA: answer_metadata(broker, &out, message, version); break;
    case OF_API_FETCH: answer_fetch(broker, (void *)request, &out, message, version); broker->fetches++; break;
    case OF_API_OFFSET_FOR_LEADER_EPOCH: answer_epochs(broker, (void *)request, &out, message, version); break;
    case OF_API_LIST_OFFSETS: answer_list(broker, (void *)request, &out, message, version); break;
    default: OF_ASSERT(!"not asked by a reader");
    }
    of_big_endian_put_u32(out.data, (uint32_t)out.length - 4);
    if (message->api != OF_API_FETCH || !broker->silent)
        OF_ASSERT(send(connection, out.data, out.length, MSG_NOSIGNAL) == (ssize_t)out.length || out.length > 0);
    of_wire_writer_fini(&out);
    of_arena_empty(&arena);
}

/* Requests are small and come whole. False: the connection has ended. */
static bool
serve_connection(struct fake_broker *broker, int connection)
{
    static uint8_t bytes[REQUEST_BYTES];
    ssize_t length = recv(connection, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length == 0)
        return false;
    for (size_t at = 0; length > 0 && at + 4 <= (size_t)length;) {
        uint32_t size = of_big_endian_u32(bytes + at);
        OF_ASSERT(at + 4 + size <= (size_t)length);
        answer(broker, connection, of_slice_of(bytes + at + 4, size));
        at += 4 + size;
    }
    return true;
}

void
fake_broker_serve(struct fake_broker *broker)
{
    int fd = accept(broker->listener, NULL, NULL);
    for (int i = 0; i < FAKE_CONNECTIONS; i++) {
        if (broker->connections[i] < 0 && fd >= 0) {
            broker->connections[i] = fd;
            fd = -1;
        }
        if (broker->connections[i] >= 0 && !serve_connection(broker, broker->connections[i])) {
            close(broker->connections[i]);
            broker->connections[i] = -1;
        }
    }
    OF_ASSERT(fd < 0);
}
