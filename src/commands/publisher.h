/* The work of `orderflow produce`: takes orders, publishes them at their pace, checks and tells every delivery.
 *
 * At low rates a line per order and per delivery on standard output, at high ones a line per second; at the end the
 * exact sum of what was delivered.
 * Owner: the caller fills the upper part, whose objects stay its own, and zeroes the rest; of_exact_sum_fini(&sum) at
 * the end. Threads: one at a time. */
#ifndef OF_COMMANDS_PUBLISHER_H
#define OF_COMMANDS_PUBLISHER_H

#include "avro/encode.h"
#include "commands/order_input.h"
#include "commands/settings.h"
#include "core/clock.h"
#include "kafka/writer.h"
#include "order/exact_sum.h"

enum { OF_PUBLISHER_VALUE_BYTES = OF_ROWS_LINE_BYTES_MAX + 64 };

struct of_publisher {
    const struct of_settings *settings;
    const struct of_clock *clock;
    struct of_order_input *input;
    struct of_encoder *encoder;
    struct of_writer *writer;
    uint32_t schema_id;
    uint8_t *value;     /* OF_PUBLISHER_VALUE_BYTES */
    double interval_ns; /* between two orders; 0: as fast as it goes */

    bool one_by_one; /* a line per order */
    int64_t start_ns, next_progress_ns;
    uint64_t published, delivered, failed;
    uint64_t delivered_before;     /* at the last line of progress */
    struct of_exact_sum sum;       /* of what was delivered */
    struct of_error first_failure; /* when failed > 0 */
};

/* Publishes until the input ends or Ctrl+C, waits for the deliveries, and reports. Returns the exit status. */
int of_publisher_run(struct of_publisher *publisher);

#endif
