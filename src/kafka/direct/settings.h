/* What the direct source is told: the program's options and those properties of librdkafka that mean the same here.
 *
 * A property that only concerns groups, producing or librdkafka's own queues is passed over. One that changes how
 * brokers are reached or understood, and that we do not speak, makes the direct source inapplicable. */
#ifndef OF_KAFKA_DIRECT_SETTINGS_H
#define OF_KAFKA_DIRECT_SETTINGS_H

#include "kafka/options.h"

enum of_sasl_mechanism_kind { OF_SASL_NONE, OF_SASL_PLAIN, OF_SASL_SCRAM_SHA_256, OF_SASL_SCRAM_SHA_512 };

struct of_direct_settings {
    const char *brokers;
    const char *client_id;
    int32_t wait_ms;              /* fetch.wait.max.ms */
    int32_t min_bytes;            /* fetch.min.bytes */
    int32_t fetch_bytes;          /* fetch.max.bytes: of an answer, all partitions together */
    int32_t partition_bytes;      /* fetch.message.max.bytes: of one partition in an answer */
    int32_t retry_bytes;          /* of one retry partition in an answer */
    int32_t answer_bytes;         /* receive.message.max.bytes: what is larger ends the connection */
    uint32_t slabs;               /* answers with orders that may be around at once */
    int64_t request_ms;           /* socket.timeout.ms: for an answer, on top of wait_ms */
    int64_t connect_ms;           /* socket.connection.setup.timeout.ms: until a connection can be used */
    int64_t backoff_ms;           /* reconnect.backoff.ms, retry.backoff.ms: the first */
    int64_t backoff_most_ms;      /* reconnect.backoff.max.ms */
    int64_t metadata_ms;          /* topic.metadata.refresh.interval.ms */
    bool tls;
    const char *ca_location;
    const char *certificate_location;
    const char *key_location;
    const char *key_password;
    bool verify;                  /* enable.ssl.certificate.verification */
    bool verify_host;             /* ssl.endpoint.identification.algorithm is not none */
    enum of_sasl_mechanism_kind sasl;
    const char *username;
    const char *password;
};

/* OF_OK; OF_POISON: the direct source does not apply, and the text says why. */
enum of_status of_direct_settings_read(const struct of_kafka_options *options, struct of_direct_settings *settings,
                                       struct of_error *err) OF_MUST_USE;

#endif
