#include "kafka/direct/probe.h"

#include <poll.h>

#include "core/clock.h"
#include "kafka/direct/fetcher.h"

enum { PROBE_MS = 1000, LOOK_MS = 20 };

static int64_t
now_ns(void)
{
    return of_clock_mono_ns(of_clock_system());
}

/* Up, or down for the first time, or still on its way when the time is over. */
static enum of_connection_state
connect_once(struct of_fetcher *fetcher, struct of_connection *connection, int64_t until_ns)
{
    struct of_received received;
    while (connection->state != OF_CONNECTION_UP && connection->downs == 0 && now_ns() < until_ns) {
        of_connection_turn(connection, fetcher->tls, now_ns());
        if (of_connection_receive(connection, now_ns(), &received))
            of_slab_drop(received.slab);
        if (connection->state == OF_CONNECTION_UP)
            break;
        struct pollfd fd = { .fd = fetcher->epoll_fd, .events = POLLIN };
        poll(&fd, 1, LOOK_MS);
    }
    return connection->state;
}

static enum of_status
judge(const struct of_connection *connection, struct of_error *err)
{
    static const enum of_api needed[] = { OF_API_FETCH, OF_API_METADATA };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const struct of_message *message = of_message_find(needed[i]);
        if (of_connection_version(connection, needed[i]) < 0)
            return of_error_set(err, OF_POISON, "the broker at %s:%d speaks no version of %s from %d to %d",
                                connection->host, connection->port, message->name, message->lowest, message->highest);
    }
    return OF_OK;
}

enum of_status
of_direct_probe(const struct of_kafka_options *options, struct of_error *err)
{
    struct of_fetcher fetcher;
    int64_t until_ns = now_ns() + PROBE_MS * OF_MS_NS;
    enum of_status status = of_fetcher_open(&fetcher, options, err);
    if (status != OF_OK)
        return OF_POISON;
    bool reached = false;
    for (uint32_t i = 0; i < fetcher.named_count && !reached && now_ns() < until_ns; i++) {
        struct of_connection connection;
        of_connection_init(&connection, &fetcher.settings, &fetcher.slabs[OF_ROLE_ORDERS], fetcher.epoll_fd,
                           fetcher.brokers[i].host, fetcher.brokers[i].port);
        reached = connect_once(&fetcher, &connection, until_ns) == OF_CONNECTION_UP;
        if (reached)
            status = judge(&connection, err);
        of_connection_fini(&connection);
    }
    of_fetcher_close(&fetcher);
    return status;
}
