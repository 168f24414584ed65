#include "kafka/group.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"
#include "kafka/offsets.h"

enum { DESTROY_MS = 1000 };

struct of_group {
    struct of_kafka_options quiet; /* without log: what goes wrong with brokers the other client tells */
    struct of_kafka_client client;
    struct of_kafka_client ends; /* reads uncommitted records, and so is told true ends */
};

enum of_status
of_group_open(const struct of_kafka_options *options, struct of_group **out, struct of_error *err)
{
    const struct of_kafka_property settings[] = {
        { "group.id", options->group },
        { "enable.auto.commit", "false" },
        { "isolation.level", "read_committed" },
        { "allow.auto.create.topics", "false" },
    };
    static const struct of_kafka_property ends_settings[] = {
        { "isolation.level", "read_uncommitted" },
        { "allow.auto.create.topics", "false" },
    };
    struct of_group *group = of_alloc(sizeof *group);
    group->quiet = *options;
    group->quiet.log = NULL;
    enum of_status status = of_kafka_client_open(&group->client, RD_KAFKA_CONSUMER, options, settings,
                                                 sizeof settings / sizeof *settings, 0, err);
    if (status == OF_OK)
        status = of_kafka_client_open(&group->ends, RD_KAFKA_CONSUMER, &group->quiet, ends_settings,
                                      sizeof ends_settings / sizeof *ends_settings, 0, err);
    if (status != OF_OK)
        of_group_close(&group);
    *out = group;
    return status;
}

void
of_group_close(struct of_group **group)
{
    struct of_group *closing = *group;
    *group = NULL;
    if (closing == NULL)
        return;
    of_kafka_client_close(&closing->client, DESTROY_MS);
    of_kafka_client_close(&closing->ends, DESTROY_MS);
    free(closing);
}

static enum of_status
fail(struct of_group *group, rd_kafka_resp_err_t code, const char *what, const char *text, struct of_error *err)
{
    of_kafka_client_serve(&group->client);
    of_kafka_client_serve(&group->ends);
    return of_error_set(err, of_kafka_transient(code) ? OF_RETRY : OF_FATAL, "cannot %s group %s: %s", what,
                        group->client.options->group, text != NULL ? text : rd_kafka_err2str(code));
}

/* ---- members ---- */

static void
name_member(const rd_kafka_ConsumerGroupDescription_t *description, char *text, size_t size)
{
    if (size > 0)
        *text = '\0';
    if (rd_kafka_ConsumerGroupDescription_member_count(description) == 0)
        return;
    const rd_kafka_MemberDescription_t *member = rd_kafka_ConsumerGroupDescription_member(description, 0);
    const char *instance = rd_kafka_MemberDescription_group_instance_id(member);
    snprintf(text, size, "%s at %s", instance != NULL ? instance : rd_kafka_MemberDescription_client_id(member),
             rd_kafka_MemberDescription_host(member));
}

/* A group that the coordinator does not know is described as dead, without members. */
static enum of_status
take_description(struct of_group *group, rd_kafka_event_t *event, uint32_t *members, char *text, size_t size,
                 struct of_error *err)
{
    static const char what[] = "look up the members of";
    if (event == NULL)
        return fail(group, RD_KAFKA_RESP_ERR__TIMED_OUT, what, NULL, err);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(group, rd_kafka_event_error(event), what, rd_kafka_event_error_string(event), err);
    size_t count;
    const rd_kafka_ConsumerGroupDescription_t **descriptions = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    const rd_kafka_error_t *error = count == 1 ? rd_kafka_ConsumerGroupDescription_error(descriptions[0]) : NULL;
    rd_kafka_resp_err_t code = error == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
    *members = 0;
    if (code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        return OF_OK;
    if (count != 1 || code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(group, count != 1 ? RD_KAFKA_RESP_ERR__BAD_MSG : code, what, NULL, err);
    *members = (uint32_t)rd_kafka_ConsumerGroupDescription_member_count(descriptions[0]);
    name_member(descriptions[0], text, size);
    return OF_OK;
}

enum of_status
of_group_members(struct of_group *group, int timeout_ms, uint32_t *members, char *text, size_t size,
                 struct of_error *err)
{
    char why[256];
    const char *name = group->client.options->group;
    rd_kafka_t *rk = group->client.rk;
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    if (size > 0)
        *text = '\0';
    rd_kafka_DescribeConsumerGroups(rk, &name, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);
    enum of_status status = take_description(group, event, members, text, size, err);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    of_kafka_client_serve(&group->client);
    return status;
}

/* ---- offsets ---- */

static rd_kafka_topic_partition_list_t *
list_topic(const char *topic, int32_t partitions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic, p);
    return list;
}

static void
take_offsets(rd_kafka_topic_partition_list_t *list, int64_t *offsets)
{
    for (int i = 0; i < list->cnt; i++)
        offsets[i] = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    rd_kafka_topic_partition_list_destroy(list);
}

enum of_status
of_group_committed(struct of_group *group, const char *topic, int32_t partitions, int timeout_ms, int64_t *offsets,
                   struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = list_topic(topic, partitions);
    enum of_status status = of_kafka_query_committed(&group->client, list, timeout_ms, err);
    take_offsets(list, offsets);
    of_kafka_client_serve(&group->client);
    return status;
}

enum of_status
of_group_ends(struct of_group *group, const char *topic, int32_t partitions, int timeout_ms, int64_t *offsets,
              struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = list_topic(topic, partitions);
    enum of_status status = of_kafka_query_edges(&group->ends, list, true, timeout_ms, err);
    take_offsets(list, offsets);
    of_kafka_client_serve(&group->ends);
    return status;
}

/* ---- forgetting ---- */

/* The worst that is said of any partition. */
static rd_kafka_resp_err_t
deletion_error(rd_kafka_event_t *event)
{
    size_t count;
    const rd_kafka_group_result_t **groups = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
        rd_kafka_event_DeleteConsumerGroupOffsets_result(event), &count);
    if (count != 1)
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    if (rd_kafka_group_result_error(groups[0]) != NULL)
        return rd_kafka_error_code(rd_kafka_group_result_error(groups[0]));
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
    for (int i = 0; list != NULL && i < list->cnt; i++)
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return list->elems[i].err;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static enum of_status
judge_deletion(struct of_group *group, rd_kafka_event_t *event, struct of_error *err)
{
    static const char what[] = "delete the offsets of";
    if (event == NULL)
        return fail(group, RD_KAFKA_RESP_ERR__TIMED_OUT, what, NULL, err);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = deletion_error(event);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        return OF_OK;
    return fail(group, code, what, NULL, err);
}

static enum of_status
delete_offsets(struct of_group *group, const rd_kafka_topic_partition_list_t *list, int timeout_ms,
               struct of_error *err)
{
    char why[256];
    rd_kafka_t *rk = group->client.rk;
    rd_kafka_DeleteConsumerGroupOffsets_t *wanted =
        rd_kafka_DeleteConsumerGroupOffsets_new(group->client.options->group, list);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_DeleteConsumerGroupOffsets(rk, &wanted, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);
    enum of_status status = judge_deletion(group, event, err);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(wanted);
    of_kafka_client_serve(&group->client);
    return status;
}

enum of_status
of_group_forget(struct of_group *group, const char *topic, int32_t partitions, const int64_t *offsets, int timeout_ms,
                struct of_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t p = 0; p < partitions; p++)
        if (offsets[p] >= 0)
            rd_kafka_topic_partition_list_add(list, topic, p);
    enum of_status status = list->cnt == 0 ? OF_OK : delete_offsets(group, list, timeout_ms, err);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}
