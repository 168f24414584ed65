/* What every Kafka client of the program is told. One value, filled once by the command, read by all; where there are
 * several lanes each has a copy with what is its own.
 *
 * Owner: the command; everything it points to must outlive every client, as topic names of records, slots and events
 * point to the same strings.
 * Threads: constant after it is filled, except that log is called by whichever thread uses a client. */
#ifndef OF_KAFKA_OPTIONS_H
#define OF_KAFKA_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "kafka/statistics.h"
#include "kafka/topic_ids.h"

/* Where to begin in a partition for which the group has committed nothing. */
enum of_kafka_from { OF_KAFKA_FROM_EARLIEST, OF_KAFKA_FROM_LATEST };

/* What to do where retention has passed the offset to read: stay there, or pass over what is gone. */
enum of_kafka_out_of_range { OF_KAFKA_HOLD, OF_KAFKA_SKIP_TO_FIRST, OF_KAFKA_SKIP_TO_LAST };

/* A property of librdkafka, passed through. */
struct of_kafka_property {
    const char *name;
    const char *value;
};

/* level: 0 (worst) to 7 (debugging) as in syslog(3). text: one line. */
typedef void of_kafka_log(int level, const char *text);

struct of_kafka_options {
    const char *brokers;   /* host:port, comma separated */
    const char *client_id; /* NULL: "orderflow" */
    const char *group;
    const char *group_instance_id; /* of this one member; NULL: dynamic */
    const char *transactional_id;  /* of this one producer; NULL: it has none */
    bool stay;                     /* in the group when the source is closed: a fixed member keeps its partitions */
    const char *orders_topic;
    const char *retry_topic;
    const char *dead_letter_topic;
    const char *aggregates_topic;
    bool create_topics; /* what is missing of them may be created */
    enum of_kafka_from from;
    enum of_kafka_out_of_range on_out_of_range;
    size_t memory_bytes;      /* what one source may fetch ahead, all partitions together */
    int32_t retry_partitions; /* that one source may be assigned at most; 0: not known, a dozen is taken */
    int32_t batch_bytes;      /* that every topic written to takes in one batch; 0: not known */
    bool embedded;            /* timings that suit the embedded cluster */
    const struct of_kafka_property *properties;
    size_t property_count;
    of_kafka_log *log; /* NULL: nothing is logged */
    bool (*interrupted)(void); /* whether what takes long at a start is to be given up; any thread; NULL: it never is */
    struct of_topic_ids *topic_ids; /* of the lanes together; NULL: each source knows what it has seen itself */
    /* Of the lane's handles; NULL: not wanted. Consumer: the member of the group, or what reads orders where that is another. */
    struct of_kafka_statistics *consumer_statistics, *producer_statistics;
};

/* Why the property must not be set to this value, because delivery depends on it, or which option sets it; NULL when it
 * may. Static text. */
const char *of_kafka_refused_property(const char *name, const char *value);

/* Whether its value is a password or a key, and not to be shown. */
bool of_kafka_secret_property(const char *name);

/* Refuses, with the option to use instead, properties that the program sets itself because delivery depends on them, and
 * names that librdkafka does not know and values that it does not take. OF_OK or OF_FATAL. */
enum of_status of_kafka_check_properties(const struct of_kafka_options *options, struct of_error *err) OF_MUST_USE;

/* Whether librdkafka can make a client of the properties together, connecting to nothing: a mechanism without its
 * password, a certificate that cannot be read. OF_OK or OF_FATAL. */
enum of_status of_kafka_check_together(const struct of_kafka_options *options, struct of_error *err) OF_MUST_USE;

/* The default of a property of librdkafka as text, empty where it has none; false: it knows no such property. */
bool of_kafka_property_default(const char *name, char *out, size_t size) OF_MUST_USE;

#endif
