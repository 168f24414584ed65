/* States of the transaction, and what a crash (of this process, at that point) leaves at the broker:
 *
 *   state        moved by                           a crash leaves
 *   IDLE         -> OPEN: produce, even if it fails  nothing
 *                -> COMMITTING: commit (offsets)
 *   OPEN         -> COMMITTING: commit               an open transaction, which hides what was written and holds readers of
 *                -> ABORTING: abort                  committed records back: the next process with this transactional.id
 *                                                    aborts it when it starts; otherwise the broker, after
 *                                                    transaction.timeout.ms
 *   COMMITTING   -> IDLE: committed, or refused       the same before EndTxn was sent; afterwards the coordinator commits,
 *                   and then aborted                 whoever asks
 *                -> REPLACING: fatal, or no answer
 *   ABORTING     -> IDLE                             the same as OPEN
 *                -> REPLACING: fatal, or no answer
 *   REPLACING    a new handle takes over the          the same as OPEN; or committed
 *                identity -> IDLE
 *                -> FAILED: too often, or fenced
 *
 * Errors by what they ask for, as librdkafka classes them: retriable (the same call again, after a pause), abortable (abort;
 * what is in flight is lost), fatal (this handle is finished). A commit whose end is not known, because it was fatal or had
 * no answer in time, is told as OF_RETRY: it may have taken effect.
 *
 * A topic that must not be written to costs the whole transaction, without a word about its records, and the handle, as there
 * is nothing that the broker could abort. Which topic it was is found out with transactions of one record each, which are
 * aborted. It is then refused at once for a while, so that only those suffer who need it, and tried again. A topic that is
 * gone makes the transaction time out; that is looked up, and from then on the same.
 *
 * Whoever turns publish owns the handle in IDLE and OPEN, the worker in all other states. librdkafka's calls do not return before
 * all events are taken from the handle's queue, log lines included: while the worker commits or aborts, whoever turns publish
 * does that; with a new handle the worker does it itself, between slices of a call. */
#include "kafka/sink_transactional.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/crash_point.h"
#include "core/memory.h"
#include "kafka/offsets.h"
#include "kafka/producer.h"

enum {
    SLICE_MS = 1000,        /* one call of librdkafka */
    LONE_SLICE_MS = 20,     /* the same where nobody else takes events */
    PAUSE_MS = 50,          /* before a retriable call is made again */
    TURN_MS = 2,            /* between flushes, */
    TURNS_MS = 1000,        /* for so long, */
    MANY_RECORDS = 1000,    /* while more wait or are on their way */
    END_MS = 30000,         /* for ending a transaction, all calls together */
    TAKE_OVER_MS = 30000,   /* for taking over the identity */
    SPARE_MS = 15000, /* that the broker waits longer than a transaction may be open */
    /* A dead process holds up the next owner of its partitions, if that has another identity, until its transaction times
     * out, which the broker looks for every 10 s: together no longer than a session. */
    LEAST_TIMEOUT_MS = OF_TRANSACTION_MS + SPARE_MS,
    REPLACED_MOST = 3,      /* in so long: */
    REPLACED_WINDOW_S = 300,
    FENCED_MS = 2000, /* a fenced handle is not replaced before: more than a heartbeat of the group's member */
    CLOSE_MS = 2000,
    PROBE_MS = 3000,
    FIRST_REFUSAL_MS = 1000, /* for how long a topic is not tried again; doubles */
    LAST_REFUSAL_MS = 16000,
};

enum state { IDLE, OPEN, COMMITTING, ABORTING, REPLACING, FAILED };

/* What is known of one of the topics. */
struct topic {
    bool used; /* by the present transaction */
    int64_t refused_until_ns, refusal_ms;
    rd_kafka_resp_err_t why;
};

struct sink {
    const struct of_kafka_options *options;
    struct topic topics[OF_DESTINATIONS]; /* the handle's owner's */
    struct of_producer producer;
    char timeout_ms[24];
    int wake_fd;
    enum state state; /* publish's */

    /* the worker's order and its answer, under the lock */
    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum state order; /* COMMITTING, ABORTING or REPLACING; IDLE: none */
    bool done;        /* the answer below is there */
    bool stop, stopped;
    enum of_status status;
    bool alone; /* the worker has the handle to itself */
    bool taken_over; /* the handle has the identity */
    bool started;    /* it had it once, and how many partitions the topics have is known */
    bool fenced, finished; /* finished: the handle is */
    bool denied;           /* a topic must not be written to: the next handle has to find out which */
    bool maybe_missing;    /* a topic may be gone: it has to be looked up which */
    struct of_error err;

    rd_kafka_topic_partition_list_t *offsets;
    const rd_kafka_consumer_group_metadata_t *membership; /* borrowed until the end is told */
    int64_t replaced_ns[REPLACED_MOST];
    enum of_status verdict; /* what REPLACING will be told as */
    struct of_error verdict_err;
};

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

/* Who is asked to end goes on to end its transactions, but does not wait to begin. */
static bool
stopping(struct sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    bool stop = sink->stop;
    pthread_mutex_unlock(&sink->lock);
    return stop || (!sink->started && sink->options->interrupted != NULL && sink->options->interrupted());
}

/* ---- calls, classed ---- */

static void
note_failure(struct sink *sink, rd_kafka_resp_err_t code)
{
    sink->denied |= code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    sink->maybe_missing |= code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/* What an error of a transactional call asks for; the error is destroyed. */
static enum of_status
judge(struct sink *sink, rd_kafka_error_t *error, const char *what)
{
    if (error == NULL)
        return OF_OK;
    enum of_status status = rd_kafka_error_is_fatal(error)             ? OF_FATAL
                            : rd_kafka_error_txn_requires_abort(error) ? OF_ABORT
                            : rd_kafka_error_is_retriable(error)       ? OF_AGAIN
                                                                       : OF_ABORT;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    note_failure(sink, code);
    sink->maybe_missing |= code == RD_KAFKA_RESP_ERR__TIMED_OUT && status != OF_AGAIN;
    if (status == OF_FATAL) {
        sink->fenced = code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED
                       || code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
        sink->finished = true;
    }
    of_error_set(&sink->err, status, "cannot %s: %s", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return status;
}

static int
slice_ms(struct sink *sink)
{
    if (!sink->alone)
        return SLICE_MS;
    of_kafka_client_serve(&sink->producer.client);
    return LONE_SLICE_MS;
}

/* Makes the call until it is no longer retriable. OF_AGAIN: time is up. */
#define REPEAT(sink, status, until_ns, what, call)                                                                      \
    do {                                                                                                                \
        while (((status) = judge((sink), (call), (what))) == OF_AGAIN && now_ns() < (until_ns) && !stopping(sink))        \
            nanosleep(&(struct timespec) { .tv_nsec = PAUSE_MS * OF_MS_NS }, NULL);                                     \
    } while (0)

/* Why the transaction can only be aborted: what a call says that must not be made now; _STATE while nothing is wrong. */
static rd_kafka_resp_err_t
failure_of(rd_kafka_t *rk)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(rk);
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

static enum of_status
abort_transaction(struct sink *sink, int64_t until_ns)
{
    enum of_status status;
    struct of_error why = sink->err;
    REPEAT(sink, status, until_ns, "abort the transaction",
           rd_kafka_abort_transaction(sink->producer.client.rk, slice_ms(sink)));
    if (status == OF_OK)
        sink->err = why;
    else
        sink->finished = true; /* only a new handle can tell where it stands */
    return OF_ABORT;
}

/* Nudges librdkafka to send what does not wait for something sent before it. What that misses, the commit flushes. */
static void
send_what_can_go(rd_kafka_t *rk)
{
    rd_kafka_flush(rk, 1);
}

/* While it flushes, librdkafka 2.0.2 spins as long as a partition has a batch on its way and another one that waits for
 * it. Where there is much to be sent it is given moments to flush in. */
static void
send_in_turns(struct sink *sink)
{
    rd_kafka_t *rk = sink->producer.client.rk;
    int64_t until_ns = now_ns() + TURNS_MS * OF_MS_NS;
    while (rd_kafka_outq_len(rk) > MANY_RECORDS && failure_of(rk) == RD_KAFKA_RESP_ERR__STATE && now_ns() < until_ns
           && !stopping(sink)) {
        nanosleep(&(struct timespec) { .tv_nsec = TURN_MS * OF_MS_NS }, NULL);
        send_what_can_go(rk);
    }
}

static enum of_status
commit_transaction(struct sink *sink)
{
    enum of_status status = OF_OK;
    rd_kafka_t *rk = sink->producer.client.rk;
    int64_t until_ns = now_ns() + END_MS * OF_MS_NS;
    of_main_thread_lower(&sink->producer.client.main_thread); /* by now it has made threads for coordinator and brokers */
    send_what_can_go(rk); /* beside the offsets */
    OF_CRASH_POINT("offsets-before");
    if (sink->offsets->cnt > 0)
        REPEAT(sink, status, until_ns, "send the offsets",
               rd_kafka_send_offsets_to_transaction(rk, sink->offsets, sink->membership, SLICE_MS));
    if (status == OF_AGAIN || status == OF_ABORT) {
        note_failure(sink, failure_of(rk)); /* the call's own error may hide it */
        return abort_transaction(sink, until_ns);
    }
    if (status == OF_FATAL)
        return OF_ABORT; /* nothing was told to be committed */
    send_in_turns(sink);
    OF_CRASH_POINT("commit-before");
    REPEAT(sink, status, until_ns, "commit the transaction", rd_kafka_commit_transaction(rk, SLICE_MS));
    if (status == OF_OK)
        return OF_OK;
    if (status == OF_ABORT)
        return abort_transaction(sink, now_ns() + END_MS * OF_MS_NS);
    sink->finished = true;
    return OF_RETRY; /* fatal, or no answer: it may be committed */
}

/* ---- topics that must not be written to ---- */

/* With a handle that has nothing under way. What it reports of the record concerns nobody. */
static bool
is_denied(struct sink *sink, enum of_destination destination)
{
    rd_kafka_t *rk = sink->producer.client.rk;
    const struct of_outgoing nothing = { .destination = destination };
    struct of_error err;
    rd_kafka_error_destroy(rd_kafka_begin_transaction(rk));
    bool denied = false, sent = of_producer_produce(&sink->producer, &nothing, 0, &err) == OF_OK;
    int64_t until_ns = now_ns() + PROBE_MS * OF_MS_NS;
    while (sent && !denied && rd_kafka_flush(rk, slice_ms(sink)) != RD_KAFKA_RESP_ERR_NO_ERROR && now_ns() < until_ns)
        denied = failure_of(rk) == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    if (!denied)
        abort_transaction(sink, now_ns() + END_MS * OF_MS_NS);
    return denied;
}

static void
refuse_topic(struct topic *topic, rd_kafka_resp_err_t why)
{
    topic->why = why;
    topic->refusal_ms = topic->refusal_ms == 0 ? FIRST_REFUSAL_MS : 2 * topic->refusal_ms;
    if (topic->refusal_ms > LAST_REFUSAL_MS)
        topic->refusal_ms = LAST_REFUSAL_MS;
    topic->refused_until_ns = now_ns() + topic->refusal_ms * OF_MS_NS;
}

static void
refuse_missing(struct sink *sink)
{
    for (int i = 0; i < OF_DESTINATIONS; i++)
        if (sink->topics[i].used && of_producer_is_missing(&sink->producer, i))
            refuse_topic(&sink->topics[i], RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

static void
forget_topics(struct sink *sink)
{
    for (int i = 0; i < OF_DESTINATIONS; i++) {
        if (sink->topics[i].used)
            sink->topics[i].refusal_ms = 0;
        sink->topics[i].used = false;
    }
}

/* ---- taking over the identity ---- */

static enum of_status
open_producer(struct sink *sink)
{
    const struct of_kafka_property settings[] = {
        { "transactional.id", sink->options->transactional_id },
        { "transaction.timeout.ms", sink->timeout_ms },
        /* Nobody sees a record before its transaction is committed, which sends what still waits. Longer than what a full batch
         * takes to its acknowledgement: librdkafka 2.0.2 spins while one that has lingered waits for the one before it. */
        { "linger.ms", "25" },
        { "delivery.report.only.error", "true" },
        /* That a topic is back, a transactional producer only learns from this. */
        { "topic.metadata.refresh.interval.ms", "5000" },
    };
    sink->producer.transactional = true;
    sink->taken_over = false;
    return of_producer_open(&sink->producer, sink->options, settings, sizeof settings / sizeof *settings, &sink->err);
}

static enum of_status
take_over(struct sink *sink)
{
    enum of_status status = OF_OK;
    int64_t until_ns = now_ns() + TAKE_OVER_MS * OF_MS_NS;
    if (!sink->taken_over)
        REPEAT(sink, status, until_ns, "take over the transactions of an earlier process",
               rd_kafka_init_transactions(sink->producer.client.rk, slice_ms(sink)));
    if (status != OF_OK)
        return status == OF_FATAL ? OF_FATAL : OF_RETRY;
    sink->taken_over = true;
    return sink->started ? OF_OK : of_producer_look_up(&sink->producer, &sink->err);
}

/* Whoever was fenced by a newer process with the same identity hears the same from the group, and ends. To take the identity
 * back before would fence the newer one. */
static bool
is_the_older(struct sink *sink)
{
    int64_t until_ns = now_ns() + FENCED_MS * OF_MS_NS;
    while (sink->fenced && now_ns() < until_ns && !stopping(sink))
        nanosleep(&(struct timespec) { .tv_nsec = PAUSE_MS * OF_MS_NS }, NULL);
    return sink->fenced && stopping(sink);
}

/* A twin with the same identity would be fenced in turn, for ever. */
static bool
replaced_too_often(struct sink *sink)
{
    int64_t oldest_ns = sink->replaced_ns[0];
    memmove(sink->replaced_ns, sink->replaced_ns + 1, (REPLACED_MOST - 1) * sizeof *sink->replaced_ns);
    sink->replaced_ns[REPLACED_MOST - 1] = now_ns();
    return oldest_ns != 0 && now_ns() - oldest_ns < REPLACED_WINDOW_S * OF_SECOND_NS;
}

static enum of_status
open_anew(struct sink *sink)
{
    int32_t partitions[OF_DESTINATIONS];
    for (int i = 0; i < OF_DESTINATIONS; i++)
        partitions[i] = sink->producer.topics[i].partitions;
    of_producer_close(&sink->producer);
    sink->finished = false;
    enum of_status status = open_producer(sink);
    for (int i = 0; i < OF_DESTINATIONS && status == OF_OK; i++)
        sink->producer.topics[i].partitions = partitions[i]; /* a topic that is gone holds up nobody who does not need it */
    while (status == OF_OK && (status = take_over(sink)) == OF_RETRY && !stopping(sink)) {
        of_kafka_log_line(sink->options, 4, "%s; trying again", sink->err.text);
        nanosleep(&(struct timespec) { .tv_nsec = PAUSE_MS * OF_MS_NS }, NULL);
        status = OF_OK;
    }
    return status;
}

/* Each topic that is denied costs a handle, and so does a trial that could not be ended. */
static enum of_status
find_denied(struct sink *sink)
{
    enum of_status status = OF_OK;
    for (int i = 0; i < OF_DESTINATIONS && status == OF_OK; i++) {
        if (!sink->topics[i].used)
            continue;
        bool denied = is_denied(sink, i);
        if (denied)
            refuse_topic(&sink->topics[i], RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
        if (denied || sink->finished)
            status = open_anew(sink);
    }
    return status;
}

static enum of_status
replace(struct sink *sink)
{
    if (!sink->denied && replaced_too_often(sink))
        return of_error_set(&sink->err, OF_FATAL, "%s", sink->fenced
                            ? "another process writes with the same identity: give each its own --instance-id"
                            : sink->verdict_err.text);
    if (is_the_older(sink))
        return of_error_set(&sink->err, OF_FATAL, "%s", sink->verdict_err.text);
    sink->alone = true;
    enum of_status status = open_anew(sink);
    if (status == OF_OK && sink->denied)
        status = find_denied(sink);
    if (sink->producer.client.rk != NULL)
        of_kafka_client_serve(&sink->producer.client);
    sink->alone = false;
    for (int i = 0; i < OF_DESTINATIONS; i++)
        sink->topics[i].used = false;
    sink->denied = false;
    if (status == OF_OK && sink->wake_fd >= 0)
        of_kafka_queue_wake(sink->producer.client.queue, sink->wake_fd);
    return status;
}

/* ---- the worker ---- */

static enum of_status
end_transaction(struct sink *sink, bool commit)
{
    enum of_status status = commit ? commit_transaction(sink) : abort_transaction(sink, now_ns() + END_MS * OF_MS_NS);
    if (status == OF_OK)
        forget_topics(sink);
    else if (sink->maybe_missing)
        refuse_missing(sink);
    sink->maybe_missing = false;
    sink->finished |= sink->denied;
    for (int i = 0; i < OF_DESTINATIONS && !sink->denied; i++)
        sink->topics[i].used = false;
    return status;
}

static enum of_status
obey(struct sink *sink, enum state order)
{
    of_error_set(&sink->err, OF_ABORT, "the transaction was given up");
    switch (order) {
    case ABORTING: note_failure(sink, failure_of(sink->producer.client.rk)); /* fall through */
    case COMMITTING: return end_transaction(sink, order == COMMITTING);
    case REPLACING: return replace(sink);
    default: OF_ASSERT(!"an order"); return OF_FATAL;
    }
}

static void
wake_publish(const struct sink *sink)
{
    uint64_t one = 1;
    if (sink->wake_fd >= 0 && write(sink->wake_fd, &one, sizeof one) < 0)
        return; /* a full counter wakes as well */
}

static void *
work(void *arg)
{
    struct sink *sink = arg;
    pthread_mutex_lock(&sink->lock);
    while (!sink->stop) {
        if (sink->order == IDLE || sink->done) {
            pthread_cond_wait(&sink->changed, &sink->lock);
            continue;
        }
        enum state order = sink->order;
        pthread_mutex_unlock(&sink->lock);
        enum of_status status = obey(sink, order);
        pthread_mutex_lock(&sink->lock);
        sink->status = status;
        sink->done = true;
        wake_publish(sink);
    }
    sink->stopped = true;
    pthread_cond_broadcast(&sink->changed);
    pthread_mutex_unlock(&sink->lock);
    return NULL;
}

static void
order(struct sink *sink, enum state state)
{
    pthread_mutex_lock(&sink->lock);
    OF_ASSERT(sink->order == IDLE && !sink->done);
    sink->state = sink->order = state;
    pthread_cond_broadcast(&sink->changed);
    pthread_mutex_unlock(&sink->lock);
}

/* ---- called by publish ---- */

static enum of_status
sink_start(void *self, int wake_fd, struct of_error *err)
{
    struct sink *sink = self;
    enum of_status status = take_over(sink);
    if (status != OF_OK)
        return of_error_set(err, status, "%s", sink->err.text);
    sink->started = true;
    sink->wake_fd = wake_fd;
    if (wake_fd >= 0)
        of_kafka_queue_wake(sink->producer.client.queue, wake_fd);
    return OF_OK;
}

/* A handle that cannot begin is taken for one whose transaction has failed: aborting that, or committing it, shows whether a
 * new handle is needed. */
static enum of_status
begin(struct sink *sink, struct of_error *err)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(sink->producer.client.rk);
    sink->state = OPEN;
    if (error == NULL)
        return OF_OK;
    of_error_set(err, OF_ABORT, "cannot begin a transaction: %s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return OF_ABORT;
}

/* A handle that is finished can still be replaced, which an abort leads to. */
static enum of_status
class_refusal(struct sink *sink, enum of_status status, struct of_error *err)
{
    if (status == OF_FATAL) {
        err->status = OF_ABORT;
        return OF_ABORT;
    }
    if (status == OF_RETRY && failure_of(sink->producer.client.rk) != RD_KAFKA_RESP_ERR__STATE)
        return of_error_set(err, OF_ABORT, "the transaction has failed");
    return status;
}

/* A topic that was gone is looked up before the first record that a transaction has for it, because trying takes as long as a
 * transaction may. After that record the transaction depends on it anyway. */
static bool
is_refused(struct sink *sink, enum of_destination destination)
{
    struct topic *topic = &sink->topics[destination];
    if (topic->refusal_ms == 0 || topic->used)
        return false;
    if (now_ns() < topic->refused_until_ns)
        return true;
    bool missing = topic->why == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                   && of_producer_is_missing(&sink->producer, destination);
    if (missing)
        refuse_topic(topic, topic->why);
    return missing;
}

static enum of_status
sink_produce(void *self, const struct of_outgoing *record, uint64_t tag, struct of_error *err)
{
    struct sink *sink = self;
    if (sink->state == FAILED)
        return of_error_set(err, OF_FATAL, "%s", sink->verdict_err.text);
    if (sink->state != IDLE && sink->state != OPEN)
        return OF_AGAIN;
    struct topic *topic = &sink->topics[record->destination];
    if (is_refused(sink, record->destination))
        return of_error_set(err, OF_RETRY, "topic %s: %s", sink->producer.topics[record->destination].name,
                            rd_kafka_err2str(topic->why));
    enum of_status status = sink->state == IDLE ? begin(sink, err) : OF_OK;
    if (status == OF_OK)
        status = class_refusal(sink, of_producer_produce(&sink->producer, record, tag, err), err);
    topic->used |= status == OF_OK;
    return status;
}

static void
keep_offsets(struct sink *sink, const struct of_sink_offset *offsets, uint32_t count)
{
    if (sink->offsets != NULL)
        rd_kafka_topic_partition_list_destroy(sink->offsets);
    sink->offsets = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *partition =
            rd_kafka_topic_partition_list_add(sink->offsets, offsets[i].topic, offsets[i].partition);
        partition->offset = offsets[i].next_offset;
        of_kafka_note_leader_epoch(partition, offsets[i].leader_epoch);
    }
}

static void
sink_commit(void *self, const struct of_sink_offset *offsets, uint32_t count, const void *membership)
{
    struct sink *sink = self;
    if (sink->state == FAILED) /* poll says so again */
        return;
    OF_ASSERT(sink->state == IDLE || sink->state == OPEN);
    keep_offsets(sink, offsets, count);
    sink->membership = membership;
    struct of_error err;
    if (sink->state == IDLE && begin(sink, &err) != OF_OK)
        of_kafka_log_line(sink->options, 4, "%s", err.text); /* the commit will find the same */
    order(sink, COMMITTING);
}

static void
sink_abort(void *self)
{
    struct sink *sink = self;
    if (sink->state == OPEN)
        order(sink, ABORTING);
}

/* Whether the worker has answered; then its answer is taken. */
static bool
take_answer(struct sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    bool done = sink->done;
    sink->done = false;
    if (done)
        sink->order = IDLE;
    pthread_mutex_unlock(&sink->lock);
    return done;
}

static uint32_t
tell(struct sink *sink, const struct of_sink_listener *listener, enum of_status status, const char *text)
{
    listener->ended(listener->arg, status, sink->fenced, text);
    return 1;
}

static uint32_t
take_end(struct sink *sink, const struct of_sink_listener *listener)
{
    if (!take_answer(sink))
        return 0;
    if (sink->state == REPLACING && sink->status == OF_OK) {
        sink->state = IDLE;
        sink->fenced = false;
        return tell(sink, listener, sink->verdict, sink->verdict_err.text);
    }
    if (sink->state == REPLACING) {
        sink->state = FAILED;
        sink->verdict_err = sink->err;
        return tell(sink, listener, OF_FATAL, sink->err.text);
    }
    if (!sink->finished) {
        sink->state = IDLE;
        if (sink->status != OF_OK)
            of_kafka_log_line(sink->options, 4, "a transaction was aborted: %s", sink->err.text);
        return tell(sink, listener, sink->status, sink->status == OF_OK ? "" : sink->err.text);
    }
    sink->verdict = sink->status;
    sink->verdict_err = sink->err;
    of_kafka_log_line(sink->options, 4, "%s; taking up a new producer", sink->err.text);
    order(sink, REPLACING);
    return 1;
}

static uint32_t
sink_poll(void *self, const struct of_sink_listener *listener)
{
    struct sink *sink = self;
    uint32_t count = 0;
    if (sink->state != REPLACING && sink->state != FAILED)
        count += of_producer_poll(&sink->producer, listener);
    if (sink->state == COMMITTING || sink->state == ABORTING || sink->state == REPLACING)
        count += take_end(sink, listener);
    return count;
}

/* ---- opening and closing ---- */

/* The worker may be inside a call of librdkafka, which returns within a slice. */
static bool
stop_worker(struct sink *sink)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_MS / 1000;
    pthread_mutex_lock(&sink->lock);
    sink->stop = true;
    pthread_cond_broadcast(&sink->changed);
    int waited = 0;
    while (!sink->stopped && waited == 0)
        waited = pthread_cond_timedwait(&sink->changed, &sink->lock, &until);
    bool stopped = sink->stopped;
    pthread_mutex_unlock(&sink->lock);
    if (stopped)
        pthread_join(sink->worker, NULL);
    return stopped;
}

static void
sink_close(void *self)
{
    struct sink *sink = self;
    if (!stop_worker(sink)) {
        of_kafka_log_line(sink->options, 4, "a transaction does not end; leaving it to the broker");
        return; /* the worker still uses all of it: the process ends soon */
    }
    of_producer_close(&sink->producer);
    if (sink->offsets != NULL)
        rd_kafka_topic_partition_list_destroy(sink->offsets);
    pthread_cond_destroy(&sink->changed);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
}

static const struct of_sink_ops ops = {
    .transactional = true,
    .start = sink_start,
    .produce = sink_produce,
    .poll = sink_poll,
    .commit = sink_commit,
    .abort = sink_abort,
    .close = sink_close,
};

enum of_status
of_sink_transactional_open(const struct of_kafka_options *options, int64_t longest_ms, struct of_sink *out,
                           struct of_error *err)
{
    OF_ASSERT(options->transactional_id != NULL);
    struct sink *sink = of_alloc(sizeof *sink);
    sink->options = options;
    sink->wake_fd = -1;
    int64_t timeout_ms = longest_ms + SPARE_MS < LEAST_TIMEOUT_MS ? LEAST_TIMEOUT_MS : longest_ms + SPARE_MS;
    snprintf(sink->timeout_ms, sizeof sink->timeout_ms, "%lld", (long long)timeout_ms);
    pthread_mutex_init(&sink->lock, NULL);
    pthread_cond_init(&sink->changed, NULL);
    enum of_status status = open_producer(sink);
    if (status == OF_OK && pthread_create(&sink->worker, NULL, work, sink) != 0) {
        of_producer_close(&sink->producer);
        status = of_error_set(&sink->err, OF_FATAL, "no thread for transactions");
    }
    if (status == OF_OK) {
        *out = (struct of_sink) { &ops, sink };
        return OF_OK;
    }
    of_error_set(err, status, "%s", sink->err.text);
    pthread_cond_destroy(&sink->changed);
    pthread_mutex_destroy(&sink->lock);
    free(sink);
    return status;
}
