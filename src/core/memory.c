#include "core/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
checked(void *memory, size_t bytes)
{
    if (memory == NULL) {
        fprintf(stderr, "orderflow: out of memory (%zu bytes wanted)\n", bytes);
        abort();
    }
    return memory;
}

void *
of_alloc(size_t bytes)
{
    return of_alloc_array(1, bytes);
}

void *
of_alloc_array(size_t count, size_t bytes)
{
    return checked(calloc(count ? count : 1, bytes ? bytes : 1), count * bytes);
}

void *
of_realloc_array(void *memory, size_t count, size_t bytes)
{
    return checked(reallocarray(memory, count ? count : 1, bytes ? bytes : 1), count * bytes);
}

void *
of_alloc_lines(size_t bytes)
{
    size_t rounded = (bytes + OF_CACHE_LINE_BYTES - 1) / OF_CACHE_LINE_BYTES * OF_CACHE_LINE_BYTES;
    if (rounded == 0)
        rounded = OF_CACHE_LINE_BYTES;
    void *memory = checked(rounded < bytes ? NULL : aligned_alloc(OF_CACHE_LINE_BYTES, rounded), bytes);
    return memset(memory, 0, rounded);
}

char *
of_strdup(const char *text)
{
    return checked(strdup(text), strlen(text) + 1);
}
