/* Topics: whether they exist, creating them, and whether they are fit for what they are to hold.
 *
 * Looking a topic up never creates it, whatever the broker's settings are.
 * Owner: whoever opened it. Threads: one at a time. Every call blocks for its timeout at most. */
#ifndef OF_KAFKA_ADMIN_H
#define OF_KAFKA_ADMIN_H

#include "kafka/options.h"

struct of_admin;

struct of_topic_spec {
    const char *name;
    int32_t partitions;
    int32_t replication;      /* -1: the broker's default */
    const char *retention_ms; /* NULL: the broker's default */
    const struct of_kafka_property *configs; /* others, for a topic that is created */
    size_t config_count;
};

/* options must outlive the admin. OF_FATAL: a property is refused. */
OF_MUST_USE enum of_status of_admin_open(const struct of_kafka_options *options, struct of_admin **out,
                                         struct of_error *err);

/* *partitions: how many the topic has, 0 when it does not exist. OF_OK; OF_RETRY: no answer; OF_FATAL: not allowed. */
OF_MUST_USE enum of_status of_admin_look_up(struct of_admin *admin, const char *topic, int timeout_ms,
                                            int32_t *partitions, struct of_error *err);

/* OF_OK: the topic exists now, maybe because another process was faster, and its partitions have leaders. OF_RETRY: no
 * answer; OF_FATAL: refused. May take twice the timeout. */
OF_MUST_USE enum of_status of_admin_create_topic(struct of_admin *admin, const struct of_topic_spec *spec,
                                                 int timeout_ms, struct of_error *err);

/* OF_OK: the topic, which exists, has at least so many partitions now, and they have leaders. OF_RETRY: no answer;
 * OF_FATAL: refused. May take twice the timeout. */
OF_MUST_USE enum of_status of_admin_add_partitions(struct of_admin *admin, const char *topic, int32_t partitions,
                                                   int timeout_ms, struct of_error *err);

/* Whether the topic, which exists, keeps the newest record of each key for ever. OF_OK: it does, or that cannot be found
 * out, which is logged; OF_RETRY: no answer; OF_FATAL: it does not, the text says what to change. */
OF_MUST_USE enum of_status of_admin_check_compaction(struct of_admin *admin, const char *topic, int timeout_ms,
                                                     struct of_error *err);

/* Whether the topic, which exists, keeps every record for at least keep_ms (-1: for ever). OF_OK: it does, or that cannot
 * be found out (not allowed, an old broker), which is logged; OF_RETRY: no answer; OF_POISON: it keeps records for less,
 * the text says what to change; OF_FATAL: it is compacted, which deletes records whatever their age. */
OF_MUST_USE enum of_status of_admin_check_retention(struct of_admin *admin, const char *topic, int64_t keep_ms,
                                                    int timeout_ms, struct of_error *err);

/* Visits every setting of the topic, which exists: value NULL where it is not told. OF_OK; OF_RETRY: no answer; OF_FATAL:
 * not allowed, or no such topic. */
typedef void of_admin_setting(void *context, const char *name, const char *value);
OF_MUST_USE enum of_status of_admin_settings(struct of_admin *admin, const char *topic, int timeout_ms,
                                             of_admin_setting *visit, void *context, struct of_error *err);

/* The cluster's id, a string to be freed. OF_OK; OF_RETRY: no answer. */
OF_MUST_USE enum of_status of_admin_cluster_id(struct of_admin *admin, int timeout_ms, char **id, struct of_error *err);

void of_admin_close(struct of_admin **admin);

#endif
