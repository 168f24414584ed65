/* The ring between two threads beside a queue with a mutex: the price of handing something over. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "bench.h"
#include "core/assert.h"
#include "core/memory.h"
#include "core/ring.h"

enum { ITEMS = 64, SPINS = 64, BATCH = 256 };

struct settings {
    struct bench_settings common;
    int64_t hops;
};

static const struct of_option rows[] = {
    BENCH_OPTIONS(struct settings),
    { .name = "hops", .section = "Hops", .type = OF_OPTION_INT, .min = ITEMS * BATCH,
      .max = INT64_C(1) << 40,
      .initial = "4000000", .commands = 1, .offset = offsetof(struct settings, hops), .placeholder = "COUNT",
      .help = "records that each run hands over" },
};

/* ---- the baseline ---- */

struct locked_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    void *items[ITEMS];
    uint32_t head, count;
};

static void
locked_push(struct locked_queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    OF_ASSERT(queue->count < ITEMS);
    queue->items[(queue->head + queue->count++) % ITEMS] = item;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

static void *
locked_pop(struct locked_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0)
        pthread_cond_wait(&queue->filled, &queue->lock);
    void *item = queue->items[queue->head];
    queue->head = (queue->head + 1) % ITEMS;
    queue->count--;
    pthread_mutex_unlock(&queue->lock);
    return item;
}

/* ---- both, as one shape ---- */

/* Items go there and come home, as chunks and batches do, so that no queue needs room for more than there are. */
struct edge {
    struct of_ring ring;
    struct locked_queue queue;
};

struct item {
    uint32_t records;
    double values[BATCH];
};

struct hop {
    struct settings settings;
    struct bench bench;
    struct edge there, home;
    struct item items[ITEMS];
    uint32_t records; /* in an item */
    int64_t rounds;   /* items that make the way */
    void (*push)(struct edge *edge, void *item);
    void *(*pop)(struct edge *edge);
};

static void
push_ring(struct edge *edge, void *item)
{
    of_ring_push(&edge->ring, item);
}

static void *
pop_ring(struct edge *edge)
{
    void *item;
    for (uint32_t tries = 1; (item = of_ring_pop(&edge->ring)) == NULL; tries++)
        if (tries % SPINS == 0)
            sched_yield(); /* the other side may need this processor */
    return item;
}

static void
push_locked(struct edge *edge, void *item)
{
    locked_push(&edge->queue, item);
}

static void *
pop_locked(struct edge *edge)
{
    return locked_pop(&edge->queue);
}

static void *
consume(void *arg)
{
    struct hop *hop = arg;
    double sum = 0;
    for (int64_t i = 0; i < hop->rounds; i++) {
        struct item *item = hop->pop(&hop->there);
        for (uint32_t k = 0; k < item->records; k++)
            sum += item->values[k];
        hop->push(&hop->home, item);
    }
    bench_keep(sum);
    return NULL;
}

static bool
run(struct hop *hop, double *values)
{
    pthread_t consumer;
    hop->rounds = hop->settings.hops / hop->records;
    if (pthread_create(&consumer, NULL, consume, hop) != 0)
        return false;
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    for (int64_t i = 0; i < hop->rounds; i++) {
        struct item *item = i < ITEMS ? &hop->items[i] : hop->pop(&hop->home);
        item->records = hop->records;
        for (uint32_t k = 0; k < item->records; k++)
            item->values[k] = (double)i;
        hop->push(&hop->there, item);
    }
    for (int64_t i = 0; i < ITEMS && i < hop->rounds; i++)
        hop->pop(&hop->home);
    int64_t took_ns = of_clock_mono_ns(of_clock_system()) - began_ns;
    pthread_join(consumer, NULL);
    values[0] = (double)took_ns / (double)(hop->rounds * hop->records);
    return true;
}

static bool
run_rings(void *context, double *values)
{
    struct hop *hop = context;
    hop->push = push_ring;
    hop->pop = pop_ring;
    return run(hop, values);
}

static bool
run_locked(void *context, double *values)
{
    struct hop *hop = context;
    hop->push = push_locked;
    hop->pop = pop_locked;
    return run(hop, values);
}

static void
init_edge(struct edge *edge)
{
    of_ring_init(&edge->ring, ITEMS);
    pthread_mutex_init(&edge->queue.lock, NULL);
    pthread_cond_init(&edge->queue.filled, NULL);
}

static bool
compare(struct hop *hop, const char *title, uint32_t records)
{
    static const struct bench_metric metrics[] = { { "ns/record", 2 } };
    const struct bench_case what = {
        .title = title,
        .metrics = metrics,
        .metric_count = 1,
        .baseline = { "mutex and condition", run_locked, hop },
        .candidate = { "ring", run_rings, hop },
    };
    hop->records = records;
    return bench_compare(&hop->bench, &what);
}

int
main(int argc, char **argv)
{
    static const struct bench_description description = { "ring", rows, sizeof rows / sizeof *rows, false, false };
    static struct hop hop;
    int status;
    if (!bench_open(&hop.bench, &description, argc, argv, &hop.settings, &status))
        return status;
    init_edge(&hop.there);
    init_edge(&hop.home);
    bool ok = compare(&hop, "single records, there and home", 1) && compare(&hop, "batches of 256 records, there and home", BATCH);
    of_ring_fini(&hop.there.ring);
    of_ring_fini(&hop.home.ring);
    return bench_close(&hop.bench, ok);
}
