#include "kafka/direct/fetcher.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "kafka/client.h"

enum {
    EVENTS = 32,
    ARENA_BYTES = 64 << 20,
    RESOLVE_MS = 5,   /* how often an address that is being looked up is asked for */
    RETRY_ANSWERS = 1 << 20, /* they are copied and gone at once */
    LOG_INFO = 6,
};

/* ---- opening and closing ---- */

static enum of_status
open_fds(struct of_fetcher *fetcher, struct of_error *err)
{
    fetcher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fetcher->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    if (fetcher->epoll_fd < 0 || fetcher->timer_fd < 0 ||
        epoll_ctl(fetcher->epoll_fd, EPOLL_CTL_ADD, fetcher->timer_fd, &event) != 0)
        return of_error_set(err, OF_FATAL, "direct source: %s", strerror(errno));
    return OF_OK;
}

enum of_status
of_fetcher_open(struct of_fetcher *fetcher, const struct of_kafka_options *options, struct of_error *err)
{
    *fetcher = (struct of_fetcher) { .options = options, .epoll_fd = -1, .timer_fd = -1 };
    fetcher->arena.limit = ARENA_BYTES;
    enum of_status status = of_direct_settings_read(options, &fetcher->settings, err);
    const struct of_direct_settings *settings = &fetcher->settings;
    of_slabs_init(&fetcher->slabs[OF_ROLE_ORDERS], (size_t)settings->fetch_bytes + (64 << 10), settings->slabs);
    of_slabs_init(&fetcher->slabs[OF_ROLE_RETRY], (size_t)settings->retry_bytes, RETRY_ANSWERS);
    if (status == OF_OK)
        status = of_fetcher_name_brokers(fetcher, err);
    if (status == OF_OK && settings->tls)
        status = of_tls_open(settings, &fetcher->tls, err);
    if (status == OF_OK)
        status = open_fds(fetcher, err);
    if (status != OF_OK)
        of_fetcher_close(fetcher);
    return status;
}

void
of_fetcher_close(struct of_fetcher *fetcher)
{
    of_fetcher_end(fetcher);
    while (fetcher->links != NULL)
        of_link_destroy(fetcher, &fetcher->links);
    while (fetcher->free != NULL) {
        struct of_stretch *stretch = fetcher->free;
        fetcher->free = stretch->next;
        free(stretch);
    }
    of_slabs_fini(&fetcher->slabs[OF_ROLE_ORDERS]);
    of_slabs_fini(&fetcher->slabs[OF_ROLE_RETRY]);
    of_tls_close(&fetcher->tls);
    of_arena_empty(&fetcher->arena);
    free(fetcher->brokers);
    fetcher->brokers = NULL;
    if (fetcher->timer_fd >= 0)
        close(fetcher->timer_fd);
    if (fetcher->epoll_fd >= 0)
        close(fetcher->epoll_fd);
    fetcher->timer_fd = fetcher->epoll_fd = -1;
}

/* ---- assignments ---- */

static void
make_index(struct of_fetcher *fetcher, enum of_role role)
{
    int32_t size = 0;
    for (uint32_t i = 0; i < fetcher->part_count; i++)
        if (fetcher->parts[i].slot->role == role && fetcher->parts[i].slot->partition >= size)
            size = fetcher->parts[i].slot->partition + 1;
    fetcher->numbers[role] = size;
    fetcher->by_number[role] = of_alloc_array((size_t)size, sizeof *fetcher->by_number[role]);
    for (uint32_t i = 0; i < fetcher->part_count; i++)
        if (fetcher->parts[i].slot->role == role)
            fetcher->by_number[role][fetcher->parts[i].slot->partition] = &fetcher->parts[i];
}

void
of_fetcher_begin(struct of_fetcher *fetcher, struct of_slot *const *slots, const int64_t *offsets, uint32_t count)
{
    OF_ASSERT(fetcher->part_count == 0);
    const struct of_direct_settings *settings = &fetcher->settings;
    fetcher->parts = of_alloc_array(count, sizeof *fetcher->parts);
    fetcher->part_count = count;
    for (uint32_t i = 0; i < count; i++) {
        fetcher->parts[i] = (struct of_direct_part) {
            .slot = slots[i],
            .position = offsets[i],
            .delivered = offsets[i],
            .end = -1,
            .leader = -1,
            .leader_epoch = -1,
            .last_epoch = slots[i]->start_epoch,
            .delivered_epoch = slots[i]->start_epoch,
            .check = slots[i]->start_epoch >= 0,
            .bytes = slots[i]->role == OF_ROLE_RETRY ? settings->retry_bytes : settings->partition_bytes,
        };
        slots[i]->source = &fetcher->parts[i];
    }
    make_index(fetcher, OF_ROLE_ORDERS);
    make_index(fetcher, OF_ROLE_RETRY);
    fetcher->leaders_wanted = true;
    fetcher->leaders_backoff_ms = 0;
    fetcher->next_leaders_ns = 0;
}

/* What the next lane to have the part is to know of its topic. */
static void
leave_word(const struct of_fetcher *fetcher, const struct of_direct_part *part)
{
    struct of_topic_ids *ids = fetcher->options->topic_ids;
    if (ids == NULL)
        return;
    if (part->anew)
        of_topic_ids_doubt(ids, part->slot->role, part->slot->partition);
    of_topic_ids_keep(ids, part->slot->role, part->slot->partition, fetcher->held_records[part->slot->role]);
}

/* Answers to what was asked may still come: nothing in them is looked at. */
void
of_fetcher_end(struct of_fetcher *fetcher)
{
    of_fetcher_drop_ready(fetcher);
    for (uint32_t i = 0; i < fetcher->part_count; i++) {
        of_fetcher_drop_waiting(fetcher, &fetcher->parts[i]);
        leave_word(fetcher, &fetcher->parts[i]);
        fetcher->parts[i].slot->source = NULL;
    }
    for (struct of_link *link = fetcher->links; link != NULL; link = link->next)
        link->asked_count = 0;
    free(fetcher->parts);
    fetcher->parts = NULL;
    fetcher->part_count = fetcher->news_count = 0;
    for (int role = 0; role < 2; role++) {
        free(fetcher->by_number[role]);
        fetcher->by_number[role] = NULL;
        fetcher->numbers[role] = 0;
    }
}

void
of_fetcher_hold(struct of_fetcher *fetcher, struct of_direct_part *part)
{
    part->held = true;
    part->generation++;
    part->checking = part->edge_asked = false;
    part->edge = OF_EDGE_NONE;
    of_fetcher_drop_waiting(fetcher, part);
}

void
of_fetcher_resume(struct of_fetcher *fetcher, struct of_direct_part *part, int64_t offset)
{
    of_fetcher_hold(fetcher, part); /* resuming what was not held is only a seek */
    part->held = false;
    if (offset > part->position) /* as recorded state may ask: what is before it was not read here */
        part->last_epoch = -1;
    part->delivered_epoch = part->last_epoch;
    part->position = part->delivered = offset;
    part->end = -1;
    part->next_ask_ns = 0;
    part->backoff_ms = 0;
    part->malformed = 0;
    part->check = part->last_epoch >= 0;
    if (part->news == OF_PART_BROKEN)
        of_fetcher_tell(fetcher, part, OF_PART_NOTHING);
}

void
of_fetcher_tell(struct of_fetcher *fetcher, struct of_direct_part *part, enum of_part_news news)
{
    fetcher->news_count += (news != OF_PART_NOTHING) - (part->news != OF_PART_NOTHING);
    part->news = news;
}

struct of_direct_part *
of_fetcher_news(struct of_fetcher *fetcher, enum of_part_news *news, int64_t *offset)
{
    for (uint32_t i = 0; fetcher->news_count > 0 && i < fetcher->part_count; i++) {
        struct of_direct_part *part = &fetcher->parts[i];
        if (part->news == OF_PART_NOTHING)
            continue;
        *news = part->news;
        *offset = part->news == OF_PART_SKIPPED ? part->skipped_from : part->delivered;
        part->anew = false;
        of_fetcher_tell(fetcher, part, OF_PART_NOTHING);
        return part;
    }
    return NULL;
}

/* ---- turns ---- */

static void
take_answer(struct of_fetcher *fetcher, struct of_link *link, const struct of_received *received, int64_t now_ns)
{
    switch (received->asked.message->api) {
    case OF_API_FETCH: of_fetcher_take_fetched(fetcher, link, received, now_ns); break;
    case OF_API_METADATA: of_fetcher_take_leaders(fetcher, link, received, now_ns); break;
    case OF_API_OFFSET_FOR_LEADER_EPOCH: of_fetcher_take_checks(fetcher, link, received, now_ns); break;
    case OF_API_LIST_OFFSETS: of_fetcher_take_edges(fetcher, link, received, now_ns); break;
    default: OF_ASSERT(!"an answer to what is asked");
    }
    of_arena_empty(&fetcher->arena);
    of_slab_drop(received->slab);
}

/* What was under way is asked again, of whoever leads then. */
static void
take_down(struct of_fetcher *fetcher, struct of_link *link)
{
    struct of_connection *connection = &link->connection;
    of_kafka_log_line(fetcher->options, LOG_INFO, "Kafka: %s:%d: %s", connection->host, connection->port,
                      connection->error.text);
    if (link->node >= 0)
        link->downs_seen = connection->downs; /* else knock() wants to see it */
    link->fetching = link->checking = link->listing = false;
    link->asked_count = 0;
    if (link->asking_leaders)
        fetcher->leaders_asked = link->asking_leaders = false;
    for (uint32_t i = 0; link->node >= 0 && i < fetcher->part_count; i++)
        if (fetcher->parts[i].leader == link->node && fetcher->parts[i].slot->role == link->role)
            fetcher->parts[i].checking = fetcher->parts[i].edge_asked = false;
    of_fetcher_want_leaders(fetcher);
}

static void
serve(struct of_fetcher *fetcher, struct of_link *link, bool ready, int64_t now_ns)
{
    struct of_received received;
    uint32_t downs = link->connection.downs;
    of_connection_turn(&link->connection, fetcher->tls, now_ns);
    while (ready && of_connection_receive(&link->connection, now_ns, &received))
        take_answer(fetcher, link, &received, now_ns);
    if (link->connection.downs != downs)
        take_down(fetcher, link);
}

static bool
is_ready(const struct of_link *link, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr == &link->connection)
            return true;
    return false;
}

static int64_t
earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static int64_t
next_turn_ns(const struct of_fetcher *fetcher, int64_t now_ns)
{
    int64_t next_ns = OF_NEVER_NS;
    for (const struct of_link *link = fetcher->links; link != NULL; link = link->next) {
        int64_t link_ns = of_connection_deadline_ns(&link->connection);
        next_ns = earlier(next_ns, link_ns == 0 ? now_ns + RESOLVE_MS * OF_MS_NS : link_ns);
        if (link->throttled_ns > now_ns)
            next_ns = earlier(next_ns, link->throttled_ns);
        if (link->look_ns > now_ns)
            next_ns = earlier(next_ns, link->look_ns);
    }
    for (uint32_t i = 0; i < fetcher->part_count; i++)
        if (!fetcher->parts[i].held && fetcher->parts[i].next_ask_ns > now_ns)
            next_ns = earlier(next_ns, fetcher->parts[i].next_ask_ns);
    if (fetcher->part_count > 0 && !fetcher->leaders_asked)
        next_ns = earlier(next_ns, fetcher->leaders_wanted && fetcher->next_leaders_ns > now_ns
                                       ? fetcher->next_leaders_ns
                                       : fetcher->leaders_fresh_until_ns);
    return next_ns;
}

static void
set_timer(struct of_fetcher *fetcher, int64_t next_ns, int64_t now_ns)
{
    bool running = fetcher->timer_ns > now_ns;
    if (next_ns == OF_NEVER_NS || (running && fetcher->timer_ns <= next_ns))
        return;
    if (next_ns <= now_ns)
        next_ns = now_ns + OF_MS_NS;
    struct itimerspec when = { .it_value = { next_ns / OF_SECOND_NS, next_ns % OF_SECOND_NS } };
    timerfd_settime(fetcher->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    fetcher->timer_ns = next_ns;
}

static void
quieten_timer(struct of_fetcher *fetcher)
{
    uint64_t times;
    if (read(fetcher->timer_fd, &times, sizeof times) < 0)
        OF_ASSERT(errno == EAGAIN || errno == EINTR);
    fetcher->timer_ns = 0;
}

static void
look_at_once(struct of_fetcher *fetcher)
{
    for (struct of_link *link = fetcher->links; link != NULL; link = link->next)
        link->look_ns = 0;
    fetcher->part_is_free = false;
}

void
of_fetcher_turn(struct of_fetcher *fetcher, int64_t now_ns)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(fetcher->epoll_fd, events, EVENTS, 0);
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr == NULL)
            quieten_timer(fetcher);
    for (struct of_link *link = fetcher->links; link != NULL; link = link->next)
        serve(fetcher, link, is_ready(link, events, count), now_ns);
    of_fetcher_ask_leaders(fetcher, now_ns);
    of_fetcher_keep_links(fetcher);
    if (fetcher->part_is_free)
        look_at_once(fetcher);
    for (struct of_link *link = fetcher->links; link != NULL; link = link->next)
        of_fetcher_ask(fetcher, link, now_ns);
    set_timer(fetcher, next_turn_ns(fetcher, now_ns), now_ns);
}
