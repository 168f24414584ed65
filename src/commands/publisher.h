/* Publishing orders, as `orderflow produce` and `orderflow demo` do: takes orders, publishes them at their pace, checks
 * and tells every delivery.
 *
 * At low rates a line per order and per delivery on standard output; at high ones, on a terminal, a bar that is drawn
 * again in place, elsewhere a line every --progress-seconds, if any; at the end the exact sum of what was delivered. Or
 * nothing of that (quiet).
 * Owner: the caller fills the upper part, whose objects stay its own, and zeroes the rest. After init, whatever it
 * answered, fini must be called.
 * Threads: one at a time; schema_id is to be known before run. */
#ifndef OF_COMMANDS_PUBLISHER_H
#define OF_COMMANDS_PUBLISHER_H

#include "avro/encode.h"
#include "commands/order_input.h"
#include "commands/settings.h"
#include "core/clock.h"
#include "kafka/writer.h"
#include "ops/progress_bar.h"
#include "order/exact_sum.h"

enum of_pace {
    OF_PACE_GO,
    OF_PACE_WAIT, /* not now: asked again some milliseconds later */
    OF_PACE_END,  /* no further order, as after Ctrl+C */
};

#define OF_NO_COLUMN SIZE_MAX

struct of_publisher {
    const char *command; /* its name, for messages */
    const struct of_settings *settings;
    bool quiet; /* errors only */
    /* Whether the next order may be published, asked before each on the thread of run. NULL: always. */
    enum of_pace (*pace)(void *context);
    void *context;
    uint32_t schema_id;

    const struct of_clock *clock;
    char *schema;               /* the text of the schema */
    struct of_encoder *encoder;
    struct of_order_input input;
    struct of_column *columns;  /* the schema's fields */
    struct of_cell *cells;      /* the row under way, by column */
    size_t key_at;              /* the column that is the key */
    size_t label_at, value_at;  /* columns that are shown and summed; OF_NO_COLUMN: there is none */
    struct of_writer *writer;
    uint8_t *value;     /* where a row is encoded */
    double interval_ns; /* between two orders; 0: as fast as it goes */
    bool one_by_one;    /* a line per order */
    int64_t start_ns, next_progress_ns;
    uint64_t published, delivered, failed;
    size_t largest_bytes;          /* of keys and values published, together */
    uint64_t delivered_before;     /* at the last line of progress */
    struct of_terminal terminal;   /* that standard output is */
    struct of_progress_bar bar;
    uint64_t all;                  /* how many are to be published; OF_PROGRESS_UNKNOWN: nobody knows */
    struct of_exact_sum sum;       /* of what was delivered and has a number */
    uint64_t summed;               /* how many those are */
    struct of_error first_failure; /* when failed > 0 */
};

/* Reads the schema and opens the input that the command line names; schema can be registered then. OF_FATAL: something
 * cannot be read, or does not fit. */
OF_MUST_USE enum of_status of_publisher_init(struct of_publisher *publisher, const struct of_command_line *line,
                                             struct of_error *err);

/* Opens what writes to the topic; options must outlive the publisher. OF_FATAL: a property is refused. */
OF_MUST_USE enum of_status of_publisher_open(struct of_publisher *publisher, const struct of_kafka_options *options,
                                             struct of_error *err);

/* Publishes until the input ends or Ctrl+C, waits for the deliveries, and reports. Returns the exit status. */
int of_publisher_run(struct of_publisher *publisher);

void of_publisher_fini(struct of_publisher *publisher);

#endif
