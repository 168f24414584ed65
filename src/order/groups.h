/* The dictionary of group values ("Laptop"): bytes to a small dense number, the same number for every thread.
 *
 * Index 0 is "(other)": it stands for that very text, for an absent value, for values longer than
 * OF_GROUPS_VALUE_BYTES_MAX, and for every new value once the dictionary is full (max_groups values beside it, or
 * OF_GROUPS_TOTAL_BYTES_MAX of text). Other values get 1, 2, ... in the order in which they first came. Nothing is ever
 * removed or moved.
 *
 * Owner: whoever called create. Errors: none.
 *
 *   of_groups_intern              any thread; lock-free for known values and when full; a new value takes a mutex
 *   of_groups_name, of_groups_count   any thread, never blocks
 *   of_groups_create, _destroy    one thread, no other using it
 *
 * Cost: some 10 ns for a known short value; memory 16 bytes per possible group and up to 32 more for the table, and
 * the values themselves. The hash is seeded by the kernel's random numbers, so that chosen values cannot collide. */
#ifndef OF_ORDER_GROUPS_H
#define OF_ORDER_GROUPS_H

#include "core/slice.h"

enum {
    OF_GROUPS_OTHER = 0, /* index of "(other)" */
    OF_GROUPS_VALUE_BYTES_MAX = 65535,
    OF_GROUPS_TOTAL_BYTES_MAX = 64 << 20,
    OF_GROUPS_MAX = 1 << 28, /* the largest max_groups */
};

struct of_groups;

/* An empty dictionary for max_groups values beside "(other)"; 0 is allowed, and counts everything there. */
struct of_groups *of_groups_create(uint32_t max_groups);

void of_groups_destroy(struct of_groups **groups);

/* The index of the value, which is entered if it is new and there is room. The bytes are copied. */
uint32_t of_groups_intern(struct of_groups *groups, struct of_slice value);

/* The value of an index that intern has returned. Lives as long as the dictionary. */
struct of_slice of_groups_name(const struct of_groups *groups, uint32_t index);

/* Indexes in use: 1, for "(other)", up to max_groups + 1. Every index below it has a name. */
uint32_t of_groups_count(const struct of_groups *groups);

/* Whether a value that is not known yet would count under "(other)" for want of room. */
bool of_groups_full(const struct of_groups *groups);

#endif
