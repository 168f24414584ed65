#include "ops/measured.h"

#include <stdlib.h>

#include "core/memory.h"

const char *const of_measured_outcomes[OF_MEASURED_OUTCOMES] = { "written", "committed", "aborted", "unknown", "failed" };

void
of_measured_init(struct of_measured *measured)
{
    memset(measured, 0, sizeof *measured);
    of_totals_init(&measured->run);
    of_totals_init(&measured->total);
}

void
of_measured_fini(struct of_measured *measured)
{
    free(measured->stages);
    free(measured->rings);
    free(measured->pools);
    free(measured->partitions);
    free(measured->holds);
    free(measured->lanes);
    free(measured->clients);
    free(measured->letters);
    of_exact_sum_fini(&measured->live.sum);
    of_totals_fini(&measured->run);
    of_totals_fini(&measured->total);
}

int64_t
of_measured_partition_lag(const struct of_measured_partition *partition)
{
    if (partition->end < 0 || partition->committed < 0)
        return -1;
    return partition->end > partition->committed ? partition->end - partition->committed : 0;
}

int64_t
of_measured_lag(const struct of_measured *measured)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < measured->partition_count; i++) {
        int64_t lag = of_measured_partition_lag(&measured->partitions[i]);
        if (lag < 0)
            return -1;
        sum += lag;
    }
    return measured->partition_count > 0 ? sum : -1;
}

/* Grows when the count is a power of two. */
void *
of_measured_add(void *array, uint32_t *count, size_t bytes)
{
    void *memory;
    memcpy(&memory, array, sizeof memory);
    if ((*count & (*count - 1)) == 0) {
        memory = of_realloc_array(memory, *count == 0 ? 1 : 2 * (size_t)*count, bytes);
        memcpy(array, &memory, sizeof memory);
    }
    return memset((char *)memory + bytes * (*count)++, 0, bytes);
}
