/* What the two halves of a connection share: connection_open.c goes from DOWN to UP, connection.c asks and answers. */
#ifndef OF_KAFKA_DIRECT_CONNECTION_PRIVATE_H
#define OF_KAFKA_DIRECT_CONNECTION_PRIVATE_H

#include <sys/types.h>

#include "kafka/direct/connection.h"

/* Goes on from its state, as far as it can. */
void of_connection_open_turn(struct of_connection *connection, struct of_tls *tls, int64_t now_ns);

/* An answer that came before it was UP. */
void of_connection_open_answer(struct of_connection *connection, const struct of_received *received, int64_t now_ns);

/* Has epoll wait for these. */
void of_connection_wait_for(struct of_connection *connection, uint32_t events);

/* Sends a request whatever the state. */
void of_connection_ask_version(struct of_connection *connection, enum of_api api, int16_t version, const void *request,
                               int64_t deadline_ns, int64_t now_ns);

#endif
