#include "core/flow.h"

void
of_chunk_prefetch(const struct of_chunk *chunk, uint32_t at)
{
    __builtin_prefetch(chunk->records[at]);
}

bool
of_record_header(const struct of_chunk_ops *ops, const struct of_record *record, struct of_slice name,
                 struct of_slice *value)
{
    bool found = false;
    struct of_slice each_name, each_value;
    for (struct of_header_walk walk = { 0 }; ops->header(record, &walk, &each_name, &each_value);)
        if (of_slice_equal(each_name, name)) {
            *value = each_value;
            found = true;
        }
    return found;
}
