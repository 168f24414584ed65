/* The thread's loop: take requests, begin their partitions, read for a moment, answer what is there, end partitions that
 * nobody waits for. What the caller's threads and this one share is under the lock: requests, answers, generation.
 * Cancelling moves the generation; requests of an older one are dropped wherever they are. */
#include "kafka/restorer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "kafka/admin.h"
#include "kafka/client.h"
#include "kafka/state_reader.h"

enum {
    ASK_MS = 1000,      /* one question to the brokers; closing waits for it */
    ASK_AGAIN = 5,      /* times, before the caller is told to come again */
    WAIT_MS = 20,       /* how late it is seen that an end is reached */
    POLL_MS = 20,       /* how late a request that comes while others are under way is seen */
    STALL_MS = 45000,   /* no record for so long, and the end not reached: above the time-out of a transaction that a dead
                         * process left open, which is 30 s, and the 10 s after which brokers look */
    ADD_MS = 5000,
};

/* A request as the thread sees it. */
struct wanted {
    struct of_restore_request request;
    uint64_t generation;
    bool begun;
};

struct wanted_list {
    struct wanted *items;
    uint32_t count, room;
};

struct answer {
    struct of_restored restored;
    struct answer *next;
};

struct restorer {
    const struct of_kafka_options *options;
    struct of_groups *groups;
    struct of_state_fields fields;
    int wake_fd;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    uint64_t generation;
    struct wanted_list asked;
    struct answer *first, **last; /* answers, oldest first */

    _Atomic bool stop_asking; /* stopping, for whoever does not hold the lock */
    _Atomic uint64_t done, all;

    /* the thread's */
    struct of_state_reader *reader;
    struct of_recorded *recorded;
    struct wanted_list under_way;
};

static void
add_wanted(struct wanted_list *list, struct wanted wanted)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->items = of_realloc_array(list->items, list->room, sizeof *list->items);
    }
    list->items[list->count++] = wanted;
}

/* ---- answers ---- */

static void
wake(const struct restorer *restorer)
{
    static const uint64_t one = 1;
    if (restorer->wake_fd >= 0 && write(restorer->wake_fd, &one, sizeof one) < 0) {
        /* the counter is full: whoever waits is awake */
    }
}

/* Takes the state out of `restored`. */
static void
give_answer(struct restorer *restorer, const struct wanted *wanted, struct of_restored *restored)
{
    struct answer *answer = of_alloc(sizeof *answer);
    answer->restored = *restored;
    answer->restored.slot = wanted->request.slot;
    pthread_mutex_lock(&restorer->lock);
    bool current = wanted->generation == restorer->generation;
    if (current) {
        *restorer->last = answer;
        restorer->last = &answer->next;
    }
    pthread_mutex_unlock(&restorer->lock);
    if (current) {
        wake(restorer);
        return;
    }
    of_slot_state_fini(&answer->restored.state);
    free(answer);
}

static void
refuse(struct restorer *restorer, const struct wanted *wanted, const struct of_error *err)
{
    struct of_restored restored = { .status = err->status, .err = *err };
    of_slot_state_init(&restored.state);
    give_answer(restorer, wanted, &restored);
}

static void
give_state(struct restorer *restorer, const struct wanted *wanted)
{
    struct of_restored restored = { 0 };
    of_slot_state_init(&restored.state);
    struct of_recorded_partition *partition =
        of_recorded_find(restorer->recorded, wanted->request.topic, wanted->request.partition);
    restored.status = of_recorded_restore(partition, &restorer->fields, restorer->groups, &restored.state,
                                          &restored.err);
    give_answer(restorer, wanted, &restored);
}

/* ---- beginning ---- */

static int32_t
highest(const struct wanted_list *list)
{
    int32_t most = -1;
    for (uint32_t i = 0; i < list->count; i++)
        if (!list->items[i].begun && list->items[i].request.partition > most)
            most = list->items[i].request.partition;
    return most;
}

static enum of_status
add_partitions(struct restorer *restorer, int32_t partitions, struct of_error *err)
{
    struct of_admin *admin;
    enum of_status status = of_admin_open(restorer->options, &admin, err);
    if (status == OF_OK)
        status = of_admin_add_partitions(admin, restorer->options->aggregates_topic, partitions, ADD_MS, err);
    of_admin_close(&admin);
    return status == OF_OK ? OF_OK : (err->status = OF_RETRY);
}

/* Whether the topic has all the partitions that are asked for. */
static enum of_status
check_partitions(struct restorer *restorer, struct of_error *err)
{
    int32_t there, needed = highest(&restorer->under_way) + 1;
    const char *topic = restorer->options->aggregates_topic;
    enum of_status status = of_state_reader_look_up(restorer->reader, ASK_MS, &there, err);
    if (status != OF_OK)
        return err->status = OF_RETRY;
    if (there == 0)
        return of_error_set(err, OF_RETRY, "topic %s does not exist", topic);
    if (there >= needed)
        return OF_OK;
    if (restorer->options->create_topics && !restorer->options->embedded)
        return add_partitions(restorer, needed, err);
    return of_error_set(err, OF_POISON, "topic %s has %" PRId32 " partitions, and partition %" PRId32 " is needed: add "
                        "partitions to it, or allow --create-topics", topic, there, needed - 1);
}

static enum of_status
begin_reading(struct restorer *restorer, struct of_error *err)
{
    int32_t *partitions = of_alloc_array(restorer->under_way.count, sizeof *partitions);
    uint32_t count = 0;
    for (uint32_t i = 0; i < restorer->under_way.count; i++) {
        const struct wanted *each = &restorer->under_way.items[i];
        bool listed = each->begun;
        for (uint32_t j = 0; !listed && j < count; j++)
            listed = partitions[j] == each->request.partition;
        if (!listed)
            partitions[count++] = each->request.partition;
    }
    enum of_status status = count == 0 ? OF_OK : of_state_reader_begin(restorer->reader, partitions, count, ASK_MS, err);
    free(partitions);
    return status;
}

static enum of_status
insist_on_beginning(struct restorer *restorer, struct of_error *err)
{
    enum of_status status = OF_RETRY;
    for (int i = 0; i < ASK_AGAIN && status == OF_RETRY && !atomic_load(&restorer->stop_asking); i++) {
        status = check_partitions(restorer, err);
        if (status == OF_OK)
            status = begin_reading(restorer, err);
    }
    return status;
}

static void
drop(struct wanted_list *list, uint32_t at)
{
    list->items[at] = list->items[--list->count];
}

/* What was asked for since the last turn. One partition that is missing for good does not keep the others waiting: it is
 * refused alone. */
static void
begin_new(struct restorer *restorer)
{
    struct of_error err = { 0 };
    while (highest(&restorer->under_way) >= 0) {
        enum of_status status = insist_on_beginning(restorer, &err);
        if (status == OF_RETRY && atomic_load(&restorer->stop_asking))
            return;
        int32_t most = highest(&restorer->under_way);
        for (uint32_t i = restorer->under_way.count; i-- > 0;) {
            struct wanted *each = &restorer->under_way.items[i];
            if (each->begun || (status == OF_POISON && each->request.partition != most))
                continue;
            each->begun = true;
            if (status != OF_OK) {
                refuse(restorer, each, &err);
                drop(&restorer->under_way, i);
            }
        }
    }
}

/* ---- reading ---- */

static void
take(void *context, int32_t partition, struct of_slice key, struct of_slice value)
{
    struct restorer *restorer = context;
    of_recorded_take(restorer->recorded, partition, key, value);
}

/* False: not yet. */
static bool
answer(struct restorer *restorer, const struct wanted *wanted)
{
    const char *topic = restorer->options->aggregates_topic;
    int32_t partition = wanted->request.partition;
    if (!wanted->begun) /* the restorer is being closed */
        return false;
    const struct of_state_reading *reading = of_state_reader_reading(restorer->reader, partition);
    OF_ASSERT(reading != NULL);
    struct of_error err;
    if (of_state_reading_is_there(reading)) {
        give_state(restorer, wanted);
        return true;
    }
    if (reading->failed)
        of_error_set(&err, OF_RETRY, "cannot read %s [%" PRId32 "]: %s", topic, partition, reading->why);
    else if (of_clock_mono_ns(of_clock_system()) - reading->moved_ns > STALL_MS * OF_MS_NS)
        of_error_set(&err, OF_RETRY, "%s [%" PRId32 "] cannot be read beyond offset %" PRId64 " of %" PRId64 ": a "
                     "transaction is still open, or its broker is away", topic, partition, reading->next, reading->end);
    else
        return false;
    refuse(restorer, wanted, &err);
    return true;
}

/* All requests of a partition are answered in the same turn, as they share its end. */
static void
answer_all(struct restorer *restorer)
{
    for (uint32_t i = restorer->under_way.count; i-- > 0;)
        if (answer(restorer, &restorer->under_way.items[i]))
            drop(&restorer->under_way, i);
}

static bool
is_wanted(const struct wanted_list *list, int32_t partition)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].request.partition == partition)
            return true;
    return false;
}

static void
end_reading(struct restorer *restorer, int32_t partition)
{
    of_state_reader_end(restorer->reader, partition);
    of_recorded_forget(restorer->recorded, partition);
}

/* Partitions for which nobody waits are no longer read; how far the others are is told. */
static void
tidy(struct restorer *restorer, int32_t partitions)
{
    uint64_t done = 0, all = 0;
    for (int32_t p = 0; p < partitions; p++) {
        const struct of_state_reading *reading = of_state_reader_reading(restorer->reader, p);
        if (reading == NULL)
            continue;
        if (is_wanted(&restorer->under_way, p)) {
            done += (uint64_t)(reading->next - reading->first);
            all += reading->end > reading->first ? (uint64_t)(reading->end - reading->first) : 0;
        } else {
            end_reading(restorer, p);
        }
    }
    atomic_store_explicit(&restorer->done, done < all ? done : all, memory_order_relaxed);
    atomic_store_explicit(&restorer->all, all, memory_order_relaxed);
}

/* ---- the thread ---- */

static void
drop_cancelled(struct restorer *restorer)
{
    for (uint32_t i = restorer->under_way.count; i-- > 0;)
        if (restorer->under_way.items[i].generation != restorer->generation)
            drop(&restorer->under_way, i);
}

/* False: it is over. */
static bool
take_requests(struct restorer *restorer, int32_t *partitions)
{
    pthread_mutex_lock(&restorer->lock);
    while (!restorer->stopping && restorer->asked.count == 0 && restorer->under_way.count == 0)
        pthread_cond_wait(&restorer->changed, &restorer->lock);
    drop_cancelled(restorer);
    for (uint32_t i = 0; i < restorer->asked.count; i++) {
        struct wanted *each = &restorer->asked.items[i];
        add_wanted(&restorer->under_way, *each);
        *partitions = each->request.partition >= *partitions ? each->request.partition + 1 : *partitions;
    }
    restorer->asked.count = 0;
    bool go_on = !restorer->stopping;
    pthread_mutex_unlock(&restorer->lock);
    return go_on;
}

static void *
run(void *context)
{
    struct restorer *restorer = context;
    int32_t partitions = 0; /* one above the highest ever asked for */
    while (take_requests(restorer, &partitions)) {
        tidy(restorer, partitions); /* what was cancelled is read anew when it is asked for again */
        begin_new(restorer);
        if (restorer->under_way.count > 0)
            of_state_reader_poll(restorer->reader, POLL_MS, take, restorer);
        answer_all(restorer);
        tidy(restorer, partitions);
    }
    return NULL;
}

/* ---- the contract ---- */

static enum of_status
restorer_start(void *self, int wake_fd, struct of_error *err)
{
    struct restorer *restorer = self;
    restorer->wake_fd = wake_fd;
    int failed = pthread_create(&restorer->thread, NULL, run, restorer);
    if (failed != 0)
        return of_error_set(err, OF_FATAL, "no thread: %s", strerror(failed));
    restorer->started = true;
    return OF_OK;
}

static void
restorer_request(void *self, const struct of_restore_request *requests, uint32_t count)
{
    struct restorer *restorer = self;
    pthread_mutex_lock(&restorer->lock);
    for (uint32_t i = 0; i < count; i++)
        add_wanted(&restorer->asked, (struct wanted) { .request = requests[i], .generation = restorer->generation });
    pthread_cond_signal(&restorer->changed);
    pthread_mutex_unlock(&restorer->lock);
}

static bool
restorer_poll(void *self, struct of_restored *restored)
{
    struct restorer *restorer = self;
    pthread_mutex_lock(&restorer->lock);
    struct answer *answer = restorer->first;
    if (answer != NULL && (restorer->first = answer->next) == NULL)
        restorer->last = &restorer->first;
    pthread_mutex_unlock(&restorer->lock);
    if (answer == NULL)
        return false;
    *restored = answer->restored;
    free(answer);
    return true;
}

static void
free_answers(struct answer *answer)
{
    while (answer != NULL) {
        struct answer *next = answer->next;
        of_slot_state_fini(&answer->restored.state);
        free(answer);
        answer = next;
    }
}

static void
restorer_cancel(void *self)
{
    struct restorer *restorer = self;
    pthread_mutex_lock(&restorer->lock);
    restorer->generation++;
    restorer->asked.count = 0;
    struct answer *answers = restorer->first;
    restorer->first = NULL;
    restorer->last = &restorer->first;
    pthread_mutex_unlock(&restorer->lock);
    free_answers(answers);
}

static void
restorer_progress(void *self, uint64_t *done, uint64_t *all)
{
    struct restorer *restorer = self;
    *done = atomic_load_explicit(&restorer->done, memory_order_relaxed);
    *all = atomic_load_explicit(&restorer->all, memory_order_relaxed);
}

static void
restorer_close(void *self)
{
    struct restorer *restorer = self;
    if (restorer->started) {
        atomic_store(&restorer->stop_asking, true);
        pthread_mutex_lock(&restorer->lock);
        restorer->stopping = true;
        pthread_cond_signal(&restorer->changed);
        pthread_mutex_unlock(&restorer->lock);
        pthread_join(restorer->thread, NULL);
    }
    free_answers(restorer->first);
    of_state_reader_close(&restorer->reader);
    of_recorded_destroy(&restorer->recorded);
    pthread_cond_destroy(&restorer->changed);
    pthread_mutex_destroy(&restorer->lock);
    free(restorer->asked.items);
    free(restorer->under_way.items);
    free(restorer);
}

static const struct of_restorer_ops ops = {
    .start = restorer_start,
    .request = restorer_request,
    .poll = restorer_poll,
    .cancel = restorer_cancel,
    .progress = restorer_progress,
    .close = restorer_close,
};

enum of_status
of_restorer_librdkafka_open(const struct of_kafka_options *options, struct of_groups *groups,
                            const struct of_state_fields *fields, struct of_restorer *out, struct of_error *err)
{
    OF_ASSERT(options->aggregates_topic != NULL);
    struct restorer *self = of_alloc(sizeof *self);
    enum of_status status = of_state_reader_open(options, WAIT_MS, &self->reader, err);
    if (status != OF_OK) {
        free(self);
        return status;
    }
    self->options = options;
    self->groups = groups;
    self->fields = *fields;
    self->wake_fd = -1;
    self->last = &self->first;
    self->recorded = of_recorded_create(options->group);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    *out = (struct of_restorer) { &ops, self };
    return OF_OK;
}
