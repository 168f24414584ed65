/* Bytes that belong to somebody else.
 *
 * A slice is a borrowed view: it owns nothing and lives as long as whatever the function that returned it says.
 * data == NULL means "absent" (a null key, a null value), which differs from present and empty. */
#ifndef OF_CORE_SLICE_H
#define OF_CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct of_slice {
    const uint8_t *data;
    size_t length; /* bytes */
};

static inline struct of_slice
of_slice_of(const void *data, size_t length)
{
    return (struct of_slice) { data, length };
}

/* The bytes of a C string, without its NUL. */
static inline struct of_slice
of_slice_str(const char *text)
{
    return (struct of_slice) { (const uint8_t *)text, strlen(text) };
}

/* Same bytes; an absent slice equals only an absent one. */
static inline bool
of_slice_equal(struct of_slice a, struct of_slice b)
{
    if (a.data == NULL || b.data == NULL)
        return a.data == b.data;
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

#endif
