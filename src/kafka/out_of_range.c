#include "kafka/out_of_range.h"

enum { TOPIC_SHOWN = 90 }; /* what a text has room for */

static enum of_status
hold(const struct of_slot *slot, int64_t offset, int64_t low, struct of_error *err)
{
    return of_error_set(err, OF_RETRY, "%.*s [%d] does not hold offset %lld any more, the first is %lld: retention has "
                        "passed %lld offsets; --on-out-of-range earliest goes on there, `orderflow reset` starts over",
                        TOPIC_SHOWN, slot->topic, slot->partition, (long long)offset, (long long)low,
                        (long long)(low - offset));
}

static enum of_status
skip(const struct of_slot *slot, int64_t offset, int64_t low, int64_t next, const char *where, struct of_error *err)
{
    return of_error_set(err, OF_OK, "%.*s [%d] goes on at offset %lld, its %s: %lld offsets from %lld on are skipped, of "
                        "which retention has passed %lld", TOPIC_SHOWN, slot->topic, slot->partition, (long long)next,
                        where, (long long)(next - offset), (long long)offset, (long long)(low - offset));
}

enum of_status
of_kafka_judge_range(const struct of_kafka_options *options, const struct of_slot *slot, int64_t offset, int64_t low,
                     int64_t high, int64_t *next, struct of_error *err)
{
    if (offset > high && offset > low)
        return of_error_set(err, OF_RETRY, "%.*s [%d] ends at offset %lld and does not hold offset %lld: its log was cut "
                            "back or the topic was made anew; `orderflow reset` starts over", TOPIC_SHOWN, slot->topic,
                            slot->partition, (long long)high, (long long)offset);
    if (offset >= low)
        return OF_AGAIN;
    switch (options->on_out_of_range) {
    case OF_KAFKA_SKIP_TO_FIRST: *next = low; return skip(slot, offset, low, *next, "first", err);
    case OF_KAFKA_SKIP_TO_LAST: *next = high > low ? high : low; return skip(slot, offset, low, *next, "end", err);
    case OF_KAFKA_HOLD: break;
    }
    return hold(slot, offset, low, err);
}
