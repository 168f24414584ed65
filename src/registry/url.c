#include "registry/url.h"

#include <string.h>

#include "core/memory.h"

char *
of_registry_url_next(const char **urls)
{
    const char *start = *urls + strspn(*urls, ", \t\n");
    size_t length = strcspn(start, ",");
    *urls = start + length;
    while (length > 0 && strchr(" \t\n/", start[length - 1]) != NULL)
        length--;
    if (length == 0)
        return NULL;
    char *url = of_alloc(length + 1);
    memcpy(url, start, length);
    return url;
}

/* The end of what may be credentials: up to the last '@', as a password that should have been escaped may hold any
 * character. Rather too much is left out than too little. */
static const char *
behind_credentials(const char *start, const char *end)
{
    for (const char *p = end; p > start; p--)
        if (p[-1] == '@')
            return p;
    return start;
}

static size_t
append(char *out, size_t size, size_t at, const char *start, const char *end)
{
    for (; start < end && at + 1 < size; start++)
        out[at++] = *start;
    out[at] = '\0';
    return at;
}

const char *
of_registry_url_print(const char *urls, char *out, size_t size)
{
    if (size == 0)
        return out;
    out[0] = '\0';
    size_t at = 0;
    while (*urls != '\0') {
        const char *end = urls + strcspn(urls, ",");
        const char *scheme_end = strstr(urls, "://");
        const char *start = scheme_end != NULL && scheme_end < end ? scheme_end + 3 : urls;
        at = append(out, size, at, urls, start);
        at = append(out, size, at, behind_credentials(start, end), end);
        if (*end == ',')
            at = append(out, size, at, end, end + 1);
        urls = *end == ',' ? end + 1 : end;
    }
    return out;
}
