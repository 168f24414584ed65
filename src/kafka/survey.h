/* Looking at brokers from outside, step by step: which step of the way to them fails, what they speak, which brokers and
 * topics they tell of, and what we may do with those.
 *
 * Uses connections of its own (kafka/direct), so it knows what the direct source knows: settings that only librdkafka
 * understands give OF_POISON at open.
 * Owner: whoever opened it. Threads: one. */
#ifndef OF_KAFKA_SURVEY_H
#define OF_KAFKA_SURVEY_H

#include "kafka/options.h"

/* The way to a broker. */
enum of_survey_step {
    OF_SURVEY_RESOLVE,  /* the host's name to addresses */
    OF_SURVEY_CONNECT,  /* TCP */
    OF_SURVEY_SECURE,   /* TLS */
    OF_SURVEY_VERSIONS, /* ApiVersions: it speaks Kafka */
    OF_SURVEY_LOGIN,    /* SASL */
    OF_SURVEY_UP,
};

struct of_survey_broker {
    char address[280]; /* "host:port" */
    int32_t node;      /* -1: one that the options name */
    enum of_survey_step step; /* where it failed; UP: it did not */
    int64_t took_ms;
    char why[200];
    int16_t fetch_version;   /* the newest that it speaks, -1: none */
    bool fit_for_direct;
};

enum { OF_SURVEY_UNKNOWN = INT32_MIN };

struct of_survey_topic {
    const char *name;   /* as given to open */
    bool told;          /* the broker has answered about it */
    bool hidden;        /* it does not say, because we may not know */
    int32_t partitions; /* 0: it does not exist */
    int32_t leaderless;
    int32_t replicas, in_sync; /* the fewest that any of its partitions has */
    int32_t operations; /* bit n: the operation that ACLs number n; OF_SURVEY_UNKNOWN */
};

/* Numbers of operations in Kafka's ACLs. */
enum { OF_MAY_READ = 3, OF_MAY_WRITE = 4, OF_MAY_CREATE = 5 };

enum { OF_SURVEY_BROKERS = 32, OF_SURVEY_TOPICS = 4 };

struct of_survey {
    struct of_survey_broker brokers[OF_SURVEY_BROKERS]; /* named by the options first, then those that were told of */
    uint32_t broker_count;
    uint32_t told_of; /* brokers that the cluster has, which may be more than are looked at */
    struct of_survey_topic topics[OF_SURVEY_TOPICS];
    uint32_t topic_count;
    bool reached; /* a broker is UP and has told of the cluster */
    int32_t operations; /* what we may do with the cluster, as for topics; 0: it does not say, because we may not know */
};

/* Looks at every broker that the options name, asks the first that is up about the topics, and looks at every broker
 * that it tells of. each_ms: for one broker. topics: OF_SURVEY_TOPICS at most, borrowed. OF_OK, whatever was found;
 * OF_POISON with a text: these settings are not understood here. */
enum of_status of_survey_look(const struct of_kafka_options *options, const char *const *topics, uint32_t topic_count,
                              int each_ms, struct of_survey *survey, struct of_error *err) OF_MUST_USE;

/* "resolving its name", "TCP", "TLS", "ApiVersions", "SASL". */
const char *of_survey_step_name(enum of_survey_step step);

#endif
