/* A schema registry inside the process, for tests and the demonstration: the URL mock://NAME.
 *
 * All clients of one name share one registry. It answers as a server would, in status and JSON, so that all that a
 * client makes of answers is used. Ids count up from 1; one content, whatever its spelling, has one id. Registries live
 * until the process ends.
 * Threads: any. Errors: none of its own; what it refuses it refuses by its answers. */
#ifndef OF_REGISTRY_MOCK_H
#define OF_REGISTRY_MOCK_H

#include <stdint.h>

#include "core/schema_key.h"
#include "registry/http.h"

enum {
    OF_MOCK_SILENT = 0,    /* as a status: no answer, as if nobody listened there */
    OF_MOCK_FOREVER = -1,  /* as a count: until told otherwise */
};

/* What a request to the registry of that name gives; in the manner of of_http_exchange. */
OF_MUST_USE enum of_status of_registry_mock_exchange(const char *name, const char *path, const char *body,
                                                     struct of_http_answer *answer, struct of_error *err);

/* Registers without a client. 0 when the text is no JSON. */
uint32_t of_registry_mock_register(const char *name, const char *schema_json);

/* The GUID under which the schema with that id is found as well. */
struct of_schema_key of_registry_mock_guid(uint32_t id);

/* Answers the next `count` requests with `status` (OF_MOCK_SILENT, 401, 503, ...) and `body`, which may be NULL, in
 * place of what they ask for. A later call takes the place of an earlier one; count 0 ends it. */
void of_registry_mock_inject(const char *name, long status, const char *body, int count);

/* Requests so far, injected answers included. */
uint64_t of_registry_mock_requests(const char *name);

/* Forgets schemas, injected answers and the count. */
void of_registry_mock_reset(const char *name);

#endif
