/* Any bytes as an answer of a broker to any request in any version: read to the end, or refused; within the arena's
 * limit. What was read is written again as the same bytes where nothing in them may be written in another way. */
#include "core/assert.h"
#include "fuzz/fuzz.h"
#include "kafka/direct/messages.h"

enum { ANSWER_BYTES_MOST = 512, ARENA_BYTES = 1 << 20, CORRELATION = 0x01020304 };

static void
write_head(struct of_wire_writer *out, uint32_t message, int16_t version)
{
    of_wire_write_i8(out, (int8_t)message);
    of_wire_write_i8(out, (int8_t)(version - of_messages[message].lowest));
    of_wire_write_i32(out, CORRELATION);
    if (version >= of_messages[message].flexible && of_messages[message].api != OF_API_VERSIONS)
        of_wire_write_uvarint(out, 0);
}

static void
write_fetch(struct of_wire_writer *out, uint32_t message, int16_t version)
{
    struct of_aborted_transaction aborted[2] = { { 5, 6 }, { 7, 8 } };
    struct of_fetched_partition partition = {
        .partition_index = 1, .high_watermark = 9, .last_stable_offset = 8, .diverging_epoch = { 1, 2 },
        .aborted_transactions = { aborted, 2, false }, .records = of_slice_str("records"),
    };
    struct of_fetched_topic topic = { of_slice_str("orders"), { &partition, 1, false } };
    const struct of_fetch_answer answer = { .throttle_time_ms = 1, .responses = { &topic, 1, false } };
    write_head(out, message, version);
    of_message_write(out, of_messages[message].answer, version, version >= of_messages[message].flexible, &answer);
}

static void
write_metadata(struct of_wire_writer *out, uint32_t message, int16_t version)
{
    int32_t nodes[2] = { 1, 2 };
    struct of_metadata_broker broker = { 1, of_slice_str("host"), 9092, { NULL, 0 } };
    struct of_metadata_partition partition = { 0, 3, 1, 4, { nodes, 2, false }, { nodes, 1, false }, { NULL, 0, false } };
    struct of_metadata_topic topic = { .name = of_slice_str("t"), .partitions = { &partition, 1, false } };
    const struct of_metadata_answer answer = { .brokers = { &broker, 1, false }, .topics = { &topic, 1, false } };
    write_head(out, message, version);
    of_message_write(out, of_messages[message].answer, version, version >= of_messages[message].flexible, &answer);
}

static void
write_empty(struct of_wire_writer *out, uint32_t message, int16_t version)
{
    static const uint64_t zeros[64];
    struct of_sasl_answer sasl = { .auth_bytes = of_slice_str("r=x") };
    const void *answer = of_messages[message].api == OF_API_SASL_AUTHENTICATE ? (const void *)&sasl : zeros;
    write_head(out, message, version);
    of_message_write(out, of_messages[message].answer, version, version >= of_messages[message].flexible, answer);
}

size_t
of_fuzz_seed(size_t index, uint8_t *bytes, size_t size)
{
    for (uint32_t message = 0; message < of_message_count; message++)
        for (int16_t version = of_messages[message].lowest; version <= of_messages[message].highest; version++) {
            if (index-- > 0)
                continue;
            struct of_wire_writer out = { 0 };
            switch (of_messages[message].api) {
            case OF_API_FETCH: write_fetch(&out, message, version); break;
            case OF_API_METADATA: write_metadata(&out, message, version); break;
            default: write_empty(&out, message, version);
            }
            size_t length = out.length;
            OF_ASSERT(length <= size);
            memcpy(bytes, out.data, length);
            of_wire_writer_fini(&out);
            return length;
        }
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct of_message *message = &of_messages[data[0] % of_message_count];
    int16_t version = (int16_t)(message->lowest + data[1] % (message->highest - message->lowest + 1));
    _Alignas(max_align_t) uint8_t answer[ANSWER_BYTES_MOST];
    struct of_arena arena = { .limit = ARENA_BYTES };
    struct of_error err = { 0 };
    OF_ASSERT(message->answer->size <= sizeof answer);
    enum of_status status = of_message_read_answer(message, version, CORRELATION, of_slice_of(data + 2, size - 2), answer,
                                                   &arena, &err);
    OF_ASSERT(arena.used <= ARENA_BYTES);
    OF_ASSERT(status == OF_OK || (status == OF_POISON && err.text[0] != '\0'));
    if (status == OF_OK && version < message->flexible) {
        struct of_wire_writer again = { 0 };
        of_message_write(&again, message->answer, version, false, answer);
        OF_ASSERT(again.length == size - 6);
        of_wire_writer_fini(&again);
    }
    of_arena_empty(&arena);
    return 0;
}
