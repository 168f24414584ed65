/* Asks a broker, before anything else is opened, whether it speaks what the direct source needs.
 *
 * Threads: any. Blocks for a second at most. */
#ifndef OF_KAFKA_DIRECT_PROBE_H
#define OF_KAFKA_DIRECT_PROBE_H

#include "core/error.h"
#include "kafka/options.h"

/* OF_OK: it does, or no broker can be reached now, which says nothing. OF_POISON with a text: it does not, or these
 * settings are not for the direct source. */
enum of_status of_direct_probe(const struct of_kafka_options *options, struct of_error *err) OF_MUST_USE;

#endif
