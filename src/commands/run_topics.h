/* The topics that a run needs: looked up, created where they are missing, and checked. */
#ifndef OF_COMMANDS_RUN_TOPICS_H
#define OF_COMMANDS_RUN_TOPICS_H

#include "commands/settings.h"
#include "kafka/options.h"

/* Waits for the brokers, saying so, until they answer or the process is interrupted. Retry and dead-letter topic get as
 * many partitions as orders, the aggregates topic as many as the larger of orders and retries.
 * options->retry_partitions is filled, too. *cluster: the cluster's id, to be freed. OF_FATAL: a topic is missing and may not be created,
 * or is of no use; or interrupted. */
OF_MUST_USE enum of_status of_run_prepare_topics(struct of_kafka_options *options, const struct of_settings *settings,
                                                 int32_t *orders_partitions, char **cluster, struct of_error *err);

#endif
