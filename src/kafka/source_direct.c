#include "kafka/source_direct.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/memory.h"
#include "kafka/direct/fetcher.h"
#include "kafka/direct/probe.h"
#include "kafka/membership.h"

enum { CLOSE_MS = 5000 };

struct source {
    struct of_kafka_membership membership;
    struct of_fetcher fetcher;
    _Atomic bool abandoned; /* by close, which waited long enough */
};

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

/* ---- opening and closing ---- */

enum of_status
of_source_direct_applies(const struct of_kafka_options *options, struct of_error *err)
{
    if (options->embedded)
        return of_error_set(err, OF_POISON, "the embedded cluster is librdkafka's own");
    return of_direct_probe(options, err);
}

static enum of_status
source_start(void *self, int wake_fd, struct of_error *err)
{
    struct source *source = self;
    return of_kafka_membership_start(&source->membership, wake_fd, err);
}

static int
source_wait_fd(void *self)
{
    struct source *source = self;
    return source->fetcher.epoll_fd;
}

/* As in source_librdkafka.c: every call of librdkafka's may hang, above all after an outage. */
static void
close_membership(void *arg)
{
    struct source *source = arg;
    rd_kafka_assign(source->membership.client.rk, NULL);
    if (atomic_load(&source->abandoned))
        return;
    of_kafka_membership_close(&source->membership);
    if (!atomic_load(&source->abandoned))
        free(source);
}

static void
source_close(void *self)
{
    struct source *source = self;
    const struct of_kafka_options *options = source->fetcher.options;
    of_fetcher_close(&source->fetcher);
    of_kafka_queue_wake(source->membership.client.queue, -1);
    of_kafka_client_mute(&source->membership.client);
    if (of_kafka_within(CLOSE_MS, close_membership, source))
        return;
    atomic_store(&source->abandoned, true);
    of_kafka_log_line(options, 4, "the Kafka client is still not closed after %d ms; ending without", CLOSE_MS);
}

/* ---- events ---- */

static bool
tell_news(struct source *source, struct of_source_event *event)
{
    enum of_part_news news;
    struct of_direct_part *part = of_fetcher_news(&source->fetcher, &news, &event->offset);
    if (part == NULL)
        return false;
    event->kind = news == OF_PART_SKIPPED ? OF_SOURCE_SKIPPED : OF_SOURCE_BROKEN;
    event->slot = part->slot;
    event->next_offset = part->position;
    event->cause = part->cause;
    of_error_set(&event->error, OF_RETRY, "%s", part->why);
    return true;
}

static bool
source_event(void *self, struct of_source_event *event)
{
    struct source *source = self;
    *event = (struct of_source_event) { .status = OF_OK };
    of_fetcher_turn(&source->fetcher, now_ns());
    return of_kafka_membership_event(&source->membership, event) || tell_news(source, event) ||
           of_kafka_membership_leaving(&source->membership, event);
}

/* ---- assignment ---- */

static enum of_status
source_positions(void *self, struct of_partition *partitions, uint32_t count, struct of_error *err)
{
    struct source *source = self;
    return of_kafka_membership_positions(&source->membership, partitions, count, err);
}

static enum of_status
source_assign(void *self, struct of_slot *const *slots, const int64_t *offsets, uint32_t count, struct of_error *err)
{
    struct source *source = self;
    of_fetcher_begin(&source->fetcher, slots, offsets, count);
    return of_kafka_membership_accept(&source->membership, err);
}

static void
source_unassign(void *self)
{
    struct source *source = self;
    of_fetcher_end(&source->fetcher);
    of_kafka_membership_give_up(&source->membership);
}

/* ---- reading ---- */

static bool
source_read(void *self, struct of_chunk *chunk)
{
    struct source *source = self;
    return of_fetcher_read(&source->fetcher, chunk);
}

static bool
source_peek(void *self, struct of_slot *slot, struct of_record *record)
{
    struct source *source = self;
    return of_fetcher_peek(&source->fetcher, slot->source, record);
}

static void
source_take(void *self, struct of_slot *slot, const struct of_record *record, struct of_chunk *chunk)
{
    (void)self;
    of_fetcher_take(slot->source, record, chunk);
}

static int64_t
source_end(void *self, const struct of_slot *slot)
{
    (void)self;
    return of_fetcher_at_end(slot->source);
}

static int64_t
source_high(void *self, const struct of_slot *slot)
{
    (void)self;
    const struct of_direct_part *part = slot->source;
    return part->end;
}

static int32_t
source_leader_epoch(void *self, const struct of_slot *slot)
{
    (void)self;
    const struct of_direct_part *part = slot->source;
    return part->delivered_epoch;
}

static void
source_hold(void *self, struct of_slot *slot)
{
    struct source *source = self;
    of_fetcher_hold(&source->fetcher, slot->source);
}

static enum of_status
source_resume(void *self, struct of_slot *slot, int64_t offset, struct of_error *err)
{
    (void)err;
    struct source *source = self;
    of_fetcher_resume(&source->fetcher, slot->source, offset);
    return OF_OK;
}

static void
source_release(void *self, struct of_chunk *chunk)
{
    struct source *source = self;
    of_fetcher_release(&source->fetcher, chunk);
}

/* ---- commit and leave ---- */

static void
source_commit(void *self, const struct of_offset *offsets, uint32_t count)
{
    struct source *source = self;
    of_kafka_membership_commit(&source->membership, offsets, count);
}

static void *
source_membership(void *self)
{
    struct source *source = self;
    return of_kafka_membership_metadata(&source->membership);
}

static void
source_leave(void *self)
{
    struct source *source = self;
    of_kafka_membership_leave(&source->membership);
}

static const struct of_source_ops ops = {
    .name = "direct",
    .start = source_start,
    .wait_fd = source_wait_fd,
    .event = source_event,
    .positions = source_positions,
    .assign = source_assign,
    .unassign = source_unassign,
    .read = source_read,
    .peek = source_peek,
    .take = source_take,
    .end = source_end,
    .high = source_high,
    .leader_epoch = source_leader_epoch,
    .hold = source_hold,
    .resume = source_resume,
    .release = source_release,
    .commit = source_commit,
    .membership = source_membership,
    .give_back_membership = of_kafka_membership_give_back_metadata,
    .leave = source_leave,
    .close = source_close,
    .chunk_ops = &of_stretch_chunk_ops,
};

enum of_status
of_source_direct_open(const struct of_kafka_options *options, struct of_source *source, struct of_error *err)
{
    struct source *self = of_alloc(sizeof *self);
    enum of_status status = of_kafka_membership_open(&self->membership, options, options->consumer_statistics, err);
    if (status != OF_OK) {
        free(self);
        return status;
    }
    status = of_fetcher_open(&self->fetcher, options, err);
    if (status != OF_OK) {
        of_kafka_membership_close(&self->membership);
        free(self);
        return status;
    }
    *source = (struct of_source) { &ops, self };
    return OF_OK;
}
