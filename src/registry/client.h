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
 * A call makes its requests once: waiting and asking again (registry/back_off.h) is the caller's.
 * Threads: one at a time, except of_registry_client_cancel, which any thread may call. */
#ifndef OF_REGISTRY_CLIENT_H
#define OF_REGISTRY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/schema_key.h"
#include "registry/schema_source.h"

struct of_registry_client;

enum of_registry_answer {
    OF_REGISTRY_FOUND,
    OF_REGISTRY_NOT_FOUND,
    OF_REGISTRY_UNUSABLE,
    OF_REGISTRY_DENIED,
    OF_REGISTRY_UNAVAILABLE,
};
enum { OF_REGISTRY_ANSWERS = OF_REGISTRY_UNAVAILABLE + 1 };

enum {
    OF_REGISTRY_REFERENCES_MAX = 100, /* of one schema, all levels together */
    OF_REGISTRY_REFERENCE_DEPTH_MAX = 16,
};

/* 0 in a number stands for its default, NULL in a text for none. */
struct of_registry_options {
    const char *urls;
    int64_t connect_timeout_ms; /* 3 s */
    int64_t timeout_ms;         /* 10 s, for one request to one URL */
    size_t answer_bytes;        /* 4 MiB */
    /* Who we are and whom we trust, at every URL that does not say itself (registry/http.h tells what wins). */
    const char *user, *password;
    const char *token, *token_file;
    const char *ca_file, *cert_file, *key_file;
};

/* Connects to nothing yet. OF_FATAL: what is given as URL is none, or a file cannot be read. */
OF_MUST_USE enum of_status of_registry_client_open(const struct of_registry_options *options,
                                                   struct of_registry_client **out, struct of_error *err);

/* The URLs without credentials, as they were given. Lives as long as the client. */
const char *of_registry_client_urls(const struct of_registry_client *client);

/* The schema of that key with all that it refers to. On FOUND the caller releases *source. UNUSABLE: it is not Avro, or
 * its references lead in a circle or are too many. NOT_FOUND also where a reference does not exist. Blocks for
 * timeout_ms times the number of URLs at most, once for the schema and once for each reference. */
OF_MUST_USE enum of_registry_answer of_registry_get_schema(struct of_registry_client *client, struct of_schema_key key,
                                                           struct of_schema_source **source, struct of_error *err);

/* Whether the registry was found, within the last minute, not to know GUIDs at all: then no GUID is asked for, and each
 * is NOT_FOUND at once. */
bool of_registry_client_knows_no_guids(const struct of_registry_client *client);

/* Registers an Avro schema under a subject, or finds it there; *id is the id of its content. UNUSABLE: the registry
 * refuses it as invalid or incompatible, with its own words. Blocks for timeout_ms times the number of URLs, as do the
 * calls below. */
OF_MUST_USE enum of_registry_answer of_registry_register(struct of_registry_client *client, const char *subject,
                                                         const char *schema_json, uint32_t *id, struct of_error *err);

/* The id of a schema that is registered under the subject already. NOT_FOUND: it is not. */
OF_MUST_USE enum of_registry_answer of_registry_look_up(struct of_registry_client *client, const char *subject,
                                                        const char *schema_json, uint32_t *id, struct of_error *err);

/* Whether the subject would take the schema, by the compatibility that is configured there. If not, err says why in the
 * registry's words, as far as it gives any. NOT_FOUND: there is no such subject, or no version of it. */
OF_MUST_USE enum of_registry_answer of_registry_check(struct of_registry_client *client, const char *subject,
                                                      const char *schema_json, bool *compatible, struct of_error *err);

/* A subject's latest version. */
struct of_registry_subject {
    char *name;
    uint32_t id;      /* of that version */
    uint32_t version;
    char *type;       /* "AVRO", "JSON", "PROTOBUF" */
};

/* The subject's latest version. On FOUND the caller releases *subject as a list of one. */
OF_MUST_USE enum of_registry_answer of_registry_latest(struct of_registry_client *client, const char *name,
                                                       struct of_registry_subject **subject, struct of_error *err);

/* When the registry that answered last thought that was, in milliseconds since 1970, to the second; -1: it did not say. */
int64_t of_registry_client_date_ms(const struct of_registry_client *client);

/* All subjects by name. On FOUND the caller releases them. */
OF_MUST_USE enum of_registry_answer of_registry_list(struct of_registry_client *client,
                                                     struct of_registry_subject **subjects, size_t *count,
                                                     struct of_error *err);
void of_registry_subjects_destroy(struct of_registry_subject **subjects, size_t count);

/* After DENIED or UNAVAILABLE: how long the registry is to be left alone at least; 0: only the usual back-off. It is
 * what a Retry-After said, or 10 s where the same request would only fail again. */
int64_t of_registry_client_wait_ms(const struct of_registry_client *client);

/* Ends a call under way within a second or so with UNAVAILABLE, and every later one at once. */
void of_registry_client_cancel(struct of_registry_client *client);

/* Clears the caller's pointer; NULL inside is fine. */
void of_registry_client_close(struct of_registry_client **client);

/* "found", "not_found", "unusable", "denied", "unavailable". Never NULL. */
const char *of_registry_answer_name(enum of_registry_answer answer);

#endif
