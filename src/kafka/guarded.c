#include "kafka/options.h"

#include <string.h>

#define COMMITS "offsets are committed by orderflow itself, when what came of them is safe; see --commit-interval-ms"
#define EXACT "no record may be lost, repeated or reordered on its way to the broker"
#define FROM "use --from, and --on-out-of-range for an offset that is gone"

static const struct {
    const char *name; /* as librdkafka spells it, aliases included */
    const char *complaint;
} refused[] = {
    { "bootstrap.servers", "use --brokers" },
    { "metadata.broker.list", "use --brokers" },
    { "group.id", "use --group" },
    { "group.instance.id", "use --instance-id" },
    { "group.protocol", "orderflow depends on the classic group protocol" },
    { "auto.offset.reset", FROM },
    { "topic.auto.offset.reset", FROM },
    { "enable.auto.commit", COMMITS },
    { "auto.commit.enable", COMMITS },
    { "auto.commit.interval.ms", "use --commit-interval-ms" },
    { "enable.auto.offset.store", COMMITS },
    { "offset.store.method", COMMITS },
    { "offset.store.path", COMMITS },
    { "isolation.level", "orderflow reads committed records only" },
    { "enable.partition.eof", "orderflow needs to know the ends of partitions" },
    { "check.crcs", "use the default: brokers check what they store" },
    { "transactional.id", "use --instance-id" },
    { "transaction.timeout.ms", "orderflow sets it to suit how often --commit-interval-ms commits" },
    { "enable.idempotence", EXACT },
    { "enable.gapless.guarantee", EXACT },
    { "acks", EXACT },
    { "request.required.acks", EXACT },
    { "max.in.flight", EXACT },
    { "max.in.flight.requests.per.connection", EXACT },
    { "retries", EXACT },
    { "message.send.max.retries", EXACT },
    { "queuing.strategy", EXACT },
    { "delivery.report.only.error", "orderflow checks every delivery" },
    { "partitioner", "retries and dead letters go to the partition that belongs to their order's" },
    { "consume.callback.max.messages", "orderflow takes records through queues" },
    { "allow.auto.create.topics", "use --create-topics" },
    { "queued.min.messages", "use --memory-mb" },
    { "queued.max.messages.kbytes", "use --memory-mb" },
    { "enabled_events", "orderflow decides itself what it is told" },
    { "log.queue", "orderflow reads the log itself" },
    { "test.mock.num.brokers", "an embedded cluster would take the place of --brokers" },
    { "plugin.library.paths", "plug-ins could change what is delivered" },
};

/* Eager assignors. Range, the default, also gives an order's partition and its retries to one member. */
static const char *
assignor_complaint(const char *value)
{
    if (strcmp(value, "range") == 0 || strcmp(value, "roundrobin") == 0 || strcmp(value, "range,roundrobin") == 0)
        return NULL;
    return "only range and roundrobin: cooperative assignors are not supported";
}

const char *
of_kafka_refused_property(const char *name, const char *value)
{
    if (strcmp(name, "partition.assignment.strategy") == 0)
        return assignor_complaint(value);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(name, refused[i].name) == 0)
            return refused[i].complaint;
    return NULL;
}

/* By parts of names, so that a property that a newer librdkafka brings is hidden as well. */
bool
of_kafka_secret_property(const char *name)
{
    static const char *const parts[] = { "password", "secret", "token", "key.pem", "sasl.oauthbearer.config" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i]) != NULL)
            return true;
    return false;
}
