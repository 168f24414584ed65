#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/doctor/checks.h"

enum topic { ORDERS, RETRY, DEAD, AGGREGATES, TOPICS };

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

/* The settings that matter, as the broker tells them; -1 in a number: for ever, or no limit. */
struct found {
    char cleanup[64];
    int64_t retention_ms, max_bytes, min_in_sync;
};

static const char *
name_of(const struct of_doctor *doctor, enum topic topic)
{
    const char *const names[TOPICS] = { doctor->kafka.orders_topic, doctor->kafka.retry_topic,
                                        doctor->kafka.dead_letter_topic, doctor->kafka.aggregates_topic };
    return names[topic];
}

static void
take_setting(void *context, const char *name, const char *value)
{
    struct found *found = context;
    if (value == NULL)
        return;
    if (strcmp(name, "cleanup.policy") == 0)
        snprintf(found->cleanup, sizeof found->cleanup, "%s", value);
    else if (strcmp(name, "retention.ms") == 0)
        found->retention_ms = strtoll(value, NULL, 10);
    else if (strcmp(name, "max.message.bytes") == 0)
        found->max_bytes = strtoll(value, NULL, 10);
    else if (strcmp(name, "min.insync.replicas") == 0)
        found->min_in_sync = strtoll(value, NULL, 10);
}

/* ---- existence and size ---- */

static int32_t
partitions_needed(const struct of_doctor *doctor, enum topic topic)
{
    int32_t orders = doctor->partitions[ORDERS] > 0 ? doctor->partitions[ORDERS] : (int32_t)doctor->settings->partitions;
    if (topic == AGGREGATES && doctor->partitions[RETRY] > orders)
        return doctor->partitions[RETRY];
    return topic == ORDERS ? 1 : orders;
}

static void
add_missing(struct of_doctor *doctor, enum topic topic, const char *check)
{
    if (doctor->settings->create_topics) {
        of_report_add(doctor->report, topic == ORDERS ? OF_VERDICT_WARN : OF_VERDICT_OK, check,
                      "does not exist yet; run creates it with %" PRId32 " partitions",
                      topic == ORDERS ? (int32_t)doctor->settings->partitions : partitions_needed(doctor, topic));
        if (topic == ORDERS)
            of_report_remedy(doctor->report, "check --topic if there should be orders already");
        return;
    }
    of_report_add(doctor->report, OF_VERDICT_FAIL, check, "does not exist");
    of_report_remedy(doctor->report, "create it with %" PRId32 " partitions%s, or allow --create-topics",
                     topic == ORDERS ? (int32_t)doctor->settings->partitions : partitions_needed(doctor, topic),
                     topic == AGGREGATES ? " and cleanup.policy=compact" : "");
}

/* Returns whether something is wrong with how many there are. */
static bool
add_size(struct of_doctor *doctor, enum topic topic, const char *check)
{
    int32_t has = doctor->partitions[topic], needed = partitions_needed(doctor, topic);
    if (has >= needed)
        return false;
    if (topic == AGGREGATES) {
        bool grows = doctor->settings->create_topics;
        of_report_add(doctor->report, grows ? OF_VERDICT_WARN : OF_VERDICT_FAIL, check,
                      "has %" PRId32 " partitions, and %" PRId32 " are needed%s", has, needed,
                      grows ? "; run adds them" : "");
        of_report_remedy(doctor->report, "add partitions to it");
    } else {
        of_report_add(doctor->report, OF_VERDICT_WARN, check, "has %" PRId32 " partitions and %s %" PRId32
                      ": several share one", has, doctor->kafka.orders_topic, needed);
        of_report_remedy(doctor->report, "add partitions to it");
    }
    return true;
}

/* ---- replicas ---- */

static bool
add_replicas(struct of_doctor *doctor, enum topic topic, const char *check, const struct found *found)
{
    const struct of_survey_topic *told = &doctor->survey.topics[topic];
    if (!doctor->surveyed || told->partitions == 0)
        return false;
    if (told->leaderless > 0) {
        of_report_add(doctor->report, OF_VERDICT_FAIL, check, "%" PRId32 " of its %" PRId32 " partitions have no leader",
                      told->leaderless, told->partitions);
        of_report_remedy(doctor->report, "start the brokers that have them");
    } else if (topic != ORDERS && found->min_in_sync > told->in_sync) {
        of_report_add(doctor->report, OF_VERDICT_FAIL, check, "%" PRId32 " replicas are in sync and "
                      "min.insync.replicas is %" PRId64 ": it takes no records", told->in_sync, found->min_in_sync);
        of_report_remedy(doctor->report, "start the brokers that have the others, or lower min.insync.replicas");
    } else if (told->in_sync < told->replicas) {
        of_report_add(doctor->report, OF_VERDICT_WARN, check, "a partition has %" PRId32 " of %" PRId32 " replicas in sync",
                      told->in_sync, told->replicas);
        of_report_remedy(doctor->report, "look after the brokers that lag behind");
    } else if (told->replicas == 1 && doctor->survey.told_of > 1) {
        of_report_add(doctor->report, OF_VERDICT_WARN, check, "has one replica: when its broker is down, it is");
        of_report_remedy(doctor->report, "add replicas; --replication is for topics that run creates");
    } else if (topic != ORDERS && told->replicas > 1 && found->min_in_sync >= told->replicas) {
        of_report_add(doctor->report, OF_VERDICT_WARN, check, "min.insync.replicas is %" PRId64 " of %" PRId32
                      " replicas: one broker down stops it", found->min_in_sync, told->replicas);
        of_report_remedy(doctor->report, "set min.insync.replicas to %" PRId32, told->replicas - 1);
    } else {
        return false;
    }
    return true;
}

/* ---- what is kept ---- */

static bool
add_cleanup(struct of_doctor *doctor, enum topic topic, const char *check, const struct found *found)
{
    bool compacts = strstr(found->cleanup, "compact") != NULL;
    if (topic == AGGREGATES && strcmp(found->cleanup, "compact") != 0) {
        of_report_add(doctor->report, OF_VERDICT_FAIL, check, "cleanup.policy is %s, which deletes totals that are still "
                      "needed", found->cleanup);
        of_report_remedy(doctor->report, "set cleanup.policy to compact");
    } else if (topic == ORDERS && compacts) {
        of_report_add(doctor->report, OF_VERDICT_WARN, check, "cleanup.policy is %s: orders of the same key replace each "
                      "other before they are read", found->cleanup);
        of_report_remedy(doctor->report, "set cleanup.policy to delete, unless that is meant");
    } else if (topic != AGGREGATES && compacts) {
        of_report_add(doctor->report, OF_VERDICT_FAIL, check, "cleanup.policy is %s, which deletes records that are still "
                      "needed", found->cleanup);
        of_report_remedy(doctor->report, "set cleanup.policy to delete");
    } else if (topic == RETRY && found->retention_ms >= 0 && found->retention_ms < DAY_MS) {
        of_report_add(doctor->report, OF_VERDICT_WARN, check, "retention.ms is %" PRId64 ": orders that wait longer, also "
                      "because of an outage, are lost", found->retention_ms);
        of_report_remedy(doctor->report, "set retention.ms to %" PRId64 " or more", 7 * DAY_MS);
    } else {
        return false;
    }
    return true;
}

static bool
add_message_bytes(struct of_doctor *doctor, enum topic topic, const char *check, const struct found *found,
                  const struct found *orders)
{
    if ((topic != RETRY && topic != DEAD) || orders->max_bytes <= found->max_bytes)
        return false;
    of_report_add(doctor->report, OF_VERDICT_WARN, check, "max.message.bytes is %" PRId64 ", and that of %s %" PRId64
                  ": large orders cannot be %s", found->max_bytes, doctor->kafka.orders_topic, orders->max_bytes,
                  topic == RETRY ? "tried again, but become dead letters" : "kept whole");
    of_report_remedy(doctor->report, "set max.message.bytes to %" PRId64, orders->max_bytes);
    return true;
}

/* ---- one topic ---- */

static bool
look_at_settings(struct of_doctor *doctor, enum topic topic, const char *check, struct found *found)
{
    struct of_error err;
    *found = (struct found) { .retention_ms = -1 };
    if (of_admin_settings(doctor->admin, name_of(doctor, topic), OF_DOCTOR_MS, take_setting, found, &err) == OF_OK)
        return true;
    of_report_add(doctor->report, OF_VERDICT_SKIP, check, "its settings cannot be checked: %s", err.text);
    of_report_remedy(doctor->report, "allow this user to DescribeConfigs of the topic");
    return false;
}

static void
check_topic(struct of_doctor *doctor, enum topic topic, struct found *found)
{
    char check[320];
    struct of_error err;
    snprintf(check, sizeof check, "topic %s", name_of(doctor, topic));
    enum of_status status = of_admin_look_up(doctor->admin, name_of(doctor, topic), OF_DOCTOR_MS,
                                             &doctor->partitions[topic], &err);
    if (status != OF_OK) {
        doctor->partitions[topic] = -1;
        of_report_add(doctor->report, OF_VERDICT_FAIL, check, "%s", err.text);
        of_report_remedy(doctor->report, "%s", status == OF_RETRY ? "see whether the brokers are well"
                                                                  : "allow this user to Describe the topic");
        return;
    }
    if (doctor->partitions[topic] == 0) {
        add_missing(doctor, topic, check);
        return;
    }
    bool wrong = add_size(doctor, topic, check);
    if (!look_at_settings(doctor, topic, check, &found[topic]))
        return;
    wrong |= add_replicas(doctor, topic, check, &found[topic]);
    wrong |= add_cleanup(doctor, topic, check, &found[topic]);
    wrong |= add_message_bytes(doctor, topic, check, &found[topic], &found[ORDERS]);
    if (!wrong)
        of_report_add(doctor->report, OF_VERDICT_OK, check, "%" PRId32 " partitions, cleanup.policy %s, retention.ms %"
                      PRId64 ", max.message.bytes %" PRId64, doctor->partitions[topic], found[topic].cleanup,
                      found[topic].retention_ms, found[topic].max_bytes);
}

void
of_doctor_check_topics(struct of_doctor *doctor)
{
    struct found found[TOPICS] = { { .retention_ms = -1 } };
    if (!doctor->reached) {
        of_report_add(doctor->report, OF_VERDICT_SKIP, "topics", "not checked, as no broker answers");
        return;
    }
    for (enum topic topic = ORDERS; topic < TOPICS; topic++)
        check_topic(doctor, topic, found);
}

/* ---- permissions ---- */

static const struct {
    enum topic topic;
    int operation;
    const char *name;
} needed[] = {
    { ORDERS, OF_MAY_READ, "Read" },
    { RETRY, OF_MAY_READ, "Read" },
    { RETRY, OF_MAY_WRITE, "Write" },
    { DEAD, OF_MAY_WRITE, "Write" },
    { AGGREGATES, OF_MAY_READ, "Read" },
    { AGGREGATES, OF_MAY_WRITE, "Write" },
};

/* Returns whether all of the topic is allowed, or nothing is told. */
static bool
check_operations(struct of_doctor *doctor, enum topic topic)
{
    const struct of_survey_topic *told = &doctor->survey.topics[topic];
    char check[320];
    snprintf(check, sizeof check, "permissions %s", told->name);
    if (told->hidden) {
        of_report_add(doctor->report, OF_VERDICT_FAIL, check, "this user may not even know of the topic");
        of_report_remedy(doctor->report, "allow it to Describe, and what follows from docs/operations.md");
        return false;
    }
    if (told->partitions == 0 || told->operations == OF_SURVEY_UNKNOWN)
        return true;
    bool all = true;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (needed[i].topic != topic || (told->operations >> needed[i].operation & 1))
            continue;
        of_report_add(doctor->report, OF_VERDICT_FAIL, check, "this user may not %s it", needed[i].name);
        of_report_remedy(doctor->report, "allow %s of the topic to it (kafka-acls)", needed[i].name);
        all = false;
    }
    return all;
}

/* A right to create topics of that name alone is not told of topics that do not exist. */
static bool
check_creation(struct of_doctor *doctor)
{
    int32_t operations = doctor->survey.operations;
    bool missing = false;
    for (enum topic topic = ORDERS; topic < TOPICS; topic++)
        missing |= doctor->partitions[topic] == 0;
    if (!missing || !doctor->settings->create_topics || operations == OF_SURVEY_UNKNOWN || operations == 0
        || (operations >> OF_MAY_CREATE & 1))
        return true;
    of_report_add(doctor->report, OF_VERDICT_WARN, "permissions", "this user may not Create topics of the cluster, and "
                  "some are missing");
    of_report_remedy(doctor->report, "allow Create to it, or create them");
    return false;
}

void
of_doctor_check_permissions(struct of_doctor *doctor)
{
    if (!doctor->reached || !doctor->surveyed) {
        of_report_add(doctor->report, OF_VERDICT_SKIP, "permissions", "not checked, as %s",
                      doctor->reached ? "only librdkafka understands the security settings" : "no broker answers");
        return;
    }
    bool all = true, known = false;
    for (enum topic topic = ORDERS; topic < TOPICS; topic++) {
        all &= check_operations(doctor, topic);
        known |= doctor->survey.topics[topic].operations != OF_SURVEY_UNKNOWN;
    }
    all &= check_creation(doctor);
    if (all && known)
        of_report_add(doctor->report, OF_VERDICT_OK, "permissions", "the topics that exist may be read and written as "
                      "needed");
    else if (all)
        of_report_add(doctor->report, OF_VERDICT_SKIP, "permissions", "the brokers do not tell them");
}
