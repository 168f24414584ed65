#include "core/crash_point.h"

typedef int of_crash_point_unit; /* ISO C wants something in a file */

#ifdef ORDERFLOW_CRASH_POINTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

const char *of_crash_at;

__attribute__((constructor)) static void
read_environment(void)
{
    of_crash_at = getenv("ORDERFLOW_CRASH_AT");
}

void
of_crash_point(const char *name)
{
    static atomic_long passed;
    const char *at = of_crash_at;
    size_t length = strcspn(at, ":");
    if (length == 0 || strlen(name) != length || strncmp(at, name, length) != 0)
        return;
    long wanted = at[length] == ':' ? strtol(at + length + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&passed, 1) + 1 >= wanted)
        raise(SIGKILL);
}
#endif
