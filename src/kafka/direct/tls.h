/* TLS over a connected socket, by OpenSSL. Certificates are verified, with the host's name, unless the settings say
 * otherwise; versions before 1.2 are not spoken.
 *
 * Nothing blocks. Threads: the fetch thread's. */
#ifndef OF_KAFKA_DIRECT_TLS_H
#define OF_KAFKA_DIRECT_TLS_H

#include <sys/types.h>

#include "core/error.h"
#include "kafka/direct/settings.h"

struct of_tls; /* what all sessions have in common: certificates */
struct of_tls_session;

/* OF_FATAL: a certificate or key cannot be read, or they do not belong together. */
enum of_status of_tls_open(const struct of_direct_settings *settings, struct of_tls **tls,
                           struct of_error *err) OF_MUST_USE;
void of_tls_close(struct of_tls **tls);

/* A session on the socket, which stays the caller's. host: what the certificate must be made for. */
enum of_status of_tls_session_open(struct of_tls *tls, int fd, const char *host, struct of_tls_session **session,
                                   struct of_error *err) OF_MUST_USE;
void of_tls_session_close(struct of_tls_session **session);

/* OF_OK: secured. OF_AGAIN: when the socket can be read, or written if *wants_write. OF_RETRY: failed. */
enum of_status of_tls_handshake(struct of_tls_session *session, bool *wants_write, struct of_error *err) OF_MUST_USE;

/* Bytes read or written; 0: not now; -1: failed or ended, as err says. */
ssize_t of_tls_read(struct of_tls_session *session, void *bytes, size_t size, struct of_error *err);
ssize_t of_tls_write(struct of_tls_session *session, const void *bytes, size_t size, struct of_error *err);

#endif
