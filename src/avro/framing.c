#include "avro/framing.h"

bool
of_framing_search(const struct of_chunk_ops *ops, const struct of_record *record, struct of_framing *framing)
{
    static const char wanted[] = OF_FRAMING_HEADER;
    struct of_slice name, value, last = { 0 };
    for (struct of_header_walk walk = { 0 }; ops->header(record, &walk, &name, &value);)
        if (name.length == sizeof wanted - 1 && value.length > 0 && memcmp(name.data, wanted, name.length) == 0)
            last = value;
    if (last.length == 0)
        return of_framing_read(record->value, framing);
    if (!of_framing_read(last, framing) || framing->body_at != last.length)
        return false;
    framing->body_at = 0;
    return true;
}
