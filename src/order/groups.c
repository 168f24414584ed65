#include "order/groups.h"

#include "core/assert.h"
#include "core/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* Open addressing with linear probing. A slot is 0 while empty, then for ever tag << 32 | index, where the tag is the
 * upper half of the hash and never 0. The slot is stored with release order after the name: whoever sees it (acquire)
 * sees the name. At most half of the slots are ever used, so every probe ends at an empty one. */
struct of_groups {
    uint64_t seed;
    uint64_t slot_mask;
    uint32_t max_groups;
    atomic_bool full;
    _Atomic uint64_t *slots;
    struct of_slice *names; /* max_groups + 1; immutable once their slot is stored */

    _Alignas(OF_CACHE_LINE_BYTES) pthread_mutex_t insert_lock; /* every store is made under it */
    size_t total_bytes;
    _Atomic uint32_t count;
};

static const char other_name[] = "(other)";

static uint64_t
load_u64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static uint32_t
load_u32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* Both halves of the product, folded: every bit of the result depends on every bit of a and b. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The last 0 to 8 bytes as one number, without reading beyond them. The length is hashed separately. */
static uint64_t
load_tail(const uint8_t *bytes, size_t length)
{
    if (length >= 4)
        return load_u32(bytes) | (uint64_t)load_u32(bytes + length - 4) << 32;
    if (length > 0)
        return bytes[0] | (uint64_t)bytes[length / 2] << 8 | (uint64_t)bytes[length - 1] << 16;
    return 0;
}

static uint64_t
hash_of(uint64_t seed, struct of_slice value)
{
    const uint64_t odd_a = UINT64_C(0x9e3779b97f4a7c15), odd_b = UINT64_C(0xd6e8feb86659fd93);
    const uint8_t *bytes = value.data;
    size_t left = value.length;
    uint64_t hash = seed ^ fold(value.length + odd_a, odd_b);
    for (; left > 8; bytes += 8, left -= 8)
        hash = fold(hash ^ load_u64(bytes), odd_a) ^ seed;
    hash = fold(hash ^ load_tail(bytes, left), odd_a);
    return fold(hash ^ seed, odd_b);
}

static uint64_t
random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed)
        return seed;
    struct timespec now; /* early at boot: still different in every process */
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)&now;
}

static uint64_t
tag_of(uint64_t hash)
{
    uint64_t tag = hash >> 32;
    return tag != 0 ? tag : 1;
}

/* The slot that holds the value, or the empty one where it would go. */
static uint64_t
find_slot(const struct of_groups *groups, uint64_t hash, struct of_slice value, uint64_t *content)
{
    for (uint64_t at = hash & groups->slot_mask;; at = (at + 1) & groups->slot_mask) {
        *content = atomic_load_explicit(&groups->slots[at], memory_order_acquire);
        if (*content == 0)
            return at;
        if (*content >> 32 == tag_of(hash) && of_slice_equal(groups->names[(uint32_t)*content], value))
            return at;
    }
}

/* Under the lock. The value is not in the dictionary, there is room, and `at` is the empty slot where it belongs. */
static uint32_t
enter(struct of_groups *groups, uint64_t hash, struct of_slice value, uint64_t at)
{
    uint32_t index = atomic_load_explicit(&groups->count, memory_order_relaxed);
    uint8_t *copy = of_alloc(value.length);
    if (value.length > 0)
        memcpy(copy, value.data, value.length);
    groups->names[index] = of_slice_of(copy, value.length);
    groups->total_bytes += value.length;
    /* The count comes first: of_groups_name must know an index as soon as a slot gives it to another thread. */
    atomic_store_explicit(&groups->count, index + 1, memory_order_release);
    atomic_store_explicit(&groups->slots[at], tag_of(hash) << 32 | index, memory_order_release);
    if (index == groups->max_groups)
        atomic_store_explicit(&groups->full, true, memory_order_release);
    return index;
}

static uint32_t
intern_new(struct of_groups *groups, uint64_t hash, struct of_slice value)
{
    uint32_t index = OF_GROUPS_OTHER;
    uint64_t content;
    pthread_mutex_lock(&groups->insert_lock);
    uint64_t at = find_slot(groups, hash, value, &content); /* somebody may have been faster */
    if (content != 0)
        index = (uint32_t)content;
    else if (of_groups_full(groups))
        index = OF_GROUPS_OTHER;
    else if (groups->total_bytes + value.length > OF_GROUPS_TOTAL_BYTES_MAX)
        atomic_store_explicit(&groups->full, true, memory_order_release);
    else
        index = enter(groups, hash, value, at);
    pthread_mutex_unlock(&groups->insert_lock);
    return index;
}

uint32_t
of_groups_intern(struct of_groups *groups, struct of_slice value)
{
    if (value.data == NULL || value.length > OF_GROUPS_VALUE_BYTES_MAX)
        return OF_GROUPS_OTHER;
    uint64_t content, hash = hash_of(groups->seed, value);
    bool full = of_groups_full(groups); /* asked after the look-up, the last value to fit could slip in between */
    find_slot(groups, hash, value, &content);
    if (__builtin_expect(content != 0, 1))
        return (uint32_t)content;
    return full ? OF_GROUPS_OTHER : intern_new(groups, hash, value);
}

struct of_groups *
of_groups_create(uint32_t max_groups)
{
    OF_ASSERT(max_groups <= OF_GROUPS_MAX);
    uint64_t slot_count = 16;
    while (slot_count < 2 * ((uint64_t)max_groups + 1))
        slot_count *= 2;
    struct of_groups *groups = of_alloc_lines(sizeof *groups);
    groups->seed = random_seed();
    groups->slot_mask = slot_count - 1;
    groups->max_groups = max_groups;
    groups->slots = of_alloc_array(slot_count, sizeof *groups->slots);
    groups->names = of_alloc_array((size_t)max_groups + 1, sizeof *groups->names);
    pthread_mutex_init(&groups->insert_lock, NULL);
    struct of_slice other = of_slice_str(other_name);
    uint64_t content, hash = hash_of(groups->seed, other);
    uint32_t index = enter(groups, hash, other, find_slot(groups, hash, other, &content));
    OF_ASSERT(index == OF_GROUPS_OTHER);
    return groups;
}

void
of_groups_destroy(struct of_groups **groups)
{
    struct of_groups *gone = *groups;
    *groups = NULL;
    if (gone == NULL)
        return;
    for (uint32_t index = 0; index < of_groups_count(gone); index++)
        free((void *)(uintptr_t)gone->names[index].data);
    pthread_mutex_destroy(&gone->insert_lock);
    free(gone->names);
    free(gone->slots);
    free(gone);
}

struct of_slice
of_groups_name(const struct of_groups *groups, uint32_t index)
{
    OF_ASSERT(index < of_groups_count(groups));
    return groups->names[index];
}

uint32_t
of_groups_count(const struct of_groups *groups)
{
    return atomic_load_explicit(&groups->count, memory_order_acquire);
}

bool
of_groups_full(const struct of_groups *groups)
{
    return atomic_load_explicit(&groups->full, memory_order_acquire);
}
