/* Whether a broker answers, looked up by a thread of its own once a second, so that whoever wants to know has what is
 * known at once and never waits for the network.
 *
 * A broker is asked for the topic of orders: a connection that is merely open says nothing.
 *
 * Owner: whoever opened it. Threads: open and close by one, read by any. Cost: a connection, and a request a second. */
#ifndef OF_COMMANDS_BROKER_PROBE_H
#define OF_COMMANDS_BROKER_PROBE_H

#include "kafka/options.h"

struct of_broker_probe;

/* What the last look came to. */
struct of_broker_known {
    bool known;         /* one has ended; all below is nothing until then */
    enum of_status reached; /* OF_OK; OF_RETRY: no answer; OF_FATAL: refused */
    bool topic_missing;
    int64_t age_ns;     /* since it ended */
    struct of_error why; /* where not OF_OK */
};

/* One look, a second at most: as of_admin_look_up. On the probe's thread. */
typedef enum of_status of_broker_look(void *context, int32_t *partitions, struct of_error *err);

/* Asks brokers with these options, of which it keeps a copy; what they point to outlives the probe. Where look is not
 * NULL, it is asked in place of a broker. OF_FATAL: there is no thread for it. */
OF_MUST_USE enum of_status of_broker_probe_open(const struct of_kafka_options *kafka, of_broker_look *look, void *context,
                                                struct of_broker_probe **out, struct of_error *err);

/* Never waits. */
void of_broker_probe_read(struct of_broker_probe *probe, struct of_broker_known *known);

/* Waits for the look that is under way. NULL inside is fine. */
void of_broker_probe_close(struct of_broker_probe **probe);

#endif
