#include "registry/table.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <urcu/urcu-memb.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/ring.h" /* OF_TSAN_ACQUIRE */

enum { WANTED_PROBES = 16 };

/* All entries in the order of their keys. Never changed after it is published: readers search it while the next one is
 * built. */
struct of_schema_snapshot {
    size_t count;
    bool full; /* of READY entries: nothing can make room */
    struct of_schema_entry *entries[];
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

void
of_schema_table_reclaim(struct of_schema_table *table)
{
    if (table->retired_count == 0)
        return;
    wait_for_readers();
    while (table->retired_count > 0)
        free(table->retired[--table->retired_count]);
}

static void
retire(struct of_schema_table *table, void *memory)
{
    if (table->retired_count == sizeof table->retired / sizeof *table->retired)
        of_schema_table_reclaim(table);
    table->retired[table->retired_count++] = memory;
}

/* ---- readers ---- */

/* Where key is in the snapshot, or would be. */
static size_t
place_of(const struct of_schema_snapshot *snapshot, struct of_schema_key key)
{
    size_t low = 0, high = snapshot->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (of_schema_key_before(snapshot->entries[middle]->key, key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct of_schema_entry *
entry_of(const struct of_schema_snapshot *snapshot, struct of_schema_key key)
{
    size_t at = place_of(snapshot, key);
    bool there = at < snapshot->count && of_schema_key_equal(snapshot->entries[at]->key, key);
    return there ? snapshot->entries[at] : NULL;
}

void
of_schema_table_wake(struct of_schema_table *table)
{
    uint64_t one = 1;
    if (table->wake_fd >= 0 && write(table->wake_fd, &one, sizeof one) < 0)
        OF_ASSERT(errno == EAGAIN); /* the counter is at its end: it has been woken often enough */
}

/* Not 0 and not 1. */
static uint64_t
tag_of(struct of_schema_key key)
{
    uint64_t mixed = (key.low ^ key.high * UINT64_C(0x9e3779b97f4a7c15) ^ key.is_guid) * UINT64_C(0xbf58476d1ce4e5b9);
    return (mixed ^ mixed >> 32) | UINT64_C(1) << 63;
}

/* Leaves the key where the lookup thread finds it. When there are too many for that, or another key looks the same,
 * those that are there will change, and whoever waits asks again then. */
static enum of_schema_state
ask_for(struct of_schema_table *table, struct of_schema_key key)
{
    const uint64_t tag = tag_of(key);
    for (uint32_t i = 0; i < WANTED_PROBES; i++) {
        struct of_schema_wanted *slot = &table->wanted[(tag + i) % OF_SCHEMA_WANTED_SLOTS];
        uint64_t there = 0;
        if (atomic_compare_exchange_strong_explicit(&slot->tag, &there, 1, memory_order_acquire,
                                                    memory_order_relaxed)) {
            slot->key = key;
            atomic_store_explicit(&slot->tag, tag, memory_order_release);
            of_schema_table_wake(table);
            break;
        }
        if (there == tag)
            break;
    }
    return OF_SCHEMA_PENDING;
}

enum of_schema_state
of_schema_table_find(struct of_schema_table *table, struct of_schema_key key, int64_t now_ns,
                     struct of_schema_found *found)
{
    const struct of_schema_snapshot *snapshot = atomic_load_explicit(&table->current, memory_order_acquire);
    struct of_schema_entry *entry = entry_of(snapshot, key);
    *found = (struct of_schema_found) { 0 };
    if (entry == NULL && snapshot->full) {
        found->text = "the schema cache is full of schemas in use; restart to begin anew";
        return OF_SCHEMA_UNAVAILABLE;
    }
    if (entry == NULL && key.is_guid &&
        now_ns < atomic_load_explicit(&table->no_guids_until_ns, memory_order_relaxed)) {
        found->text = "the schema registry knows no GUIDs";
        return OF_SCHEMA_UNKNOWN;
    }
    if (entry == NULL)
        return ask_for(table, key);
    if (entry->state == OF_SCHEMA_READY) {
        found->plan = entry->plan;
        return OF_SCHEMA_READY;
    }
    atomic_store_explicit(&entry->wanted_ns, now_ns, memory_order_relaxed);
    if (entry->state == OF_SCHEMA_UNKNOWN && now_ns >= entry->expires_ns)
        return ask_for(table, key);
    found->text = entry->text[0] != '\0' ? entry->text : NULL;
    return entry->state;
}

/* ---- the writer ---- */

static const struct of_schema_snapshot *
current(const struct of_schema_table *table)
{
    return atomic_load_explicit(&table->current, memory_order_relaxed); /* only this thread writes it */
}

struct of_schema_entry *
of_schema_table_get(const struct of_schema_table *table, struct of_schema_key key)
{
    return entry_of(current(table), key);
}

void
of_schema_table_put(struct of_schema_table *table, struct of_schema_key key, struct of_schema_entry *entry)
{
    struct of_schema_snapshot *old = atomic_load_explicit(&table->current, memory_order_relaxed);
    size_t at = place_of(old, key);
    struct of_schema_entry *replaced = entry_of(old, key);
    size_t behind = at + (replaced != NULL);
    struct of_schema_snapshot *new = of_alloc(sizeof *new + (old->count + 1) * sizeof *new->entries);
    memcpy(new->entries, old->entries, at * sizeof *new->entries);
    new->count = at;
    if (entry != NULL)
        new->entries[new->count++] = entry;
    memcpy(new->entries + new->count, old->entries + behind, (old->count - behind) * sizeof *new->entries);
    new->count += old->count - behind;
    table->ready_count += entry != NULL && entry->state == OF_SCHEMA_READY;
    new->full = table->ready_count >= OF_SCHEMA_KEYS_MAX;
    atomic_store_explicit(&table->current, new, memory_order_release);
    retire(table, old);
    if (replaced != NULL)
        retire(table, replaced);
}

static bool
is_poison(enum of_schema_state state)
{
    return state == OF_SCHEMA_UNKNOWN || state == OF_SCHEMA_UNRESOLVABLE;
}

/* Whether a is to be given up rather than b: poison before what is waited for, then the older. */
static bool
goes_first(const struct of_schema_entry *a, const struct of_schema_entry *b)
{
    if (is_poison(a->state) != is_poison(b->state))
        return is_poison(a->state);
    return a->since_ns < b->since_ns;
}

bool
of_schema_table_is_full(const struct of_schema_table *table)
{
    return current(table)->count >= OF_SCHEMA_KEYS_MAX;
}

bool
of_schema_table_evict(struct of_schema_table *table)
{
    const struct of_schema_snapshot *snapshot = current(table);
    const struct of_schema_entry *victim = NULL;
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct of_schema_entry *entry = snapshot->entries[i];
        if (entry->state != OF_SCHEMA_READY && (victim == NULL || goes_first(entry, victim)))
            victim = entry;
    }
    if (victim == NULL)
        return false;
    of_schema_table_put(table, victim->key, NULL);
    return true;
}

struct of_schema_entry *
of_schema_table_first_due(const struct of_schema_table *table)
{
    const struct of_schema_snapshot *snapshot = current(table);
    struct of_schema_entry *first = NULL;
    for (size_t i = 0; i < snapshot->count; i++) {
        struct of_schema_entry *entry = snapshot->entries[i];
        if (entry->due_ns != OF_NEVER_NS && (first == NULL || entry->due_ns < first->due_ns))
            first = entry;
    }
    return first;
}

bool
of_schema_table_next_wanted(struct of_schema_table *table, size_t *from, struct of_schema_key *key)
{
    while (*from < OF_SCHEMA_WANTED_SLOTS) {
        struct of_schema_wanted *slot = &table->wanted[(*from)++];
        if (atomic_load_explicit(&slot->tag, memory_order_acquire) <= 1)
            continue;
        *key = slot->key;
        atomic_store_explicit(&slot->tag, 0, memory_order_release);
        return true;
    }
    return false;
}

void
of_schema_table_init(struct of_schema_table *table)
{
    memset(table, 0, sizeof *table);
    table->wake_fd = -1;
    atomic_init(&table->current, of_alloc(sizeof(struct of_schema_snapshot)));
}

void
of_schema_table_fini(struct of_schema_table *table)
{
    of_schema_table_reclaim(table);
    struct of_schema_snapshot *snapshot = atomic_load(&table->current);
    for (size_t i = 0; i < snapshot->count; i++) {
        of_plan_destroy(&snapshot->entries[i]->plan);
        free(snapshot->entries[i]);
    }
    free(snapshot);
}
