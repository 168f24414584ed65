/* Allocation that cannot fail: out of memory ends the process with a message, as every recovery would have to allocate.
 * Release with free(). Not for sizes that come from outside: compare those with a limit first. */
#ifndef OF_CORE_MEMORY_H
#define OF_CORE_MEMORY_H

#include <stddef.h>

void *of_alloc(size_t bytes) __attribute__((malloc, returns_nonnull));                 /* zeroed */
void *of_alloc_array(size_t count, size_t bytes) __attribute__((malloc, returns_nonnull)); /* zeroed, overflow checked */
/* count elements of `bytes` each; the grown part is NOT zeroed. */
void *of_realloc_array(void *memory, size_t count, size_t bytes) __attribute__((returns_nonnull));
/* Zeroed, aligned to a cache line: for what one thread writes and another reads. Release with free(). */
void *of_alloc_lines(size_t bytes) __attribute__((malloc, returns_nonnull));
char *of_strdup(const char *text) __attribute__((malloc, returns_nonnull));

enum { OF_CACHE_LINE_BYTES = 64 };

#endif
