/* What a log holds, asked of its leader when it says that an offset is out of range: first where it begins, then where
 * it ends. kafka/out_of_range.h says what comes of it. What is passed over becomes a stretch without batches, as gaps of a
 * compacted topic do, so that it is committed like anything that was read. */
#include <stdlib.h>

#include "core/memory.h"
#include "kafka/client.h"
#include "kafka/direct/fetcher.h"
#include "kafka/out_of_range.h"
#include "order/cause.h"

enum { READ_COMMITTED = 1, CONSUMER = -1, FIRST_OFFSET = -2, END_OFFSET = -1, LOG_WARNING = 4 };

static bool
is_wanted(const struct of_direct_part *part, const struct of_link *link, int64_t now_ns)
{
    return part->edge != OF_EDGE_NONE && !part->edge_asked && of_part_can_ask(part, link, now_ns);
}

/* Brokers before 0.10.1 cannot be asked. */
static bool
lists_offsets(const struct of_link *link)
{
    return of_connection_version(&link->connection, OF_API_LIST_OFFSETS) >= 0;
}

static void
tell_unlisted(struct of_fetcher *fetcher, struct of_direct_part *part)
{
    of_part_break(fetcher, part, OF_CAUSE_OFFSET_OUT_OF_RANGE,
                  "%.100s [%d] does not hold offset %lld: retention has passed it or the topic was made anew; "
                  "`orderflow reset` starts over", part->slot->topic, part->slot->partition, (long long)part->position);
}

void
of_fetcher_ask_edges(struct of_fetcher *fetcher, struct of_link *link, struct of_slice topic_name, int64_t now_ns)
{
    struct of_list_partition *wanted = of_alloc_array(fetcher->part_count, sizeof *wanted);
    uint32_t count = 0;
    for (uint32_t i = 0; i < fetcher->part_count; i++) {
        struct of_direct_part *part = &fetcher->parts[i];
        if (!is_wanted(part, link, now_ns))
            continue;
        if (!lists_offsets(link)) {
            tell_unlisted(fetcher, part);
            continue;
        }
        part->edge_asked = true;
        wanted[count++] = (struct of_list_partition) {
            part->slot->partition, part->leader_epoch, part->edge == OF_EDGE_FIRST ? FIRST_OFFSET : END_OFFSET,
        };
    }
    struct of_list_topic topic = { topic_name, { .items = wanted, .count = count } };
    const struct of_list_request request = { CONSUMER, READ_COMMITTED, { .items = &topic, .count = 1 } };
    if (count > 0) {
        link->listing = true;
        of_connection_ask(&link->connection, OF_API_LIST_OFFSETS, &request, 0, now_ns);
    }
    free(wanted);
}

/* ---- answers ---- */

static void
skip_to(struct of_fetcher *fetcher, struct of_direct_part *part, int64_t next, const char *text)
{
    struct of_stretch *gap = of_fetcher_make_stretch(fetcher, part);
    snprintf(part->why, sizeof part->why, "%.*s", (int)sizeof part->why - 1, text);
    of_kafka_log_line(fetcher->options, LOG_WARNING, "%s", text);
    part->cause = OF_CAUSE_OFFSET_OUT_OF_RANGE;
    part->skipped_from = part->position;
    part->position = next;
    part->last_epoch = gap->leader_epoch = -1;
    gap->next_offset = next;
    of_fetcher_queue(fetcher, gap);
    of_fetcher_tell(fetcher, part, OF_PART_SKIPPED);
}

static void
judge(struct of_fetcher *fetcher, struct of_direct_part *part, int64_t high, int64_t now_ns)
{
    struct of_error err;
    int64_t next;
    part->edge = OF_EDGE_NONE;
    switch (of_kafka_judge_range(fetcher->options, part->slot, part->position, part->low, high, &next, &err)) {
    case OF_OK: skip_to(fetcher, part, next, err.text); break;
    case OF_AGAIN: of_part_back_off(fetcher, part, now_ns); break;
    default: of_part_break(fetcher, part, OF_CAUSE_OFFSET_OUT_OF_RANGE, "%s", err.text); break;
    }
}

static void
take_edge(struct of_fetcher *fetcher, struct of_direct_part *part, const struct of_listed_partition *listed,
          int64_t now_ns)
{
    if (listed->error_code == 0 && listed->offset < 0) { /* no broker says so of an edge */
        of_part_back_off(fetcher, part, now_ns);
    } else if (listed->error_code != 0) {
        of_part_take_error(fetcher, part, listed->error_code, now_ns);
    } else if (part->edge == OF_EDGE_FIRST) {
        part->low = listed->offset;
        part->edge = OF_EDGE_END;
    } else {
        judge(fetcher, part, listed->offset, now_ns);
    }
}

void
of_fetcher_take_edges(struct of_fetcher *fetcher, struct of_link *link, const struct of_received *received,
                      int64_t now_ns)
{
    struct of_error err;
    struct of_list_answer answer;
    const struct of_asked *asked = &received->asked;
    link->listing = false;
    if (of_message_read_answer(asked->message, asked->version, asked->correlation, received->bytes, &answer,
                               &fetcher->arena, &err) != OF_OK) {
        of_connection_fail(&link->connection, now_ns, "%s", err.text);
        return;
    }
    const struct of_listed_topic *topics = answer.topics.items;
    for (uint32_t t = 0; t < answer.topics.count; t++) {
        const struct of_listed_partition *listed = topics[t].partitions.items;
        for (uint32_t i = 0; i < topics[t].partitions.count; i++) {
            struct of_direct_part *part = of_fetcher_part(fetcher, link->role, listed[i].partition_index);
            if (part == NULL || !part->edge_asked || !of_part_is_led_by(part, link))
                continue;
            part->edge_asked = false;
            take_edge(fetcher, part, &listed[i], now_ns);
        }
    }
    for (uint32_t i = 0; i < fetcher->part_count; i++) /* not answered */
        if (of_part_is_led_by(&fetcher->parts[i], link))
            fetcher->parts[i].edge_asked = false;
}
