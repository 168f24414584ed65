/* The header that all benchmarks print, as one line of JSON, for those that are scripts (drains.py). */
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"

int
main(void)
{
    json_t *machine = bench_machine();
    int failed = json_dumpf(machine, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF;
    json_decref(machine);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
