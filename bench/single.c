#include "single.h"

#include <stdio.h>
#include <stdlib.h>

#include "avro/framing.h"
#include "core/assert.h"
#include "core/memory.h"
#include "order/failure.h"
#include "orders.h"
#include "single_private.h"

enum { BATCH = 4096, SILENCE_MS = 60000, COMMIT_MS = 100, SEED = 1, GROUPS_MOST = 100000 };

static const char header_name[] = "retry";

/* ---- writing ---- */

/* Waits for room while there is none. */
static void
produce(struct single_job *job, const char *topic, const rd_kafka_message_t *message, const struct single_note *note)
{
    int64_t until_ms = single_now_ms() + SILENCE_MS;
    rd_kafka_resp_err_t code;
    do {
        code = rd_kafka_producev(job->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(note->partition),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                 RD_KAFKA_V_KEY(message->key, message->key_len),
                                 RD_KAFKA_V_VALUE(message->payload, message->len),
                                 RD_KAFKA_V_HEADER(header_name, note, sizeof *note),
                                 RD_KAFKA_V_OPAQUE((void *)(uintptr_t)job->generation), RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(job->producer, 10);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && single_now_ms() < until_ms);
    job->failed = job->failed || code != RD_KAFKA_RESP_ERR_NO_ERROR;
    job->outstanding[job->generation] += code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void
fail(struct single_job *job, const rd_kafka_message_t *message, struct single_note *note)
{
    if (note->attempts > job->single->max_retries) {
        produce(job, job->single->dlq_topic, message, note);
        job->result->dead++;
        return;
    }
    note->due_ms = of_clock_wall_ms(of_clock_system()) + job->single->delay_ms;
    produce(job, job->single->retry_topic, message, note);
    job->result->retries++;
}

/* ---- orders ---- */

static void
process(struct single_job *job, const rd_kafka_message_t *message, struct single_note *note)
{
    struct of_decoded order;
    uint32_t id;
    size_t body_at;
    struct of_slice value = of_slice_of(message->payload, message->len);
    if (!of_framing_parse(value, &id, &body_at) ||
        of_plan_decode(job->plan, of_slice_of(value.data + body_at, value.length - body_at), &order) != OF_DECODE_OK) {
        job->failed = true;
        return;
    }
    note->attempts++;
    if (of_failure_at(job->prefixes[note->partition], note->offset, note->attempts, job->single->failing)) {
        fail(job, message, note);
        return;
    }
    uint32_t group = of_groups_intern(job->groups, order.group);
    job->sums[group] += order.value;
    job->counts[group]++;
    job->result->processed++;
}

static void
done_with(struct single_job *job, int topic, rd_kafka_message_t *message)
{
    job->next[topic][message->partition] = message->offset + 1;
    rd_kafka_message_destroy(message);
}

static ssize_t
take_orders(struct single_job *job, int wait_ms)
{
    static rd_kafka_message_t *messages[BATCH];
    size_t most = wait_ms > 0 ? 1 : BATCH;
    ssize_t count = rd_kafka_consume_batch_queue(job->queues[SINGLE_ORDERS], wait_ms, messages, most);
    for (ssize_t i = 0; i < count; i++) {
        struct single_note note = { .offset = messages[i]->offset, .partition = messages[i]->partition };
        if (messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_message_destroy(messages[i]);
            continue;
        }
        process(job, messages[i], &note);
        done_with(job, SINGLE_ORDERS, messages[i]);
    }
    return count;
}

static bool
read_note(const rd_kafka_message_t *message, struct single_note *note)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t length;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, header_name, &value, &length) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        length != sizeof *note)
        return false;
    memcpy(note, value, sizeof *note);
    return true;
}

/* All of them wait equally long, so their order is that in which they are due. Returns how long the next one still
 * has to wait; -1: there is none. */
static int64_t
take_retries(struct single_job *job)
{
    for (;;) {
        if (job->waiting == NULL &&
            rd_kafka_consume_batch_queue(job->queues[SINGLE_RETRIES], 0, &job->waiting, 1) != 1) {
            job->waiting = NULL;
            return -1;
        }
        if (!read_note(job->waiting, &job->waiting_note)) {
            rd_kafka_message_destroy(job->waiting);
            job->waiting = NULL;
            continue;
        }
        int64_t left_ms = job->waiting_note.due_ms - of_clock_wall_ms(of_clock_system());
        if (left_ms > 0)
            return left_ms;
        process(job, job->waiting, &job->waiting_note);
        done_with(job, SINGLE_RETRIES, job->waiting);
        job->waiting = NULL;
    }
}

/* ---- commits ---- */

static void
list_offsets(struct single_job *job)
{
    const char *const names[] = { job->single->loop.topic, job->single->retry_topic };
    job->committing = rd_kafka_topic_partition_list_new(2 * job->partitions);
    for (int topic = SINGLE_ORDERS; topic <= SINGLE_RETRIES; topic++)
        for (int32_t p = 0; p < job->partitions; p++)
            if (job->next[topic][p] >= 0)
                rd_kafka_topic_partition_list_add(job->committing, names[topic], p)->offset = job->next[topic][p];
}

static void
commit(struct single_job *job, bool wait)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (job->committing->cnt > 0)
        code = rd_kafka_commit(job->consumer, job->committing, !wait);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "single: commit: %s\n", rd_kafka_err2str(code));
        job->failed = true;
    }
    rd_kafka_topic_partition_list_destroy(job->committing);
    job->committing = NULL;
}

/* Offsets are noted every COMMIT_MS and committed once everything that came of what is before them is acknowledged;
 * meanwhile the work goes on. */
static void
commit_turn(struct single_job *job)
{
    if (job->committing != NULL && job->outstanding[!job->generation] == 0)
        commit(job, false);
    int64_t time_ms = single_now_ms();
    if (job->committing != NULL || time_ms < job->next_commit_ms)
        return;
    job->next_commit_ms = time_ms + COMMIT_MS;
    list_offsets(job);
    job->generation = !job->generation;
}

static void
commit_all(struct single_job *job)
{
    if (rd_kafka_flush(job->producer, SILENCE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "single: records are not acknowledged\n");
        job->failed = true;
    }
    if (job->committing != NULL)
        commit(job, true);
    list_offsets(job);
    commit(job, true);
}

/* ---- all of it ---- */

static int
shorter(int64_t left_ms)
{
    enum { LONGEST_MS = 5 };
    return left_ms < 0 || left_ms > LONGEST_MS ? LONGEST_MS : (int)left_ms;
}

static void
drain(struct single_job *job)
{
    const struct single_result *result = job->result;
    int64_t silent_ms = single_now_ms();
    while (!job->failed && result->processed + result->dead < (uint64_t)job->single->orders) {
        uint64_t before = result->processed + result->dead;
        ssize_t count = take_orders(job, 0);
        int64_t left_ms = take_retries(job);
        if (count == 0 && before == result->processed + result->dead)
            count = take_orders(job, shorter(left_ms));
        rd_kafka_poll(job->producer, 0);
        commit_turn(job);
        if (before != result->processed + result->dead)
            silent_ms = single_now_ms();
        if (single_now_ms() - silent_ms > SILENCE_MS) {
            fprintf(stderr, "single: nothing came for %d ms\n", SILENCE_MS);
            job->failed = true;
        }
    }
}

static void
prepare(struct single_job *job)
{
    static const struct of_plan_fields wanted = { .value = "price", .group_by = "product", .id = "orderId" };
    OF_ASSERT(of_plan_compile(of_slice_str(bench_order_schema), &wanted, 1 << 20, &job->plan, NULL) == OF_OK);
    job->groups = of_groups_create(GROUPS_MOST);
    job->sums = of_alloc_array(GROUPS_MOST + 1, sizeof *job->sums);
    job->counts = of_alloc_array(GROUPS_MOST + 1, sizeof *job->counts);
    job->prefixes = of_alloc_array((size_t)job->partitions, sizeof *job->prefixes);
    uint64_t topic_hash = of_fnv1a64(of_slice_str(job->single->loop.topic));
    for (int32_t p = 0; p < job->partitions; p++)
        job->prefixes[p] = of_failure_prefix(SEED, topic_hash, p);
}

static void
release(struct single_job *job)
{
    if (job->waiting != NULL)
        rd_kafka_message_destroy(job->waiting);
    rd_kafka_assign(job->consumer, NULL);
    for (int topic = SINGLE_ORDERS; topic <= SINGLE_RETRIES; topic++) {
        rd_kafka_queue_destroy(job->queues[topic]);
        free(job->next[topic]);
    }
    of_plan_destroy(&job->plan);
    of_groups_destroy(&job->groups);
    free(job->sums);
    free(job->counts);
    free(job->prefixes);
}

static bool
work(struct single_job *job)
{
    job->partitions = single_partitions_of(job->consumer, job->single->loop.topic);
    if (job->partitions == 0 || !single_make_topics(job)) {
        fprintf(stderr, "single: its topics are not there\n");
        return false;
    }
    prepare(job);
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    single_assign(job);
    drain(job);
    if (!job->failed)
        commit_all(job);
    job->result->seconds = (double)(of_clock_mono_ns(of_clock_system()) - began_ns) / 1e9;
    for (uint32_t i = 0; i < of_groups_count(job->groups); i++)
        job->result->sum += job->sums[i];
    release(job);
    return !job->failed;
}

int
single_run(const struct single *single, struct single_result *result)
{
    struct single_job job = { .single = single, .result = result };
    *result = (struct single_result) { 0 };
    job.consumer = single_open_client(&job, RD_KAFKA_CONSUMER);
    job.producer = job.consumer != NULL ? single_open_client(&job, RD_KAFKA_PRODUCER) : NULL;
    bool done = job.producer != NULL && work(&job);
    if (job.producer != NULL)
        rd_kafka_destroy(job.producer);
    if (job.consumer != NULL)
        rd_kafka_destroy(job.consumer);
    return done ? 0 : 1;
}
