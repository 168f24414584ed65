/* A client of a schema registry that speaks Confluent's REST interface.
 *
 * URLs: http(s)://[user:password@]host[:port][/base/path], several separated by commas and asked in turn while one does
 * not answer; or mock://NAME, a registry inside the process (registry/mock.h). Credentials never appear in texts.
 *
 * What a call found is one of five, named by what follows from it; the text of every one but FOUND is in the error and
 * says what to do:
 *
 *     FOUND         here it is
 *     NOT_FOUND     the registry says that this does not exist
 *     UNUSABLE      it exists and is of no use, or will never be accepted: the same call has the same end
 *     DENIED        401, 403: credentials are missing, wrong or not allowed to
 *     UNAVAILABLE   no answer, or one that no registry gives: network, time-outs, 408, 425, 429, 5xx, garbage
 *
 * Threads: one at a time, except of_registry_client_cancel, which any thread may call. */
#ifndef OF_REGISTRY_CLIENT_H
#define OF_REGISTRY_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct of_registry_client;

enum of_registry_answer {
    OF_REGISTRY_FOUND,
    OF_REGISTRY_NOT_FOUND,
    OF_REGISTRY_UNUSABLE,
    OF_REGISTRY_DENIED,
    OF_REGISTRY_UNAVAILABLE,
};

/* 0 in a number stands for its default. */
struct of_registry_options {
    const char *urls;
    int64_t connect_timeout_ms; /* 3 s */
    int64_t timeout_ms;         /* 10 s, for one request to one URL */
    size_t answer_bytes;        /* 4 MiB */
};

/* Connects to nothing yet. OF_FATAL: what is given as URL is none. */
OF_MUST_USE enum of_status of_registry_client_open(const struct of_registry_options *options,
                                                   struct of_registry_client **out, struct of_error *err);

/* The text of the schema with that id. On FOUND the caller releases *schema_json with free(). UNUSABLE: it is not Avro,
 * or refers to other schemas. Blocks for timeout_ms times the number of URLs at most. */
OF_MUST_USE enum of_registry_answer of_registry_get_schema(struct of_registry_client *client, uint32_t id,
                                                           char **schema_json, struct of_error *err);

/* Registers an Avro schema under a subject, or finds it there; *id is the id of its content. UNUSABLE: the registry
 * refuses it as invalid or incompatible. Blocks as above. */
OF_MUST_USE enum of_registry_answer of_registry_register(struct of_registry_client *client, const char *subject,
                                                         const char *schema_json, uint32_t *id, struct of_error *err);

/* Ends a call under way within a second or so with UNAVAILABLE, and every later one at once. */
void of_registry_client_cancel(struct of_registry_client *client);

/* Clears the caller's pointer; NULL inside is fine. */
void of_registry_client_close(struct of_registry_client **client);

/* "found", "not_found", "unusable", "denied", "unavailable". Never NULL. */
const char *of_registry_answer_name(enum of_registry_answer answer);

#endif
