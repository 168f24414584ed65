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

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "registry/back_off.h"
#include "registry/store.h"
#include "registry/table.h"

static const int64_t recheck_ns = 500 * OF_MS_NS;        /* between the two answers that make an id UNKNOWN */
static const int64_t unknown_ns = 30 * OF_SECOND_NS;     /* how long it then is */
static const int64_t no_guids_ns = 60 * OF_SECOND_NS;    /* how long a registry without GUIDs is taken for one */
static const int64_t forgotten_ns = 60 * OF_SECOND_NS;   /* not asked for that long: no longer retried */

struct of_schema_cache {
    struct of_schema_cache_options options;
    char *names[4]; /* what options.fields points to */
    struct of_registry_client *client;
    struct of_schema_store *store; /* NULL: none */

    struct of_schema_table table;
    _Atomic uint64_t version;
    struct of_jitter jitter; /* the lookup thread's */
    struct of_schema_cache_counts counts;

    /* stopping */
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    pthread_mutex_t lock; /* over ended */
    pthread_cond_t ended_changed;
    bool ended;
};

enum of_schema_state
of_schema_cache_find(struct of_schema_cache *cache, struct of_schema_key key, int64_t now_ns,
                     struct of_schema_found *found)
{
    return of_schema_table_find(&cache->table, key, now_ns, found);
}

uint64_t
of_schema_cache_version(const struct of_schema_cache *cache)
{
    return atomic_load(&cache->version);
}

const struct of_schema_cache_counts *
of_schema_cache_counts(const struct of_schema_cache *cache)
{
    return &cache->counts;
}

/* ---- the lookup thread ---- */

static void
tell_change(struct of_schema_cache *cache)
{
    atomic_fetch_add(&cache->version, 1);
    if (cache->options.changed != NULL)
        cache->options.changed(cache->options.ctx);
}

/* A new entry for the same key; `old` may be NULL. */
static struct of_schema_entry *
make_entry(struct of_schema_key key, enum of_schema_state state, const char *text, int64_t now_ns,
           struct of_schema_entry *old)
{
    struct of_schema_entry *entry = of_alloc(sizeof *entry);
    entry->key = key;
    entry->state = state;
    entry->since_ns = now_ns;
    entry->due_ns = OF_NEVER_NS;
    atomic_init(&entry->wanted_ns, old != NULL ? atomic_load_explicit(&old->wanted_ns, memory_order_relaxed) : now_ns);
    entry->missed = old != NULL && old->missed;
    if (text != NULL)
        snprintf(entry->text, sizeof entry->text, "%s", text);
    return entry;
}

/* Whoever waits for what is forgotten has to ask again, so it is a change. */
static bool
make_room(struct of_schema_cache *cache)
{
    while (of_schema_table_is_full(&cache->table)) {
        if (!of_schema_table_evict(&cache->table))
            return false;
        tell_change(cache);
    }
    return true;
}

static void
take_one(struct of_schema_cache *cache, struct of_schema_key key, int64_t now_ns)
{
    struct of_schema_entry *known = of_schema_table_get(&cache->table, key);
    if (known != NULL && known->state != OF_SCHEMA_UNKNOWN)
        return; /* somebody else has asked before */
    if (known == NULL && !make_room(cache))
        return;
    struct of_schema_entry *entry = make_entry(key, OF_SCHEMA_PENDING, NULL, now_ns, known);
    entry->due_ns = now_ns;
    of_schema_table_put(&cache->table, key, entry);
}

static void
take_wanted(struct of_schema_cache *cache, int64_t now_ns)
{
    size_t from = 0;
    for (struct of_schema_key key; of_schema_table_next_wanted(&cache->table, &from, &key);)
        take_one(cache, key, now_ns);
}

static struct of_schema_entry *
made_retry(struct of_schema_cache *cache, struct of_schema_entry *entry, enum of_schema_state state, const char *text,
           int64_t now_ns)
{
    struct of_schema_entry *next = make_entry(entry->key, state, text, now_ns, entry);
    next->back_off_ns = entry->back_off_ns;
    next->due_ns = now_ns + of_back_off_next(&cache->jitter, &next->back_off_ns,
                                             of_registry_client_wait_ms(cache->client));
    return next;
}

static struct of_schema_entry *
made_missed(struct of_schema_cache *cache, struct of_schema_entry *entry, const char *text, int64_t now_ns)
{
    /* A registry without GUIDs does not lag behind with one, and need not be asked for the next. */
    bool no_guids = entry->key.is_guid && of_registry_client_knows_no_guids(cache->client);
    bool confirmed = entry->missed || no_guids;
    if (no_guids)
        atomic_store_explicit(&cache->table.no_guids_until_ns, now_ns + no_guids_ns, memory_order_relaxed);
    struct of_schema_entry *next = make_entry(entry->key, confirmed ? OF_SCHEMA_UNKNOWN : OF_SCHEMA_PENDING,
                                              confirmed ? text : NULL, now_ns, entry);
    next->missed = true;
    next->expires_ns = confirmed ? now_ns + unknown_ns : 0;
    next->due_ns = confirmed ? OF_NEVER_NS : now_ns + recheck_ns;
    return next;
}

static struct of_schema_entry *
made_compiled(struct of_schema_cache *cache, struct of_schema_entry *entry, const struct of_schema_source *source,
              int64_t now_ns)
{
    struct of_plan *plan;
    struct of_error err = { 0 };
    char text[OF_SCHEMA_KEY_TEXT_BYTES];
    bool ready = of_schema_source_compile(source, &cache->options.fields, cache->options.max_field_bytes, &plan, &err)
                 == OF_OK;
    if (!ready)
        of_error_prefix(&err, "schema %s %s", entry->key.is_guid ? "GUID" : "id",
                        of_schema_key_print(entry->key, text));
    struct of_schema_entry *next = make_entry(entry->key, ready ? OF_SCHEMA_READY : OF_SCHEMA_UNRESOLVABLE,
                                              ready ? NULL : err.text, now_ns, entry);
    next->plan = plan;
    return next;
}

/* From the directory, or else from the registry, to be kept in the directory. */
static enum of_registry_answer
get_schema(struct of_schema_cache *cache, struct of_schema_key key, struct of_schema_source **source,
           struct of_error *err)
{
    *source = cache->store != NULL ? of_schema_store_get(cache->store, key) : NULL;
    if (*source != NULL) {
        of_counter_add(&cache->counts.from_directory, 1);
        return OF_REGISTRY_FOUND;
    }
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    enum of_registry_answer answer = of_registry_get_schema(cache->client, key, source, err);
    of_histogram_add(&cache->counts.request, of_clock_mono_ns(of_clock_system()) - began_ns, 1);
    of_counter_add(&cache->counts.requests[answer], 1);
    if (answer == OF_REGISTRY_FOUND && cache->store != NULL)
        of_schema_store_put(cache->store, key, *source);
    return answer;
}

/* Asks about an entry that is due, and publishes the answer. */
static void
look_up(struct of_schema_cache *cache, struct of_schema_entry *entry, int64_t now_ns)
{
    struct of_schema_source *source;
    struct of_error err = { 0 };
    enum of_registry_answer answer = get_schema(cache, entry->key, &source, &err);
    if (atomic_load(&cache->stopping)) {
        of_schema_source_destroy(&source);
        return;
    }
    if (cache->options.threaded)
        now_ns = of_clock_mono_ns(of_clock_system()); /* the request may have taken its time */
    struct of_schema_entry *next = NULL;
    switch (answer) {
    case OF_REGISTRY_FOUND: next = made_compiled(cache, entry, source, now_ns); break;
    case OF_REGISTRY_NOT_FOUND: next = made_missed(cache, entry, err.text, now_ns); break;
    case OF_REGISTRY_UNUSABLE: next = make_entry(entry->key, OF_SCHEMA_UNRESOLVABLE, err.text, now_ns, entry); break;
    case OF_REGISTRY_DENIED: next = made_retry(cache, entry, OF_SCHEMA_DENIED, err.text, now_ns); break;
    case OF_REGISTRY_UNAVAILABLE: next = made_retry(cache, entry, OF_SCHEMA_UNAVAILABLE, err.text, now_ns); break;
    }
    of_schema_source_destroy(&source);
    bool other_state = next->state != entry->state;
    of_schema_table_put(&cache->table, next->key, next);
    if (other_state)
        tell_change(cache);
}

/* Nobody has asked for what is retried. Who waits for it nevertheless asks again, as this is a change. */
static bool
is_forgotten(const struct of_schema_entry *entry, int64_t now_ns)
{
    return entry->state != OF_SCHEMA_PENDING &&
           now_ns - atomic_load_explicit(&entry->wanted_ns, memory_order_relaxed) > forgotten_ns;
}

/* Does one thing if there is one to do. Returns when there is the next: at most now_ns if something was done. */
static int64_t
turn(struct of_schema_cache *cache, int64_t now_ns)
{
    take_wanted(cache, now_ns);
    struct of_schema_entry *entry = of_schema_table_first_due(&cache->table);
    int64_t due_ns = entry != NULL ? entry->due_ns : OF_NEVER_NS;
    if (due_ns <= now_ns && is_forgotten(entry, now_ns)) {
        of_schema_table_put(&cache->table, entry->key, NULL);
        tell_change(cache);
    } else if (due_ns <= now_ns) {
        look_up(cache, entry, now_ns);
    }
    of_schema_table_reclaim(&cache->table);
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
    struct pollfd wanted = { .fd = cache->table.wake_fd, .events = POLLIN };
    int ready = ppoll(&wanted, 1, due_ns != OF_NEVER_NS ? &wait : NULL, NULL);
    uint64_t count;
    if (ready > 0 && read(cache->table.wake_fd, &count, sizeof count) < 0)
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
    char *copy = *name != NULL ? of_strdup(*name) : NULL;
    *name = copy;
    return copy;
}

static enum of_status
start_thread(struct of_schema_cache *cache, struct of_error *err)
{
    cache->table.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (cache->table.wake_fd < 0)
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
    cache->names[3] = keep_name(&cache->options.fields.reader_schema);
    cache->client = *client;
    *client = NULL;
    of_schema_table_init(&cache->table);
    cache->jitter.state = (uint64_t)of_clock_mono_ns(of_clock_system());
    pthread_mutex_init(&cache->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&cache->ended_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    enum of_status status = OF_OK;
    if (options->directory != NULL)
        status = of_schema_store_open(options->directory, of_registry_client_urls(cache->client), &cache->store, err);
    if (status == OF_OK && cache->options.threaded)
        status = start_thread(cache, err);
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
    of_schema_table_wake(&cache->table);
    struct timespec deadline = { .tv_sec = deadline_ns / OF_SECOND_NS, .tv_nsec = deadline_ns % OF_SECOND_NS };
    pthread_mutex_lock(&cache->lock);
    int number = 0;
    while (!cache->ended && number == 0)
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
    of_schema_table_fini(&c->table);
    of_registry_client_close(&c->client);
    of_schema_store_close(&c->store);
    if (c->table.wake_fd >= 0)
        close(c->table.wake_fd);
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
