#include "ops/history.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/memory.h"
#include "ops/json.h"

enum {
    APART_MS = 500,     /* points at least */
    WINDOW_MS = 60000,  /* of latencies */
};

/* Changes when orders come that were counted before, or go. */
struct owned {
    uint64_t assigned, revoked, lost, restored_rows;
};

struct point {
    int64_t wall_ms;
    uint64_t orders;              /* live */
    double average, rate;         /* NaN: not known */
    double p50_s, p99_s;          /* the same */
    struct owned owned;
    uint64_t age[OF_HISTOGRAM_BOUNDS + 1]; /* since the start */
};

struct of_history {
    pthread_mutex_t lock; /* over all below */
    uint32_t first, count;
    struct point points[OF_HISTORY_POINTS];
};

struct of_history *
of_history_create(void)
{
    struct of_history *history = of_alloc(sizeof *history);
    pthread_mutex_init(&history->lock, NULL);
    return history;
}

void
of_history_destroy(struct of_history **history)
{
    if (*history == NULL)
        return;
    pthread_mutex_destroy(&(*history)->lock);
    free(*history);
    *history = NULL;
}

/* Number 0 is the oldest. */
static struct point *
point_at(struct of_history *history, uint32_t number)
{
    return &history->points[(history->first + number) % OF_HISTORY_POINTS];
}

/* ---- adding ---- */

static bool
same_owned(const struct owned *a, const struct owned *b)
{
    return a->assigned == b->assigned && a->revoked == b->revoked && a->lost == b->lost
           && a->restored_rows == b->restored_rows;
}

/* What is restored may be counted a moment after it was read, so it takes two points without. */
static double
rate_of(struct of_history *history, const struct point *now)
{
    if (history->count == 0)
        return NAN;
    const struct point *last = point_at(history, history->count - 1);
    const struct point *before = history->count > 1 ? point_at(history, history->count - 2) : last;
    if (!same_owned(&now->owned, &last->owned) || !same_owned(&now->owned, &before->owned))
        return NAN;
    if (now->orders < last->orders) /* something in flight was lost, and comes again */
        return 0;
    return (double)(now->orders - last->orders) * 1000 / (double)(now->wall_ms - last->wall_ms);
}

/* Since the oldest point of the window; since the start where there is none. */
static void
set_latencies(struct of_history *history, struct point *now)
{
    uint32_t number = 0;
    while (number < history->count && now->wall_ms - point_at(history, number)->wall_ms > WINDOW_MS)
        number++;
    struct of_histogram_view window = { .sum_s = 0 };
    for (uint32_t i = 0; i <= OF_HISTOGRAM_BOUNDS; i++) {
        window.counts[i] = now->age[i] - (number < history->count ? point_at(history, number)->age[i] : 0);
        window.count += window.counts[i];
    }
    now->p50_s = window.count > 0 ? of_histogram_quantile_ns(&window, 0.5) / 1e9 : NAN;
    now->p99_s = window.count > 0 ? of_histogram_quantile_ns(&window, 0.99) / 1e9 : NAN;
}

static void
push(struct of_history *history, const struct point *point)
{
    if (history->count == OF_HISTORY_POINTS) {
        history->first = (history->first + 1) % OF_HISTORY_POINTS;
        history->count--;
    }
    *point_at(history, history->count++) = *point;
}

void
of_history_add(struct of_history *history, const struct of_measured *measured)
{
    const struct of_live_totals *live = &measured->live;
    struct point now = {
        .wall_ms = measured->wall_ms,
        .orders = live->orders_processed,
        .average = live->orders_processed > 0 ? of_exact_sum_average(&live->sum, live->orders_processed) : NAN,
        .owned = { measured->assigned, measured->revoked, measured->lost, measured->restored_rows },
    };
    memcpy(now.age, measured->age.counts, sizeof now.age);
    pthread_mutex_lock(&history->lock);
    int64_t since_ms = history->count > 0 ? now.wall_ms - point_at(history, history->count - 1)->wall_ms : APART_MS;
    if (since_ms < 0)
        history->count = 0;
    if (since_ms < 0 || since_ms >= APART_MS) {
        now.rate = rate_of(history, &now);
        set_latencies(history, &now);
        push(history, &now);
    }
    pthread_mutex_unlock(&history->lock);
}

/* ---- writing ---- */

static void
write_point(struct of_json *json, const struct point *point, bool with_age)
{
    of_json_open(json, NULL, '{');
    of_json_int(json, "time", point->wall_ms);
    of_json_count(json, "orders", point->orders);
    of_json_number(json, "average", point->average);
    of_json_number(json, "rate", point->rate);
    of_json_number(json, "p50", point->p50_s);
    of_json_number(json, "p99", point->p99_s);
    of_json_count(json, "assigned", point->owned.assigned);
    of_json_count(json, "revoked", point->owned.revoked);
    of_json_count(json, "lost", point->owned.lost);
    of_json_count(json, "restored_rows", point->owned.restored_rows);
    if (with_age) {
        of_json_open(json, "age", '[');
        for (uint32_t i = 0; i <= OF_HISTOGRAM_BOUNDS; i++)
            of_json_count(json, NULL, point->age[i]);
        of_json_close(json, ']');
    }
    of_json_close(json, '}');
}

void
of_history_write(struct of_history *history, int64_t started_ms, FILE *out)
{
    struct of_history *copy = of_alloc(sizeof *copy);
    pthread_mutex_lock(&history->lock);
    copy->first = history->first;
    copy->count = history->count;
    memcpy(copy->points, history->points, sizeof copy->points);
    pthread_mutex_unlock(&history->lock);
    struct of_json json = of_json_to(out);
    of_json_open(&json, NULL, '{');
    of_json_int(&json, "started", started_ms);
    of_json_open(&json, "points", '[');
    int64_t last_ms = copy->count > 0 ? point_at(copy, copy->count - 1)->wall_ms : 0;
    for (uint32_t i = 0; i < copy->count; i++) {
        const struct point *point = point_at(copy, i);
        write_point(&json, point, last_ms - point->wall_ms <= WINDOW_MS);
    }
    of_json_close(&json, ']');
    of_json_close(&json, '}');
    of_json_end_line(&json);
    free(copy);
}
