#include "support/counting_malloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

/* What glibc offers for this. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

const char *const counting_stages[COUNTING_STAGES] = { "fetch", "decode", "process", "aggregate", "publish" };

enum { NOT_LOOKED = 0, NOT_OURS = -1 };

static _Atomic bool counting;
static _Atomic uint64_t counts[COUNTING_STAGES];
static _Thread_local int stage; /* number + 1 */

/* A thread gets its name just after its start: nobody may ask before counting has begun. */
static int
look_at_name(void)
{
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    for (int i = 0; i < COUNTING_STAGES; i++) {
        size_t length = strlen(counting_stages[i]);
        if (strncmp(name, counting_stages[i], length) == 0 && name[length] == '-')
            return i + 1;
    }
    return NOT_OURS;
}

static void
count_call(void)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return;
    if (stage == NOT_LOOKED)
        stage = look_at_name();
    if (stage > 0)
        atomic_fetch_add_explicit(&counts[stage - 1], 1, memory_order_relaxed);
}

void
counting_begin(void)
{
    for (int i = 0; i < COUNTING_STAGES; i++)
        atomic_store(&counts[i], 0);
    atomic_store(&counting, true);
}

uint64_t
counting_end(uint64_t calls[COUNTING_STAGES])
{
    atomic_store(&counting, false);
    uint64_t sum = 0;
    for (int i = 0; i < COUNTING_STAGES; i++)
        sum += calls[i] = atomic_load(&counts[i]);
    return sum;
}

/* ---- in the C library's place ---- */

void *
malloc(size_t bytes)
{
    count_call();
    return __libc_malloc(bytes);
}

void *
calloc(size_t count, size_t bytes)
{
    count_call();
    return __libc_calloc(count, bytes);
}

void *
realloc(void *memory, size_t bytes)
{
    count_call();
    return __libc_realloc(memory, bytes);
}

void *
aligned_alloc(size_t alignment, size_t bytes)
{
    count_call();
    return __libc_memalign(alignment, bytes);
}
