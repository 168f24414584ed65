/* What is known about each schema key, written by one thread and read by many: private to registry/.
 *
 * A snapshot is an immutable array of entries in the order of their keys. A change builds another one, publishes it with
 * one store, and frees the old one when all who might read it have left their sections (liburcu, known to table.c alone).
 *
 *                        readers, inside a section   the writer
 *   of_schema_table_find  any number                 may run beside
 *   all others            no                         one thread, outside a section
 *
 * Cost: find allocates nothing and never blocks; a change copies the array and waits for the readers of the moment. */
#ifndef OF_REGISTRY_TABLE_H
#define OF_REGISTRY_TABLE_H

#include <stdatomic.h>

#include "registry/cache.h"

enum {
    OF_SCHEMA_KEYS_MAX = 10000,
    OF_SCHEMA_TEXT_BYTES = 512,
    OF_SCHEMA_WANTED_SLOTS = 1024,
};

/* One key in one state. Readers see the first part, which does not change: another state is another entry. */
struct of_schema_entry {
    struct of_schema_key key;
    enum of_schema_state state;
    struct of_plan *plan;      /* READY; the table's, given back in fini */
    int64_t expires_ns;        /* UNKNOWN */
    _Atomic int64_t wanted_ns; /* when it was last asked for; not kept up for READY */
    char text[OF_SCHEMA_TEXT_BYTES]; /* "" for none */

    /* the writer's own */
    int64_t since_ns;    /* of this state */
    int64_t due_ns;      /* when to ask the registry; OF_NEVER_NS: not */
    int64_t back_off_ns; /* before this retry; 0: there was no failure */
    bool missed;         /* the registry once said that it does not exist */
};

struct of_schema_snapshot;

/* Where a reader leaves a key that it wants. tag: 0, free; 1, a reader is writing the key; otherwise the key is there,
 * and this is a hash of it, so that nobody has to read a key that may be about to go. */
struct of_schema_wanted {
    _Atomic uint64_t tag;
    struct of_schema_key key;
};

struct of_schema_table {
    struct of_schema_snapshot *_Atomic current;
    struct of_schema_wanted wanted[OF_SCHEMA_WANTED_SLOTS]; /* put by readers, taken by the writer */
    _Atomic int64_t no_guids_until_ns; /* until then every GUID that is not known is UNKNOWN; written by the writer */
    int wake_fd; /* an eventfd of the owner, which readers write when they want a key; -1: none */

    /* the writer's */
    size_t ready_count;
    void *retired[4]; /* no longer reachable, maybe still being read */
    size_t retired_count;
};

void of_schema_table_init(struct of_schema_table *table);
void of_schema_table_fini(struct of_schema_table *table);

/* The contract of of_schema_cache_find. */
enum of_schema_state of_schema_table_find(struct of_schema_table *table, struct of_schema_key key, int64_t now_ns,
                                          struct of_schema_found *found);

/* Takes one key that readers want; *from, 0 at first, is where to go on. False: there are no more. */
bool of_schema_table_next_wanted(struct of_schema_table *table, size_t *from, struct of_schema_key *key);

/* The entry of key, or NULL. It lives until it is replaced and of_schema_table_reclaim is called. */
struct of_schema_entry *of_schema_table_get(const struct of_schema_table *table, struct of_schema_key key);

/* The entry whose due_ns is the earliest, or NULL when none is due ever. */
struct of_schema_entry *of_schema_table_first_due(const struct of_schema_table *table);

/* Publishes what is known about key in place of what was; NULL forgets it. Takes the entry. A READY one stays. */
void of_schema_table_put(struct of_schema_table *table, struct of_schema_key key, struct of_schema_entry *entry);

/* OF_SCHEMA_KEYS_MAX entries are there. */
bool of_schema_table_is_full(const struct of_schema_table *table);

/* Forgets one entry: poison before what is waited for, then the oldest. False: all are READY. */
bool of_schema_table_evict(struct of_schema_table *table);

/* Frees what was replaced, once nobody reads it any more. */
void of_schema_table_reclaim(struct of_schema_table *table);

/* Makes wake_fd readable. Any thread. */
void of_schema_table_wake(struct of_schema_table *table);

#endif
