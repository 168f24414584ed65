/* Crews that stand in for each other: whosever thread it is, one thread at a time is in a stage, items keep their order, and
 * none is forgotten: no crew looks around by itself, so a ring that is missing ends the test by its patience (but for those
 * that are also woken by their descriptors, in the second test). */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/crew.h"

enum { STAGES = 3, FEEDERS = 2, ITEMS = 256, ROUNDS = 8000, BUSY_ROUNDS = 1000, PATIENCE_MS = 20000 };

struct stage {
    struct of_crew crew;
    struct of_port port;
    struct of_ring in[FEEDERS];
    _Atomic bool inside;
    uint64_t next[FEEDERS]; /* the item of the lane that must come */
    uint64_t taken, by_others;
    bool last;
    bool tedious;   /* takes longer at times than others would want to stand in for */
    bool waits;     /* does not take some items at once: it ticks until it does */
    int64_t due_ns; /* when it will; 0: it does not wait */
};

struct item {
    struct of_batch batch; /* first: as the agent sees it */
    uint64_t number;
};

static void
burn(int64_t ns)
{
    int64_t until_ns = of_clock_mono_ns(of_clock_system()) + ns;
    while (of_clock_mono_ns(of_clock_system()) < until_ns)
        continue;
}

/* Whether the stage would have the item wait. */
static bool
must_wait(struct stage *stage, const struct item *item)
{
    int64_t now_ns = of_clock_mono_ns(of_clock_system());
    if (!stage->waits || item->number % 64 != 7)
        return false;
    if (stage->due_ns == 0)
        stage->due_ns = now_ns + 200 * 1000;
    if (now_ns < stage->due_ns)
        return true;
    stage->due_ns = 0;
    return false;
}

static uint32_t
tick(void *self, struct of_port *port, int64_t now_ns, int64_t *deadline_ns)
{
    (void)port;
    (void)now_ns;
    const struct stage *stage = self;
    if (stage->due_ns != 0 && stage->due_ns < *deadline_ns)
        *deadline_ns = stage->due_ns;
    return 0;
}

static bool
take(void *self, struct of_port *port, struct of_item *raw)
{
    struct stage *stage = self;
    struct item *item = (struct item *)raw;
    bool alone = !atomic_exchange_explicit(&stage->inside, true, memory_order_relaxed);
    OF_ASSERT(alone);
    OF_ASSERT(item->number == stage->next[raw->lane]);
    if (must_wait(stage, item)) {
        atomic_store_explicit(&stage->inside, false, memory_order_relaxed);
        return false;
    }
    stage->next[raw->lane]++;
    stage->taken++;
    stage->by_others += !pthread_equal(pthread_self(), stage->crew.thread);
    if (stage->tedious && item->number % 4096 < 256)
        burn(100000);
    atomic_store_explicit(&stage->inside, false, memory_order_relaxed);
    if (stage->last)
        of_port_home(port, raw);
    else
        of_port_forward(port, raw);
    return true;
}

static const struct of_stage_ops take_ops = { .name = "take", .process = take, .tick = tick };

/* Sends items round in a lane of its own, on its own thread, which turns its crew by hand. */
struct feeder {
    struct of_crew crew;
    struct of_port port;
    struct of_ring in, home;
    pthread_t thread;
    uint32_t lane;
    uint64_t sent, came_home;
    struct item items[ITEMS];
};

static bool
feed(void *self, struct of_port *port, struct of_item *item)
{
    (void)self;
    of_port_forward(port, item);
    return true;
}

static void
come_home(void *self, struct of_port *port, struct of_item *item)
{
    (void)port;
    (void)item;
    ((struct feeder *)self)->came_home++;
}

static const struct of_stage_ops feed_ops = { .name = "feed", .process = feed, .home = come_home };

static void
send_round(struct feeder *feeder, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        feeder->items[i] = (struct item) {
            .batch = { .item = { .kind = OF_ITEM_BATCH, .lane = feeder->lane }, .owner = feeder->lane },
            .number = feeder->sent++,
        };
        of_ring_push(&feeder->in, &feeder->items[i]);
    }
    int64_t give_up_ns = of_clock_mono_ns(of_clock_system()) + PATIENCE_MS * OF_MS_NS;
    while (feeder->came_home < feeder->sent) {
        int64_t deadline_ns = OF_NEVER_NS;
        if (of_crew_turn(&feeder->crew, &deadline_ns) == 0)
            sched_yield();
        OF_ASSERT(of_clock_mono_ns(of_clock_system()) < give_up_ns); /* a ring was missing */
    }
}

/* Little to do at first, much at the end; now and then many at once. */
static void *
run_feeder(void *arg)
{
    struct feeder *feeder = arg;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        send_round(feeder, round % 100 == 99 ? ITEMS : 1 + round % 3);
        if (round < ROUNDS - BUSY_ROUNDS)
            nanosleep(&(struct timespec) { .tv_nsec = 20000 * (round % 5) }, NULL);
    }
    return NULL;
}

static void
open_crew(struct of_crew *crew, struct of_port *port, enum of_bell_kind bell, const struct of_stage_ops *ops, void *self)
{
    struct of_error err;
    assert_int_equal(of_crew_init(crew, "crew", bell, of_clock_system(), &err), OF_OK);
    of_crew_lend(crew);
    crew->sleep_at_most_ns = 2 * PATIENCE_MS * OF_MS_NS;
    of_agent_init(port, ops, self, 0, FEEDERS);
    of_crew_add(crew, port);
}

static void
chain_open(struct feeder *feeders, struct stage *stages)
{
    for (uint32_t lane = 0; lane < FEEDERS; lane++) {
        struct feeder *feeder = &feeders[lane];
        feeder->lane = lane;
        open_crew(&feeder->crew, &feeder->port, OF_BELL_FUTEX, &feed_ops, feeder);
        of_ring_init(&feeder->in, ITEMS);
        of_ring_init(&feeder->home, ITEMS);
        of_agent_add_input(&feeder->port, lane, &feeder->in);
        of_agent_add_homecoming(&feeder->port, &feeder->home);
    }
    for (uint32_t i = 0; i < STAGES; i++) {
        struct stage *stage = &stages[i];
        stage->last = i == STAGES - 1;
        open_crew(&stage->crew, &stage->port, i > 0 ? OF_BELL_FD : OF_BELL_FUTEX, &take_ops, stage);
        for (uint32_t lane = 0; lane < FEEDERS; lane++) {
            struct of_port *before = i == 0 ? &feeders[lane].port : &stages[i - 1].port;
            of_ring_init(&stage->in[lane], ITEMS);
            of_agent_add_input(&stage->port, lane, &stage->in[lane]);
            of_agent_add_forward(before, lane, &stage->in[lane], &stage->crew);
            if (stage->last)
                of_agent_add_home_batch(&stage->port, lane, lane, &feeders[lane].home, &feeders[lane].crew);
        }
    }
}

/* Wakes crews as librdkafka does, by their descriptors, without a ring. */
struct waker {
    struct stage *stages;
    _Atomic bool over;
    pthread_t thread;
};

static void *
run_waker(void *arg)
{
    struct waker *waker = arg;
    for (uint32_t i = 0; !atomic_load(&waker->over); i++) {
        uint64_t one = 1;
        int fd = of_bell_fd(&waker->stages[1 + i % 2].crew.bell);
        OF_ASSERT(write(fd, &one, sizeof one) == sizeof one);
        nanosleep(&(struct timespec) { .tv_nsec = 10000 * (i % 7) }, NULL);
    }
    return NULL;
}

static void
chain_run(struct feeder *feeders, struct stage *stages, bool waken)
{
    struct of_error err;
    struct waker waker = { .stages = stages };
    for (int i = 0; i < STAGES; i++)
        assert_int_equal(of_crew_start(&stages[i].crew, &err), OF_OK);
    for (uint32_t lane = 0; lane < FEEDERS; lane++)
        assert_int_equal(pthread_create(&feeders[lane].thread, NULL, run_feeder, &feeders[lane]), 0);
    if (waken)
        assert_int_equal(pthread_create(&waker.thread, NULL, run_waker, &waker), 0);
    for (uint32_t lane = 0; lane < FEEDERS; lane++)
        pthread_join(feeders[lane].thread, NULL);
    atomic_store(&waker.over, true);
    if (waken)
        pthread_join(waker.thread, NULL);
    for (int i = 0; i < STAGES; i++)
        of_crew_stop(&stages[i].crew);
}

static void
chain_close(struct feeder *feeders, struct stage *stages)
{
    for (int i = 0; i < STAGES; i++) {
        of_agent_fini(&stages[i].port);
        of_crew_fini(&stages[i].crew);
        for (uint32_t lane = 0; lane < FEEDERS; lane++)
            of_ring_fini(&stages[i].in[lane]);
    }
    for (uint32_t lane = 0; lane < FEEDERS; lane++) {
        of_agent_fini(&feeders[lane].port);
        of_crew_fini(&feeders[lane].crew);
        of_ring_fini(&feeders[lane].in);
        of_ring_fini(&feeders[lane].home);
    }
}

/* The tedious stage comes to be turned by its own thread, too, and back. */
static void
run_all(bool waken)
{
    static struct stage stages[STAGES];
    static struct feeder feeders[FEEDERS];
    memset(stages, 0, sizeof stages);
    memset(feeders, 0, sizeof feeders);
    stages[1].tedious = true;
    stages[2].waits = true;
    chain_open(feeders, stages);
    chain_run(feeders, stages, waken);
    for (int i = 0; i < STAGES; i++) {
        assert_int_equal(stages[i].taken, feeders[0].sent + feeders[1].sent);
        assert_in_range(stages[i].by_others, 1, stages[i].taken - 1);
    }
    chain_close(feeders, stages);
}

static void
test_one_at_a_time_and_none_forgotten(void **state)
{
    (void)state;
    run_all(false);
}

static void
test_threads_that_wake_take_their_crews_back(void **state)
{
    (void)state;
    run_all(true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_at_a_time_and_none_forgotten),
        cmocka_unit_test(test_threads_that_wake_take_their_crews_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
