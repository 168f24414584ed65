#include <stdlib.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "kafka/direct/fetcher.h"
#include "order/cause.h"

enum {
    READ_COMMITTED = 1,
    CONSUMER = -1,
    NO_SESSION_EPOCH = -1,
    LOOK_MS = 20, /* how often idle retry partitions are looked at while others have records that wait */
};

/* ---- what may be asked for ---- */

static bool
can_fetch(const struct of_direct_part *part, const struct of_link *link, int64_t now_ns)
{
    return of_part_can_ask(part, link, now_ns) && !part->check && part->edge == OF_EDGE_NONE && part->first == NULL;
}

static bool
can_check(const struct of_direct_part *part, const struct of_link *link, int64_t now_ns)
{
    return of_part_can_ask(part, link, now_ns) && part->check && !part->checking;
}

static struct of_array
array_of(void *items, uint32_t count)
{
    return (struct of_array) { .items = items, .count = count };
}

static struct of_slice
topic_of(const struct of_fetcher *fetcher, enum of_role role)
{
    return of_slice_str(role == OF_ROLE_RETRY ? fetcher->options->retry_topic : fetcher->options->orders_topic);
}

/* ---- fetching ---- */

/* Whether the link has retry partitions that are not asked for because what was read of them still waits. */
static bool
has_waiting(const struct of_fetcher *fetcher, const struct of_link *link)
{
    for (uint32_t i = 0; link->role == OF_ROLE_RETRY && i < fetcher->part_count; i++)
        if (of_part_is_led_by(&fetcher->parts[i], link) && fetcher->parts[i].first != NULL)
            return true;
    return false;
}

static uint32_t
choose(struct of_fetcher *fetcher, struct of_link *link, struct of_fetch_partition *wanted, int64_t now_ns)
{
    link->asked = of_realloc_array(link->asked, fetcher->part_count, sizeof *link->asked);
    link->asked_count = 0;
    for (uint32_t i = 0; i < fetcher->part_count; i++) {
        struct of_direct_part *part = &fetcher->parts[(link->first_part + i) % fetcher->part_count];
        if (!can_fetch(part, link, now_ns))
            continue;
        wanted[link->asked_count] = (struct of_fetch_partition) {
            .partition = part->slot->partition,
            .current_leader_epoch = part->leader_epoch,
            .fetch_offset = part->position,
            .last_fetched_epoch = -1,
            .log_start_offset = -1,
            .partition_max_bytes = part->bytes,
        };
        link->asked[link->asked_count++] = (struct of_asked_part) { part, part->generation, part->position };
    }
    return link->asked_count;
}

/* A broker answers one request of a connection at a time: a partition that becomes free while another request waits there
 * for records would wait with it, for as long. So there is no such request while that may happen. */
static void
fetch(struct of_fetcher *fetcher, struct of_link *link, int64_t now_ns)
{
    const struct of_direct_settings *settings = &fetcher->settings;
    bool waits = !has_waiting(fetcher, link);
    struct of_fetch_partition *wanted = of_alloc_array(fetcher->part_count, sizeof *wanted);
    uint32_t count = choose(fetcher, link, wanted, now_ns);
    struct of_fetch_topic topic = { topic_of(fetcher, link->role), array_of(wanted, count) };
    const struct of_fetch_request request = {
        .replica_id = CONSUMER,
        .max_wait_ms = waits ? settings->wait_ms : 0,
        .min_bytes = settings->min_bytes,
        .max_bytes = settings->fetch_bytes,
        .isolation_level = READ_COMMITTED,
        .session_epoch = NO_SESSION_EPOCH,
        .topics = array_of(&topic, 1),
        .rack_id = of_slice_str(""),
    };
    if (count > 0) {
        link->fetching = true;
        link->look_ns = waits ? 0 : now_ns + LOOK_MS * OF_MS_NS;
        of_connection_ask(&link->connection, OF_API_FETCH, &request, settings->wait_ms, now_ns);
    }
    free(wanted);
}

/* ---- comparing logs ---- */

/* Brokers that do not tell epochs cannot be compared with. */
static bool
tells_epochs(const struct of_link *link)
{
    return of_connection_version(&link->connection, OF_API_OFFSET_FOR_LEADER_EPOCH) >= 2;
}

static void
check(struct of_fetcher *fetcher, struct of_link *link, int64_t now_ns)
{
    struct of_epoch_partition *wanted = of_alloc_array(fetcher->part_count, sizeof *wanted);
    uint32_t count = 0;
    for (uint32_t i = 0; i < fetcher->part_count; i++) {
        struct of_direct_part *part = &fetcher->parts[i];
        if (!can_check(part, link, now_ns))
            continue;
        if (!tells_epochs(link)) {
            part->check = false;
            continue;
        }
        part->checking = true;
        part->checked = part->position;
        wanted[count++] = (struct of_epoch_partition) { part->slot->partition, part->leader_epoch, part->last_epoch };
    }
    struct of_epoch_topic topic = { topic_of(fetcher, link->role), array_of(wanted, count) };
    const struct of_epoch_request request = { CONSUMER, array_of(&topic, 1) };
    if (count > 0) {
        link->checking = true;
        of_connection_ask(&link->connection, OF_API_OFFSET_FOR_LEADER_EPOCH, &request, 0, now_ns);
    }
    free(wanted);
}

/* An epoch that the leader does not know at all has no end: -1. What is said of another position than the present one, and of
 * the epoch before that, says nothing: it is asked again. */
static void
take_check(struct of_fetcher *fetcher, struct of_direct_part *part, const struct of_epoch_found *found, int64_t now_ns)
{
    part->checking = false;
    if (found->error_code != 0)
        of_part_take_error(fetcher, part, found->error_code, now_ns);
    else if (part->checked != part->position)
        return;
    else if (found->end_offset < part->position)
        of_part_diverged(fetcher, part, part->leader_epoch, found->end_offset);
    else
        part->check = false;
}

void
of_fetcher_take_checks(struct of_fetcher *fetcher, struct of_link *link, const struct of_received *received,
                       int64_t now_ns)
{
    struct of_error err;
    struct of_epoch_answer answer;
    const struct of_asked *asked = &received->asked;
    link->checking = false;
    if (of_message_read_answer(asked->message, asked->version, asked->correlation, received->bytes, &answer,
                               &fetcher->arena, &err) != OF_OK) {
        of_connection_fail(&link->connection, now_ns, "%s", err.text);
        return;
    }
    const struct of_epoch_found_topic *topics = answer.topics.items;
    for (uint32_t t = 0; t < answer.topics.count; t++) {
        const struct of_epoch_found *found = topics[t].partitions.items;
        for (uint32_t i = 0; i < topics[t].partitions.count; i++) {
            struct of_direct_part *part = of_fetcher_part(fetcher, link->role, found[i].partition);
            if (part != NULL && part->checking && !part->held && of_part_is_led_by(part, link))
                take_check(fetcher, part, &found[i], now_ns);
        }
    }
    for (uint32_t i = 0; i < fetcher->part_count; i++) /* not answered, or held meanwhile */
        if (of_part_is_led_by(&fetcher->parts[i], link))
            fetcher->parts[i].checking = false;
}

/* ---- a link's turn ---- */

/* The broker that was asked at the start was newer. */
static void
refuse_old(struct of_fetcher *fetcher, const struct of_link *link, int64_t now_ns)
{
    for (uint32_t i = 0; i < fetcher->part_count; i++) {
        struct of_direct_part *part = &fetcher->parts[i];
        if (of_part_can_ask(part, link, now_ns))
            of_part_break(fetcher, part, OF_CAUSE_FETCH_FAILED, "%.100s [%d] is led by %.60s:%d, which speaks no "
                          "version of Fetch from 4 to 12: use --source librdkafka", part->slot->topic, part->slot->partition,
                          link->connection.host, link->connection.port);
    }
}

void
of_fetcher_ask(struct of_fetcher *fetcher, struct of_link *link, int64_t now_ns)
{
    if (fetcher->part_count == 0 || link->node < 0 || !of_connection_can_ask(&link->connection))
        return;
    if (of_connection_version(&link->connection, OF_API_FETCH) < 0) {
        refuse_old(fetcher, link, now_ns);
        return;
    }
    if (!link->checking)
        check(fetcher, link, now_ns);
    if (!link->listing && of_connection_can_ask(&link->connection))
        of_fetcher_ask_edges(fetcher, link, topic_of(fetcher, link->role), now_ns);
    bool may_fetch = !link->fetching && now_ns >= link->look_ns && now_ns >= link->throttled_ns;
    if (may_fetch && of_connection_can_ask(&link->connection) && of_slabs_left(&fetcher->slabs[link->role]) > 0)
        fetch(fetcher, link, now_ns);
}
