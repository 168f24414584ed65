/* A directory that keeps schemas across restarts (--registry-cache-dir): private to registry/.
 *
 * One file per schema, JSON: {"registry": URLs, "schema": text, "references": [texts]}. It is named by id or GUID and by
 * a hash of the registry's URLs, as an id means something else in another registry. A file appears as a whole or not at
 * all (written beside its place, synced, renamed); one that is damaged or of another registry counts as not there, and
 * is written again. What a registry once said about an id or GUID holds for ever, so files never expire.
 *
 * Owner: whoever opened it. Threads: one at a time; several processes may share a directory. Errors: reading and writing
 * never fail the caller: a schema that cannot be kept is asked for again after a restart; that is logged. */
#ifndef OF_REGISTRY_STORE_H
#define OF_REGISTRY_STORE_H

#include "core/error.h"
#include "core/schema_key.h"
#include "registry/schema_source.h"

struct of_schema_store;

/* directory: made if it is missing, its parent must be there. urls: without credentials. OF_FATAL: it cannot be made,
 * or nothing can be written there. */
OF_MUST_USE enum of_status of_schema_store_open(const char *directory, const char *urls, struct of_schema_store **out,
                                                struct of_error *err);

/* NULL: it is not there. Otherwise the caller releases it. */
struct of_schema_source *of_schema_store_get(const struct of_schema_store *store, struct of_schema_key key);

void of_schema_store_put(const struct of_schema_store *store, struct of_schema_key key,
                         const struct of_schema_source *source);

/* Clears the caller's pointer; NULL inside is fine. */
void of_schema_store_close(struct of_schema_store **store);

#endif
