#include "commands/kafka_options.h"

#include <stdlib.h>

#include "core/log.h"
#include "core/memory.h"

enum { SYSLOG_ERROR = 3, SYSLOG_WARNING = 4, SYSLOG_INFO = 6 };

/* Limited for each level apart, so that what is unimportant does not hide what is not. */
static void
log_line(int level, const char *text)
{
    static struct of_log_site sites[OF_LOG_DEBUG + 1];
    enum of_log_level ours = level <= SYSLOG_ERROR     ? OF_LOG_ERROR
                             : level <= SYSLOG_WARNING ? OF_LOG_WARNING
                             : level <= SYSLOG_INFO    ? OF_LOG_INFO
                                                       : OF_LOG_DEBUG;
    of_log_at_site(&sites[ours], ours, "kafka", NULL, "%s", text);
}

static struct of_kafka_property *
copy_properties(const struct of_options *options)
{
    struct of_kafka_property *properties = of_alloc_array(options->property_count, sizeof *properties);
    for (size_t i = 0; i < options->property_count; i++)
        properties[i] = (struct of_kafka_property) { options->properties[i].name, options->properties[i].value };
    return properties;
}

static const enum of_kafka_out_of_range out_of_range[] = {
    [OF_ON_OUT_OF_RANGE_ERROR] = OF_KAFKA_HOLD,
    [OF_ON_OUT_OF_RANGE_EARLIEST] = OF_KAFKA_SKIP_TO_FIRST,
    [OF_ON_OUT_OF_RANGE_LATEST] = OF_KAFKA_SKIP_TO_LAST,
};

void
of_kafka_options_init(struct of_kafka_options *options, const struct of_command_line *line)
{
    const struct of_settings *settings = &line->settings;
    *options = (struct of_kafka_options) {
        .brokers = settings->brokers,
        .group = settings->group,
        .orders_topic = settings->topic,
        .retry_topic = settings->retry_topic,
        .dead_letter_topic = settings->dlq_topic,
        .aggregates_topic = settings->aggregates_topic,
        .create_topics = settings->create_topics,
        .from = settings->from == OF_FROM_LATEST ? OF_KAFKA_FROM_LATEST : OF_KAFKA_FROM_EARLIEST,
        .on_out_of_range = out_of_range[settings->on_out_of_range],
        .stay = settings->on_stop == OF_ON_STOP_STAY,
        .memory_bytes = (size_t)settings->memory_mb << 20,
        .properties = copy_properties(&line->options),
        .property_count = line->options.property_count,
        .log = log_line,
    };
}

/* The list is ours: it was made by init. */
void
of_kafka_options_fini(struct of_kafka_options *options)
{
    free((void *)(uintptr_t)options->properties);
    options->properties = NULL;
    options->property_count = 0;
}
