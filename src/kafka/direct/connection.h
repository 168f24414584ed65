/* One connection to one broker: opening, negotiating, asking, and answers in the order of what was asked.
 *
 *   DOWN --back-off over--> RESOLVING --> CONNECTING --> (SECURING) --> NEGOTIATING --> (AUTHENTICATING) --> UP
 *   any --failure, deadline, close--> DOWN
 *
 * NEGOTIATING asks ApiVersions: the newest version first, and the oldest when the broker does not know that one.
 * Everything between DOWN and UP has one deadline; each request has its own, and when one passes, the connection is
 * taken for dead, because answers come in order. The back-off doubles from failure to failure, with jitter, and begins
 * anew when the connection has been UP.
 *
 * Nothing blocks. Threads: the fetch thread's. */
#ifndef OF_KAFKA_DIRECT_CONNECTION_H
#define OF_KAFKA_DIRECT_CONNECTION_H

#include <netdb.h>

#include "kafka/direct/messages.h"
#include "kafka/direct/resolve.h"
#include "kafka/direct/settings.h"
#include "kafka/direct/slab.h"

struct of_tls;
struct of_tls_session;
struct of_sasl;

enum of_connection_state {
    OF_CONNECTION_DOWN,
    OF_CONNECTION_RESOLVING,
    OF_CONNECTION_CONNECTING,
    OF_CONNECTION_SECURING,
    OF_CONNECTION_NEGOTIATING,
    OF_CONNECTION_AUTHENTICATING,
    OF_CONNECTION_UP,
};

enum { OF_REQUESTS_UNDER_WAY = 4, OF_HOST_BYTES = 256 };

struct of_asked {
    const struct of_message *message;
    int16_t version;
    int32_t correlation;
    int64_t deadline_ns;
};

struct of_connection {
    const struct of_direct_settings *settings;
    struct of_slabs *slabs; /* what answers are received into */
    int epoll_fd;
    char host[OF_HOST_BYTES];
    int port;
    enum of_connection_state state;
    int fd;
    uint32_t events; /* what epoll waits for */
    struct of_resolve *resolve;
    struct addrinfo *addresses;
    const struct addrinfo *address; /* the one being tried */
    struct of_tls_session *tls;
    struct of_sasl *sasl;
    struct of_api_version versions[8]; /* as the broker has them, in the order of of_messages */
    int64_t deadline_ns;   /* of the way to UP */
    int64_t next_try_ns;   /* DOWN: not before */
    int64_t backoff_ms;    /* the last one */
    uint32_t downs;        /* times that it went down */
    struct of_error error; /* why it went down last */
    enum of_connection_state failed_in; /* and in which state */
    int32_t correlation;
    struct of_asked asked[OF_REQUESTS_UNDER_WAY]; /* oldest first */
    uint32_t asked_count;
    struct of_wire_writer out;
    size_t out_at; /* sent so far */
    uint8_t head[4];
    size_t in_at;  /* bytes of the answer that is coming, with its head */
    size_t in_length;
    struct of_slab *in;
};

/* An answer. */
struct of_received {
    struct of_asked asked;
    struct of_slice bytes;
    struct of_slab *slab; /* the caller's to drop */
};

void of_connection_init(struct of_connection *connection, const struct of_direct_settings *settings,
                        struct of_slabs *slabs, int epoll_fd, const char *host, int port);
void of_connection_fini(struct of_connection *connection);

/* Goes on with whatever can go on: opens when its back-off is over, sends, checks deadlines. tls: NULL when the
 * settings ask for none. */
void of_connection_turn(struct of_connection *connection, struct of_tls *tls, int64_t now_ns);

/* The next answer, if it is there. */
bool of_connection_receive(struct of_connection *connection, int64_t now_ns, struct of_received *received);

/* When it wants its next turn at the latest. */
int64_t of_connection_deadline_ns(const struct of_connection *connection);

static inline bool
of_connection_can_ask(const struct of_connection *connection)
{
    return connection->state == OF_CONNECTION_UP && connection->asked_count < OF_REQUESTS_UNDER_WAY;
}

/* The version that both sides speak; -1: none. */
int16_t of_connection_version(const struct of_connection *connection, enum of_api api);

/* Sends a request, in that version. wait_ms: what the broker may wait before it answers. */
void of_connection_ask(struct of_connection *connection, enum of_api api, const void *request, int64_t wait_ms,
                       int64_t now_ns);

/* Closes, and opens again after the back-off. */
void of_connection_fail(struct of_connection *connection, int64_t now_ns, const char *format, ...) OF_PRINTF(3, 4);

#endif
