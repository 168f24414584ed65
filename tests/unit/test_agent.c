/* An agent between rings, turned by hand: what it takes, in which order, and where it lets things go. */
#include "core/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { RINGS = 6, SEEN_MOST = 64 };

/* A stage that writes down what it is given and passes it on. */
struct recorder {
    char seen[SEEN_MOST]; /* names of items in order; '|' a barrier, 'o' an open, 'h' an item that came home */
    char refused;         /* the item of this name is not taken */
    bool sends_home; /* what it takes, instead of forward; then every item is a real batch and called B */
};

#define BATCH(lane_, rank_) { .kind = OF_ITEM_BATCH, .lane = (lane_), .rank = (rank_) }

struct named {
    struct of_item item;
    char name;
};

static void
note(struct recorder *recorder, char what)
{
    size_t length = strlen(recorder->seen);
    assert_true(length + 1 < SEEN_MOST);
    recorder->seen[length] = what;
}

static bool
take(void *self, struct of_port *port, struct of_item *item)
{
    struct recorder *recorder = self;
    char name = recorder->sends_home ? 'B' : ((struct named *)item)->name;
    if (name == recorder->refused)
        return false;
    note(recorder, name);
    if (recorder->sends_home)
        of_port_home(port, item);
    else
        of_port_forward(port, item);
    return true;
}

static void
take_open(void *self, const struct of_open *open)
{
    (void)open;
    note(self, 'o');
}

static void
take_home(void *self, struct of_port *port, struct of_item *item)
{
    (void)port;
    (void)item;
    note(self, 'h');
}

static void
take_barrier(void *self, struct of_port *port, struct of_barrier *barrier)
{
    (void)port;
    (void)barrier;
    note(self, '|');
}

static uint32_t
tick(void *self, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    (void)self;
    (void)port;
    if (now_ns + 7 < *deadline_ns)
        *deadline_ns = now_ns + 7;
    return 0;
}

static const struct of_stage_ops recorder_ops = {
    .name = "recorder", .process = take, .open = take_open, .home = take_home, .barrier = take_barrier, .tick = tick,
};

/* One agent, two lanes. Inputs: rings 0 and 1 of lane 0, ring 2 of lane 1. Outputs: rings 3 and 4 of lane 0, 5 of
 * lane 1. */
struct bench {
    struct of_clock clock;
    struct of_crew crew, next;
    struct of_port agent;
    struct of_ring rings[RINGS];
    struct recorder recorder;
};

static void
bench_open(struct bench *bench, bool last)
{
    struct of_error err;
    memset(bench, 0, sizeof *bench);
    bench->clock = of_clock_fake(OF_SECOND_NS, 0);
    assert_int_equal(of_crew_init(&bench->crew, "crew", OF_BELL_FUTEX, &bench->clock, &err), OF_OK);
    assert_int_equal(of_crew_init(&bench->next, "next", OF_BELL_FUTEX, &bench->clock, &err), OF_OK);
    of_agent_init(&bench->agent, &recorder_ops, &bench->recorder, 0, 2);
    of_crew_add(&bench->crew, &bench->agent);
    for (uint32_t i = 0; i < RINGS; i++)
        of_ring_init(&bench->rings[i], 100);
    for (uint32_t i = 0; i < 3; i++)
        of_agent_add_input(&bench->agent, i / 2, &bench->rings[i]);
    for (uint32_t i = 3; !last && i < RINGS; i++)
        of_agent_add_forward(&bench->agent, (i - 3) / 2, &bench->rings[i], &bench->next);
}

static void
bench_close(struct bench *bench)
{
    of_agent_fini(&bench->agent);
    of_crew_fini(&bench->crew);
    of_crew_fini(&bench->next);
    for (uint32_t i = 0; i < RINGS; i++)
        of_ring_fini(&bench->rings[i]);
}

static uint32_t
turn(struct bench *bench)
{
    int64_t deadline_ns = OF_NEVER_NS;
    uint32_t done = of_crew_turn(&bench->crew, &deadline_ns);
    assert_int_equal(deadline_ns, OF_SECOND_NS + 7);
    return done;
}

static void
assert_pops(struct bench *bench, uint32_t ring, const void *wanted)
{
    assert_ptr_equal(of_ring_pop(&bench->rings[ring]), wanted);
}

static void
test_a_barrier_waits_for_all_inputs_of_its_lane(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    struct named items[] = {
        { BATCH(0, 0), 'a' }, { BATCH(0, 0), 'b' }, { BATCH(0, 1), 'c' },
        { BATCH(1, 0), 'd' }, { BATCH(1, 0), 'e' }, { BATCH(0, 1), 'f' },
    };
    struct of_barrier barrier = { .item = { .kind = OF_ITEM_BARRIER } };
    of_ring_push(&bench.rings[0], &items[0]);
    of_ring_push(&bench.rings[0], &barrier);
    of_ring_push(&bench.rings[0], &items[1]); /* behind the barrier */
    of_ring_push(&bench.rings[1], &items[2]);
    of_ring_push(&bench.rings[2], &items[3]);
    assert_int_equal(turn(&bench), 4);
    assert_string_equal(bench.recorder.seen, "acd");

    of_ring_push(&bench.rings[1], &items[5]); /* before the barrier */
    of_ring_push(&bench.rings[2], &items[4]);
    turn(&bench);
    assert_string_equal(bench.recorder.seen, "acdfe");
    assert_int_equal(turn(&bench), 0);

    of_ring_push(&bench.rings[1], &barrier);
    turn(&bench);
    turn(&bench);
    assert_string_equal(bench.recorder.seen, "acdfe|b");
    const void *const out[3][4] = { { &items[0], &barrier, &items[1], NULL }, { &items[2], &items[5], &barrier, NULL },
                                    { &items[3], &items[4], NULL } };
    for (uint32_t ring = 0; ring < 3; ring++)
        for (int i = 0; i < 4 && (i == 0 || out[ring][i - 1] != NULL); i++)
            assert_pops(&bench, 3 + ring, out[ring][i]);

    /* The next one is aligned anew. */
    of_ring_push(&bench.rings[1], &barrier);
    turn(&bench);
    assert_string_equal(bench.recorder.seen, "acdfe|b");
    of_ring_push(&bench.rings[0], &barrier);
    turn(&bench);
    assert_string_equal(bench.recorder.seen, "acdfe|b|");
    bench_close(&bench);
}

static void
test_lanes_have_barriers_of_their_own(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    struct of_barrier first = { .item = { .kind = OF_ITEM_BARRIER } };
    struct of_barrier second = { .item = { .kind = OF_ITEM_BARRIER, .lane = 1 } };
    of_ring_push(&bench.rings[0], &first);
    of_ring_push(&bench.rings[2], &second); /* the only input of its lane */
    turn(&bench);
    assert_string_equal(bench.recorder.seen, "|");
    assert_pops(&bench, 3, NULL);
    assert_pops(&bench, 4, NULL);
    assert_pops(&bench, 5, &second);
    bench_close(&bench);
}

static void
test_a_refused_item_stays_at_the_head(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    struct named items[] = {
        { BATCH(0, 0), 'a' }, { BATCH(0, 0), 'b' }, { BATCH(0, 0), 'c' },
        { BATCH(1, 0), 'd' },
    };
    for (int i = 0; i < 3; i++)
        of_ring_push(&bench.rings[0], &items[i]);
    of_ring_push(&bench.rings[2], &items[3]);
    bench.recorder.refused = 'b';
    assert_int_equal(turn(&bench), 2);
    assert_int_equal(turn(&bench), 0);
    assert_string_equal(bench.recorder.seen, "ad");
    assert_int_equal(of_counter_read(&bench.agent.stats.refused), 2);
    bench.recorder.refused = 0;
    assert_int_equal(turn(&bench), 2);
    assert_string_equal(bench.recorder.seen, "adbc");
    assert_int_equal(of_counter_read(&bench.agent.stats.items), 4);
    bench_close(&bench);
}

static void
test_one_input_does_not_starve_the_others(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    struct named many[40], other = { BATCH(1, 0), 'x' };
    for (int i = 0; i < 40; i++) {
        many[i] = (struct named) { BATCH(0, 0), 'm' };
        of_ring_push(&bench.rings[0], &many[i]);
    }
    of_ring_push(&bench.rings[2], &other);
    uint32_t done = turn(&bench);
    assert_true(done > 1 && done < 40);
    assert_pops(&bench, 5, &other);
    while (turn(&bench) > 0)
        continue;
    assert_int_equal(of_counter_read(&bench.agent.stats.items), 41);
    bench_close(&bench);
}

static void
test_an_open_goes_the_way_of_its_batches(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    struct of_open open = { .item = { OF_ITEM_OPEN, 0, 5, 0, 0 } };
    struct named batch = { BATCH(0, 5), 'a' };
    of_ring_push(&bench.rings[1], &open);
    of_ring_push(&bench.rings[1], &batch);
    turn(&bench);
    assert_string_equal(bench.recorder.seen, "oa");
    assert_pops(&bench, 4, &open);
    assert_pops(&bench, 4, &batch);
    bench_close(&bench);
}

/* The last stage: an open goes home by itself, batches to the instance that made them, a barrier stays with the stage. */
static void
test_the_way_home(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, true);
    for (uint32_t lane = 0; lane < 2; lane++) {
        of_agent_set_home_fetch(&bench.agent, lane, &bench.rings[3], &bench.next);
        for (uint32_t owner = 0; owner < 2; owner++)
            of_agent_add_home_batch(&bench.agent, lane, owner, &bench.rings[4 + owner], &bench.next);
    }
    static struct of_batch batch = { .item = BATCH(1, 4), .owner = 1 };
    struct of_open open = { .item = { OF_ITEM_OPEN, 1, 5, 0, 0 } };
    struct of_barrier barrier = { .item = { .kind = OF_ITEM_BARRIER, .lane = 1 } };
    bench.recorder.sends_home = true;
    of_ring_push(&bench.rings[2], &open);
    of_ring_push(&bench.rings[2], &batch);
    of_ring_push(&bench.rings[2], &barrier);
    turn(&bench);
    assert_string_equal(bench.recorder.seen, "oB|");
    assert_pops(&bench, 3, &open);
    assert_pops(&bench, 3, NULL);
    assert_pops(&bench, 4, NULL);
    assert_pops(&bench, 5, &batch);
    bench_close(&bench);
}

static void
test_what_comes_home_comes_first(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    struct of_ring home;
    of_ring_init(&home, 10);
    of_agent_add_homecoming(&bench.agent, &home);
    struct named items[] = { { BATCH(0, 0), 'a' }, { BATCH(0, 0), 'b' } };
    of_ring_push(&bench.rings[0], &items[0]);
    of_ring_push(&home, &items[1]);
    assert_int_equal(turn(&bench), 2);
    assert_string_equal(bench.recorder.seen, "ha");
    of_ring_fini(&home);
    bench_close(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_barrier_waits_for_all_inputs_of_its_lane),
        cmocka_unit_test(test_lanes_have_barriers_of_their_own),
        cmocka_unit_test(test_a_refused_item_stays_at_the_head),
        cmocka_unit_test(test_one_input_does_not_starve_the_others),
        cmocka_unit_test(test_an_open_goes_the_way_of_its_batches),
        cmocka_unit_test(test_the_way_home),
        cmocka_unit_test(test_what_comes_home_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
