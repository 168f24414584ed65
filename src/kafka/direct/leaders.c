/* Who leads what, and the links to them.
 *
 * Leaders are asked for at the beginning, when a broker says that it does not lead any more, when a link goes down, and
 * every few minutes; with a back-off, of whoever is connected, else of the brokers that the options name and that were
 * told of before, one after the other. A link to a broker lives as long as a part is led by it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "kafka/direct/fetcher.h"

enum { USUAL_PORT = 9092, STALE_MOST = 5, NO_ERROR = 0, NOBODY = -1 };

/* ---- brokers ---- */

static struct of_broker_address *
add_broker(struct of_fetcher *fetcher, int32_t node, struct of_slice host, int port)
{
    fetcher->brokers = of_realloc_array(fetcher->brokers, fetcher->broker_count + 1, sizeof *fetcher->brokers);
    struct of_broker_address *broker = &fetcher->brokers[fetcher->broker_count++];
    broker->node = node;
    broker->port = port;
    snprintf(broker->host, sizeof broker->host, "%.*s", (int)host.length, (const char *)host.data);
    return broker;
}

/* "host", "host:port", "[address]:port", each with "protocol://" before it or not. */
static bool
name_broker(struct of_fetcher *fetcher, struct of_slice text)
{
    const char *begin = (const char *)text.data, *end = begin + text.length;
    while (begin < end && isspace((unsigned char)*begin))
        begin++;
    while (begin < end && isspace((unsigned char)end[-1]))
        end--;
    for (const char *at = begin; at + 3 <= end; at++)
        if (memcmp(at, "://", 3) == 0) {
            begin = at + 3;
            break;
        }
    const char *colon = end;
    while (colon > begin && *colon != ':' && *colon != ']')
        colon--;
    bool has_port = colon > begin && *colon == ':';
    int port = has_port ? atoi(colon + 1) : USUAL_PORT;
    end = has_port ? colon : end;
    if (end - begin > 2 && *begin == '[' && end[-1] == ']') {
        begin++;
        end--;
    }
    if (end <= begin || end - begin >= OF_HOST_BYTES || port <= 0 || port > UINT16_MAX)
        return false;
    add_broker(fetcher, NOBODY, of_slice_of(begin, (size_t)(end - begin)), port);
    return true;
}

enum of_status
of_fetcher_name_brokers(struct of_fetcher *fetcher, struct of_error *err)
{
    const char *at = fetcher->settings.brokers;
    for (;;) {
        size_t length = strcspn(at, ",");
        if (length > 0 && !name_broker(fetcher, of_slice_of(at, length)))
            return of_error_set(err, OF_POISON, "'%.*s' is no address of a broker", (int)length, at);
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    fetcher->named_count = fetcher->broker_count;
    return fetcher->named_count > 0 ? OF_OK : of_error_set(err, OF_POISON, "no broker is named");
}

static struct of_broker_address *
find_broker(struct of_fetcher *fetcher, int32_t node)
{
    for (uint32_t i = fetcher->named_count; i < fetcher->broker_count; i++)
        if (fetcher->brokers[i].node == node)
            return &fetcher->brokers[i];
    return NULL;
}

/* Those that are gone are kept: they may come back, and there are not many. */
static void
take_brokers(struct of_fetcher *fetcher, const struct of_metadata_answer *answer)
{
    const struct of_metadata_broker *brokers = answer->brokers.items;
    for (uint32_t i = 0; i < answer->brokers.count; i++) {
        struct of_slice host = brokers[i].host;
        if (host.length == 0 || host.length >= OF_HOST_BYTES || brokers[i].port <= 0 || brokers[i].port > UINT16_MAX)
            continue;
        struct of_broker_address *known = find_broker(fetcher, brokers[i].node_id);
        if (known == NULL) {
            add_broker(fetcher, brokers[i].node_id, host, brokers[i].port);
        } else {
            known->port = brokers[i].port;
            snprintf(known->host, sizeof known->host, "%.*s", (int)host.length, (const char *)host.data);
        }
    }
}

/* ---- links ---- */

static struct of_link *
make_link(struct of_fetcher *fetcher, int32_t node, enum of_role role, const struct of_broker_address *broker)
{
    struct of_link *link = of_alloc(sizeof *link);
    link->node = node;
    link->role = role;
    of_connection_init(&link->connection, &fetcher->settings, &fetcher->slabs[role], fetcher->epoll_fd, broker->host,
                       broker->port);
    link->next = fetcher->links;
    fetcher->links = link;
    return link;
}

void
of_link_forget_asked(struct of_fetcher *fetcher, const struct of_link *link)
{
    for (uint32_t i = 0; link->node >= 0 && i < fetcher->part_count; i++)
        if (fetcher->parts[i].leader == link->node && fetcher->parts[i].slot->role == link->role)
            fetcher->parts[i].checking = fetcher->parts[i].edge_asked = false;
}

void
of_link_destroy(struct of_fetcher *fetcher, struct of_link **link)
{
    struct of_link *gone = *link;
    if (gone->asking_leaders)
        fetcher->leaders_asked = false;
    of_link_forget_asked(fetcher, gone);
    *link = gone->next;
    of_connection_fini(&gone->connection);
    free(gone->asked);
    free(gone);
}

static struct of_link *
find_link(const struct of_fetcher *fetcher, int32_t node, enum of_role role)
{
    for (struct of_link *link = fetcher->links; link != NULL; link = link->next)
        if (link->node == node && link->role == role)
            return link;
    return NULL;
}

static bool
is_needed(const struct of_fetcher *fetcher, const struct of_link *link)
{
    if (link->node < 0)
        return fetcher->leaders_wanted;
    for (uint32_t i = 0; i < fetcher->part_count; i++)
        if (fetcher->parts[i].leader == link->node && fetcher->parts[i].slot->role == link->role)
            return true;
    return false;
}

/* A broker that has moved is reached anew. */
static bool
has_moved(struct of_fetcher *fetcher, const struct of_link *link)
{
    const struct of_broker_address *broker = find_broker(fetcher, link->node);
    return link->node >= 0 && broker != NULL &&
           (broker->port != link->connection.port || strcmp(broker->host, link->connection.host) != 0);
}

void
of_fetcher_keep_links(struct of_fetcher *fetcher)
{
    for (struct of_link **link = &fetcher->links; *link != NULL;)
        if (!is_needed(fetcher, *link) || has_moved(fetcher, *link))
            of_link_destroy(fetcher, link);
        else
            link = &(*link)->next;
    for (uint32_t i = 0; i < fetcher->part_count; i++) {
        const struct of_direct_part *part = &fetcher->parts[i];
        const struct of_broker_address *broker = part->leader < 0 ? NULL : find_broker(fetcher, part->leader);
        if (broker != NULL && find_link(fetcher, part->leader, part->slot->role) == NULL)
            make_link(fetcher, part->leader, part->slot->role, broker);
    }
}

/* ---- asking ---- */

void
of_fetcher_want_leaders(struct of_fetcher *fetcher)
{
    fetcher->leaders_wanted = true;
}

static void
back_off(struct of_fetcher *fetcher, int64_t now_ns)
{
    const struct of_direct_settings *settings = &fetcher->settings;
    fetcher->leaders_backoff_ms = fetcher->leaders_backoff_ms == 0 ? settings->backoff_ms
                                                                   : 2 * fetcher->leaders_backoff_ms;
    if (fetcher->leaders_backoff_ms > settings->backoff_most_ms)
        fetcher->leaders_backoff_ms = settings->backoff_most_ms;
    int64_t jitter_ms = (int64_t)((uint64_t)now_ns / 1000 % (uint64_t)(fetcher->leaders_backoff_ms / 2 + 1));
    fetcher->next_leaders_ns = now_ns + (fetcher->leaders_backoff_ms - jitter_ms) * OF_MS_NS;
}

/* A link to whoever comes next in the list; the one that there is goes there when it is down. */
static void
knock(struct of_fetcher *fetcher)
{
    struct of_link *link = find_link(fetcher, NOBODY, OF_ROLE_ORDERS);
    if (link != NULL && (link->connection.state != OF_CONNECTION_DOWN || link->connection.downs == link->downs_seen))
        return;
    const struct of_broker_address *broker = &fetcher->brokers[fetcher->next_named++ % fetcher->broker_count];
    if (link == NULL)
        link = make_link(fetcher, NOBODY, OF_ROLE_ORDERS, broker);
    snprintf(link->connection.host, sizeof link->connection.host, "%s", broker->host);
    link->connection.port = broker->port;
    link->downs_seen = link->connection.downs;
}

static struct of_link *
whom_to_ask(const struct of_fetcher *fetcher)
{
    for (struct of_link *link = fetcher->links; link != NULL; link = link->next)
        if (of_connection_can_ask(&link->connection) &&
            of_connection_version(&link->connection, OF_API_METADATA) >= 0)
            return link;
    return NULL;
}

void
of_fetcher_ask_leaders(struct of_fetcher *fetcher, int64_t now_ns)
{
    if (fetcher->part_count == 0 || fetcher->leaders_asked)
        return;
    if (now_ns >= fetcher->leaders_fresh_until_ns)
        fetcher->leaders_wanted = true;
    if (!fetcher->leaders_wanted || now_ns < fetcher->next_leaders_ns)
        return;
    struct of_link *link = whom_to_ask(fetcher);
    if (link == NULL) {
        knock(fetcher);
        return;
    }
    struct of_topic_name names[2] = {
        { .name = of_slice_str(fetcher->options->orders_topic) },
        { .name = of_slice_str(fetcher->options->retry_topic != NULL ? fetcher->options->retry_topic : "") },
    };
    const struct of_metadata_request request = {
        .topics = { .items = names, .count = fetcher->options->retry_topic != NULL ? 2 : 1 },
    };
    link->asking_leaders = fetcher->leaders_asked = true;
    back_off(fetcher, now_ns);
    of_connection_ask(&link->connection, OF_API_METADATA, &request, 0, now_ns);
}

/* ---- answers ---- */

/* Metadata of one broker may be older than that of another. Epochs that stay lower are those of a topic made anew. */
static bool
is_stale(struct of_direct_part *part, const struct of_metadata_partition *told)
{
    if (told->leader_epoch >= part->leader_epoch || told->leader_epoch < 0)
        part->stale = 0;
    else
        part->stale++;
    return part->stale > 0 && part->stale < STALE_MOST;
}

static void
take_leader(struct of_fetcher *fetcher, struct of_direct_part *part, const struct of_metadata_partition *told,
            int64_t now_ns)
{
    int32_t leader = told->leader_id >= 0 && find_broker(fetcher, told->leader_id) != NULL ? told->leader_id : NOBODY;
    if (leader == NOBODY) { /* with LEADER_NOT_AVAILABLE, or behind the broker's back */
        part->leader = NOBODY;
        of_part_take_error(fetcher, part, told->error_code != NO_ERROR ? told->error_code : 5, now_ns);
        return;
    }
    if (is_stale(part, told))
        return;
    if (told->leader_epoch != part->leader_epoch && part->last_epoch >= 0)
        part->check = true;
    if (leader != part->leader || told->leader_epoch != part->leader_epoch)
        part->checking = part->edge_asked = false;
    part->unsure = false;
    part->leader = leader;
    part->leader_epoch = told->leader_epoch;
}

/* another, owed: as this lane sees it, which may not have had the part when its topic was still the old one. */
static void
compare_id(struct of_fetcher *fetcher, struct of_direct_part *part, struct of_topic_id id, bool another, bool owed)
{
    struct of_topic_ids *ids = fetcher->options->topic_ids;
    enum of_role role = part->slot->role;
    bool held = false;
    if (ids != NULL && of_topic_ids_swap(ids, role, part->slot->partition, id, &held))
        another = true;
    if (!another || (part->position == 0 && !(role == OF_ROLE_RETRY && (owed || held))))
        return;
    part->anew = true;
    of_part_made_anew(fetcher, part);
}

/* A deleted topic takes its records and the group's offsets with it. What stands at our position in one of the same name is
 * another order, and what is before it nobody has read; and retries that waited are orders that nobody counts any more. */
static void
compare_ids(struct of_fetcher *fetcher, enum of_role role, struct of_topic_id id)
{
    struct of_topic_id known = fetcher->topic_ids[role];
    if (id.high == 0 && id.low == 0)
        return;
    fetcher->topic_ids[role] = id;
    bool another = (known.high != 0 || known.low != 0) && (known.high != id.high || known.low != id.low);
    bool owed = another && fetcher->held_records[role];
    if (another)
        fetcher->held_records[role] = false;
    for (uint32_t i = 0; i < fetcher->part_count; i++)
        if (fetcher->parts[i].slot->role == role)
            compare_id(fetcher, &fetcher->parts[i], id, another, owed);
}

static void
take_topic(struct of_fetcher *fetcher, enum of_role role, const struct of_metadata_topic *topic, int64_t now_ns)
{
    const struct of_metadata_partition *partitions = topic->partitions.items;
    compare_ids(fetcher, role, topic->id);
    for (uint32_t i = 0; i < topic->partitions.count; i++) {
        struct of_direct_part *part = of_fetcher_part(fetcher, role, partitions[i].partition_index);
        if (part != NULL)
            take_leader(fetcher, part, &partitions[i], now_ns);
    }
    for (uint32_t i = 0; topic->error_code != NO_ERROR && i < fetcher->part_count; i++)
        if (fetcher->parts[i].slot->role == role && !fetcher->parts[i].held) {
            fetcher->parts[i].leader = NOBODY;
            of_part_take_error(fetcher, &fetcher->parts[i], topic->error_code, now_ns);
        }
}

static bool
everybody_is_led(const struct of_fetcher *fetcher)
{
    for (uint32_t i = 0; i < fetcher->part_count; i++)
        if (fetcher->parts[i].leader == NOBODY || fetcher->parts[i].unsure)
            return false;
    return true;
}

void
of_fetcher_take_leaders(struct of_fetcher *fetcher, struct of_link *link, const struct of_received *received,
                        int64_t now_ns)
{
    struct of_error err;
    struct of_metadata_answer answer;
    const struct of_asked *asked = &received->asked;
    link->asking_leaders = fetcher->leaders_asked = false;
    if (of_message_read_answer(asked->message, asked->version, asked->correlation, received->bytes, &answer,
                               &fetcher->arena, &err) != OF_OK) {
        of_connection_fail(&link->connection, now_ns, "%s", err.text);
        return;
    }
    fetcher->leaders_wanted = false;
    take_brokers(fetcher, &answer);
    const struct of_metadata_topic *topics = answer.topics.items;
    for (uint32_t i = 0; i < answer.topics.count; i++) {
        if (of_slice_equal(topics[i].name, of_slice_str(fetcher->options->orders_topic)))
            take_topic(fetcher, OF_ROLE_ORDERS, &topics[i], now_ns);
        else if (fetcher->options->retry_topic != NULL &&
                 of_slice_equal(topics[i].name, of_slice_str(fetcher->options->retry_topic)))
            take_topic(fetcher, OF_ROLE_RETRY, &topics[i], now_ns);
    }
    fetcher->leaders_fresh_until_ns = now_ns + fetcher->settings.metadata_ms * OF_MS_NS;
    if (!everybody_is_led(fetcher))
        fetcher->leaders_wanted = true;
    else
        fetcher->leaders_backoff_ms = 0;
}
