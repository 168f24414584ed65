/* The least that a program built on librdkafka can do: fetch every record, touch it, destroy it.
 *
 * Its settings are the best found for that (bare_loop.c says which and why), so that whoever is compared with it is
 * compared with librdkafka itself. Threads: each function is called by a process that does nothing else. */
#ifndef BENCH_BARE_LOOP_H
#define BENCH_BARE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bare_property {
    const char *name, *value;
};

struct bare_loop {
    const char *brokers, *topic;
    const struct bare_property *properties; /* stronger than its own */
    size_t property_count;
};

/* Reads the topic from its beginning to its end; the time runs from the assignment of the partitions to the last
 * record. False: said why on standard error. */
int bare_loop_run(const struct bare_loop *loop, uint64_t *records, double *seconds);

/* How many records the topic holds; 0: there is no such topic. Negative: said why on standard error. */
int64_t bare_count(const struct bare_loop *loop);

/* Deletes topics; missing ones are no error. False: said why on standard error. */
bool bare_delete(const struct bare_loop *loop, const char *const *topics, size_t count);

#endif
