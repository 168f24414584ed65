#include "core/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void
of_assert_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "orderflow: bug: %s:%d: %s: assertion failed: %s\n", file, line, function, condition);
    abort();
}
