#include <string.h>

#include "kafka/client.h"

/* What delivery depends on, and what to use instead. */
static const struct {
    const char *name;
    const char *instead;
} refused[] = {
    { "bootstrap.servers", "use --brokers" },
    { "metadata.broker.list", "use --brokers" },
    { "group.id", "use --group" },
    { "group.instance.id", "use --instance-id" },
    { "client.id", "it is set by orderflow" },
    { "auto.offset.reset", "use --from" },
    { "enable.auto.commit", "orderflow commits what is settled; use --commit-interval-ms" },
    { "auto.commit.interval.ms", "use --commit-interval-ms" },
    { "auto.commit.enable", "orderflow commits what is settled; use --commit-interval-ms" },
    { "enable.auto.offset.store", "orderflow commits what is settled" },
    { "isolation.level", "only committed records are read" },
    { "enable.partition.eof", "orderflow needs it" },
    { "partition.assignment.strategy", "a partition and its retries must go to the same instance" },
    { "enable.idempotence", "records must not be written twice or out of order" },
    { "acks", "a record counts when all replicas have it" },
    { "request.required.acks", "a record counts when all replicas have it" },
    { "transactional.id", "use --guarantee and --instance-id" },
    { "transaction.timeout.ms", "use --guarantee" },
    { "delivery.report.only.error", "every report is needed" },
    { "log.queue", "orderflow reads the log" },
    { "test.mock.num.brokers", "use orderflow demo" },
};

static enum of_status
check_refused(const struct of_kafka_property *property, struct of_error *err)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(property->name, refused[i].name) == 0)
            return of_error_set(err, OF_FATAL, "the Kafka property %s cannot be set: %s", property->name,
                                refused[i].instead);
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
            return of_error_set(err, OF_FATAL, "Kafka property %s = %s: %s", each->name, each->value, why);
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
