#include "kafka/direct/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { NUMBER_32, NUMBER_64, TEXT, FLAG, PROTOCOL, MECHANISM, HOST_CHECK, UNSPOKEN };

#define AT(member) offsetof(struct of_direct_settings, member)

/* What librdkafka calls them, aliases too. */
static const struct {
    const char *name;
    enum kind kind;
    size_t at;
} properties[] = {
    { "client.id", TEXT, AT(client_id) },
    { "fetch.wait.max.ms", NUMBER_32, AT(wait_ms) },
    { "fetch.min.bytes", NUMBER_32, AT(min_bytes) },
    { "fetch.max.bytes", NUMBER_32, AT(fetch_bytes) },
    { "fetch.message.max.bytes", NUMBER_32, AT(partition_bytes) },
    { "max.partition.fetch.bytes", NUMBER_32, AT(partition_bytes) },
    { "receive.message.max.bytes", NUMBER_32, AT(answer_bytes) },
    { "socket.timeout.ms", NUMBER_64, AT(request_ms) },
    { "socket.connection.setup.timeout.ms", NUMBER_64, AT(connect_ms) },
    { "reconnect.backoff.ms", NUMBER_64, AT(backoff_ms) },
    { "reconnect.backoff.max.ms", NUMBER_64, AT(backoff_most_ms) },
    { "topic.metadata.refresh.interval.ms", NUMBER_64, AT(metadata_ms) },
    { "security.protocol", PROTOCOL, 0 },
    { "ssl.ca.location", TEXT, AT(ca_location) },
    { "ssl.certificate.location", TEXT, AT(certificate_location) },
    { "ssl.key.location", TEXT, AT(key_location) },
    { "ssl.key.password", TEXT, AT(key_password) },
    { "enable.ssl.certificate.verification", FLAG, AT(verify) },
    { "ssl.endpoint.identification.algorithm", HOST_CHECK, AT(verify_host) },
    { "sasl.mechanism", MECHANISM, AT(sasl) },
    { "sasl.mechanisms", MECHANISM, AT(sasl) },
    { "sasl.username", TEXT, AT(username) },
    { "sasl.password", TEXT, AT(password) },
    /* the rest of what concerns the way to a broker */
    { "ssl.", UNSPOKEN, 0 },
    { "sasl.", UNSPOKEN, 0 },
    { "enable.sasl.", UNSPOKEN, 0 },
    { "enable.random.seed", UNSPOKEN, 0 },
    { "broker.address.", UNSPOKEN, 0 },
    { "broker.version.fallback", UNSPOKEN, 0 },
    { "api.version.request", UNSPOKEN, 0 },
    { "client.rack", UNSPOKEN, 0 },
    { "client.dns.lookup", UNSPOKEN, 0 },
    { "plugin.", UNSPOKEN, 0 },
    { "test.mock.", UNSPOKEN, 0 },
    { "api.version.fallback.ms", UNSPOKEN, 0 },
    { "bootstrap.servers", UNSPOKEN, 0 },
    { "metadata.broker.list", UNSPOKEN, 0 },
};
enum { PROPERTIES = sizeof properties / sizeof *properties };

static enum of_status
set_protocol(struct of_direct_settings *settings, const char *value, bool *sasl, struct of_error *err)
{
    if (strcasecmp(value, "plaintext") != 0 && strcasecmp(value, "ssl") != 0 &&
        strcasecmp(value, "sasl_plaintext") != 0 && strcasecmp(value, "sasl_ssl") != 0)
        return of_error_set(err, OF_POISON, "security.protocol=%s is not spoken by it", value);
    settings->tls = strcasecmp(value, "ssl") == 0 || strcasecmp(value, "sasl_ssl") == 0;
    *sasl = strncasecmp(value, "sasl", 4) == 0;
    return OF_OK;
}

static enum of_status
set_mechanism(struct of_direct_settings *settings, const char *value, struct of_error *err)
{
    static const char *const names[] = { NULL, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" };
    for (int i = OF_SASL_PLAIN; i <= OF_SASL_SCRAM_SHA_512; i++)
        if (strcmp(value, names[i]) == 0) {
            settings->sasl = (enum of_sasl_mechanism_kind)i;
            return OF_OK;
        }
    return of_error_set(err, OF_POISON, "sasl.mechanism=%s is not spoken by it", value);
}

static bool
is_true(const char *value)
{
    return strcasecmp(value, "true") == 0 || strcasecmp(value, "t") == 0 || strcmp(value, "1") == 0;
}

/* librdkafka has checked ranges and spelling: its clients are opened first. */
static enum of_status
set(struct of_direct_settings *settings, enum kind kind, void *at, const struct of_kafka_property *property, bool *sasl,
    struct of_error *err)
{
    const char *value = property->value;
    switch (kind) {
    case NUMBER_32: *(int32_t *)at = (int32_t)strtol(value, NULL, 10); break;
    case NUMBER_64: *(int64_t *)at = strtoll(value, NULL, 10); break;
    case TEXT: *(const char **)at = value; break;
    case FLAG: *(bool *)at = is_true(value); break;
    case HOST_CHECK: *(bool *)at = strcasecmp(value, "none") != 0; break;
    case PROTOCOL: return set_protocol(settings, value, sasl, err);
    case MECHANISM: return set_mechanism(settings, value, err);
    case UNSPOKEN: return of_error_set(err, OF_POISON, "the property %s is not known to it", property->name);
    }
    return OF_OK;
}

static enum of_status
apply(struct of_direct_settings *settings, const struct of_kafka_property *property, bool *sasl, struct of_error *err)
{
    for (int i = 0; i < PROPERTIES; i++) {
        bool prefix = properties[i].kind == UNSPOKEN;
        if (prefix ? strncmp(property->name, properties[i].name, strlen(properties[i].name)) == 0
                   : strcmp(property->name, properties[i].name) == 0)
            return set(settings, properties[i].kind, (char *)settings + properties[i].at, property, sasl, err);
    }
    return OF_OK;
}

static size_t
clamp(size_t value, size_t low, size_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* A sixteenth of the budget is for answers with orders, each small enough for the processor's cache: larger ones are
 * slower. Two partitions fill one: brokers cut each off in the middle of a batch, which is then sent in vain, so that it should not
 * be many; the next answer begins with others. A quarter is for retries that wait. */
static void
set_sizes(struct of_direct_settings *settings, const struct of_kafka_options *options)
{
    enum { USUAL_RETRY_PARTITIONS = 12, SLABS_LEAST = 3, SLABS_MOST = 16 };
    size_t retries = options->retry_partitions > 0 ? (size_t)options->retry_partitions : USUAL_RETRY_PARTITIONS;
    size_t memory = options->memory_bytes;
    settings->fetch_bytes = (int32_t)clamp(memory / 256, 256 << 10, 1 << 20);
    settings->slabs = (uint32_t)clamp(memory / 16 / (size_t)settings->fetch_bytes, SLABS_LEAST, SLABS_MOST);
    settings->partition_bytes = settings->fetch_bytes / 2;
    settings->retry_bytes = (int32_t)clamp(memory / 4 / retries / 4, 4 << 10, 256 << 10);
}

enum of_status
of_direct_settings_read(const struct of_kafka_options *options, struct of_direct_settings *settings,
                        struct of_error *err)
{
    *settings = (struct of_direct_settings) {
        .brokers = options->brokers,
        .client_id = options->client_id != NULL ? options->client_id : "orderflow",
        .wait_ms = options->embedded ? 10 : 20,
        .min_bytes = 1,
        .answer_bytes = 256 << 20,
        .request_ms = 10000,
        .connect_ms = 10000,
        .backoff_ms = 100,
        .backoff_most_ms = 2000,
        .metadata_ms = 300000,
        .verify = true,
        .verify_host = true,
    };
    set_sizes(settings, options);
    bool sasl = false;
    for (size_t i = 0; i < options->property_count; i++) {
        if (options->properties[i].value == NULL)
            continue;
        enum of_status status = apply(settings, &options->properties[i], &sasl, err);
        if (status != OF_OK)
            return status;
    }
    if (!sasl)
        settings->sasl = OF_SASL_NONE;
    else if (settings->sasl == OF_SASL_NONE)
        return of_error_set(err, OF_POISON, "sasl.mechanism=GSSAPI, the default, is not spoken by it");
    else if (settings->username == NULL || settings->password == NULL)
        return of_error_set(err, OF_POISON, "sasl.username or sasl.password is not given");
    return OF_OK;
}
