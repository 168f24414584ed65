/* Schema key (id or GUID) to plan, for threads that must not wait.
 *
 * Decode threads ask by key and get an answer at once; one lookup thread asks the registry, compiles plans, publishes.
 * What a key is known to be:
 *
 *     state          a record with that key  moved on by
 *     READY          is decoded              nothing: the plan stays until the cache is destroyed
 *     PENDING        waits                   the registry's answer
 *     UNAVAILABLE    waits; text says why    the registry's answer; asked again after 100 ms, doubling up to 5 s, or
 *                                            when the registry wants it (Retry-After, up to a minute)
 *     DENIED         waits; text says why    the same, but asked again only every 10 s or so: it is no retry
 *     UNKNOWN        is poison               the next find later than 30 s after it: PENDING again
 *     UNRESOLVABLE   is poison; text: why    nothing
 *
 * UNKNOWN takes two answers of the registry 500 ms apart, as a registry's follower may lag behind what a producer has
 * just registered. At most 10,000 keys are kept: beyond that the oldest that are not READY make room, poison first. A
 * key for which nobody has asked for a minute is no longer retried but forgotten. Ids and GUIDs are kept apart. While a
 * registry is known to have no GUIDs, each is UNKNOWN at once.
 *
 * With a directory, schemas are looked for there before the registry is asked, and are kept there (registry/store.h).
 *
 * Waiting is done elsewhere: whoever was told to wait asks again after `changed`. Every change also moves a version, so
 * that a change between an answer and the wait for the next one is not missed: read the version before find, and do not
 * wait if it is another afterwards.
 *
 *                         threads that decode          the thread that runs it all
 *   enter, leave          each for itself              to decode as well
 *   read_begin, read_end  each for itself, no nesting  the same
 *   find                  between those two            the same
 *   version               any time                     any time
 *   step                  no                           if not threaded, outside read_begin and read_end
 *   create, stop, destroy no                           yes; destroy when all others have left
 *
 * Errors: states, see above. Cost: find is a binary search in an array that does not change; it never blocks, and
 * allocates nothing. Only table.c knows liburcu. */
#ifndef OF_REGISTRY_CACHE_H
#define OF_REGISTRY_CACHE_H

#include "avro/plan.h"
#include "core/histogram.h"
#include "registry/client.h"

struct of_schema_cache;

enum of_schema_state {
    OF_SCHEMA_READY,
    OF_SCHEMA_PENDING,
    OF_SCHEMA_UNAVAILABLE,
    OF_SCHEMA_DENIED,
    OF_SCHEMA_UNKNOWN,
    OF_SCHEMA_UNRESOLVABLE,
};

struct of_schema_cache_options {
    struct of_plan_fields fields; /* copied */
    size_t max_field_bytes;
    const char *directory;     /* keeps schemas across restarts; NULL: none. Copied */
    bool threaded;             /* false: nothing happens but in of_schema_cache_step */
    void (*changed)(void *ctx); /* on the lookup thread, or in step, after a key changed its state; may be NULL */
    void *ctx;
};

/* Requests for schemas to the registry since the start, by answer (enum of_registry_answer), and how long they took; and
 * schemas that the directory had. Written by the lookup thread, read by any. */
struct of_schema_cache_counts {
    of_counter requests[OF_REGISTRY_ANSWERS];
    struct of_histogram request;
    of_counter from_directory;
};

struct of_schema_found {
    const struct of_plan *plan; /* READY; lives as long as the cache, beyond read_end too. Otherwise NULL */
    const char *text;           /* why not, in the states that have a text, valid until read_end. Otherwise NULL */
};

/* Takes the client, clears the caller's pointer, and, if threaded, starts the lookup thread. OF_FATAL: the system has
 * no thread or no descriptor left, or the directory cannot be used; the client is then closed. */
OF_MUST_USE enum of_status of_schema_cache_create(const struct of_schema_cache_options *options,
                                                  struct of_registry_client **client, struct of_schema_cache **out,
                                                  struct of_error *err);

/* Ends the lookup thread, cancelling a request under way; waits until `deadline_ns` of the monotonic system clock.
 * OF_AGAIN: it has not ended yet, and the cache must not be destroyed. OF_OK at once when there is no thread. */
OF_MUST_USE enum of_status of_schema_cache_stop(struct of_schema_cache *cache, int64_t deadline_ns);

/* Stopped, or not threaded. Clears the caller's pointer; NULL inside is fine. */
void of_schema_cache_destroy(struct of_schema_cache **cache);

/* Around everything that a thread reads. */
void of_schema_cache_enter(void);
void of_schema_cache_leave(void);

/* Around one batch: short, and nothing that blocks in between. */
void of_schema_cache_read_begin(void);
void of_schema_cache_read_end(void);

/* What is known about key. PENDING also asks for it, once, however many threads do. */
enum of_schema_state of_schema_cache_find(struct of_schema_cache *cache, struct of_schema_key key, int64_t now_ns,
                                          struct of_schema_found *found);

/* Grows with every change of any key. */
uint64_t of_schema_cache_version(const struct of_schema_cache *cache);

const struct of_schema_cache_counts *of_schema_cache_counts(const struct of_schema_cache *cache);

/* Without a thread: does what it would do at that time, which is every request that is due. Blocks as long as those.
 * Returns when there is something to do next (OF_NEVER_NS: not before somebody asks). */
int64_t of_schema_cache_step(struct of_schema_cache *cache, int64_t now_ns);

/* "ready", "pending", "unavailable", "denied", "unknown", "unresolvable". Never NULL. */
const char *of_schema_state_name(enum of_schema_state state);

#endif
