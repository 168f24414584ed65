/* States of the membership, as told to the fetch stage:
 *
 *   JOINING --rebalance: assign--> OFFERED --accept()--> READING
 *   OFFERED, READING --rebalance: revoke, or leave(), or assign--> GIVING_UP --give_up()--> JOINING
 *
 * librdkafka gives one rebalance at a time and waits for its answer, which is rd_kafka_assign.
 * A revoke for partitions that the stage was never offered, or has already given up, is answered here. While it waits, the
 * topics may change; it then joins again without a revoke and gives another assignment. What the stage has, or is giving
 * up, is lost by then, and the new assignment is offered when that is given up.
 *
 * Leaving drains first and unsubscribes afterwards, so that the last commits are those of a full member. Unsubscribing
 * makes librdkafka revoke what the group had assigned; answering that sends LeaveGroup, so that the other members need
 * not wait for a session to time out. A dynamic member would leave when it is closed, too; one with a fixed name must have
 * left before, as closing makes it keep silent. That LeaveGroup is on its way shows in the member id, which is then gone.
 * A member that is to stay does not unsubscribe: the group keeps its partitions for the same name to come back, until
 * the session times out. A crash at any point leaves what that leaves, and the next owner begins at the committed
 * offsets. */
#include "kafka/membership.h"

#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "kafka/offsets.h"

#define SESSION_MS_TEXT "30000"
/* All that a rebalance costs beside draining and restoring: it is complete when the last member has heard of it. */
#define HEARTBEAT_MS_TEXT "1000"

enum {
    POSITIONS_MS = 1000,
    JOIN_MS = 4000, /* the others hear of a rebalance with their next heartbeat, and drain first */
    LEAVE_MS = 2000,
    LOOK_MS = 2,
    CLOSE_MS = 3000,
    DESTROY_MS = 2000,
    SETTINGS = 16,
};

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

/* ---- opening ---- */

int64_t
of_kafka_session_ms(const struct of_kafka_options *options)
{
    const char *text = SESSION_MS_TEXT;
    for (size_t i = 0; i < options->property_count; i++)
        if (strcmp(options->properties[i].name, "session.timeout.ms") == 0)
            text = options->properties[i].value;
    return strtol(text, NULL, 10);
}

/* The settings that all such clients have, and behind them those of the caller. Returns how many. */
static size_t
join(struct of_kafka_property all[SETTINGS], const struct of_kafka_property *own, size_t own_count,
     const struct of_kafka_property *settings, size_t count)
{
    OF_ASSERT(own_count + count <= SETTINGS);
    memcpy(all, own, own_count * sizeof *own);
    if (count > 0)
        memcpy(all + own_count, settings, count * sizeof *settings);
    return own_count + count;
}

enum of_status
of_kafka_consumer_open(struct of_kafka_client *client, const struct of_kafka_options *options,
                       const struct of_kafka_property *settings, size_t count, int events, struct of_error *err)
{
    const struct of_kafka_property own[] = {
        { "group.id", options->group },
        { "enable.auto.commit", "false" },
        { "enable.auto.offset.store", "false" },
        { "auto.offset.reset", "error" },
        { "isolation.level", "read_committed" },
        { "enable.partition.eof", "true" },
    };
    struct of_kafka_property all[SETTINGS];
    size_t all_count = join(all, own, sizeof own / sizeof *own, settings, count);
    enum of_status status = of_kafka_client_open(client, RD_KAFKA_CONSUMER, options, all, all_count, events, err);
    if (status != OF_OK)
        return status;
    rd_kafka_poll_set_consumer(client->rk);
    rd_kafka_queue_destroy(client->queue);
    client->queue = rd_kafka_queue_get_consumer(client->rk);
    return OF_OK;
}

enum of_status
of_kafka_membership_open(struct of_kafka_membership *membership, const struct of_kafka_options *options,
                         struct of_kafka_statistics *statistics, struct of_error *err)
{
    const struct of_kafka_property settings[] = {
        { "group.instance.id", options->group_instance_id },
        { "partition.assignment.strategy", "range" },
        { "session.timeout.ms", options->embedded ? "3000" : SESSION_MS_TEXT },
        { "heartbeat.interval.ms", options->embedded ? "500" : HEARTBEAT_MS_TEXT },
        { "statistics.interval.ms", statistics != NULL ? OF_KAFKA_STATISTICS_MS_TEXT : NULL },
    };
    *membership = (struct of_kafka_membership) { .options = options };
    enum of_status status = of_kafka_consumer_open(
        &membership->client, options, settings, sizeof settings / sizeof *settings,
        RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_STATS, err);
    membership->client.statistics = statistics;
    return status;
}

enum of_status
of_kafka_membership_start(struct of_kafka_membership *membership, int wake_fd, struct of_error *err)
{
    const struct of_kafka_options *options = membership->options;
    if (wake_fd >= 0)
        of_kafka_queue_wake(membership->client.queue, wake_fd);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(2);
    rd_kafka_topic_partition_list_add(topics, options->orders_topic, RD_KAFKA_PARTITION_UA);
    if (options->retry_topic != NULL)
        rd_kafka_topic_partition_list_add(topics, options->retry_topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(membership->client.rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_FATAL, "cannot join group %s: %s", options->group, rd_kafka_err2str(code));
    return OF_OK;
}

/* ---- events: rebalance ---- */

static void
name_partition(const struct of_kafka_membership *membership,
               const rd_kafka_topic_partition_t *from, struct of_partition *to)
{
    const struct of_kafka_options *options = membership->options;
    bool retry = options->retry_topic != NULL && strcmp(from->topic, options->retry_topic) == 0;
    *to = (struct of_partition) {
        .topic = retry ? options->retry_topic : options->orders_topic,
        .role = retry ? OF_ROLE_RETRY : OF_ROLE_ORDERS,
        .partition = from->partition,
        .start = -1,
    };
}

/* The answer to an assignment, also to one that nobody will read. Not NULL, which answers a revoke only: librdkafka would go on
 * to wait for the assignment's answer, and put off leaving until then. */
static rd_kafka_resp_err_t
take_nothing(struct of_kafka_membership *membership)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
    rd_kafka_resp_err_t code = rd_kafka_assign(membership->client.rk, none);
    rd_kafka_topic_partition_list_destroy(none);
    return code;
}

static void
forget_next(struct of_kafka_membership *membership)
{
    if (membership->next != NULL)
        rd_kafka_topic_partition_list_destroy(membership->next);
    membership->next = NULL;
}

static void
offer(struct of_kafka_membership *membership, const rd_kafka_topic_partition_list_t *list, struct of_source_event *event)
{
    OF_ASSERT(membership->state == OF_MEMBER_JOINING);
    free(membership->offered);
    membership->offered = of_alloc_array((size_t)list->cnt + 1, sizeof *membership->offered);
    membership->offered_count = (uint32_t)list->cnt;
    for (int i = 0; i < list->cnt; i++)
        name_partition(membership, &list->elems[i], &membership->offered[i]);
    membership->state = OF_MEMBER_OFFERED;
    event->kind = OF_SOURCE_ASSIGNED;
    event->partitions = membership->offered;
    event->count = membership->offered_count;
}

static bool
take_assignment(struct of_kafka_membership *membership, const rd_kafka_topic_partition_list_t *list,
                struct of_source_event *event)
{
    membership->group_assigned = list->cnt > 0;
    if (membership->leaving) {
        take_nothing(membership);
        return false;
    }
    if (membership->state == OF_MEMBER_JOINING) {
        offer(membership, list, event);
        return true;
    }
    forget_next(membership);
    membership->next = rd_kafka_topic_partition_list_copy(list);
    membership->state = OF_MEMBER_GIVING_UP;
    event->kind = OF_SOURCE_LOST;
    return true;
}

/* What came before the last assignment was given up. */
static bool
offer_next(struct of_kafka_membership *membership, struct of_source_event *event)
{
    if (membership->next == NULL || membership->state != OF_MEMBER_JOINING)
        return false;
    bool wanted = !membership->leaving;
    if (wanted)
        offer(membership, membership->next, event);
    else
        take_nothing(membership);
    forget_next(membership);
    return wanted;
}

static bool
revoke(struct of_kafka_membership *membership, struct of_source_event *event)
{
    membership->group_assigned = false;
    forget_next(membership);
    switch (membership->state) {
    case OF_MEMBER_JOINING:
        rd_kafka_assign(membership->client.rk, NULL);
        return false;
    case OF_MEMBER_GIVING_UP: /* give_up will answer: at once, where there is nothing to drain for any more */
        if (!rd_kafka_assignment_lost(membership->client.rk))
            return false;
        break;
    case OF_MEMBER_OFFERED:
    case OF_MEMBER_READING:
        break;
    }
    membership->state = OF_MEMBER_GIVING_UP;
    event->kind = rd_kafka_assignment_lost(membership->client.rk) ? OF_SOURCE_LOST : OF_SOURCE_REVOKED;
    return true;
}

static bool
on_rebalance(struct of_kafka_membership *membership, rd_kafka_event_t *from, struct of_source_event *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(from);
    switch (code) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        of_kafka_client_reached(&membership->client);
        return take_assignment(membership, rd_kafka_event_topic_partition_list(from), event);
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        return revoke(membership, event);
    default:
        of_kafka_log_line(membership->options, 4, "rebalance of group %s failed: %s", membership->options->group,
                          rd_kafka_err2str(code));
        return revoke(membership, event);
    }
}

/* ---- events: the others ---- */

static bool
on_commit(struct of_kafka_membership *membership, rd_kafka_event_t *from, struct of_source_event *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(from);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(from);
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL && i < list->cnt; i++)
        code = list->elems[i].err;
    event->kind = OF_SOURCE_COMMITTED;
    event->status = of_kafka_commit_status(code);
    if (event->status == OF_OK) {
        of_kafka_client_reached(&membership->client);
    } else {
        char why[256];
        of_error_set(&event->error, event->status, "commit: %s",
                     of_kafka_why(&membership->client, code, why, sizeof why));
    }
    return true;
}

static bool
on_fatal(struct of_kafka_membership *membership, struct of_source_event *event)
{
    char why[512];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(membership->client.rk, why, sizeof why);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || membership->failed)
        return false;
    membership->failed = true;
    bool fenced = code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
    /* Who holds nothing any more and is to leave, has left. After a session that timed out this may be its own later join. */
    if (fenced && membership->leaving && membership->state == OF_MEMBER_JOINING)
        return false;
    event->fenced = fenced;
    event->kind = OF_SOURCE_FAILED;
    event->status = OF_FATAL;
    of_error_set(&event->error, OF_FATAL, "%s",
                 event->fenced ? "another instance with the same identity has joined the group" : why);
    return true;
}

static bool
on_queue_event(struct of_kafka_membership *membership, rd_kafka_event_t *from, struct of_source_event *event)
{
    if (of_kafka_client_handle(&membership->client, from))
        return false;
    switch (rd_kafka_event_type(from)) {
    case RD_KAFKA_EVENT_REBALANCE:
        return on_rebalance(membership, from, event);
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        return on_commit(membership, from, event);
    case RD_KAFKA_EVENT_ERROR:
        return on_fatal(membership, event);
    default:
        return false;
    }
}

static bool
tell_commit_failed(struct of_kafka_membership *membership, struct of_source_event *event)
{
    if (!membership->commit_failed)
        return false;
    membership->commit_failed = false;
    event->kind = OF_SOURCE_COMMITTED;
    event->status = membership->commit_status;
    return true;
}

bool
of_kafka_membership_event(struct of_kafka_membership *membership, struct of_source_event *event)
{
    rd_kafka_event_t *from;
    if (offer_next(membership, event))
        return true;
    while ((from = rd_kafka_queue_poll(membership->client.queue, 0)) != NULL) {
        bool told = on_queue_event(membership, from, event);
        rd_kafka_event_destroy(from);
        if (told)
            return true;
    }
    return tell_commit_failed(membership, event);
}

static bool
stays(const struct of_kafka_membership *membership)
{
    return membership->options->stay && membership->options->group_instance_id != NULL;
}

static bool
has_member_id(const struct of_kafka_membership *membership)
{
    char *id = rd_kafka_memberid(membership->client.rk);
    bool has = id != NULL && id[0] != '\0';
    rd_kafka_mem_free(membership->client.rk, id);
    return has;
}

/* A fixed name gets its member id only with the answer to JoinGroup, when all others have joined as well. Until then it
 * has nothing to leave with, and the group would give it partitions and wait for its session to time out. */
static bool
must_join_first(struct of_kafka_membership *membership)
{
    if (membership->options->group_instance_id == NULL || membership->client.unreachable)
        return false;
    if (membership->joined_by_ns == 0)
        membership->joined_by_ns = now_ns() + JOIN_MS * OF_MS_NS;
    return now_ns() < membership->joined_by_ns && !has_member_id(membership);
}

/* Not with every turn of the stage, as each look is a request to librdkafka's own thread. */
static bool
too_early_to_look(struct of_kafka_membership *membership)
{
    if (now_ns() < membership->look_ns)
        return true;
    membership->look_ns = now_ns() + LOOK_MS * OF_MS_NS;
    return false;
}

/* Once nothing is held any more. True: there is nothing to wait for. */
static bool
leave_group(struct of_kafka_membership *membership)
{
    if (stays(membership) || membership->failed)
        return true;
    if (too_early_to_look(membership))
        return false;
    if (membership->left_by_ns == 0) {
        if (must_join_first(membership))
            return false;
        rd_kafka_unsubscribe(membership->client.rk);
        membership->left_by_ns = now_ns() + LEAVE_MS * OF_MS_NS;
    }
    return (!membership->group_assigned && !has_member_id(membership)) || now_ns() >= membership->left_by_ns;
}

bool
of_kafka_membership_leaving(struct of_kafka_membership *membership, struct of_source_event *event)
{
    if (!membership->leaving || membership->left || membership->state == OF_MEMBER_GIVING_UP)
        return false;
    if (membership->state != OF_MEMBER_JOINING) {
        membership->state = OF_MEMBER_GIVING_UP;
        event->kind = OF_SOURCE_REVOKED;
        return true;
    }
    if (!leave_group(membership))
        return false;
    membership->left = true;
    event->kind = OF_SOURCE_LEFT;
    return true;
}

/* ---- assignment ---- */

enum of_status
of_kafka_membership_positions(struct of_kafka_membership *membership, struct of_partition *partitions, uint32_t count,
                              struct of_error *err)
{
    return of_kafka_query_positions(&membership->client, partitions, count, true, POSITIONS_MS, err);
}

enum of_status
of_kafka_membership_accept(struct of_kafka_membership *membership, struct of_error *err)
{
    OF_ASSERT(membership->state == OF_MEMBER_OFFERED);
    rd_kafka_resp_err_t code = take_nothing(membership);
    membership->state = OF_MEMBER_READING;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_FATAL, "cannot take the partitions that the group assigned: %s", rd_kafka_err2str(code));
    return OF_OK;
}

void
of_kafka_membership_give_up(struct of_kafka_membership *membership)
{
    rd_kafka_assign(membership->client.rk, NULL);
    membership->state = OF_MEMBER_JOINING;
}

/* ---- commit, leave, close ---- */

void
of_kafka_membership_commit(struct of_kafka_membership *membership, const struct of_offset *offsets, uint32_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *partition =
            rd_kafka_topic_partition_list_add(list, offsets[i].slot->topic, offsets[i].slot->partition);
        partition->offset = offsets[i].next_offset;
        of_kafka_note_leader_epoch(partition, offsets[i].leader_epoch);
    }
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(membership->client.rk, list, membership->client.queue, NULL, NULL);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        membership->commit_failed = true;
        membership->commit_status = of_kafka_commit_status(code);
    }
}

void *
of_kafka_membership_metadata(struct of_kafka_membership *membership)
{
    return rd_kafka_consumer_group_metadata(membership->client.rk);
}

void
of_kafka_membership_give_back_metadata(void *metadata)
{
    rd_kafka_consumer_group_metadata_destroy(metadata);
}

void
of_kafka_membership_leave(struct of_kafka_membership *membership)
{
    membership->leaving = true;
}

/* Ends the membership: answers what librdkafka still asks, with a deadline of our own. */
static void
close_consumer(struct of_kafka_membership *membership)
{
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(membership->client.rk, membership->client.queue);
    if (error != NULL) { /* after a fatal error */
        rd_kafka_error_destroy(error);
        return;
    }
    int64_t until_ns = now_ns() + CLOSE_MS * OF_MS_NS;
    while (!rd_kafka_consumer_closed(membership->client.rk) && now_ns() < until_ns) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(membership->client.queue, 100);
        if (event == NULL)
            continue;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            rd_kafka_assign(membership->client.rk, NULL);
        else
            of_kafka_client_handle(&membership->client, event);
        rd_kafka_event_destroy(event);
    }
}

void
of_kafka_membership_close(struct of_kafka_membership *membership)
{
    close_consumer(membership);
    of_kafka_client_close(&membership->client, DESTROY_MS);
    forget_next(membership);
    free(membership->offered);
}
