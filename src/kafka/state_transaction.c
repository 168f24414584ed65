#include "kafka/state_transaction.h"

#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "core/memory.h"
#include "kafka/client.h"

enum { SLICE_MS = 1000, ABORT_MS = 3000, DESTROY_MS = 1000, QUEUE_PAUSE_MS = 5 };

struct of_state_transaction {
    struct of_kafka_client client;
    rd_kafka_topic_t *topic;
    bool open;
};

static int64_t
now_ms(void)
{
    return of_clock_mono_ns(of_clock_system()) / OF_MS_NS;
}

/* Takes the error. */
static enum of_status
judge(rd_kafka_error_t *error, const char *what, struct of_error *err)
{
    if (error == NULL)
        return OF_OK;
    enum of_status status = rd_kafka_error_is_fatal(error)              ? OF_FATAL
                            : rd_kafka_error_txn_requires_abort(error) ? OF_ABORT
                            : rd_kafka_error_is_retriable(error)       ? OF_RETRY
                                                                        : OF_FATAL;
    of_error_set(err, status, "cannot %s: %s", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return status;
}

enum of_status
of_state_transaction_open(const struct of_kafka_options *options, const char *transactional_id, int timeout_ms,
                          struct of_state_transaction **out, struct of_error *err)
{
    const struct of_kafka_property settings[] = {
        { "transactional.id", transactional_id },
        { "transaction.timeout.ms", "60000" },
        { "linger.ms", "5" },
        { "queue.buffering.max.messages", "200000" },
    };
    struct of_state_transaction *transaction = of_alloc(sizeof *transaction);
    enum of_status status = of_kafka_client_open(&transaction->client, RD_KAFKA_PRODUCER, options, settings,
                                                 sizeof settings / sizeof *settings, 0, err);
    if (status == OF_OK)
        transaction->topic = rd_kafka_topic_new(transaction->client.rk, options->aggregates_topic, NULL);
    int64_t deadline_ms = now_ms() + timeout_ms;
    while (status == OF_OK) {
        status = judge(rd_kafka_init_transactions(transaction->client.rk, SLICE_MS), "begin a transaction", err);
        of_kafka_client_serve(&transaction->client);
        if (status != OF_RETRY || now_ms() >= deadline_ms)
            break;
        status = OF_OK;
    }
    if (status == OF_OK)
        status = judge(rd_kafka_begin_transaction(transaction->client.rk), "begin a transaction", err);
    transaction->open = status == OF_OK;
    if (status != OF_OK)
        of_state_transaction_close(&transaction);
    *out = transaction;
    return status;
}

enum of_status
of_state_transaction_write(struct of_state_transaction *transaction, int32_t partition, struct of_slice key,
                           struct of_slice value, int timeout_ms, struct of_error *err)
{
    int64_t deadline_ms = now_ms() + timeout_ms;
    for (;;) {
        int failed = rd_kafka_produce(transaction->topic, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.data,
                                      value.length, key.data, key.length, NULL);
        rd_kafka_resp_err_t code = failed ? rd_kafka_last_error() : RD_KAFKA_RESP_ERR_NO_ERROR;
        if (!failed)
            return OF_OK;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || now_ms() >= deadline_ms) {
            char why[256];
            return of_error_set(err, OF_FATAL, "cannot write to topic %s: %s", rd_kafka_topic_name(transaction->topic),
                                of_kafka_why(&transaction->client, code, why, sizeof why));
        }
        of_kafka_client_serve(&transaction->client);
        nanosleep(&(struct timespec) { .tv_nsec = QUEUE_PAUSE_MS * OF_MS_NS }, NULL);
    }
}

static enum of_status
add_offsets(struct of_state_transaction *transaction, const char *topic, const int64_t *offsets, int32_t partitions,
            int timeout_ms, struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = offsets[p];
    rd_kafka_consumer_group_metadata_t *nobody =
        rd_kafka_consumer_group_metadata_new(transaction->client.options->group);
    int64_t deadline_ms = now_ms() + timeout_ms;
    enum of_status status;
    do
        status = judge(rd_kafka_send_offsets_to_transaction(transaction->client.rk, list, nobody, SLICE_MS),
                       "commit offsets", err);
    while (status == OF_RETRY && now_ms() < deadline_ms);
    rd_kafka_consumer_group_metadata_destroy(nobody);
    rd_kafka_topic_partition_list_destroy(list);
    return status == OF_RETRY ? (err->status = OF_ABORT) : status; /* nothing is committed yet */
}

enum of_status
of_state_transaction_commit(struct of_state_transaction *transaction, const char *topic, const int64_t *offsets,
                            int32_t partitions, int timeout_ms, struct of_error *err)
{
    enum of_status status = OF_OK;
    if (partitions > 0)
        status = add_offsets(transaction, topic, offsets, partitions, timeout_ms, err);
    if (status != OF_OK)
        return status;
    int64_t deadline_ms = now_ms() + timeout_ms;
    do {
        status = judge(rd_kafka_commit_transaction(transaction->client.rk, SLICE_MS), "commit the transaction", err);
        of_kafka_client_serve(&transaction->client);
    } while (status == OF_RETRY && now_ms() < deadline_ms);
    transaction->open = status != OF_OK;
    return status;
}

void
of_state_transaction_close(struct of_state_transaction **transaction)
{
    struct of_state_transaction *closing = *transaction;
    *transaction = NULL;
    if (closing == NULL)
        return;
    if (closing->open) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(closing->client.rk, ABORT_MS);
        if (error != NULL)
            rd_kafka_error_destroy(error); /* the broker aborts it when its time is over */
    }
    if (closing->client.rk != NULL)
        rd_kafka_purge(closing->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    if (closing->topic != NULL)
        rd_kafka_topic_destroy(closing->topic);
    of_kafka_client_close(&closing->client, DESTROY_MS);
    free(closing);
}
