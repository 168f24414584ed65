/* The publish stage alone, between rings and a sink that refuses: what it sends to fetch, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/crew.h"
#include "order/cause.h"
#include "stages/publish.h"

enum { ROOM = 16 };

/* ---- a sink that takes nothing ---- */

struct refusing {
    uint32_t refused;
    uint32_t aborts; /* asked for; transactional */
    bool ended;      /* the abort is to be told as done */
    uint32_t purges; /* asked for; plain */
    uint64_t last_tag;
};

static enum of_status
refuse(void *self, const struct of_outgoing *record, uint64_t tag, struct of_error *err)
{
    (void)record;
    (void)tag;
    struct refusing *sink = self;
    return of_error_set(err, OF_RETRY, "refused for the %u. time", ++sink->refused);
}

static uint32_t
poll_nothing(void *self, const struct of_sink_listener *listener)
{
    (void)self;
    (void)listener;
    return 0;
}

static const struct of_sink_ops refusing_ops = { .produce = refuse, .poll = poll_nothing };

/* ---- a transactional sink that can no longer begin ---- */

static enum of_status
cannot_begin(void *self, const struct of_outgoing *record, uint64_t tag, struct of_error *err)
{
    (void)record;
    (void)tag;
    struct refusing *sink = self;
    sink->refused++;
    return of_error_set(err, OF_ABORT, "cannot begin");
}

static void
note_abort(void *self)
{
    struct refusing *sink = self;
    sink->aborts++;
}

static uint32_t
poll_end(void *self, const struct of_sink_listener *listener)
{
    struct refusing *sink = self;
    if (!sink->ended)
        return 0;
    sink->ended = false;
    listener->ended(listener->arg, OF_ABORT, false, "aborted");
    return 1;
}

static const struct of_sink_ops dead_ops = {
    .transactional = true, .produce = cannot_begin, .poll = poll_end, .abort = note_abort,
};

/* ---- a plain sink that takes everything and answers nothing ---- */

static enum of_status
swallow(void *self, const struct of_outgoing *record, uint64_t tag, struct of_error *err)
{
    (void)record;
    (void)err;
    struct refusing *sink = self;
    sink->last_tag = tag;
    return OF_OK;
}

static void
note_purge(void *self)
{
    struct refusing *sink = self;
    sink->purges++;
}

static uint32_t
poll_purged(void *self, const struct of_sink_listener *listener)
{
    struct refusing *sink = self;
    if (sink->purges == 0 || sink->last_tag == 0)
        return 0;
    listener->settled(listener->arg, sink->last_tag, OF_RETRY, "purged");
    sink->last_tag = 0;
    return 1;
}

static const struct of_sink_ops silent_ops = { .produce = swallow, .poll = poll_purged, .purge = note_purge };

/* ---- chunks without anything in their records ---- */

static void
empty_record(const struct of_chunk *chunk, uint32_t at, struct of_record *record)
{
    *record = (struct of_record) { .offset = chunk->first_offset + at, .at = at };
}

static bool
no_header(const struct of_record *record, struct of_header_walk *walk, struct of_slice *name,
          struct of_slice *value)
{
    (void)record;
    (void)walk;
    (void)name;
    (void)value;
    return false;
}

static int64_t
no_timestamp(const struct of_record *record)
{
    (void)record;
    return -1;
}

static void
no_prefetch(const struct of_chunk *chunk, uint32_t at)
{
    (void)chunk, (void)at;
}

static const struct of_chunk_ops empty_ops = {
    .record = empty_record,
    .prefetch = no_prefetch,
    .header = no_header,
    .timestamp_ms = no_timestamp,
};

/* ---- the stage between its rings ---- */

struct bench {
    struct of_clock clock;
    struct of_tuning tuning;
    struct of_crew crew, others;
    struct of_port agent;
    struct of_ring input, to_decode, to_fetch;
    struct refusing sink;
    struct of_publish *publish;
    struct of_slot slot;
    _Atomic bool barrier_wanted;
    _Atomic int64_t schema_id;
    struct of_open opens[2];
    struct of_chunk chunks[2];
    struct of_batch batches[2];
};

static void
bench_open_with(struct bench *bench, const struct of_sink_ops *ops)
{
    struct of_error err;
    memset(bench, 0, sizeof *bench);
    bench->clock = of_clock_fake(OF_SECOND_NS, INT64_C(1700000000000));
    const struct of_publish_options options = {
        .clock = &bench->clock,
        .sink = { ops, &bench->sink },
        .group = of_slice_str("g"),
        .in_flight = ROOM,
        .barrier_limit_ns = 10 * OF_SECOND_NS,
        .tuning = &bench->tuning,
        .state_schema_id = &bench->schema_id,
        .value_field = of_slice_str("price"),
        .group_by_field = of_slice_str("product"),
    };
    bench->publish = of_publish_create(&options);
    bench->slot = (struct of_slot) { .topic = "orders", .barrier_wanted = &bench->barrier_wanted };
    of_ring_init(&bench->input, ROOM);
    of_ring_init(&bench->to_decode, ROOM);
    of_ring_init(&bench->to_fetch, ROOM);
    assert_int_equal(of_crew_init(&bench->crew, "publish", OF_BELL_FUTEX, &bench->clock, &err), OF_OK);
    assert_int_equal(of_crew_init(&bench->others, "others", OF_BELL_FUTEX, &bench->clock, &err), OF_OK);
    of_agent_init(&bench->agent, &of_publish_stage, bench->publish, 0, 1);
    of_agent_add_input(&bench->agent, 0, &bench->input);
    of_agent_add_home_batch(&bench->agent, 0, 0, &bench->to_decode, &bench->others);
    of_agent_set_home_fetch(&bench->agent, 0, &bench->to_fetch, &bench->others);
    of_crew_add(&bench->crew, &bench->agent);
}

static void
bench_open(struct bench *bench)
{
    bench_open_with(bench, &refusing_ops);
}

static void
bench_close(struct bench *bench)
{
    of_agent_fini(&bench->agent);
    of_crew_fini(&bench->crew);
    of_crew_fini(&bench->others);
    of_ring_fini(&bench->input);
    of_ring_fini(&bench->to_decode);
    of_ring_fini(&bench->to_fetch);
    of_publish_destroy(&bench->publish);
}

/* A new epoch of the slot that begins from what is recorded, and one record in it that cannot be decoded. */
static void
send_epoch(struct bench *bench, uint32_t at, int64_t offset)
{
    uint32_t epoch = at + 1;
    bench->opens[at] = (struct of_open) {
        .item = { .kind = OF_ITEM_OPEN }, .slot = &bench->slot, .epoch = epoch, .restore = true,
    };
    bench->chunks[at] = (struct of_chunk) { .slot = &bench->slot, .ops = &empty_ops, .first_offset = offset };
    struct of_batch *batch = &bench->batches[at];
    batch->item.kind = OF_ITEM_BATCH;
    batch->slot = &bench->slot;
    batch->chunk = &bench->chunks[at];
    batch->epoch = epoch;
    batch->count = batch->failed = 1;
    batch->first_offset = batch->offset[0] = offset;
    batch->next_offset = offset + 1;
    batch->status[0] = OF_CAUSE_BAD_FRAMING;
    of_ring_push(&bench->input, &bench->opens[at].item);
    of_ring_push(&bench->input, &batch->item);
}

static void
turn(struct bench *bench)
{
    int64_t deadline_ns = OF_NEVER_NS;
    while (of_crew_turn(&bench->crew, &deadline_ns) > 0)
        continue;
}

static const struct of_notice *
next_notice(struct bench *bench)
{
    const struct of_item *item = of_ring_pop(&bench->to_fetch);
    while (item != NULL && item->kind != OF_ITEM_NOTICE)
        item = of_ring_pop(&bench->to_fetch);
    return (const struct of_notice *)(const void *)item;
}

/* Fetch begins again by itself, for a reason of its own, and does not look at what has come home before the next letter is
 * refused. */
static void
a_notice_that_was_not_read_yet_is_left_alone(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    send_epoch(&bench, 0, 5);
    turn(&bench);
    send_epoch(&bench, 1, 3);
    turn(&bench);
    const struct of_notice *first = next_notice(&bench), *second = next_notice(&bench);
    assert_non_null(first);
    assert_non_null(second);
    assert_int_equal(first->epoch, 1);
    assert_int_equal(first->offset, 5);
    assert_string_equal(first->text, "refused for the 1. time");
    assert_int_equal(second->epoch, 2);
    assert_int_equal(second->offset, 3);
    assert_string_equal(second->text, "refused for the 2. time");
    assert_null(next_notice(&bench));
    bench_close(&bench);
}

/* One that is told of already is not told of again before it begins anew. */
static void
one_epoch_has_one_notice(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    send_epoch(&bench, 0, 5);
    struct of_batch behind = bench.batches[0];
    behind.first_offset = behind.offset[0] = 6;
    behind.next_offset = 7;
    of_ring_push(&bench.input, &behind.item);
    turn(&bench);
    assert_non_null(next_notice(&bench));
    assert_null(next_notice(&bench));
    assert_int_equal(bench.sink.refused, 1);
    bench_close(&bench);
}

/* A producer that is finished shows so with the first record of a transaction: only ending that gets a new one, and no barrier
 * may go home before. */
static void
a_transaction_that_cannot_begin_is_ended(void **state)
{
    (void)state;
    struct bench bench;
    struct of_slot *slots[1] = { &bench.slot };
    struct of_reached reached[1];
    int64_t starts[1] = { -1 };
    struct of_barrier barrier = {
        .item = { .kind = OF_ITEM_BARRIER }, .number = 1, .slots = slots, .slot_count = 1, .starts = starts, .reached = reached,
    };
    bench_open_with(&bench, &dead_ops);
    send_epoch(&bench, 0, 5);
    turn(&bench);
    assert_int_equal(bench.sink.refused, 1);
    assert_int_equal(bench.sink.aborts, 1);
    of_ring_push(&bench.input, &barrier.item);
    turn(&bench);
    assert_int_equal(of_publish_counts(bench.publish)->barriers[OF_BARRIER_ABORTED], 0);
    bench.sink.ended = true;
    turn(&bench);
    assert_int_equal(of_publish_counts(bench.publish)->barriers[OF_BARRIER_ABORTED], 1);
    assert_int_equal(barrier.outcome, OF_BARRIER_ABORTED);
    assert_int_equal(reached[0].next_offset, -1);
    assert_int_equal(bench.sink.aborts, 1);
    bench_close(&bench);
}

/* The partitions are lost while state is on its way: it is given up before the barrier goes home, and what is said of it then
 * concerns nobody. */
static void
what_a_lost_lane_has_not_written_is_purged(void **state)
{
    (void)state;
    struct bench bench;
    struct of_slot *slots[1] = { &bench.slot };
    struct of_reached reached[1];
    int64_t starts[1] = { 5 };
    struct of_barrier barrier = {
        .item = { .kind = OF_ITEM_BARRIER }, .number = 1, .slots = slots, .slot_count = 1, .starts = starts, .reached = reached,
    };
    bench_open_with(&bench, &silent_ops);
    send_epoch(&bench, 0, 5);
    bench.batches[0].failed = 0;
    bench.batches[0].status[0] = OF_CAUSE_NONE;
    of_ring_push(&bench.input, &barrier.item);
    turn(&bench);
    assert_int_not_equal(bench.sink.last_tag, 0);
    of_slot_drop(&bench.slot, 1);
    turn(&bench);
    assert_int_equal(bench.sink.purges, 0); /* it may be acknowledged yet */
    of_clock_advance(&bench.clock, 11 * OF_SECOND_NS);
    turn(&bench);
    assert_int_equal(bench.sink.purges, 1);
    assert_int_equal(barrier.outcome, OF_BARRIER_WRITTEN);
    assert_int_equal(reached[0].next_offset, -1);
    turn(&bench);
    assert_int_equal(bench.sink.last_tag, 0); /* told, and */
    assert_null(next_notice(&bench));
    bench_close(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notice_that_was_not_read_yet_is_left_alone),
        cmocka_unit_test(one_epoch_has_one_notice),
        cmocka_unit_test(a_transaction_that_cannot_begin_is_ended),
        cmocka_unit_test(what_a_lost_lane_has_not_written_is_purged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
