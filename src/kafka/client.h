/* What all handles of librdkafka in this program have in common: configuration, the event queue, logs, errors, the end.
 * Private to src/kafka.
 *
 * A client is used by one thread at a time. Nothing of ours runs on librdkafka's threads but a look at who they are (main_thread.h): logs,
 * errors, rebalances, commits and delivery reports all come as events out of `queue`. */
#ifndef OF_KAFKA_CLIENT_H
#define OF_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "kafka/main_thread.h"
#include "kafka/options.h"

struct of_kafka_client {
    const struct of_kafka_options *options;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* everything that is not records */
    struct of_main_thread main_thread;
    struct of_kafka_statistics *statistics; /* where what the handle tells about itself goes; NULL: nowhere */
    bool unreachable;        /* said that no broker can be reached, and not yet that one can */
    bool beside;             /* another client of the lane says that: this one tells of single brokers only */
};

/* Creates the handle: what all have in common, then settings[0..count), then the properties of the options. `events`
 * are RD_KAFKA_EVENT_* beside errors and logs. OF_FATAL: a property is refused; nothing is left behind. */
enum of_status of_kafka_client_open(struct of_kafka_client *client, rd_kafka_type_t type,
                                    const struct of_kafka_options *options, const struct of_kafka_property *settings,
                                    size_t count, int events, struct of_error *err) OF_MUST_USE;

/* Runs work(arg) on a thread of its own and waits for timeout_ms at most. False: it is still at it, or there is no thread;
 * it goes on alone, so what it uses must stay, and the process should end soon. For calls of librdkafka that have no
 * deadline. */
bool of_kafka_within(int timeout_ms, void (*work)(void *arg), void *arg) OF_MUST_USE;

/* What the handle has to say is no longer logged or kept: for a client that may outlive its options. */
void of_kafka_client_mute(struct of_kafka_client *client);

/* Destroys the handle; fine to call on one that was never opened. Blocks for timeout_ms at most: when librdkafka is
 * still not done, a thread waits on and the process may end without it. */
void of_kafka_client_close(struct of_kafka_client *client, int timeout_ms);

/* Adds 1 to the eventfd whenever something comes into the empty queue; -1: no longer. */
void of_kafka_queue_wake(rd_kafka_queue_t *queue, int fd);

/* Deals with logs, statistics and errors that only need telling; a record here has lost its way, and is asserted not to be. True: done. False: the event is the caller's (a fatal error
 * is, as RD_KAFKA_EVENT_ERROR). The caller destroys the event in either case. */
bool of_kafka_client_handle(struct of_kafka_client *client, rd_kafka_event_t *event);

/* Deals with everything that waits in the queue, for clients that await no events of their own. */
void of_kafka_client_serve(struct of_kafka_client *client);

/* A broker has answered. */
void of_kafka_client_reached(struct of_kafka_client *client);

/* How many partitions the topic has, 0 when it does not exist. Blocks for timeout_ms at most. Returns librdkafka's code. */
rd_kafka_resp_err_t of_kafka_client_count_partitions(struct of_kafka_client *client, rd_kafka_topic_t *topic,
                                                     int timeout_ms, int32_t *partitions);

/* No broker answers: says so once, until of_kafka_client_reached. */
void of_kafka_client_lost(struct of_kafka_client *client, const char *reason);

void of_kafka_log_line(const struct of_kafka_options *options, int level, const char *format, ...) OF_PRINTF(3, 4);

/* "why", for a fatal error the reason behind it. */
const char *of_kafka_why(const struct of_kafka_client *client, rd_kafka_resp_err_t code, char *text, size_t size);

/* No answer, no connection, no coordinator: worth another try. */
bool of_kafka_transient(rd_kafka_resp_err_t code);

/* properties.c: applies them in order; a value of NULL is left out. */
enum of_status of_kafka_set_properties(rd_kafka_conf_t *conf, const struct of_kafka_property *properties, size_t count,
                                       struct of_error *err) OF_MUST_USE;

#endif
