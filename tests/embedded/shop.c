#include "embedded/shop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#include "registry/mock.h"

enum { ASK_MS = 2000, READ_MS = 15000 };

static rd_kafka_t *
open_handle(struct shop *shop, rd_kafka_type_t type, const char *const (*properties)[2], size_t count)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", shop->fixture.options.brokers, why, sizeof why);
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], why, sizeof why) != RD_KAFKA_CONF_OK)
            fail_msg("%s", why);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (rk == NULL)
        fail_msg("%s", why);
    return rk;
}

void
shop_open(struct shop *shop)
{
    static int number;
    memset(shop, 0, sizeof *shop);
    fixture_open(&shop->fixture);
    shop->groups = of_groups_create(1000);
    snprintf(shop->registry, sizeof shop->registry, "shop-%d", number++);
    shop->schema_id = of_registry_mock_register(shop->registry, orders_schema);
    assert_int_not_equal(shop->schema_id, 0);
    static const char *const writer[][2] = { { "linger.ms", "2" }, { "batch.num.messages", "500" } };
    const char *const asker[][2] = { { "group.id", shop->fixture.options.group } };
    shop->writer = open_handle(shop, RD_KAFKA_PRODUCER, writer, 2);
    shop->asker = open_handle(shop, RD_KAFKA_CONSUMER, asker, 1);
}

void
shop_close(struct shop *shop)
{
    rd_kafka_destroy(shop->writer);
    rd_kafka_destroy(shop->asker);
    fixture_close(&shop->fixture);
    of_groups_destroy(&shop->groups);
}

/* ---- writing ---- */

void
shop_write(struct shop *shop, int32_t partition, struct of_slice key, struct of_slice value)
{
    rd_kafka_resp_err_t code = rd_kafka_producev(
        shop->writer, RD_KAFKA_V_TOPIC(shop->fixture.options.orders_topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY((void *)(uintptr_t)key.data, key.length),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.length), RD_KAFKA_V_END);
    assert_int_equal(code, RD_KAFKA_RESP_ERR_NO_ERROR);
}

void
shop_flush(struct shop *shop)
{
    assert_int_equal(rd_kafka_flush(shop->writer, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

void
shop_write_orders(struct shop *shop, int first, int count)
{
    for (int number = first; number < first + count; number++) {
        char id[16];
        uint8_t value[ORDERS_VALUE_BYTES];
        size_t length = orders_encode_number(shop->schema_id, number, id, value);
        shop_write(shop, number % FIXTURE_PARTITIONS, of_slice_str(id), of_slice_of(value, length));
        if (number % 10000 == 9999)
            shop_flush(shop);
    }
    shop_flush(shop);
}

/* ---- how far ---- */

static int64_t
end_of(struct shop *shop, const char *topic, int32_t partition)
{
    int64_t low, high;
    return rd_kafka_query_watermark_offsets(shop->asker, topic, partition, &low, &high, ASK_MS)
                   == RD_KAFKA_RESP_ERR_NO_ERROR
               ? high
               : -1;
}

int64_t
shop_count(struct shop *shop, const char *topic)
{
    int64_t count = 0;
    for (int32_t p = 0; p < FIXTURE_PARTITIONS; p++) {
        int64_t end = end_of(shop, topic, p);
        if (end < 0)
            return -1;
        count += end;
    }
    return count;
}

static int64_t
lag_of(struct shop *shop, rd_kafka_topic_partition_list_t *list)
{
    if (rd_kafka_committed(shop->asker, list, ASK_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return -1;
    int64_t lag = 0;
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *each = &list->elems[i];
        int64_t end = end_of(shop, each->topic, each->partition);
        if (each->err != RD_KAFKA_RESP_ERR_NO_ERROR || end < 0)
            return -1;
        lag += end - (each->offset > 0 ? each->offset : 0);
    }
    return lag;
}

int64_t
shop_lag(struct shop *shop)
{
    const struct of_kafka_options *options = &shop->fixture.options;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(2 * FIXTURE_PARTITIONS);
    rd_kafka_topic_partition_list_add_range(list, options->orders_topic, 0, FIXTURE_PARTITIONS - 1);
    rd_kafka_topic_partition_list_add_range(list, options->retry_topic, 0, FIXTURE_PARTITIONS - 1);
    int64_t lag = lag_of(shop, list);
    rd_kafka_topic_partition_list_destroy(list);
    return lag;
}

void
shop_wait_for_end(struct shop *shop, int limit_ms)
{
    int64_t until_ms = test_now_ms() + limit_ms, lag;
    while ((lag = shop_lag(shop)) != 0) {
        if (test_now_ms() >= until_ms)
            fail_msg("a lag of %d after %d ms", (int)lag, limit_ms);
        usleep(20000);
    }
}

/* ---- what a topic holds ---- */

void
letters_open(struct letters *letters, struct shop *shop, const char *topic)
{
    static const char *const reader[][2] = {
        { "group.id", "letters" }, { "enable.partition.eof", "true" }, { "fetch.wait.max.ms", "10" },
    };
    letters->count = 0;
    letters->reader = open_handle(shop, RD_KAFKA_CONSUMER, reader, 3);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(FIXTURE_PARTITIONS);
    rd_kafka_topic_partition_list_add_range(list, topic, 0, FIXTURE_PARTITIONS - 1);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = 0;
    assert_int_equal(rd_kafka_assign(letters->reader, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    int64_t until_ms = test_now_ms() + READ_MS;
    for (int ends = 0; ends < FIXTURE_PARTITIONS;) {
        assert_true(test_now_ms() < until_ms);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(letters->reader, 100);
        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            assert_true(letters->count < LETTERS_MOST);
            letters->messages[letters->count++] = message;
            continue;
        }
        if (message != NULL) {
            ends += message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            rd_kafka_message_destroy(message);
        }
    }
}

void
letters_close(struct letters *letters)
{
    for (size_t i = 0; i < letters->count; i++)
        rd_kafka_message_destroy(letters->messages[i]);
    rd_kafka_assign(letters->reader, NULL);
    rd_kafka_destroy(letters->reader);
}

static const rd_kafka_message_t *
message_of(const struct letters *letters, size_t index)
{
    assert_true(index < letters->count);
    return letters->messages[index];
}

int32_t
letters_partition(const struct letters *letters, size_t index)
{
    return message_of(letters, index)->partition;
}

int64_t
letters_timestamp_ms(const struct letters *letters, size_t index)
{
    rd_kafka_timestamp_type_t type;
    return rd_kafka_message_timestamp(message_of(letters, index), &type);
}

struct of_slice
letters_key(const struct letters *letters, size_t index)
{
    const rd_kafka_message_t *message = message_of(letters, index);
    return of_slice_of(message->key, message->key_len);
}

struct of_slice
letters_value(const struct letters *letters, size_t index)
{
    const rd_kafka_message_t *message = message_of(letters, index);
    return of_slice_of(message->payload, message->len);
}

struct of_slice
letters_header(const struct letters *letters, size_t index, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *data;
    size_t length;
    if (rd_kafka_message_headers(message_of(letters, index), &headers) != RD_KAFKA_RESP_ERR_NO_ERROR
        || rd_kafka_header_get_last(headers, name, &data, &length) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_slice_of(NULL, 0);
    return of_slice_of(data, length);
}

int64_t
letters_number(const struct letters *letters, size_t index, const char *name)
{
    char text[32] = "";
    struct of_slice value = letters_header(letters, index, name);
    assert_non_null(value.data);
    assert_true(value.length > 0 && value.length < sizeof text);
    memcpy(text, value.data, value.length);
    return strtoll(text, NULL, 10);
}
