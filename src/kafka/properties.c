#include "kafka/client.h"

static enum of_status
check_refused(const struct of_kafka_property *property, struct of_error *err)
{
    const char *complaint = of_kafka_refused_property(property->name, property->value);
    if (complaint != NULL)
        return of_error_set(err, OF_FATAL, "the Kafka property %s cannot be set: %s", property->name, complaint);
    return OF_OK;
}

enum of_status
of_kafka_set_properties(rd_kafka_conf_t *conf, const struct of_kafka_property *properties, size_t count,
                        struct of_error *err)
{
    char why[512];
    for (size_t i = 0; i < count; i++) {
        const struct of_kafka_property *each = &properties[i];
        if (each->value == NULL)
            continue;
        switch (rd_kafka_conf_set(conf, each->name, each->value, why, sizeof why)) {
        case RD_KAFKA_CONF_OK:
            break;
        case RD_KAFKA_CONF_UNKNOWN:
            return of_error_set(err, OF_FATAL, "unknown Kafka property %s", each->name);
        default:
            return of_error_set(err, OF_FATAL, "Kafka property %s = %s: %s", each->name,
                                of_kafka_secret_property(each->name) ? "***" : each->value, why);
        }
    }
    return OF_OK;
}

enum of_status
of_kafka_check_properties(const struct of_kafka_options *options, struct of_error *err)
{
    for (size_t i = 0; i < options->property_count; i++) {
        enum of_status status = check_refused(&options->properties[i], err);
        if (status != OF_OK)
            return status;
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum of_status status = of_kafka_set_properties(conf, options->properties, options->property_count, err);
    rd_kafka_conf_destroy(conf);
    return status;
}

/* A consumer without brokers. */
enum of_status
of_kafka_check_together(const struct of_kafka_options *options, struct of_error *err)
{
    enum { CLOSE_MS = 1000 };
    struct of_kafka_client client;
    enum of_status status = of_kafka_client_open(&client, RD_KAFKA_CONSUMER, options, NULL, 0, 0, err);
    of_kafka_client_mute(&client);
    of_kafka_client_close(&client, CLOSE_MS);
    return status;
}

/* A name that only topics have falls through to the default topic's configuration. */
bool
of_kafka_property_default(const char *name, char *out, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_conf_t *topic = rd_kafka_topic_conf_new();
    size_t length = size;
    bool known = rd_kafka_conf_get(conf, name, out, &length) == RD_KAFKA_CONF_OK;
    length = size;
    known = known || rd_kafka_topic_conf_get(topic, name, out, &length) == RD_KAFKA_CONF_OK;
    rd_kafka_topic_conf_destroy(topic);
    rd_kafka_conf_destroy(conf);
    return known;
}
