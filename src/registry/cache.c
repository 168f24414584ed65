#include "registry/cache.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <urcu/urcu-memb.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/ring.h" /* OF_TSAN_ACQUIRE */

enum {
    IDS_MAX = 10000,
    WANTED_SLOTS = 1024,
    WANTED_PROBES = 16,
    TEXT_BYTES = 512,
};

static const int64_t recheck_ns = 500 * OF_MS_NS;        /* between the two answers that make an id UNKNOWN */
static const int64_t unknown_ns = 30 * OF_SECOND_NS;     /* how long it then is */
static const int64_t back_off_min_ns = 100 * OF_MS_NS;
static const int64_t back_off_max_ns = 5 * OF_SECOND_NS;
static const int64_t forgotten_ns = 60 * OF_SECOND_NS;   /* not asked for that long: no longer retried */

/* What is known about one id at one time. Readers see the first part, which does not change: another state is another
 * entry. The lookup thread alone uses the second part. */
struct entry {
    uint32_t id;
    enum of_schema_state state;
    struct of_plan *plan;      /* READY; the cache's, given back in destroy */
    int64_t expires_ns;        /* UNKNOWN */
    _Atomic int64_t wanted_ns; /* when it was last asked for; not kept up for READY */
    char text[TEXT_BYTES];     /* "" for none */

    int64_t since_ns;    /* of this state */
    int64_t due_ns;      /* when to ask the registry; OF_NEVER_NS: not */
    int64_t back_off_ns; /* before the next retry but one */
    bool missed;         /* the registry once said that it does not exist */
};

/* All entries by ascending id. Never changed after it is published: readers search it while the next one is built. */
struct snapshot {
    size_t count;
    bool full; /* of READY entries: nothing can make room */
    struct row {
        uint32_t id;
        struct entry *entry;
    } rows[];
};

struct of_schema_cache {
    struct of_schema_cache_options options;
    char *names[3]; /* what options.fields points to */
    struct of_registry_client *client;

    /* shared with readers */
    struct snapshot *_Atomic current;       /* written by the lookup thread */
    _Atomic uint64_t wanted[WANTED_SLOTS];  /* id + 1, put there by readers, taken by the lookup thread; 0: empty */
    _Atomic uint64_t version;
    int wake_fd; /* readers write, the lookup thread polls; -1: not threaded */

    /* the lookup thread's */
    size_t ready_count;
    void *retired[4]; /* no longer reachable, maybe still being read */
    size_t retired_count;
    uint64_t random;

    /* stopping */
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    pthread_mutex_t lock; /* over ended */
    pthread_cond_t ended_changed;
    bool ended;
};

/* ---- read-copy-update: what liburcu guarantees, ThreadSanitizer has to be told ---- */

#ifdef OF_TSAN
static char grace_period; /* released by each reader that leaves a section, acquired when all have */
#endif

void
of_schema_cache_enter(void)
{
    urcu_memb_register_thread();
}

void
of_schema_cache_leave(void)
{
    urcu_memb_unregister_thread();
}

void
of_schema_cache_read_begin(void)
{
    urcu_memb_read_lock();
}

void
of_schema_cache_read_end(void)
{
    OF_TSAN_RELEASE(&grace_period);
    urcu_memb_read_unlock();
}

static void
wait_for_readers(void)
{
    urcu_memb_synchronize_rcu();
    OF_TSAN_ACQUIRE(&grace_period);
}

/* Frees what was retired, once nobody reads it any more. */
static void
reclaim(struct of_schema_cache *cache)
{
    if (cache->retired_count == 0)
        return;
    wait_for_readers();
    while (cache->retired_count > 0)
        free(cache->retired[--cache->retired_count]);
}

static void
retire(struct of_schema_cache *cache, void *memory)
{
    if (cache->retired_count == sizeof cache->retired / sizeof *cache->retired)
        reclaim(cache);
    cache->retired[cache->retired_count++] = memory;
}

/* ---- readers ---- */

/* Where id is in the snapshot, or would be. */
static size_t
place_of(const struct snapshot *snapshot, uint32_t id)
{
    size_t low = 0, high = snapshot->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->rows[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *
entry_of(const struct snapshot *snapshot, uint32_t id)
{
    size_t at = place_of(snapshot, id);
    return at < snapshot->count && snapshot->rows[at].id == id ? snapshot->rows[at].entry : NULL;
}

static void
wake(struct of_schema_cache *cache)
{
    uint64_t one = 1;
    if (cache->wake_fd >= 0 && write(cache->wake_fd, &one, sizeof one) < 0)
        OF_ASSERT(errno == EAGAIN); /* the counter is at its end: it has been woken often enough */
}

/* Leaves the id where the lookup thread finds it. When there are too many for that, those that are there will change,
 * and whoever waits asks again then. */
static enum of_schema_state
ask_for(struct of_schema_cache *cache, uint32_t id)
{
    const uint64_t wanted = (uint64_t)id + 1;
    for (uint32_t i = 0; i < WANTED_PROBES; i++) {
        _Atomic uint64_t *slot = &cache->wanted[(id * UINT32_C(2654435761) + i) % WANTED_SLOTS];
        uint64_t there = 0;
        if (atomic_compare_exchange_strong(slot, &there, wanted)) {
            wake(cache);
            break;
        }
        if (there == wanted)
            break;
    }
    return OF_SCHEMA_PENDING;
}

enum of_schema_state
of_schema_cache_find(struct of_schema_cache *cache, uint32_t id, int64_t now_ns, struct of_schema_found *found)
{
    const struct snapshot *snapshot = atomic_load_explicit(&cache->current, memory_order_acquire);
    struct entry *entry = entry_of(snapshot, id);
    *found = (struct of_schema_found) { 0 };
    if (entry == NULL && snapshot->full) {
        found->text = "the schema cache is full of schemas in use; restart to begin anew";
        return OF_SCHEMA_UNAVAILABLE;
    }
    if (entry == NULL)
        return ask_for(cache, id);
    if (entry->state == OF_SCHEMA_READY) {
        found->plan = entry->plan;
        return OF_SCHEMA_READY;
    }
    atomic_store_explicit(&entry->wanted_ns, now_ns, memory_order_relaxed);
    if (entry->state == OF_SCHEMA_UNKNOWN && now_ns >= entry->expires_ns)
        return ask_for(cache, id);
    found->text = entry->text[0] != '\0' ? entry->text : NULL;
    return entry->state;
}

uint64_t
of_schema_cache_version(const struct of_schema_cache *cache)
{
    return atomic_load(&cache->version);
}

/* ---- the lookup thread: publishing ---- */

static const struct snapshot *
current(const struct of_schema_cache *cache)
{
    return atomic_load_explicit(&cache->current, memory_order_relaxed); /* only this thread writes it */
}

/* Replaces, adds or, with entry NULL, removes what is known about id. */
static void
publish(struct of_schema_cache *cache, uint32_t id, struct entry *entry)
{
    struct snapshot *old = atomic_load_explicit(&cache->current, memory_order_relaxed);
    size_t at = place_of(old, id);
    struct entry *replaced = at < old->count && old->rows[at].id == id ? old->rows[at].entry : NULL;
    size_t behind = at + (replaced != NULL);
    struct snapshot *new = of_alloc(sizeof *new + (old->count + 1) * sizeof *new->rows);
    memcpy(new->rows, old->rows, at * sizeof *new->rows);
    new->count = at;
    if (entry != NULL)
        new->rows[new->count++] = (struct row) { id, entry };
    memcpy(new->rows + new->count, old->rows + behind, (old->count - behind) * sizeof *new->rows);
    new->count += old->count - behind;
    cache->ready_count += entry != NULL && entry->state == OF_SCHEMA_READY;
    new->full = cache->ready_count >= IDS_MAX;
    atomic_store_explicit(&cache->current, new, memory_order_release);
    retire(cache, old);
    if (replaced != NULL)
        retire(cache, replaced);
}

static void
tell_change(struct of_schema_cache *cache)
{
    atomic_fetch_add(&cache->version, 1);
    if (cache->options.changed != NULL)
        cache->options.changed(cache->options.ctx);
}

/* A new entry for the same id; `old` may be NULL. */
static struct entry *
make_entry(uint32_t id, enum of_schema_state state, const char *text, int64_t now_ns, struct entry *old)
{
    struct entry *entry = of_alloc(sizeof *entry);
    entry->id = id;
    entry->state = state;
    entry->since_ns = now_ns;
    entry->due_ns = OF_NEVER_NS;
    entry->back_off_ns = back_off_min_ns;
    atomic_init(&entry->wanted_ns, old != NULL ? atomic_load_explicit(&old->wanted_ns, memory_order_relaxed) : now_ns);
    entry->missed = old != NULL && old->missed;
    if (text != NULL)
        snprintf(entry->text, sizeof entry->text, "%s", text);
    return entry;
}

static bool
is_poison(enum of_schema_state state)
{
    return state == OF_SCHEMA_UNKNOWN || state == OF_SCHEMA_UNRESOLVABLE;
}

/* Whether a is to be given up rather than b: poison before what is waited for, then the older. */
static bool
goes_first(const struct entry *a, const struct entry *b)
{
    if (is_poison(a->state) != is_poison(b->state))
        return is_poison(a->state);
    return a->since_ns < b->since_ns;
}

/* Forgets one entry if there are too many. False: all are READY. */
static bool
make_room(struct of_schema_cache *cache)
{
    const struct snapshot *snapshot = current(cache);
    if (snapshot->count < IDS_MAX)
        return true;
    const struct entry *victim = NULL;
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct entry *entry = snapshot->rows[i].entry;
        if (entry->state != OF_SCHEMA_READY && (victim == NULL || goes_first(entry, victim)))
            victim = entry;
    }
    if (victim == NULL)
        return false;
    publish(cache, victim->id, NULL);
    return true;
}

static void
take_one(struct of_schema_cache *cache, uint32_t id, int64_t now_ns)
{
    struct entry *known = entry_of(current(cache), id);
    if (known != NULL && known->state != OF_SCHEMA_UNKNOWN)
        return; /* somebody else has asked before */
    if (known == NULL && !make_room(cache))
        return;
    struct entry *entry = make_entry(id, OF_SCHEMA_PENDING, NULL, now_ns, known);
    entry->due_ns = now_ns;
    publish(cache, id, entry);
}

static void
take_wanted(struct of_schema_cache *cache, int64_t now_ns)
{
    for (size_t i = 0; i < WANTED_SLOTS; i++) {
        if (atomic_load_explicit(&cache->wanted[i], memory_order_relaxed) == 0)
            continue;
        uint64_t wanted = atomic_exchange(&cache->wanted[i], 0);
        take_one(cache, (uint32_t)(wanted - 1), now_ns);
    }
}

/* ---- the lookup thread: asking ---- */

/* Half of it for certain and half by chance, so that many processes do not come back in step. */
static int64_t
jittered(struct of_schema_cache *cache, int64_t back_off_ns)
{
    cache->random = cache->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return back_off_ns / 2 + (int64_t)((cache->random >> 33) % (uint64_t)(back_off_ns / 2 + 1));
}

static void
set_retry(struct of_schema_cache *cache, struct entry *entry, int64_t back_off_ns, int64_t now_ns)
{
    entry->due_ns = now_ns + jittered(cache, back_off_ns);
    entry->back_off_ns = 2 * back_off_ns < back_off_max_ns ? 2 * back_off_ns : back_off_max_ns;
}

static struct entry *
made_retry(struct of_schema_cache *cache, struct entry *entry, enum of_schema_state state, const char *text,
           int64_t now_ns)
{
    struct entry *next = make_entry(entry->id, state, text, now_ns, entry);
    set_retry(cache, next, entry->back_off_ns, now_ns);
    return next;
}

static struct entry *
made_missed(struct entry *entry, const char *text, int64_t now_ns)
{
    bool confirmed = entry->missed;
    struct entry *next =
        make_entry(entry->id, confirmed ? OF_SCHEMA_UNKNOWN : OF_SCHEMA_PENDING, confirmed ? text : NULL, now_ns, entry);
    next->missed = true;
    next->expires_ns = confirmed ? now_ns + unknown_ns : 0;
    next->due_ns = confirmed ? OF_NEVER_NS : now_ns + recheck_ns;
    return next;
}

static struct entry *
made_compiled(struct of_schema_cache *cache, struct entry *entry, const char *schema_json, int64_t now_ns)
{
    struct of_plan *plan;
    struct of_error err = { 0 };
    enum of_status status = of_plan_compile(of_slice_str(schema_json), &cache->options.fields,
                                            cache->options.max_field_bytes, &plan, &err);
    if (status != OF_OK)
        of_error_prefix(&err, "schema id %u", (unsigned)entry->id);
    struct entry *next = make_entry(entry->id, status == OF_OK ? OF_SCHEMA_READY : OF_SCHEMA_UNRESOLVABLE,
                                    status == OF_OK ? NULL : err.text, now_ns, entry);
    next->plan = plan;
    return next;
}

/* Asks the registry about an entry that is due, and publishes what it says. */
static void
look_up(struct of_schema_cache *cache, struct entry *entry, int64_t now_ns)
{
    char *schema_json = NULL;
    struct of_error err = { 0 };
    enum of_registry_answer answer = of_registry_get_schema(cache->client, entry->id, &schema_json, &err);
    if (atomic_load(&cache->stopping)) {
        free(schema_json);
        return;
    }
    if (cache->options.threaded)
        now_ns = of_clock_mono_ns(of_clock_system()); /* the request may have taken its time */
    struct entry *next = NULL;
    switch (answer) {
    case OF_REGISTRY_FOUND: next = made_compiled(cache, entry, schema_json, now_ns); break;
    case OF_REGISTRY_NOT_FOUND: next = made_missed(entry, err.text, now_ns); break;
    case OF_REGISTRY_UNUSABLE: next = make_entry(entry->id, OF_SCHEMA_UNRESOLVABLE, err.text, now_ns, entry); break;
    case OF_REGISTRY_DENIED: next = made_retry(cache, entry, OF_SCHEMA_DENIED, err.text, now_ns); break;
    case OF_REGISTRY_UNAVAILABLE: next = made_retry(cache, entry, OF_SCHEMA_UNAVAILABLE, err.text, now_ns); break;
    }
    free(schema_json);
    bool other_state = next->state != entry->state;
    publish(cache, next->id, next);
    if (other_state)
        tell_change(cache);
}

/* Nobody has asked for what is retried. Who waits for it nevertheless asks again, as this is a change. */
static bool
is_forgotten(const struct entry *entry, int64_t now_ns)
{
    return entry->state != OF_SCHEMA_PENDING &&
           now_ns - atomic_load_explicit(&entry->wanted_ns, memory_order_relaxed) > forgotten_ns;
}

static struct entry *
first_due(const struct snapshot *snapshot)
{
    struct entry *first = NULL;
    for (size_t i = 0; i < snapshot->count; i++) {
        struct entry *entry = snapshot->rows[i].entry;
        if (entry->due_ns != OF_NEVER_NS && (first == NULL || entry->due_ns < first->due_ns))
            first = entry;
    }
    return first;
}

/* Does one thing if there is one to do. Returns when there is the next: at most now_ns if something was done. */
static int64_t
turn(struct of_schema_cache *cache, int64_t now_ns)
{
    take_wanted(cache, now_ns);
    struct entry *entry = first_due(current(cache));
    int64_t due_ns = entry != NULL ? entry->due_ns : OF_NEVER_NS;
    if (due_ns <= now_ns && is_forgotten(entry, now_ns)) {
        publish(cache, entry->id, NULL);
        tell_change(cache);
    } else if (due_ns <= now_ns) {
        look_up(cache, entry, now_ns);
    }
    reclaim(cache);
    return due_ns;
}

int64_t
of_schema_cache_step(struct of_schema_cache *cache, int64_t now_ns)
{
    OF_ASSERT(!cache->options.threaded);
    int64_t due_ns;
    do {
        due_ns = turn(cache, now_ns);
    } while (due_ns <= now_ns);
    return due_ns;
}

static void
sleep_until(struct of_schema_cache *cache, int64_t due_ns, int64_t now_ns)
{
    struct timespec wait = { .tv_sec = (due_ns - now_ns) / OF_SECOND_NS, .tv_nsec = (due_ns - now_ns) % OF_SECOND_NS };
    struct pollfd wanted = { .fd = cache->wake_fd, .events = POLLIN };
    int ready = ppoll(&wanted, 1, due_ns != OF_NEVER_NS ? &wait : NULL, NULL);
    uint64_t count;
    if (ready > 0 && read(cache->wake_fd, &count, sizeof count) < 0)
        OF_ASSERT(errno == EAGAIN);
}

static void *
run(void *ctx)
{
    struct of_schema_cache *cache = ctx;
    while (!atomic_load(&cache->stopping)) {
        int64_t now_ns = of_clock_mono_ns(of_clock_system());
        int64_t due_ns = turn(cache, now_ns);
        if (due_ns > now_ns)
            sleep_until(cache, due_ns, now_ns);
    }
    pthread_mutex_lock(&cache->lock);
    cache->ended = true;
    pthread_cond_signal(&cache->ended_changed);
    pthread_mutex_unlock(&cache->lock);
    return NULL;
}

/* ---- life ---- */

static char *
keep_name(const char **name)
{
    char *copy = of_strdup(*name);
    *name = copy;
    return copy;
}

static enum of_status
start_thread(struct of_schema_cache *cache, struct of_error *err)
{
    cache->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (cache->wake_fd < 0)
        return of_error_set(err, OF_FATAL, "cannot make an event descriptor: %s", strerrordesc_np(errno));
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for other threads */
    int number = pthread_create(&cache->thread, NULL, run, cache);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (number != 0)
        return of_error_set(err, OF_FATAL, "cannot start the schema lookup thread: %s", strerrordesc_np(number));
    cache->started = true;
    return OF_OK;
}

enum of_status
of_schema_cache_create(const struct of_schema_cache_options *options, struct of_registry_client **client,
                       struct of_schema_cache **out, struct of_error *err)
{
    struct of_schema_cache *cache = of_alloc(sizeof *cache);
    cache->options = *options;
    cache->names[0] = keep_name(&cache->options.fields.value);
    cache->names[1] = keep_name(&cache->options.fields.group_by);
    cache->names[2] = keep_name(&cache->options.fields.id);
    cache->client = *client;
    *client = NULL;
    atomic_init(&cache->current, of_alloc(sizeof(struct snapshot)));
    cache->wake_fd = -1;
    cache->random = (uint64_t)of_clock_mono_ns(of_clock_system());
    pthread_mutex_init(&cache->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&cache->ended_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    enum of_status status = cache->options.threaded ? start_thread(cache, err) : OF_OK;
    if (status != OF_OK)
        of_schema_cache_destroy(&cache);
    *out = cache;
    return status;
}

enum of_status
of_schema_cache_stop(struct of_schema_cache *cache, int64_t deadline_ns)
{
    if (!cache->started)
        return OF_OK;
    atomic_store(&cache->stopping, true);
    of_registry_client_cancel(cache->client);
    wake(cache);
    struct timespec deadline = { .tv_sec = deadline_ns / OF_SECOND_NS, .tv_nsec = deadline_ns % OF_SECOND_NS };
    pthread_mutex_lock(&cache->lock);
    int number = 0;
    while (!cache->ended && number != ETIMEDOUT)
        number = pthread_cond_timedwait(&cache->ended_changed, &cache->lock, &deadline);
    bool ended = cache->ended;
    pthread_mutex_unlock(&cache->lock);
    if (!ended)
        return OF_AGAIN;
    pthread_join(cache->thread, NULL);
    cache->started = false;
    return OF_OK;
}

void
of_schema_cache_destroy(struct of_schema_cache **cache)
{
    struct of_schema_cache *c = *cache;
    *cache = NULL;
    if (c == NULL)
        return;
    OF_ASSERT(!c->started);
    reclaim(c);
    struct snapshot *snapshot = atomic_load(&c->current);
    for (size_t i = 0; i < snapshot->count; i++) {
        of_plan_destroy(&snapshot->rows[i].entry->plan);
        free(snapshot->rows[i].entry);
    }
    free(snapshot);
    of_registry_client_close(&c->client);
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    pthread_cond_destroy(&c->ended_changed);
    pthread_mutex_destroy(&c->lock);
    for (size_t i = 0; i < sizeof c->names / sizeof *c->names; i++)
        free(c->names[i]);
    free(c);
}

const char *
of_schema_state_name(enum of_schema_state state)
{
    switch (state) {
    case OF_SCHEMA_READY: return "ready";
    case OF_SCHEMA_PENDING: return "pending";
    case OF_SCHEMA_UNAVAILABLE: return "unavailable";
    case OF_SCHEMA_DENIED: return "denied";
    case OF_SCHEMA_UNKNOWN: return "unknown";
    case OF_SCHEMA_UNRESOLVABLE: return "unresolvable";
    }
    return "unknown";
}
