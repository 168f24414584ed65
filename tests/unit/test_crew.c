/* Crews turned by hand: who stands in for whom, who is rung, and what the load has to do with it. */
#include "core/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { CREWS = 3, ITEMS = 300 };

/* Passes on what it takes; the last one keeps it. */
struct stage {
    struct of_clock *clock;
    int64_t takes_ns; /* for an item */
    uint32_t taken, came_home;
    bool last, sends_home;
    int64_t wants_ns;        /* to tick at this time; 0: it does not */
    struct of_crew *wakes;   /* as if the thread of this one woke, with each item; may be NULL */
    struct of_bell *watched; /* how often this one had been rung at the last item, since `heard`; may be NULL */
    uint32_t heard, saw;
};

/* Since its owner listened; a second ring of a descriptor's bell cannot be told from the first. */
static uint32_t
rings_since(struct of_bell *bell, uint32_t heard)
{
    return bell->kind == OF_BELL_FD ? !atomic_load(&bell->parked) : of_bell_listen(bell) - heard;
}

static bool
take(void *self, struct of_port *port, struct of_item *item)
{
    struct stage *stage = self;
    stage->taken++;
    of_clock_advance(stage->clock, stage->takes_ns);
    if (stage->wakes != NULL)
        atomic_store(&stage->wakes->wanted, true);
    if (stage->watched != NULL)
        stage->saw = rings_since(stage->watched, stage->heard);
    if (stage->sends_home)
        of_port_home(port, item);
    else if (!stage->last)
        of_port_forward(port, item);
    return true;
}

static void
come_home(void *self, struct of_port *port, struct of_item *item)
{
    (void)port;
    (void)item;
    ((struct stage *)self)->came_home++;
}

static uint32_t
tick(void *self, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    (void)port;
    (void)now_ns;
    struct stage *stage = self;
    if (stage->wants_ns != 0 && stage->wants_ns < *deadline_ns)
        *deadline_ns = stage->wants_ns;
    return 0;
}

static const struct of_stage_ops ops = { .name = "stage", .process = take, .home = come_home, .tick = tick };

/* A chain: each crew has one agent with one input. */
struct chain {
    struct of_clock clock;
    struct of_crew crews[CREWS];
    struct of_port ports[CREWS];
    struct of_ring rings[CREWS];
    struct stage stages[CREWS];
    struct of_item items[ITEMS];
    uint32_t heard[CREWS]; /* what the bells were at when the chain was told to rest */
};

static int
open_chain(void **state, enum of_bell_kind bell)
{
    static struct chain chain;
    struct of_error err;
    memset(&chain, 0, sizeof chain);
    chain.clock = of_clock_fake(OF_SECOND_NS, 0);
    for (uint32_t i = 0; i < CREWS; i++) {
        assert_int_equal(of_crew_init(&chain.crews[i], "crew", bell, &chain.clock, &err), OF_OK);
        chain.stages[i] = (struct stage) { .clock = &chain.clock, .last = i == CREWS - 1 };
        of_agent_init(&chain.ports[i], &ops, &chain.stages[i], i, 1);
        of_crew_add(&chain.crews[i], &chain.ports[i]);
        of_ring_init(&chain.rings[i], ITEMS);
        of_agent_add_input(&chain.ports[i], 0, &chain.rings[i]);
        if (i > 0)
            of_agent_add_forward(&chain.ports[i - 1], 0, &chain.rings[i], &chain.crews[i]);
    }
    *state = &chain;
    return 0;
}

static int
open_with_futex(void **state)
{
    return open_chain(state, OF_BELL_FUTEX);
}

static int
open_with_fd(void **state)
{
    return open_chain(state, OF_BELL_FD);
}

static int
close_chain(void **state)
{
    struct chain *chain = *state;
    for (uint32_t i = 0; i < CREWS; i++) {
        of_agent_fini(&chain->ports[i]);
        of_crew_fini(&chain->crews[i]);
        of_ring_fini(&chain->rings[i]);
    }
    return 0;
}

/* As if all had had little to do, and all but the first slept and lent themselves. */
static void
rest(struct chain *chain)
{
    for (uint32_t i = 0; i < CREWS; i++) {
        struct of_crew *crew = &chain->crews[i];
        crew->load.light = true;
        crew->load.since_ns = of_clock_mono_ns(&chain->clock);
        crew->load.busy_ns = 0;
        crew->sleeps_until_ns = OF_NEVER_NS;
        atomic_store(&crew->turned_by, i == 0 ? crew : NULL);
        chain->heard[i] = of_bell_listen(&crew->bell);
    }
}

static bool
rung(struct chain *chain, uint32_t crew)
{
    return rings_since(&chain->crews[crew].bell, chain->heard[crew]) > 0;
}

static void
push(struct chain *chain, uint32_t crew, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        chain->items[i] = (struct of_item) { .kind = OF_ITEM_BATCH };
        of_ring_push(&chain->rings[crew], &chain->items[i]);
    }
}

static void
turn_first(struct chain *chain)
{
    int64_t deadline_ns = OF_NEVER_NS;
    of_crew_turn(&chain->crews[0], &deadline_ns);
}

static void
test_one_thread_takes_an_item_all_the_way(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    push(chain, 0, 1);
    turn_first(chain);
    assert_int_equal(chain->stages[CREWS - 1].taken, 1);
    for (uint32_t i = 1; i < CREWS; i++) {
        assert_false(rung(chain, i));
        assert_null(atomic_load(&chain->crews[i].turned_by));
    }
    assert_ptr_equal(atomic_load(&chain->crews[0].turned_by), &chain->crews[0]);
}

static void
test_who_is_awake_is_rung(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    atomic_store(&chain->crews[1].turned_by, &chain->crews[1]);
    push(chain, 0, 1);
    turn_first(chain);
    assert_int_equal(chain->stages[1].taken, 0);
    assert_true(rung(chain, 1));
}

static void
test_who_is_turned_by_another_is_rung(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    atomic_store(&chain->crews[1].turned_by, &chain->crews[2]);
    push(chain, 0, 1);
    turn_first(chain);
    assert_int_equal(chain->stages[1].taken, 0);
    assert_true(rung(chain, 1));
}

static void
test_who_has_much_to_do_stands_in_for_nobody(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    chain->crews[0].load.light = false;
    push(chain, 0, 1);
    turn_first(chain);
    assert_int_equal(chain->stages[1].taken, 0);
    assert_true(rung(chain, 1));
}

/* 12 ms of work in 12 ms: of the second for itself, of the first by standing in. */
static void
test_a_crew_that_had_much_to_do_no_longer_lends_itself(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    chain->stages[1].takes_ns = 12 * OF_MS_NS;
    push(chain, 0, 1);
    turn_first(chain);
    assert_int_equal(chain->stages[1].taken, 1);
    assert_ptr_equal(atomic_load(&chain->crews[1].turned_by), &chain->crews[1]);
    assert_true(rung(chain, 1));
    assert_false(chain->crews[0].load.light);
    assert_null(atomic_load(&chain->crews[2].turned_by));
}

/* Whether the first has little to do, after 10 ms with so much work. */
static bool
is_light_after(struct chain *chain, int64_t work_ns, int64_t idle_ns)
{
    chain->stages[0].takes_ns = work_ns;
    push(chain, 0, 1);
    turn_first(chain);
    of_clock_advance(&chain->clock, idle_ns);
    turn_first(chain);
    return chain->crews[0].load.light;
}

static void
test_how_much_is_much(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    assert_true(is_light_after(chain, 2 * OF_MS_NS, 8 * OF_MS_NS));
    assert_true(is_light_after(chain, 2 * OF_MS_NS, 8 * OF_MS_NS));
    assert_false(is_light_after(chain, 3 * OF_MS_NS, 7 * OF_MS_NS));
    assert_false(is_light_after(chain, 2 * OF_MS_NS, 8 * OF_MS_NS));
    assert_true(is_light_after(chain, 1 * OF_MS_NS, 9 * OF_MS_NS));
    assert_true(is_light_after(chain, 2 * OF_MS_NS, 8 * OF_MS_NS));
}

static void
test_a_long_sleep_does_not_make_work_light(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    assert_false(is_light_after(chain, 3 * OF_MS_NS, 100 * OF_MS_NS));
}

/* However rare they are. Who stood in for it may go on to stand in for others. */
static void
test_a_crew_that_has_long_turns_does_not_lend_itself(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    chain->stages[1].takes_ns = 5 * OF_MS_NS;
    push(chain, 0, 1);
    turn_first(chain);
    assert_true(chain->crews[0].load.light);
    chain->crews[0].load.busy_ns = 0; /* how much that was is not what this is about */
    chain->stages[1].takes_ns = 0;
    for (int tenth = 1; tenth <= 11; tenth++) {
        of_clock_advance(&chain->clock, 98 * OF_MS_NS);
        atomic_store(&chain->crews[1].turned_by, NULL); /* as if it had lent itself all the same */
        push(chain, 0, 1);
        turn_first(chain);
        struct of_crew *left_to = tenth <= 10 ? &chain->crews[1] : NULL;
        assert_ptr_equal(atomic_load(&chain->crews[1].turned_by), left_to);
    }
}

static void
test_a_short_turn_is_no_long_one(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    chain->stages[1].takes_ns = OF_MS_NS / 10;
    push(chain, 0, 1);
    turn_first(chain);
    assert_int_equal(chain->stages[1].taken, 1);
    assert_null(atomic_load(&chain->crews[1].turned_by));
}

static void
test_more_than_one_goes_is_left_to_its_own_thread(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    push(chain, 1, 200);
    chain->stages[1].takes_ns = 5000;
    static struct of_item one = { .kind = OF_ITEM_BATCH };
    of_ring_push(&chain->rings[0], &one);
    turn_first(chain);
    assert_in_range(chain->stages[1].taken, 20, 100);
    assert_true(rung(chain, 1));
    assert_ptr_equal(atomic_load(&chain->crews[1].turned_by), &chain->crews[1]);
}

static void
test_who_stands_in_ends_when_the_thread_wakes(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    push(chain, 1, 200);
    chain->stages[1].wakes = &chain->crews[1];
    static struct of_item one = { .kind = OF_ITEM_BATCH };
    of_ring_push(&chain->rings[0], &one);
    turn_first(chain);
    assert_in_range(chain->stages[1].taken, 1, 20);
    assert_ptr_equal(atomic_load(&chain->crews[1].turned_by), &chain->crews[1]);
}

/* The last one is asleep, too, but has to be rung: that does not wait until the second is done with. */
static void
test_rings_come_before_standing_in(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    atomic_store(&chain->crews[2].turned_by, &chain->crews[2]);
    chain->stages[1].last = true;
    chain->stages[1].watched = &chain->crews[2].bell;
    chain->stages[1].heard = chain->heard[2];
    push(chain, 0, 1);
    of_crew_wake_later(&chain->crews[0], &chain->crews[1]);
    of_crew_wake_later(&chain->crews[0], &chain->crews[2]);
    turn_first(chain);
    assert_int_equal(chain->stages[1].taken, 1);
    assert_int_equal(chain->stages[1].saw, 1);
}

/* The last one sends a batch home to the second while that is being turned. */
static void
test_who_is_being_turned_looks_again(void **state)
{
    struct chain *chain = *state;
    struct of_ring home;
    of_ring_init(&home, ITEMS);
    of_agent_add_homecoming(&chain->ports[1], &home);
    of_agent_add_home_batch(&chain->ports[2], 0, 0, &home, &chain->crews[1]);
    chain->stages[2].last = false;
    chain->stages[2].sends_home = true;
    rest(chain);
    static struct of_batch batch = { .item = { .kind = OF_ITEM_BATCH } };
    of_ring_push(&chain->rings[0], &batch);
    turn_first(chain);
    assert_int_equal(chain->stages[2].taken, 1);
    assert_int_equal(chain->stages[1].came_home, 1);
    assert_false(rung(chain, 1));
    of_ring_fini(&home);
}

static void
test_a_thread_that_must_come_sooner_is_rung(void **state)
{
    struct chain *chain = *state;
    rest(chain);
    chain->crews[1].sleeps_until_ns = 2 * OF_SECOND_NS;
    chain->stages[1].wants_ns = 3 * OF_SECOND_NS;
    push(chain, 0, 1);
    turn_first(chain);
    assert_false(rung(chain, 1));
    chain->stages[1].wants_ns = 2 * OF_SECOND_NS - 1;
    push(chain, 0, 1);
    turn_first(chain);
    assert_int_equal(chain->stages[1].taken, 2);
    assert_true(rung(chain, 1));
    assert_ptr_equal(atomic_load(&chain->crews[1].turned_by), &chain->crews[1]);
}

/* ---- with threads ---- */

/* Waits until it lends itself, and then takes it for its own thread, as whoever stood in would leave it. */
static bool
comes_to_be_lent(struct of_crew *crew)
{
    for (int i = 0; i < 4000; i++) {
        struct of_crew *nobody = NULL;
        if (atomic_compare_exchange_strong(&crew->turned_by, &nobody, crew))
            return true;
        nanosleep(&(struct timespec) { .tv_nsec = 5 * OF_MS_NS }, NULL);
    }
    return false;
}

static void
open_alone(struct of_crew *crew, struct of_port *port, enum of_bell_kind bell)
{
    static struct stage nothing;
    static const struct of_stage_ops idle = { .name = "idle" };
    struct of_error err;
    assert_int_equal(of_crew_init(crew, "crew", bell, of_clock_system(), &err), OF_OK);
    of_agent_init(port, &idle, &nothing, 0, 1);
    of_crew_add(crew, port);
}

static void
test_only_who_was_told_to_lends_itself(void **state)
{
    (void)state;
    static struct of_crew keeps, lends;
    struct of_port ports[2];
    struct of_error err;
    for (enum of_bell_kind bell = OF_BELL_FUTEX; bell <= OF_BELL_FD; bell++) {
        open_alone(&keeps, &ports[0], bell);
        open_alone(&lends, &ports[1], bell);
        of_crew_lend(&lends);
        assert_int_equal(of_crew_start(&keeps, &err), OF_OK);
        assert_int_equal(of_crew_start(&lends, &err), OF_OK);
        for (int i = 0; i < 3; i++) {
            assert_true(comes_to_be_lent(&lends));
            for (int look = 0; look < 10; look++) {
                of_bell_ring(&keeps.bell);
                nanosleep(&(struct timespec) { .tv_nsec = 2 * OF_MS_NS }, NULL); /* to work and to sleep again */
                assert_ptr_equal(atomic_load(&keeps.turned_by), &keeps);
            }
            of_bell_ring(&lends.bell);
        }
        of_crew_stop(&keeps);
        of_crew_stop(&lends);
        for (int i = 0; i < 2; i++)
            of_agent_fini(&ports[i]);
        of_crew_fini(&keeps);
        of_crew_fini(&lends);
    }
}

int
main(void)
{
#define TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, open_with_futex, close_chain), \
        cmocka_unit_test_setup_teardown(name, open_with_fd, close_chain)
    const struct CMUnitTest tests[] = {
        TEST(test_one_thread_takes_an_item_all_the_way),
        TEST(test_who_is_awake_is_rung),
        TEST(test_who_is_turned_by_another_is_rung),
        TEST(test_who_has_much_to_do_stands_in_for_nobody),
        TEST(test_a_crew_that_had_much_to_do_no_longer_lends_itself),
        TEST(test_how_much_is_much),
        TEST(test_a_long_sleep_does_not_make_work_light),
        TEST(test_a_crew_that_has_long_turns_does_not_lend_itself),
        TEST(test_a_short_turn_is_no_long_one),
        TEST(test_more_than_one_goes_is_left_to_its_own_thread),
        TEST(test_who_stands_in_ends_when_the_thread_wakes),
        TEST(test_rings_come_before_standing_in),
        TEST(test_who_is_being_turned_looks_again),
        TEST(test_a_thread_that_must_come_sooner_is_rung),
        cmocka_unit_test(test_only_who_was_told_to_lends_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
