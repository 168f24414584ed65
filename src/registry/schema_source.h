/* A schema as a registry has it: its text, and the texts of all that it refers to.
 *
 * Owner: whoever got it; release with of_schema_source_destroy. Threads: a plain value. */
#ifndef OF_REGISTRY_SCHEMA_SOURCE_H
#define OF_REGISTRY_SCHEMA_SOURCE_H

#include <stddef.h>

#include "avro/plan.h"

struct of_schema_source {
    char *text;
    char **references; /* each only needs those before it; none twice */
    size_t reference_count;
};

/* A copy of text; no references yet. */
struct of_schema_source *of_schema_source_create(const char *text);

/* Puts a copy of text behind the other references. */
void of_schema_source_add(struct of_schema_source *source, const char *text);

/* The plan for orders that are written with it; the contract of of_plan_compile. */
OF_MUST_USE enum of_status of_schema_source_compile(const struct of_schema_source *source,
                                                    const struct of_plan_fields *fields, size_t max_field_bytes,
                                                    struct of_plan **out, struct of_error *err);

/* Clears the caller's pointer; NULL inside is fine. */
void of_schema_source_destroy(struct of_schema_source **source);

#endif
