/* delete BROKERS TOPIC...: deletes topics, for those benchmarks that are scripts (drains.py). */
#include <stdio.h>

#include "bare_loop.h"

int
main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: delete BROKERS TOPIC...\n");
        return 2;
    }
    const struct bare_loop loop = { .brokers = argv[1] };
    return bare_delete(&loop, (const char *const *)argv + 2, (size_t)argc - 2) ? 0 : 1;
}
