#include "core/flow.h"

bool
of_record_header(const struct of_chunk_ops *ops, const struct of_record *record, struct of_slice name,
                 struct of_slice *value)
{
    bool found = false;
    struct of_slice each_name, each_value;
    for (uint32_t i = 0; ops->header(record, i, &each_name, &each_value); i++)
        if (of_slice_equal(each_name, name)) {
            *value = each_value;
            found = true;
        }
    return found;
}
