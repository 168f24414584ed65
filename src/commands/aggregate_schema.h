/* The id by which the registry knows schemas/aggregate.avsc: what is written into the aggregates topic begins with it.
 *
 * A thread registers the schema under "<aggregates topic>-value", again and again with a back-off of up to 5 s while the
 * registry does not answer or refuses, and ends when the id is known. Nothing waits for it. Each change of what stands in
 * the way is logged once.
 *
 * Owner: whoever opened it. Threads: open and close by one; any may read the id and ask for the obstacle. */
#ifndef OF_COMMANDS_AGGREGATE_SCHEMA_H
#define OF_COMMANDS_AGGREGATE_SCHEMA_H

#include <stdatomic.h>
#include <stdint.h>

#include "commands/settings.h"
#include "core/clock.h"
#include "core/error.h"

struct of_aggregate_schema;

struct of_aggregate_schema_options {
    const struct of_settings *settings; /* how to reach the registry, the topic, and where schemas are kept; not kept itself */
    void (*known)(void *context); /* on the schema's thread, once the id is known; may be NULL */
    void *context;
    const struct of_clock *clock; /* of obstacles; read when opened */
};

/* With --registry-cache-dir an id that was known to an earlier process is known at once, without a registry; it is kept there
 * in a file "aggregates-HASH.id", HASH of the registry's addresses and the schema, as an id
 * stands for the content whatever the subject. OF_FATAL: the settings of the
 * registry are wrong, or there is no thread left. */
OF_MUST_USE enum of_status of_aggregate_schema_open(const struct of_aggregate_schema_options *options,
                                                    struct of_aggregate_schema **out, struct of_error *err);

/* -1 until known, then it stays. Lives until close. */
const _Atomic int64_t *of_aggregate_schema_id(const struct of_aggregate_schema *schema);

/* What stands in the way of the id: true, with the text and since when (monotonic, when the schema was opened). False: the
 * id is known, *since_ns and *why are as they were. Waits for no request. */
OF_MUST_USE bool of_aggregate_schema_obstacle(struct of_aggregate_schema *schema, int64_t *since_ns, struct of_error *why);

/* Ends a request under way, within a second or so. `known` is not called any more afterwards. Clears the caller's
 * pointer; NULL inside is fine. */
void of_aggregate_schema_close(struct of_aggregate_schema **schema);

/* One attempt on the caller's thread, for commands that cannot go on without: blocks as of_registry_register.
 * OF_OK; OF_RETRY: no answer; OF_FATAL: refused. */
OF_MUST_USE enum of_status of_aggregate_schema_register(const struct of_settings *settings, uint32_t *id,
                                                        struct of_error *err);

#endif
