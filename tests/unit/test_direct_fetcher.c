/* What the direct source makes of what a broker says: leaders that change, logs that were cut back, answers that do not
 * fit, transactions, brokers that fall silent. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "core/clock.h"
#include "kafka/direct/fetcher.h"
#include "kafka/direct/probe.h"
#include "kafka/source_direct.h"
#include "order/cause.h"
#include "support/batches.h"
#include "support/fake_broker.h"

enum { PATIENCE_MS = 10000, OUT_OF_RANGE = 1, UNKNOWN_TOPIC = 3, NOT_LEADER = 6 };

struct world {
    int64_t told; /* the offset of the last news */
    struct fake_broker broker;
    char brokers[64];
    struct of_kafka_property properties[4];
    struct of_kafka_options options;
    struct of_fetcher fetcher;
    struct of_slot slot;
    struct of_direct_part *part;
    _Atomic bool enough; /* for the thread that serves the broker while the probe waits */
    void *records[OF_CHUNK_RECORDS];
    struct of_chunk chunk;
};

/* start_epoch: as it was committed with `from`. */
static struct world *
open_world_at(int64_t from, int32_t start_epoch)
{
    static struct world world;
    struct of_error err;
    memset(&world, 0, sizeof world);
    fake_broker_open(&world.broker, "orders");
    snprintf(world.brokers, sizeof world.brokers, "127.0.0.1:%d", world.broker.port);
    world.properties[0] = (struct of_kafka_property) { "socket.timeout.ms", "300" };
    world.properties[1] = (struct of_kafka_property) { "reconnect.backoff.ms", "2" };
    world.options = (struct of_kafka_options) {
        .brokers = world.brokers, .group = "g", .orders_topic = "orders", .memory_bytes = 64 << 20,
        .properties = world.properties, .property_count = 2,
    };
    world.slot = (struct of_slot) { .topic = "orders", .role = OF_ROLE_ORDERS, .start_epoch = start_epoch };
    world.chunk.records = world.records;
    assert_int_equal(of_fetcher_open(&world.fetcher, &world.options, &err), OF_OK);
    struct of_slot *const slots[] = { &world.slot };
    of_fetcher_begin(&world.fetcher, slots, &from, 1);
    world.part = world.slot.source;
    return &world;
}

static struct world *
open_world(int64_t from)
{
    return open_world_at(from, -1);
}

static void
close_world(struct world *world)
{
    of_fetcher_close(&world->fetcher);
    fake_broker_close(&world->broker);
}

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

static void
turn(struct world *world)
{
    of_fetcher_turn(&world->fetcher, now_ns());
    fake_broker_serve(&world->broker);
}

/* Turns until there is a chunk, which it leaves in world->chunk. */
static void
await_chunk(struct world *world)
{
    for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS; !of_fetcher_read(&world->fetcher, &world->chunk);) {
        assert_true(now_ns() < until_ns);
        turn(world);
    }
}

static enum of_part_news
await_news(struct world *world)
{
    enum of_part_news news;
    for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS; of_fetcher_news(&world->fetcher, &news, &world->told) == NULL;) {
        assert_true(now_ns() < until_ns);
        turn(world);
    }
    return news;
}

static void
await_broken(struct world *world)
{
    assert_int_equal(await_news(world), OF_PART_BROKEN);
}

/* The chunk holds these numbers, each at its own offset. Gives it back. */
static void
expect_numbers(struct world *world, int64_t first, int64_t behind, int64_t next)
{
    struct of_record record;
    struct of_chunk *chunk = &world->chunk;
    chunk->cursor = 0;
    assert_int_equal(chunk->next_offset, next);
    if (first == behind) {
        assert_int_equal(chunk->count, 0);
        return;
    }
    while (chunk->ops->next(chunk, &record) == OF_CHUNK_RECORD) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)first);
        assert_int_equal(record.offset, first++);
        assert_true(of_slice_equal(record.value, of_slice_str(text)));
        chunk->cursor = record.behind;
    }
    assert_int_equal(first, behind);
    of_fetcher_release(&world->fetcher, chunk);
}

static void
append(struct world *world, int64_t offset, uint32_t count)
{
    test_batch_numbers(&world->broker.log, OF_CODEC_NONE, offset, (int)offset, count);
    world->broker.high_watermark = offset + count;
}

static void
batches_are_read_as_they_come(void **state)
{
    (void)state;
    struct world *world = open_world(5);
    append(world, 0, 10);
    await_chunk(world);
    assert_int_equal(world->chunk.first_offset, 5);
    expect_numbers(world, 5, 10, 10);
    append(world, 10, 1);
    await_chunk(world);
    expect_numbers(world, 10, 11, 11);
    assert_int_equal(world->part->end, 11);
    close_world(world);
}

static void
another_leader_is_looked_for(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 3);
    world->broker.fetch_error = NOT_LEADER;
    await_chunk(world);
    expect_numbers(world, 0, 3, 3);
    for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS; world->broker.looks < 2; turn(world))
        assert_true(now_ns() < until_ns);
    close_world(world);
}

static void
an_offset_that_retention_has_passed_is_told(void **state)
{
    (void)state;
    struct world *world = open_world(7);
    world->broker.low = 20;
    append(world, 20, 5);
    await_broken(world);
    assert_int_equal(world->part->cause, OF_CAUSE_OFFSET_OUT_OF_RANGE);
    assert_non_null(strstr(world->part->why, "does not hold offset 7 any more, the first is 20: retention has passed "
                                             "13 offsets"));
    assert_non_null(strstr(world->part->why, "--on-out-of-range earliest"));
    assert_non_null(strstr(world->part->why, "orderflow reset"));
    uint32_t fetches = world->broker.fetches;
    for (int i = 0; i < 50; i++)
        turn(world);
    assert_int_equal(world->broker.fetches, fetches); /* held until it is resumed */
    of_fetcher_resume(&world->fetcher, world->part, 7);
    await_broken(world);
    of_fetcher_resume(&world->fetcher, world->part, 20);
    await_chunk(world);
    expect_numbers(world, 20, 25, 25);
    close_world(world);
}

/* The gap comes as a chunk without records, so that it is committed, and is told with its length. */
static void
expect_skipped(struct world *world, int64_t from, int64_t to, const char *why)
{
    await_chunk(world);
    assert_int_equal(world->chunk.first_offset, from);
    assert_int_equal(world->chunk.count, 0);
    assert_int_equal(world->chunk.next_offset, to);
    assert_int_equal(await_news(world), OF_PART_SKIPPED);
    assert_int_equal(world->part->skipped_from, from);
    assert_int_equal(world->part->position, to);
    assert_non_null(strstr(world->part->why, why));
}

static void
retention_is_passed_over_if_asked_to(void **state)
{
    (void)state;
    struct world *world = open_world(7);
    world->options.on_out_of_range = OF_KAFKA_SKIP_TO_FIRST;
    world->broker.low = 20;
    append(world, 20, 5);
    expect_skipped(world, 7, 20, "goes on at offset 20, its first: 13 offsets from 7 on are skipped");
    await_chunk(world);
    expect_numbers(world, 20, 25, 25);
    close_world(world);
    world = open_world(7);
    world->options.on_out_of_range = OF_KAFKA_SKIP_TO_LAST;
    world->broker.low = 20;
    append(world, 20, 5);
    expect_skipped(world, 7, 25, "goes on at offset 25, its end: 18 offsets from 7 on are skipped, of which retention "
                                 "has passed 13");
    append(world, 25, 1);
    await_chunk(world);
    expect_numbers(world, 25, 26, 26);
    close_world(world);
}

/* All of it gone, and nothing new yet. */
static void
an_empty_log_is_passed_over_as_well(void **state)
{
    (void)state;
    struct world *world = open_world(7);
    world->options.on_out_of_range = OF_KAFKA_SKIP_TO_FIRST;
    world->broker.low = world->broker.high_watermark = 20;
    expect_skipped(world, 7, 20, "13 offsets");
    close_world(world);
}

/* Going back would count what stands there now on top of what stood there: no option does that. */
static void
a_log_that_ends_before_the_offset_is_told(void **state)
{
    (void)state;
    for (int policy = OF_KAFKA_HOLD; policy <= OF_KAFKA_SKIP_TO_LAST; policy++) {
        struct world *world = open_world(7);
        world->options.on_out_of_range = (enum of_kafka_out_of_range)policy;
        append(world, 0, 3);
        await_broken(world);
        assert_int_equal(world->part->cause, OF_CAUSE_OFFSET_OUT_OF_RANGE);
        assert_non_null(strstr(world->part->why, "ends at offset 3 and does not hold offset 7"));
        assert_non_null(strstr(world->part->why, "orderflow reset"));
        append(world, 7, 1);
        of_fetcher_resume(&world->fetcher, world->part, 7);
        await_chunk(world);
        expect_numbers(world, 7, 8, 8);
        close_world(world);
    }
}

/* In range again by the time that it is asked for: fetched again. */
static void
an_answer_out_of_range_that_has_passed_is_no_news(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 3);
    world->broker.fetch_error = OUT_OF_RANGE;
    await_chunk(world);
    expect_numbers(world, 0, 3, 3);
    assert_int_equal(world->broker.lists, 2);
    close_world(world);
}

static void
a_broker_that_lists_no_offsets_is_told_of(void **state)
{
    (void)state;
    struct world *world = open_world(7);
    world->broker.old_api = OF_API_LIST_OFFSETS;
    world->broker.old_highest = -1;
    append(world, 0, 3);
    await_broken(world);
    assert_non_null(strstr(world->part->why, "does not hold offset 7"));
    close_world(world);
}

/* A new leader whose log ends before what was read: told, and not read on. */
static void
a_log_that_was_cut_back_is_told(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 10);
    await_chunk(world);
    expect_numbers(world, 0, 10, 10);
    world->broker.leader_epoch = 1;
    world->broker.epoch_end = 6;
    world->broker.fetch_error = NOT_LEADER;
    await_broken(world);
    assert_int_equal(world->broker.checks, 1);
    assert_non_null(strstr(world->part->why, "was cut back to offset 6"));
    assert_non_null(strstr(world->part->why, "up to 10"));
    of_fetcher_resume(&world->fetcher, world->part, 10); /* nothing has become better */
    await_broken(world);
    assert_int_equal(world->broker.checks, 2);
    of_fetcher_resume(&world->fetcher, world->part, 6); /* from where the logs agree */
    await_chunk(world);
    expect_numbers(world, 6, 10, 10);
    close_world(world);
}

/* The same while nobody read: the epoch was committed with the offset. */
static void
a_log_that_was_cut_back_before_the_start_is_told(void **state)
{
    (void)state;
    struct world *world = open_world_at(10, 3);
    append(world, 0, 20);
    world->broker.leader_epoch = 5;
    world->broker.epoch_end = 6;
    await_broken(world);
    assert_int_equal(world->broker.fetches, 0);
    assert_int_equal(world->broker.checked_epoch, 3);
    assert_non_null(strstr(world->part->why, "was cut back to offset 6"));
    close_world(world);
    world = open_world_at(10, 3);
    append(world, 0, 20);
    world->broker.leader_epoch = 5;
    world->broker.epoch_end = -1; /* it never had that epoch */
    await_broken(world);
    assert_non_null(strstr(world->part->why, "the topic was made anew"));
    of_fetcher_resume(&world->fetcher, world->part, 15); /* recorded state was further on: nothing is known of that */
    await_chunk(world);
    expect_numbers(world, 15, 20, 20);
    close_world(world);
}

static void
what_is_committed_names_the_epoch_that_wrote_it(void **state)
{
    (void)state;
    struct world *world = open_world_at(10, 0);
    append(world, 0, 20);
    assert_int_equal(world->part->delivered_epoch, 0);
    world->broker.epoch_end = 20;
    for (int i = 0; i < 2; i++) { /* batches of the test are of epoch 0, which is put in: no checksum covers it */
        await_chunk(world);
        expect_numbers(world, i == 0 ? 10 : 20, i == 0 ? 20 : 30, i == 0 ? 20 : 30);
        assert_int_equal(world->part->delivered_epoch, i == 0 ? 0 : 4);
        size_t at = world->broker.log.length;
        append(world, 20, 10);
        of_big_endian_put_u32(world->broker.log.data + at + 12, 4);
    }
    close_world(world);
}

static void
a_new_leader_with_the_same_log_is_read_on(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 10);
    await_chunk(world);
    expect_numbers(world, 0, 10, 10);
    world->broker.leader_epoch = 1;
    world->broker.epoch_end = 10;
    world->broker.fetch_error = NOT_LEADER;
    append(world, 10, 5);
    await_chunk(world);
    expect_numbers(world, 10, 15, 15);
    assert_int_equal(world->broker.checks, 1);
    assert_int_equal(world->broker.asked_epoch, 1);
    close_world(world);
}

/* Without the broker: what the fetcher asks for waits there. */
static void
turn_alone(struct world *world)
{
    for (int i = 0; i < 20; i++)
        of_fetcher_turn(&world->fetcher, now_ns());
}

/* The leader's epoch is another while a fetch is under way, and the log is compared from behind that: it holds the first
 * batches of the new epoch, which lie behind the end of the old one. */
static void
a_comparison_that_a_fetch_has_overtaken_is_made_again(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    enum of_part_news news;
    append(world, 0, 10);
    await_chunk(world);
    expect_numbers(world, 0, 10, 10);
    turn_alone(world);
    world->part->check = true;
    world->part->leader_epoch = world->broker.leader_epoch = 1;
    world->broker.epoch_end = 10;
    turn_alone(world);
    assert_true(world->part->checking);
    size_t at = world->broker.log.length;
    append(world, 10, 5);
    of_big_endian_put_u32(world->broker.log.data + at + 12, 1);
    fake_broker_serve(&world->broker);
    assert_int_equal(world->broker.checks, 1);
    world->broker.epoch_end = 15;
    for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS; world->part->check; turn(world)) {
        assert_true(now_ns() < until_ns);
        assert_null(of_fetcher_news(&world->fetcher, &news, &world->told));
    }
    assert_int_equal(world->broker.checks, 2);
    assert_int_equal(world->broker.checked_epoch, 1);
    await_chunk(world);
    expect_numbers(world, 10, 15, 15);
    close_world(world);
}

/* A broker that has another address now answers nothing that it was asked at the old one. */
static void
a_comparison_that_moved_with_its_broker_is_made_again(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 10);
    await_chunk(world);
    expect_numbers(world, 0, 10, 10);
    world->part->check = true;
    world->broker.epoch_end = 10;
    turn_alone(world);
    assert_true(world->part->checking);
    for (struct of_link *link = world->fetcher.links; link != NULL; link = link->next)
        if (link->node >= 0)
            link->connection.port--; /* as if what metadata says now were new */
    append(world, 10, 5);
    await_chunk(world);
    expect_numbers(world, 10, 15, 15);
    close_world(world);
}

/* What stands at the offset that was reached is another record than the one that would have come next. */
static void
a_topic_that_was_made_anew_is_told(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 10);
    await_chunk(world);
    expect_numbers(world, 0, 10, 10);
    append(world, 10, 10);
    world->broker.topic_id = 1;
    world->broker.fetch_error = UNKNOWN_TOPIC;
    await_broken(world);
    assert_int_equal(world->part->cause, OF_CAUSE_OFFSET_OUT_OF_RANGE);
    assert_int_equal(world->part->position, 10);
    assert_non_null(strstr(world->part->why, "made anew"));
    assert_false(of_fetcher_read(&world->fetcher, &world->chunk));
    close_world(world);
}

/* Nothing was read of the old one: the new one is as good. The id is known from an earlier assignment. */
static void
a_topic_that_was_made_anew_is_read_from_its_beginning(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 3);
    await_chunk(world);
    expect_numbers(world, 0, 3, 3);
    of_fetcher_end(&world->fetcher);
    world->broker.topic_id = 1;
    struct of_slot *const slots[] = { &world->slot };
    const int64_t from = 0;
    of_fetcher_begin(&world->fetcher, slots, &from, 1);
    world->part = world->slot.source;
    await_chunk(world);
    expect_numbers(world, 0, 3, 3);
    enum of_part_news news;
    assert_null(of_fetcher_news(&world->fetcher, &news, &world->told));
    close_world(world);
}

enum { NOT_AUTHORIZED = 29 };

static void
await_position(struct world *world, int64_t position)
{
    for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS; world->part->position < position; turn(world))
        assert_true(now_ns() < until_ns);
}

static void
what_was_not_handed_over_is_read_again(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 3);
    await_position(world, 3);
    world->broker.fetch_error = NOT_AUTHORIZED;
    await_broken(world);
    assert_int_equal(world->told, 0);
    assert_false(of_fetcher_read(&world->fetcher, &world->chunk));
    world->broker.fetch_error = 0;
    of_fetcher_resume(&world->fetcher, world->part, world->told);
    await_chunk(world);
    expect_numbers(world, 0, 3, 3);
    close_world(world);
}

static void
read_as_retries(struct world *world, int64_t from)
{
    struct of_slot *const slots[] = { &world->slot };
    world->options.retry_topic = "orders"; /* the only one that the broker has */
    world->options.orders_topic = "others";
    world->slot.role = OF_ROLE_RETRY;
    of_fetcher_end(&world->fetcher);
    of_fetcher_begin(&world->fetcher, slots, &from, 1);
    world->part = world->slot.source;
}

static void
retries_that_wait_are_read_again(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    struct of_record record;
    read_as_retries(world, 0);
    append(world, 0, 3);
    await_position(world, 3);
    assert_true(of_fetcher_peek(&world->fetcher, world->part, &record));
    of_part_break(&world->fetcher, world->part, OF_CAUSE_FETCH_FAILED, "for long");
    await_broken(world);
    assert_int_equal(world->told, 0);
    assert_false(of_fetcher_peek(&world->fetcher, world->part, &record));
    of_fetcher_resume(&world->fetcher, world->part, world->told);
    await_position(world, 3);
    assert_true(of_fetcher_peek(&world->fetcher, world->part, &record));
    assert_int_equal(record.offset, 0);
    close_world(world);
}

static void
await_fetch(struct world *world)
{
    uint32_t before = world->broker.fetches;
    for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS; world->broker.fetches == before;) {
        assert_true(now_ns() < until_ns);
        turn(world);
    }
}

static void
take_all(struct world *world)
{
    struct of_record record;
    while (of_fetcher_peek(&world->fetcher, world->part, &record))
        of_fetcher_take(world->part, &record, &world->chunk);
    of_fetcher_release(&world->fetcher, &world->chunk);
}

/* The broker answers one request at a time: while one waited there for records of the others, none could be asked for. */
static void
a_retry_partition_that_is_free_again_waits_for_no_other(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    struct of_slot other = { .topic = "orders", .partition = 1, .role = OF_ROLE_RETRY, .start_epoch = -1 };
    struct of_slot *const slots[] = { &world->slot, &other };
    const int64_t from[] = { 0, 3 };
    world->broker.partitions = 2;
    read_as_retries(world, 0);
    of_fetcher_end(&world->fetcher);
    of_fetcher_begin(&world->fetcher, slots, from, 2);
    world->part = world->slot.source;
    append(world, 0, 3);
    await_fetch(world);
    assert_int_equal(world->broker.asked_partitions, 2);
    assert_int_equal(world->broker.asked_wait_ms, world->fetcher.settings.wait_ms);
    await_position(world, 3);
    await_fetch(world);
    assert_int_equal(world->broker.asked_partitions, 1);
    assert_int_equal(world->broker.asked_wait_ms, 0);
    for (struct of_link *link = world->fetcher.links; link != NULL; link = link->next)
        link->look_ns = INT64_MAX;
    take_all(world);
    await_fetch(world);
    assert_int_equal(world->broker.asked_partitions, 2);
    assert_int_equal(world->broker.asked_wait_ms, world->fetcher.settings.wait_ms);
    close_world(world);
}

/* Retries that wait are not asked for, so nothing shows that a leader is there again. */
static void
leaders_that_were_missing_long_ago_are_forgotten(void **state)
{
    (void)state;
    enum { NO_LEADER = 5, MINUTE = 60 };
    struct world *world = open_world(0);
    int64_t now = now_ns();
    of_part_take_error(&world->fetcher, world->part, NO_LEADER, now);
    of_part_take_error(&world->fetcher, world->part, NO_LEADER, now + MINUTE * OF_SECOND_NS);
    assert_int_equal(world->part->news, OF_PART_NOTHING);
    for (int second = 2; second < 40; second += 2)
        of_part_take_error(&world->fetcher, world->part, NO_LEADER, now + (MINUTE + second) * OF_SECOND_NS);
    assert_int_equal(world->part->news, OF_PART_BROKEN);
    close_world(world);
}

/* Retries that wait are orders that somebody has to count: it matters that they were there, not how far they were read. */
static void
retries_that_waited_are_missed(void **state)
{
    (void)state;
    for (int waited = 0; waited < 2; waited++) {
        struct world *world = open_world(0);
        struct of_slot *const slots[] = { &world->slot };
        const int64_t from = 0;
        read_as_retries(world, from);
        if (waited)
            append(world, 0, 3);
        for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS; world->part->end < (waited ? 3 : 0); turn(world))
            assert_true(now_ns() < until_ns);
        of_fetcher_end(&world->fetcher);
        world->broker.topic_id = 1;
        of_fetcher_begin(&world->fetcher, slots, &from, 1);
        world->part = world->slot.source;
        for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS;
             world->part->end < 0 && world->part->news == OF_PART_NOTHING; turn(world))
            assert_true(now_ns() < until_ns);
        assert_int_equal(world->part->news, waited ? OF_PART_BROKEN : OF_PART_NOTHING);
        close_world(world);
    }
}

/* The part goes to a lane that has seen nothing yet. */
static void
go_to_another_lane(struct world *world, int64_t from)
{
    struct of_error err;
    struct of_slot *const slots[] = { &world->slot };
    of_fetcher_close(&world->fetcher);
    assert_int_equal(of_fetcher_open(&world->fetcher, &world->options, &err), OF_OK);
    of_fetcher_begin(&world->fetcher, slots, &from, 1);
    world->part = world->slot.source;
}

/* Until the end of what there is, or something to be told, is known. */
static void
await_end_or_news(struct world *world, int64_t end)
{
    for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS;
         world->part->end < end && world->part->news == OF_PART_NOTHING; turn(world))
        assert_true(now_ns() < until_ns);
}

static void
another_lane_knows_what_the_topic_was(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    world->options.topic_ids = of_topic_ids_create();
    append(world, 0, 10);
    await_chunk(world);
    expect_numbers(world, 0, 10, 10);
    go_to_another_lane(world, 10); /* of the same topic */
    await_end_or_news(world, 10);
    assert_int_equal(world->part->news, OF_PART_NOTHING);
    world->broker.topic_id = 1;
    go_to_another_lane(world, 10);
    await_end_or_news(world, INT64_MAX);
    assert_true(world->part->anew);
    go_to_another_lane(world, 10); /* nobody has heard of it so far */
    await_broken(world);
    assert_int_equal(world->part->cause, OF_CAUSE_OFFSET_OUT_OF_RANGE);
    assert_non_null(strstr(world->part->why, "made anew"));
    go_to_another_lane(world, 10); /* now the fetch stage knows */
    await_end_or_news(world, 10);
    assert_int_equal(world->part->news, OF_PART_NOTHING);
    of_fetcher_close(&world->fetcher);
    of_topic_ids_destroy(&world->options.topic_ids);
    fake_broker_close(&world->broker);
}

/* Of orders none was read, and that is as good as before; retries that waited are owed. */
static void
another_lane_knows_whether_anything_waited(void **state)
{
    (void)state;
    for (int retries = 0; retries < 2; retries++) {
        struct world *world = open_world(0);
        of_fetcher_end(&world->fetcher);
        world->options.topic_ids = of_topic_ids_create();
        world->options.retry_topic = retries ? "orders" : "others";
        world->options.orders_topic = retries ? "others" : "orders";
        world->slot.role = retries ? OF_ROLE_RETRY : OF_ROLE_ORDERS;
        go_to_another_lane(world, 0);
        append(world, 0, 3);
        await_end_or_news(world, 3);
        world->broker.topic_id = 1;
        go_to_another_lane(world, 0);
        await_end_or_news(world, 3);
        assert_int_equal(world->part->news, retries ? OF_PART_BROKEN : OF_PART_NOTHING);
        of_fetcher_close(&world->fetcher);
        of_topic_ids_destroy(&world->options.topic_ids);
        fake_broker_close(&world->broker);
    }
}

static void
an_answer_that_was_not_asked_for_ends_the_connection(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 3);
    world->broker.named_partition = 4;
    for (int64_t until_ns = now_ns() + PATIENCE_MS * OF_MS_NS; world->broker.fetches < 2;) {
        assert_true(now_ns() < until_ns);
        turn(world);
        assert_false(of_fetcher_read(&world->fetcher, &world->chunk));
    }
    world->broker.named_partition = 0;
    await_chunk(world);
    expect_numbers(world, 0, 3, 3);
    close_world(world);
}

static void
a_broker_that_falls_silent_is_left(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 3);
    world->broker.silent = true;
    int64_t began_ns = now_ns();
    while (world->broker.fetches < 2) {
        assert_true(now_ns() < began_ns + PATIENCE_MS * OF_MS_NS);
        turn(world);
    }
    assert_true(now_ns() - began_ns >= 300 * OF_MS_NS);
    world->broker.silent = false;
    await_chunk(world);
    expect_numbers(world, 0, 3, 3);
    close_world(world);
}

static void
a_throttled_client_waits(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 3);
    world->broker.throttle_ms = 200;
    await_chunk(world);
    expect_numbers(world, 0, 3, 3);
    append(world, 3, 3);
    int64_t began_ns = now_ns();
    await_chunk(world);
    expect_numbers(world, 3, 6, 6);
    assert_true(now_ns() - began_ns >= 150 * OF_MS_NS);
    close_world(world);
}

/* Two transactions that lie between each other, and what lies behind a marker at the end. */
static void
aborted_transactions_are_left_out(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    struct of_wire_writer *log = &world->broker.log;
    const struct test_record record = { .value = of_slice_str("aborted") };
    struct of_aborted_transaction aborted[] = { { .producer_id = 7, .first_offset = 3 } };
    append(world, 0, 3);
    test_batch_write(log, &(struct test_batch) { .base_offset = 3, .last_delta = -1, .transactional = true,
                     .producer_id = 7, .records = &record, .count = 1 });
    append(world, 4, 2);
    test_batch_marker(log, 6, 8, true);
    test_batch_marker(log, 7, 7, false);
    append(world, 8, 1);
    test_batch_marker(log, 9, 9, false);
    world->broker.high_watermark = 10;
    world->broker.aborted = (struct of_array) { aborted, 1, false };
    await_chunk(world);
    struct of_record found;
    int64_t offsets[] = { 0, 1, 2, 4, 5, 8 };
    for (int i = 0; i < 6; i++) {
        assert_int_equal(world->chunk.ops->next(&world->chunk, &found), OF_CHUNK_RECORD);
        assert_int_equal(found.offset, offsets[i]);
        world->chunk.cursor = found.behind;
    }
    assert_int_equal(world->chunk.ops->next(&world->chunk, &found), OF_CHUNK_END);
    assert_int_equal(world->chunk.next_offset, 10);
    of_fetcher_release(&world->fetcher, &world->chunk);
    test_batch_marker(log, 10, 9, true);
    world->broker.high_watermark = 11;
    await_chunk(world);
    expect_numbers(world, 0, 0, 11);
    close_world(world);
}

static void
a_corrupt_batch_is_told_and_read_again(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    struct of_record record;
    append(world, 0, 3);
    append(world, 3, 3);
    uint8_t *last = &world->broker.log.data[world->broker.log.length - 3];
    *last ^= 1;
    await_chunk(world);
    enum of_chunk_step step;
    world->chunk.cursor = 0;
    while ((step = world->chunk.ops->next(&world->chunk, &record)) == OF_CHUNK_RECORD)
        world->chunk.cursor = record.behind;
    assert_int_equal(step, OF_CHUNK_BROKEN);
    assert_int_equal(world->chunk.held_offset, 3);
    assert_int_equal(world->chunk.held_cause, OF_CAUSE_FETCH_FAILED);
    assert_non_null(strstr(world->chunk.held_text, "checksum"));
    of_fetcher_hold(&world->fetcher, world->part);
    of_fetcher_release(&world->fetcher, &world->chunk);
    *last ^= 1;
    of_fetcher_resume(&world->fetcher, world->part, 3);
    await_chunk(world);
    expect_numbers(world, 3, 6, 6);
    close_world(world);
}

static void
batches_that_cannot_follow_are_told(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 5, 3);
    append(world, 0, 3); /* before the one before it */
    world->broker.high_watermark = 8;
    await_chunk(world);
    expect_numbers(world, 5, 8, 8);
    world->broker.log.length = 0;
    append(world, 8, 3);
    world->broker.high_watermark = 9; /* it lies beyond */
    await_broken(world);
    assert_non_null(strstr(world->part->why, "corrupt batch at offset 8"));
    world->broker.log.data[16] = 1;
    of_fetcher_resume(&world->fetcher, world->part, 8);
    await_broken(world);
    assert_non_null(strstr(world->part->why, "use --source librdkafka"));
    close_world(world);
}

/* Nobody there, and somebody who is no broker: neither says that the direct source is not for this cluster. */
static void
a_broker_that_is_not_there_says_nothing(void **state)
{
    (void)state;
    struct of_error err;
    struct of_kafka_options options = { .brokers = "127.0.0.1:1,127.0.0.1:2", .memory_bytes = 64 << 20 };
    int64_t began_ns = now_ns();
    assert_int_equal(of_direct_probe(&options, &err), OF_OK);
    assert_true(now_ns() - began_ns < 900 * OF_MS_NS);
    struct world *world = open_world(0);
    options.brokers = world->brokers; /* which does not answer, as nobody serves it */
    began_ns = now_ns();
    assert_int_equal(of_direct_probe(&options, &err), OF_OK);
    assert_true(now_ns() - began_ns < 5 * OF_SECOND_NS);
    close_world(world);
}

static void *
serve_until_told(void *arg)
{
    struct world *world = arg;
    while (!atomic_load(&world->enough)) {
        fake_broker_serve(&world->broker);
        nanosleep(&(struct timespec) { .tv_nsec = OF_MS_NS }, NULL);
    }
    return NULL;
}

/* What `auto` asks before it chooses: brokers before 0.11 know Fetch up to version 3, and so no format 2. */
static void
a_broker_that_is_too_old_is_seen(void **state)
{
    (void)state;
    static const struct {
        enum of_api old_api;
        int16_t highest;
        const char *why; /* NULL: nothing speaks against it */
    } rows[] = {
        { OF_API_FETCH, 3, "speaks no version of Fetch from 4 to 12" },
        { OF_API_FETCH, -1, "speaks no version of Fetch from 4 to 12" },
        { OF_API_METADATA, -1, "speaks no version of Metadata from 1 to 10" },
        { OF_API_FETCH, 4, NULL },
        { OF_API_OFFSET_FOR_LEADER_EPOCH, -1, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pthread_t server;
        struct of_error err = { .text = "" };
        struct world *world = open_world(0);
        world->broker.old_api = rows[i].old_api;
        world->broker.old_highest = rows[i].highest;
        atomic_init(&world->enough, false);
        assert_int_equal(pthread_create(&server, NULL, serve_until_told, world), 0);
        enum of_status status = of_source_direct_applies(&world->options, &err);
        atomic_store(&world->enough, true);
        pthread_join(server, NULL);
        assert_int_equal(status, rows[i].why != NULL ? OF_POISON : OF_OK);
        assert_non_null(strstr(err.text, rows[i].why != NULL ? rows[i].why : ""));
        close_world(world);
    }
}

/* A cluster may hold brokers of several versions: one that leads and is too old is told of by name. */
static void
an_old_leader_is_not_fetched_from(void **state)
{
    (void)state;
    struct world *world = open_world(0);
    append(world, 0, 3);
    world->broker.old_api = OF_API_FETCH;
    world->broker.old_highest = 3;
    await_broken(world);
    assert_non_null(strstr(world->part->why, "speaks no version of Fetch from 4 to 12: use --source librdkafka"));
    assert_int_equal(world->broker.fetches, 0);
    close_world(world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_read_as_they_come),
        cmocka_unit_test(another_leader_is_looked_for),
        cmocka_unit_test(an_offset_that_retention_has_passed_is_told),
        cmocka_unit_test(retention_is_passed_over_if_asked_to),
        cmocka_unit_test(an_empty_log_is_passed_over_as_well),
        cmocka_unit_test(a_log_that_ends_before_the_offset_is_told),
        cmocka_unit_test(an_answer_out_of_range_that_has_passed_is_no_news),
        cmocka_unit_test(a_broker_that_lists_no_offsets_is_told_of),
        cmocka_unit_test(a_log_that_was_cut_back_is_told),
        cmocka_unit_test(a_log_that_was_cut_back_before_the_start_is_told),
        cmocka_unit_test(what_is_committed_names_the_epoch_that_wrote_it),
        cmocka_unit_test(a_new_leader_with_the_same_log_is_read_on),
        cmocka_unit_test(a_comparison_that_a_fetch_has_overtaken_is_made_again),
        cmocka_unit_test(a_comparison_that_moved_with_its_broker_is_made_again),
        cmocka_unit_test(a_topic_that_was_made_anew_is_told),
        cmocka_unit_test(a_topic_that_was_made_anew_is_read_from_its_beginning),
        cmocka_unit_test(what_was_not_handed_over_is_read_again),
        cmocka_unit_test(retries_that_wait_are_read_again),
        cmocka_unit_test(a_retry_partition_that_is_free_again_waits_for_no_other),
        cmocka_unit_test(leaders_that_were_missing_long_ago_are_forgotten),
        cmocka_unit_test(retries_that_waited_are_missed),
        cmocka_unit_test(another_lane_knows_what_the_topic_was),
        cmocka_unit_test(another_lane_knows_whether_anything_waited),
        cmocka_unit_test(an_answer_that_was_not_asked_for_ends_the_connection),
        cmocka_unit_test(a_broker_that_falls_silent_is_left),
        cmocka_unit_test(a_throttled_client_waits),
        cmocka_unit_test(aborted_transactions_are_left_out),
        cmocka_unit_test(a_corrupt_batch_is_told_and_read_again),
        cmocka_unit_test(batches_that_cannot_follow_are_told),
        cmocka_unit_test(a_broker_that_is_not_there_says_nothing),
        cmocka_unit_test(a_broker_that_is_too_old_is_seen),
        cmocka_unit_test(an_old_leader_is_not_fetched_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
