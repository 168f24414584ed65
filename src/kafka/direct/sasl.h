/* Showing a broker who we are: SASL PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), as messages to and from it.
 *
 *   mechanism   messages of ours       what the broker must show
 *   PLAIN       user and password      nothing: use it over TLS alone
 *   SCRAM       first, final           that it knows the password, too
 *
 * Threads: the fetch thread's. Cost: SCRAM as many hashes as the broker asks for (4096 and more: milliseconds). */
#ifndef OF_KAFKA_DIRECT_SASL_H
#define OF_KAFKA_DIRECT_SASL_H

#include "core/error.h"
#include "core/slice.h"
#include "kafka/direct/settings.h"

struct of_sasl;

/* "SCRAM-SHA-256". */
const char *of_sasl_name(enum of_sasl_mechanism_kind mechanism);

/* nonce: NULL, or what to take in place of a random one, for tests. */
struct of_sasl *of_sasl_create(const struct of_direct_settings *settings, const char *nonce);
void of_sasl_destroy(struct of_sasl **sasl);

/* Takes what the broker said (nothing at first). OF_AGAIN: say *answer, valid until the next call; OF_OK: done;
 * OF_RETRY: the broker said something that it should not have. */
enum of_status of_sasl_step(struct of_sasl *sasl, struct of_slice said, struct of_slice *answer,
                            struct of_error *err) OF_MUST_USE;

#endif
